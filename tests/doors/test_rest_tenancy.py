"""Tenants over REST: whom a key stands for, projects and their settings, members, organisations, keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

ORGANISATIONS = "/api/v1/orgs/organizations/"
PROJECTS = f"{ORGANISATIONS}default/projects/"


# --- whom a key stands for ---


def test_a_key_stands_for_its_project(api, tenant):
    """Mem0's clients insist on both ids as texts, and its TypeScript client on the status."""
    found = api.get("/v1/ping/", tenant.key)
    assert found == {"status": "ok", "org_id": "default", "project_id": tenant.id, "user_email": None, "role": "OWNER"}
    assert api.get("/v1/ping/", api.admin)["project_id"] == "default"


def test_a_members_key_knows_whose_it_is(api, tenant):
    api.answer("POST", f"{tenant.path}members/", tenant.key, json={"email": "Ada@X.example"})
    made = api.answer("POST", "/v1/keys/", tenant.key, json={"name": "ada", "member": "ada@x.example"})
    assert api.get("/v1/ping/", made["api_key"])["user_email"] == "ada@x.example"


@pytest.mark.parametrize("form", ["Token {}", "token {}", "Bearer {}", "BEARER   {}"])
def test_the_scheme_is_token_or_bearer_in_any_case(api, tenant, form):
    answer = api.ask("GET", "/v1/ping/", headers={"Authorization": form.format(tenant.key)})
    assert answer.json()["project_id"] == tenant.id


def test_a_key_may_come_in_a_header_of_its_own(api, tenant):
    assert api.ask("GET", "/v1/ping/", headers={"X-API-Key": tenant.key}).json()["project_id"] == tenant.id


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Token"},
        {"Authorization": "Basic kept_x"},
        {"Authorization": "Token kept_x"},
        {"X-API-Key": "ü"},
    ],
)
def test_whoever_has_no_key_is_refused_with_a_reason(api, headers):
    """One and the same, whatever is wrong with it."""
    answer = api.ask("GET", "/v1/ping/", headers={name: value.encode() for name, value in headers.items()})
    assert answer.status_code == 401
    assert answer.json()["detail"] == "The API key is missing, unknown, expired or revoked."


# --- projects ---


def test_an_administrator_makes_projects_with_a_key_of_the_owner(api):
    """It is shown this once."""
    made = api.answer("POST", PROJECTS, api.admin, json={"name": "shop", "description": "What the shop knows."})
    assert made.keys() == {"message", "project_id", "api_key"}
    found = api.get(f"{PROJECTS}{made['project_id']}/", made["api_key"])
    assert (found["name"], found["description"], found["user_role"]) == ("shop", "What the shop knows.", "OWNER")
    assert made["api_key"] not in api.ask("GET", "/v1/keys/", key=made["api_key"]).text


@pytest.mark.parametrize("role", ["READER", "WRITER", "OWNER"])
def test_nobody_else_makes_projects(api, tenant, role):
    answer = api.ask("POST", PROJECTS, key=tenant.make_key(role=role), json={"name": "another"})
    assert answer.status_code == 403
    assert "ADMIN" in answer.json()["detail"]


def test_a_project_is_given_whole_whatever_fields_are_asked_for(api, tenant):
    """With the names that Mem0's projects have."""
    whole = api.get(tenant.path, tenant.key)
    assert api.get(tenant.path, tenant.key, fields=["name"], org_id="default", project_id=tenant.id) == whole
    assert whole.keys() >= {
        "project_id", "name", "description", "created_at", "updated_at", "members", "usecase", "memory_depth",
        "inclusion_prompt", "exclusion_prompt", "custom_categories", "custom_instructions", "agent_custom_instructions",
        "update_custom_instructions", "summary_custom_instructions", "summary_batch_size", "summary_max_tokens",
        "expiration_date", "enable_graph", "multilingual", "version", "is_default", "active_prompt_profile", "decay",
        "user_role",
    }  # fmt: skip


def test_what_is_not_given_stays_and_false_and_empty_are_values(api, tenant):
    def change(**fields):
        api.answer("PATCH", tenant.path, tenant.key, json={"project_id": tenant.id, "unheard_of": 1, **fields})
        return api.get(tenant.path, tenant.key)

    change(custom_instructions="Be brief.", multilingual=True, decay=True, usecase_setting="chat", name="shop")
    found = change(multilingual=False, custom_instructions="", memory_depth=None)
    assert (found["custom_instructions"], found["multilingual"], found["decay"]) == ("", False, True)
    assert (found["usecase"], found["name"], found["memory_depth"]) == ("chat", "shop", None)


def test_instructions_may_come_as_lines(api, tenant):
    """As Mem0's API description has it, while its clients send a text."""
    api.answer("PATCH", tenant.path, tenant.key, json={"custom_instructions": ["Be brief.", "Be kind."]})
    assert api.get(tenant.path, tenant.key)["custom_instructions"] == "Be brief.\nBe kind."


@pytest.mark.parametrize("categories", [[{"tea": "What is brewed."}, {"cake": "What is baked."}], ["tea", "cake"], []])
def test_categories_are_kept_as_they_were_written(api, tenant, categories):
    """And memories are sorted under them; an empty list goes back to the defaults."""
    assert api.get(tenant.path, tenant.key)["custom_categories"] is None
    api.answer("PATCH", tenant.path, tenant.key, json={"custom_categories": categories})
    assert api.get(tenant.path, tenant.key)["custom_categories"] == categories
    names = set(api.get("/v1/entities/filters/", tenant.key)["categories"])
    assert names == {"tea", "cake"} if categories else len(names) == 15


@pytest.mark.parametrize(
    "change",
    [
        {}, {"unheard_of": 1}, {"org_id": "default"}, {"decay": "yes"}, {"multilingual": 1}, {"name": " "},
        {"name": "x" * 201}, {"custom_instructions": 5}, {"custom_instructions": "x" * 20_001},
        {"custom_categories": "tea"}, {"custom_categories": [1]}, {"description": ["a", 1]},
    ],
)  # fmt: skip
def test_what_cannot_be_set_is_refused_and_changes_nothing(api, tenant, change):
    before = api.get(tenant.path, tenant.key)
    assert api.ask("PATCH", tenant.path, key=tenant.key, json=change).status_code == 400
    assert api.get(tenant.path, tenant.key) == before


def test_only_owners_change_a_project(api, tenant):
    for role in ("READER", "WRITER"):
        key = tenant.make_key(role=role)
        assert api.get(tenant.path, key)["project_id"] == tenant.id
        assert api.ask("PATCH", tenant.path, key=key, json={"name": "mine"}).status_code == 403
        assert api.ask("DELETE", tenant.path, key=key).status_code == 403


def test_one_sees_ones_own_project_and_an_administrator_all(api, tenant):
    def listed(key):
        return [project["project_id"] for project in api.get(PROJECTS, key)]

    assert listed(tenant.key) == [tenant.id]
    assert {"default", tenant.id} <= set(listed(api.admin))


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("more", ["", "members/"])
def test_what_is_not_ones_own_is_answered_like_what_does_not_exist(api, tenant, method, more):
    """To the letter, so that nobody learns what others have."""
    other = api.make_project()
    method = "PUT" if more and method == "PATCH" else method
    answers = []
    for place in (other.path, tenant.path.replace(tenant.id, "proj_nowhere"), tenant.path.replace("default", "org_x")):
        answer = api.ask(
            method, place + more, key=tenant.key, json={"name": "x", "email": "a@x.example", "role": "OWNER"}
        )
        assert answer.status_code == 404
        answers.append(answer.json() | {"request_id": None})
    assert answers == [answers[0]] * 3


def test_an_administrator_works_in_any_project_that_there_is(api, tenant):
    tenant.say("I like tea")
    query = {"project_id": tenant.id}
    assert api.answer("GET", "/v1/entities/", api.admin, params=query)["count"] == 1
    assert api.ask("GET", "/v1/entities/", key=api.admin, params={"project_id": "proj_nowhere"}).status_code == 404
    assert api.ask("GET", "/v1/entities/", key=tenant.key, params={"project_id": "default"}).status_code == 403


def test_a_deleted_project_is_over(api, tenant):
    """Its keys end, its memories are hidden, what was configured in it is gone, and its id does not come back."""
    api.answer("POST", "/v1/retention/", tenant.key, json={"days": 5})
    api.answer("POST", "/v1/users/", tenant.key, json={"user_id": "alice"})
    api.answer("POST", f"{tenant.path}members/", tenant.key, json={"email": "a@x.example"})
    (memory_id,) = tenant.say("I like tea")
    reader = tenant.make_key(role="READER")
    deleted = api.answer("DELETE", tenant.path, tenant.key)
    api.work()
    for key in (tenant.key, reader):
        assert api.ask("GET", "/v1/ping/", key=key).status_code == 401
    assert api.ask("GET", tenant.path, key=api.admin).status_code == 404
    assert tenant.id not in {project["project_id"] for project in api.get(PROJECTS, api.admin)}
    assert api.get(f"/v1/event/{deleted['event_id']}/", api.admin)["status"] == "SUCCEEDED"
    assert api.ask("GET", f"/v1/event/{deleted['event_id']}/", key=api.make_project().key).status_code == 404
    assert api.platform.service.get(tenant.id, memory_id).state == "deleted"
    for kind in ("retention_rule", "entity", "member"):
        assert api.platform.registry.entries(kind, tenant.id) == []


def test_the_default_organisation_and_project_are_always_there(api):
    assert api.get(f"{ORGANISATIONS}default/", api.admin)["org_id"] == "default"
    assert api.get(f"{PROJECTS}default/", api.admin)["is_default"]
    assert api.ask("DELETE", f"{PROJECTS}default/", key=api.admin).status_code == 409
    assert api.ask("DELETE", f"{ORGANISATIONS}default/", key=api.admin).status_code == 409


def test_a_project_that_memories_are_stored_in_is_there(api):
    """Also when nobody made it: somebody used it by its name on the command line."""
    from kept.domain.scope import Scope

    api.platform.service.add(Scope(project="local", user_id="me"), ["I like tea"])
    assert "local" in {project["project_id"] for project in api.get(PROJECTS, api.admin)}
    api.answer("PATCH", f"{PROJECTS}local/", api.admin, json={"description": "Mine."})
    assert api.get(f"{PROJECTS}local/", api.admin)["description"] == "Mine."


# --- members ---


def test_members_come_change_and_go(api, tenant):
    def members():
        return {one["username"]: one["role"] for one in api.get(f"{tenant.path}members/", tenant.key)["members"]}

    api.answer("POST", f"{tenant.path}members/", tenant.key, json={"email": "ada@x.example"})
    assert members() == {"ada@x.example": "READER"}
    api.answer("PUT", f"{tenant.path}members/", tenant.key, json={"email": " ADA@x.example", "role": "owner"})
    assert members() == {"ada@x.example": "OWNER"}
    assert api.get(tenant.path, tenant.key)["members"][0]["email"] == "ada@x.example"
    api.answer("DELETE", f"{tenant.path}members/", tenant.key, params={"email": "ada@x.example"})
    assert members() == {}


@pytest.mark.parametrize(
    ("method", "fields", "status"),
    [
        ("POST", {"email": "known@x.example"}, 409), ("POST", {"email": "nobody"}, 400), ("POST", {}, 400),
        ("POST", {"email": "a@b", "role": "WRITER"}, 400), ("PUT", {"email": "a@b", "role": "OWNER"}, 404),
        ("POST", {"email": f"{'a' * 250}@b.example"}, 400), ("POST", {"email": "a b@x.example"}, 400),
    ],
)  # fmt: skip
def test_who_cannot_be_a_member_is_said(api, tenant, method, fields, status):
    api.answer("POST", f"{tenant.path}members/", tenant.key, json={"email": "known@x.example"})
    assert api.ask(method, f"{tenant.path}members/", key=tenant.key, json=fields).status_code == status


def test_who_is_no_member_cannot_be_removed(api, tenant):
    assert api.ask("DELETE", f"{tenant.path}members/", key=tenant.key, params={"email": "a@b"}).status_code == 404
    assert api.ask("DELETE", f"{tenant.path}members/", key=tenant.key).status_code == 400


def test_a_members_key_follows_the_member(api, tenant):
    """What the key may do changes with the role; it ends with the membership, and does not come back with it."""
    api.answer("POST", f"{tenant.path}members/", tenant.key, json={"email": "ada@x.example", "role": "OWNER"})
    made = api.answer("POST", "/v1/keys/", tenant.key, json={"name": "ada", "role": "OWNER", "member": "ada@x.example"})

    def add():
        return api.ask(
            "POST", "/v3/memories/add/", key=made["api_key"], json={"messages": "x", "user_id": "a"}
        ).status_code

    assert add() == 200
    api.answer("PUT", f"{tenant.path}members/", tenant.key, json={"email": "ada@x.example", "role": "READER"})
    assert add() == 403
    api.answer("DELETE", f"{tenant.path}members/", tenant.key, params={"email": "ada@x.example"})
    assert add() == 401
    api.answer("POST", f"{tenant.path}members/", tenant.key, json={"email": "ada@x.example", "role": "OWNER"})
    assert add() == 401


def test_only_members_have_members_keys(api, tenant):
    asked = {"name": "x", "member": "nobody@x.example"}
    assert api.ask("POST", "/v1/keys/", key=tenant.key, json=asked).status_code == 404


# --- organisations ---


def test_organisations_are_an_administrators_matter(api, tenant):
    made = api.answer("POST", ORGANISATIONS, api.admin, json={"name": "Acme"})
    place = f"{ORGANISATIONS}{made['org_id']}/"
    assert api.get(place, api.admin)["name"] == "Acme"
    assert [found["org_id"] for found in api.get(ORGANISATIONS, tenant.key)] == ["default"]
    assert {"default", made["org_id"]} <= {found["org_id"] for found in api.get(ORGANISATIONS, api.admin)}
    for method, path in (("POST", ORGANISATIONS), ("DELETE", place), ("POST", f"{ORGANISATIONS}default/members/")):
        answer = api.ask(method, path, key=tenant.key, json={"name": "x", "email": "a@x.example"})
        assert answer.status_code == 403
    for method, path in (("GET", place), ("GET", f"{place}members/"), ("GET", f"{place}projects/")):
        assert api.ask(method, path, key=tenant.key).status_code == 404


def test_an_organisation_is_deleted_when_its_projects_are(api):
    org_id = api.answer("POST", ORGANISATIONS, api.admin, json={"name": "Acme"})["org_id"]
    place = f"{ORGANISATIONS}{org_id}/"
    project = api.answer("POST", f"{place}projects/", api.admin, json={"name": "shop"})
    assert api.get("/v1/ping/", project["api_key"])["org_id"] == org_id
    assert api.ask("DELETE", place, key=api.admin).status_code == 409
    api.answer("DELETE", f"{place}projects/{project['project_id']}/", api.admin)
    api.answer("DELETE", place, api.admin)
    assert api.ask("GET", place, key=api.admin).status_code == 404


def test_members_of_an_organisation_are_not_those_of_a_project_of_the_same_name(api):
    """`default` is both; being added to the one opens nothing in the other. Who leaves the organisation leaves its projects."""
    organisation, project = f"{ORGANISATIONS}default/members/", f"{PROJECTS}default/members/"
    added = api.ask("POST", organisation, key=api.admin, json={"email": "eve@x.example", "role": "OWNER"})
    assert added.status_code == 201
    assert api.get(organisation, api.admin)["members"][0]["user_id"] == "eve@x.example"
    assert api.get(project, api.admin)["members"] == []
    api.answer("POST", project, api.admin, json={"email": "eve@x.example"})
    api.answer("PUT", organisation, api.admin, json={"email": "eve@x.example", "role": "READER"})
    api.answer("DELETE", organisation, api.admin, json={"email": "eve@x.example"})
    assert api.get(organisation, api.admin)["members"] == api.get(project, api.admin)["members"] == []


# --- keys ---


def test_a_key_is_shown_once_and_listed_without_its_secret(api, tenant):
    made = api.answer(
        "POST", "/v1/keys/", tenant.key, json={"name": "phone", "role": "reader", "user_id": ["alice", "bob"]}
    )
    assert (made["role"], made["bound"], made["project_id"]) == ("READER", {"user_id": ["alice", "bob"]}, tenant.id)
    assert made["api_key"].startswith(made["prefix"])
    listed = api.get("/v1/keys/", tenant.key)
    assert listed["count"] == 2
    assert {key["name"] for key in listed["results"]} == {"owner", "phone"}
    assert api.get(f"/v1/keys/{made['id']}/", tenant.key) == {
        name: value for name, value in made.items() if name != "api_key"
    }
    assert made["api_key"] not in str(listed)


def test_an_ended_key_lets_nobody_in_and_stays_in_the_list(api, tenant):
    made = api.answer("POST", "/v1/keys/", tenant.key, json={"name": "phone"})
    for _ in range(2):
        assert api.answer("DELETE", f"/v1/keys/{made['id']}/", tenant.key)["key"]["revoked_at"]
    assert api.ask("GET", "/v1/ping/", key=made["api_key"]).status_code == 401
    assert made["id"] in {key["id"] for key in api.get("/v1/keys/", tenant.key)["results"]}


def test_a_key_says_when_it_was_used(api, tenant):
    def used():
        return next(
            key["last_used_at"] for key in api.get("/v1/keys/", tenant.key)["results"] if key["name"] == "phone"
        )

    key = tenant.make_key(name="phone")
    assert used() is None
    api.get("/v1/ping/", key)
    assert datetime.fromisoformat(used()) > datetime.now(UTC) - timedelta(minutes=1)


@pytest.mark.parametrize(
    ("role", "fields", "status"),
    [
        ("OWNER", {"role": "ADMIN"}, 403), ("WRITER", {}, 403), ("READER", {}, 403), ("OWNER", {"role": "KING"}, 400),
        ("OWNER", {"name": ""}, 400), ("OWNER", {"name": None}, 400), ("OWNER", {"expires_at": "2020-01-01"}, 400),
        ("OWNER", {"expires_at": "soon"}, 400), ("OWNER", {"bound": {"planet": "earth"}}, 400),
        ("OWNER", {"user_id": "*"}, 400), ("OWNER", {"user_id": []}, 400), ("OWNER", {"role": "OWNER", "user_id": "a"}, 400),
        ("ADMIN", {"role": "ADMIN", "member": "a@b"}, 400),
    ],
)  # fmt: skip
def test_a_key_that_cannot_be_made_is_not(api, tenant, role, fields, status):
    """An owner makes keys of the own project, up to owners; nobody makes one that reaches further than their own."""
    key = api.admin if role == "ADMIN" else tenant.make_key(role=role)

    def count():
        return api.get("/v1/keys/", tenant.key)["count"]

    before = count()
    assert api.ask("POST", "/v1/keys/", key=key, json={"name": "x"} | fields).status_code == status
    assert count() == before


@pytest.mark.parametrize(
    ("place", "body"),
    [("/v1/keys/", {"name": "x"}), ("/v1/mcp-links/", {"name": "x"}), ("/v1/retention/", {"days": 30})],
)
def test_a_project_that_a_body_names_is_the_one_that_is_meant(api, tenant, place, body):
    """By an administrator; whoever else names another than the own is refused."""

    def made(key, project):
        return api.ask("POST", place, key=key, json={**body, "project_id": project})

    other = api.make_project()
    assert made(tenant.key, tenant.id).status_code == 201
    theirs = made(api.admin, tenant.id).json()["id"]
    assert theirs in {one["id"] for one in api.get(place, tenant.key)["results"]}
    assert made(api.admin, "proj_nowhere").status_code == 404
    assert made(tenant.key, other.id).status_code == 403


def test_a_bound_key_makes_and_sees_no_keys_and_no_members(api, tenant):
    bound = tenant.make_key(bound={"user_id": "alice"})
    api.answer("POST", f"{tenant.path}members/", tenant.key, json={"email": "ada@x.example"})
    assert api.ask("POST", "/v1/keys/", key=bound, json={"name": "x"}).status_code == 403
    assert api.ask("GET", "/v1/keys/", key=bound).status_code == 403
    assert api.ask("GET", f"{tenant.path}members/", key=bound).status_code == 403
    assert api.get(tenant.path, bound)["members"] == []


def test_keys_of_other_projects_are_not_there(api, tenant):
    other = api.answer("POST", "/v1/keys/", api.make_project().key, json={"name": "x"})
    for method in ("GET", "DELETE"):
        assert api.ask(method, f"/v1/keys/{other['id']}/", key=tenant.key).status_code == 404
    assert api.get("/v1/ping/", other["api_key"])["status"] == "ok"
    assert api.get(f"/v1/keys/{other['id']}/", api.admin)["id"] == other["id"]


def test_an_administrator_makes_administrators_and_keys_of_any_project(api, tenant):
    made = api.answer("POST", "/v1/keys/", api.admin, json={"name": "ops", "role": "ADMIN"})
    assert (made["project_id"], api.get("/v1/ping/", made["api_key"])["role"]) == (None, "ADMIN")
    made = api.answer(
        "POST", "/v1/keys/", api.admin, params={"project_id": tenant.id}, json={"name": "x", "read_only": True}
    )
    assert (made["project_id"], made["role"]) == (tenant.id, "READER")


def test_a_project_limits_what_language_models_may_cost_it(api, tenant):
    """An empty object lifts its limits."""
    for spending in ({"daily_tokens": 100_000, "daily_usd": 1.5}, {"daily_usd": None}, {}):
        api.answer("PATCH", tenant.path, tenant.key, json={"spending": spending})
        kept = {name: value for name, value in spending.items() if value is not None} or None
        assert api.get(tenant.path, tenant.key)["spending"] == kept
    answer = api.ask("PATCH", tenant.path, key=tenant.key, json={"spending": {"daily_tokens": -1}})
    assert (answer.status_code, "spending.daily_tokens" in answer.text) == (400, True)
    answer = api.ask("PATCH", tenant.path, key=tenant.make_key(role="WRITER"), json={"spending": {}})
    assert answer.status_code == 403
