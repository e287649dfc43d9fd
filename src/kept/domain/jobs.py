"""Jobs: work that was acknowledged and is done afterwards. To callers of the REST API a job is an *event*.

A job runs under a lease: who claims it has until `lease_until`; then it is anybody's again, so that a crash delays it and
loses nothing. Running one twice must have the effect of running it once, which its `id` as an idempotency key sees to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal, cast, get_args

from kept.domain.scope import Scope
from kept.errors import ConfigurationError, InvalidInputError, KeptError, ModelError, StoreError

JobStatus = Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED"]
STATUSES: Final[tuple[JobStatus, ...]] = get_args(JobStatus)
OPEN: Final[frozenset[JobStatus]] = frozenset({"PENDING", "RUNNING"})
DONE: Final[frozenset[JobStatus]] = frozenset({"SUCCEEDED", "FAILED"})

JobKind = Literal[
    "ADD",
    "UPDATE",
    "DELETE",
    "DELETE_ALL",
    "DELETE_USER",
    "EXTRACT",
    "FEEDBACK",
    "EXPORT",
    "PROFILE",
    "PROPOSAL",
    "SUMMARY",
    "DELIVERY",
]
EVENT_KINDS: Final[tuple[JobKind, ...]] = ("ADD", "UPDATE", "DELETE", "DELETE_ALL", "DELETE_USER", "EXTRACT", "PROFILE")
"""Those that callers see as events; exports, proposals and deliveries have resources of their own. `EXTRACT` is a language
model's reading of what an `ADD` brought; a profile has a resource too, and its event is acknowledged besides."""
READS: Final = ("SEARCH", "GET_ALL", "GET")
"""Kinds of Mem0's events that are no work to wait for: here they are in the audit."""
_SPELLINGS: Final = {"PROCESSING": "RUNNING", "COMPLETED": "SUCCEEDED"}
"""Other names that Mem0's documents have for a status."""

DELETIONS: Final[frozenset[JobKind]] = frozenset({"DELETE", "DELETE_ALL", "DELETE_USER"})
"""Those that hold no memory's text, and may be what erases it."""

_KEYED_BY_TEXT: Final[frozenset[JobKind]] = frozenset({"EXTRACT", "SUMMARY"})
"""Their idempotency key is a digest of the text, which an erase takes too."""
PASSED_OVER: Final = "PASSED_OVER"
"""A result of a deletion that is no memory: how many immutable ones it left."""
ERASED: Final = "Its content was erased before it was done."
"""The error of a job that cannot be done any more."""

_FIRST_PAUSE: Final = timedelta(seconds=1)
_PAUSE_FACTOR: Final = 4
"""1 s, 4 s, 16 s, 64 s, … : a short fault is over by the second try, a long one is not made worse."""
_LONGEST_PAUSE: Final = timedelta(hours=1)
_LONGEST_ASKED: Final = timedelta(days=1)
"""However long a provider asks to be left alone: their quotas are of a day at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of acknowledged work.

    Attributes:
        scope: Project and ids that it is about.
        payload: What was asked for, secrets redacted.
        results: What came of it: memory ids and events, never a memory's text (that is read from the memory, so that an
            erase reaches it).
        content: Text that was made for the caller (an export, a profile); blanked when a memory in it is erased.
        memory_ids: Memories whose text stands in payload or content, so that erasing one blanks both.
        subject: What it works on, if only one job in the whole store may at a time (a webhook's id).
        actor: Who asked.
        attempts: How often it was begun.
        run_after: When it may be begun.
        lease: Whoever is at work on it.
    """

    id: str
    scope: Scope
    kind: JobKind
    status: JobStatus = "PENDING"
    payload: Mapping[str, Any] = field(default_factory=dict)
    results: Sequence[Mapping[str, Any]] = ()
    content: str | None = None
    memory_ids: Sequence[str] = ()
    subject: str | None = None
    actor: str | None = None
    connector: str = "rest"
    idempotency_key: str | None = None
    attempts: int = 0
    error: str | None = None
    created_at: datetime
    updated_at: datetime
    run_after: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    lease: str | None = None
    lease_until: datetime | None = None

    @property
    def due(self) -> datetime | None:
        """Since when it may be begun by whoever asks; None when it is done."""
        if self.status in DONE:
            return None
        return self.run_after if self.status == "PENDING" or self.lease_until is None else self.lease_until

    @property
    def latency_ms(self) -> float | None:
        """From the request to the end, in milliseconds; None while it is not over."""
        return None if self.completed_at is None else (self.completed_at - self.created_at) / timedelta(milliseconds=1)


def blanked(job: Job) -> Job:
    """The job without what was asked for and what was made of it.

    One that was not done cannot be done without and fails, but for a deletion, which stays as it is.
    """
    key = None if job.kind in _KEYED_BY_TEXT else job.idempotency_key
    blank = replace(job, payload={}, content=None, idempotency_key=key)
    if job.status in DONE:
        return blank
    if job.kind in DELETIONS:
        return job
    ended: dict[str, Any] = {"status": "FAILED", "error": ERASED, "completed_at": job.updated_at}
    return replace(blank, lease=None, lease_until=None, **ended)


def succeeded(job: Job, now: datetime, results: Sequence[Mapping[str, Any]], **made: Any) -> Job:
    """The job when it is done.

    Args:
        job: As it was claimed.
        now: The present.
        results: What came of it.
        made: Other fields that were made: `content`, `memory_ids`.
    """
    return replace(
        job,
        status="SUCCEEDED",
        results=results,
        error=None,
        updated_at=now,
        started_at=job.started_at or now,
        completed_at=now,
        **made,
    )


def parse_event_kinds(texts: Iterable[str]) -> list[JobKind]:
    """Kinds of events by name, in any case; several in one text stand with commas. Reads are known, and are no events.

    Raises:
        InvalidInputError: There is no such kind.
    """
    kinds = _known("event_type", texts, (*EVENT_KINDS, *READS))
    return [cast("JobKind", kind) for kind in kinds if kind not in READS]


def parse_statuses(texts: Iterable[str]) -> list[JobStatus]:
    """States of events by name, as `parse_event_kinds`.

    Raises:
        InvalidInputError: There is no such state.
    """
    return [cast("JobStatus", status) for status in _known("status", texts, STATUSES)]


def _known(name: str, texts: Iterable[str], known: Sequence[str]) -> list[str]:
    words = [word.strip().upper() for text in texts for word in text.split(",")]
    wanted = [_SPELLINGS.get(word, word) for word in words]
    for word in wanted:
        if word not in known:
            raise InvalidInputError(f"{name} is {word[:40]!r}; it must be one of {', '.join(known)}.")
    return wanted


def pause_before_retry(attempts: int) -> timedelta:
    """How long to wait after `attempts` failed attempts (from 1)."""
    factor: int = _PAUSE_FACTOR ** min(max(attempts, 1) - 1, 10)
    return min(_FIRST_PAUSE * factor, _LONGEST_PAUSE)


def is_lasting(error: Exception) -> bool:
    """Whether trying again cannot help, because it is what was asked for that is wrong; a store, a provider or a setting can come right."""
    return isinstance(error, KeptError) and not isinstance(error, (StoreError, ModelError, ConfigurationError))


def pause_after(error: Exception, attempts: int) -> timedelta:
    """How long to wait after `attempts` attempts, of which the last failed with this error.

    At least as long as whoever was asked wishes; and where a person has to set something right first, as long as ever.
    """
    least = _LONGEST_PAUSE if isinstance(error, ConfigurationError) else pause_before_retry(attempts)
    asked_s = getattr(error, "retry_after_s", None) or 0
    return max(least, timedelta(seconds=min(asked_s, _LONGEST_ASKED.total_seconds())))
