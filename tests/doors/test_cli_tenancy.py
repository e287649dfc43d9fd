"""`kept keys`, `projects`, `events` and `audit`: the server's matters, at the keyboard of who runs it."""

from __future__ import annotations

import csv
import json

import pytest
from click.testing import CliRunner

from kept.bootstrap import build_platform, build_worker
from kept.cli import keys as keys_command
from kept.cli.app import cli
from kept.domain.access import ROLES, Principal
from kept.engine.keys import Keys
from kept.settings import Settings


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Gives a function that runs a command line in a store of the test's own, as user ana."""
    for name, value in (("DATABASE", tmp_path / "kept.db"), ("CONFIG", tmp_path / "kept.toml"), ("USER_ID", "ana")):
        monkeypatch.setenv(f"KEPT_{name}", str(value))
    return lambda *words, **more: CliRunner().invoke(cli, [str(word) for word in words], **more)


@pytest.fixture
def shape(run):
    """The same with --json: the document; the exit code must be 0."""

    def shape(*words):
        result = run(*words, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return shape


@pytest.fixture
def platform(run, tmp_path):
    """The same store as a server has it, closed when the test does not need it any more."""
    del run
    made = build_platform(Settings.load(environ={}, config=tmp_path / "none.toml", database=str(tmp_path / "kept.db")))
    yield made
    made.close()


# --- keys ---


def test_a_key_is_printed_once_and_lets_in(run, shape, platform):
    printed = run("keys", "create", "--name", "phone", "--user", "alice", "--user", "bob", "--read-only")
    secret = printed.stdout.strip().rpartition(" ")[2]
    who = Keys(platform).recognise(secret, connector="rest")
    assert (who.name, who.role, who.project, who.bound) == ("phone", "READER", "default", {"user_id": ("alice", "bob")})
    (listed,) = shape("keys", "list")
    assert (listed["name"], listed["role"]) == ("phone", "READER")
    assert secret not in run("keys", "list").stdout + json.dumps(listed)


def test_keys_are_listed_with_what_they_may_and_whether_they_end(run):
    run("keys", "create", "--name", "ops", "--role", "admin")
    run("keys", "create", "--name", "bot", "--agent", "planner", "--expires", "2999-01-01")
    admin, bot = run("keys", "list").stdout.splitlines()
    assert "ADMIN" in admin
    assert "all projects" in admin
    for said in ("WRITER", "bot", "agent_id planner", "ends 2999-01-01"):
        assert said in bot


def test_an_ended_key_lets_nobody_in(run, shape, platform):
    made = shape("keys", "create", "--name", "x")
    assert "revoked" in run("keys", "revoke", made["id"]).stdout
    assert Keys(platform).find(made["id"]).revoked_at
    assert run("keys", "revoke", "key_nowhere").exit_code == 3


@pytest.mark.parametrize(
    "words",
    [
        ("--role", "king"),
        ("--read-only", "--role", "owner"),
        ("--expires", "2020-01-01"),
        ("--role", "owner", "--user", "a"),
        ("--project", "nowhere"),
    ],
)
def test_a_key_that_cannot_be_made_is_not(run, shape, words):
    assert run("keys", "create", "--name", "x", *words).exit_code in {2, 3}
    assert shape("keys", "list") == []


def test_the_command_line_knows_the_engines_roles():
    """They are repeated so that help need not import the engine."""
    assert {role.upper() for role in keys_command.ROLES} == set(ROLES)


# --- projects ---


def test_projects_are_made_shown_listed_and_deleted(run, shape, platform):
    made = shape("projects", "create", "shop", "--description", "What the shop knows.")
    assert Keys(platform).recognise(made["api_key"], connector="rest").project == made["project_id"]
    run("add", "I like tea", "--project", made["project_id"])
    shown = run("projects", "show", made["project_id"]).stdout
    for said in ("shop", "What the shop knows.", "memories      1"):
        assert said in shown
    assert [project["project_id"] for project in shape("projects", "list")] == ["default", made["project_id"]]
    assert run("projects", "delete", made["project_id"], "--yes").exit_code == 0
    assert [project["project_id"] for project in shape("projects", "list")] == ["default"]
    assert shape("list", "--project", made["project_id"])["results"] == []
    assert run("projects", "show", made["project_id"]).exit_code == 3


def test_a_project_is_deleted_only_when_that_is_confirmed(run, shape):
    made = shape("projects", "create", "shop")
    assert run("projects", "delete", made["project_id"], input="n\n").exit_code != 0
    assert len(shape("projects", "list")) == 2
    assert run("projects", "delete", "default", "--yes").exit_code == 1


def test_a_project_that_was_only_ever_used_is_listed_and_may_have_keys(run, shape):
    run("add", "I like tea", "--project", "notes")
    assert "notes" in run("projects", "list").stdout.splitlines()
    assert shape("keys", "create", "--name", "x", "--project", "notes")["project_id"] == "notes"


# --- events ---


@pytest.fixture
def event_id(platform, tmp_path):
    """Work that the server acknowledged and did."""
    access = platform.access(Principal(project="default", name="phone", role="WRITER"))
    job, _ = access.add({"user_id": "alice"}, [{"role": "user", "content": "I moved to Bergen."}])
    access.add({"user_id": "bob"}, "I like tea", infer=False)
    build_worker(Settings.load(environ={}, config=tmp_path / "none.toml"), platform).run_due("writes")
    platform.trail.flush()
    return job.id


def test_events_are_listed_newest_first_and_narrowed(run, shape, event_id):
    assert shape("events", "list")["count"] == 2
    for words in (
        ("--user", "alice"),
        ("--type", "add", "--user", "alice"),
        ("--status", "succeeded", "--user", "alice"),
    ):
        assert [event["id"] for event in shape("events", "list", *words)["results"]] == [event_id]
    assert shape("events", "list", "--since", "2999-01-01")["count"] == 0
    assert shape("events", "list", "--until", "2000-01-01")["count"] == 0
    first, second = run("events", "list").stdout.splitlines()
    assert "user bob" in first
    assert second.startswith(event_id)
    assert len(run("events", "list", "--limit", "1").stdout.splitlines()) == 1


def test_an_event_is_shown_with_what_came_of_it(run, shape, event_id):
    shown = run("events", "show", event_id).stdout
    for said in ("SUCCEEDED", "alice", "phone", "ADD", "I moved to Bergen."):
        assert said in shown
    assert shape("events", "show", event_id)["results"][0]["memory"] == "I moved to Bergen."
    assert run("events", "show", "nowhere").exit_code == 3


# --- which project ---


@pytest.fixture
def made(shape):
    """The id of a project that is called shop."""
    return shape("projects", "create", "shop")["project_id"]


@pytest.mark.parametrize(
    "command", ["add The shop opens at nine.", "search shop", "list", "keys create --name phone", "webhooks list"]
)
def test_a_projects_name_is_refused_where_its_id_is_meant(command, run, made):
    refused = run(*command.split(), "--project", "shop")
    assert refused.exit_code == 2
    assert made in refused.stderr
    assert run("list", "--project", made).exit_code == 0


CONFIGURING = [
    "keys create --name phone",
    "keys list",
    "webhooks create --name ci --url https://ci.example.com/kept",
    "webhooks list",
    "retention set --days 30",
    "retention list",
    "retention enforce",
    "links create --name assistant",
    "links list",
    "events list",
]
READING = ["list", "search tea", "stats"]


@pytest.mark.parametrize("command", CONFIGURING)
def test_a_project_is_configured_before_anything_is_stored_in_it(command, run, made):
    done = run(*command.split(), "--project", made)
    assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize("command", [*CONFIGURING, "projects show nosuch", "projects delete nosuch --yes"])
def test_what_is_no_project_is_refused_with_those_there_are_and_how_to_make_one(command, run, shape, made):
    run("add", "I like tea", "--project", "notes")
    words = command.split()
    refused = run(*words, *(() if "nosuch" in words else ("--project", "nosuch")))
    assert refused.exit_code == 3
    assert f"no such project as 'nosuch'. There are: default, notes, {made} (shop)." in refused.stderr
    assert "kept projects create" in refused.stderr
    assert len(shape("projects", "list")) == 3


@pytest.mark.parametrize("command", READING)
def test_what_reads_memories_makes_no_difference_between_empty_and_unknown(command, run, made):
    empty, unknown = (run(*command.split(), "--project", project) for project in (made, "nosuch"))
    assert (empty.exit_code, empty.stdout.replace(made, "nosuch")) == (unknown.exit_code, unknown.stdout)
    assert "no such project" not in unknown.stderr


def test_a_slip_is_met_with_the_project_that_is_likely_meant(run, made):
    run("add", "I like tea", "--project", "notes")
    assert "Did you mean 'notes'?" in run("keys", "list", "--project", "note").stderr
    assert "Did you mean 'shop'?" in run("keys", "list", "--project", "shops").stderr
    assert run("projects", "show", "shop").stderr.strip().endswith(f"use its id: {made}.")


def test_of_many_projects_an_error_names_some(run):
    for number in range(12):
        run("add", "I like tea", "--project", f"p{number:02}")
    said = run("keys", "list", "--project", "zzz").stderr
    assert "There are: default, p00, p01," in said
    assert "p08 and 3 more (`kept projects list`)" in said


def test_what_was_stored_under_an_id_is_found_under_it_whatever_projects_are_called(run, shape):
    run("add", "The shop opens at nine.", "--project", "shop")
    shape("projects", "create", "shop")
    assert shape("list", "--project", "shop")["total"] == 1


@pytest.mark.parametrize("command", ["keys list", "webhooks list", "events list", "retention list", "links list"])
def test_a_project_that_does_not_exist_has_nothing_to_list(command, run):
    refused = run(*command.split(), "--project", "nosuch")
    assert refused.exit_code == 3
    assert "no such project" in refused.stderr


def test_a_new_project_says_by_which_id_it_is_named(run):
    said = run("projects", "create", "shop")
    assert f"--project {said.stdout.split()[0]}" in said.stderr


# --- audit ---


def test_the_audit_lists_who_did_what(run, shape, event_id):
    del event_id
    run("keys", "create", "--name", "x")
    assert [entry["actor"] for entry in shape("audit", "list", "--action", "memory.add")["results"]] == [
        "phone",
        "phone",
    ]
    assert shape("audit", "list", "--target", "user_id=alice")["count"] == 1
    assert shape("audit", "list", "--actor", "ana", "--action", "key")["results"][0]["action"] == "key.make"
    assert shape("audit", "list", "--action", "memory", "--since", "2999-01-01")["count"] == 0
    assert "phone (sdk)  memory.add  user_id=alice" in run("audit", "list", "--action", "memory").stdout
    assert run("audit", "list", "--since", "soon").exit_code == 2


def test_the_audit_is_exported_as_lines_and_as_a_table(run, shape, event_id):
    """Cells that a spreadsheet would run are made safe."""
    del event_id
    run("add", "The shop opens at nine.", "--project", "=1+1")
    run("keys", "create", "--name", "x", "--project", "=1+1")
    listed = shape("audit", "list", "--action", "memory")["results"]
    lines = run("audit", "export", "--action", "memory").stdout.splitlines()
    assert [json.loads(line) for line in lines] == listed
    table = list(csv.DictReader(run("audit", "export", "--format", "csv", "--action", "memory").stdout.splitlines()))
    assert [row["target"] for row in table] == [entry["target"] for entry in listed]
    assert [int(row["count"]) for row in table] == [entry["count"] for entry in listed]
    (row,) = csv.DictReader(
        run("audit", "export", "--format", "csv", "--project", "=1+1", "--action", "key").stdout.splitlines()
    )
    assert row["project_id"] == "'=1+1"
