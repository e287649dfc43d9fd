"""The schema: one by one or at once, twice or by two processes, it is the same."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from kept.adapters.sqlite.connections import APPLICATION_ID, connect, migrate
from kept.adapters.sqlite.log import SqliteLog
from kept.adapters.sqlite.queries import migrations, schema_version
from kept.testing.fakes import Scribe
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
from kept.adapters.sqlite.log import SqliteLog
from kept.testing.fakes import Scribe
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
