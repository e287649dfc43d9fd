"""An engine on fakes: nothing of it touches a file, a clock or a model."""

from __future__ import annotations

import itertools
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from kept.adapters.extractors.rules import RuleExtractor
from kept.adapters.inmemory import InMemoryLog
from kept.adapters.inmemory_control import InMemoryAudit, InMemoryJobs, InMemoryRegistry, InMemoryTouches
from kept.adapters.inmemory_ledger import InMemoryLedger
from kept.domain.access import Principal
from kept.domain.scope import Scope
from kept.engine.access import ProjectAccess
from kept.engine.categories import PROJECT, Categories
from kept.engine.decay import Decay
from kept.engine.models import Models
from kept.engine.platform import Platform
from kept.engine.service import Service
from kept.engine.trail import AuditTrail
from kept.testing.fakes import FakeEmbedder, FixedClock, SequentialIds

if TYPE_CHECKING:
    from kept.domain.memory import MemoryRecord
    from kept.ports import Embedder, Log

ALICE = Scope(user_id="alice")


class Engine:
    """A service and what it stands on."""

    def __init__(self, log: Log | None = None, *, embedder: Embedder | None = None, series: int = 0, **options: Any):
        self.log = log or InMemoryLog()
        self.clock = FixedClock()
        numbers = itertools.count()
        self.service = Service(
            log=self.log,
            embedder=embedder or FakeEmbedder(64),
            extractor=RuleExtractor(),
            clock=self.clock,
            ids=lambda: str(uuid.uuid5(uuid.NAMESPACE_OID, f"{series}:{next(numbers)}")),
            **options,
        )

    def say(self, *texts: str, scope: Scope = ALICE, **options: Any) -> list[MemoryRecord]:
        """Store each text verbatim, in one call: what became of each."""
        result = self.service.add(scope, list(texts), **({"infer": False} | options))
        return [stored.memory for stored in result.stored]

    def find(self, query: str, scope: Scope = ALICE, **options: Any) -> list[str]:
        """Texts of the hits, best first."""
        return [hit.memory.text for hit in self.service.search(scope, query, **options)]

    def texts(self, scope: Scope = ALICE, **options: Any) -> list[str]:
        """Texts of a list, oldest first."""
        records, _ = self.service.list(scope, newest_first=False, **options)
        return [record.text for record in records]

    def findings(self) -> list[str]:
        """What `verify` found."""
        return [f"{finding.check}: {finding.detail}" for finding in self.service.verify()]


@pytest.fixture
def engine() -> Engine:
    """An empty engine."""
    return Engine()


@pytest.fixture(scope="session")
def make_engine() -> type[Engine]:
    """Makes engines, for properties and for several on one log."""
    return Engine


@pytest.fixture
def platform():
    """An empty platform on fakes, with a clock that the test moves: `platform.clock.advance(…)`."""
    log, embedder, numbers = InMemoryLog(), FakeEmbedder(64), itertools.count()
    engine, registry = Engine(log, embedder=embedder), InMemoryRegistry()
    trail = AuditTrail(InMemoryAudit())
    made = Platform(
        service=engine.service,
        registry=registry,
        jobs=InMemoryJobs(log),
        trail=trail,
        decay=Decay(
            InMemoryTouches(),
            settings_of=lambda project: entry.data if (entry := registry.find(PROJECT, project)) else {},
            trail=trail,
            version=object,  # this registry tells nobody of its commits
            clock=engine.clock,
        ),
        categories=Categories(embedder, registry),
        models=Models({}, InMemoryLedger(log), clock=engine.clock, ids=SequentialIds()),
        clock=engine.clock,
        ids=lambda: str(uuid.uuid5(uuid.NAMESPACE_OID, f"platform:{next(numbers)}")),
    )
    yield made
    made.close()


@pytest.fixture
def enter(platform):
    """Enters a project: `enter(role="READER", bound={"user_id": ("alice",)})`."""

    def enter(**who: Any) -> ProjectAccess:
        return platform.access(Principal(**({"project": "default", "name": "ops", "role": "OWNER"} | who)))

    return enter
