"""Paths as clients send them: encoded names, both slash forms, no redirects, never an empty body."""

from __future__ import annotations

import pytest

PATHS = ["/v1/ping/", "/v1/entities/", "/v1/events/", "/v2/profiles/settings/", "/api/v1/orgs/organizations/"]


@pytest.mark.parametrize("path", PATHS)
def test_both_slash_forms_and_doubled_leading_slashes_are_the_same(api, tenant, path):
    """Mem0's asynchronous client joins host and path with two; none of them follows redirects."""
    answers = [
        api.ask("GET", f"http://kept.test{start}{form}", key=tenant.key)
        for start in ("", "/", "//")
        for form in (path, path.rstrip("/"))
    ]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.text for answer in answers} == {answers[0].text}


def test_a_query_is_no_part_of_the_path(api, tenant):
    assert api.ask("GET", "/v1/entities?page=1&page_size=5", key=tenant.key).status_code == 200


def test_an_encoded_slash_is_part_of_a_name(api, tenant):
    """`a%2Fb` is one name; `a/b` is another route."""
    tenant.say("I like tea", user_id="a/b")
    assert api.answer("GET", "/v2/entities/user/a%2Fb/", tenant.key)[0]["name"] == "a/b"
    assert api.ask("GET", "/v2/entities/user/a/b/", key=tenant.key).status_code == 404


def test_a_name_that_looks_like_a_route_is_a_name(api, tenant):
    """Where paths overlap, the more particular one wins, and the other is still reached."""
    (memory_id,) = tenant.say("I like tea", user_id="history")
    listed = api.get("/v1/memories/user/history/", tenant.key)
    assert [one["id"] for one in listed["results"]] == [memory_id]
    assert isinstance(api.get(f"/v1/memories/{memory_id}/history/", tenant.key), list)
    assert api.get("/v1/memories/events/", tenant.key)["count"] == 1
    assert (
        api.ask("POST", "/v1/memories/search/", key=tenant.key, json={"query": "tea", "user_id": "history"}).status_code
        == 200
    )


def test_ids_are_minted_so_that_paths_need_no_encoding(api, tenant):
    """Mem0's clients do not encode these."""
    key = api.answer("POST", "/v1/keys/", tenant.key, json={"name": "x"})
    organisation = api.answer("POST", "/api/v1/orgs/organizations/", api.admin, json={"name": "x"})
    for minted in (tenant.id, key["id"], organisation["org_id"]):
        assert minted.replace("_", "").isalnum()
        assert minted.isascii()


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/", "/v1/planets/", "/v9/memories/", "/memories/a/b/c", "/v1/memories/a/b/c/d/"]
)
def test_where_there_is_no_route_it_is_said(api, tenant, path):
    answer = api.ask("GET", path, key=tenant.key)
    assert answer.status_code == 404
    assert answer.json().keys() == {"error", "detail", "message", "code", "request_id"}


@pytest.mark.parametrize(
    ("method", "path"), [("PATCH", "/v1/ping/"), ("DELETE", "/v3/memories/add/"), ("POST", "/v1/entities/")]
)
def test_a_method_that_is_not_there_is_said(api, tenant, method, path):
    answer = api.ask(method, path, key=tenant.key)
    assert answer.status_code == 405
    assert method in answer.json()["detail"]


# --- pages ---


@pytest.mark.parametrize(
    "path",
    [
        "/v1/events/", "/v1/entities/", "/v1/audit/", "/v1/proposals/", "/v1/memories/events/", "/v1/memories/?user_id=alice",
        "/v1/memories/user/alice/",
    ],
)  # fmt: skip
def test_a_page_past_the_end_is_none(api, tenant, path):
    """Or it would name a page before it that is none either."""
    tenant.say("I like tea")
    for page, status in ((1, 200), (0, 400), (77, 404)):
        answer = api.ask("GET", f"{path}{'&' if '?' in path else '?'}page={page}", key=tenant.key)
        assert answer.status_code == status
    assert answer.json()["detail"] == "Invalid page."


@pytest.mark.parametrize("version", ["v2", "v3"])
@pytest.mark.parametrize("name", ["page", "page_size"])
def test_a_page_is_counted_from_1_wherever_it_stands(api, tenant, version, name):
    body = {"filters": {"user_id": "alice"}}
    for request in ({"json": body | {name: 0}}, {"json": body, "params": {name: 0}}):
        assert api.ask("POST", f"/{version}/memories/", key=tenant.key, **request).status_code == 400
