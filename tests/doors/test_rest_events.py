"""Events, histories and the audit over REST."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest

NEVER = str(uuid.UUID(int=5))


def add(api, tenant, text="I like tea", *, key=None, **fields) -> str:
    """Hand a text over; the event's id."""
    said = {"messages": [{"role": "user", "content": text}], "user_id": "alice", **fields}
    return api.answer("POST", "/v3/memories/add/", key or tenant.key, json=said)["event_id"]


# --- events ---


def test_an_event_waits_until_its_work_is_done(api, tenant):
    """Then it has what came of it, in the names that Mem0's readers look for, and how long it took."""
    event_id = add(api, tenant, metadata={"src": "chat"})
    waiting = api.get(f"/v1/event/{event_id}/", tenant.key)
    assert (waiting["status"], waiting["results"], waiting["latency"], waiting["completed_at"]) == (
        "PENDING",
        [],
        None,
        None,
    )
    assert waiting["payload"]["messages"][0]["content"] == "I like tea"
    assert waiting["metadata"] == {"src": "chat"}
    api.work()
    done = api.get(f"/v1/event/{event_id}/", tenant.key)
    assert (done["id"], done["event_type"], done["status"], done["error"]) == (event_id, "ADD", "SUCCEEDED", None)
    (result,) = done["results"]
    assert (result["event"], result["memory"], result["data"]) == ("ADD", "I like tea", {"memory": "I like tea"})
    assert done["latency"] > 0
    assert done["created_at"] <= done["started_at"] <= done["completed_at"]


def test_an_event_shows_memories_as_they_are_now(api, tenant):
    """So that an erase reaches it."""
    event_id = add(api, tenant)
    api.work()
    (result,) = api.get(f"/v1/event/{event_id}/", tenant.key)["results"]
    api.answer("POST", f"/v1/memories/{result['id']}/erase/", tenant.key)
    answer = api.ask("GET", f"/v1/event/{event_id}/", key=tenant.key)
    assert "tea" not in answer.text
    assert answer.json()["results"][0]["memory"] is None


def test_events_are_listed_newest_first_and_narrowed(api, tenant):
    first, second = add(api, tenant), add(api, tenant, user_id="bob")
    deletion = api.answer("DELETE", "/v1/memories/?user_id=bob", tenant.key)["event_id"]

    def listed(**query):
        return [event["id"] for event in api.get("/v1/events/", tenant.key, **query)["results"]]

    assert listed() == [deletion, second, first]
    assert listed(event_type="ADD") == [second, first]
    assert listed(event_type=["add", "DELETE_ALL"]) == listed(event_type="ADD,DELETE_ALL") == [deletion, second, first]
    assert listed(user_id="bob") == [deletion, second]
    assert listed(status="PENDING", event_type="DELETE_ALL") == [deletion]
    assert listed(status="processing") == []
    middle = api.get(f"/v1/event/{second}/", tenant.key)["created_at"]
    assert listed(after=middle) == [deletion, second]
    assert listed(before=middle) == [first]
    api.work()
    assert listed(status="SUCCEEDED") == [deletion, second, first]
    assert listed(status="FAILED") == []
    assert listed(event_type="SEARCH") == []  # reads are in the audit


def test_pages_of_events_walk_each_once(api, tenant):
    ids = [add(api, tenant, f"number {number}") for number in range(5)]
    walked, place = [], "/v1/events/?page_size=2&event_type=ADD"
    while place:
        page = api.answer("GET", place, tenant.key)
        walked += [event["id"] for event in page["results"]]
        assert page["count"] == 5
        place = page["next"]
    assert walked == ids[::-1]


@pytest.mark.parametrize(
    "query", [{"status": "DONE"}, {"event_type": "SING"}, {"after": "soon"}, {"page": 0}, {"page_size": 0}]
)
def test_what_events_cannot_be_asked_for_is_said(api, tenant, query):
    assert api.ask("GET", "/v1/events/", key=tenant.key, params=query).status_code == 400


def test_a_malformed_event_id_is_no_unknown_one(api, tenant):
    assert api.ask("GET", "/v1/event/5/", key=tenant.key).status_code == 400
    assert api.ask("GET", f"/v1/event/{NEVER}/", key=tenant.key).status_code == 404


def test_a_bound_key_sees_events_of_what_it_is_bound_to(api, tenant):
    alice = tenant.make_key(bound={"user_id": "alice"})
    hers, others = add(api, tenant), add(api, tenant, user_id="bob")
    everybodys = api.answer("DELETE", "/v1/memories/?user_id=*&agent_id=*&app_id=*&run_id=*", tenant.key)["event_id"]
    assert [event["id"] for event in api.get("/v1/events/", alice)["results"]] == [hers]
    for event_id in (others, everybodys):
        assert api.ask("GET", f"/v1/event/{event_id}/", key=alice).status_code == 404
    own = api.answer("DELETE", "/v1/memories/?user_id=alice", alice)["event_id"]
    assert api.get(f"/v1/event/{own}/", alice)["status"] == "PENDING"


# --- what happened to memories ---


def test_histories_of_all_memories_come_newest_first(api, tenant):
    """Each entry as the memory's own history has it, whatever became of the memory."""
    first, second = tenant.say("I like tea", "I like milk")
    api.answer("PUT", f"/v1/memories/{first}/", tenant.key, json={"text": "I love tea"})
    api.answer("DELETE", f"/v1/memories/{second}/", tenant.key)
    found = api.get("/v1/memories/events/", tenant.key)
    assert [(one["memory_id"], one["event"]) for one in found["results"]] == [
        (second, "DELETE"), (first, "UPDATE"), (second, "ADD"), (first, "ADD"),
    ]  # fmt: skip
    assert found["count"] == 4
    own = api.answer("GET", f"/v1/memories/{first}/history/", tenant.key)
    assert [one for one in found["results"][::-1] if one["memory_id"] == first] == own
    assert own[1].keys() >= {"old_memory", "new_memory", "input", "user_id", "session_id", "created_at", "updated_at"}
    assert (own[1]["old_memory"], own[1]["new_memory"]) == ("I like tea", "I love tea")


def test_pages_of_histories_walk_each_entry_once(api, tenant):
    ids = tenant.say(*(f"number {number}" for number in range(5)))
    walked, place = [], "/v1/memories/events/?limit=2"
    while place:
        page = api.answer("GET", place, tenant.key)
        walked += [one["memory_id"] for one in page["results"]]
        place = page["next"]
    assert walked == ids[::-1]
    assert api.ask("GET", "/v1/memories/events/?page=9", key=tenant.key).status_code == 404


def test_a_bound_key_sees_histories_of_what_it_is_bound_to(api, tenant):
    (hers,) = tenant.say("I like tea")
    tenant.say("I like milk", user_id="bob")
    for users in ("alice", ["alice", "carol"]):
        found = api.get("/v1/memories/events/", tenant.make_key(bound={"user_id": users}))
        assert ([one["memory_id"] for one in found["results"]], found["count"]) == ([hers], 1)


def test_what_was_erased_is_in_no_history(api, tenant):
    (memory_id,) = tenant.say("I like tea")
    api.answer("POST", f"/v1/memories/{memory_id}/erase/", tenant.key)
    answer = api.ask("GET", "/v1/memories/events/", key=tenant.key)
    assert "tea" not in answer.text
    assert [one["event"] for one in answer.json()["results"]] == ["ERASE", "ADD"]


# --- the audit ---


def test_the_audit_says_who_did_what_with_which_key(api, tenant):
    """Reads and changes, what was refused as well; at once, and never a memory's text or a query."""
    reader = tenant.make_key(name="phone", role="READER")
    (memory_id,) = tenant.say("I like tea")
    asked = {"query": "what about tea", "filters": {"user_id": "alice"}}
    api.answer("POST", "/v3/memories/search/", reader, json=asked, headers={"X-Request-ID": "mine"})
    api.ask("DELETE", f"/v1/memories/{memory_id}/", key=reader)
    answer = api.ask("GET", "/v1/audit/?action=memory", key=tenant.key)
    assert "tea" not in answer.text
    refused, search, stored = answer.json()["results"]
    assert (refused["actor"], refused["action"], refused["outcome"]) == ("phone", "memory.delete", "forbidden")
    assert (search["actor"], search["action"], search["target"], search["count"]) == (
        "phone",
        "memory.search",
        "user_id=alice",
        1,
    )
    assert (search["request_id"], search["connector"], search["project_id"]) == ("mine", "rest", tenant.id)
    assert (stored["actor"], stored["action"], stored["outcome"], stored["count"]) == ("owner", "memory.add", "ok", 1)
    assert search["key_id"] == refused["key_id"] != stored["key_id"]


def test_the_audit_is_narrowed_and_paged(api, tenant):
    before = datetime.now(UTC)
    reader = tenant.make_key(name="phone", role="READER")
    tenant.say("I like tea")
    tenant.texts(reader)
    tenant.texts(reader, user_id="alice")
    key_id = next(key["id"] for key in api.get("/v1/keys/", tenant.key)["results"] if key["name"] == "phone")

    def listed(**query):
        return [(one["actor"], one["action"]) for one in api.get("/v1/audit/", tenant.key, **query)["results"]]

    assert listed(actor="phone") == listed(key_id=key_id) == [("phone", "memory.list")] * 2
    assert listed(target="user_id=alice", actor="phone") == [("phone", "memory.list")]
    assert listed(action="memory.add") == [("owner", "memory.add")]
    assert listed(outcome="forbidden") == listed(before=before.isoformat()) == []
    assert len(listed(action="memory", after=(before - timedelta(seconds=1)).isoformat())) == 3
    page = api.get("/v1/audit/", tenant.key, action="memory", page=2, page_size=2)
    assert (page["count"], len(page["results"]), page["next"]) == (3, 1, None)
    assert api.ask("GET", "/v1/audit/?after=soon", key=tenant.key).status_code == 400


def test_what_an_administrator_does_in_a_project_stands_in_its_audit(api, tenant):
    api.answer("PATCH", tenant.path, api.admin, json={"name": "mine"})
    (entry,) = api.get("/v1/audit/", tenant.key, action="project.update")["results"]
    assert (entry["actor"], entry["target"]) == ("test", "fields=name")


def test_asking_for_what_others_have_stands_in_ones_own_audit(api, tenant):
    api.ask("GET", api.make_project().path, key=tenant.key)
    (entry,) = api.get("/v1/audit/", tenant.key, action="project.enter")["results"]
    assert entry["outcome"] == "not-found"


def test_the_audit_is_exported_as_json_lines(api, tenant):
    """All of it, newest first, as it is listed; a line even where there is nothing."""
    for _ in range(3):
        tenant.texts()
    listed = api.get("/v1/audit/", tenant.key, action="memory")["results"]
    answer = api.ask("GET", "/v1/audit/export/?action=memory", key=tenant.key)
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in answer.text.splitlines()] == listed
    assert api.ask("GET", "/v1/audit/export/?actor=nobody", key=tenant.key).content == b"\n"


@pytest.mark.parametrize("place", ["/v1/audit/", "/v1/audit/export/"])
@pytest.mark.parametrize("role", ["READER", "WRITER"])
def test_the_audit_is_the_owners_matter(api, tenant, place, role):
    assert api.ask("GET", place, key=tenant.make_key(role=role)).status_code == 403
    (refused,) = api.get("/v1/audit/", tenant.key, outcome="forbidden")["results"]
    assert refused["action"].startswith("audit.")
