"""Proposals: changes that consolidation found, and that a person or an agent accepts, edits or declines.

One is a job of the kind `PROPOSAL` that no worker does. It names the memories that it is about, so that erasing one of them blanks it;
their texts are read when it is shown. Accepting is one operation, which `undo` takes back; the originals stay, and the proposal waits
for a decision again.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from kept.domain.digest import digest
from kept.domain.ids import SHORT_ID, WHOLE_ID
from kept.domain.jobs import Job, JobKind
from kept.domain.memory import CURRENT, DERIVED_FROM, HIDDEN_STATES, Draft, MemoryRecord
from kept.domain.proposals import ProposalKind, ProposalStatus, Proposed, owner_of
from kept.domain.scope import Scope
from kept.engine.ingest import AddRequest, Ingest
from kept.engine.intake import parse_text
from kept.engine.maintain import By, Maintain
from kept.errors import ConflictError, InvalidInputError, NotFoundError
from kept.ports import JobListing

if TYPE_CHECKING:
    from kept.domain.filters import Filter
    from kept.engine.consolidation import Consolidation
    from kept.ports import Clock, Ids, Jobs, Log

KIND: Final[JobKind] = "PROPOSAL"
MOST_MADE: Final = 50
"""Proposals of one run: what a person goes through at once."""
MOST_NAMED: Final = 10
"""Ids that an error lists: a choice, as many as one looks over."""
LEASE: Final = timedelta(minutes=1)
"""How long a crash keeps a proposal that was being accepted from being accepted again."""
_PAGE: Final = 1_000
_OUTCOMES: Final[Mapping[str, ProposalStatus]] = {"ACCEPT": "accepted", "DECLINE": "declined"}
_NOTHING: Final = "NONE"
"""The result of one that a language model was asked for and saw nothing in; it is no proposal."""
_UNDONE: Final = "UNDONE"
"""The result of one that was accepted, taken back, and is being decided anew: with the operation that was taken back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A proposed change, with the memories that it is about as they are now.

    Attributes:
        scope: Whose memories.
        closes: What would be superseded or, to forget it, hidden.
        keeps: What stays in their place.
        sources: What a text follows from.
        why: In words, without anybody's.
        operation_id: Of an accepted one, for `undo`.
        made: Of an accepted one, the id of a memory that was made.
    """

    id: str
    scope: Scope
    kind: ProposalKind
    status: ProposalStatus
    closes: tuple[MemoryRecord, ...]
    keeps: MemoryRecord | None
    sources: tuple[MemoryRecord, ...]
    text: str | None
    why: str
    created_at: datetime
    operation_id: str | None = None
    made: str | None = None

    @property
    def diff(self) -> list[str]:
        """What would be different, a line for each memory: `-` goes, `+` comes, a blank stays."""
        closing = {record.id for record in self.closes}
        stays = [record for record in (*self.sources, self.keeps) if record is not None and record.id not in closing]
        return [
            *(f"- {record.text}" for record in self.closes),
            *(f"  {record.text}" for record in stays),
            *([f"+ {self.text}"] if self.text else ()),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a run of consolidation proposes.

    Attributes:
        note: Why a language model was not asked about everything; None when it was, or there is none.
    """

    proposals: tuple[Proposal, ...]
    note: str | None = None


class Proposals:
    """Makes proposals, and does what is made of them.

    Args:
        log: Where the memories are.
        jobs: Where the proposals are.
        consolidation: Finds what could be changed.
        ingest: Stores texts.
        maintain: Closes and hides.
        clock: The present.
        ids: Of proposals.
    """

    def __init__(
        self,
        *,
        log: Log,
        jobs: Jobs,
        consolidation: Consolidation,
        ingest: Ingest,
        maintain: Maintain,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._log = log
        self._jobs = jobs
        self._consolidation = consolidation
        self._ingest = ingest
        self._maintain = maintain
        self._clock = clock
        self._ids = ids
        self._lease = f"proposals-{uuid.uuid4()}"

    def make(
        self,
        scope: Scope,
        condition: Filter | None = None,
        *,
        by: By,
        limit: int = MOST_MADE,
        dry_run: bool = False,
    ) -> Made:
        """Propose what was not proposed before; a declined one does not come again.

        Args:
            scope: Whose memories.
            condition: Which of them.
            by: Who asks.
            limit: How many at most.
            dry_run: Whether nothing is kept; no language model is asked then, since its answer would be lost.
        """
        found = self._consolidation.find(
            scope,
            condition,
            earlier=list(self._earlier(scope)),
            limit=limit,
            job_id=self._ids(),
            ask=not dry_run,
        )
        records = self._records(scope.project, (*found.proposed, *found.fruitless))
        jobs = [self._job(one, records, by) for one in found.proposed]
        if not dry_run:
            jobs = [self._jobs.put(job) for job in jobs]
            fruitless = [self._job(one, records, by) for one in found.fruitless]
            self._jobs.put_many([_ended(job, self._clock(), _NOTHING) for job in fruitless])
        return Made(proposals=tuple(self._shown(scope.project, jobs, records)), note=found.note)

    def page(
        self,
        scope: Scope,
        status: ProposalStatus | None = "pending",
        *,
        bound: Mapping[str, Collection[str]] | None = None,
        limit: int,
        offset: int = 0,
    ) -> tuple[list[Proposal], int]:
        """A page of proposals, newest first, and how many there are.

        Args:
            scope: About whose memories; the run does not matter.
            status: Which of them; None for all.
            bound: For a name such as `user_id`, the values that may be seen.
            limit: How many at most.
            offset: After so many.
        """
        listing = JobListing(
            project=scope.project,
            user_id=scope.user_id,
            agent_id=scope.agent_id,
            app_id=scope.app_id,
            bound=bound or {},
        )
        found = list(self._scan(listing))
        undone = self._undone(scope.project, found)
        jobs = [job for job in found if status in {None, _status(job, undone)}]
        return self._shown(scope.project, jobs[offset : offset + limit]), len(jobs)

    def get(self, project: str, proposal_id: str) -> Proposal:
        """One of them.

        Raises:
            NotFoundError: There is none, or what it was about was erased.
        """
        (found,) = self._shown(project, [self.job(project, proposal_id)])
        return found

    def job(self, project: str, proposal_id: str, *, sees: Callable[[Job], bool] = lambda _: True) -> Job:
        """The job that a proposal is.

        Args:
            project: The boundary.
            proposal_id: Which, or how its id alone begins.
            sees: Which of them whoever asks may know of.

        Raises:
            NotFoundError: There is none, several begin so, or what it was about was erased.
        """
        job = self._jobs.find(project, self._whole_id(project, proposal_id, sees))
        if job is None or job.kind != KIND or not _is_shown(job) or not sees(job):
            raise NotFoundError(f"There is no proposal {proposal_id}.")
        return job

    def accept(self, project: str, proposal_id: str, *, text: object = None, by: By) -> Proposal:
        """Make the change, in one operation that `undo` takes back.

        Args:
            project: The boundary.
            proposal_id: Which.
            text: Another text than the proposed one, or one that takes the place of all that would be merged.
            by: Who accepts it.

        Raises:
            NotFoundError: There is none.
            InvalidInputError: A text for one that only hides memories, or a blank one.
            ConflictError: It was accepted or declined before, or what it is about has changed.
        """
        waiting = self.job(project, proposal_id)
        words = _words(waiting, text)
        job = self._held(waiting)
        try:
            proposed = _proposed(job)
            records = self._records(project, [proposed])
            _require_unchanged(job, proposed, records)
            result = self._change(job, proposed, records, words, by)
        except _StaleError as error:
            stale = replace(
                job, status="FAILED", error=str(error), updated_at=self._clock(), completed_at=self._clock()
            )
            self._jobs.finish([stale])
            raise ConflictError(str(error)) from None
        except BaseException:
            self._jobs.finish([replace(job, status="PENDING", started_at=None)])
            raise
        made = [result["id"]] if "id" in result else []
        self._jobs.finish([replace(_ended(job, self._clock(), "ACCEPT", **result), memory_ids=made)])
        return self.get(project, job.id)

    def decline(self, project: str, proposal_id: str) -> Proposal:
        """Leave everything as it is, and do not propose it again.

        Raises:
            NotFoundError: There is none.
            ConflictError: It was accepted or declined before.
        """
        job = self._held(self.job(project, proposal_id))
        self._jobs.finish([_ended(job, self._clock(), "DECLINE")])
        return self.get(project, job.id)

    # --- jobs ---

    def _whole_id(self, project: str, proposal_id: str, sees: Callable[[Job], bool]) -> str:
        """The id that this one is, or alone begins with."""
        if not SHORT_ID <= len(proposal_id) < WHOLE_ID:
            return proposal_id
        scanned = self._scan(JobListing(project=project))
        found = [job.id for job in scanned if job.id.startswith(proposal_id.lower()) and sees(job)]
        if len(found) > 1:
            named = ", ".join(found[:MOST_NAMED]) + (", …" if len(found) > MOST_NAMED else "")
            raise NotFoundError(f"Several proposals begin with {proposal_id}: {named}; give more of the id.")
        return found[0] if found else proposal_id

    def _job(self, proposed: Proposed, records: Mapping[str, MemoryRecord], by: By) -> Job:
        now = self._clock()
        payload = {
            "kind": proposed.kind,
            "memory_ids": list(proposed.memory_ids),
            "keeps": proposed.keeps,
            "from": list(proposed.sources),
            "why": proposed.why,
            "text": proposed.text,
            "hashes": {memory_id: records[memory_id].hash for memory_id in proposed.about},
        }
        return Job(
            id=self._ids(),
            scope=owner_of(records[proposed.about[0]]),
            kind=KIND,
            payload={name: value for name, value in payload.items() if value},
            memory_ids=proposed.about,
            actor=by.actor,
            connector=by.connector,
            idempotency_key=_key(payload),
            created_at=now,
            updated_at=now,
            run_after=now,
        )

    def _held(self, job: Job) -> Job:
        project, now = job.scope.project, self._clock()
        if undone := self._undone(project, [job]):
            self._jobs.reopen(job, [{"event": _UNDONE, "undone": undone.pop()}], now)
        held = self._jobs.hold(project, job.id, self._lease, now=now, until=now + LEASE)
        if held is None:
            status = _status(self.job(project, job.id))
            said = "is being accepted just now" if status == "pending" else f"is {status} already"
            raise ConflictError(f"Proposal {job.id} {said}.")
        return held

    def _undone(self, project: str, jobs: Sequence[Job]) -> set[str]:
        """The operations of accepted ones that were taken back."""
        operations = [operation for job in jobs if (operation := _result(job).get("operation_id"))]
        return self._log.taken_back(project, operations) if operations else set()

    def _shown(
        self, project: str, jobs: Sequence[Job], records: Mapping[str, MemoryRecord] | None = None
    ) -> list[Proposal]:
        if records is None:
            records = self._records(project, [_proposed(job) for job in jobs])
        undone = self._undone(project, jobs)
        return [_to_proposal(job, records, undone) for job in jobs]

    def _earlier(self, scope: Scope) -> Iterator[Proposed]:
        """All that was proposed for the scope's project before, but for what has changed since or was erased."""
        listing = JobListing(project=scope.project, kinds=[KIND])
        return (_proposed(job) for job in self._pages(listing) if job.payload and job.status != "FAILED")

    def _scan(self, listing: JobListing) -> Iterator[Job]:
        return (job for job in self._pages(replace(listing, kinds=[KIND])) if _is_shown(job))

    def _pages(self, listing: JobListing) -> Iterator[Job]:
        offset = 0
        while page := self._jobs.page(listing, limit=_PAGE, offset=offset):
            yield from page
            offset += len(page)

    def _records(self, project: str, proposed: Sequence[Proposed]) -> dict[str, MemoryRecord]:
        return self._log.find_many(project, {memory_id for one in proposed for memory_id in one.about})

    # --- doing it ---

    def _change(
        self, job: Job, proposed: Proposed, records: Mapping[str, MemoryRecord], words: str | None, by: By
    ) -> dict[str, Any]:
        """Make the change; the operation and, where one was made, the new memory."""
        project, closes = job.scope.project, proposed.memory_ids
        if proposed.kind == "forget":
            return {"operation_id": self._maintain.delete(project, closes, by).operation_id}
        if words is None and proposed.keeps is not None:
            then = proposed.kind == "supersede"
            done = self._maintain.supersede(project, closes, proposed.keeps, by, from_then=then)
            return {"operation_id": done.operation_id}
        return self._stored(job, proposed, records, words or proposed.text or "", by)

    def _stored(
        self, job: Job, proposed: Proposed, records: Mapping[str, MemoryRecord], text: str, by: By
    ) -> dict[str, Any]:
        """Store a text in place of what it makes needless."""
        kept = () if proposed.keeps is None else (proposed.keeps,)
        about = [records[memory_id] for memory_id in proposed.about]
        newest = max(about, key=lambda record: (record.created_at, record.key))
        fact = Draft(
            text=text,
            kind="fact",
            role=newest.role,
            speaker=newest.speaker,
            created_at=newest.created_at,
            metadata={DERIVED_FROM: [record.id for record in about]},
            categories=newest.categories,
            supersedes=(*proposed.memory_ids, *kept),
            why={"by": "consolidation", "proposal": job.id},
        )
        request = AddRequest(
            scope=newest.scope if job.scope.is_bare else job.scope,
            facts=[fact],
            idempotency_key=_acceptance_key(job),
            job_id=job.id,
            actor=by.actor,
            connector=by.connector,
        )
        done = self._ingest.add(request)
        return {"operation_id": done.operation_id, "id": done.stored[0].memory.id}


class _StaleError(Exception):
    """What a proposal is about is not what it was."""


def _key(payload: Mapping[str, Any]) -> str:
    """Two who look for proposals at once make each of them once."""
    named = json.dumps([payload[name] for name in ("kind", "hashes", "text")], sort_keys=True)
    return digest(named)


def _require_unchanged(job: Job, proposed: Proposed, records: Mapping[str, MemoryRecord]) -> None:
    hashes: Mapping[str, str] = job.payload["hashes"]
    for memory_id in proposed.about:
        record = records.get(memory_id)
        gone = record is None or record.state in HIDDEN_STATES
        if record is None or gone or record.hash != hashes[memory_id]:
            raise _StaleError(f"Memory {memory_id} was {'deleted' if gone else 'changed'} since it was proposed.")
        if record.state != CURRENT and proposed.kind != "forget":
            raise _StaleError(f"Memory {memory_id} was {record.state} since it was proposed.")


def _words(job: Job, text: object) -> str | None:
    """The text that somebody wants instead."""
    if text is None:
        return None
    if _proposed(job).kind == "forget":
        raise InvalidInputError("This proposal only hides memories; it takes no text.")
    words = parse_text(text, "text").strip()
    if not words:
        raise InvalidInputError("text is blank; to leave everything as it is, decline the proposal.")
    return words


def _ended(job: Job, now: datetime, event: str, **result: Any) -> Job:
    return replace(
        job,
        status="SUCCEEDED",
        results=[{"event": event, **{name: value for name, value in result.items() if value is not None}}],
        updated_at=now,
        started_at=job.started_at or now,
        completed_at=now,
    )


def _is_shown(job: Job) -> bool:
    """Whether anything is left of it; one that nothing came of is no proposal."""
    return bool(job.payload) and not any(result["event"] == _NOTHING for result in job.results)


def _result(job: Job) -> Mapping[str, Any]:
    return next(iter(job.results), {})


def _acceptance_key(job: Job) -> str:
    """However often an acceptance is begun, it stores its text once; after it was taken back, once more."""
    undone = _result(job).get("undone")
    return f"{job.id}/{undone}" if undone else job.id


def _status(job: Job, undone: Collection[str] = ()) -> ProposalStatus:
    """Its status, when these operations were taken back."""
    if job.status == "FAILED":
        return "stale"
    if _result(job).get("operation_id") in undone:
        return "pending"
    return next((_OUTCOMES[result["event"]] for result in job.results if result["event"] in _OUTCOMES), "pending")


def _proposed(job: Job) -> Proposed:
    payload = job.payload
    return Proposed(
        kind=payload["kind"],
        memory_ids=tuple(payload.get("memory_ids", ())),
        keeps=payload.get("keeps"),
        sources=tuple(payload.get("from", ())),
        text=payload.get("text"),
        why=payload["why"],
    )


def _to_proposal(job: Job, records: Mapping[str, MemoryRecord], undone: Collection[str]) -> Proposal:
    proposed, status = _proposed(job), _status(job, undone)
    result: Mapping[str, Any] = _result(job) if status == "accepted" else {}

    def found(memory_ids: Sequence[str]) -> tuple[MemoryRecord, ...]:
        return tuple(records[memory_id] for memory_id in memory_ids if memory_id in records)

    return Proposal(
        id=job.id,
        scope=job.scope,
        kind=proposed.kind,
        status=status,
        closes=found(proposed.memory_ids),
        keeps=records.get(proposed.keeps or ""),
        sources=found(proposed.sources),
        text=proposed.text,
        why=proposed.why,
        created_at=job.created_at,
        operation_id=result.get("operation_id"),
        made=result.get("id"),
    )
