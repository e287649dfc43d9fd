"""The schema: one by one or at once, twice or by two processes, it is the same."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kept.adapters.sqlite.connections import APPLICATION_ID, connect, migrate
from kept.adapters.sqlite.control import open_control
from kept.adapters.sqlite.log import SqliteLog
from kept.adapters.sqlite.queries import migrations, schema_version
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


STORES = Path(__file__).parent / "stores"


@pytest.fixture(params=[1, 2, 3])
def earlier(request, store_path):
    """A closed store as Kept wrote it with an earlier schema; which one."""
    script = (STORES / f"schema_{request.param}.sql").read_text()
    with closing(sqlite3.connect(store_path)) as connection:
        connection.executescript(script)
    assert pragma(store_path, "user_version") == request.param < schema_version()
    return request.param


def test_there_is_a_store_of_every_earlier_schema():
    """A migration comes with a store of the schema before it."""
    assert {path.name for path in STORES.iterdir()} == {f"schema_{n}.sql" for n in range(1, schema_version())}


def test_a_store_of_an_earlier_schema_keeps_what_it_holds(store_path, earlier):
    """Every memory, in its state; the log proves itself under the schema of today."""
    with closing(SqliteLog(store_path)) as log:
        found = observe(log)["default"]["memories"].values()
        assert {memory.text: memory.state for memory in found} == {
            "Alice likes green tea.": "active",
            "Bob lives in Rome.": "superseded",
            "Bob lives in Oslo.": "active",
        }
        assert [memory.state for memory in observe(log)["other"]["memories"].values()] == ["deleted"]
        assert {memory.type for memory in found} == {None}
        assert list(log.verify()) == []
        _, jobs, _ = open_control(log.pool, store_path)
        assert (jobs.find("default", "job-1") is not None) == (earlier > 1)
    assert pragma(store_path, "user_version") == schema_version()


def test_a_store_of_an_earlier_schema_gains_what_is_new(store_path, earlier):
    """Registry, jobs and audit work on it, and an erase reaches them."""
    with closing(SqliteLog(store_path)) as log:
        registry, jobs, audit = open_control(log.pool, store_path)
        memory = next(found for found in observe(log)["default"]["memories"].values() if "Alice" in found.text)
        assert registry.entries("key") == []
        assert audit.count(AuditListing(project="default")) == 0
        jobs.put(job(earlier + 1, payload={"messages": "Alice likes tea."}, memory_ids=[memory.id]))
        Scribe(log, series=1).erase(memory)
        assert jobs.find("default", f"job-{earlier + 1}").payload == {}
        assert log.scrub()
        assert list(log.verify()) == []
    assert b"Alice likes" not in store_path.read_bytes()
