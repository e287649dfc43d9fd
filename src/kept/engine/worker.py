"""The worker: does afterwards what was acknowledged, in lanes that do not wait for each other.

Each job is claimed under a lease, so that a crash delays it and loses nothing; its id is the idempotency key of what it stores, so that
it is once in effect however often it is begun. Adds and deletions run in the order in which they were acknowledged: a deletion never
takes what was added after it.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby, takewhile
from typing import Any, Final

from kept.domain.filters import And, Condition, Not
from kept.domain.jobs import DELETIONS, OPEN, PASSED_OVER, Job, JobKind, is_lasting, pause_after, succeeded
from kept.engine import exports, profiles, proposing, retention
from kept.engine.access import MAX_RESULTS
from kept.engine.maintain import By
from kept.engine.pending import boundary_of, done, takes_immutable, to_request
from kept.engine.platform import Platform
from kept.engine.understanding import EXTRACT
from kept.engine.understanding import MAX_ATTEMPTS as MAX_ASKED
from kept.engine.webhooks import Deliveries, job_events, relay
from kept.errors import ConfigurationError, ConflictError, KeptError, ModelError, StoreError
from kept.ports import Backlog, JobListing, Sender

logger = logging.getLogger("kept.worker")

LEASE: Final = timedelta(seconds=20)
"""How long a crash delays a job at most."""
HEARTBEAT_S: Final = 5.0
"""How often leases are extended: several times within one."""
LOOK_S: Final = 0.25
"""Between two looks for work that nobody told of: another process asked for it, or it is to be tried again."""
GRAPH_LOOK_S: Final = 1.0
"""Until the graph follows the log: who asks it earlier waits for what was added since, some 50 µs a memory."""
DELIVERY_LOOK_S: Final = 1.0
"""The same of those that post to webhooks, who are many."""
GATHER_S: Final = 0.02
"""Writes that are asked for within it are stored together, with one wait for the disk."""
UPKEEP_S: Final = 3_600.0
"""Retention and purging count in days; an hour late is not noticed."""
BATCH_ADDS: Final = 64
"""Adds stored with one wait for the disk; more would make the first of them wait for the last."""
MAX_ATTEMPTS: Final = 5
"""With 1 s, 4 s, 16 s and 64 s between them: a store that is held for longer needs a person."""
SUSPECT: Final = 2
"""How often a job may have been begun together with others without an end; from then on it is begun alone.

So what ends the process takes no others with it, nor does a text that a provider of embeddings never answers.
"""
MOST_BEGUN: Final = 10
"""How often a job is begun that nobody ever ended: it ends whoever begins it. More than any job is tried that fails."""
READING: Final = 4
"""Parts of conversations that a language model reads at the same time, of different owners: most of it is waiting for answers."""
DELIVERING: Final = 16
"""Webhooks that are posted to at the same time; one that hangs holds one of them, for its time-out."""
PURGED_KINDS: Final[tuple[JobKind, ...]] = (
    "ADD",
    "UPDATE",
    "DELETE",
    "DELETE_ALL",
    "DELETE_USER",
    "FEEDBACK",
    "EXPORT",
    "SUMMARY",
    "DELIVERY",
)
"""All but profiles, whose newest is what is read, however old; and but for parts of conversations, that are read once."""
_WRITES: Final[tuple[JobKind, ...]] = ("ADD", "DELETE_ALL", "DELETE_USER")
_PAGE: Final = 1_000
"""Jobs looked through in one step."""
_WAIT: Final = timedelta(milliseconds=250)
"""Until a write that was held up is looked at again."""
_MAKING: Final[tuple[JobKind, ...]] = ("EXPORT", "PROFILE")
_DELIVERING: Final[tuple[JobKind, ...]] = ("DELIVERY",)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneStatus:
    """How a lane is doing.

    Attributes:
        alive: Whether its thread runs.
        backlog: Its jobs that are not done.
        idle_s: Seconds since it last looked for work.
    """

    name: str
    alive: bool
    backlog: Backlog
    idle_s: float


@dataclass(slots=True)
class _Lane:
    """One thread's work."""

    name: str
    kinds: tuple[JobKind, ...]
    step: Callable[[], bool]
    pause_s: float = LOOK_S
    wake: threading.Event = field(default_factory=threading.Event)
    gather_s: float = 0.0
    looked: float = field(default_factory=time.monotonic)
    thread: threading.Thread | None = None


class Worker:
    """Does what waits.

    Args:
        platform: Whose jobs.
        sender: Posts to webhooks.
        event_days: How long finished jobs are kept.
        audit_days: How long audit entries are kept, and what models cost.
        consolidate_every_days: How often what could be consolidated is proposed; None for never.
    """

    def __init__(
        self,
        platform: Platform,
        sender: Sender,
        *,
        event_days: int = 30,
        audit_days: int = 365,
        consolidate_every_days: int | None = None,
    ) -> None:
        self._platform = platform
        self._ages = {"event": timedelta(days=event_days), "audit": timedelta(days=audit_days)}
        self._consolidate_every = None if consolidate_every_days is None else timedelta(days=consolidate_every_days)
        self._lease = f"worker-{uuid.uuid4()}"
        self._deliveries = Deliveries(platform, sender)
        self._held: dict[str, Job] = {}
        self._mutex = threading.Lock()
        self._stopping = threading.Event()
        self._relayed = -1
        self._followed = -1
        self._upkeep_due = 0.0
        self._heart: threading.Thread | None = None
        reading = 0 if platform.service.understanding is None else READING
        self._lanes = [
            _Lane("writes", _WRITES, self._write, wake=platform.asked, gather_s=GATHER_S),
            _Lane("making", _MAKING, self._make),
            *(_Lane(f"reading-{number}", EXTRACT, self._read) for number in range(reading)),
            _Lane("webhooks", (), self._relay),
            _Lane("graph", (), self._follow, GRAPH_LOOK_S),
            _Lane("upkeep", (), self._upkeep),
            *(
                _Lane(f"deliveries-{number}", _DELIVERING, self._deliver, DELIVERY_LOOK_S)
                for number in range(DELIVERING)
            ),
        ]

    def start(self) -> None:
        """Work in threads from now on."""
        for lane in self._lanes:
            lane.thread = threading.Thread(target=self._run, args=[lane], name=f"kept-{lane.name}", daemon=True)
            lane.thread.start()
        self._heart = threading.Thread(target=self._beat, name="kept-heartbeat", daemon=True)
        self._heart.start()

    def stop(self, grace_s: float = 10.0) -> None:
        """Finish what is in hand, within the grace; give back the rest. Stopping twice is harmless."""
        self._stopping.set()
        for lane in self._lanes:
            lane.wake.set()
        until = time.monotonic() + grace_s
        for thread in [lane.thread for lane in self._lanes] + [self._heart]:
            if thread is not None:
                thread.join(max(until - time.monotonic(), 0))
        self._give_back()

    def run_due(self, *names: str) -> None:
        """Do what is due now, in the caller's thread: of every lane, or of those named."""
        lanes = [lane for lane in self._lanes if not names or lane.name in names]
        busy = True
        while busy:
            busy = sum(lane.step() for lane in lanes) > 0

    def status(self) -> list[LaneStatus]:
        """How each lane is doing; lanes that do the same as one."""
        now, clock = time.monotonic(), self._platform.clock()
        found = []
        for lane in self._lanes:
            if lane.kinds in {_DELIVERING, EXTRACT} and not lane.name.endswith("-0"):
                continue
            backlog = self._platform.jobs.backlog(lane.kinds, clock) if lane.kinds else Backlog()
            alive = lane.thread is not None and lane.thread.is_alive()
            name = lane.name.removesuffix("-0")
            found.append(LaneStatus(name=name, alive=alive, backlog=backlog, idle_s=now - lane.looked))
        return found

    # --- lanes ---

    def _run(self, lane: _Lane) -> None:
        while not self._stopping.is_set():
            lane.looked = time.monotonic()
            try:
                busy = lane.step()
            except Exception as error:
                busy = False
                level = logging.WARNING if isinstance(error, StoreError) else logging.ERROR
                logger.log(level, "lane failed", extra={"kept": {"lane": lane.name}}, exc_info=error)
                self._stopping.wait(1)
            if not busy and lane.wake.wait(lane.pause_s):
                lane.wake.clear()
                self._stopping.wait(lane.gather_s)

    def _write(self) -> bool:
        """Adds and deletions, in the order in which they were acknowledged, also when one of them has to be tried again."""
        tried = False
        with self._platform.storing, self._claimed(_WRITES, BATCH_ADDS) as jobs:
            ahead = self._unfinished_before(jobs)
            for is_add, group in groupby(sorted(jobs, key=_acknowledged), key=lambda job: job.kind == "ADD"):
                ready, held_up = [], []
                for job in group:
                    first = next((other for other in ahead if _goes_first(other, job)), None)
                    if first is None:
                        ready.append(job)
                    else:
                        held_up.append(self._given_back(job, not_before=first.run_after))
                ended = self._add(ready) if is_add else [self._settled(job, self._delete) for job in ready]
                self._finish([*ended, *held_up])
                ahead += [job for job in (*ended, *held_up) if job.status == "PENDING"]
                tried = tried or bool(ready)
        return tried

    def _unfinished_before(self, jobs: Sequence[Job]) -> list[Job]:
        """What these writes may have to wait for: earlier ones that are to be tried again, or that another process has begun."""
        if not jobs or not self._platform.jobs.backlog(DELETIONS, self._platform.clock()).waiting:
            return []
        found: list[Job] = []
        for project, group in groupby(sorted(jobs, key=_project), key=_project):
            own = list(group)
            found += self._newest_first(
                JobListing(
                    project=project,
                    kinds=_WRITES if any(job.kind in DELETIONS for job in own) else DELETIONS,
                    statuses=OPEN,
                    before=max(map(_acknowledged, own)),
                )
            )
        claimed = {job.id for job in jobs}
        return [job for job in found if job.id not in claimed]

    def _newest_first(self, listing: JobListing) -> Iterator[Job]:
        offset = 0
        while page := self._platform.jobs.page(listing, limit=_PAGE, offset=offset):
            yield from page
            offset += len(page)

    def _add(self, jobs: Sequence[Job]) -> list[Job]:
        """Store adds together; one that fails holds up no other."""
        service, requests, finished = self._platform.service, {}, []
        for job in jobs:
            try:
                _require_hope(job)
                requests[job.id] = to_request(self._platform, job)
            except Exception as error:  # noqa: BLE001 - a payload that cannot be read fails alone
                finished.append(self._failed(job, error))
        waiting = [job for job in jobs if job.id in requests]
        try:
            answers: Sequence[Any] = service.add_many(list(requests.values())) if requests else ()
        except Exception as error:  # noqa: BLE001 - what nobody foresaw is tried again
            return finished + [self._failed(job, error) for job in waiting]
        now = self._platform.clock()
        for job, answer in zip(waiting, answers, strict=True):
            finished.append(self._failed(job, answer) if isinstance(answer, KeptError) else done(job, answer, now))
        return finished

    def _delete(self, job: Job) -> Job:
        scope, condition = boundary_of(job)
        parts = [condition] if condition is not None else []
        if later := self._stored_since(job):
            parts.append(Not(Condition("id", "in", later)))
        change = self._platform.service.delete_all(
            scope,
            filters=And(tuple(parts)) if parts else None,
            by=By(actor=job.actor, connector=job.connector),
            immutable_too=takes_immutable(job),
        )
        operation = {"operation_id": change.operation_id} if change.operation_id else {}
        results: list[dict[str, Any]] = [
            {"id": record.id, "event": "DELETE", **operation} for record in change.memories[:MAX_RESULTS]
        ]
        if len(change.memories) > MAX_RESULTS:
            results.append({"event": "DELETE", "count": len(change.memories), **operation})
        if change.passed_over:
            results.append({"event": PASSED_OVER, "immutable": change.passed_over})
        return succeeded(job, self._platform.clock(), results)

    def _stored_since(self, deletion: Job) -> tuple[str, ...]:
        """Ids of the memories that were stored at once after a deletion was acknowledged. They stay."""
        kinds: tuple[JobKind, ...] = ("ADD", deletion.kind)
        listing = JobListing(project=deletion.scope.project, kinds=kinds, after=deletion.created_at)
        later = takewhile(lambda job: job.id != deletion.id, self._newest_first(listing))
        return tuple(memory_id for job in later if deletion.scope.admits(job.scope) for memory_id in job.memory_ids)

    def _make(self) -> bool:
        makers = {"EXPORT": exports.make, "PROFILE": profiles.make}
        with self._claimed(_MAKING, 1) as jobs:
            for job in jobs:
                self._finish([self._settled(job, lambda job: makers[job.kind](self._platform, job))])
        return bool(jobs)

    def _read(self) -> bool:
        understanding = self._platform.service.understanding
        return understanding is not None and bool(understanding.run_due())

    def _deliver(self) -> bool:
        with self._claimed(_DELIVERING, 1) as jobs:
            for job in jobs:
                self._finish([self._settled(job, self._deliveries.deliver)])
        return bool(jobs)

    def _relay(self) -> bool:
        head = self._platform.service.head()
        if head == self._relayed:
            return False
        more = relay(self._platform)
        for lane in self._lanes:
            if lane.kinds == _DELIVERING:
                lane.wake.set()
        self._relayed = -1 if more else head
        return more

    def _follow(self) -> bool:
        head = self._platform.service.head()
        if head == self._followed:
            return False
        if self._platform.service.project_graph():
            return True
        self._followed = head
        return False

    def _upkeep(self) -> bool:
        if time.monotonic() < self._upkeep_due:
            return False
        self._upkeep_due = time.monotonic() + UPKEEP_S
        now = self._platform.clock()
        retention.enforce(self._platform)
        self._platform.jobs.purge(now - self._ages["event"], PURGED_KINDS)
        self._platform.trail.audit.purge(now - self._ages["audit"])
        self._platform.models.purge(now - self._ages["audit"])
        if self._consolidate_every is not None:
            proposing.consolidate_due(self._platform, self._consolidate_every)
        return False

    # --- claims ---

    @contextmanager
    def _claimed(self, kinds: Sequence[JobKind], limit: int) -> Iterator[list[Job]]:
        """Jobs to work on, held until the end of the block."""
        now = self._platform.clock()
        claimed = self._platform.jobs.claim(kinds, self._lease, now=now, until=now + LEASE, limit=limit)
        jobs, others = _apart(claimed)
        if others:
            self._platform.jobs.finish([self._given_back(job) for job in others])
        names = {job.id: job for job in jobs}
        with self._mutex:
            self._held |= names
        try:
            yield jobs
        finally:
            with self._mutex:
                self._held = {name: job for name, job in self._held.items() if name not in names}

    def _beat(self) -> None:
        while not self._stopping.wait(HEARTBEAT_S):
            self._extend()

    def _extend(self) -> None:
        with self._mutex:
            held = list(self._held)
        if held:
            try:
                self._platform.jobs.extend(held, self._lease, self._platform.clock() + LEASE)
            except StoreError as error:
                logger.warning("leases not extended", extra={"kept": {"jobs": len(held)}}, exc_info=error)

    def _give_back(self) -> None:
        with self._mutex:
            held = list(self._held.values())
        if held:
            self._platform.jobs.finish([self._given_back(job) for job in held])
        if (understanding := self._platform.service.understanding) is not None:
            understanding.give_back()

    def _given_back(self, job: Job, *, not_before: datetime | None = None) -> Job:
        """The job for whoever comes next, as if it had not been begun."""
        run_after = job.run_after if not_before is None else max(not_before, self._platform.clock() + _WAIT)
        return replace(job, status="PENDING", attempts=job.attempts - 1, run_after=run_after)

    def _finish(self, jobs: Sequence[Job]) -> None:
        for job in jobs:  # told first: whoever finishes it again after a crash tells nobody twice
            job_events(self._platform, job)
        self._platform.jobs.finish(jobs)

    def _settled(self, job: Job, work: Callable[[Job], Job]) -> Job:
        try:
            _require_hope(job)
            return work(job)
        except Exception as error:  # noqa: BLE001 - it is kept with the job
            return self._failed(job, error)

    def _failed(self, job: Job, error: Exception) -> Job:
        """The job to be tried again later; or failed, when that cannot help or was tried often enough."""
        now = self._platform.clock()
        said = str(error) if isinstance(error, KeptError) else f"Something went wrong inside ({type(error).__name__})."
        logger.warning(
            "job failed",
            extra={"kept": {"job": job.id, "kind": job.kind, "attempts": job.attempts, "error": type(error).__name__}},
        )
        # What a provider does not answer waits for it as long as for a language model.
        most = MAX_ASKED if isinstance(error, (ModelError, ConfigurationError)) else MAX_ATTEMPTS
        if is_lasting(error) or job.attempts >= most:
            return replace(job, status="FAILED", error=said, updated_at=now, completed_at=now)
        later = now + pause_after(error, job.attempts)
        return replace(job, status="PENDING", error=said, updated_at=now, run_after=later)


def _goes_first(earlier: Job, job: Job) -> bool:
    """Whether a write has to wait for another: an add for a deletion that would take it, and a deletion for an add to take."""
    if (earlier.kind in DELETIONS) == (job.kind in DELETIONS) or earlier.created_at >= job.created_at:
        return False
    deletion, add = (earlier, job) if earlier.kind in DELETIONS else (job, earlier)
    return deletion.scope.admits(add.scope)


def _apart(jobs: Sequence[Job]) -> tuple[list[Job], list[Job]]:
    """The jobs to begin together, and those to leave for later: what may end the process takes no others with it."""
    suspect = next((place for place, job in enumerate(jobs) if job.attempts > SUSPECT), len(jobs))
    together = max(suspect, 1)
    return list(jobs[:together]), list(jobs[together:])


def _require_hope(job: Job) -> None:
    """Check that it did not end everybody who ever began it."""
    if job.attempts > MOST_BEGUN:
        raise ConflictError(f"It was begun {MOST_BEGUN} times and never came to an end.")


def _acknowledged(job: Job) -> datetime:
    return job.created_at


def _project(job: Job) -> str:
    return job.scope.project


def oldest_wait_s(status: LaneStatus, now: datetime) -> float:
    """Seconds that the oldest due job of a lane has waited."""
    return 0.0 if status.backlog.oldest is None else max((now - status.backlog.oldest).total_seconds(), 0.0)
