"""Mem0's other clients: the requests of its command line and its plugins, older dialects included, as they send them."""

from __future__ import annotations

import time

import pytest

DEADLINE_S = 15


@pytest.fixture
def ask(server):
    """Asks with a key of a project of the test's own; the key may be shown in any form."""
    _, key = server.make_project()

    def send(method, path, body=None, *, headers=None, **more):
        shown = {name: value.format(key=key) for name, value in (headers or {"Authorization": "Token {key}"}).items()}
        return server.http.request(method, server.url + path, headers=shown, json=body, **more)

    return send


@pytest.fixture
def tea(ask):
    """What an older client added, once its event succeeded."""
    added = ask(
        "POST",
        "/v1/memories/",
        {"messages": [{"role": "user", "content": "I like tea"}], "user_id": "mira", "run_id": "r1"},
    )
    (pending,) = added.json()
    assert (added.status_code, pending.keys()) == (200, {"message", "status", "event_id"})
    deadline = time.monotonic() + DEADLINE_S
    while (event := ask("GET", f"/v1/event/{pending['event_id']}/").json())["status"] != "SUCCEEDED":
        assert time.monotonic() < deadline, event
        time.sleep(0.02)
    return event["results"][0]["id"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Token {key}"},
        {"Authorization": "bearer {key}"},
        {"Authorization": "Bearer {key}"},
        {"X-API-Key": "{key}"},
    ],
    ids=["token", "lower", "bearer", "x-api-key"],
)
def test_a_key_is_shown_in_any_form(ask, headers):
    """Each client has its own."""
    assert ask("GET", "/v1/ping/", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/v1/ping/", "/v1/ping", "//v1/ping/"])
def test_paths_lead_there_in_every_form(ask, path):
    """No redirect, which these clients would not follow."""
    assert ask("GET", path).status_code == 200


def test_the_first_dialect_lists_and_searches_bare(ask, tea):
    """Ids stand beside; an envelope only where both numbers of a page are given."""
    (memory,) = ask("GET", "/v1/memories/", params={"user_id": "mira"}).json()
    assert (memory["id"], memory["session_id"]) == (tea, "r1")
    page = ask("GET", "/v1/memories/", params={"user_id": "mira", "page": 1, "page_size": 10}).json()
    assert (page["count"], page["next"], page["results"][0]["id"]) == (1, None, tea)
    (hit,) = ask("POST", "/v1/memories/search/", {"query": "tea", "user_id": "mira"}).json()
    assert (hit["id"], 0 <= hit["score"] <= 1) == (tea, True)
    wrapped = ask("POST", "/v1/memories/search/", {"query": "tea", "user_id": "mira", "output_format": "v1.1"}).json()
    assert wrapped["results"][0]["id"] == tea
    assert wrapped["relations"] == [{"source": "mira", "relationship": "likes", "target": "tea"}]


def test_the_first_dialect_says_whose_in_a_list(ask):
    """Mem0's one error that is an array."""
    refused = ask("GET", "/v1/memories/")
    assert (refused.status_code, refused.json()) == (
        400,
        ["One of the filters: app_id, user_id, agent_id, run_id is required!"],
    )


def test_the_second_dialect_lists_and_searches_by_filters(ask, tea):
    """As the plugin for OpenClaw does, the page in the query."""
    filters = {"AND": [{"user_id": "mira"}, {"run_id": "r1"}]}
    (memory,) = ask("POST", "/v2/memories/", {"filters": filters}, params={"page": 1, "page_size": 100}).json()
    assert memory["id"] == tea
    (hit,) = ask("POST", "/v2/memories/search/", {"query": "tea", "filters": filters, "source": "OPENCLAW"}).json()
    assert (hit["id"], hit["session_id"]) == (tea, "r1")


def test_the_command_line_adds_searches_and_lists(ask):
    """It says where it comes from, and has a threshold of its own."""
    body = {
        "messages": [{"role": "user", "content": "I like tea"}],
        "user_id": "mira",
        "infer": False,
        "immutable": False,
        "source": "CLI",
    }
    assert ask("POST", "/v3/memories/add/", body).json()["status"] == "SUCCEEDED"
    asked = {"filters": {"AND": [{"user_id": "mira"}]}, "source": "CLI"}
    found = ask("POST", "/v3/memories/search/", {"query": "I like tea", "top_k": 10, "threshold": 0.3, **asked}).json()
    assert [hit["memory"] for hit in found["results"]] == ["I like tea"]
    assert ask("POST", "/v3/memories/", asked, params={"page": 1, "page_size": 100}).json()["count"] == 1
    assert ask("DELETE", f"/v1/memories/{found['results'][0]['id']}/", params={"source": "CLI"}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v3/memories/search/", {"query": "tea"}, 400),
        ("POST", "/v3/memories/search/", {"query": "", "filters": {"user_id": "mira"}}, 400),
        ("GET", "/v1/event/no-uuid/", None, 400),
        ("GET", "/v1/event/0b0c6a0e-5f0e-4f5d-9a53-6c1b7f0f9d11/", None, 404),
        ("DELETE", "/v2/entities/robot/x/", None, 400),
        ("GET", "/v1/nowhere/", None, 404),
        ("PATCH", "/v1/ping/", {}, 405),
    ],
)
def test_an_error_has_its_words_wherever_a_client_looks(ask, method, path, body, status):
    """`detail` for most, `message` for others, `error` for the rest."""
    refused = ask(method, path, body)
    said = refused.json()
    assert refused.status_code == status
    assert said.keys() == {"error", "detail", "message", "code", "request_id"}
    assert said["error"] == said["detail"] == said["message"] != ""
