"""Profiles over REST: what each state says, and what each request must be. The way through is tested with Mem0's client."""

from __future__ import annotations

import pytest

SCHEMA = {"type": "object", "properties": {"drink": {"type": "string", "description": "favourite drink"}}}
AGAIN = {"Idempotency-Key": "once-and-again"}


def run(api, tenant, key=None, headers=AGAIN, **fields):
    asked = {"operation": "trigger", "entity_type": "user", "entity_id": "alice"} | fields
    return api.ask("POST", "/v2/profiles/jobs/", key=key or tenant.key, json=asked, headers=headers)


def profile(api, key, user="alice"):
    return api.ask("GET", f"/v2/entities/user/{user}/profile/", key=key)


def enable(api, tenant):
    settings = {"enabled": True, "entities": {"user": {"schema": SCHEMA}}}
    return api.answer("POST", "/v2/profiles/settings/", tenant.key, json=settings)


def test_the_state_says_what_a_profile_is(api, tenant):
    """Of somebody who is not known 404; else an empty profile until it is made."""
    assert profile(api, tenant.key).status_code == 404
    tenant.say("My favourite drink is tea", "I live in Lisbon", "I work as a nurse")
    enable(api, tenant)
    assert run(api, tenant).is_success
    waiting = profile(api, tenant.key).json()
    assert (waiting["status"], waiting["profile"], waiting["generation_count"]) == ("pending", {}, 0)
    api.app.state.worker.run_due("making")
    made = profile(api, tenant.key).json()
    assert (made["status"], made["generation_count"], made["by"]) == ("succeeded", 1, "rules")
    assert "tea" in str(made["profile"])


def test_what_is_acknowledged_is_an_event_that_can_be_read(api, tenant):
    """Of a sample the first one's, and all of them by name."""
    tenant.say("My favourite drink is tea", "I live in Lisbon", "I work as a nurse")
    for fields in ({}, {"operation": "sample", "limit": 1}):
        asked = run(api, tenant, headers={"Idempotency-Key": f"event-{fields}"}, **fields).json()
        api.app.state.worker.run_due("making")
        for event_id in (asked["event_id"], *asked.get("event_ids", ())):
            event = api.get(f"/v1/event/{event_id}/", tenant.key)
            assert (event["event_type"], event["status"]) == ("PROFILE", "SUCCEEDED")
    assert api.get("/v1/events/", tenant.key, event_type="PROFILE")["count"] == 2


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"entity_type": "agent"}, AGAIN),
        ({"entity_id": None}, AGAIN),
        ({"operation": "guess"}, AGAIN),
        ({"operation": "sample", "limit": 0}, AGAIN),
        ({"operation": "sample", "limit": 11}, AGAIN),
        ({}, {}),
        ({}, {"Idempotency-Key": "short"}),
        ({}, {"Idempotency-Key": "x" * 129}),
    ],
)
def test_a_run_that_cannot_be_meant_is_refused(api, tenant, fields, headers):
    tenant.say("My favourite drink is tea")
    enable(api, tenant)
    assert run(api, tenant, headers=headers, **fields).status_code == 400


@pytest.mark.parametrize(
    "settings",
    [
        {"schema": SCHEMA},
        {"custom_instructions": "be brief"},
        {"entities": {"agent": {"schema": SCHEMA}}},
        {"entities": {"user": {"schema": {"type": "object", "properties": {"drink": {"type": "string"}}}}}},
        {"enabled": "yes"},
    ],
)
def test_settings_that_cannot_be_used_change_nothing(api, tenant, settings):
    before = api.get("/v2/profiles/settings/", tenant.key)
    assert api.ask("POST", "/v2/profiles/settings/", key=tenant.key, json=settings).status_code == 400
    assert api.get("/v2/profiles/settings/", tenant.key) == before


def test_a_bound_key_has_the_profile_of_its_user_alone(api, tenant):
    tenant.say("My favourite drink is tea")
    tenant.say("My favourite drink is milk", "I live in Porto", "I work as a cook", user_id="bob")
    enable(api, tenant)
    bobs = tenant.make_key(role="WRITER", bound={"user_id": "bob"})
    assert run(api, tenant, key=bobs).status_code == 403
    assert profile(api, bobs).status_code in {403, 404}
    sample = run(api, tenant, key=bobs, operation="sample", entity_id=None).json()
    assert sample["entity_ids"] == ["bob"]
    api.app.state.worker.run_due("making")
    assert "milk" in str(profile(api, bobs, "bob").json()["profile"])
    assert profile(api, tenant.key).json()["status"] != "succeeded"
