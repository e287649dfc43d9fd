"""Many writes, one commit: each is whole, waits until it is on disk, and fails alone."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing

import pytest

from kept.adapters.sqlite.batching import GroupCommit
from kept.adapters.sqlite.log import SqliteLog
from kept.errors import ConflictError, StoreBusyError, StoreError, StoreFullError
from kept.testing.control_conformance import THREADS, at_once

WAIT_S = 10
"""Longer than anything here takes; who waits so long waits for ever."""


@pytest.fixture
def log(store_path):
    with closing(SqliteLog(store_path, busy_timeout_s=0.05)) as log:
        with log.pool.transaction() as connection:
            connection.execute("CREATE TABLE note (text TEXT NOT NULL UNIQUE) STRICT")
        yield log


@pytest.fixture
def commits(log, store_path):
    return GroupCommit(log.pool, str(store_path))


@pytest.fixture
def notes(store_path):
    """Gives a function that reads what is on disk, as another program does."""

    def read():
        with closing(sqlite3.connect(store_path)) as connection:
            return sorted(row[0] for row in connection.execute("SELECT text FROM note"))

    return read


def note(text, *, then=None):
    """A write that keeps a text, and does something more."""

    def work(connection):
        connection.execute("INSERT INTO note VALUES (?)", (text,))
        return then(connection) if then else text

    return work


def failing(error):
    def fail(_connection):
        raise error

    return fail


class Gathered:
    """Writes that come while another is held back inside its own, so that one thread writes them all at once.

    Args:
        commits: Where to.
        log: Whose writer is held.
    """

    def __init__(self, commits, log):
        self._commits = commits
        self._log = log
        self._threads = []
        self.outcomes = {}

    def add(self, name, work):
        """Have a thread of its own ask for a write; its outcome is a value or an error."""

        def ask():
            try:
                self.outcomes[name] = self._commits.run(work)
            except BaseException as error:  # noqa: BLE001 - what came of it is what is tested
                self.outcomes[name] = error

        waiting = len(self._threads)
        thread = threading.Thread(target=ask)
        self._threads.append(thread)
        thread.start()
        self._until(waiting + 1)

    def _until(self, count):
        """The leader has taken the first and waits for the writer; the others wait in the queue."""
        queue = self._commits._queue()
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            if queue.leading.locked() and len(queue.waiting) == count - 1:
                return
        pytest.fail("the write was not asked for")

    def end(self):
        for thread in self._threads:
            thread.join(WAIT_S)
            assert not thread.is_alive(), "somebody waits for ever"
        return self.outcomes


@pytest.fixture
def together(commits, log):
    """Gives a function that runs named writes: the first alone, the others in one transaction; what came of each."""

    def run(**works):
        gathered = Gathered(commits, log)
        with log.pool.writer():
            for name, work in works.items():
                gathered.add(name, work)
        return gathered.end()

    return run


def commits_of(log, act):
    """How many commits an act needed."""
    with log.pool.writer() as connection:
        statements = []
        connection.set_trace_callback(statements.append)
    act()
    with log.pool.writer() as connection:
        connection.set_trace_callback(None)
    return statements.count("COMMIT")


def test_a_write_is_on_disk_when_it_returns(commits, notes):
    assert commits.run(note("a")) == "a"
    assert notes() == ["a"]


def test_writes_at_once_are_all_kept(commits, notes):
    """Whatever the threads do."""
    at_once(lambda thread: [commits.run(note(f"{thread}.{number}")) for number in range(20)])
    assert notes() == sorted(f"{thread}.{number}" for thread in range(THREADS) for number in range(20))


def test_those_that_come_meanwhile_share_a_commit(log, together, notes):
    works = {name: note(name) for name in "abcdef"}
    assert commits_of(log, lambda: together(**works)) == 2
    assert notes() == list("abcdef")


def test_each_gets_its_own_answer(together):
    assert together(a=note("a"), b=note("b"), c=lambda _: 3) == {"a": "a", "b": "b", "c": 3}


def test_a_failed_write_takes_back_its_own_only(together, notes):
    """Also what it had done before it failed."""
    outcomes = together(a=note("a"), b=note("b", then=failing(ValueError("wrong"))), c=note("c"), d=note("a"))
    assert isinstance(outcomes["b"], ValueError)
    assert isinstance(outcomes["d"], ConflictError)
    assert (outcomes["a"], outcomes["c"]) == ("a", "c")
    assert notes() == ["a", "c"]


def test_later_writes_see_earlier_ones(together):
    def count(connection):
        return connection.execute("SELECT count(*) FROM note").fetchone()[0]

    assert together(a=note("a"), b=note("b"), c=note("c", then=count))["c"] == 3


def test_when_none_can_begin_all_are_told(commits, log, store_path, notes):
    """Another process holds the store for longer than they wait; afterwards the next write succeeds."""
    with closing(sqlite3.connect(store_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        gathered = Gathered(commits, log)
        with log.pool.writer():
            for name in "abc":
                gathered.add(name, note(name))
        outcomes = gathered.end()
        other.execute("ROLLBACK")
    assert [type(outcome) for outcome in outcomes.values()] == [StoreBusyError] * 3
    assert notes() == []
    assert commits.run(note("d")) == "d"


def test_an_error_that_ends_the_transaction_is_everybodys(log, together, notes):
    """A full disk takes back all that was not committed; nobody is told that theirs is kept, and nobody's is."""
    with log.pool.writer() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    outcomes = together(a=note("a"), b=note("b"), c=note("c" * 100_000), d=note("d"))
    kept = notes()
    assert isinstance(outcomes["c"], StoreFullError)
    assert kept == sorted(outcome for outcome in outcomes.values() if isinstance(outcome, str))
    assert "a" in kept


def test_a_work_that_ends_the_transaction_takes_nobody_else_along_unsaid(together, notes):
    def end(connection):
        connection.execute("ROLLBACK")
        raise ValueError("ended")

    outcomes = together(a=note("a"), b=note("b"), c=end, d=note("d"))
    assert sorted(name for name, outcome in outcomes.items() if isinstance(outcome, ValueError)) == ["b", "c", "d"]
    assert notes() == ["a"]


@pytest.mark.parametrize("pressed_in", ["b", "c"])
def test_an_interrupt_is_its_threads_alone(commits, together, notes, pressed_in):
    """It ends the write of whoever writes for all, in whosever write it comes; the others are written by the next."""
    press = _press_once()
    outcomes = together(**{name: note(name, then=press if name == pressed_in else None) for name in "abc"})
    interrupted = [name for name, outcome in outcomes.items() if isinstance(outcome, KeyboardInterrupt)]
    assert len(interrupted) == 1
    assert notes() == sorted({"a", "b", "c"} - set(interrupted))
    assert commits.run(note("d")) == "d"


def test_an_interrupt_while_waiting_withdraws_the_write(commits, log, notes):
    """What its thread no longer waits for is not written behind its back."""
    gathered = Gathered(commits, log)
    with log.pool.writer():
        gathered.add("a", note("a"))
        queue = commits._queue()
        leading, queue.leading = queue.leading, _Interrupted()
        with pytest.raises(KeyboardInterrupt):
            commits.run(note("b"))
        queue.leading = leading
        assert queue.waiting == []
    assert gathered.end() == {"a": "a"}
    assert notes() == ["a"]


def test_an_interrupt_at_the_very_end_says_that_it_is_not_known(commits, log, together, monkeypatch):
    """Between the end of the writes and the answer of the disk; who asked is told to look."""
    transaction = log.pool.transaction
    interrupts = iter([False, True])

    class Interrupting:
        def __enter__(self):
            self._own = transaction()
            return self._own.__enter__()

        def __exit__(self, *failure):
            self._own.__exit__(*failure)
            if next(interrupts, False):
                raise KeyboardInterrupt

    monkeypatch.setattr(log.pool, "transaction", Interrupting)
    outcomes = together(a=note("a"), b=note("b"), c=note("c"))
    assert {type(outcome) for outcome in outcomes.values()} == {str, KeyboardInterrupt, StoreError}
    assert [str(outcome) for outcome in outcomes.values() if "look again" in str(outcome)]
    assert commits.run(note("d")) == "d"


def test_what_was_deleted_is_not_written_to(commits, store_path):
    """As with the log: it would be lost when the store is closed."""
    store_path.unlink()
    with pytest.raises(StoreError, match="deleted or replaced"):
        commits.run(note("a"))


def test_after_the_store_was_closed_nothing_is_written(commits, log):
    log.close()
    with pytest.raises(StoreError, match="closed"):
        commits.run(note("a"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_writes_although_its_parent_was_writing(commits, log, notes):
    """The parent's locks are not there to be let go."""
    gathered = Gathered(commits, log)
    with log.pool.writer():
        gathered.add("parent", note("parent"))
        if not (child := os.fork()):
            try:
                commits.run(note("child"))
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
    assert gathered.end() == {"parent": "parent"}
    assert notes() == ["child", "parent"]


def _press_once():
    """Interrupts the first time only."""
    presses = [KeyboardInterrupt()]

    def press(_connection):
        if presses:
            raise presses.pop()
        return "done"

    return press


class _Interrupted:
    """A lock during whose wait a key is pressed."""

    def __enter__(self):
        raise KeyboardInterrupt

    def __exit__(self, *failure):
        raise AssertionError("it was never taken")
