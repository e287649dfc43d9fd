"""The service: one method per use case, and the only thing that the doors call.

It checks what is asked for (`intake`), keeps the boundary (the scope) beside whatever the caller filters by, and hands
the work to ingest, retrieve, maintain and transfer. Arguments are as callers give them; results are values.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from kept.domain.filters import And, Condition, Filter, Not, Or, parse_filter, positive_entities
from kept.domain.history import Operation, Revision
from kept.domain.ids import WHOLE_ID
from kept.domain.memory import Draft, MemoryRecord, Message
from kept.domain.scope import Scope
from kept.domain.temporal import parse_day, parse_when
from kept.domain.text import clean
from kept.engine import intake
from kept.engine.context import DEFAULT_BUDGET_TOKENS, Context, pack
from kept.engine.indexing import Indexer
from kept.engine.ingest import AddRequest, AddResult, Ingest
from kept.engine.maintain import ALL_STATES, MIN_SHORT_ID, By, Change, Erasure, Maintain, Step, about
from kept.engine.residents import DEFAULT_BUDGET_BYTES, Residents
from kept.engine.retrieve import Hit, Retrieve, SearchRequest
from kept.engine.timeline import TIMELINE_THRESHOLD, Occurrence, timeline
from kept.engine.transfer import FORMS, ImportReport, Transfer
from kept.engine.understanding import CaughtUp, Reading, Understanding, Understood
from kept.errors import (
    ConfigurationError,
    InvalidInputError,
    KeptError,
    NotFoundError,
    ScopeError,
    StoreError,
    StoreReadOnlyError,
)
from kept.ports import (
    LATEST,
    VISIBLE,
    Clock,
    Embedder,
    EntityGraph,
    EntitySummary,
    Extractor,
    Finding,
    Ids,
    Listing,
    Log,
    Progress,
    ReadSession,
    Reranker,
    Statistics,
)

if TYPE_CHECKING:
    from kept.engine.conflicts import Conflict
    from kept.engine.graph import Graph
    from kept.engine.proposals import Proposals

MAX_TOP_K: Final = 1_000
"""As on Mem0's platform; who wants more wants a list."""
MAX_QUERY_CHARACTERS: Final = 100_000
"""A prompt with a pasted log is a query too; past this it is a document."""
CONTEXT_CANDIDATES: Final = 100
"""Hits from which a context block is chosen: some 4,000 tokens of statements, several times a usual budget."""
MAX_RETENTION_DAYS: Final = 365_000
"""A thousand years: the calendar goes back for two."""
UNSET: Final[Any] = object()
"""Not given, where None means "clear it"."""

Filters: TypeAlias = Mapping[str, Any] | Filter | None
"""A caller's filter: as written, or parsed already (in a grammar of its own)."""


class Service:
    """Remember, recall, maintain.

    Args:
        log: The truth.
        embedder: For what is stored and what is asked.
        extractor: Makes memories of messages.
        clock: The present.
        ids: New ids.
        reranker: Used when a search asks for it.
        cache_bytes: Memory for resident partitions.
        prefer_user: Whether, in chats with an assistant, what the user said ranks a little higher.
        reading: Lets a language model read what is stored; nothing does without.
        graph: Entities and relations as the log states them; nobody can ask for them without.
        desk: Gives, when it is first needed, where proposals wait and who may be asked for some; nothing is proposed without.
    """

    def __init__(
        self,
        *,
        log: Log,
        embedder: Embedder,
        extractor: Extractor,
        clock: Clock,
        ids: Ids,
        reranker: Reranker | None = None,
        cache_bytes: int = DEFAULT_BUDGET_BYTES,
        prefer_user: bool = True,
        reading: Reading | None = None,
        graph: EntityGraph | None = None,
        desk: Callable[[], Reading] | None = None,
    ) -> None:
        indexer = Indexer(embedder)
        self._log = log
        self._clock = clock
        self._residents = Residents(log, indexer, budget_bytes=cache_bytes)
        self._ingest = Ingest(log, indexer, extractor, clock, ids)
        self._retrieve = Retrieve(log, self._residents, indexer, clock, reranker=reranker, prefer_user=prefer_user)
        self._maintain = Maintain(log, indexer, clock, ids)
        self._transfer = Transfer(log, self._ingest, indexer, clock, ids)
        self._projection = graph
        self.understanding: Understanding | None = None
        if reading is not None:
            self.understanding = Understanding(
                log=log, ingest=self._ingest, retrieve=self._retrieve, indexer=indexer, clock=clock, reading=reading
            )

        self._desk = desk
        self._proposals: Proposals | None = None
        self._indexer = indexer
        self._ids = ids

    @property
    def proposals(self) -> Proposals:
        """What consolidation proposes.

        Raises:
            ConfigurationError: The service was made without a desk.
        """
        if self._proposals is None:
            if self._desk is None:
                raise ConfigurationError("This service has nowhere to keep proposals.")
            from kept.engine.consolidation import Consolidation
            from kept.engine.proposals import Proposals

            desk = self._desk()
            self._proposals = Proposals(
                log=self._log,
                jobs=desk.jobs,
                consolidation=Consolidation(self._log, self._indexer, desk.models, self._clock),
                ingest=self._ingest,
                maintain=self._maintain,
                clock=self._clock,
                ids=self._ids,
            )
        return self._proposals

    # --- remember ---

    def add(
        self, scope: Scope, messages: object = (), *, progress: Progress | None = None, **options: Any
    ) -> AddResult:
        """Store messages (as statements, or verbatim without `infer`) and finished facts; options as of `request`.

        Raises:
            KeptError: See `engine.intake` and `engine.ingest`; nothing was stored.
        """
        return self.add_request(self.request(scope, messages, **options), progress)

    def request(
        self,
        scope: Scope,
        messages: object = (),
        *,
        facts: object = (),
        infer: bool = True,
        timestamp: object = None,
        expiration_date: object = None,
        metadata: object = None,
        categories: object = None,
        immutable: bool = False,
        idempotency_key: str | None = None,
        wishes: Mapping[str, Any] | None = None,
        awaited: bool = False,
        by: By | None = None,
    ) -> AddRequest:
        """An add, checked but not stored, for `add_many`.

        Raises:
            InvalidInputError: See `engine.intake`.
        """
        by = by or By()
        return AddRequest(
            scope=scope,
            messages=intake.parse_messages(messages),
            facts=[self._with_whole_ids(scope.project, fact) for fact in intake.parse_facts(facts)],
            infer=infer,
            stated=isinstance(messages, str),
            at=None if timestamp is None else parse_when(timestamp),
            expires_on=None if expiration_date is None else parse_day(expiration_date),
            metadata=intake.parse_metadata(metadata),
            categories=intake.parse_categories(categories),
            immutable=immutable,
            idempotency_key=intake.parse_opaque_id(idempotency_key, "idempotency_key"),
            wishes=_wishes(wishes),
            awaited=awaited,
            actor=by.actor,
            connector=by.connector,
        )

    def add_request(self, request: AddRequest, progress: Progress | None = None) -> AddResult:
        """Store an add that was checked before.

        Raises:
            KeptError: See `engine.ingest`; nothing was stored.
        """
        return self._acknowledged(request, self._ingest.add(request, progress))

    def add_many(self, requests: Sequence[AddRequest]) -> list[AddResult | KeptError]:
        """Store many adds at once, each as its own operation; for each, in order, what it did or why it stored nothing."""
        answers = self._ingest.add_many(requests)
        return [
            answer if isinstance(answer, KeptError) else self._acknowledged(request, answer)
            for request, answer in zip(requests, answers, strict=True)
        ]

    def _acknowledged(self, request: AddRequest, result: AddResult) -> AddResult:
        """The result with the jobs that wait for a language model to read what was added."""
        if self.understanding is None:
            return result
        jobs = self.understanding.acknowledge(request, result)
        return replace(result, extractions=tuple(job.id for job in jobs))

    def understand(self, scope: Scope, result: AddResult) -> list[Understood]:
        """Have what an `awaited` add brought read now, as far as the model can: each job as it ended, with its facts."""
        if self.understanding is None or not result.extractions:
            return []
        jobs = self.understanding.settle(scope.project, result.extractions)
        found = self._log.find_many(scope.project, [memory_id for job in jobs for memory_id in job.memory_ids])
        return [Understood(job, [found[one] for one in job.memory_ids if one in found]) for job in jobs]

    def related(self, result: AddResult, *, limit: int = 3) -> dict[str, list[Hit]]:
        """Existing memories close to those that an add stored, by the new one's id."""
        return self._retrieve.related(_new(result), limit=limit)

    def conflicts(self, result: AddResult) -> dict[str, list[Conflict]]:
        """Existing memories that those which an add stored likely contradict, by the new one's id: for the agent to settle."""
        return self.conflicts_of(_new(result))

    def conflicts_of(self, records: Sequence[MemoryRecord]) -> dict[str, list[Conflict]]:
        """What each of these memories of one owner, which one add stored, likely contradicts, as things are now."""
        from kept.engine.conflicts import MOST_NEW, NEAR, Conflicts

        if not records or len(records) > MOST_NEW:
            return {}
        near = self._retrieve.related(records, limit=NEAR)
        return Conflicts(self._log, self._projection, self._clock).of(records, near)

    def beside(self, result: AddResult, *, limit: int = 3) -> tuple[dict[str, list[Hit]], dict[str, list[Conflict]]]:
        """What is `related` to what an add stored and what `conflicts` with it, looked for together."""
        from kept.engine.conflicts import MOST_NEW, NEAR, Conflicts

        new = _new(result)
        if len(new) > MOST_NEW:
            return self._retrieve.related(new, limit=limit), {}
        near = self._retrieve.related(new, limit=max(limit, NEAR))
        related = {memory_id: hits[:limit] for memory_id, hits in near.items()} if limit else {}
        return related, Conflicts(self._log, self._projection, self._clock).of(new, near)

    def import_sessions(
        self,
        scope: Scope,
        sessions: Sequence[ReadSession],
        *,
        infer: bool = True,
        understand: bool = False,
        by: By | None = None,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Store what a reader found; what an earlier import brought is left out.

        Args:
            scope: Where.
            sessions: What a reader found.
            infer: Whether statements are taken from messages.
            understand: Whether a language model reads them too: of years of conversations that costs, so it is asked for.
            by: Who asks.
            progress: Told of each session.
        """
        sessions = list(sessions)
        if any(session.messages for session in sessions) or not scope.is_bare:
            scope.require_writable()  # memories of an export bring their own ids
        add = self.add_request if understand else None
        return self._transfer.bring(scope, sessions, infer=infer, by=by or By(), progress=progress, add=add)

    def catch_up(self, parts: int | None = None, progress: Progress | None = None) -> CaughtUp:
        """Have a language model read what waits for it, now: see `Understanding.catch_up`.

        Raises:
            ConfigurationError: None is configured for extraction.
        """
        return self.reader.catch_up(parts, progress)

    @property
    def reader(self) -> Understanding:
        """What has a language model read.

        Raises:
            ConfigurationError: None is configured for extraction.
        """
        if self.understanding is None:
            raise ConfigurationError(
                "No language model is configured; set llm, such as KEPT_LLM=openai:gpt-5-mini (see `kept models`)."
            )
        return self.understanding

    def read_in_background(self) -> None:
        """Have a language model, where there is one, read what waits, in a thread that ends when nothing does."""
        if self.understanding is not None:
            self.understanding.begin()

    # --- recall ---

    def search(
        self,
        scope: Scope,
        query: str,
        *,
        filters: Filters = None,
        top_k: int = 20,
        threshold: float | None = None,
        show_expired: bool = False,
        latest_only: bool = False,
        as_of: object = None,
        valid_as_of: object = None,
        reference_date: object = None,
        rerank: bool = False,
        explain: bool = True,
        quick: bool = False,
    ) -> list[Hit]:
        """The memories that matter for a query, best first; facts that no longer hold after those that do.

        Raises:
            InvalidInputError: A blank or too long query, or a number out of range.
            FilterError: A malformed filter.
            ScopeError: Neither the scope nor the filter names a user, agent, app or run.
            TakesLongerError: It was to be `quick` and would not be; nothing was done.
        """
        condition = self._condition(scope, filters)
        seq, then = self._past(scope, as_of)
        return self._retrieve.search(
            SearchRequest(
                scope=scope,
                query=_query(query),
                condition=condition,
                top_k=intake.parse_whole(top_k, "top_k", 0, MAX_TOP_K),
                threshold=_fraction(threshold, "threshold"),
                show_expired=show_expired,
                latest_only=latest_only,
                as_of=seq,
                now=then,
                valid_as_of=None if valid_as_of is None else parse_when(valid_as_of),
                reference=None if reference_date is None else parse_when(reference_date),
                rerank=rerank,
                explain=explain,
                quick=quick,
            )
        )

    def context(
        self,
        scope: Scope,
        query: str,
        *,
        budget_tokens: int = DEFAULT_BUDGET_TOKENS,
        filters: Filters = None,
        threshold: float | None = None,
        **options: Any,
    ) -> Context:
        """A block of text for an agent: the best set of memories under a token budget.

        Raises:
            InvalidInputError: As `search`; or a budget that is not a whole number above 0.
        """
        budget = intake.parse_whole(budget_tokens, "budget_tokens", 1, 1_000_000)
        hits = self.search(
            scope, query, filters=filters, threshold=threshold, top_k=CONTEXT_CANDIDATES, explain=False, **options
        )
        return pack(hits, budget)

    def timeline(
        self,
        scope: Scope,
        query: str,
        *,
        filters: Filters = None,
        top_k: int = 20,
        threshold: float = TIMELINE_THRESHOLD,
        reference_date: object = None,
        **options: Any,
    ) -> list[Occurrence]:
        """What a query is about in the order in which it happened, oldest first: the `top_k` best matches.

        Args:
            scope: As `search`.
            filters: As `search`.
            query: Asked like any other; "upcoming", "before" and "after" leave out the rest.
            top_k: Most occurrences.
            threshold: Least score of one.
            reference_date: What is past, and what relative dates count from. None means the present.
            **options: As `search`.

        Raises:
            InvalidInputError: As `search`.
        """

        def found(text: str) -> list[Hit]:
            return self.search(
                scope,
                text,
                filters=filters,
                top_k=top_k,
                threshold=threshold,
                reference_date=reference_date,
                explain=False,
                **options,
            )

        reference = self._clock() if reference_date is None else parse_when(reference_date)
        return timeline(query, found, reference)

    def get(self, project: str, memory_id: str) -> MemoryRecord:
        """A memory by its id (or an unambiguous beginning of it), deleted and expired ones included.

        Raises:
            NotFoundError: None, or it was erased.
        """
        return self._maintain.get(project, self.whole_id(project, memory_id))

    def find_many(self, project: str, memory_ids: Collection[str]) -> dict[str, MemoryRecord]:
        """Those memories that exist, by whole id, in whatever state."""
        return self._log.find_many(project, memory_ids)

    def list(
        self,
        scope: Scope,
        *,
        filters: Filters = None,
        limit: int = 100,
        offset: int = 0,
        show_expired: bool = False,
        latest_only: bool = False,
        newest_first: bool = True,
    ) -> tuple[list[MemoryRecord], int]:
        """A page of memories and how many there are in all.

        Raises:
            FilterError: A malformed filter.
            ScopeError: Neither the scope nor the filter names a user, agent, app or run.
        """
        listing = self._listing(
            scope, filters, show_expired=show_expired, latest_only=latest_only, newest_first=newest_first
        )
        limit, offset = intake.parse_whole(limit, "limit", 0, 100_000), intake.parse_whole(offset, "offset", 0, 2**53)
        return self._log.page(listing, limit=limit, offset=offset), self._log.count(listing)

    def entities(self, project: str) -> Sequence[EntitySummary]:
        """Users, agents, apps and runs that memories are stored under."""
        return self._log.entity_summaries(project)

    def export(self, scope: Scope, *, filters: Filters = None, form: str = "jsonl") -> Iterator[str]:
        """Lines of an export: `jsonl` (whole, can be imported again) or `markdown` (to read)."""
        listing = self._listing(scope, filters, show_expired=True, newest_first=False)
        if form not in FORMS:
            raise InvalidInputError(f"There is no export form {form!r}; there are {', '.join(FORMS)}.")
        return self._transfer.lines(listing, form)

    def history(self, project: str, memory_id: str) -> Sequence[Step]:
        """Each revision of a memory, oldest first."""
        return self._maintain.history(project, self.whole_id(project, memory_id))

    def steps(
        self, scope: Scope, *, filters: Filters = None, limit: int = 100, offset: int = 0
    ) -> tuple[Sequence[Step], int]:
        """A page of what happened to a scope's memories, whatever became of them, newest first; and how much did."""
        listing = Listing(scope=scope, condition=self._condition(scope, filters), states=ALL_STATES)
        limit, offset = intake.parse_whole(limit, "limit", 0, 100_000), intake.parse_whole(offset, "offset", 0, 2**53)
        page = self._log.page_revisions(listing, limit=limit, offset=offset)
        named = dict.fromkeys(revision.memory_id for revision in page)
        at = {
            step.revision.seq: step for memory_id in named for step in self._maintain.history(scope.project, memory_id)
        }
        return [at[revision.seq] for revision in page], self._log.count_revisions(listing)

    def source(self, project: str, memory_id: str) -> Message | None:
        """The message that a memory was taken from, secrets redacted; None when it came from no single one, or erased."""
        record = self.get(project, memory_id)
        if record.episode_id is None or record.position is None:
            return None
        episode = self._log.episode(project, record.episode_id)
        if episode is None or episode.scope.user_id != record.user_id or record.position >= len(episode.messages):
            return None  # an imported memory may name an episode that is not its own
        message = episode.messages[record.position]
        return message if message.content else None

    def version(self) -> Hashable:
        """Equal as long as nothing was committed to the store, by whomever."""
        return self._log.version()

    @property
    def reranks(self) -> bool:
        """Whether a search may ask for reranking."""
        return self._retrieve.reranks

    def head(self) -> int:
        """The last position of the log."""
        return self._log.head()

    def projects(self) -> Sequence[str]:
        """Every project that something was ever stored in, by name."""
        return self._log.all_projects()

    def changes(self, project: str, after: int) -> Iterator[Revision]:
        """What changed in a project after a position of the log, by rising position."""
        return self._log.revisions(project, after=after)

    def operations(self, project: str, *, limit: int = 20) -> Sequence[Operation]:
        """What was done lately, newest first."""
        return self._log.operations(project, limit=intake.parse_whole(limit, "limit", 1, 10_000))

    def touched(self, project: str, operation_id: str) -> Sequence[MemoryRecord]:
        """The memories that an operation changed, as they are now, in its order."""
        changed = dict.fromkeys(revision.memory_id for revision in self._log.operation_revisions(project, operation_id))
        found = self._log.find_many(project, changed.keys())
        return [found[memory_id] for memory_id in changed if memory_id in found]

    # --- graph ---

    @property
    def graph(self) -> Graph:
        """Entities and what connects them, to be asked with a `listing`.

        Raises:
            ConfigurationError: The service was made without one.
        """
        from kept.engine.graph import Graph

        if self._projection is None:
            raise ConfigurationError("This service was made without a graph; give it one (`graph=`).")
        return Graph(self._projection, self._log)

    def project_graph(self) -> int:
        """Let the graph follow the log by some memories; how many. Who asks it does not depend on this, but waits less."""
        return 0 if self._projection is None else self._projection.catch_up()

    @property
    def graph_lag(self) -> int:
        """How many memories changed since the graph was last made to follow."""
        return 0 if self._projection is None else self._projection.lag()

    def listing(self, scope: Scope, filters: Filters = None) -> Listing:
        """The memories that a search would find, as the graph takes them.

        Raises:
            FilterError: A malformed filter.
            ScopeError: Neither the scope nor the filter names a user, agent, app or run.
        """
        return self._listing(scope, filters)

    # --- change ---

    def update(
        self,
        project: str,
        memory_id: str,
        *,
        text: object = None,
        metadata: object = None,
        timestamp: object = None,
        expiration_date: object = UNSET,
        categories: object = None,
        valid_from: object = UNSET,
        valid_to: object = UNSET,
        by: By | None = None,
    ) -> Change:
        """Set what is given; metadata is merged key by key, None clears a date.

        Raises:
            InvalidInputError: Nothing was given, or it cannot be used.
            NotFoundError: No such memory.
            ConflictError: It is immutable.
        """
        fields = _set(
            text=text,
            metadata=metadata,
            timestamp=timestamp,
            expiration_date=expiration_date,
            categories=categories,
            valid_from=valid_from,
            valid_to=valid_to,
        )
        return self._maintain.update(project, self.whole_id(project, memory_id), fields, by or By())

    def update_many(self, project: str, updates: Mapping[str, Mapping[str, Any]], *, by: By | None = None) -> Change:
        """As `update` of each memory, by its whole id, in one operation: all of them are changed or, with an error that names one, none."""
        fields = {}
        for memory_id, given in updates.items():
            with about(memory_id):
                fields[memory_id] = _set(**given)
        return self._maintain.update_many(project, fields, by or By())

    def invalidate(self, project: str, memory_id: str, *, at: object = None, by: By | None = None) -> Change:
        """Say that a memory is no longer true, from `at` on (now)."""
        moment = None if at is None else parse_when(at)
        return self._maintain.invalidate(project, self.whole_id(project, memory_id), moment, by or By())

    def feedback(self, project: str, memory_id: str, value: str | None, *, by: By | None = None) -> Change:
        """Keep a verdict: `POSITIVE`, `NEGATIVE`, `VERY_NEGATIVE`, or None to clear it."""
        verdict = None if value is None else str(value).upper()
        if verdict not in {None, "POSITIVE", "NEGATIVE", "VERY_NEGATIVE"}:
            raise InvalidInputError(f"feedback is {value!r}; it must be POSITIVE, NEGATIVE, VERY_NEGATIVE or nothing.")
        return self._maintain.feedback(project, self.whole_id(project, memory_id), verdict, by or By())

    def delete(self, project: str, memory_ids: Sequence[str], *, linked: bool = False, by: By | None = None) -> Change:
        """Hide memories; `undo` and `restore` bring them back."""
        whole = [self.whole_id(project, memory_id) for memory_id in memory_ids]
        return self._maintain.delete(project, whole, by or By(), linked=linked)

    def delete_all(
        self,
        scope: Scope,
        *,
        filters: Filters = None,
        by: By | None = None,
        progress: Progress | None = None,
        immutable_too: bool = False,
    ) -> Change:
        """Hide all memories of a scope in one operation; never of a whole project by omission.

        Args:
            scope: Whose.
            filters: Which of them.
            by: Who asks.
            progress: Told how many there are.
            immutable_too: Whether the owner is meant whole: an entity or the project goes, and everything with it.
        """
        listing = self._listing(scope, filters, show_expired=True)
        return self._maintain.delete_all(listing, by or By(), progress, immutable_too=immutable_too)

    def undo(self, scope: Scope, operation_id: str | None = None, *, by: By | None = None) -> tuple[Operation, Change]:
        """Take back an operation: the given one, or the last in the scope."""
        return self._maintain.undo(scope, None if operation_id is None else clean(operation_id), by or By())

    def restore(self, project: str, memory_id: str, *, seq: int | None = None, by: By | None = None) -> Change:
        """Bring a memory back as it was at a revision, or before it was deleted or closed."""
        return self._maintain.restore(project, self.whole_id(project, memory_id), seq, by or By())

    def erase(self, project: str, memory_ids: Sequence[str], *, by: By | None = None) -> Erasure:
        """Remove the content of memories for good."""
        whole = [self.whole_id(project, memory_id) for memory_id in memory_ids]
        return self._forgetting(self._maintain.erase(project, whole, by or By()))

    def erase_all(self, scope: Scope, *, filters: Filters = None, by: By | None = None) -> Erasure:
        """Erase all memories of a scope, in whatever state; without a filter also every message received under it."""
        condition = self._condition(scope, filters)
        listing = Listing(scope=scope, condition=condition, states=("active", "superseded", "invalidated", "deleted"))
        sources = None if filters else scope
        return self._forgetting(self._maintain.erase_all(listing, by or By(), sources=sources))

    def retain(self, scope: Scope, days: int, *, filters: Filters = None, by: By | None = None) -> Change:
        """Expire what was said more than `days` days ago."""
        listing = self._listing(scope, filters)
        return self._maintain.retain(listing, intake.parse_whole(days, "days", 0, MAX_RETENTION_DAYS), by or By())

    # --- operate ---

    def statistics(self, project: str | None = None) -> Statistics:
        """Counts and sizes."""
        return self._log.statistics(project)

    @property
    def resident_bytes(self) -> int:
        """Memory that the resident partitions hold."""
        return self._residents.size_bytes

    def verify(self, project: str | None = None, progress: Progress | None = None) -> Iterator[Finding]:
        """Check that log, state, hashes and index agree; nothing is yielded when they do."""
        with suppress(StoreReadOnlyError):
            self._log.scrub()
        yield from self._maintain.verify(project, progress)
        if self._projection is not None:
            yield from self._projection.verify(project)

    def rebuild(self, project: str | None = None, progress: Progress | None = None) -> int:
        """Make current state and index again from the log; how many memories were written."""
        written = self._maintain.rebuild(project, progress)
        if self._projection is not None:
            self._projection.rebuild(project)
        self._residents.forget()
        return written

    def backup(self, target: Path, progress: Progress | None = None) -> None:
        """A consistent copy of the store while others write."""
        self._log.backup(target, progress)

    def warm(self, scope: Scope) -> None:
        """Load what a first search of the scope would load."""
        self._retrieve.warm(scope)

    def close(self) -> None:
        """Give back files and memory. Closing twice is harmless."""
        if self.understanding is not None:
            with suppress(StoreError):
                self.understanding.end()
        self._residents.forget()
        with suppress(StoreError):
            self._log.scrub()  # closed before, or still being read: the next erase cleans up
        self._log.close()

    def whole_id(self, project: str, memory_id: object) -> str:
        """The id that this one is, or unambiguously begins.

        Raises:
            NotFoundError: No memory, or several, begin so.
        """
        if not isinstance(memory_id, str) or not memory_id.strip():
            raise InvalidInputError("A memory id must be a text that is not blank.")
        memory_id = clean(memory_id).strip()
        if not MIN_SHORT_ID <= len(memory_id) < WHOLE_ID:
            return memory_id
        found = self._log.ids_with_prefix(project, memory_id.lower())
        if memory_id in found:
            return memory_id
        if len(found) > 1:
            raise NotFoundError(f"Several memories begin with {memory_id}; give more of the id.")
        return found[0] if found else memory_id

    def _with_whole_ids(self, project: str, fact: Draft) -> Draft:
        return replace(fact, supersedes=tuple(self.whole_id(project, memory_id) for memory_id in fact.supersedes))

    def _forgetting(self, erasure: Erasure) -> Erasure:
        self._residents.forget()
        return erasure

    def _past(self, scope: Scope, as_of: object) -> tuple[int | None, datetime | None]:
        """A position in the log and its moment, from either; None and None for the present."""
        if as_of is None:
            return None, None
        if isinstance(as_of, int) and not isinstance(as_of, bool) and as_of < _LEAST_EPOCH:
            seq = max(as_of, 0)
            written = next(iter(self._log.revisions(scope.project, after=seq - 1, upto=seq)), None)
            return seq, written.recorded_at if written else None
        moment = parse_when(as_of)
        return self._log.seq_at(scope.project, moment), moment

    def _condition(self, scope: Scope, filters: Filters) -> Filter | None:
        """The caller's filter; and the check that somebody is named."""
        condition = _parsed(filters)
        named = not scope.is_bare or scope.whole_project
        if not named and (condition is None or not positive_entities(condition)):
            raise ScopeError(
                "Name whose memories: user_id, agent_id, app_id or run_id, as an argument or in filters "
                "('*' means all of them)."
            )
        return condition

    def _listing(
        self,
        scope: Scope,
        filters: Filters,
        *,
        show_expired: bool = False,
        latest_only: bool = False,
        newest_first: bool = True,
    ) -> Listing:
        return Listing(
            scope=scope,
            condition=self._condition(scope, filters),
            states=LATEST if latest_only else VISIBLE,
            today=None if show_expired else self._clock().date(),
            newest_first=newest_first,
        )


_LEAST_EPOCH: Final = 100_000_000
"""Whole numbers from here on are seconds since 1970 (March 1973), below positions in a log."""


def _set(
    *,
    text: object = None,
    metadata: object = None,
    timestamp: object = None,
    expiration_date: object = UNSET,
    categories: object = None,
    valid_from: object = UNSET,
    valid_to: object = UNSET,
) -> dict[str, Any]:
    """The fields of a memory that an update sets.

    Raises:
        InvalidInputError: Nothing was given, or it cannot be used.
    """
    fields: dict[str, Any] = {}
    if text is not None:
        fields["text"] = intake.parse_text(text, "text").strip()
        if not fields["text"]:
            raise InvalidInputError("text is blank; to remove a memory, delete it.")
    if metadata is not None:
        fields["metadata"] = intake.parse_metadata(metadata)
    if timestamp is not None:
        fields["created_at"] = parse_when(timestamp)
    if categories is not None:
        fields["categories"] = intake.parse_categories(categories)
    if expiration_date is not UNSET:
        fields["expires_on"] = None if expiration_date is None else parse_day(expiration_date)
    for name, value in (("valid_from", valid_from), ("valid_to", valid_to)):
        if value is not UNSET:
            fields[name] = None if value is None else parse_when(value)
    if not fields:
        raise InvalidInputError("There is nothing to update: give text, metadata, a date or categories.")
    return fields


def _parsed(filters: Filters) -> Filter | None:
    if filters is None or isinstance(filters, (And, Or, Not, Condition)):
        return filters
    return parse_filter(filters) if filters else None


def _query(query: object) -> str:
    if isinstance(query, str) and len(query) > MAX_QUERY_CHARACTERS:
        raise InvalidInputError(f"The query is {len(query):,} characters long; at most {MAX_QUERY_CHARACTERS:,}.")
    asked = intake.parse_text(query, "query").strip()
    if not asked:
        raise InvalidInputError("The query is blank; say what to look for.")
    return asked


def _wishes(wishes: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What a call asks of a language model that reads. Categories that cannot be used are refused now, not when it reads."""
    from kept.domain.categories import parse_categories_setting

    plain = intake.parse_metadata(
        {name: value for name, value in (wishes or {}).items() if value is not None}, "instructions"
    )
    if own := plain.get("custom_categories"):
        parse_categories_setting(own, described=True)
    return plain


def _new(result: AddResult) -> list[MemoryRecord]:
    return [stored.memory for stored in result.stored if stored.event == "ADD"]


def _fraction(value: object, name: str) -> float:
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise InvalidInputError(f"{name} is {value!r}; it must be a number from 0 to 1.")
    return float(value)
