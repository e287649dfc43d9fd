"""How SQLite finds rows: what every call asks for is looked up, never searched for."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from kept.adapters.sqlite.conditions import inside
from kept.adapters.sqlite.control import _audit_where, _jobs, _jobs_where, open_control
from kept.adapters.sqlite.ledger import _where
from kept.adapters.sqlite.log import SqliteLog
from kept.adapters.sqlite.queries import queries
from kept.domain.history import to_microseconds
from kept.domain.jobs import OPEN
from kept.domain.scope import Scope
from kept.domain.spending import SpendingLimit
from kept.ports import AuditListing, JobListing
from kept.testing.fakes import START, job

LOOKED_UP = {
    "find_partition": ["SEARCH partition USING INDEX partition_by_owner (project=? AND <expr>=?)"],
    "operations": [
        "SEARCH operation USING INDEX operation_by_project (project=? AND key<?)",
        "SCALAR SUBQUERY 1",
        "SEARCH operation USING COVERING INDEX sqlite_autoindex_operation_1 (id=?)",
    ],
    "find_entry_of_registry": ["SEARCH registry USING PRIMARY KEY (kind=? AND id=?)"],
    "entries_of_owner": ["SEARCH registry USING INDEX registry_by_owner (kind=? AND owner=?)"],
    "job_by_idempotency_key": [
        "SEARCH job USING COVERING INDEX job_by_idempotency_key (project=? AND kind=? AND idempotency_key=?)"
    ],
    "due_job": ["SEARCH job USING INDEX sqlite_autoindex_job_1 (id=?)"],
    "extend_job": ["SEARCH job USING INDEX sqlite_autoindex_job_1 (id=?)"],
    "finish_job": ["SEARCH job USING INDEX sqlite_autoindex_job_1 (id=?)"],
    "settle_model_call": ["SEARCH model_call USING INDEX sqlite_autoindex_model_call_1 (id=?)"],
    "answered_model_call": ["SEARCH model_call USING INDEX model_call_by_digest (project=? AND digest=?)"],
    "purge_model_calls": ["SEARCH model_call USING INDEX model_call_by_time (at<?)"],
    "purge_audit": ["SEARCH audit USING INDEX audit_by_time (at<?)"],
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
    return plan(connection, queries()[name], dict.fromkeys(re.findall(r":(\w+)", queries()[name])))


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
    where, parameters = inside(scope)
    steps = plan(connection, f"SELECT key FROM memory WHERE {where}", parameters)  # noqa: S608 - the adapter's own
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


# --- the service of many ---------------------------------------------------------------------------------------------


def test_due_jobs_are_found_by_kind_and_time_and_by_subject(connection):
    """Each index is used for what it is for; only what was found is sorted."""
    steps = named(connection, "due_jobs")
    searched = [step for step in steps if step.startswith("SEARCH")]
    assert searched == [
        "SEARCH job USING INTEGER PRIMARY KEY (rowid=?)",
        "SEARCH job USING INDEX job_due (kind=? AND run_after<?)",
        "SEARCH job USING INDEX job_due_on (kind=? AND subject>?)",
        "SEARCH job USING INDEX job_due_on (kind=? AND subject>?)",
        "SEARCH job USING INDEX job_running_on (subject=?)",
        "SEARCH job USING INTEGER PRIMARY KEY (rowid=?)",
        "SEARCH job USING INDEX job_due_on (kind=? AND subject=? AND run_after<?)",
    ]
    assert not [step for step in steps if step.startswith(("SCAN job", "USE TEMP B-TREE FOR RIGHT"))]


@pytest.mark.parametrize("table", ["job", "audit"])
def test_a_page_is_read_from_the_end_of_its_project(connection, table):
    """In the order of the answer, whatever else is asked for."""
    if table == "job":
        where, parameters = _jobs_where(JobListing(project="default", kinds=["ADD"], bound={"user_id": ["alice"]}))
        statement = _jobs(where)
    else:
        where, parameters = _audit_where(AuditListing(project="default", action="memory", actor="alice", after=START))
        statement = f"SELECT * FROM audit WHERE {where}"  # noqa: S608 - the adapter's own
    steps = plan(connection, f"{statement} ORDER BY key DESC LIMIT 10", parameters)
    assert steps[0] == f"SEARCH {table} USING INDEX {table}_by_project (project=?)"
    assert not [step for step in steps if step.startswith("USE TEMP B-TREE")]


def test_jobs_that_are_not_done_are_listed_without_reading_the_others(connection):
    where, parameters = _jobs_where(JobListing(project="default", kinds=["ADD"], statuses=OPEN, before=START))
    steps = plan(connection, f"{_jobs(where)} ORDER BY key DESC LIMIT 10", parameters)
    assert steps[0] == "SEARCH job USING INDEX job_open (project=?)"


@pytest.mark.parametrize(
    ("per", "step"),
    [
        ("day", "SEARCH model_call USING INDEX model_call_by_time (at>? AND at<?)"),
        ("project_day", "SEARCH model_call USING INDEX model_call_by_project (project=? AND at>? AND at<?)"),
        ("job", "SEARCH model_call USING INDEX model_call_by_job (job_id=? AND project=?)"),
    ],
)
def test_what_counts_towards_a_limit_is_looked_up(connection, per, step):
    """Before every call of a language model: of the day, or of the job, however much was spent before."""
    listing = SpendingLimit(name="most", per=per, tokens=1).counts("default", START, "job-1")
    where, parameters = _where(listing)
    assert plan(connection, f"SELECT {queries()['spending']} WHERE {where}", parameters)[0] == step


def test_the_registry_is_listed_by_kind(connection):
    """Of any owner: read by its key, then sorted; there are some thousands at most."""
    assert named(connection, "entries_of_registry")[0] == "SEARCH registry USING PRIMARY KEY (kind=?)"


def test_jobs_of_a_memory_are_looked_up(connection):
    """An erase does not read all jobs."""
    names = ("project", "memory_id", "erased", "deletions", "key")
    for which in ("are_of_memory", "is_of_erased"):
        steps = plan(connection, f"{queries()['blank_jobs']} AND {queries()[which]}", dict.fromkeys(names))
        assert not [step for step in steps if step.startswith("SCAN") and "json_each" not in step]


def test_old_jobs_are_purged_by_when_they_were_done(connection):
    assert named(connection, "purge_jobs")[0] == "SEARCH job USING INDEX job_done (completed_at<?)"
    steps = named(connection, "purge_job_memories")
    assert not [step for step in steps if step.startswith("SCAN") and "json_each" not in step]


def steps_of_due(path):
    """How many steps SQLite's machine takes to find what is due, a day later."""
    due = {"kinds": '["DELIVERY"]', "now": to_microseconds(START + timedelta(days=1)), "limit": 10}
    steps = []
    with closing(sqlite3.connect(path)) as connection:
        connection.set_progress_handler(lambda: steps.append(1), 1)
        assert len(connection.execute(queries()["due_jobs"], due).fetchall()) == 10
    return len(steps)


def test_a_claim_costs_the_same_whatever_waits_and_whatever_was_done(store_path):
    """Counted in steps of SQLite's machine: it grows with the subjects, not with what is behind the first of each."""

    def put(numbers, **fields):
        jobs.put_many(
            [job(number, **({"kind": "DELIVERY", "subject": f"hook-{number % 50}"} | fields)) for number in numbers]
        )

    with closing(SqliteLog(store_path)) as log:
        jobs = open_control(log.pool, store_path)[1]
        put(range(100))
        few = steps_of_due(store_path)
        put(range(100, 4000))
        put(range(4000, 8000), status="SUCCEEDED", completed_at=START)
        put(range(8000, 12_000), run_after=START + timedelta(days=2))
        put(range(12_000, 16_000), kind="EXPORT")
        assert steps_of_due(store_path) == pytest.approx(few, rel=0.2)


def test_calls_of_erased_jobs_are_looked_up(connection):
    """An erase does not read all calls."""
    which = f"(SELECT id FROM job WHERE {queries()['are_of_memory']})"  # noqa: S608 - the adapter's own
    statement = f"{queries()['forget_digests']} {which}"
    steps = plan(connection, statement, {"project": None, "memory_id": None})
    assert "SEARCH model_call USING INDEX model_call_by_job (job_id=?)" in steps
