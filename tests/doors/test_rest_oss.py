"""The routes of Mem0's self-hosted server: `Memory`'s shapes, answered at once."""

from __future__ import annotations

import uuid

import pytest

NEVER = str(uuid.UUID(int=5))


@pytest.fixture(scope="module", autouse=True)
def _at_work(api):
    """Deletions here are waited for."""
    api.app.state.worker.start()
    yield
    api.app.state.worker.stop()


def add(api, tenant, text="I like tea", **ids):
    """Store a text verbatim; the memory's id."""
    body = {"messages": [{"role": "user", "content": text}], "infer": False, **(ids or {"user_id": "alice"})}
    return api.answer("POST", "/memories", tenant.key, json=body)["results"][0]["id"]


def texts(api, tenant, **query):
    """What is listed."""
    return [memory["memory"] for memory in api.get("/memories", tenant.key, **query)["results"]]


def test_what_is_added_is_found_at_once(api, tenant):
    said = {
        "messages": [{"role": "user", "content": "I moved to Bergen in May."}],
        "user_id": "alice",
        "metadata": {"a": 1},
    }
    (stored,) = api.answer("POST", "/memories", tenant.key, json=said)["results"]
    assert (stored["event"], stored["memory"]) == ("ADD", "I moved to Bergen in May.")
    found = api.answer("POST", "/search", tenant.key, json={"query": "Bergen", "user_id": "alice", "explain": True})
    (hit,) = found["results"]
    assert (hit["id"], hit["metadata"]["a"], hit["user_id"]) == (stored["id"], 1, "alice")
    assert 0 < hit["score"] <= 1
    assert hit["score_details"]


def test_a_search_takes_memorys_filters(api, tenant):
    """Ids at the top, metadata flat beside them, logic as lists."""
    kept = add(api, tenant, "I like green tea", user_id="alice", agent_id="a1")
    add(api, tenant, "I like black tea", user_id="bob")
    api.answer("PUT", f"/memories/{kept}", tenant.key, json={"metadata": {"colour": "green"}})
    for filters in (
        {"user_id": "alice"},
        {"user_id": "*", "colour": "green"},
        {"user_id": "alice", "NOT": [{"colour": "red"}]},
    ):
        found = api.answer("POST", "/search", tenant.key, json={"query": "tea", "filters": filters})
        assert [hit["id"] for hit in found["results"]] == [kept], filters


def test_somebody_must_be_named_to_add_search_and_delete(api, tenant):
    add(api, tenant)
    for method, path, body in (
        ("POST", "/memories", {"messages": "x"}),
        ("POST", "/search", {"query": "x"}),
        ("DELETE", "/memories", None),
    ):
        assert api.ask(method, path, key=tenant.key, json=body).status_code == 400
    assert texts(api, tenant) == ["I like tea"]


def test_a_list_is_of_whom_is_named_or_of_everybody(api, tenant):
    add(api, tenant, "I like tea", user_id="alice")
    add(api, tenant, "I plan", agent_id="planner")
    assert texts(api, tenant) == ["I plan", "I like tea"]
    assert texts(api, tenant, agent_id="planner") == ["I plan"]
    assert texts(api, tenant, top_k=1) == ["I plan"]
    assert api.ask("GET", "/memories?top_k=1001", key=tenant.key).status_code == 400


def test_one_memory_is_read_changed_and_deleted(api, tenant):
    memory_id = add(api, tenant)
    path = f"/memories/{memory_id}"
    assert api.answer("PUT", path, tenant.key, json={"text": "I love tea"}) == {
        "message": "Memory updated successfully!"
    }
    assert api.answer("GET", path, tenant.key)["memory"] == "I love tea"
    assert [step["event"] for step in api.answer("GET", f"{path}/history", tenant.key)] == ["ADD", "UPDATE"]
    assert api.answer("DELETE", path, tenant.key) == {"message": "Memory deleted successfully!"}
    assert api.answer("GET", path, tenant.key) is None
    assert api.ask("DELETE", path, key=tenant.key).status_code == 404


@pytest.mark.parametrize("memory_id", [NEVER, "5", "a%2Fb"])
def test_reading_a_memory_that_is_not_there_gives_null(api, tenant, memory_id):
    """With 200, as that server does."""
    answer = api.ask("GET", f"/memories/{memory_id}", key=tenant.key)
    assert (answer.status_code, answer.json()) == (200, None)


def test_deletions_are_done_when_they_are_answered(api, tenant):
    for ids in ({"user_id": "alice"}, {"agent_id": "planner"}, {"user_id": "bob/x"}):
        add(api, tenant, f"of {ids}", **ids)
    assert api.answer("DELETE", "/memories?user_id=alice", tenant.key) == {"message": "Memories deleted successfully!"}
    assert len(texts(api, tenant)) == 2
    assert api.answer("DELETE", "/entities/user/bob%2Fx", tenant.key) == {"message": "Entity deleted"}
    assert [found["id"] for found in api.answer("GET", "/entities", tenant.key)] == ["planner"]
    assert api.answer("POST", "/reset", tenant.key) == {"message": "All memories reset"}
    assert texts(api, tenant) == []


def test_a_deletion_says_that_immutable_memories_stay_and_a_reset_takes_them(api, tenant):
    tenant.say("I like tea", immutable=True)
    deleted = api.answer("DELETE", "/memories?user_id=alice", tenant.key)
    assert deleted == {"message": "Memories deleted successfully!", "passed_over": 1}
    assert api.answer("POST", "/reset", tenant.key) == {"message": "All memories reset"}
    assert texts(api, tenant) == []


def test_only_owners_reset(api, tenant):
    add(api, tenant)
    assert api.ask("POST", "/reset", key=tenant.make_key(role="WRITER")).status_code == 403
    assert texts(api, tenant) == ["I like tea"]


def test_entities_are_a_list(api, tenant):
    add(api, tenant)
    (found,) = api.answer("GET", "/entities", tenant.key)
    assert (found["id"], found["type"], found["total_memories"]) == ("alice", "user", 1)
    assert found.keys() == {"id", "type", "total_memories", "created_at", "updated_at"}


def test_the_configuration_can_be_read(api, tenant):
    assert api.answer("GET", "/configure", tenant.key)["version"] == "v1.1"
    assert api.ask("POST", "/configure", key=tenant.key, json={}).status_code == 405


def test_a_bound_key_sees_only_its_own(api, tenant):
    add(api, tenant, "I like tea", user_id="alice")
    others = add(api, tenant, "I like milk", user_id="bob")
    for users in ("alice", ["alice", "carol"]):
        key = tenant.make_key(bound={"user_id": users})
        assert [memory["memory"] for memory in api.get("/memories", key)["results"]] == ["I like tea"]
        assert api.answer("GET", f"/memories/{others}", key) is None
        assert [found["id"] for found in api.answer("GET", "/entities", key)] == ["alice"]
        assert api.ask("DELETE", "/memories?user_id=bob", key=key).status_code == 403
    assert len(texts(api, tenant)) == 2
