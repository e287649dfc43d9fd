"""What attacks on the server found: each of these once went wrong."""

from __future__ import annotations


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
