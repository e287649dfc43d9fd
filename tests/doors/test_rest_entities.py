"""Entities over REST: listed, read, described, deleted, counted; whatever their names are."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kept.domain import scope
from kept.domain.scope import Scope
from kept.errors import ScopeError

ODD = [
    "a/b",
    "a b",
    "100%",
    "what?",
    "zoë/ü",
    "a#b&c=d",
    "...",
    ".a",
    "+1",
    "{x}",
    "history",
    "'; DROP TABLE memory; --",
]


def path(name: str, *, version: str = "v2", kind: str = "user") -> str:
    """The path of an entity; a name that is only dots is encoded too, as clients do."""
    return f"/{version}/entities/{kind}/{quote(name, safe='').replace('.', '%2E')}/"


def _is_id(name: str) -> bool:
    try:
        Scope.of(user_id=name).require_writable()
        return Scope.of(user_id=name).user_id == name
    except ScopeError:
        return False


names = st.text(min_size=1, max_size=30).filter(_is_id)


def test_entities_of_each_type_are_listed_with_their_own_names(api, tenant):
    """By type and name, each with how many memories it has, and how many there are of each type."""
    tenant.say("I like tea", user_id="mira", agent_id="a1", app_id="p1", run_id="r1")
    tenant.say("I like milk", "I like water", user_id="bob")
    found = api.get("/v1/entities/", tenant.key)
    assert [(one["type"], one["name"], one["total_memories"]) for one in found["results"]] == [
        ("agent", "a1", 1), ("app", "p1", 1), ("run", "r1", 1), ("user", "bob", 2), ("user", "mira", 1),
    ]  # fmt: skip
    totals = {f"total_{kind}s": found[f"total_{kind}s"] for kind in ("user", "agent", "app", "run")}
    assert totals == {"total_users": 2, "total_agents": 1, "total_apps": 1, "total_runs": 1}
    assert (found["count"], found["next"], found["previous"]) == (5, None, None)
    for one in found["results"]:
        assert one.keys() >= {"id", "name", "type", "owner", "metadata", "created_at", "updated_at", "total_memories"}
        assert str(int(one["id"])) == one["id"]


def test_all_entities_are_given_when_no_page_is_asked_for(api, tenant):
    """Mem0's `reset` walks one answer, without asking for a page."""
    for number in range(205):
        api.answer("POST", "/v1/runs/", tenant.key, json={"run_id": f"run {number:03}"})
    assert len(api.get("/v1/entities/", tenant.key)["results"]) == 205
    walked, place = [], "/v1/entities/?page_size=100"
    while place:
        page = api.answer("GET", place, tenant.key)
        walked += [one["name"] for one in page["results"]]
        place = page["next"]
    assert walked == [f"run {number:03}" for number in range(205)]
    assert (page["count"], page["total_runs"]) == (205, 205)


@pytest.mark.parametrize("name", ODD)
def test_an_odd_name_is_a_name(api, tenant, name):
    """It can be stored under, read, listed and deleted; its neighbour stays."""
    tenant.say("I like tea", user_id=name)
    tenant.say("I like milk", user_id="neighbour")
    (found,) = api.answer("GET", path(name), tenant.key)
    assert (found["name"], found["total_memories"]) == (name, 1)
    listed = api.answer("GET", path(name).replace("/v2/entities/", "/v1/memories/"), tenant.key)
    assert [memory["memory"] for memory in listed["results"]] == ["I like tea"]
    deleted = api.answer("DELETE", path(name), tenant.key)
    assert api.get(f"/v1/event/{deleted['event_id']}/", tenant.key)["event_type"] == "DELETE_USER"
    api.work()
    assert tenant.texts() == ["I like milk"]
    assert api.ask("GET", path(name), key=tenant.key).status_code == 404


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=names)
def test_every_name_survives_the_path(api, tenant, name):
    """What is described under a name is read and deleted under it, and has a number that does not change."""
    made = api.answer("POST", "/v1/agents/", tenant.key, json={"agent_id": name})
    (found,) = api.answer("GET", path(name, kind="agent"), tenant.key)
    assert (found["name"], found["id"]) == (name, str(made["id"]))
    api.answer("DELETE", path(found["id"], version="v1", kind="agent"), tenant.key)
    assert api.ask("GET", path(name, kind="agent"), key=tenant.key).status_code == 404


@pytest.mark.parametrize("name", [".", ".."])
def test_nobody_is_called_what_clients_take_out_of_an_address(api, tenant, name):
    for place, body in (
        ("/v3/memories/add/", {"messages": "I like tea.", "user_id": name}),
        ("/v1/users/", {"user_id": name}),
    ):
        refused = api.ask("POST", place, key=tenant.key, json=body)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid-scope")
        assert f"user_id is '{name}'" in refused.json()["detail"]


@pytest.mark.parametrize("name", [".", ".."])
def test_what_was_stored_under_such_a_name_before_can_be_read_and_deleted(api, tenant, name, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(scope, "NO_NAMES", ())
        tenant.say("I like tea", user_id=name)
    tenant.say("I like milk", user_id="neighbour")
    assert tenant.texts(user_id=name) == ["I like tea"]
    (found,) = [one for one in api.get("/v1/entities/", tenant.key)["results"] if one["name"] == name]
    api.answer("DELETE", path(found["id"], version="v1"), tenant.key)
    api.work()
    assert tenant.texts() == ["I like milk"]


def test_who_is_gone_already_can_be_deleted_again(api, tenant):
    """Acknowledged like any other: Mem0's `reset` walks a list."""
    for _ in range(2):
        assert api.answer("DELETE", path("nobody"), tenant.key).keys() >= {"message", "event_id"}


@pytest.mark.parametrize(
    ("method", "place"),
    [
        ("GET", "/v2/entities/planet/earth/"), ("DELETE", "/v2/entities/planet/earth/"), ("GET", "/v1/memories/planet/earth/"),
        ("DELETE", "/v1/entities/planet/5/"), ("DELETE", "/v1/entities/user/mira/"), ("DELETE", "/v2/entities/user/*/"),
        ("DELETE", f"/v1/entities/user/{'9' * 17}/"), ("DELETE", "/v2/entities/user/%20/"),
        ("GET", "/v2/entities/user/%ff/"),
    ],
)  # fmt: skip
def test_what_is_no_entity_is_refused(api, tenant, method, place):
    tenant.say("I like tea")
    assert api.ask(method, place, key=tenant.key).status_code == 400
    api.work()
    assert tenant.texts() == ["I like tea"]


def test_an_unknown_number_deletes_nobody(api, tenant):
    tenant.say("I like tea")
    (found,) = api.get("/v1/entities/", tenant.key)["results"]
    assert api.ask("DELETE", f"/v1/entities/user/{int(found['id']) ^ 1}/", key=tenant.key).status_code == 404
    assert api.ask("DELETE", f"/v1/entities/agent/{found['id']}/", key=tenant.key).status_code == 404
    api.answer("DELETE", f"/v1/entities/user/{found['id']}/", tenant.key)
    api.work()
    assert tenant.texts() == []


@pytest.mark.parametrize("kind", ["user", "agent", "app", "run"])
def test_an_entity_may_be_described_before_it_has_memories(api, tenant, kind):
    """It is listed from then on; what is said again replaces what was."""
    for label in ("First", "Second"):
        answer = api.ask(
            "POST", f"/v1/{kind}s/", key=tenant.key, json={f"{kind}_id": "x", "name": label, "metadata": {"a": label}}
        )
        assert answer.status_code == 201
        made = answer.json()
        assert isinstance(made["id"], int)
        assert (made[f"{kind}_id"], made["name"], made["metadata"]) == ("x", label, {"a": label})
        assert made.keys() >= {"created_at", "updated_at", "graph_entities", "is_deleted", "project"}
    (listed,) = api.get("/v1/entities/", tenant.key)["results"]
    assert (listed["type"], listed["name"], listed["metadata"], listed["total_memories"]) == (
        kind,
        "x",
        {"a": "Second"},
        0,
    )
    tenant.say("I like tea", **{f"{kind}_id": "x"})
    described = next(one for one in api.get("/v1/entities/", tenant.key)["results"] if one["type"] == kind)
    assert (described["metadata"], described["total_memories"]) == ({"a": "Second"}, 1)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"user_id": " "},
        {"user_id": "*"},
        {"user_id": ["a"]},
        {"user_id": "a", "metadata": 5},
        {"user_id": "a", "name": {}},
    ],
)
def test_what_describes_nobody_is_refused(api, tenant, body):
    assert api.ask("POST", "/v1/users/", key=tenant.key, json=body).status_code == 400
    assert api.get("/v1/entities/", tenant.key)["count"] == 0


def test_what_was_said_of_an_entity_goes_when_all_about_it_is_erased(api, tenant):
    """To the last byte of the file, like the memories."""
    tenant.say("I keep a Wolpertinger", user_id="mira")
    api.answer(
        "POST",
        "/v1/users/",
        tenant.key,
        json={"user_id": "mira", "name": "Mira W.", "metadata": {"pet": "Wolpertinger"}},
    )
    api.answer("POST", "/v1/erase/", tenant.key, json={"user_id": "mira"})
    assert api.get("/v1/entities/", tenant.key)["count"] == 0
    store = Path(api.app.state.settings.database)
    held = b"".join(path.read_bytes() for path in store.parent.glob(f"{store.name}*"))
    assert b"Wolpertinger" not in held
    assert b"Mira W." not in held


def test_memories_of_an_entity_come_with_what_they_were_taken_from(api, tenant):
    """A page of a hundred, newest first, each with whether it was changed."""
    first, second = tenant.say("I like tea", "I like milk", user_id="mira")
    api.answer("PUT", f"/v1/memories/{first}/", tenant.key, json={"text": "I love tea"})
    tenant.say("I like water", user_id="bob")
    found = api.get("/v1/memories/user/mira/", tenant.key)["results"]
    assert {one["id"]: (one["memory"], one["is_updated"], one["input"][0]["content"]) for one in found} == {
        first: ("I love tea", True, "I like tea"),
        second: ("I like milk", False, "I like milk"),
    }
    assert api.get("/v1/memories/user/nobody/", tenant.key)["results"] == []
    assert api.ask("GET", "/v1/memories/user/mira/?page=2", key=tenant.key).json()["detail"] == "Invalid page."


def test_counts_are_of_what_there_is(api, tenant):
    tenant.say("I like tea", "I like milk", user_id="mira", agent_id="a1")
    tenant.say("I like water", user_id="bob")
    api.answer("POST", "/v3/memories/search/", tenant.key, json={"query": "tea", "filters": {"user_id": "mira"}})
    found = api.get("/v1/stats/", tenant.key)
    assert (found["total_memories"], found["total_add_events"], found["total_retrieval_events"]) == (3, 2, 1)
    assert (found["total_users_with_memories"], found["memories_per_user"]) == (2, 1.5)
    assert (found["total_agents_with_memories"], found["memories_per_agent"]) == (1, 2)
    assert (found["total_runs_with_memories"], found["memories_per_run"]) == (0, 0)


def test_a_bound_key_sees_lists_counts_describes_and_deletes_only_what_it_is_bound_to(api, tenant):
    alice = tenant.make_key(bound={"user_id": "alice"})
    tenant.say("I like tea", user_id="alice", agent_id="shared")
    tenant.say("I like milk", user_id="bob", agent_id="shared")
    tenant.say("I like water", user_id="bob", agent_id="bobs")
    for kind, name in (("user", "bob"), ("agent", "shared"), ("agent", "unused")):
        api.answer("POST", f"/v1/{kind}s/", tenant.key, json={f"{kind}_id": name, "metadata": {"secret": "yes"}})
    listed = {(one["type"], one["name"], one["total_memories"]) for one in api.get("/v1/entities/", alice)["results"]}
    assert listed == {("user", "alice", 1), ("agent", "shared", 1)}
    assert "secret" not in api.ask("GET", "/v1/entities/", key=alice).text
    found = api.get("/v1/stats/", alice)
    assert (found["total_memories"], found["total_add_events"], found["total_users_with_memories"]) == (1, 1, 1)
    assert api.get("/v1/entities/filters/", alice)["users"] == ["alice"]
    assert api.ask("POST", "/v1/users/", key=alice, json={"user_id": "bob"}).status_code == 403
    assert api.ask("POST", "/v1/agents/", key=alice, json={"agent_id": "shared"}).status_code == 403
    assert api.ask("DELETE", path("bob"), key=alice).status_code == 403
    api.answer("DELETE", path("shared", kind="agent"), alice)
    api.work()
    assert tenant.texts() == ["I like water", "I like milk"]
    assert ("agent", "shared") in {
        (one["type"], one["name"]) for one in api.get("/v1/entities/", tenant.key)["results"]
    }


def test_a_reader_deletes_and_describes_nobody(api, tenant):
    reader = tenant.make_key(role="READER")
    for method, place in (("DELETE", path("alice")), ("POST", "/v1/users/"), ("DELETE", "/v1/entities/user/1/")):
        assert api.ask(method, place, key=reader, json={"user_id": "alice"}).status_code in {403, 404}
