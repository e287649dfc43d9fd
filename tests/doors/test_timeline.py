"""The timeline through every door: each tells the same days in the same order, and nobody sees another's."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from kept import Memory
from kept.cli.app import cli
from kept.rest import inventory

PAST, NEXT = "Mira saw the dentist on 2026-03-02.", "Mira has the dentist on 2026-09-14."
FOREIGN = "Bob saw the dentist on 2026-01-05."
TODAY = "2026-06-02"
WHEN = ("memory", "start", "end", "known", "upcoming")
DATED = [
    (PAST, "2026-03-02", "2026-03-03", "said", False),
    (NEXT, "2026-09-14", "2026-09-15", "said", True),
]
MIRA = {"user_id": "mira", "reference_date": TODAY, "threshold": 0}


def dated(answer):
    """The texts of a timeline with their days, in its order."""
    return [tuple(one[name] for name in WHEN) for one in answer["results"]]


# --- REST ---


@pytest.fixture
def told(tenant):
    """A tenant of two users, told in another order than it happened."""
    tenant.say(NEXT, PAST, user_id="mira")
    tenant.say(FOREIGN, user_id="bob")
    return tenant


def asked(api, key, query="dentist", **body):
    return api.answer("POST", "/v1/timeline/", key, json={"query": query, **MIRA, **body})


def test_rest_says_what_the_sdk_says(api, told, store_path):
    with Memory(store_path) as memory:
        for text in (NEXT, PAST):
            memory.add(text, user_id="mira", infer=False)
        for query in ("dentist", "upcoming dentist", "latest dentist", "dentist before 2026-05-01"):
            assert dated(asked(api, told.key, query)) == dated(memory.timeline(query, **MIRA)), query
    assert dated(asked(api, told.key)) == DATED


def test_ids_may_stand_beside_the_filter_or_inside(api, told):
    inside = {"query": "dentist", "filters": {"user_id": "mira"}, "reference_date": TODAY, "threshold": 0}
    assert dated(api.answer("POST", "/v1/timeline/", told.key, json=inside)) == DATED
    assert asked(api, told.key, filters={"user_id": "bob"})["results"] == []


def test_the_best_matches_alone_are_ordered(api, told):
    assert len(asked(api, told.key, top_k=1)["results"]) == 1


@pytest.mark.parametrize("wrong", [{"top_k": -1}, {"top_k": 0}, {"top_k": 1_001}, {"threshold": 2}, {"query": " "}])
def test_what_a_search_refuses_a_timeline_refuses(api, told, wrong):
    body = {"query": "dentist", "filters": {"user_id": "mira"}, **wrong}
    search, timeline = (
        api.ask("POST", path, key=told.key, json=body) for path in ("/v3/memories/search/", "/v1/timeline/")
    )
    assert (timeline.status_code, timeline.json().get("code")) == (search.status_code, search.json().get("code"))


def test_a_bound_key_sees_its_own_user_and_counts_from_nothing_of_others(api, told):
    """Also what "before X" counts from is looked for within its bounds."""
    key = told.make_key(bound={"user_id": ["mira"]}, role="READER")
    everybody = {"query": "dentist", "filters": {"user_id": "*"}, "reference_date": TODAY, "threshold": 0}
    assert dated(api.answer("POST", "/v1/timeline/", key, json=everybody)) == DATED
    foreign = {"query": "dentist", "user_id": "bob"}
    assert api.ask("POST", "/v1/timeline/", key=key, json=foreign).status_code == 403
    query = "dentist before the secret gala"
    before = asked(api, key, query)
    told.say("The secret gala was on 2026-04-01.", user_id="bob")
    assert asked(api, key, query) == before
    owner = api.answer("POST", "/v1/timeline/", told.key, json=everybody | {"query": query})
    assert [one["memory"] for one in owner["results"]] == [FOREIGN, PAST]


def test_a_timeline_is_in_the_audit_once_and_counts_as_a_retrieval(api, told):
    """However many searches it took."""
    earlier = api.get("/v1/stats/", told.key)["total_retrieval_events"]
    asked(api, told.key, "dentist before the gala")
    entries = api.get("/v1/audit/", told.key, action="memory.timeline")["results"]
    assert [(entry["target"], entry["outcome"]) for entry in entries] == [("user_id=mira", "ok")]
    assert api.get("/v1/audit/", told.key, action="memory.search")["count"] == 0
    assert api.get("/v1/stats/", told.key)["total_retrieval_events"] == earlier + 1


# --- MCP ---


def test_the_full_inventory_has_it_as_a_read(api):
    (tool,) = [one for one in inventory.tools(api.app) if one.name == "memories_timeline"]
    assert (tool.method, tool.required) == ("read", ("query",))
    assert {"query", "filters", "user_id", "top_k", "reference_date"} <= set(tool.properties)


# --- CLI ---


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a command line in a store of the test's own, as user mira, with things said."""
    for name, value in (("DATABASE", tmp_path / "kept.db"), ("CONFIG", tmp_path / "kept.toml"), ("USER_ID", "mira")):
        monkeypatch.setenv(f"KEPT_{name}", str(value))

    def run(*words, code=0):
        result = CliRunner().invoke(cli, [*words])
        assert result.exit_code == code, result.output
        return result.stdout

    for text in (NEXT, PAST):
        run("add", text)
    run("add", FOREIGN, "--user", "bob")
    return run


ASKED = ("--threshold", "0", "--reference-date", TODAY)


def test_the_command_line_prints_dated_lines_in_order(run):
    rows = run("timeline", "dentist", *ASKED).splitlines()
    assert [(row.split()[1], text in row) for row, text in zip(rows, (PAST, NEXT), strict=True)] == [
        ("2026-03-02", True),
        ("2026-09-14", True),
    ]
    assert dated(json.loads(run("timeline", "dentist", *ASKED, "--json"))) == DATED


def test_several_days_show_the_first_and_the_last(run):
    run("add", "Mira sailed to Elba last week.", "--at", "2026-05-13")
    (row,) = run("timeline", "sailed to Elba", "--top-k", "1", *ASKED).splitlines()
    assert "2026-05-04 to 2026-05-10" in row


def test_nothing_found_is_said_and_exits_with_3(run):
    assert run("timeline", "dentist", "--user", "nobody", code=3) == ""
    assert json.loads(run("timeline", "dentist", "--user", "nobody", "--json", code=3)) == {"results": []}
