"""Errors over REST: the right status, one shape, and what is injected is data."""

from __future__ import annotations

import json

import pytest

MARK = "Wolpertinger"
SHAPE = {"error", "detail", "message", "code", "request_id"}
JSON = {"Content-Type": "application/json"}
INJECTIONS = [
    "'; DROP TABLE memory; --", '" OR 1=1 --', "%' OR '%'='", "../../etc/passwd", "..\\..\\x", "${jndi:ldap://x}", "{{7*7}}", "<script>alert(1)</script>",
    "a\r\nX-Injected: 1", "a\x00b", "\ud800", "\u202egnp.exe", "🦊" * 50, "NULL", "null", "-1", "1e999", "__proto__",
]  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"5", b'"text"', b"null", b"{'a': 1}", b'{"query": "x"', b"\xff\xfe{}", b'{"query": "\xff"}', b"NaN", b"[" * 100_000,
        b'{"query": "x", "filters": ' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001,
    ],
    ids=range(13),
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v3/memories/search/", "/v3/memories/add/", "/v1/keys/", "/search"])
def test_a_body_that_cannot_be_read_is_refused(api, tenant, path, content):
    """Wrong JSON, wrong UTF-8, another thing than an object, or one that is nested too deeply."""
    answer = api.ask("POST", path, key=tenant.key, content=content, headers=JSON)
    assert answer.status_code == 400, answer.text
    assert answer.json().keys() == SHAPE
    assert answer.json()["error"] == answer.json()["detail"] == answer.json()["message"]


def test_an_error_names_the_place_and_the_request(api, tenant):
    body = {"query": "x", "filters": {"user_id": "a"}, "top_k": "many"}
    answer = api.ask("POST", "/v3/memories/search/", key=tenant.key, json=body, headers={"X-Request-ID": "mine-1"})
    assert "top_k" in answer.json()["detail"]
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == "mine-1"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "a\tb", "ä"])
def test_a_request_id_that_could_spoil_a_log_is_replaced(api, tenant, given):
    answer = api.ask("GET", "/v1/ping/", key=tenant.key, headers={"X-Request-ID": given.encode()})
    assert answer.headers["x-request-id"].encode() != given.encode()


@pytest.mark.parametrize(
    "body",
    [
        {"top_k": 0}, {"top_k": 1_001}, {"top_k": -1}, {"top_k": 10**30}, {"top_k": 1.5}, {"threshold": 2}, {"threshold": -0.1},
        {"threshold": "high"}, {"query": ""}, {"query": " "}, {"query": "x" * 100_001}, {"query": None}, {"query": ["x"]},
        {"reference_date": "soon"}, {"as_of": "soon"}, {"rerank": "maybe"},
    ],
)  # fmt: skip
def test_what_is_out_of_range_is_refused(api, tenant, body):
    asked = {"query": "tea", "filters": {"user_id": "alice"}, **body}
    assert api.ask("POST", "/v3/memories/search/", key=tenant.key, json=asked).status_code == 400


@pytest.mark.parametrize("text", INJECTIONS)
def test_what_is_injected_is_data(api, tenant, text):
    """As a text, an id, metadata, a filter's value, a query, a name, a header: it is stored and found, or refused as what it is."""
    sent = json.dumps(
        {
            "messages": [{"role": "user", "content": f"I saw {text}"}],
            "user_id": "alice",
            "infer": False,
            "metadata": {text: text},
        }
    )
    stored = api.ask("POST", "/v3/memories/add/", key=tenant.key, content=sent.encode(), headers=JSON)
    assert stored.status_code == 200, stored.text
    (memory_id,) = [result["id"] for result in stored.json()["results"]]
    wanted = [
        ("/v3/memories/search/", {"query": text, "filters": {"user_id": "alice"}}),
        ("/v3/memories/", {"filters": {"AND": [{"user_id": "alice"}, {"metadata": {text: text}}]}}),
        ("/v3/memories/", {"filters": {"user_id": text}}),
        ("/v3/memories/", {"filters": {"user_id": "alice", text: 1}}),
        ("/v1/users/", {"user_id": text, "name": text, "metadata": {text: text}}),
        ("/v1/keys/", {"name": text, "user_id": text}),
        ("/v1/context/", {"query": text, "user_id": text}),
        ("/v1/timeline/", {"query": text, "user_id": text}),
        ("/v1/exports/", {"user_id": text, "format": text}),
        (f"{tenant.path}members/", {"email": text, "role": text}),
        ("/v1/retention/", {"category": text, "days": 5}),
        ("/v2/profiles/settings/", {"entities": {"user": {"custom_instructions": text}}}),
    ]
    for path, body in wanted:
        answer = api.ask("POST", path, key=tenant.key, content=json.dumps(body).encode(), headers=JSON)
        assert answer.status_code in {200, 201, 400}, f"{path}: {answer.status_code} {answer.text}"
        assert "x-injected" not in answer.headers
    for query in (
        {"user_id": text.encode("utf-8", "replace")},
        {"target": text.encode("utf-8", "replace")},
        {"after": text.encode("utf-8", "replace")},
    ):
        for path in ("/v1/memories/", "/v1/audit/", "/v1/events/", "/v1/entities/"):
            assert api.ask("GET", path, key=tenant.key, params=query).status_code in {200, 400, 404}
    found = api.get(f"/v1/memories/{memory_id}/", tenant.key)
    assert found["memory"].startswith("I saw")
    assert tenant.texts(user_id="alice") == [found["memory"]]


def test_a_name_that_is_a_filter_widens_nothing(api, tenant):
    """A text in the place of an id is that id, whatever it says."""
    tenant.say("I like tea")
    for name in ("alice' OR '1'='1", '{"OR":[{"user_id":"*"}]}', "alice%", "al_ce", "ALICE", "alice\u200b"):
        answer = api.ask("POST", "/v3/memories/", key=tenant.key, json={"filters": {"user_id": name}})
        assert answer.status_code == 400 or answer.json()["count"] == 0


def test_an_error_does_not_repeat_what_was_said(api, tenant):
    """It may end in a log."""
    for body in (
        {"messages": f"I saw a {MARK}"},
        {"messages": [{"role": 5, "content": MARK}], "user_id": "a"},
    ):
        answer = api.ask("POST", "/v3/memories/add/", key=tenant.key, json=body)
        assert answer.status_code == 400
        assert MARK not in answer.text


# --- ids ---


@pytest.mark.parametrize("path", ["/v1/memories/nope/", "/v1/memories/nope/history/"])
def test_what_is_no_memory_id_is_said_wherever_one_stands(api, tenant, path):
    answer = api.ask("GET", path, key=tenant.key)
    assert (answer.status_code, answer.json()["detail"]) == (400, "memory_id should be a valid UUID")


def test_who_is_called_history_has_memories(api, tenant):
    tenant.say("I like tea", user_id="history")
    assert api.get("/v1/memories/user/history/", tenant.key)["count"] == 1


def test_an_id_is_known_in_every_spelling_of_a_uuid(api, tenant):
    (memory_id,) = tenant.say("I like tea")
    for spelling in (memory_id.upper(), memory_id.replace("-", "")):
        assert api.get(f"/v1/memories/{spelling}/", tenant.key)["id"] == memory_id
        assert api.get(f"/v1/memories/{spelling}/history/", tenant.key)[0]["memory_id"] == memory_id
        api.answer("PUT", f"/v1/memories/{spelling}/", tenant.key, json={"text": "I like tea"})
        api.answer("POST", "/v1/feedback/", tenant.key, json={"memory_id": spelling, "feedback": "POSITIVE"})


@pytest.mark.parametrize("value", [True, False, 1.5, ["alice"], {"id": "alice"}])
@pytest.mark.parametrize(
    "path", ["/v3/memories/add/", "/v1/memories/", "/v1/memories/search/", "/v1/proposals/", "/memories"]
)
def test_what_is_neither_a_text_nor_a_whole_number_is_no_user(api, tenant, path, value):
    body = {"messages": "I like tea.", "query": "tea", "user_id": value}
    answer = api.ask("POST", path, key=tenant.key, json=body)
    assert (answer.status_code, "user_id" in answer.json()["detail"]) == (400, True)
