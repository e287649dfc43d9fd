"""Counters that processes share: what a limit is counted in."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from kept.rest import counters
from kept.rest.counters import PROBED, SharedCounters

FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked on POSIX alone")
LONG_S = 1_000


class Hands:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def hands(monkeypatch) -> Hands:
    hands = Hands()
    monkeypatch.setattr(counters, "time", hands)
    return hands


def in_a_fork(work: Callable[[], int]) -> int:
    """What `work` returns in another process, at most 255."""
    process = os.fork()
    if not process:
        os._exit(work())
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["hit", "look", "clear"])), max_size=60))
def test_a_limit_is_kept_as_by_the_librarys_own_memory(asked):
    """What is allowed, what is left and what is cleared are the same."""
    item = parse("3/hour")
    ours, theirs = FixedWindowRateLimiter(SharedCounters(slots=64)), FixedWindowRateLimiter(MemoryStorage())
    for who, what in asked:
        if what == "clear":
            ours.clear(item, who)
            theirs.clear(item, who)
        elif what == "hit":
            assert ours.hit(item, who) == theirs.hit(item, who)
        found, wanted = (windows.get_window_stats(item, who) for windows in (ours, theirs))
        assert found.remaining == wanted.remaining
        assert found.reset_time == pytest.approx(wanted.reset_time, abs=60)


def test_a_counter_ends_so_long_after_its_first(hands):
    counted = SharedCounters()
    assert [counted.incr("a", 10) for _ in range(2)] == [1, 2]
    hands.now += 9
    assert counted.incr("a", 10) == 3
    assert counted.get_expiry("a") == hands.now + 1
    hands.now += 1
    assert (counted.get("a"), counted.get_expiry("a")) == (0, hands.now)
    assert counted.incr("a", 10, amount=5) == 5


def test_where_all_are_taken_the_one_that_ends_first_gives_way(hands):
    counted = SharedCounters(slots=PROBED)
    for number in range(PROBED):
        counted.incr(f"key {number}", LONG_S + number)
    assert counted.incr("another", LONG_S) == 1
    assert [counted.get(f"key {number}") for number in range(PROBED)] == [0] + [1] * (PROBED - 1)
    hands.now += 2 * LONG_S
    assert counted.reset() == 0


def test_a_reset_ends_all():
    counted = SharedCounters(slots=64)
    for key in ("a", "b"):
        counted.incr(key, LONG_S)
    assert counted.reset() == 2
    assert [counted.get(key) for key in ("a", "b")] == [0, 0]
    assert counted.check()


@FORKS
def test_processes_count_together():
    counted = SharedCounters()
    counted.incr("a", LONG_S)
    assert in_a_fork(lambda: counted.incr("a", LONG_S)) == 2
    assert counted.incr("a", LONG_S) == 3


@FORKS
def test_nothing_is_lost_where_many_count_at_once():
    counted = SharedCounters()

    def count() -> int:
        for _ in range(2_000):
            counted.incr("a", LONG_S)
        return 0

    processes = []
    for _ in range(4):
        if not (process := os.fork()):
            os._exit(count())
        processes.append(process)
    assert [os.waitpid(process, 0)[1] for process in processes] == [0] * 4
    assert counted.get("a") == 8_000


@FORKS
def test_one_that_is_killed_while_it_counts_holds_nobody_up():
    counted = SharedCounters()

    def die() -> int:
        with counted._turn():
            return 7

    def die_within() -> int:
        with counted._turn():
            os._exit(7)

    assert in_a_fork(die) == in_a_fork(die_within) == 7
    begun = time.monotonic()
    assert counted.incr("a", LONG_S) == 1
    assert time.monotonic() - begun < 10 * counters.PATIENCE_S


@pytest.mark.parametrize("error", [ImportError, OSError])
def test_without_semaphores_one_process_counts_as_ever(monkeypatch, error):
    """A sandbox without shared memory still serves."""

    class Without:
        def Lock(self):  # noqa: N802 - as in multiprocessing
            raise error("no semaphores here")

    monkeypatch.setattr(counters.multiprocessing, "get_context", lambda _: Without())
    counted = SharedCounters(slots=64)
    assert [counted.incr("a", LONG_S) for _ in range(2)] == [1, 2]
