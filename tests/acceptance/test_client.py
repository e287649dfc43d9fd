"""Kept's own clients against `kept serve`: what Mem0's cannot do, and that the errors are Kept's."""

from __future__ import annotations

import pytest

from kept import MemoryClient, errors


@pytest.fixture
def client(make_client, server):
    """A client of a project of its own."""
    _, key = server.make_project()
    return make_client(api_key=key, host=server.url)


@pytest.fixture
def tea(client):
    """A memory of mira's: its id."""
    return client.add("I like green tea", user_id="mira", wait=True)["results"][0]["id"]


def texts(client, **asked):
    return [memory["memory"] for memory in client.get_all(user_id="mira", **asked)["results"]]


def test_what_was_waited_for_is_found(client):
    """By a read that names the user beside the filter."""
    added = client.add("I like green tea", user_id="mira", metadata={"topic": "tea"}, wait=True)
    assert (added["status"], added["results"][0]["event"]) == ("SUCCEEDED", "ADD")
    asked = {"user_id": "mira", "filters": {"metadata": {"topic": "tea"}}}
    assert client.search("what does she drink", **asked)["results"][0]["memory"] == "I like green tea"
    assert client.get_all(**asked)["count"] == 1
    assert client.get_all(user_id="noor")["count"] == 0


def test_the_same_key_stores_once(client):
    """So that a retry never stores twice."""
    first = client.add("I like green tea", user_id="mira", idempotency_key="once")
    second = client.add("I like green tea", user_id="mira", idempotency_key="once")
    assert first["event_id"] == second["event_id"]
    client.wait(second)
    assert texts(client) == ["I like green tea"]


def test_events_are_listed_and_read(client, tea):
    """An add is one."""
    (event,) = client.events.list(event_type="ADD", status=["SUCCEEDED", "RUNNING"], user_id="mira")["results"]
    assert client.events.list(status="FAILED")["count"] == client.events.list(user_id="noor")["count"] == 0
    assert client.events.get(event["id"])["results"][0]["id"] == tea
    assert client.events.wait(event["id"])["status"] == "SUCCEEDED"


def test_a_block_for_a_prompt_keeps_to_its_budget(client, tea):
    """And cites what it holds."""
    block = client.context("what does she drink", user_id="mira", budget_tokens=200)
    assert "green tea" in block["text"]
    assert block["ids"] == [tea]
    assert 0 < block["tokens"] <= block["budget_tokens"] == 200


def test_what_was_changed_can_be_taken_back(client, tea):
    """By undo and by restore."""
    client.update(tea, text="I like black tea")
    assert client.undo(user_id="mira")["undone"]["kind"] == "update"
    assert texts(client) == ["I like green tea"]
    deleted = client.delete(tea)
    assert texts(client) == []
    client.undo(deleted["operation_id"])
    assert texts(client) == ["I like green tea"]
    client.delete(tea)
    client.restore(tea)
    assert texts(client) == ["I like green tea"]


def test_what_is_no_longer_true_is_closed(client, tea):
    """And not deleted."""
    assert client.invalidate(tea)["results"][0]["state"] == "invalidated"
    assert texts(client, latest_only=True) == []
    assert client.get(tea)["valid_to"] is not None


@pytest.mark.parametrize("by", ["id", "scope"])
def test_what_is_erased_is_gone(client, tea, by):
    """Also for undo and restore."""
    erased = client.erase(tea) if by == "id" else client.erase(user_id="mira")
    assert erased["erased"] == [tea]
    with pytest.raises(errors.NotFoundError):
        client.get(tea)


@pytest.mark.usefixtures("tea")
def test_a_deletion_that_was_waited_for_is_done(client):
    """Nothing of the scope is left."""
    assert client.delete_all(user_id="mira", wait=True)["status"] == "SUCCEEDED"
    assert texts(client) == []


@pytest.mark.usefixtures("tea")
def test_a_reset_leaves_nobody(client):
    """Each deletion can be waited for."""
    for event in client.reset()["event_ids"]:
        client.wait(event)
    assert client.users()["count"] == 0


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda client: client.search("tea", filters={"user_id": "mira", "unheard_of": 1}), errors.FilterError),
        (lambda client: client.add("tea"), errors.ScopeError),
        (lambda client: client.get("no uuid"), errors.InvalidInputError),
        (lambda client: client.get("0b0c6a0e-5f0e-4f5d-9a53-6c1b7f0f9d11"), errors.NotFoundError),
        (lambda client: client.project.create("another"), errors.ForbiddenError),
    ],
)
def test_errors_are_those_of_the_engine(client, call, kind):
    """By their codes."""
    with pytest.raises(errors.KeptError) as error:
        call(client)
    assert type(error.value) is kind


def test_a_wrong_key_is_said_by_the_first_call(server):
    """And by `ping`."""
    with MemoryClient("kept_wrong", server.url) as client, pytest.raises(errors.AuthenticationError):
        client.ping()


def test_keys_are_made_bound_and_ended(client, tea, server):
    """A bound one sees its user and nobody else."""
    made = client.keys.create("phone", role="READER", bound={"user_id": ["mira"]})
    assert made["name"] == "phone"
    assert made["id"] in {key["id"] for key in client.keys.list()["results"]}
    assert "api_key" not in client.keys.list()["results"][0]
    with MemoryClient(made["api_key"], server.url) as phone:
        assert phone.get(tea)["id"] == tea
        with pytest.raises(errors.ForbiddenError):
            phone.get_all(user_id="noor")
        client.keys.revoke(made["id"])
        with pytest.raises(errors.AuthenticationError):
            phone.get(tea)


@pytest.mark.usefixtures("tea")
def test_rules_say_how_long_memories_are_kept(client):
    """One that names the same replaces the older."""
    rule = client.retention.put(days=30, connector="rest")
    assert client.retention.put(days=None, connector="rest")["days"] == "forever"
    (kept,) = client.retention.list()["results"]
    assert (kept["connector"], kept["days"], kept["due"]) == ("rest", "forever", 0)
    client.retention.enforce()
    assert texts(client) == ["I like green tea"]
    client.retention.delete(kept["id"])
    assert client.retention.list()["results"] == []
    assert rule["days"] == 30


@pytest.mark.usefixtures("tea")
def test_who_did_what_is_written_down(client):
    """Newest first."""
    (entry,) = client.audit(action="memory.add", target="user_id=mira")["results"]
    assert (entry["action"], entry["outcome"], entry["connector"]) == ("memory.add", "ok", "rest")
    assert client.audit(before=entry["at"])["count"] < client.audit()["count"]


def test_a_link_is_made_changed_given_another_address_and_ended(client):
    """Its address is shown when it is made and when it is rotated, and never again."""
    made = client.links.create("audit", methods=["read"], tags=["memories"], user_id="mira")
    assert made["url"].startswith(client.host)
    assert client.links.update(made["id"], name="review")["name"] == "review"
    assert client.links.rotate(made["id"])["url"] != made["url"]
    (listed,) = client.links.list()["results"]
    assert (listed["name"], "url" in listed) == ("review", False)
    client.links.revoke(made["id"])
    assert client.links.list()["results"][0]["revoked_at"]


def test_a_limit_is_waited_out(limited):
    """The server says for how long, and the client comes back; when that is too long, it says so."""
    with MemoryClient(limited.make_project()[1], limited.url) as client:
        for number in range(4):
            client.add(f"Fact {number}", user_id="mira", infer=False)
        assert client.get_all(user_id="mira")["count"] == 4
        client.get_all(user_id="mira")
        client.get_all(user_id="mira")
        with pytest.raises(errors.RateLimitError) as error:
            client.get_all(user_id="mira")
        assert error.value.retry_after_s > 60
