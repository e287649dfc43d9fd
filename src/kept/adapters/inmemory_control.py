"""Registry, jobs and audit in memory: the reference that says in plain Python what these ports mean. Safe for threads."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from typing import Any

from kept.adapters.inmemory import Contents, InMemoryLog
from kept.domain.decay import Touched
from kept.domain.jobs import DELETIONS, DONE, Job, JobKind
from kept.domain.scope import ENTITY_IDS, Scope
from kept.errors import ConflictError
from kept.ports import AuditEntry, AuditListing, Backlog, Entry, JobListing


class InMemoryRegistry:
    """The registry port without a file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[tuple[str, str], Entry] = {}

    def add(self, entry: Entry) -> None:
        with self._lock:
            if (entry.kind, entry.id) in self._entries:
                raise ConflictError(f"The registry has {entry.kind} {entry.id} already.")
            self._entries[entry.kind, entry.id] = deepcopy(entry)

    def put(self, entry: Entry) -> None:
        with self._lock:
            first = self._entries.get((entry.kind, entry.id), entry)
            self._entries[entry.kind, entry.id] = replace(deepcopy(entry), created_at=first.created_at)

    def find(self, kind: str, entry_id: str) -> Entry | None:
        with self._lock:
            return deepcopy(self._entries.get((kind, entry_id)))

    def entries(self, kind: str, owner: str | None = None) -> list[Entry]:
        with self._lock:
            found = [entry for entry in self._entries.values() if entry.kind == kind and owner in {None, entry.owner}]
        return deepcopy(sorted(found, key=lambda entry: (entry.created_at, entry.id)))

    def revise(self, kind: str, entry_id: str, data: Mapping[str, Any], at: datetime) -> bool:
        with self._lock:
            entry = self._entries.get((kind, entry_id))
            if entry is None:
                return False
            revised = {**entry.data, **deepcopy(dict(data))}
            self._entries[kind, entry_id] = replace(entry, data=revised, updated_at=at)
            return True

    def remove(self, kind: str, entry_id: str) -> bool:
        with self._lock:
            return self._entries.pop((kind, entry_id), None) is not None


class InMemoryJobs:
    """The jobs port on a log in memory, so that what is erased in the one is blank in the other.

    Args:
        log: Whose memories the jobs speak of; one of its own unless given.
    """

    def __init__(self, log: InMemoryLog | None = None) -> None:
        self._log = log or InMemoryLog()

    def put(self, job: Job) -> Job:
        with self._log.changing() as contents:
            return deepcopy(_put(contents, job))

    def put_many(self, jobs: Sequence[Job]) -> None:
        with self._log.changing() as contents:
            for job in jobs:
                _put(contents, job)

    def find(self, project: str, job_id: str) -> Job | None:
        job = self._log.contents.jobs.get(job_id)
        return deepcopy(job) if job is not None and job.scope.project == project else None

    def find_by_key(self, project: str, kind: JobKind, idempotency_key: str) -> Job | None:
        return deepcopy(_by_key(self._log.contents, project, kind, idempotency_key))

    def page(self, listing: JobListing, *, limit: int, offset: int = 0) -> list[Job]:
        return deepcopy(self._listed(listing)[::-1][offset : offset + limit])

    def count(self, listing: JobListing) -> int:
        return len(self._listed(listing))

    def claim(self, kinds: Collection[JobKind], lease: str, *, now: datetime, until: datetime, limit: int) -> list[Job]:
        with self._log.changing() as contents:
            jobs = contents.jobs
            worked_on = {job.subject for job in jobs.values() if _is_worked_on(job, now)}
            claimed: list[Job] = []
            for job in sorted(
                (job for job in jobs.values() if job.kind in kinds and _is_due(job, now)), key=_run_after
            ):
                if len(claimed) < limit and (job.subject is None or job.subject not in worked_on):
                    worked_on.add(job.subject)
                    claimed.append(_claim(contents, job, lease, now, until))
            return deepcopy(claimed)

    def hold(self, project: str, job_id: str, lease: str, *, now: datetime, until: datetime) -> Job | None:
        with self._log.changing() as contents:
            job = contents.jobs.get(job_id)
            if job is None or job.scope.project != project or not _is_due(job, now):
                return None
            if any(other.subject == job.subject and _is_worked_on(other, now) for other in contents.jobs.values()):
                return None
            return deepcopy(_claim(contents, job, lease, now, until))

    def hasten(self, kinds: Collection[JobKind], now: datetime, *, up_to: int | None = None) -> int:
        with self._log.changing() as contents:
            of_kind = [job for job in contents.jobs.values() if job.kind in kinds]
            later = [job for job in of_kind if job.status == "PENDING" and job.run_after > now]
            chosen = sorted(later, key=_run_after)[: _room(of_kind, now, up_to)]
            contents.jobs.update({job.id: replace(job, run_after=now) for job in chosen})
            return len(chosen)

    def revive(self, kinds: Collection[JobKind], now: datetime, *, up_to: int | None = None) -> int:
        with self._log.changing() as contents:
            of_kind = [job for job in contents.jobs.values() if job.kind in kinds]
            failed = [job for job in of_kind if job.status == "FAILED" and job.payload][: _room(of_kind, now, up_to)]
            contents.jobs.update({job.id: _waiting_again(job, now) for job in failed})
            return len(failed)

    def reopen(self, job: Job, results: Sequence[Mapping[str, Any]], now: datetime) -> bool:
        with self._log.changing() as contents:
            known = contents.jobs.get(job.id)
            if known is None or known.status not in DONE or not known.payload or known.completed_at != job.completed_at:
                return False
            again = _waiting_again(known, now)
            contents.jobs[job.id] = replace(again, results=deepcopy(list(results)), attempts=known.attempts)
            return True

    def extend(self, job_ids: Collection[str], lease: str, until: datetime) -> None:
        with self._log.changing() as contents:
            held = [job for job in contents.jobs.values() if job.id in job_ids and _is_held(job, lease)]
            contents.jobs.update({job.id: replace(job, lease_until=until) for job in held})

    def finish(self, jobs: Sequence[Job]) -> list[str]:
        with self._log.changing() as contents:
            return [job.id for job in jobs if _finish(contents, job)]

    def blank(self, scope: Scope) -> int:
        with self._log.changing() as contents:
            inside = [job for job in contents.jobs.values() if scope.admits(job.scope)]
            blank = [job for job in inside if job.status in DONE or job.kind not in DELETIONS]
            contents.blank_jobs(blank)
            return len(blank)

    def purge(self, before: datetime, kinds: Collection[JobKind] | None = None) -> int:
        with self._log.changing() as contents:
            old = [
                job.id
                for job in contents.jobs.values()
                if job.completed_at is not None and job.completed_at < before and (kinds is None or job.kind in kinds)
            ]
            contents.forget_digests(old)
            for job_id in old:
                del contents.jobs[job_id]
            return len(old)

    def backlog(self, kinds: Collection[JobKind], now: datetime) -> Backlog:
        undone = [job for job in self._log.contents.jobs.values() if job.kind in kinds and job.status not in DONE]
        begun = [max(job.run_after, job.created_at) for job in undone if job.run_after <= now]
        return Backlog(waiting=len(undone), oldest=min(begun, default=None))

    def _listed(self, listing: JobListing) -> list[Job]:
        return [job for job in self._log.contents.jobs.values() if _is_listed(job, listing)]


class InMemoryTouches:
    """The touches port without a file."""

    def __init__(self) -> None:
        self._touched: dict[tuple[str, str], Touched] = {}
        self._lock = threading.Lock()

    def touch(self, project: str, memory_ids: Collection[str], at: datetime) -> None:
        with self._lock:
            for memory_id in dict.fromkeys(memory_ids):
                known = self._touched.get((project, memory_id))
                self._touched[project, memory_id] = known.again(at) if known else Touched(at=at)

    def touched(self, project: str, memory_ids: Collection[str]) -> dict[str, Touched]:
        with self._lock:
            found = {memory_id: self._touched.get((project, memory_id)) for memory_id in memory_ids}
        return {memory_id: known for memory_id, known in found.items() if known is not None}


class InMemoryAudit:
    """The audit port without a file."""

    def __init__(self) -> None:
        self._entries: tuple[AuditEntry, ...] = ()
        self._lock = threading.Lock()

    def append(self, entries: Sequence[AuditEntry]) -> None:
        with self._lock:
            self._entries = (*self._entries, *entries)

    def page(self, listing: AuditListing, *, limit: int, offset: int = 0) -> list[AuditEntry]:
        return list(self.scan(listing))[::-1][offset : offset + limit]

    def scan(self, listing: AuditListing) -> Iterator[AuditEntry]:
        return (entry for entry in self._entries if _is_audited(entry, listing))

    def count(self, listing: AuditListing) -> int:
        return sum(1 for _ in self.scan(listing))

    def purge(self, before: datetime) -> int:
        with self._lock:
            known = self._entries
            self._entries = tuple(entry for entry in known if entry.at >= before)
            return len(known) - len(self._entries)


def _put(contents: Contents, job: Job) -> Job:
    known = _by_key(contents, job.scope.project, job.kind, job.idempotency_key)
    if known is not None:
        return known
    if job.id in contents.jobs:
        raise ConflictError(f"There is already a job {job.id}.")
    return _keep(contents, job)


def _by_key(contents: Contents, project: str, kind: JobKind, idempotency_key: str | None) -> Job | None:
    used = (project, kind, idempotency_key)
    found = (job for job in contents.jobs.values() if used == (job.scope.project, job.kind, job.idempotency_key))
    return None if idempotency_key is None else next(found, None)


def _keep(contents: Contents, job: Job) -> Job:
    """Store a job; blank, when a memory that it names was erased meanwhile."""
    kept = replace(deepcopy(job), results=tuple(job.results), memory_ids=tuple(sorted(set(job.memory_ids))))
    erased = {
        memory.id
        for memory in contents.memories.values()
        if memory.project == job.scope.project and memory.state == "erased"
    }
    contents.jobs[job.id] = kept
    if erased.intersection(kept.memory_ids):
        contents.blank_jobs([kept])
    return contents.jobs[job.id]


def _claim(contents: Contents, job: Job, lease: str, now: datetime, until: datetime) -> Job:
    for other in contents.jobs.values():
        if job.subject is not None and other.subject == job.subject and other.status == "RUNNING":
            lost = replace(other, status="PENDING", lease=None, lease_until=None)
            contents.jobs[other.id] = lost
    contents.jobs[job.id] = replace(
        job,
        status="RUNNING",
        attempts=job.attempts + 1,
        lease=lease,
        lease_until=until,
        updated_at=now,
        started_at=job.started_at or now,
    )
    return contents.jobs[job.id]


def _finish(contents: Contents, job: Job) -> bool:
    known = contents.jobs.get(job.id)
    if known is None or job.lease is None or not _is_held(known, job.lease):
        return False
    kept = replace(
        known,
        status=job.status,
        error=job.error,
        payload=job.payload,
        results=job.results,
        content=job.content,
        memory_ids=(*known.memory_ids, *job.memory_ids),
        run_after=job.run_after,
        updated_at=job.updated_at,
        started_at=job.started_at,
        completed_at=job.completed_at,
        attempts=job.attempts,
        lease=None,
        lease_until=None,
    )
    _keep(contents, kept)
    return True


def _waiting_again(job: Job, now: datetime) -> Job:
    return replace(job, status="PENDING", attempts=0, run_after=now, updated_at=now, completed_at=None)


def _is_held(job: Job, lease: str) -> bool:
    return job.status == "RUNNING" and job.lease == lease


def _is_worked_on(job: Job, now: datetime) -> bool:
    """Whether it runs on a subject, of which nobody else may begin one meanwhile."""
    return job.subject is not None and job.status == "RUNNING" and not _is_due(job, now)


def _is_due(job: Job, now: datetime) -> bool:
    return job.due is not None and job.run_after <= now and job.due <= now


def _room(jobs: Collection[Job], now: datetime, up_to: int | None) -> int | None:
    """How many more may become due, so that `up_to` are; None for as many as there are."""
    return None if up_to is None else max(0, up_to - sum(_is_due(job, now) for job in jobs))


def _run_after(job: Job) -> datetime:
    return job.run_after


def _is_listed(job: Job, listing: JobListing) -> bool:
    exact = {name: getattr(listing, name) for name in ENTITY_IDS}
    return (
        job.scope.project == listing.project
        and (listing.kinds is None or job.kind in listing.kinds)
        and (listing.statuses is None or job.status in listing.statuses)
        and listing.subject in {None, job.subject}
        and all(value in {None, getattr(job.scope, name)} for name, value in exact.items())
        and all(getattr(job.scope, name) in allowed for name, allowed in listing.bound.items())
        and _is_between(job.created_at, listing.after, listing.before)
    )


def _is_audited(entry: AuditEntry, listing: AuditListing) -> bool:
    exact = {name: getattr(listing, name) for name in ("project", "actor", "key_id", "outcome")}
    return (
        all(value in {None, getattr(entry, name)} for name, value in exact.items())
        and entry.action.startswith(listing.action or "")
        and (listing.target is None or f" {listing.target} " in f" {entry.target} ")
        and _is_between(entry.at, listing.after, listing.before)
    )


def _is_between(moment: datetime, after: datetime | None, before: datetime | None) -> bool:
    return (after is None or moment >= after) and (before is None or moment < before)
