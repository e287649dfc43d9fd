"""Which partitions are in memory, and that they are never behind."""

from __future__ import annotations

import threading

import pytest

from kept.domain.scope import Scope
from kept.engine import partition as partition_module
from kept.engine.indexing import Indexer
from kept.engine.residents import Residents
from kept.errors import ConfigurationError
from kept.testing.fakes import FakeEmbedder

USERS = [f"user-{n}" for n in range(4)]


def scope(user):
    return Scope(user_id=user)


@pytest.fixture
def filled(make_engine):
    """Gives a function that makes an engine of four users with the same budget of memory."""

    def make(**options):
        engine = make_engine(**options)
        for user in USERS:
            engine.say(*(f"{user} notes {n} about tea" for n in range(20)), scope=scope(user))
        return engine

    return make


def ids(engine):
    return {partition.user_id: partition.id for partition in engine.log.partitions("default")}


def test_a_partition_is_loaded_once_and_then_refreshed(filled):
    """The same object answers until something makes it stale."""
    engine = filled()
    residents = Residents(engine.log, Indexer(FakeEmbedder(64)))
    with residents.fresh(1) as first:
        cursor = first.cursor
    engine.say("one more", scope=scope(USERS[0]))
    with residents.fresh(1) as second:
        assert second is first
        assert second.cursor > cursor


def test_the_least_recently_used_partition_is_dropped_first(filled):
    """Above the budget; the one in use never."""
    engine = filled()
    known = ids(engine)
    one = Residents(engine.log, Indexer(FakeEmbedder(64)))
    with one.fresh(known[USERS[0]]):
        pass
    residents = Residents(engine.log, Indexer(FakeEmbedder(64)), budget_bytes=one.size_bytes * 5 // 2)
    kept = {}
    for user in (USERS[0], USERS[1], USERS[0], USERS[2]):
        with residents.fresh(known[user]) as partition:
            kept[user] = partition
    with residents.fresh(known[USERS[0]]) as used:
        assert used is kept[USERS[0]]
    with residents.fresh(known[USERS[1]]) as dropped:
        assert dropped is not kept[USERS[1]]
    assert residents.size_bytes <= one.size_bytes * 5 // 2


def test_results_do_not_depend_on_the_budget(filled):
    """Dropping a partition loses nothing."""
    rich, poor = filled(), filled(cache_bytes=1)
    for user in USERS * 2:
        found = [
            [(hit.memory.text, hit.score) for hit in engine.service.search(scope(user), "tea notes 7")]
            for engine in (rich, poor)
        ]
        assert found[0] == found[1]


def test_another_writer_on_the_same_log_is_seen_by_the_next_search(make_engine):
    """Also what it changes, hides and erases."""
    reader = make_engine()
    writer = make_engine(reader.log, series=1)
    (memory,) = writer.say("I live in Rome")
    assert reader.find("Rome") == ["I live in Rome"]
    writer.service.update("default", memory.id, text="I live in Bonn")
    assert reader.find("Rome") == ["I live in Bonn"]
    writer.service.delete("default", [memory.id])
    assert reader.find("Rome") == []
    writer.service.restore("default", memory.id)
    assert reader.find("Rome") == ["I live in Bonn"]
    writer.service.erase("default", [memory.id])
    assert reader.find("Rome") == []


def test_an_erase_leaves_the_memory_of_every_resident_partition(make_engine):
    """Vectors and terms of an erased memory go, not only its row."""
    reader = make_engine()
    writer = make_engine(reader.log, series=1)
    secret, _ = writer.say("the canary sings", "tea")
    residents = Residents(reader.log, Indexer(FakeEmbedder(64)))
    with residents.fresh(1) as before:
        assert before.slots == 2
    writer.service.erase("default", [secret.id])
    with residents.fresh(1) as after:
        assert after is not before
        assert after.slots == 1


def test_rows_that_waited_are_found_once_another_process_indexed_them(make_engine):
    """A rebuild writes entries without new places in the log."""
    old = make_engine()
    old.say("I drink tea")
    embedder = FakeEmbedder(16, model="new")
    reader, builder = (make_engine(old.log, embedder=embedder, series=n) for n in (1, 2))
    with pytest.raises(ConfigurationError, match="kept rebuild"):
        reader.find("tea")
    builder.service.rebuild()
    assert reader.find("tea") == ["I drink tea"]


def test_a_sparse_partition_is_loaded_anew(make_engine, monkeypatch):
    """Dead slots do not pile up in a process that runs for months."""
    monkeypatch.setattr(partition_module, "_SPARSE_SLOTS", 4)
    engine = make_engine()
    residents = Residents(engine.log, Indexer(FakeEmbedder(64)))
    (memory,) = engine.say("note 0")
    for n in range(1, 30):
        with residents.fresh(1) as partition:
            assert partition.slots <= 6
        engine.service.update("default", memory.id, text=f"note {n}")


def test_forgetting_drops_everything(filled):
    """The next use loads what it needs."""
    residents = Residents(filled().log, Indexer(FakeEmbedder(64)))
    with residents.fresh(1) as before:
        assert residents.size_bytes > 0
    residents.forget()
    assert residents.size_bytes == 0
    with residents.fresh(1) as after:
        assert after is not before


def test_threads_get_partitions_one_at_a_time(filled):
    """Nobody reads a partition while another refreshes it."""
    engine = filled()
    residents = Residents(engine.log, Indexer(FakeEmbedder(64)), budget_bytes=1)
    inside, overlaps, failures = set(), [], []

    def visit(number):
        try:
            for step in range(30):
                place = (number + step) % 4 + 1
                with residents.fresh(place) as partition:
                    overlaps.append(id(partition) in inside)
                    inside.add(id(partition))
                    assert partition.slots == 20
                    inside.discard(id(partition))
        except Exception as error:  # noqa: BLE001 - told to the main thread
            failures.append(error)

    threads = [threading.Thread(target=visit, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert not any(overlaps)


def test_what_an_earlier_kept_indexed_is_indexed_again_by_the_first_search(make_engine, monkeypatch):
    """With the same embedder that needs nobody's decision; what was changed meanwhile keeps its own entry."""
    with monkeypatch.context() as earlier:
        earlier.setattr("kept.engine.indexing.TERMS_VERSION", 0)
        old = make_engine()
        old.say("Alice likes tea.", "Bob likes coffee.")
    engine = make_engine(old.log, series=1)
    assert set(engine.find("Alice likes tea")) == {"Alice likes tea.", "Bob likes coffee."}
    assert engine.findings() == []
    (partition,) = old.log.partitions("default")
    assert len(old.log.index_identities(partition.id)) == 1


class Watched:
    """A log that counts looks at a partition, and whose version the test moves."""

    def __init__(self, log, before_head=lambda: None):
        self._log = log
        self.looks = 0
        self.changes = 0
        self.before_head = before_head

    def __getattr__(self, name):
        return getattr(self._log, name)

    def version(self):
        return self._log.version(), self.changes

    def head(self):
        self.before_head()
        return self._log.head()

    def partition_rows(self, *arguments):
        self.looks += 1
        return self._log.partition_rows(*arguments)


def test_what_moves_no_memory_makes_no_search_look(filled):
    """An audit entry or a job is committed, and the log ends where it ended."""
    engine = filled()
    log = Watched(engine.log)
    residents = Residents(log, Indexer(FakeEmbedder(64)))
    for _ in range(3):
        log.changes += 1
        with residents.fresh(1):
            pass
    assert log.looks == 1
    engine.say("one more", scope=scope(USERS[3]))
    with residents.fresh(1):
        pass
    assert log.looks == 2


def test_what_is_committed_while_a_search_looks_is_found_by_the_next(filled):
    """Between the look at the version and the look at the log's end."""
    engine = filled()
    log = Watched(engine.log)
    residents = Residents(log, Indexer(FakeEmbedder(64)))
    with residents.fresh(1):
        pass

    def commit():
        log.before_head = lambda: None
        engine.say("committed meanwhile", scope=scope(USERS[0]))

    log.before_head, log.changes = commit, 1
    for _ in range(2):
        with residents.fresh(1) as partition:
            pass
    assert partition.cursor == engine.log.head()
