"""Both logs keep every promise of the port."""

from __future__ import annotations

import pytest

from kept.adapters.inmemory import InMemoryLog
from kept.adapters.sqlite.log import SqliteLog
from kept.testing.log_conformance import LogConformance


class TestInMemoryLog(LogConformance):
    @pytest.fixture
    def open_log(self):
        return InMemoryLog


class TestSqliteLog(LogConformance):
    capabilities = frozenset({"persistent", "processes", "backup"})

    @pytest.fixture
    def open_log(self, store_path):
        return lambda: SqliteLog(store_path)

    def open_copy(self, target):
        return SqliteLog(target)
