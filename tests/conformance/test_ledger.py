"""The ledger keeps its promises, in memory and on SQLite."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack, closing

import pytest

from kept.adapters.inmemory import InMemoryLog
from kept.adapters.inmemory_control import InMemoryJobs
from kept.adapters.inmemory_ledger import InMemoryLedger
from kept.adapters.sqlite.control import open_control
from kept.adapters.sqlite.ledger import open_ledger as open_sqlite_ledger
from kept.adapters.sqlite.log import SqliteLog
from kept.testing.ledger_conformance import ALL_CALLS, LedgerConformance

TAKER = """
import sys
from pathlib import Path
from kept.adapters.sqlite.ledger import open_ledger
from kept.adapters.sqlite.log import SqliteLog
from kept.errors import SpendingLimitError
from kept.testing.ledger_conformance import call, most

path, series = Path(sys.argv[1]), sys.argv[2]
log = SqliteLog(path)
ledger = open_ledger(log.pool, path)
print("ready", flush=True)
sys.stdin.readline()
taken = 0
for number in range(50):
    try:
        ledger.reserve(call(number, id=f"{series}-{number}"), [most(2_050)])
    except SpendingLimitError:
        break
    taken += 1
print(taken)
"""
"""Takes 100 tokens again and again, until a limit of 2,050 refuses."""


class TestInMemoryLedger(LedgerConformance):
    @pytest.fixture
    def open_ledger(self):
        log = InMemoryLog()
        return lambda: (InMemoryLedger(log), InMemoryJobs(log), log)


class TestSqliteLedger(LedgerConformance):
    @pytest.fixture
    def open_ledger(self, store_path):
        with ExitStack() as opened:

            def open_it():
                log = opened.enter_context(closing(SqliteLog(store_path)))
                return open_sqlite_ledger(log.pool, store_path), open_control(log.pool, store_path)[1], log

            yield open_it


def test_processes_take_the_last_room_once(store_path):
    """Of 2,050 tokens, two processes at once get twenty times a hundred together."""
    with closing(SqliteLog(store_path)) as log:
        ledger = open_sqlite_ledger(log.pool, store_path)
        takers = [
            subprocess.Popen(
                [sys.executable, "-c", TAKER, str(store_path), series],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for series in ("a", "b")
        ]
        for taker in takers:
            assert taker.stdout.readline() == "ready\n"
        for taker in takers:
            taker.stdin.write("go\n")
            taker.stdin.flush()
        taken = [int(taker.communicate()[0]) for taker in takers]
        assert sum(taken) == 20
        assert ledger.totals(ALL_CALLS, "project")["default"].usage.tokens == 2_000
