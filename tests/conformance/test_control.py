"""What a service of many needs keeps its promises, in memory and on SQLite."""

from __future__ import annotations

from contextlib import ExitStack, closing

import pytest

from kept.adapters.inmemory import InMemoryLog
from kept.adapters.inmemory_control import InMemoryAudit, InMemoryJobs, InMemoryRegistry, InMemoryTouches
from kept.adapters.sqlite.control import open_control
from kept.adapters.sqlite.log import SqliteLog
from kept.adapters.sqlite.touches import open_touches as open_sqlite_touches
from kept.testing.control_conformance import AuditConformance, JobsConformance, RegistryConformance, TouchesConformance


@pytest.fixture
def open_store(store_path):
    """Gives a function that opens one SQLite file: log, registry, jobs, audit."""
    with ExitStack() as opened:

        def open_it():
            log = opened.enter_context(closing(SqliteLog(store_path)))
            return log, *open_control(log.pool, store_path)

        yield open_it


class TestInMemoryRegistry(RegistryConformance):
    @pytest.fixture
    def open_registry(self):
        registry = InMemoryRegistry()
        return lambda: registry


class TestInMemoryJobs(JobsConformance):
    @pytest.fixture
    def open_jobs(self):
        log = InMemoryLog()
        return lambda: (InMemoryJobs(log), log)


class TestInMemoryAudit(AuditConformance):
    @pytest.fixture
    def open_audit(self):
        audit = InMemoryAudit()
        return lambda: audit


class TestSqliteRegistry(RegistryConformance):
    @pytest.fixture
    def open_registry(self, open_store):
        return lambda: open_store()[1]


class TestSqliteJobs(JobsConformance):
    @pytest.fixture
    def open_jobs(self, open_store):
        def open_jobs():
            log, _, jobs, _ = open_store()
            return jobs, log

        return open_jobs


class TestSqliteAudit(AuditConformance):
    @pytest.fixture
    def open_audit(self, open_store):
        return lambda: open_store()[3]


class TestInMemoryTouches(TouchesConformance):
    @pytest.fixture
    def open_touches(self):
        touches = InMemoryTouches()
        return lambda: touches


class TestSqliteTouches(TouchesConformance):
    @pytest.fixture
    def open_touches(self, open_store, store_path):
        return lambda: open_sqlite_touches(open_store()[0].pool, store_path)
