"""A backup is one state of the store, made while others work."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from kept.adapters.sqlite import log as sqlite_log
from kept.adapters.sqlite.log import SqliteLog
from kept.domain.history import fold
from kept.errors import StoreFullError, StoreReadOnlyError
from kept.testing.fakes import Scribe


@pytest.fixture
def log(store_path):
    with closing(SqliteLog(store_path)) as log:
        scribe = Scribe(log)
        for number in range(20):
            scribe.add(f"Memory {number}. " * 400)
        yield log


@pytest.mark.parametrize("same_log", [True, False], ids=["this log writes", "another log writes"])
def test_a_backup_of_a_store_that_is_written_ends_and_is_sound(log, store_path, tmp_path, monkeypatch, same_log):
    """Between any two pages of the copy there is a write; the copy is the state at its beginning."""
    monkeypatch.setattr(sqlite_log, "_BACKUP_PAGES", 1)
    writing = log if same_log else SqliteLog(store_path)
    scribe = Scribe(writing, series=1)
    head = log.head()
    steps = []

    def write_between(done, total):
        steps.append((done, total))
        assert len(steps) <= total
        scribe.add(f"While copying, {done}. " * 50)

    log.backup(tmp_path / "copy.db", write_between)
    writing.close()
    assert len(steps) > 20
    with closing(SqliteLog(tmp_path / "copy.db")) as copy:
        assert copy.head() == head
        assert list(copy.verify()) == []


def test_a_backup_beside_a_writing_thread_is_sound(log, tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_log, "_BACKUP_PAGES", 3)
    stop = threading.Event()
    scribe = Scribe(log, series=1)

    def write():
        while not stop.is_set():
            scribe.update(scribe.add("While copying. " * 50), "Changed.")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            log.backup(tmp_path / f"{number}.db")
    finally:
        stop.set()
        writer.join()
    for number in range(3):
        with closing(SqliteLog(tmp_path / f"{number}.db")) as copy:
            assert list(copy.verify()) == []
            for memory_id in {revision.memory_id for revision in copy.revisions("default")}:
                assert copy.find("default", memory_id) == fold(copy.revisions("default", memory_id=memory_id))


def test_a_backup_that_fails_leaves_nothing(log, tmp_path, monkeypatch):
    """A half copy must not be taken for a whole one."""
    monkeypatch.setattr(sqlite_log, "_BACKUP_PAGES", 1)

    def fail(_done, _total):
        raise StoreFullError("No room.")

    with pytest.raises(StoreFullError):
        log.backup(tmp_path / "copy.db", fail)
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith("copy")] == []


def test_a_backup_into_a_missing_folder_names_it(log, tmp_path):
    with pytest.raises(StoreReadOnlyError, match="nowhere"):
        log.backup(tmp_path / "nowhere" / "copy.db")


def test_a_backup_can_be_continued_by_its_own_log(log, tmp_path):
    log.backup(tmp_path / "copy.db")
    with closing(SqliteLog(tmp_path / "copy.db")) as copy:
        assert Scribe(copy, series=1).add("Goes on.").seq == log.head() + 1
