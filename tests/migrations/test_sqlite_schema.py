"""The schema: one by one or at once, twice or by two processes, it is the same."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from kept.adapters.sqlite.connections import APPLICATION_ID, connect, migrate
from kept.adapters.sqlite.control import open_control
from kept.adapters.sqlite.log import SqliteLog
from kept.adapters.sqlite.queries import migrations, schema_version
from kept.domain.memory import Message
from kept.domain.scope import Scope
from kept.ports import AuditListing
from kept.testing.fakes import Scribe, job
from kept.testing.log_conformance import observe


def schema_of(connection):
    return sorted(tuple(row) for row in connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema"))


def pragma(path, name):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_migrations_are_numbered_from_one_without_gaps():
    assert [number for number, _ in migrations()] == list(range(1, schema_version() + 1))


def test_migrations_one_by_one_give_the_fresh_schema(tmp_path, store_path):
    SqliteLog(store_path).close()
    with (
        closing(connect(tmp_path / "stepwise.db", busy_timeout_s=1, writable=True)) as stepwise,
        closing(sqlite3.connect(store_path)) as fresh,
    ):
        for number, _ in migrations():
            migrate(stepwise, upto=number)
            assert stepwise.execute("PRAGMA user_version").fetchone()[0] == number
        assert schema_of(stepwise) == schema_of(fresh)


def test_migrating_again_changes_nothing(store_path):
    with closing(SqliteLog(store_path)) as log:
        Scribe(log).add("Alice likes tea.")
        before = observe(log)
    with closing(connect(store_path, busy_timeout_s=1, writable=True)) as connection:
        schema = schema_of(connection)
        version = connection.execute("PRAGMA schema_version").fetchone()[0]
        migrate(connection)
        migrate(connection)
        assert schema_of(connection) == schema
        assert connection.execute("PRAGMA schema_version").fetchone()[0] == version
    with closing(SqliteLog(store_path)) as log:
        assert observe(log) == before


def test_a_failed_migration_leaves_nothing(store_path, monkeypatch):
    scripts = (*migrations(), (schema_version() + 1, "CREATE TABLE half (a);\nCREATE TABLE half (a);\n"))
    monkeypatch.setattr("kept.adapters.sqlite.connections.migrations", lambda: scripts)
    with closing(connect(store_path, busy_timeout_s=1, writable=True)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="half"):
            migrate(connection)
        assert connection.execute("PRAGMA user_version").fetchone()[0] == schema_version()
        assert "half" not in [name for _, name, _, _ in schema_of(connection)]


def test_a_store_says_whose_it_is_and_which_schema_it_has(store_path):
    SqliteLog(store_path).close()
    assert pragma(store_path, "application_id") == APPLICATION_ID
    assert pragma(store_path, "user_version") == schema_version()
    assert store_path.read_bytes()[68:72] == b"KEPT"


def test_a_store_keeps_a_write_ahead_log(store_path):
    SqliteLog(store_path).close()
    assert pragma(store_path, "journal_mode") == "wal"


CREATOR = """
import sys
from contextlib import closing
from pathlib import Path
from kept.adapters.sqlite.control import open_control
from kept.adapters.sqlite.log import SqliteLog
from kept.domain.memory import Message
from kept.domain.scope import Scope
from kept.ports import AuditListing
from kept.testing.fakes import Scribe, job
for number, line in enumerate(sys.stdin):
    with closing(SqliteLog(Path(sys.argv[1]) / f"{number}.db")) as log:
        Scribe(log, series=int(sys.argv[2])).add()
    print("created", flush=True)
"""


def test_processes_that_create_one_file_at_once_all_succeed(tmp_path, start_python):
    """In each round two processes are told at the same moment; both then write to the one store."""
    rounds = 30
    processes = [start_python(CREATOR, tmp_path, series) for series in range(2)]
    for number in range(rounds):
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [process.stdout.readline() for process in processes] == ["created\n", "created\n"]
        with closing(SqliteLog(tmp_path / f"{number}.db")) as log:
            assert log.head() == 2
            assert list(log.verify()) == []


@pytest.fixture
def of_first_schema(monkeypatch, store_path):
    """A closed store as a Kept made it that knew the first schema only, and what it shows."""
    with monkeypatch.context() as before:
        before.setattr("kept.adapters.sqlite.connections.migrations", lambda: migrations()[:1])
        before.setattr("kept.adapters.sqlite.connections.schema_version", lambda: 1)
        with closing(SqliteLog(store_path)) as log:
            scribe = Scribe(log)
            memory = scribe.add("Alice likes tea.", source=Message(role="user", content="Alice likes tea."))
            scribe.update(memory, "Alice likes green tea.", metadata={"n": 1})
            scribe.supersede(scribe.add("Bob lives in Rome.", scope=Scope(user_id="bob")), "Bob lives in Oslo.")
            scribe.set_state(scribe.add("Elsewhere.", scope=Scope(project="other", user_id="alice")), "deleted")
            shown = observe(log)
    assert pragma(store_path, "user_version") == 1
    return memory, shown


def test_a_store_of_the_first_schema_keeps_what_it_holds(store_path, of_first_schema):
    """All that its log shows, under the schema of today."""
    _, shown = of_first_schema
    with closing(SqliteLog(store_path)) as log:
        assert observe(log) == shown
        assert list(log.verify()) == []
    assert pragma(store_path, "user_version") == schema_version()


def test_a_store_of_the_first_schema_gains_the_second(store_path, of_first_schema):
    """Registry, jobs and audit work on it, and an erase reaches them."""
    memory, _ = of_first_schema
    with closing(SqliteLog(store_path)) as log:
        registry, jobs, audit = open_control(log.pool, store_path)
        assert registry.entries("key") == []
        assert audit.count(AuditListing(project="default")) == 0
        jobs.put(job(payload={"messages": "Alice likes tea."}, memory_ids=[memory.id]))
        Scribe(log, series=1).erase(log.find("default", memory.id))
        assert jobs.find("default", "job-1").payload == {}
        assert log.scrub()
        assert list(log.verify()) == []
    assert b"Alice likes" not in store_path.read_bytes()
