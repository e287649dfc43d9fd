"""One project as one principal may use it: every use case of a door that serves more than one person.

Here, and nowhere else, a role is required, what the principal is bound to is laid beside the caller's scope and filter, work is
acknowledged as a job, and what was done is noted for the audit. Doors parse, make one call and render.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from kept.domain.access import Principal, Role
from kept.domain.categories import parse_categories_setting
from kept.domain.filters import And, Filter, parse_filter, positive_entities, separate_ids, to_dict
from kept.domain.history import Operation
from kept.domain.jobs import DELETIONS, DONE, EVENT_KINDS, Job, JobKind, JobStatus, succeeded
from kept.domain.memory import CURRENT, MemoryRecord, Message
from kept.domain.scope import ANY, ENTITY_IDS, MAX_ID_LENGTH, Scope
from kept.engine.categories import PROJECT
from kept.engine.context import DEFAULT_BUDGET_TOKENS, Context
from kept.engine.decay import pool
from kept.engine.ingest import BOUND, AddRequest, AddResult, scoped_key
from kept.engine.maintain import By, Change, Erasure, Step
from kept.engine.pending import STORED_OPTIONS, WHOLE, done, of_job, to_payload
from kept.engine.platform import Platform
from kept.engine.retrieve import Hit, TakesLongerError
from kept.engine.service import Filters
from kept.engine.timeline import Occurrence
from kept.errors import ConflictError, InvalidInputError, KeptError, NotFoundError, ScopeError
from kept.ports import AuditEntry, EntitySummary, Entry, JobListing

if TYPE_CHECKING:
    from kept.engine.conflicts import Conflict

ENTITY_TYPES: Final[Mapping[str, str]] = {"user": "user_id", "agent": "agent_id", "app": "app_id", "run": "run_id"}
"""Mem0's entity types, and the id that memories of each are stored under."""
ENTITY: Final = "entity"
"""The registry's kind of an entity that somebody described; memories make others known."""
MAX_BATCH: Final = 1_000
"""Memories in one batch call, as on Mem0's platform."""
SETTLED_WITHIN_S: Final = 20.0
"""Below the time after which most clients give up."""
LOOK_S: Final = 0.02
"""Between two looks at a job that is waited for: one reads a row, and nobody notices the delay."""
MAX_RESULTS: Final = 1_000
"""Results listed in a job: more would make an event of a large deletion larger than what it deleted."""


@dataclass(slots=True)
class Note:
    """What an audit entry says besides who and when; filled while the work is done."""

    target: dict[str, str]
    count: int = 0


class ProjectAccess:
    """A project, for a principal.

    Args:
        platform: What it stands on.
        principal: Who asks.
        request_id: Of the request it serves, for the audit.
    """

    def __init__(self, platform: Platform, principal: Principal, request_id: str | None = None) -> None:
        self.platform = platform
        self.principal = principal
        self.request_id = request_id
        self._service = platform.service

    @property
    def project(self) -> str:
        """The project's id."""
        return self.principal.project

    @property
    def by(self) -> By:
        """Who asks, for the log."""
        return By(actor=self.principal.name, connector=self.principal.connector)

    # --- remember ---

    def add(
        self,
        ids: Mapping[str, object],
        messages: object,
        *,
        infer: bool = True,
        at_once: bool = False,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> tuple[Job, AddResult | None]:
        """Acknowledge messages to be remembered; with `at_once`, and always without `infer`, remember them now.

        Args:
            ids: Under which ids.
            messages: As of `Service.add`.
            infer: Whether statements are taken from them, else each is stored verbatim.
            at_once: Whether to wait until they are stored, as is done with `facts` in any case.
            idempotency_key: A second call with the same, which says the same, is answered by the first one's job.
            options: As of `Service.request`; what the worker knows besides (`custom_instructions`, …) is kept with the job.

        Returns:
            The job; and what was stored when it was stored now.

        Raises:
            ConflictError: The key was used for other messages.
            KeptError: Nothing was kept.
        """
        with self.noted("memory.add", "WRITER") as note:
            scope = self.principal.writing(Scope.of(**ids))
            scope.require_writable()
            note.target |= scope.ids
            payload, request = self._checked(scope, messages, infer=infer, options=options)
            self._require_own(memory_id for fact in request.facts for memory_id in fact.supersedes)
            if self.principal.bound:
                payload[BOUND] = {name: list(ids) for name, ids in self.principal.bound.items()}
            job = self.new_job("ADD", scope, payload)
            if idempotency_key is not None:
                key = scoped_key(idempotency_key, scope)
                job = replace(job, id=str(uuid.uuid5(_JOBS, f"{self.project}/{key}")), idempotency_key=key)
                self._require_same(job)
            if infer and not at_once and not request.facts:
                return self.platform.ask(job), None
            with self._beside_deletions():
                result = self._service.add_request(of_job(self.platform, request, job))
                note.count = len(result.stored)
                return self.platform.jobs.put(done(job, result, self.platform.clock())), result

    def _require_same(self, job: Job) -> None:
        """Check that an add with the key of an earlier one says the same: what it says would be kept nowhere.

        Raises:
            ConflictError: It says something else. Of what was erased since nobody can tell.
        """
        earlier = self.platform.jobs.find(self.project, job.id)
        said = ("messages", "infer")
        if earlier and earlier.payload and any(earlier.payload.get(one) != job.payload.get(one) for one in said):
            raise ConflictError(
                "This idempotency key was used for another message; give each message a key of its own."
            )

    def _beside_deletions(self) -> AbstractContextManager[object]:
        """For what is stored at once while a deletion waits: the worker sees all of it, and leaves it, or nothing."""
        waiting = self.platform.jobs.backlog(DELETIONS, self.platform.clock()).waiting
        return self.platform.storing if waiting else nullcontext()

    def _checked(
        self, scope: Scope, messages: object, *, infer: bool, options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], AddRequest]:
        given = {name: options[name] for name in STORED_OPTIONS if options.get(name) is not None}
        request = self._service.request(scope, messages, infer=infer, **given)
        if not request.messages and not request.facts:
            raise InvalidInputError("There is nothing to remember; give messages (or facts).")
        if (own := options.get("custom_categories")) is not None:
            parse_categories_setting(own, described=True)  # refused now, not by the worker
        return to_payload(request, options), request

    def conflicts(self, result: AddResult) -> dict[str, list[Conflict]]:
        """Memories that those which an add stored likely contradict, as of `Service.conflicts`, that are the principal's to see."""
        return self._seen_conflicts(self._service.conflicts(result))

    def conflicts_after(self, job: Job, memories: Mapping[str, MemoryRecord]) -> dict[str, list[Conflict]]:
        """The same of what an add stored that was acknowledged before, as things are now.

        Args:
            job: The add's; nothing of another, or before it is done.
            memories: What it speaks of (`memories_of`).
        """
        if job.kind != "ADD":
            return {}
        added = (memories.get(str(result.get("id"))) for result in job.results if result.get("event") == "ADD")
        current = [record for record in added if record is not None and record.state == CURRENT]
        return self._seen_conflicts(self._service.conflicts_of(current))

    def _seen_conflicts(self, found: Mapping[str, Sequence[Conflict]]) -> dict[str, list[Conflict]]:
        seen = {new: [one for one in conflicts if self._is_seen(one.memory)] for new, conflicts in found.items()}
        return {new: conflicts for new, conflicts in seen.items() if conflicts}

    # --- recall ---

    def search(
        self,
        query: str,
        *,
        ids: Mapping[str, object] | None = None,
        filters: Filters = None,
        extra: Sequence[Filter] = (),
        **options: Any,
    ) -> list[Hit]:
        """The memories that matter for a query; options as of `Service.search`.

        `rerank` is a wish: Mem0's clients send it, as its platform always has a reranker, and here there may be none.
        """
        with self.noted("memory.search") as note:
            scope, condition = self.within(ids or {}, filters, extra)
            note.target |= scope.ids
            options["rerank"] = bool(options.get("rerank")) and self._service.reranks
            hits = self._best(scope, query, condition, **options)
            note.count = len(hits)
            return hits

    def _best(
        self, scope: Scope, query: str, condition: Filter | None, *, top_k: int = 20, **options: Any
    ) -> list[Hit]:
        """As of `Service.search`; where memories decay, of more than are wanted those that are best with it. The past stays as it was."""
        if not self.platform.decay.is_on(self.project) or options.get("as_of") is not None:
            return self._service.search(scope, query, filters=condition, top_k=top_k, **options)
        more = pool(top_k)
        hits = self._service.search(scope, query, filters=condition, top_k=more, **options)
        current_first = options.get("valid_as_of") is None
        return self.platform.decay.best(self.project, hits, top_k=top_k, current_first=current_first)

    def timeline(
        self,
        query: str,
        *,
        ids: Mapping[str, object] | None = None,
        filters: Filters = None,
        **options: Any,
    ) -> list[Occurrence]:
        """What a query is about in the order in which it happened; options as of `Service.timeline`."""
        with self.noted("memory.timeline") as note:
            scope, condition = self.within(ids or {}, filters)
            note.target |= scope.ids
            happened = self._service.timeline(scope, query, filters=condition, **options)
            note.count = len(happened)
            return happened

    def context(
        self,
        query: str,
        *,
        ids: Mapping[str, object] | None = None,
        filters: Mapping[str, Any] | None = None,
        budget_tokens: int = DEFAULT_BUDGET_TOKENS,
        **options: Any,
    ) -> Context:
        """A block of memories for a prompt, under a budget."""
        with self.noted("memory.context") as note:
            scope, condition = self.within(ids or {}, filters)
            note.target |= scope.ids
            block = self._service.context(scope, query, filters=condition, budget_tokens=budget_tokens, **options)
            note.count = len(block.ids)
            return block

    def memories(
        self,
        *,
        ids: Mapping[str, object] | None = None,
        filters: Mapping[str, Any] | None = None,
        extra: Sequence[Filter] = (),
        limit: int = 100,
        offset: int = 0,
        show_expired: bool = False,
        latest_only: bool = False,
    ) -> tuple[list[MemoryRecord], int]:
        """A page of memories, newest first, and how many there are."""
        with self.noted("memory.list") as note:
            scope, condition = self.within(ids or {}, filters, extra)
            note.target |= scope.ids
            page, total = self._service.list(
                scope,
                filters=condition,
                limit=limit,
                offset=offset,
                show_expired=show_expired,
                latest_only=latest_only,
            )
            note.count = len(page)
            return page, total

    def get(self, memory_id: str) -> MemoryRecord:
        """A memory by its id.

        Raises:
            NotFoundError: There is none, or it is not the principal's to see.
        """
        with self.noted("memory.get", memory_id=memory_id) as note:
            record = self._own(memory_id)
            note.count = 1
            return record

    def history(self, memory_id: str) -> tuple[Sequence[Step], Message | None]:
        """Each revision of a memory, oldest first, and the message it was taken from."""
        with self.noted("memory.history", memory_id=memory_id):
            own = self._own(memory_id, any_state=True).id
            return self._service.history(self.project, own), self._service.source(self.project, own)

    def steps(self, *, limit: int = 100, offset: int = 0) -> tuple[list[tuple[Step, Message | None]], int]:
        """A page of what happened to memories, newest first, each with the message it was taken from; and how much did."""
        with self.noted("memory.history") as note:
            scope, condition = self.everything()
            page, total = self._service.steps(scope, filters=condition, limit=limit, offset=offset)
            note.count = len(page)
            sources = self.sources(step.revision.memory_id for step in page)
            return [(step, sources[step.revision.memory_id]) for step in page], total

    def sources(self, memory_ids: Iterable[str]) -> dict[str, Message | None]:
        """The message that each memory which the principal was given was taken from; None where there is no single one."""
        return {memory_id: self._source(memory_id) for memory_id in dict.fromkeys(memory_ids)}

    def _source(self, memory_id: str) -> Message | None:
        try:
            return self._service.source(self.project, memory_id)
        except NotFoundError:  # erased, perhaps since it was given
            return None

    # --- change ---

    def update(self, memory_id: str, **fields: Any) -> Change:
        """Set what is given, as of `Service.update`."""
        with self.noted("memory.update", "WRITER", memory_id=memory_id) as note:
            own = self._own(memory_id)
            done = self._service.update(self.project, own.id, **self._sorted_anew(own, fields), by=self.by)
            note.count = len(done.memories)
            return done

    def update_many(self, updates: Sequence[tuple[str, Mapping[str, Any]]]) -> Change:
        """Update several memories in one operation; when one of them cannot be, none is, and the error says which it is.

        Raises:
            InvalidInputError: Too many, one of them twice, or a field that cannot be used.
        """
        with self.noted("memory.update", "WRITER") as note:
            _require_batch(len(updates), "updated")
            changes: dict[str, Mapping[str, Any]] = {}
            for memory_id, fields in updates:
                own = self._own(memory_id)
                if own.id in changes:
                    raise InvalidInputError(f"Memory {own.id} is there twice; say all that changes of it in one place.")
                changes[own.id] = self._sorted_anew(own, fields)
            done = self._service.update_many(self.project, changes, by=self.by)
            note.count = len(changes)
            return done

    def delete(self, memory_ids: Sequence[str], *, linked: bool = False) -> Change:
        """Hide memories, in one operation that `undo` takes back; with `linked` also the older ones they superseded."""
        with self.noted("memory.delete", "WRITER") as note:
            _require_batch(len(memory_ids), "deleted")
            note.target |= {"memory_id": ",".join(memory_ids[:10])}
            own = list(dict.fromkeys(self._own(memory_id).id for memory_id in memory_ids))
            if linked and self.principal.bound:
                own, linked = self._own_chain(own), False
            done = self._service.delete(self.project, own, linked=linked, by=self.by)
            note.count = len(done.memories)
            return done

    def delete_all(
        self, ids: Mapping[str, object], *, filters: Mapping[str, Any] | None = None, extra: Sequence[Filter] = ()
    ) -> Job:
        """Acknowledge that all memories of a scope are to be hidden; what is added from now on stays.

        Immutable ones are passed over, unless the whole project is meant.

        Raises:
            ScopeError: Nobody is named. `*` for each of the four ids means the whole project.
        """
        with self.noted("memory.delete_all", "WRITER") as note:
            everybody = all(ids.get(name) == ANY for name in ENTITY_IDS) and not filters
            whole = everybody and not self.principal.bound  # who is bound means all that is theirs
            scope, condition = self.within({} if everybody else ids, filters, extra)
            if whole:
                self.principal.require("OWNER")
                scope = Scope.everything(self.project)
            else:
                require_named(scope, condition, to_delete=True)
            note.target |= scope.ids
            return self.acknowledge("DELETE_ALL", scope, condition, {WHOLE: True} if whole and not extra else None)

    def delete_entity(self, entity_type: str, name: str) -> Job:
        """Acknowledge that an entity is to go, with all its memories, immutable ones too. One that is gone already is no error."""
        with self.noted("entity.delete", "WRITER") as note:
            scope = self.principal.reading(Scope.of(**{entity_id_name(entity_type): name}))
            if ANY in scope.ids.values():
                raise InvalidInputError("Name the entity to delete; '*' names none.")
            note.target |= scope.ids
            self._forget_description(Scope.of(**{entity_id_name(entity_type): name}))
            return self.acknowledge("DELETE_USER", scope, self.principal.boundary(None))

    def invalidate(self, memory_id: str, *, at: object = None) -> Change:
        """Say that a memory is no longer true."""
        with self.noted("memory.invalidate", "WRITER", memory_id=memory_id):
            return self._service.invalidate(self.project, self._own(memory_id).id, at=at, by=self.by)

    def restore(self, memory_id: str, *, seq: int | None = None) -> Change:
        """Bring a memory back."""
        with self.noted("memory.restore", "WRITER", memory_id=memory_id):
            own = self._own(memory_id, any_state=True)
            return self._service.restore(self.project, own.id, seq=seq, by=self.by)

    def feedback(self, memory_id: str, value: str | None, *, reason: str | None = None) -> Job:
        """Keep a verdict on a memory, and why."""
        with self.noted("memory.feedback", "WRITER", memory_id=memory_id):
            own = self._own(memory_id)
            self._service.feedback(self.project, own.id, value, by=self.by)
            payload = {"memory_id": own.id, "feedback": value, "feedback_reason": reason}
            job = self.new_job("FEEDBACK", own.scope, payload)
            return self.platform.jobs.put(succeeded(job, job.created_at, (), memory_ids=[own.id]))

    def undo(self, ids: Mapping[str, object], operation_id: str | None = None) -> tuple[Operation, Change]:
        """Take back an operation: the given one, or the last in the scope."""
        with self.noted("memory.undo", "WRITER") as note:
            scope = self._writing_or_everything(ids)
            operation, change = self._service.undo(scope, operation_id, by=self.by)
            note.count = len(change.memories)
            return operation, change

    def erase(self, memory_ids: Sequence[str]) -> Erasure:
        """Remove the content of memories for good, and of every job that holds it."""
        with self.noted("memory.erase", "WRITER") as note:
            own = [self._own(memory_id, any_state=True).id for memory_id in memory_ids]
            with self.platform.storing:
                done = self._service.erase(self.project, own, by=self.by)
            note.count = len(done.memory_ids)
            return done

    def erase_all(self, ids: Mapping[str, object], *, filters: Mapping[str, Any] | None = None) -> Erasure:
        """Erase all memories of a scope, what was received for it, and what still waits to be stored."""
        with self.noted("memory.erase_all", "OWNER") as note:
            scope, condition = self.within(ids, filters)
            note.target |= scope.ids
            with self.platform.storing:
                if condition is None:
                    self._forget_description(scope)  # first: the erase leaves no byte of it in the file either
                done = self._service.erase_all(scope, filters=condition, by=self.by)
            note.count = len(done.memory_ids)
            return done

    # --- entities ---

    def entities(self) -> Sequence[EntitySummary]:
        """Users, agents, apps and runs that memories are stored under, as far as they are the principal's to see."""
        with self.noted("entity.list"):
            if not self.principal.bound:
                return self._service.entities(self.project)
            scope, condition = self.everything()
            return _summaries(self._service.list(scope, filters=condition, limit=MAX_SEEN, show_expired=True)[0])

    def names(self, entity_type: str, name: str) -> bool:
        """Whether an entity itself is the principal's, and not only memories under it: what it is bound to, else all."""
        bound = self.principal.bound
        return not bound or name in bound.get(entity_id_name(entity_type), ())

    # --- events ---

    def event(self, event_id: str) -> Job:
        """A job by its id.

        Raises:
            NotFoundError: There is none, or it is not the principal's to see.
        """
        with self.noted("event.get", event_id=event_id):
            job = self.platform.jobs.find(self.project, event_id) or self._end_of_a_project(event_id)
            if job is None or job.kind not in EVENT_KINDS or not self.sees(job):
                raise NotFoundError("There is no such event; events are kept for some weeks.")
            return job

    def _end_of_a_project(self, event_id: str) -> Job | None:
        """The event of a project's deletion, which only an administrator can still read: the project's own keys have ended."""
        if not self.principal.may("ADMIN"):
            return None
        gone = [entry.id for entry in self.platform.registry.entries(PROJECT) if not is_alive(entry)]
        found = (self.platform.jobs.find(project, event_id) for project in gone)
        return next((job for job in found if job is not None and job.kind == "DELETE_ALL"), None)

    def events(
        self,
        *,
        kinds: Sequence[JobKind] | None = None,
        statuses: Sequence[JobStatus] | None = None,
        ids: Mapping[str, str] | None = None,
        after: datetime | None = None,
        before: datetime | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[list[Job], int]:
        """A page of events, newest first, and how many there are."""
        with self.noted("event.list"):
            listing = JobListing(
                project=self.project,
                kinds=EVENT_KINDS if kinds is None else kinds,
                statuses=statuses,
                bound=self.principal.bound,
                after=after,
                before=before,
                **(ids or {}),
            )
            jobs = self.platform.jobs
            return jobs.page(listing, limit=limit, offset=offset), jobs.count(listing)

    def settled(
        self, job: Job, *, within_s: float = SETTLED_WITHIN_S, wait: Callable[[float], object] = time.sleep
    ) -> Job:
        """The job when it is done, or as it is after so long: for callers who expect an answer at once.

        Args:
            job: As it was acknowledged.
            within_s: How long to look after it.
            wait: Lets so many seconds pass.

        Raises:
            ConflictError: It could not be done.
        """
        deadline = time.monotonic() + within_s
        job = self.platform.jobs.find(self.project, job.id) or job
        while job.status not in DONE and time.monotonic() < deadline:
            wait(LOOK_S)
            job = self.platform.jobs.find(self.project, job.id) or job
        if job.status == "FAILED":
            raise ConflictError(f"It could not be done: {job.error}")
        return job

    def sees(self, job: Job) -> bool:
        """Whether a job is the principal's to see: about what it is bound to, or asked for with its own key."""
        own = self.principal.key_id is not None and job.payload.get("key_id") == self.principal.key_id
        return own or self.principal.admits_ids(job.scope.ids)

    def memories_of(self, jobs: Sequence[Job]) -> dict[str, MemoryRecord]:
        """The memories that jobs speak of, by id, as they are now; erased and foreign ones are left out."""
        named = {str(result["id"]) for job in jobs for result in job.results if "id" in result}
        found = self._service.find_many(self.project, named) if named else {}
        return {memory_id: record for memory_id, record in found.items() if self._is_seen(record)}

    # --- what all of them stand on ---

    @contextmanager
    def noted(self, action: str, role: Role = "READER", **target: str) -> Iterator[Note]:
        """Check the role, and note for the audit what is done inside, whatever comes of it."""
        note = Note(target)
        outcome: str | None = "error"
        try:
            self.principal.require(role)
            yield note
            outcome = "ok"
        except KeptError as error:
            outcome = error.code
            raise
        except TakesLongerError:
            outcome = None  # nothing was done; it is asked again
            raise
        finally:
            if outcome is not None:
                self._note(action, note, outcome)

    def _note(self, action: str, note: Note, outcome: str) -> None:
        shown = {name: str(value)[:MAX_ID_LENGTH] for name, value in note.target.items()}
        named = " ".join(f"{name}={quote(value, safe='*@.,:', errors='replace')}" for name, value in shown.items())
        self.platform.trail.note(
            AuditEntry(
                at=self.platform.clock(),
                project=self.project,
                actor=self.principal.name,
                key_id=self.principal.key_id,
                connector=self.principal.connector,
                action=action,
                target=named,
                outcome=outcome,
                count=note.count,
                request_id=self.request_id,
            )
        )

    def within(
        self, ids: Mapping[str, object], filters: Filters, extra: Sequence[Filter] = ()
    ) -> tuple[Scope, Filter | None]:
        """Scope and filter of a read: what is asked for, inside what the principal is bound to.

        Args:
            ids: Ids beside the filter; all must hold.
            filters: In Mem0's platform grammar; or parsed already, in a grammar of the caller's.
            extra: More conditions that must hold.

        Raises:
            FilterError: A malformed filter.
            ForbiddenError: An id that the principal cannot name.
        """
        asked = Scope.of(**ids)
        named: dict[str, str] = {}
        parts = list(extra)
        if filters is not None and filters != {}:
            condition = parse_filter(filters, "platform") if isinstance(filters, Mapping) else filters
            named, rest = separate_ids(condition)
            parts += [rest] if rest is not None else []
        both: dict[str, Any] = asked.ids
        for name, value in named.items():
            if both.setdefault(name, value) != value:
                parts.append(parse_filter({name: value}))  # the other one stands beside it
        scope = self.principal.reading(Scope.of(**both))
        beside = And(tuple(parts)) if len(parts) > 1 else parts[0] if parts else None
        if beside is not None:
            self.principal.require_own(beside)
        return scope, self.principal.boundary(beside)

    def everything(self) -> tuple[Scope, Filter | None]:
        """Scope and filter of all that the principal may read."""
        return self.principal.reading(Scope.everything(self.project)), self.principal.boundary(None)

    def _own(self, memory_id: str, *, any_state: bool = False) -> MemoryRecord:
        record = self._service.get(self.project, memory_id)
        if not self.principal.admits(record) or (record.state == "deleted" and not any_state):
            raise NotFoundError(f"There is no memory {memory_id}.")
        return record

    def _require_own(self, memory_ids: Iterable[str]) -> None:
        """Check that a bound principal names no memory but its own: the scope of a write holds more of a user than one agent may."""
        if self.principal.bound:
            for memory_id in memory_ids:
                self._own(memory_id, any_state=True)

    def _is_seen(self, record: MemoryRecord) -> bool:
        return self.principal.admits(record) and record.state != "erased"

    def _sorted_anew(self, record: MemoryRecord, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """What to set of a memory: one that was sorted by us is sorted anew when its text changes."""
        text, sort = fields.get("text"), self.platform.categories.sort_text
        renewed = isinstance(text, str) and text.strip() and "categories" not in fields
        if renewed and record.categories == sort(self.project, record.text):
            fields = {**fields, "categories": list(sort(self.project, str(text)))}
        return fields

    def _own_chain(self, memory_ids: Sequence[str]) -> list[str]:
        """These memories and all that they superseded, as long as each is the principal's."""
        chain: dict[str, None] = {}
        waiting = list(memory_ids)
        while waiting:
            memory_id = waiting.pop()
            if memory_id not in chain:
                chain[memory_id] = None
                waiting += self._own(memory_id, any_state=True).supersedes
        return list(chain)

    def _forget_description(self, scope: Scope) -> None:
        """Forget what was said of the one entity that a scope names."""
        if len(scope.ids) == 1:
            ((id_name, name),) = scope.ids.items()
            entity_type = id_name.removesuffix("_id")
            if self.names(entity_type, name):
                self.platform.registry.remove(ENTITY, entity_key(self.project, entity_type, name))

    def _writing_or_everything(self, ids: Mapping[str, object]) -> Scope:
        scope = Scope.of(**ids)
        if scope.is_bare and not self.principal.bound:
            return Scope.everything(self.project)
        return self.principal.writing(scope)

    def acknowledge(
        self, kind: JobKind, scope: Scope, condition: Filter | None = None, payload: Mapping[str, Any] | None = None
    ) -> Job:
        """Keep work to be done on what a scope and a filter name."""
        narrowed = {} if condition is None else {"filters": to_dict(condition)}
        asked_by = {"key_id": self.principal.key_id} if self.principal.bound else {}
        return self.platform.ask(self.new_job(kind, scope, {**(payload or {}), **narrowed, **asked_by}))

    def new_job(self, kind: JobKind, scope: Scope, payload: Mapping[str, Any]) -> Job:
        """New work that the principal asks for, to be begun at once."""
        now = self.platform.clock()
        return Job(
            id=self.platform.ids(),
            scope=scope,
            kind=kind,
            payload=payload,
            actor=self.principal.name,
            connector=self.principal.connector,
            created_at=now,
            updated_at=now,
            run_after=now,
        )


def require_named(scope: Scope, condition: Filter | None, *, to_delete: bool = False) -> None:
    """Check that somebody is named, before work on it is acknowledged.

    Raises:
        ScopeError: Nobody is.
    """
    if scope.is_bare and not (condition and positive_entities(condition)):
        whole = "; to delete the whole project's, give '*' for each of the four" if to_delete else ""
        raise ScopeError(
            f"Name whose memories are meant: user_id, agent_id, app_id or run_id, as an argument or in filters{whole}."
        )


_JOBS: Final = uuid.UUID("6d1f8c1e-5d0b-5c2a-9a53-1c9a2f6b7e10")
"""Makes ids of jobs from idempotency keys; any constant does."""
MAX_SEEN: Final = 100_000
"""Memories looked through to list the entities that a bound key may see."""


def entity_id_name(entity_type: str) -> str:
    """The id that an entity of this type is stored under.

    Raises:
        InvalidInputError: Another type.
    """
    try:
        return ENTITY_TYPES[entity_type]
    except KeyError:
        raise InvalidInputError(
            f"Invalid entity type: {entity_type[:40]!r}; there are {', '.join(ENTITY_TYPES)}."
        ) from None


def is_alive(entry: Entry) -> bool:
    """Whether an organisation or a project was not deleted."""
    return "deleted_at" not in entry.data


def entity_key(project: str, entity_type: str, name: str) -> str:
    """The registry id of an entity."""
    return f"{project}/{entity_type}/{name}"


def _require_batch(count: int, done: str) -> None:
    if count > MAX_BATCH:
        raise InvalidInputError(f"Maximum of {MAX_BATCH} memories can be {done} in a single request")


def _summaries(records: Sequence[MemoryRecord]) -> list[EntitySummary]:
    """Entities of these memories, by type, then name."""
    found: dict[tuple[str, str], list[MemoryRecord]] = {}
    for record in records:
        for entity_type, id_name in ENTITY_TYPES.items():
            if (name := record.scope.ids.get(id_name)) is not None:
                found.setdefault((entity_type, name), []).append(record)
    return [
        EntitySummary(
            type=entity_type,  # type: ignore[arg-type]
            name=name,
            memories=len(group),
            created_at=min(record.created_at for record in group),
            updated_at=max(record.updated_at for record in group),
        )
        for (entity_type, name), group in sorted(found.items())
    ]
