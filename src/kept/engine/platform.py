"""The platform: one store as many use it. What `Service` is for one person, with who asks, what waits and who did what."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from kept.domain.access import Principal
from kept.domain.jobs import Job
from kept.engine.service import Service
from kept.ports import Clock, Entry, Ids, Jobs, Registry

if TYPE_CHECKING:
    from kept.engine.access import ProjectAccess
    from kept.engine.categories import Categories
    from kept.engine.decay import Decay
    from kept.engine.models import Models
    from kept.engine.trail import AuditTrail


_TURNS: Final = 64
"""Locks of `Platform.turn`: two pieces of work meet on one by accident as often as one in so many."""


def _locks() -> Sequence[threading.Lock]:
    return tuple(threading.Lock() for _ in range(_TURNS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What the server's use cases stand on.

    Attributes:
        service: Remember, recall, maintain.
        registry: What is configured.
        jobs: What was acknowledged and is done afterwards.
        trail: Who read or changed what.
        categories: What memories are sorted under.
        models: The language models, and what they cost; none need be set up.
        decay: Ranks by how lately memories were found, where a project asks for it.
        storing: Held while acknowledged adds are stored, and while an erase runs: what an erase forgot is not stored after it.
        asked: Set when a write is acknowledged, so that a worker in this process need not look for it.
    """

    service: Service
    registry: Registry
    jobs: Jobs
    trail: AuditTrail
    categories: Categories
    models: Models
    decay: Decay
    clock: Clock
    ids: Ids
    storing: threading.Lock = field(default_factory=threading.Lock)
    asked: threading.Event = field(default_factory=threading.Event)
    _turns: Sequence[threading.Lock] = field(default_factory=_locks, init=False, repr=False)

    def access(self, principal: Principal) -> ProjectAccess:
        """The project of a principal, as far as it may use it."""
        from kept.engine.access import ProjectAccess

        return ProjectAccess(self, principal)

    def ask(self, job: Job) -> Job:
        """Keep work for the worker, as `Jobs.put`."""
        kept = self.jobs.put(job)
        self.asked.set()
        return kept

    def turn(self, name: str) -> threading.Lock:
        """Held while work of a name is done, so that what two ask for at the same time is made once in this process."""
        return self._turns[hash(name) % len(self._turns)]

    def entry(self, kind: str, entry_id: str, owner: str, data: Mapping[str, Any]) -> Entry:
        """A new registry entry, of now."""
        now = self.clock()
        return Entry(kind=kind, id=entry_id, owner=owner, data=data, created_at=now, updated_at=now)

    def close(self) -> None:
        """Write what waits to be written and give back files and memory. Closing twice is harmless."""
        self.trail.close()
        self.service.close()
