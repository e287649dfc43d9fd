"""How SQLite finds rows: what every call asks for is looked up, never searched for."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from kept.adapters.sqlite.log import SqliteLog, _inside
from kept.adapters.sqlite.queries import queries
from kept.domain.scope import Scope

LOOKED_UP = {
    "find_partition": ["SEARCH partition USING INDEX partition_by_owner (project=? AND <expr>=?)"],
    "operations": [
        "SEARCH operation USING INDEX operation_by_project (project=? AND key<?)",
        "SCALAR SUBQUERY 1",
        "SEARCH operation USING COVERING INDEX sqlite_autoindex_operation_1 (id=?)",
    ],
}


@pytest.fixture
def connection(store_path):
    """An empty store, as any SQLite tool sees it."""
    SqliteLog(store_path).close()
    with closing(sqlite3.connect(store_path)) as opened:
        yield opened


def plan(connection, sql, parameters):
    """The steps of a statement, in SQLite's words."""
    return [row[-1] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]


def named(connection, name):
    names = ("project", "user_id", "agent_id", "app_id", "run_id", "before", "limit", "moment")
    return plan(connection, queries()[name], dict.fromkeys(names))


@pytest.mark.parametrize("name", LOOKED_UP)
def test_a_query_is_a_lookup(connection, name):
    assert named(connection, name) == LOOKED_UP[name]


def test_the_last_undoable_operation_is_found_from_the_end_of_its_project(connection):
    """By an index in the order of the answer: no other project's operations, and no sorting."""
    steps = named(connection, "last_undoable")
    assert steps[0] == "SEARCH o USING INDEX operation_by_project (project=?)"
    assert not [step for step in steps if step.startswith(("SCAN", "USE TEMP"))]


def test_the_projects_are_found_without_reading_what_is_stored(connection):
    assert not [step for step in named(connection, "projects") if step.startswith(("SCAN o", "SCAN r"))]


@pytest.mark.parametrize("scope", [Scope(), Scope(user_id="*"), Scope(user_id="alice")], ids=str)
def test_a_scope_is_a_lookup(connection, scope):
    """Of the partition by its owner, and of its memories by their partition."""
    inside, parameters = _inside(scope)
    steps = plan(connection, f"SELECT key FROM memory WHERE {inside}", parameters)  # noqa: S608 - the adapter's own
    assert any(step.startswith("SEARCH partition USING") and "partition_by_owner (project=?" in step for step in steps)
    assert ("<expr>=?" in "".join(steps)) == (scope.user_id == "alice")
    assert not [step for step in steps if step.startswith("SCAN")]


def test_one_user_has_one_partition_and_so_has_none(connection):
    """In each project."""
    insert = "INSERT INTO partition (project, user_id) VALUES (?, ?)"
    owners = [("default", "alice"), ("default", None), ("other", "alice"), ("other", None)]
    connection.executemany(insert, owners)
    for owner in owners:
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(insert, owner)
