"""What the clients send over the wire, and what they make of the answers. Each test speaks to both kinds of client."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import httpx2
import pytest

import kept
from kept import AsyncMemoryClient, MemoryClient
from kept.errors import (
    AuthenticationError,
    ConfigurationError,
    EventFailedError,
    InvalidInputError,
    NotFoundError,
    ScopeError,
    ServerError,
    UnreachableError,
    WaitTimeoutError,
)

ID = "0b0c6a0e-5f0e-4f5d-9a53-6c1b7f0f9d11"
PING = {"status": "ok", "org_id": "org_1", "project_id": "proj_1", "user_email": None}
P = "/api/v1/orgs/organizations/org_1/projects/proj_1/"
W = "/api/v1/webhooks/projects/"


# --- every call, as it goes over the wire ---

CALLS = [
    ("ping", (), {}, "GET", "/v1/ping/", {}, None),
    ("get", (ID,), {}, "GET", f"/v1/memories/{ID}/", {}, None),
    ("get", ("a/b %?",), {}, "GET", "/v1/memories/a%2Fb%20%25%3F/", {}, None),
    ("get", ("..",), {}, "GET", "/v1/memories/%2E%2E/", {}, None),
    ("history", (ID,), {}, "GET", f"/v1/memories/{ID}/history/", {}, None),
    (
        "search",
        (" tea ",),
        {"filters": {"user_id": "u"}},
        "POST",
        "/v3/memories/search/",
        {},
        {"query": "tea", "filters": {"user_id": "u"}},
    ),
    (
        "get_all",
        (),
        {"filters": {"user_id": "u"}, "page": 2, "page_size": 5, "show_expired": True},
        "POST",
        "/v3/memories/",
        {"page": ["2"], "page_size": ["5"]},
        {"filters": {"user_id": "u"}, "show_expired": True},
    ),
    ("get_all", (), {}, "POST", "/v3/memories/", {}, {}),
    ("timeline", ("tea",), {"user_id": "u", "top_k": 3, "reference_date": date(2026, 3, 2)}, "POST", "/v1/timeline/", {}, {"query": "tea", "user_id": "u", "top_k": 3, "reference_date": "2026-03-02"}),
    (
        "context",
        ("tea",),
        {"user_id": "u", "budget_tokens": 99},
        "POST",
        "/v1/context/",
        {},
        {"query": "tea", "user_id": "u", "budget_tokens": 99},
    ),
    ("update", (ID,), {"text": "new"}, "PUT", f"/v1/memories/{ID}/", {}, {"text": "new"}),
    ("update", (ID,), {"expiration_date": None}, "PUT", f"/v1/memories/{ID}/", {}, {"expiration_date": None}),
    ("update", (ID, {"text": "new"}), {}, "PUT", f"/v1/memories/{ID}/", {}, {"text": "new"}),
    ("delete", (ID,), {}, "DELETE", f"/v1/memories/{ID}/", {}, None),
    ("delete", (ID, True), {}, "DELETE", f"/v1/memories/{ID}/", {"delete_linked": ["true"]}, None),
    ("delete_all", (), {"user_id": "u"}, "DELETE", "/v1/memories/", {"user_id": ["u"]}, None),
    (
        "delete_all",
        (),
        {"filters": {"user_id": "u"}},
        "DELETE",
        "/v1/memories/",
        {"filters": ['{"user_id": "u"}']},
        None,
    ),
    (
        "batch_update",
        ([{"memory_id": ID, "text": "x"}],),
        {},
        "PUT",
        "/v1/batch/",
        {},
        {"memories": [{"memory_id": ID, "text": "x"}]},
    ),
    ("batch_delete", ([ID],), {}, "DELETE", "/v1/batch/", {}, {"memories": [{"memory_id": ID}]}),
    ("batch_delete", ([{"memory_id": ID}],), {}, "DELETE", "/v1/batch/", {}, {"memories": [{"memory_id": ID}]}),
    (
        "feedback",
        (ID, "positive"),
        {},
        "POST",
        "/v1/feedback/",
        {},
        {"memory_id": ID, "feedback": "POSITIVE", "feedback_reason": None},
    ),
    ("invalidate", (ID,), {"at": "2026-03-02"}, "POST", f"/v1/memories/{ID}/invalidate/", {}, {"at": "2026-03-02"}),
    ("restore", (ID, 3), {}, "POST", f"/v1/memories/{ID}/restore/", {}, {"seq": 3}),
    ("undo", (), {"user_id": "u"}, "POST", "/v1/undo/", {}, {"user_id": "u"}),
    ("undo", ("op",), {}, "POST", "/v1/undo/", {}, {"operation_id": "op"}),
    ("erase", (ID,), {}, "POST", f"/v1/memories/{ID}/erase/", {}, {}),
    ("erase", (), {"user_id": "u"}, "POST", "/v1/erase/", {}, {"user_id": "u"}),
    ("users", (), {}, "GET", "/v1/entities/", {}, None),
    ("users", (), {"page": 2}, "GET", "/v1/entities/", {"page": ["2"]}, None),
    ("delete_users", ("a/ü",), {}, "DELETE", "/v2/entities/user/a%2F%C3%BC/", {}, None),
    ("delete_users", (), {"run_id": "r"}, "DELETE", "/v2/entities/run/r/", {}, None),
    (
        "create_memory_export",
        ({"type": "object"},),
        {"filters": {"user_id": "u"}},
        "POST",
        "/v1/exports/",
        {},
        {"schema": {"type": "object"}, "filters": {"user_id": "u"}},
    ),
    (
        "get_memory_export",
        (),
        {"memory_export_id": "e"},
        "POST",
        "/v1/exports/get/",
        {},
        {"memory_export_id": "e"},
    ),
    ("get_summary", (), {}, "POST", "/v1/summary/", {}, {}),
    ("get_profile", ("mira",), {}, "GET", "/v2/entities/user/mira/profile/", {}, None),
    (
        "generate_profile",
        ("mira",),
        {},
        "POST",
        "/v2/profiles/jobs/",
        {},
        {"operation": "trigger", "entity_type": "user", "entity_id": "mira"},
    ),
    (
        "sample_profiles",
        (3,),
        {},
        "POST",
        "/v2/profiles/jobs/",
        {},
        {"operation": "sample", "entity_type": "user", "limit": 3},
    ),
    ("get_profile_job", ("j1",), {}, "GET", "/v2/profiles/jobs/j1/", {}, None),
    ("get_profile_job", ("/elsewhere/j1/",), {}, "GET", "/elsewhere/j1/", {}, None),
    ("get_profile_settings", (), {}, "GET", "/v2/profiles/settings/", {}, None),
    (
        "update_profile_settings",
        (True,),
        {"schema": None},
        "POST",
        "/v2/profiles/settings/",
        {},
        {"enabled": True, "entities": {"user": {"schema": None}}},
    ),
    ("update_profile_settings", (), {}, "POST", "/v2/profiles/settings/", {}, {}),
    ("get_webhooks", ("proj_2",), {}, "GET", f"{W}proj_2/", {}, None),
    ("get_webhooks", (), {}, "GET", f"{W}proj_1/", {}, None),
    (
        "create_webhook",
        ("https://x.example", "x", "proj_2", ["memory_add"]),
        {},
        "POST",
        f"{W}proj_2/",
        {},
        {"url": "https://x.example", "name": "x", "event_types": ["memory_add"]},
    ),
    ("update_webhook", ("wh_1", "y"), {}, "PUT", "/api/v1/webhooks/wh_1/", {}, {"name": "y"}),
    ("delete_webhook", ("wh_1",), {}, "DELETE", "/api/v1/webhooks/wh_1/", {}, None),
    ("get_project", (), {}, "GET", P, {}, None),
    ("update_project", (), {"multilingual": False}, "PATCH", P, {}, {"multilingual": False}),
    ("audit", (), {"action": "memory.search"}, "GET", "/v1/audit/", {"action": ["memory.search"]}, None),
    ("audit", (), {"after": datetime(2026, 3, 2, tzinfo=UTC)}, "GET", "/v1/audit/", {"after": ["2026-03-02T00:00:00+00:00"]}, None),
    ("spending", (), {}, "GET", "/v1/spending/", {"by": ["day"]}, None),
    ("spending", ("model",), {"task": "summary", "start_date": date(2026, 3, 2)}, "GET", "/v1/spending/", {"by": ["model"], "task": ["summary"], "start_date": ["2026-03-02"]}, None),
    ("search_graph", ("tom",), {"user_id": "u", "limit": 3}, "GET", "/v1/graph/search/", {"query": ["tom"], "user_id": ["u"], "limit": ["3"]}, None),
    ("get_entity", ("Tom",), {"user_id": "u", "filters": {"a": 1}, "valid_as_of": date(2026, 3, 2)}, "GET", "/v1/graph/entity/", {"name": ["Tom"], "user_id": ["u"], "filters": ['{"a": 1}'], "valid_as_of": ["2026-03-02"]}, None),
    ("neighbours", ("Tom",), {"user_id": "u", "depth": 2, "relationship": "uses"}, "GET", "/v1/graph/neighbours/", {"name": ["Tom"], "user_id": ["u"], "depth": ["2"], "relationship": ["uses"]}, None),
    ("paths", ("Tom", "Eve"), {"user_id": "u", "max_length": 2}, "GET", "/v1/graph/paths/", {"source": ["Tom"], "target": ["Eve"], "user_id": ["u"], "max_length": ["2"]}, None),
    ("merge_entities", ("Postgres", "PG"), {"user_id": "u"}, "POST", "/v1/graph/merge/", {}, {"into": "Postgres", "names": ["PG"], "user_id": "u"}),
    ("split_entity", (["PG", "Pg"],), {"user_id": "u"}, "POST", "/v1/graph/split/", {}, {"names": ["PG", "Pg"], "user_id": "u"}),
    ("likely_same_entities", (), {"user_id": "u", "limit": 5}, "GET", "/v1/graph/likenesses/", {"user_id": ["u"], "limit": ["5"]}, None),
    ("project.get", (["name", "decay"],), {}, "GET", P, {"fields": ["name", "decay"]}, None),
    (
        "project.create",
        ("shop",),
        {},
        "POST",
        "/api/v1/orgs/organizations/org_1/projects/",
        {},
        {"name": "shop"},
    ),
    ("project.update", ("be brief",), {"decay": False}, "PATCH", P, {}, {"custom_instructions": "be brief", "decay": False}),
    ("project.update", (), {"custom_categories": []}, "PATCH", P, {}, {"custom_categories": []}),
    ("project.delete", (), {}, "DELETE", P, {}, None),
    ("project.get_members", (), {}, "GET", f"{P}members/", {}, None),
    ("project.add_member", ("a@x.example",), {}, "POST", f"{P}members/", {}, {"email": "a@x.example", "role": "READER"}),
    (
        "project.update_member",
        ("a@x.example", "OWNER"),
        {},
        "PUT",
        f"{P}members/",
        {},
        {"email": "a@x.example", "role": "OWNER"},
    ),
    ("project.remove_member", ("a@x.example",), {}, "DELETE", f"{P}members/", {"email": ["a@x.example"]}, None),
    ("events.get", ("e1",), {}, "GET", "/v1/event/e1/", {}, None),
    ("events.list", (), {"status": "FAILED", "page": 1}, "GET", "/v1/events/", {"status": ["FAILED"], "page": ["1"]}, None),
    ("keys.list", (), {}, "GET", "/v1/keys/", {}, None),
    ("keys.create", ("ci",), {"role": "READER"}, "POST", "/v1/keys/", {}, {"name": "ci", "role": "READER"}),
    ("keys.revoke", ("key_1",), {}, "DELETE", "/v1/keys/key_1/", {}, None),
    ("links.list", (), {}, "GET", "/v1/mcp-links/", {}, None),
    ("links.create", ("audit",), {"methods": ["read"]}, "POST", "/v1/mcp-links/", {}, {"name": "audit", "methods": ["read"]}),
    ("links.update", ("l1",), {"name": "x"}, "PATCH", "/v1/mcp-links/l1/", {}, {"name": "x"}),
    ("links.rotate", ("l1",), {}, "POST", "/v1/mcp-links/l1/rotate/", {}, None),
    ("links.revoke", ("l1",), {}, "DELETE", "/v1/mcp-links/l1/", {}, None),
    ("proposals.make", (), {"user_id": "mira", "dry_run": True}, "POST", "/v1/proposals/", {}, {"user_id": "mira", "dry_run": True}),
    ("proposals.list", (), {"status": "all", "page": 2, "user_id": "mira"}, "GET", "/v1/proposals/", {"status": ["all"], "page": ["2"], "user_id": ["mira"]}, None),
    ("proposals.get", ("p1",), {}, "GET", "/v1/proposals/p1/", {}, None),
    ("proposals.accept", ("p1",), {}, "POST", "/v1/proposals/p1/accept/", {}, {}),
    ("proposals.accept", ("p1", "Better."), {}, "POST", "/v1/proposals/p1/accept/", {}, {"text": "Better."}),
    ("proposals.decline", ("p1",), {}, "POST", "/v1/proposals/p1/decline/", {}, {}),
    ("retention.list", (), {}, "GET", "/v1/retention/", {}, None),
    ("retention.put", (), {"days": 30, "category": "misc"}, "POST", "/v1/retention/", {}, {"days": 30, "category": "misc"}),
    ("retention.put", (), {"days": None, "tag": "law"}, "POST", "/v1/retention/", {}, {"days": "forever", "tag": "law"}),
    ("retention.enforce", (), {}, "POST", "/v1/retention/enforce/", {}, {}),
    ("retention.delete", ("r1",), {}, "DELETE", "/v1/retention/r1/", {}, None),
]  # fmt: skip


def called(client, call, args, kwargs):
    for part in call.split("."):
        client = getattr(client, part)
    return client(*args, **kwargs)


@pytest.mark.parametrize(("name", "args", "kwargs", "method", "path", "query", "body"), CALLS)
def test_a_call_is_the_request_it_stands_for(client, recorder, name, args, kwargs, method, path, query, body):
    """Method, path, query and body, exactly."""
    recorder.will_answer(PING)
    called(client, name, args, kwargs)
    asked = recorder.last
    assert (asked.method, asked.path, asked.query, asked.body) == (method, path, query, body)


def test_the_answer_is_given_as_it_came(client, recorder):
    """A list stays a list, a mapping a mapping."""
    recorder.will_answer([{"id": "h1"}])
    assert client.history(ID) == [{"id": "h1"}]


# --- add ---


@pytest.mark.parametrize(
    ("messages", "sent"),
    [
        ("I like tea", [{"role": "user", "content": "I like tea"}]),
        ({"role": "assistant", "content": "Noted"}, [{"role": "assistant", "content": "Noted"}]),
        (["I like tea", {"role": "user", "content": "no milk"}], [{"role": "user", "content": "I like tea"}, {"role": "user", "content": "no milk"}]),
        ([], []),
    ],
)  # fmt: skip
def test_messages_are_sent_as_a_list(client, recorder, messages, sent):
    """A bare text is the user's."""
    client.add(messages, user_id="u")
    assert (recorder.last.path, recorder.last.body) == ("/v3/memories/add/", {"messages": sent, "user_id": "u"})


def test_arguments_that_the_client_does_not_know_are_sent_as_they_are(client, recorder):
    """So that it need not be newer than the server; what is None is not sent."""
    client.add(
        "x", user_id="u", custom_instructions="be brief", agent_id=None, timestamp=datetime(2026, 3, 2, tzinfo=UTC)
    )
    assert recorder.last.body == {
        "messages": [{"role": "user", "content": "x"}],
        "user_id": "u",
        "custom_instructions": "be brief",
        "timestamp": "2026-03-02T00:00:00+00:00",
    }


@dataclass
class OptionsModel:
    """As Mem0's options models, which are Pydantic's."""

    values: dict[str, Any]

    def model_dump(self, *, exclude_unset: bool) -> dict[str, Any]:
        return self.values if exclude_unset else {}


@pytest.mark.parametrize("options", [{"infer": False, "user_id": "a"}, OptionsModel({"infer": False, "user_id": "a"})])
def test_options_come_as_a_mapping_or_a_model(client, recorder, options):
    """What is given by name wins."""
    client.add("x", options, user_id="b")
    assert recorder.last.body == {"messages": [{"role": "user", "content": "x"}], "infer": False, "user_id": "b"}


def test_an_add_is_not_stored_twice_by_a_retry(make_client, recorder):
    """Each add has a key of its own, which its second try repeats."""
    client = make_client(host=recorder.url, retries=1)
    recorder.will_hang_up()
    recorder.will_answer({"event_id": "e1", "status": "PENDING"})
    client.add("x", user_id="u")
    client.add("x", user_id="u")
    keys = [asked.headers["idempotency-key"] for asked in recorder.asked]
    assert keys[0] == keys[1]
    assert keys[1] != keys[2]


def test_the_caller_may_give_the_key(client, recorder):
    """To make a retry of its own safe."""
    client.add("x", user_id="u", idempotency_key="mine")
    assert recorder.last.headers["idempotency-key"] == "mine"
    client.generate_profile("u", "mine too")
    assert recorder.last.headers["idempotency-key"] == "mine too"


def test_an_add_can_be_waited_for(client, recorder):
    """It then has what came of it."""
    stored = [{"id": ID, "memory": "likes tea", "event": "ADD"}]
    recorder.will_answer({"event_id": "e1", "status": "PENDING"})
    recorder.will_answer({"id": "e1", "status": "RUNNING"})
    recorder.will_answer({"id": "e1", "status": "SUCCEEDED", "results": stored})
    assert client.add("x", user_id="u", wait=True) == {"event_id": "e1", "status": "SUCCEEDED", "results": stored}


def test_an_add_that_was_done_at_once_is_not_waited_for(client, recorder):
    """As with `infer=False`."""
    recorder.will_answer({"event_id": "e1", "status": "SUCCEEDED", "results": []})
    client.add("x", user_id="u", infer=False, wait=True)
    assert len(recorder.asked) == 1


@pytest.mark.parametrize("what", ["e1", {"event_id": "e1", "status": "PENDING"}, {"id": "e1"}])
def test_an_event_is_waited_for_by_its_id_or_the_answer_that_has_it(client, recorder, what):
    """Whatever is at hand."""
    recorder.will_answer({"id": "e1", "status": "SUCCEEDED"})
    assert client.wait(what)["status"] == "SUCCEEDED"
    assert client.events.wait(what)["status"] == "SUCCEEDED"
    assert recorder.last.path == "/v1/event/e1/"


def test_what_failed_is_said(client, recorder):
    """With the server's reason."""
    recorder.will_answer({"id": "e1", "status": "FAILED", "error": "the store is full"})
    with pytest.raises(EventFailedError, match="the store is full"):
        client.wait("e1")


def test_what_takes_too_long_goes_on(client, recorder):
    """And the caller gets its time back."""
    recorder.will_answer({"id": "e1", "status": "RUNNING"})
    with pytest.raises(WaitTimeoutError, match=r"RUNNING after 0\.05 s"):
        client.wait("e1", timeout_s=0.05)
    assert len(recorder.asked) > 1


def test_what_is_no_event_cannot_be_waited_for(client):
    """Such as an answer without one."""
    with pytest.raises(InvalidInputError, match="event"):
        client.wait({"message": "done"})


def test_a_deletion_can_be_waited_for(client, recorder):
    """It is acknowledged, as an add is."""
    recorder.will_answer({"message": "in progress", "event_id": "e1"})
    recorder.will_answer({"id": "e1", "status": "SUCCEEDED"})
    assert client.delete_all(user_id="u", wait=True)["status"] == "SUCCEEDED"


# --- ids on reads ---


@pytest.mark.parametrize(
    ("given", "filters"),
    [
        ({"user_id": "u"}, {"user_id": "u"}),
        ({"user_id": "u", "run_id": "r"}, {"user_id": "u", "run_id": "r"}),
        (
            {"user_id": "u", "filters": {"OR": [{"user_id": "v"}, {"categories": {"in": ["food"]}}]}},
            {"AND": [{"user_id": "u"}, {"OR": [{"user_id": "v"}, {"categories": {"in": ["food"]}}]}]},
        ),
        ({"options": {"user_id": "u"}}, {"user_id": "u"}),
        ({"filters": {"user_id": "u"}}, {"user_id": "u"}),
    ],
)
def test_ids_beside_filters_are_put_inside(client, recorder, given, filters):
    """Servers take them there only; both must hold."""
    client.search("tea", **given)
    assert recorder.last.body == {"query": "tea", "filters": filters}
    client.get_all(**given)
    assert recorder.last.body == {"filters": filters}


# --- what is not even sent ---


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "error"),
    [
        ("search", (" ",), {"user_id": "u"}, InvalidInputError),
        ("add", (7,), {"user_id": "u"}, InvalidInputError),
        ("add", ("x", 7), {"user_id": "u"}, InvalidInputError),
        ("add", ("x",), {"user_id": "u", "metadata": {"a": {1}}}, InvalidInputError),
        ("update", (ID,), {}, InvalidInputError),
        ("delete_all", (), {}, ScopeError),
        ("delete_all", (OptionsModel({}),), {}, ScopeError),
        ("delete_users", (), {}, ScopeError),
        ("erase", (), {}, ScopeError),
        ("erase", (ID,), {"user_id": "u"}, InvalidInputError),
        ("project.update", (), {}, InvalidInputError),
    ],
)
def test_what_cannot_be_meant_is_not_sent(client, recorder, name, args, kwargs, error):
    """Above all no deletion of everything by leaving something out."""
    with pytest.raises(error):
        called(client, name, args, kwargs)
    assert recorder.asked == []


# --- calls of several requests ---


def test_who_the_key_is_is_asked_once(client, recorder):
    """By the first call that needs to know."""
    assert (client.org_id, client.project_id) == (None, None)
    recorder.will_answer(PING)
    client.project.get()
    client.project.get_members()
    assert [asked.path for asked in recorder.asked] == ["/v1/ping/", P, f"{P}members/"]
    assert (client.org_id, client.project_id, client.user_email) == ("org_1", "proj_1", None)


def test_each_named_entity_is_deleted(client, recorder):
    """Not only the first, as by Mem0's client."""
    recorder.will_answer({"message": "in progress", "event_id": "e1"})
    assert client.delete_users(user_id="u", run_id="r")["event_ids"] == ["e1", "e1"]
    assert [asked.path for asked in recorder.asked] == ["/v2/entities/user/u/", "/v2/entities/run/r/"]


def test_reset_walks_every_page(client, recorder):
    """First all are found, then all are deleted."""
    entity = {"type": "user", "id": "1"}
    recorder.will_answer({"results": [{**entity, "name": "a"}], "next": "http://other.example/?page=2"})
    recorder.will_answer({"results": [{**entity, "name": "b"}], "next": None})
    recorder.will_answer({"message": "in progress", "event_id": "e1"})
    assert client.reset()["event_ids"] == ["e1", "e1"]
    assert [(asked.method, asked.path) for asked in recorder.asked] == [
        ("GET", "/v1/entities/"),
        ("GET", "/v1/entities/"),
        ("DELETE", "/v2/entities/user/a/"),
        ("DELETE", "/v2/entities/user/b/"),
    ]


def test_a_project_without_entities_is_reset_already(client, recorder):
    """Which is no error, unlike in Mem0's client."""
    recorder.will_answer({"results": [], "next": None})
    assert client.reset()["event_ids"] == []


# --- the connection ---


def test_a_request_says_who_asks_and_with_what(client, recorder):
    """The key as Mem0's clients send it."""
    client.get(ID)
    headers = recorder.last.headers
    assert headers["authorization"] == "Token kept_secret"
    assert headers["user-agent"] == f"kept/{kept.__version__}"
    assert "content-type" not in headers


def test_without_a_key_none_is_sent(make_client, recorder):
    """The server says what it thinks of that."""
    make_client(host=recorder.url).get(ID)
    assert "authorization" not in recorder.last.headers


def test_settings_stand_in_for_arguments(make_client, recorder, monkeypatch):
    """`KEPT_URL` and `KEPT_API_KEY`; arguments win."""
    monkeypatch.setenv("KEPT_URL", recorder.url)
    monkeypatch.setenv("KEPT_API_KEY", "from settings")
    with pytest.raises(ConfigurationError, match="API key"):
        make_client()
    monkeypatch.setenv("KEPT_API_KEY", "from_settings")
    make_client().get(ID)
    assert recorder.last.headers["authorization"] == "Token from_settings"
    make_client(api_key="given").get(ID)
    assert recorder.last.headers["authorization"] == "Token given"


def test_without_an_address_it_is_this_machines(make_client):
    """Where `kept serve` listens."""
    assert make_client().host == "http://127.0.0.1:8787"


@pytest.mark.parametrize("suffix", ["", "/", "/prefix", "/prefix/"])
def test_an_address_may_have_a_prefix_and_a_slash(make_client, recorder, suffix):
    """As behind a proxy."""
    make_client(host=recorder.url + suffix).get("x")
    assert recorder.last.path == f"{suffix.rstrip('/')}/v1/memories/x/"


@pytest.mark.parametrize("host", ["127.0.0.1:8787", "ftp://x", "http://", "http://x/?a=b", "nonsense"])
def test_what_is_no_address_is_refused_at_once(make_client, host):
    """With what one looks like."""
    with pytest.raises(ConfigurationError, match="looks like"):
        make_client(host=host)


def test_nobody_there_is_said_with_the_address(make_client):
    """And with what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UnreachableError, match="kept serve") as error:
            make_client(host=url, retries=0).get(ID)
    assert url in str(error.value)


def test_proxies_of_the_environment_are_not_for_this_machine(make_client, recorder, monkeypatch):
    """They could not reach it."""
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:9")
    make_client(host=recorder.url).get(ID)
    assert len(recorder.asked) == 1


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"detail": "The API key is missing"}, AuthenticationError),
        (404, {"error": "Memory not found!"}, NotFoundError),
        (404, {"detail": "Memory not found!", "code": "not-found"}, LookupError),
        (500, b"<html>", ServerError),
    ],
)
def test_errors_are_kepts(client, recorder, status, body, kind):
    """The same as of `Memory`, so that code need not know which it has."""
    recorder.will_answer(body, status=status)
    with pytest.raises(kind):
        client.get(ID)


def test_a_client_comes_back_when_it_is_asked_to(make_client, recorder):
    """Over the wire as in the conversation."""
    recorder.will_answer({"error": "busy"}, status=503, Retry_After="0")
    recorder.will_answer({"id": ID})
    assert make_client(host=recorder.url).get(ID) == {"id": ID}


def test_a_client_hides_its_key(make_client, recorder):
    """Whoever prints it sees where it leads to and no more."""
    plain = make_client(api_key="kept_secret", host=recorder.url)
    assert "kept_secret" not in repr(plain)


def test_a_client_of_ones_own_stays_open(recorder):
    """Who opened it closes it."""
    with httpx2.Client() as http:
        with MemoryClient(host=recorder.url, client=http) as client:
            client.get(ID)
        assert not http.is_closed
    assert http.is_closed


def test_an_async_client_of_ones_own_stays_open(recorder):
    """The same on an event loop."""

    async def use() -> tuple[bool, bool]:
        async with httpx2.AsyncClient() as http:
            async with AsyncMemoryClient(host=recorder.url, client=http) as client:
                await client.get(ID)
            left_open = not http.is_closed
        return left_open, http.is_closed

    assert asyncio.run(use()) == (True, True)


def test_many_calls_at_once_on_one_event_loop(recorder):
    """What an event loop is for."""

    async def use() -> list[Any]:
        async with AsyncMemoryClient(host=recorder.url) as client:
            return await asyncio.gather(*(client.get(str(number)) for number in range(20)))

    recorder.will_answer({"id": ID})
    assert asyncio.run(use()) == [{"id": ID}] * 20


def test_closing_twice_is_harmless(make_client, recorder):
    """As with `Memory`."""
    client = make_client(host=recorder.url)
    client.get(ID)
    client.close()
    client.close()
