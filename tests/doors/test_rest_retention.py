"""Retention rules over REST: kept, previewed, enforced, removed."""

from __future__ import annotations

import re

import pytest

LONG_AGO = 1_600_000_000


def put(api, tenant, **fields):
    return api.ask("POST", "/v1/retention/", key=tenant.key, json=fields)


def test_what_is_older_than_its_rule_expires_and_can_be_brought_back(api, tenant):
    (old,) = tenant.say("said long ago", timestamp=LONG_AGO, categories=["chat"])
    tenant.say("said today", categories=["chat"])
    tenant.say("said long ago as well", timestamp=LONG_AGO)
    rule = put(api, tenant, category="chat", days=30).json()
    (listed,) = api.get("/v1/retention/", tenant.key)["results"]
    assert (listed["id"], listed["days"], listed["due"]) == (rule["id"], 30, 1)
    assert api.answer("POST", "/v1/retention/enforce/", tenant.key)["expired"] == 1
    assert sorted(tenant.texts()) == ["said long ago as well", "said today"]
    assert api.get("/v1/retention/", tenant.key)["results"][0]["due"] == 0
    api.answer("POST", "/v1/undo/", tenant.key)
    assert old in [memory["id"] for memory in api.get("/v1/memories/", tenant.key, user_id="alice")]


def test_the_longest_rule_that_names_a_memory_counts(api, tenant):
    tenant.say("said long ago", timestamp=LONG_AGO, categories=["chat"], metadata={"tag": "contract"})
    put(api, tenant, category="chat", days=1)
    put(api, tenant, tag="contract", days="forever")
    assert api.answer("POST", "/v1/retention/enforce/", tenant.key)["expired"] == 0


def test_a_rule_that_names_the_same_is_replaced(api, tenant):
    put(api, tenant, category="chat", days=1)
    put(api, tenant, category="chat", days=7)
    assert [rule["days"] for rule in api.get("/v1/retention/", tenant.key)["results"]] == [7]


@pytest.mark.parametrize(
    "fields",
    [
        {"category": "chat"},
        {"category": "chat", "days": 0},
        {"category": "chat", "days": "soon"},
        {"category": "chat", "days": True},
        {"category": "chat", "days": 10**12},
        {"memory_type": "no such", "days": 5},
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(api, tenant, fields):
    assert put(api, tenant, **fields).status_code == 400
    assert api.get("/v1/retention/", tenant.key)["results"] == []


def test_every_type_of_memory_that_is_described_can_be_named(api, tenant):
    body = api.app.openapi()["components"]["schemas"]["RuleBody"]["properties"]["memory_type"]
    for name in re.findall("`(.*?)`", body["description"]):
        api.answer("POST", "/v1/retention/", tenant.key, json={"memory_type": name, "days": 30})


def test_a_removed_rule_expires_nothing(api, tenant):
    tenant.say("said long ago", timestamp=LONG_AGO, categories=["chat"])
    rule = put(api, tenant, category="chat", days=1).json()["id"]
    api.answer("DELETE", f"/v1/retention/{rule}/", tenant.key)
    assert api.ask("DELETE", f"/v1/retention/{rule}/", key=tenant.key).status_code == 404
    assert api.answer("POST", "/v1/retention/enforce/", tenant.key)["expired"] == 0


@pytest.mark.parametrize("role", ["READER", "WRITER"])
def test_only_an_owner_has_rules(api, tenant, role):
    key = tenant.make_key(role=role)
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", "some/"), ("POST", "enforce/")):
        answer = api.ask(method, f"/v1/retention/{path}", key=key, json={"category": "chat", "days": 1})
        assert answer.status_code == 403
