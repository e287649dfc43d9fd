"""Webhooks over REST: made, changed, followed. What is posted is tested beside the worker."""

from __future__ import annotations

import pytest

PUBLIC = "http://93.184.216.34/hook"


def hooks(tenant) -> str:
    return f"/api/v1/webhooks/projects/{tenant.id}/"


def make(api, tenant, **fields):
    asked = {"name": "changes", "url": PUBLIC, "event_types": ["memory_add"]} | fields
    return api.ask("POST", hooks(tenant), key=tenant.key, json=asked)


def test_the_secret_is_shown_when_a_webhook_is_made_and_never_again(api, tenant):
    answer = make(api, tenant)
    made = answer.json()
    assert answer.status_code == 201
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert api.get(hooks(tenant), tenant.key) == [made]
    changed = api.answer("PUT", f"/api/v1/webhooks/{made['webhook_id']}/", tenant.key, json={"name": "other"})
    assert changed["webhook"]["name"] == "other"
    assert secret not in str(changed) + str(api.get(hooks(tenant), tenant.key))


def test_the_audit_knows_the_request_by_which_an_administrator_made_one(api, tenant):
    asked = {"name": "changes", "url": PUBLIC, "event_types": ["memory_add"]}
    api.answer("POST", hooks(tenant), api.admin, json=asked, headers={"X-Request-ID": "mine"})
    (entry,) = api.get("/v1/audit/?action=webhook.create", tenant.key)["results"]
    assert (entry["request_id"], entry["project_id"]) == ("mine", tenant.id)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"url": None}, "url"),
        ({"url": "ftp://93.184.216.34/"}, "url"),
        ({"url": "http://name:word@93.184.216.34/"}, "url"),
        ({"url": "http://169.254.169.254/latest/"}, "url"),
        ({"event_types": []}, "event_types"),
        ({"event_types": "memory_add"}, "event_types"),
        ({"event_types": ["memory_read"]}, "event_types"),
    ],
)
def test_what_cannot_be_used_is_refused_and_named(api, tenant, fields, named):
    answer = make(api, tenant, **fields)
    assert answer.status_code == 400
    assert named in answer.json()["message"]
    assert api.get(hooks(tenant), tenant.key) == []


def test_deliveries_say_how_often_each_was_tried_and_hold_no_text(api, tenant):
    hook = make(api, tenant).json()["webhook_id"]
    (memory_id,) = tenant.say("my locker has the number 4711")
    api.app.state.worker.run_due("webhooks")
    page = api.get(f"/api/v1/webhooks/{hook}/deliveries/", tenant.key)
    (delivery,) = page["results"]
    assert (page["count"], delivery["memory_id"], delivery["event_type"]) == (1, memory_id, "memory_add")
    assert (delivery["status"], delivery["attempts"], delivery["answered"]) == ("PENDING", 0, None)
    assert "4711" not in str(page)


@pytest.mark.parametrize("role", ["READER", "WRITER"])
def test_only_an_owner_has_webhooks(api, tenant, role):
    hook = make(api, tenant).json()["webhook_id"]
    key = tenant.make_key(role=role)
    for method, path in (
        ("GET", hooks(tenant)),
        ("POST", hooks(tenant)),
        ("PUT", f"/api/v1/webhooks/{hook}/"),
        ("DELETE", f"/api/v1/webhooks/{hook}/"),
        ("GET", f"/api/v1/webhooks/{hook}/deliveries/"),
    ):
        assert api.ask(method, path, key=key, json={}).status_code == 403


def test_one_that_was_removed_is_gone(api, tenant):
    place = f"/api/v1/webhooks/{make(api, tenant).json()['webhook_id']}/"
    assert "message" in api.answer("DELETE", place, tenant.key)
    assert api.ask("DELETE", place, key=tenant.key).status_code == 404
    assert api.ask("PUT", place, key=tenant.key, json={"name": "again"}).status_code == 404
