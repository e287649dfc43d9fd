"""What attacks on the server found: each of these once went wrong."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from kept.rest import inventory


def bound_to_agent(tenant, agent: str = "butler", **fields) -> str:
    """The secret of a key that is one agent's, of whichever user."""
    return tenant.make_key(bound={"agent_id": agent}, **fields)


# --- what a bound key reaches ---


def test_a_bound_key_supersedes_no_memory_that_is_not_its_own(api, tenant):
    """A fact may replace what is the same user's, but not what another agent knows of the user."""
    (foreign,) = tenant.say("The gate is open", user_id="alice", agent_id="gardener")
    (own,) = tenant.say("The door is open", user_id="alice", agent_id="butler")
    key = bound_to_agent(tenant)

    def replace(memory_id: str):
        fact = {"text": "All is shut", "supersedes": [memory_id]}
        return api.ask("POST", "/v3/memories/add/", key=key, json={"user_id": "alice", "facts": [fact]})

    assert replace(foreign).status_code == 404
    assert api.get(f"/v1/memories/{foreign}/", tenant.key)["state"] == "active"
    assert replace(own).json()["superseded"] == [own]


def test_a_profile_asked_for_by_a_bound_key_is_made_of_what_it_may_read(api, tenant):
    """It reads that profile, and it is not the user's own."""
    told = [f"I like the {thing} in my garden very much" for thing in ("rose", "lily", "pond", "shed", "pear", "wall")]
    tenant.say(*told, user_id="alice", agent_id="gardener")
    key, asked = bound_to_agent(tenant), {"operation": "trigger", "entity_id": "alice"}
    tenant.say("I like tea", user_id="alice", agent_id="butler")
    headers = {"Idempotency-Key": "asked by the butler"}
    run = api.answer("POST", "/v2/profiles/jobs/", key, json=asked, headers=headers)
    api.app.state.worker.run_due("making")
    assert api.get(f"/v2/profiles/jobs/{run['job_id']}/", key)["job"]["skipped"] == 1
    assert api.get("/v2/entities/user/alice/profile/", key)["status"] == "insufficient_data"
    assert api.get("/v2/entities/user/alice/profile/", tenant.key)["generation_count"] == 0


def test_a_bound_key_learns_nothing_of_an_operation_whose_memories_were_erased(api, tenant):
    """Whose they were is not known any more, so it is nobody's but the project's."""
    (erased,) = tenant.say("I like tea", user_id="bob")
    deleted = api.answer("DELETE", f"/v1/memories/{erased}/", tenant.key)["operation_id"]
    api.answer("POST", "/v1/erase/", tenant.key, json={"user_id": "bob"})
    key = tenant.make_key(bound={"user_id": "alice"})
    assert api.ask("POST", "/v1/undo/", key=key, json={"operation_id": deleted}).status_code == 404


# --- what one caller's waiting does to others ---


@pytest.fixture
def held(make_api, tmp_path):
    """A server whose store another process is writing to, for as long as the test says."""
    api = make_api()
    store = sqlite3.connect(tmp_path / "kept-0.db", isolation_level=None)
    yield api, store
    store.close()


def test_a_key_that_is_used_for_the_first_time_waits_for_no_writer(held):
    """When it was used is written afterwards: a request is recognised where all others would have to wait for it."""
    api, store = held
    key = api.make_key(name="new", role="READER")
    store.execute("BEGIN IMMEDIATE")
    assert api.get("/v1/ping/", key)["status"] == "ok"
    store.execute("ROLLBACK")
    assert [found.last_used_at is not None for found in api.keys.all("default") if found.name == "new"] == [True]


def test_a_search_waits_for_no_write(held):
    """However many writes wait for a store that another process holds, they leave threads to whoever reads."""
    api, store = held
    (_, key) = api.keys.make(name="owner", role="OWNER")
    api.answer("POST", "/v3/memories/add/", key, json={"messages": "I like tea", "infer": False, "user_id": "alice"})
    store.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(70) as others:
        writes = [others.submit(api.ask, "POST", "/v1/users/", key=key, json={"user_id": f"u{n}"}) for n in range(50)]
        writes += [others.submit(api.ask, "GET", "/readyz") for _ in range(10)]
        search = others.submit(
            api.ask, "POST", "/v2/memories/search/", key=key, json={"query": "tea", "user_id": "alice"}
        )
        assert search.result(10).json()[0]["memory"] == "I like tea"
        store.execute("ROLLBACK")
    assert {write.result().status_code for write in writes} == {201, 503}  # ready it is not: its worker rests


# --- what is kept of what callers send ---


def test_the_audit_keeps_little_of_a_long_name(api, tenant):
    """Whoever may only read cannot fill the store with what is asked for."""
    reader = tenant.make_key(role="READER")
    api.ask("POST", "/v1/exports/get/", key=reader, json={"memory_export_id": "\u00e9" * 100_000})
    api.ask("GET", f"/memories/{'x' * 10_000}", key=reader)
    entries = api.get("/v1/audit/", tenant.key)["results"]
    assert len(entries) == 2
    assert all(len(str(entry)) < 4_000 for entry in entries)


# --- deletions take what was asked for ---


def test_a_deletion_with_an_empty_id_is_refused(api, tenant):
    """Whoever meant one user's memories of an agent, and has lost the user, does not mean everybody's."""
    tenant.say("I like tea", user_id="alice", agent_id="butler")
    for path in ("/v1/memories/", "/memories"):
        answer = api.ask("DELETE", path, key=tenant.key, params={"user_id": "", "agent_id": "butler"})
        assert answer.status_code == 400
        assert "user_id" in answer.json()["message"]
    api.work()
    assert tenant.texts() == ["I like tea"]


@pytest.mark.parametrize("query", ["categories=food", "keywords=tea", "userid=bob", "end_date=2020-01-01"])
def test_a_deletion_narrowed_by_what_it_does_not_know_is_refused(api, tenant, query):
    """What is not understood is not left out: it would delete more than was meant."""
    tenant.say("I like tea", user_id="alice")
    for path in ("/v1/memories/", "/memories"):
        answer = api.ask("DELETE", f"{path}?user_id=alice&{query}", key=tenant.key)
        assert answer.status_code == 400
        assert query.partition("=")[0] in answer.json()["message"]
    api.work()
    assert tenant.texts() == ["I like tea"]


# --- what nobody means and anybody can send ---


def test_a_position_before_every_log_knows_nothing(api, tenant):
    """However far before."""
    tenant.say("I like tea")
    asked = {"query": "tea", "user_id": "alice", "as_of": -(2**63) - 1}
    assert api.answer("POST", "/v2/memories/search/", tenant.key, json=asked) == []


def test_half_a_character_in_an_id_is_no_fault_of_ours(api, tenant):
    """Of an id that is looked up, and that the audit notes."""
    halves = {
        "/v1/exports/get/": '{"memory_export_id": "\\ud800"}',
        "/v2/profiles/jobs/": '{"entity_id": "\\ud800", "operation": "trigger"}',
        "/v1/feedback/": '{"memory_id": "\\ud800"}',
        "/v1/undo/": '{"operation_id": "\\ud800"}',
    }
    for path, body in halves.items():
        headers = {"Content-Type": "application/json", "Idempotency-Key": "asked by a test"}
        answer = api.ask("POST", path, key=tenant.key, content=body, headers=headers)
        assert answer.status_code in {400, 404}, path


@pytest.mark.parametrize(("name", "segment"), [("..", "%2E%2E"), (".", "%2E"), ("a/../b", "a%2F%2E%2E%2Fb")])
def test_a_name_in_a_tools_path_leads_to_no_other_route(name, segment):
    """A client takes `..` out of a path, together with what was before it."""
    url = httpx2.URL(f"http://kept.test/v1/memories/{inventory._segment(name)}/keys/")
    assert url.raw_path.decode() == f"/v1/memories/{segment}/keys/"
