"""A platform on a real store, with the real embedder and rules, and a clock that the test moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from kept.bootstrap import build_platform
from kept.domain.access import Principal
from kept.engine.access import ProjectAccess
from kept.engine.platform import Platform
from kept.settings import Settings
from kept.testing.fakes import FixedClock

OWNER = Principal(project="default", name="ops", role="OWNER")


@pytest.fixture
def platform(tmp_path) -> Platform:
    """An empty platform."""
    built = build_platform(Settings.load(environ={}, config=tmp_path / "none.toml", database=str(tmp_path / "kept.db")))
    yield built
    built.close()


@pytest.fixture
def enter(platform):
    """Enters a project: `enter(role="READER", bound={"user_id": ("alice",)})`."""

    def enter(**who: Any) -> ProjectAccess:
        return platform.access(replace(OWNER, **who))

    return enter


@pytest.fixture
def access(enter) -> ProjectAccess:
    """The default project, as its owner."""
    return enter()


@pytest.fixture
def say(access):
    """Stores texts verbatim, of a user: `say("I like tea", user_id="alice")`."""

    def say(*texts: str, user_id: str = "alice", **options: Any) -> list[str]:
        _, result = access.add({"user_id": user_id}, list(texts), infer=False, **options)
        return [stored.memory.id for stored in result.stored]

    return say


@pytest.fixture
def clock_of(monkeypatch):
    """Gives a platform a clock that stands still: `clock_of(platform).advance(…)`; for what the service does as well."""

    def clock_of(platform: Platform) -> FixedClock:
        clock = FixedClock(datetime(2026, 6, 1, 12, tzinfo=UTC))
        object.__setattr__(platform, "clock", clock)
        for part in (
            platform.service,
            platform.service._maintain,
            platform.service._ingest,
            platform.service._retrieve,
        ):
            monkeypatch.setattr(part, "_clock", clock)
        return clock

    return clock_of
