"""Proposals over REST: made, decided, and seen by whom they concern."""

from __future__ import annotations

import uuid

import pytest

REPEATED = ("I live in Lisbon near the river.", "I live in Lisbon, near the river!")
PROPOSALS = "/v1/proposals/"


@pytest.fixture
def repeat(tenant):
    """Says the same twice, in two runs; the ids."""

    def repeat(user="alice"):
        return [tenant.say(text, user_id=user, run_id=run)[0] for run, text in zip("ab", REPEATED, strict=True)]

    return repeat


@pytest.fixture
def make(api, tenant):
    """Looks for proposals; what was made."""
    return lambda key=None, **body: api.answer("POST", PROPOSALS, key or tenant.key, json=body)["results"]


def states(api, tenant, ids):
    return [api.get(f"/v1/memories/{one}/", tenant.key)["state"] for one in ids]


def test_what_is_made_waits_until_it_is_accepted(api, tenant, repeat, make):
    first, second = repeat()
    (made,) = make(user_id="alice")
    assert (made["kind"], made["status"], made["user_id"]) == ("merge", "pending", "alice")
    assert [one["id"] for one in made["closes"]] == [first]
    assert made["keeps"] == {"id": second, "memory": REPEATED[1]}
    assert made["diff"] == [f"- {REPEATED[0]}", f"  {REPEATED[1]}"]
    assert api.get(f"{PROPOSALS}{made['id']}/", tenant.key) == made
    assert states(api, tenant, [first, second]) == ["active", "active"]
    accepted = api.answer("POST", f"{PROPOSALS}{made['id']}/accept/", tenant.key)
    assert accepted["status"] == "accepted"
    assert states(api, tenant, [first, second]) == ["superseded", "active"]
    api.answer("POST", "/v1/undo/", tenant.key, json={"operation_id": accepted["operation_id"]})
    assert states(api, tenant, [first, second]) == ["active", "active"]


def test_an_edited_one_makes_a_memory(api, tenant, repeat, make):
    repeat()
    (made,) = make()
    accepted = api.answer(
        "POST", f"{PROPOSALS}{made['id']}/accept/", tenant.key, json={"text": "Alice lives in Lisbon."}
    )
    assert api.get(f"/v1/memories/{accepted['memory_id']}/", tenant.key)["memory"] == "Alice lives in Lisbon."


def test_a_declined_one_does_not_come_again(api, tenant, repeat, make):
    repeat()
    (made,) = make()
    assert api.answer("POST", f"{PROPOSALS}{made['id']}/decline/", tenant.key)["status"] == "declined"
    assert make() == []
    answer = api.ask("POST", f"{PROPOSALS}{made['id']}/accept/", key=tenant.key, json={})
    assert answer.status_code == 409


def test_they_are_listed_by_status_and_owner_in_pages(api, tenant, repeat, make):
    repeat()
    repeat("bob")
    (alices, bobs) = make(limit=2)
    api.answer("POST", f"{PROPOSALS}{bobs['id']}/decline/", tenant.key)

    def listed(**query):
        page = api.get(PROPOSALS, tenant.key, **query)
        assert page["count"] >= len(page["results"])
        return [one["id"] for one in page["results"]]

    assert listed() == [alices["id"]]
    assert listed(status="declined") == [bobs["id"]]
    assert listed(status="all") == [bobs["id"], alices["id"]]
    assert listed(status="all", user_id="alice") == [alices["id"]]
    assert listed(status="all", page_size=1, page=2) == [alices["id"]]


def test_to_look_is_to_keep_nothing(api, tenant, repeat, make):
    repeat()
    assert len(make(dry_run=True)) == 1
    assert api.get(PROPOSALS, tenant.key)["count"] == 0


def test_a_bound_key_makes_and_sees_those_of_what_it_is_bound_to(api, tenant, repeat, make):
    repeat()
    repeat("bob")
    alice = tenant.make_key(bound={"user_id": "alice"})
    (own,) = make(alice)
    (others,) = make()
    assert (own["user_id"], others["user_id"]) == ("alice", "bob")
    assert [one["id"] for one in api.get(PROPOSALS, alice, status="all")["results"]] == [own["id"]]
    for method, path in (("GET", ""), ("POST", "accept/"), ("POST", "decline/")):
        answer = api.ask(method, f"{PROPOSALS}{others['id']}/{path}", key=alice, json={})
        assert answer.status_code == 404


def test_a_reader_sees_and_does_not_decide(api, tenant, repeat, make):
    repeat()
    (made,) = make()
    reader = tenant.make_key(role="READER")
    assert api.get(f"{PROPOSALS}{made['id']}/", reader)["id"] == made["id"]
    for path in ("", f"{made['id']}/accept/", f"{made['id']}/decline/"):
        assert api.ask("POST", f"{PROPOSALS}{path}", key=reader, json={}).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("GET", "", {"params": {"status": "open"}}),
        ("GET", "5/", {}),
        ("POST", "", {"json": {"limit": 0}}),
        ("POST", "", {"json": {"filters": {"nobody": 1}}}),
    ],
)
def test_what_cannot_be_asked_for_is_said(api, tenant, method, path, more):
    assert api.ask(method, f"{PROPOSALS}{path}", key=tenant.key, **more).status_code == 400


def test_one_that_there_is_not_is_not_found(api, tenant):
    never = uuid.UUID(int=5)
    for method, path in (("GET", ""), ("POST", "accept/"), ("POST", "decline/")):
        answer = api.ask(method, f"{PROPOSALS}{never}/{path}", key=tenant.key, json={})
        assert answer.status_code == 404


def test_what_was_erased_is_in_no_proposal(api, tenant, repeat, make):
    first, _ = repeat()
    (made,) = make()
    api.answer("POST", f"/v1/memories/{first}/erase/", tenant.key)
    assert api.ask("GET", f"{PROPOSALS}{made['id']}/", key=tenant.key).status_code == 404
    assert "river" not in api.ask("GET", PROPOSALS, key=tenant.key, params={"status": "all"}).text


@pytest.mark.parametrize("filters", ["x", "", 5, 0, True, []])
def test_filters_that_are_none_are_refused(api, tenant, filters):
    answer = api.ask("POST", PROPOSALS, key=tenant.key, json={"user_id": "alice", "filters": filters})
    assert (answer.status_code, answer.json()["code"]) in {(400, "invalid-input"), (400, "invalid-filter")}
