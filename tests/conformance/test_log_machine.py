"""Random lives of both logs keep the laws, and SQLite agrees with the log in memory at each step."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from kept.adapters.inmemory import InMemoryLog
from kept.adapters.sqlite.log import SqliteLog
from kept.testing.log_machine import log_machine


def test_lives_of_the_log_in_memory_keep_the_laws():
    run_state_machine_as_test(
        log_machine(InMemoryLog), settings=settings(max_examples=30, stateful_step_count=20, deadline=None)
    )


@pytest.mark.slow
def test_lives_of_the_log_on_sqlite_keep_the_laws(tmp_path):
    numbers = count()
    run_state_machine_as_test(
        log_machine(lambda: SqliteLog(tmp_path / f"{next(numbers)}.db")),
        settings=settings(max_examples=15, stateful_step_count=20, deadline=None),
    )
