"""Random lives of jobs keep the laws, and SQLite agrees with the jobs in memory at each step."""

from __future__ import annotations

from itertools import count

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from kept.adapters.inmemory import InMemoryLog
from kept.adapters.inmemory_control import InMemoryJobs
from kept.adapters.sqlite.control import open_control
from kept.adapters.sqlite.log import SqliteLog
from kept.testing.control_machine import jobs_machine


def test_lives_of_jobs_in_memory_keep_the_laws():
    def open_jobs():
        log = InMemoryLog()
        return InMemoryJobs(log), log

    run_state_machine_as_test(
        jobs_machine(open_jobs), settings=settings(max_examples=30, stateful_step_count=30, deadline=None)
    )


def test_lives_of_jobs_on_sqlite_keep_the_laws(tmp_path):
    numbers = count()

    def open_jobs():
        path = tmp_path / f"{next(numbers)}.db"
        log = SqliteLog(path)
        return open_control(log.pool, path)[1], log

    run_state_machine_as_test(
        jobs_machine(open_jobs), settings=settings(max_examples=20, stateful_step_count=30, deadline=None)
    )
