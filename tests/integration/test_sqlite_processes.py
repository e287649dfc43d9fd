"""One file, many logs: threads, processes, and processes that die."""

from __future__ import annotations

import gc
import json
import os
import signal
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import partial

import pytest

from kept.adapters.sqlite.control import open_control
from kept.adapters.sqlite.ledger import open_ledger
from kept.adapters.sqlite.log import SqliteLog
from kept.domain.history import fold
from kept.domain.scope import Scope
from kept.domain.spending import ModelCall, SpendingListing, Usage
from kept.errors import StoreBusyError, StoreError
from kept.ports import Listing
from kept.testing.fakes import IDENTITY, START, Scribe
from kept.testing.log_conformance import observe

WRITER = """
import os, sys
from itertools import count
from pathlib import Path
from kept.adapters.sqlite.log import SqliteLog
from kept.domain.memory import Message
from kept.testing.fakes import Scribe

def acknowledge(memory):
    os.write(1, f"{memory.id} {memory.seq}\\n".encode())

def write(path, series, numbers):
    log = SqliteLog(path)
    scribe = Scribe(log, series=series)
    for place in numbers:
        words = f"Memory {place} of writer {series}. " * (place % 7 * 40 + 1)
        memory = scribe.add(words, source=Message(role="user", content=words))
        acknowledge(memory)
        if place % 3 == 1:
            acknowledge(scribe.update(memory, words + "Changed."))
        if place % 3 == 2:
            acknowledge(scribe.erase(memory)[0])
    log.close()
"""

ONE_WRITER = (
    WRITER
    + """
write(Path(sys.argv[1]), int(sys.argv[2]), range(int(sys.argv[3])))
"""
)

NURSERY = (
    WRITER
    + """
def life():
    parent = os.getppid()
    for place in count():
        if os.getppid() != parent:
            os._exit(1)
        yield place

for line in sys.stdin:
    pids = []
    for place in range(3):
        pid = os.fork()
        if not pid:
            write(Path(sys.argv[1]), 3 * int(line) + place, life())
        pids.append(pid)
    os.write(1, f"born {pids[0]} {pids[1]} {pids[2]}\\n".encode())
    for pid in pids:
        os.waitpid(pid, 0)
    os.write(1, b"dead\\n")
"""
)
"""Forks three writers for each line it reads: starting Python a hundred times would take most of the test."""

ROUNDS = 100
"""Of three writers each: three hundred deaths, in some seconds."""


def test_two_logs_on_one_file_see_each_other_at_once(store_path):
    with closing(SqliteLog(store_path)) as left, closing(SqliteLog(store_path)) as right:
        writers = [Scribe(left), Scribe(right, series=1)]
        for number in range(20):
            before = left.version(), right.version()
            assert before == (left.version(), right.version())
            memory = writers[number % 2].add(f"Memory {number}.")
            for log, version in zip((left, right), before, strict=True):
                assert log.version() != version
                assert log.find("default", memory.id) == memory
                assert log.head() == number + 1


def test_a_read_keeps_its_state_while_another_log_writes(store_path):
    with closing(SqliteLog(store_path)) as reading, closing(SqliteLog(store_path)) as writing:
        scribe = Scribe(writing)
        for number in range(3):
            scribe.add(f"Memory {number}.")
        revisions = reading.revisions("default")
        first = next(revisions)
        scribe.add("Too late.")
        assert [first.seq, *(revision.seq for revision in revisions)] == [1, 2, 3]
        assert reading.head() == 4


def test_a_read_that_was_given_up_outlives_its_log(store_path):
    """The garbage collector may find it after the log was closed; nothing is left open and nothing is complained of."""
    log = SqliteLog(store_path)
    scribe = Scribe(log)
    for number in range(3):
        scribe.add(f"Memory {number}.")
    (partition,) = log.partitions("default")
    given_up = [
        log.revisions("default"),
        log.scan(Listing(scope=Scope())),
        log.partition_rows(partition.id, 0, IDENTITY),
        log.verify(),
    ]
    for read in given_up:
        next(read, None)
    log.close()
    with pytest.raises(StoreError, match=r"kept\.db"):
        next(given_up[0])
    cycle = [given_up]
    cycle.append(cycle)
    del given_up, read, cycle
    gc.collect()
    assert [file.name for file in store_path.parent.iterdir()] == ["kept.db"]


def test_a_log_that_was_never_closed_leaves_no_connection(store_path, monkeypatch):
    """Each is closed by name, at once: since Python 3.13 one that is merely dropped is a warning."""
    opened, ended = set(), set()

    class Watched(sqlite3.Connection):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            opened.add(id(self))

        def close(self):
            ended.add(id(self))
            super().close()

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Watched))
    log = SqliteLog(store_path)
    Scribe(log).add("Kept.")
    opened.clear()
    ended.clear()
    log.head()
    Scribe(log, series=1).add("Kept too.")
    given_up = log.revisions("default")
    next(given_up)
    log.head()
    in_use = {*opened, *map(id, log._pool._own().idle), *map(id, log._pool._own().lent), id(log._pool._own().writer)}
    del given_up, log
    assert len(in_use) == 3
    assert ended == in_use
    assert [file.name for file in store_path.parent.iterdir()] == ["kept.db"]


FORKED = """
import os, sqlite3, sys
from functools import partial
from pathlib import Path

class Owned(sqlite3.Connection):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.process = os.getpid()

    def _mine(self):
        if os.getpid() != self.process:
            os.write(1, b"used by a child\\n")

    def execute(self, *arguments):
        self._mine()
        return super().execute(*arguments)

    def cursor(self, *arguments):
        self._mine()
        return super().cursor(*arguments)

    def close(self):
        self._mine()
        super().close()

sqlite3.connect = partial(sqlite3.connect, factory=Owned)
from kept.adapters.sqlite.log import SqliteLog
from kept.errors import StoreError
from kept.testing.fakes import Scribe

def wait_for(end):
    assert os.read(end, 1) == b"x"

log = SqliteLog(Path(sys.argv[1]))
scribe = Scribe(log)
scribe.add("Of the parent.")
log.head()
version = log.version()
"""


FORKED_AT_REST = (
    FORKED
    + """
told, tell = os.pipe()
asked, ask = os.pipe()
child = os.fork()
if not child:
    Scribe(log, series=1).add("Of the child.")
    assert log.version() != version
    os.write(tell, b"x")
    wait_for(asked)
    Scribe(log, series=2).add("Of the child, alone.")
    log.close()
    os._exit(0)
wait_for(told)
scribe.add("Of the parent, later.")
log.close()
os.write(ask, b"x")
print(os.waitpid(child, 0)[1])
"""
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_has_connections_of_its_own(store_path, start_python):
    """It goes on with the log it inherited, also after its parent closed it, and nothing of either is lost."""
    output, _ = start_python(FORKED_AT_REST, store_path).communicate()
    assert output == "0\n"
    with closing(SqliteLog(store_path)) as log:
        assert {memory.text for memory in log.scan(Listing(scope=Scope()))} == {
            "Of the parent.",
            "Of the child.",
            "Of the parent, later.",
            "Of the child, alone.",
        }
        _assert_sound(log)


FORKED_AT_WORK = (
    FORKED
    + """
reading = log.revisions("default")
next(reading)
try:
    with log.write() as transaction:
        operation = scribe.operation("add", "default", scribe.clock())
        transaction.put_operation(operation)
        scribe.put(transaction, operation, "Of the parent, at the fork.")
        child = os.fork()
except StoreError as error:
    assert not child
    os.write(1, f"{error}\\n".encode())
    log.head()
    log.close()
    del reading
    os._exit(0)
print(os.waitpid(child, 0)[1], len(list(reading)), log.head())
log.close()
"""
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_write_does_not_go_over_a_fork(store_path, start_python):
    """The parent ends what it began; its child is refused, and leaves connections in use alone."""
    output, _ = start_python(FORKED_AT_WORK, store_path).communicate()
    refused, rest = output.splitlines()
    assert "fork" in refused
    assert rest == "0 0 2"
    with closing(SqliteLog(store_path)) as log:
        _assert_sound(log)


def test_two_processes_lose_nothing_to_each_other(store_path, start_python):
    number = 30
    processes = [start_python(ONE_WRITER, store_path, series, number) for series in range(2)]
    acknowledged = [line.split() for process in processes for line in process.communicate()[0].splitlines()]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(acknowledged) == 2 * (number + 2 * number // 3)
    with closing(SqliteLog(store_path)) as log:
        assert [(revision.memory_id, revision.seq) for revision in log.revisions("default")] == sorted(
            ((memory_id, int(seq)) for memory_id, seq in acknowledged), key=lambda pair: pair[1]
        )
        assert log.head() == len(acknowledged)
        _assert_sound(log)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_what_was_acknowledged_outlives_a_killed_writer(store_path, start_python):
    """Three hundred writers are killed in the middle of their work; what they had reported as stored is there."""
    nursery = start_python(NURSERY, store_path)
    before = 0
    for number in range(ROUNDS):
        acknowledged = _one_round(nursery, number)
        with closing(SqliteLog(store_path)) as log:
            stored = {(revision.memory_id, revision.seq) for revision in log.revisions("default", after=before)}
            before = log.head()
            assert acknowledged
            assert acknowledged <= stored
            if number % 10 == 0:
                _assert_sound(log)
    with closing(SqliteLog(store_path)) as log:
        _assert_sound(log)


def _one_round(nursery, number):
    """Let three writers live for some acknowledgements and some milliseconds, kill them, and give what they reported."""
    nursery.stdin.write(f"{number}\n")
    nursery.stdin.flush()
    pids, lines = [], []
    for line in iter(nursery.stdout.readline, "dead\n"):
        if line.startswith("born"):
            pids = [int(pid) for pid in line.split()[1:]]
        else:
            lines.append(line)
        if pids and len(lines) > number * 7 % 19:
            threading.Event().wait(number * 37 % 11 / 1000)
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            pids = []
    return {(memory_id, int(seq)) for memory_id, seq in (line.split() for line in lines)}


def _assert_sound(log):
    """Nothing to find, and the current state is what the log says."""
    assert list(log.verify()) == []
    revisions = list(log.revisions("default"))
    assert [revision.seq for revision in revisions] == list(range(1, len(revisions) + 1))
    by_memory = {}
    for revision in revisions:
        by_memory.setdefault(revision.memory_id, []).append(revision)
    assert log.find_many("default", by_memory) == {name: fold(found) for name, found in by_memory.items()}


def test_a_held_store_is_busy_and_nothing_is_written(store_path):
    with closing(SqliteLog(store_path, busy_timeout_s=0.05)) as log, closing(sqlite3.connect(store_path)) as holder:
        scribe = Scribe(log)
        memory = scribe.add("Before.")
        before = observe(log)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError, match=r"kept\.db"):
            scribe.add("Refused.")
        assert observe(log) == before
        assert log.find("default", memory.id) == memory
        holder.rollback()
        assert scribe.add("After.").seq == memory.seq + 1


def test_a_write_that_waits_for_another_process_looks_again_often(store_path):
    """SQLite's own pauses grow to a tenth of a second; statements inside the write wait as long as ever."""
    said = []
    with closing(SqliteLog(store_path, busy_timeout_s=0.5)) as log, closing(sqlite3.connect(store_path)) as holder:
        with log._pool.writer() as connection:
            connection.set_trace_callback(said.append)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError):
            Scribe(log).add("Refused.")
        holder.rollback()
        assert said.count("BEGIN IMMEDIATE") > 15
        with log._pool.transaction() as connection:
            assert connection.execute("PRAGMA busy_timeout").fetchone()[0] == 500


@contextmanager
def another_process(log):
    """Writes the store of a log."""
    with closing(sqlite3.connect(log._pool._path)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            holder.rollback()


@contextmanager
def another_thread(log):
    """Writes the store of a log, in its process."""
    with ThreadPoolExecutor(1) as beside:
        begun, ended = threading.Event(), threading.Event()

        def hold():
            with log.write():
                begun.set()
                ended.wait(10)

        held = beside.submit(hold)
        begun.wait()
        try:
            yield
        finally:
            ended.set()
        held.result()


@pytest.mark.parametrize("holding", [another_process, another_thread])
def test_what_embedding_a_query_cost_waits_a_moment_for_others_who_write(store_path, holding):
    """A search waits for it, and would for a minute; afterwards it is recorded, once."""
    call = ModelCall(id="one", at=START, project="acme", task="embedding", model="fake:paid", reserved=Usage())
    with closing(SqliteLog(store_path, busy_timeout_s=10)) as log:
        ledger = open_ledger(log.pool, store_path)
        with holding(log):
            began = time.monotonic()
            with pytest.raises(StoreBusyError, match=r"kept\.db"):
                ledger.record(call)
            assert time.monotonic() - began < 5
        ledger.record(call)
        assert [found.id for found in ledger.page(SpendingListing(), limit=9)] == ["one"]


def test_a_store_is_opened_and_read_while_another_holds_it(store_path):
    with closing(SqliteLog(store_path)) as holding:
        memory = Scribe(holding).add("Before.")
        with holding.write(), closing(SqliteLog(store_path, busy_timeout_s=0.05)) as log:
            assert log.find("default", memory.id) == memory


def test_scrubbing_gives_up_soon_while_another_reads_an_older_state(store_path):
    """Also when writes would wait for a minute; afterwards it works."""
    with closing(SqliteLog(store_path)) as log, closing(sqlite3.connect(store_path)) as reader:
        scribe = Scribe(log)
        memory = scribe.add("A canary.")
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM memory").fetchone()
        scribe.erase(memory)
        assert log.scrub() is False
        reader.rollback()
        assert log.scrub() is True


BORROWER = """
import json, sys
from pathlib import Path
from kept.adapters.sqlite.log import SqliteLog
from kept.testing.log_conformance import observe
log = SqliteLog(Path(sys.argv[1]))
print(json.dumps(repr(observe(log))))
log.close()
"""


def test_another_process_reads_the_same(store_path, start_python):
    with closing(SqliteLog(store_path)) as log:
        scribe = Scribe(log)
        scribe.erase(scribe.update(scribe.add("Old."), "New."))
        scribe.add("Kept.", metadata={"ä": [1, None]})
        output, _ = start_python(BORROWER, store_path).communicate()
        assert json.loads(output) == repr(observe(log))


JOB_KEEPER = """
import os, sys
from itertools import count
from pathlib import Path
from kept.adapters.sqlite.control import open_control
from kept.adapters.sqlite.log import SqliteLog
from kept.testing.fakes import START, job
from datetime import timedelta

log = SqliteLog(Path(sys.argv[1]))
jobs = open_control(log.pool, Path(sys.argv[1]))[1]
for number in count():
    jobs.put(job(number, id=f"{sys.argv[2]}-{number}", run_after=START))
    os.write(1, f"{sys.argv[2]}-{number}\\n".encode())
    if number % 3 == 0:
        jobs.claim(["ADD"], sys.argv[2], now=START, until=START + timedelta(minutes=1), limit=1)
"""


def test_jobs_outlive_who_kept_and_who_claimed_them(store_path, start_python):
    """Killed in the middle of it: all that was acknowledged is there, and can be worked on when the leases end."""
    SqliteLog(store_path).close()
    keepers = [start_python(JOB_KEEPER, store_path, name) for name in "ab"]
    acknowledged = [keeper.stdout.readline().strip() for _ in range(40) for keeper in keepers]
    for keeper in keepers:
        keeper.kill()
        acknowledged += keeper.stdout.read().split()
    later = START + timedelta(minutes=1)
    with closing(SqliteLog(store_path)) as log:
        jobs = open_control(log.pool, store_path)[1]
        held = jobs.claim(["ADD"], "worker", now=later, until=later + timedelta(minutes=1), limit=10_000)
        assert {found.id for found in held} >= set(acknowledged)
        assert len(held) <= len(acknowledged) + len(keepers)  # one each may have been on disk and not said
        _assert_sound(log)
