"""The description of the routes: complete, and true of what they answer."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs
import pytest
from starlette.routing import compile_path

from kept.rest.app import ROUTERS

METHODS = ("get", "post", "put", "patch", "delete")
OTHER_ERRORS = {("operation_readyz", "503"), ("memories_list_v1", "400")}
"""Those of another shape: of what is not ready, and what Mem0's client expects."""
OPEN = {"operation_healthz", "operation_readyz", "operation_metrics"}


@pytest.fixture(scope="module")
def description(api) -> dict[str, Any]:
    answer = api.ask("GET", "/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def operations(description):
    """Every operation, as method, path and what is said about it."""
    return [
        (method, path, operation)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]


# --- complete ---


def test_every_route_is_described(description):
    described = {(method.upper(), path) for method, path, _ in operations(description)}
    served = {(method, route.path_format) for router in ROUTERS for route in router.routes for method in route.methods}
    heads = {("HEAD", path) for path in ("/healthz", "/readyz")}  # as GET, without what it answers
    assert served == described | heads


def test_every_operation_has_a_summary_and_a_sentence(description):
    for _, path, operation in operations(description):
        assert operation["summary"], path
        assert operation["description"].endswith("."), path


def test_every_parameter_and_every_field_of_a_body_is_explained(description):
    for _, path, operation in operations(description):
        for parameter in operation["parameters"]:
            assert parameter.get("description"), (path, parameter["name"])
        for body in operation.get("requestBody", {}).get("content", {}).values():
            (name,) = re.findall(r"schemas/(\w+)", str(body["schema"]))
            for field_name, schema in description["components"]["schemas"][name].get("properties", {}).items():
                assert schema.get("description"), (name, field_name)


def test_operations_have_names_that_a_program_can_use_and_no_two_the_same(description):
    names = [operation["operationId"] for _, _, operation in operations(description)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{1,62}", name) for name in names)


def test_names_of_operations_that_others_were_told_stay(description):
    names = {operation["operationId"] for _, _, operation in operations(description)}
    assert {"memories_add", "memories_search", "memories_get", "entities_list", "events_get", "keys_create"} <= names


def test_every_operation_says_what_it_answers_and_every_error_has_the_one_shape(description):
    for _, path, operation in operations(description):
        for status, response in operation["responses"].items():
            assert response["description"], (path, status)
            assert response["content"], (path, status)
            if int(status) >= 400 and (operation["operationId"], status) not in OTHER_ERRORS:
                assert response["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Error"}
        assert any(status.startswith("2") for status in operation["responses"])
        assert "422" not in operation["responses"]


def test_only_what_tells_how_the_server_is_needs_no_key(description):
    schemes = set(description["components"]["securitySchemes"])
    for _, path, operation in operations(description):
        named = {name for one in operation.get("security", ()) for name in one}
        assert named == (set() if operation["operationId"] in OPEN else schemes), path


def test_the_description_is_valid_and_every_name_in_it_is_there(description):
    assert description["openapi"].startswith("3.1")
    named = set(re.findall(r"#/components/schemas/(\w+)", str(description)))
    assert named <= set(description["components"]["schemas"])
    for schema in description["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema | {"$schema": "https://json-schema.org/draft/2020-12/schema"})


# --- the page ---


def test_the_page_of_the_description_needs_no_internet(api):
    page = api.ask("GET", "/docs").text
    assert not re.findall(r"https?://(?!127\.0\.0\.1)[^\s\"']+", page)
    for address in re.findall(r"(?:src|href)=\"([^\"]+)\"", page):
        found = api.ask("GET", address)
        assert found.status_code == 200
        assert found.content
    assert '"validatorUrl": null' in page


def test_every_body_has_an_example_that_fits_it(description):
    for _, path, operation in operations(description):
        for body in operation.get("requestBody", {}).get("content", {}).values():
            schema = body["schema"] | {"components": description["components"]}
            jsonschema_rs.validate(schema, body["example"])
            (name,) = re.findall(r"schemas/(\w+)", str(body["schema"]))
            assert body["example"].keys() <= description["components"]["schemas"][name]["properties"].keys(), path


def test_what_the_page_offers_to_try_works(make_api):
    """In a new project; of what is not there the answer is 404, and two of the same e-mail address are one conflict."""
    api = make_api(webhooks_allow_private=True)
    description, project = api.ask("GET", "/openapi.json").json(), api.make_project()
    for method, path, operation in operations(description):
        for body in operation.get("requestBody", {}).get("content", {}).values():
            place = path.replace("{org_id}", "default").replace("{project_id}", project.id)
            place = re.sub(r"{\w+}", str(uuid.UUID(int=7)), place)
            by_admin = operation["operationId"].startswith(("organisations_", "projects_create"))
            answer = api.ask(
                method.upper(),
                place,
                key=api.admin if by_admin else project.key,
                json=body["example"],
                headers={"Idempotency-Key": place},
            )
            assert answer.is_success or answer.status_code in {404, 409}, (place, answer.text)


# --- true ---


@dataclass
class Caller:
    """Asks, and holds each answer to the description."""

    api: Any
    description: dict[str, Any]
    key: str
    seen: set[str] = field(default_factory=set)

    def __call__(self, method: str, path: str, *, key: str | None = None, **more: Any) -> Any:
        operation = self._operation(method, path)
        answer = self.api.ask(method, path, key=key or self.key, **more)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        response = operation["responses"].get(str(answer.status_code))
        assert response is not None, f"{method} {path} answers {answer.status_code}, which is not described"
        form = answer.headers["content-type"].partition(";")[0]
        assert form in response["content"], f"{method} {path} answers {form}, which is not described"
        self.seen.add(operation["operationId"])
        if form != "application/json":
            return answer.text
        schema = response["content"][form].get("schema", {}) | {"components": self.description["components"]}
        jsonschema_rs.validate(schema, answer.json())
        return answer.json()

    def _operation(self, method: str, path: str) -> dict[str, Any]:
        known = self.description["paths"]
        named = sorted(known, key=lambda template: template.count("{"))
        bare = path.partition("?")[0]
        return next(
            known[template][method.lower()]
            for template in named
            if method.lower() in known[template] and compile_path(template)[0].fullmatch(bare)
        )


ALICE = {"user_id": "alice"}
EVERYBODY = {"filters": ALICE}


def test_what_is_described_is_what_is_answered(make_api):
    """Every operation once, in a life of a project."""
    api = make_api(webhooks_allow_private=True)
    call = Caller(api, api.ask("GET", "/openapi.json").json(), api.make_project().key)
    project = call("GET", "/v1/ping/")["project_id"]
    memory = a_memory_is_made_found_and_changed(call)
    what_waits_is_done_and_read(call)
    entities_are_described_and_deleted(call)
    webhooks_rules_and_links_are_kept(call, project)
    what_could_be_fewer_is_proposed(call)
    the_graph_is_asked(call)
    the_tenants_are_managed(call)
    call("POST", f"/v1/memories/{memory}/erase/")
    call("POST", "/v1/erase/", json=ALICE)
    api.app.state.worker.start()
    try:
        the_self_hosted_routes_answer(call)
        for path in ("/healthz", "/readyz", "/metrics"):
            call("GET", path)
    finally:
        api.app.state.worker.stop()
    assert call.seen == {operation["operationId"] for _, _, operation in operations(call.description)}


def a_memory_is_made_found_and_changed(call: Caller) -> str:
    call("POST", "/v3/memories/add/", json={"messages": "I play the cello.", **ALICE})
    call("POST", "/v1/memories/", json={"messages": "I have a boat.", **ALICE})
    call.api.work()
    said = {"messages": ["I like tea.", "I like rye bread."], "infer": False, **ALICE}
    first, second = (one["id"] for one in call("POST", "/v3/memories/add/", json=said)["results"])
    for version in (1, 2, 3):
        named = EVERYBODY if version == 3 else ALICE
        call("POST", f"/v{version}/memories/search/", json={"query": "tea", "explain": True, **named})
    for version in (2, 3):
        call("POST", f"/v{version}/memories/", json=EVERYBODY)
    for page in ("", "&page=1&page_size=1"):
        call("GET", f"/v1/memories/?user_id=alice{page}")
    call("POST", "/v3/memories/", json={**EVERYBODY, "fields": ["memory"]})
    call("PUT", f"/v1/memories/{first}/", json={"text": "I like green tea."})
    call("GET", f"/v1/memories/{first}/")
    call("POST", f"/v1/memories/{second}/invalidate/")
    call("POST", f"/v1/memories/{second}/restore/")
    call("DELETE", f"/v1/memories/{second}/?delete_linked=true")
    call("POST", "/v1/undo/", json=ALICE)
    call("GET", f"/v1/memories/{first}/history/")
    call("POST", "/v1/feedback/", json={"memory_id": first, "feedback": "POSITIVE"})
    call("POST", "/v1/timeline/", json={"query": "tea", **ALICE})
    call("POST", "/v1/context/", json={"query": "tea", **ALICE})
    call("PUT", "/v1/batch/", json={"memories": [{"memory_id": first, "text": "I like white tea."}]})
    call("DELETE", "/v1/batch/", json={"memories": [{"memory_id": second}]})
    call("GET", "/v1/memories/events/")
    return str(first)


def what_waits_is_done_and_read(call: Caller) -> None:
    call("GET", "/v1/stats/")
    call("POST", "/v1/summary/", json=EVERYBODY)
    schema = {"type": "object", "properties": {"drink": {"type": "string", "description": "What they drink."}}}
    asked = call("POST", "/v1/exports/", json={"schema": schema, **EVERYBODY})
    text = call("POST", "/v1/exports/", json={"format": "csv", **EVERYBODY})
    call("POST", "/v1/exports/get/", json={"memory_export_id": asked["id"]})
    call("POST", "/v2/profiles/settings/", json={"enabled": True})
    run = call(
        "POST", "/v2/profiles/jobs/", json={"entity_id": "alice"}, headers={"Idempotency-Key": "profile-of-alice"}
    )
    call.api.app.state.worker.run_due("making")
    call("POST", "/v1/exports/get/", json={"memory_export_id": asked["id"]})
    call("GET", f"/v1/exports/{asked['id']}/")
    for made in (asked, text):
        call("GET", f"/v1/exports/{made['id']}/content/")
    call("GET", f"/v2/profiles/jobs/{run['job_id']}/")
    call("GET", "/v2/profiles/settings/")
    call("GET", "/v2/entities/user/alice/profile/")
    event = call("GET", "/v1/events/")["results"][0]["id"]
    call("GET", f"/v1/event/{event}/")


def entities_are_described_and_deleted(call: Caller) -> None:
    numbers = {
        kind: call("POST", f"/v1/{kind}s/", json={f"{kind}_id": "nova", "name": "Nova"})["id"]
        for kind in ("user", "agent", "app", "run")
    }
    call("GET", "/v1/entities/")
    call("GET", "/v1/entities/filters/")
    call("GET", "/v2/entities/user/alice/")
    call("GET", "/v1/memories/user/alice/")
    call("DELETE", "/v2/entities/agent/nova/")
    call("DELETE", f"/v1/entities/run/{numbers['run']}/")
    call("DELETE", "/v1/memories/?app_id=nova")


def webhooks_rules_and_links_are_kept(call: Caller, project: str) -> None:
    hooks = f"/api/v1/webhooks/projects/{project}/"
    told = {"name": "hook", "url": "http://127.0.0.1:9/", "event_types": ["memory_add"]}
    hook = call("POST", hooks, json=told)["webhook_id"]
    call("GET", hooks)
    call("PUT", f"/api/v1/webhooks/{hook}/", json={"name": "other"})
    call("GET", f"/api/v1/webhooks/{hook}/deliveries/")
    call("DELETE", f"/api/v1/webhooks/{hook}/")
    rule = call("POST", "/v1/retention/", json={"category": "food", "days": 30})["id"]
    call("GET", "/v1/retention/")
    call("POST", "/v1/retention/enforce/")
    call("DELETE", f"/v1/retention/{rule}/")
    link = call("POST", "/v1/mcp-links/", json={"name": "desk"})["id"]
    call("GET", "/v1/mcp-links/")
    call("PATCH", f"/v1/mcp-links/{link}/", json={"name": "other desk"})
    call("GET", f"/v1/mcp-links/{link}/")
    call("POST", f"/v1/mcp-links/{link}/rotate/")
    call("DELETE", f"/v1/mcp-links/{link}/")
    call("GET", "/v1/audit/")
    call("GET", "/v1/audit/export/")
    call("GET", "/v1/spending/")


def what_could_be_fewer_is_proposed(call: Caller) -> None:
    """Two that say the same, twice: one merge is accepted, one declined."""
    for text in ("I live in Lisbon near the river.", "The deploy runs at nine on weekdays."):
        for run in ("a", "b"):
            said = {"messages": [{"role": "user", "content": text}], "user_id": "mia", "run_id": run, "infer": False}
            call("POST", "/v3/memories/add/", json=said)
    made = call("POST", "/v1/proposals/", json={"user_id": "mia"})["results"]
    call("GET", "/v1/proposals/")
    call("GET", f"/v1/proposals/{made[0]['id']}/")
    call("POST", f"/v1/proposals/{made[0]['id']}/accept/", json={})
    call("POST", f"/v1/proposals/{made[1]['id']}/decline/")


def the_graph_is_asked(call: Caller) -> None:
    said = {"messages": ["I use Postgres.", "The worker uses PostgreSQL."], "infer": False, **ALICE}
    call("POST", "/v3/memories/add/", json=said)
    for query in ("query=postgres&", ""):
        call("GET", f"/v1/graph/search/?{query}user_id=alice")
    call("GET", "/v1/graph/entity/?name=postgres&user_id=alice")
    call("GET", "/v1/graph/neighbours/?name=alice&user_id=alice")
    call("GET", "/v1/graph/paths/?source=alice&target=postgres&user_id=alice")
    call("GET", "/v1/graph/likenesses/?user_id=alice")
    call("POST", "/v1/graph/merge/", json={"into": "Postgres", "names": ["PostgreSQL"], **ALICE})
    call("POST", "/v1/graph/split/", json={"names": ["PostgreSQL"], **ALICE})


def the_tenants_are_managed(call: Caller) -> None:
    admin = {"key": call.api.admin}
    organisations = "/api/v1/orgs/organizations/"
    organisation = call("POST", organisations, json={"name": "shop"}, **admin)["org_id"]
    call("GET", organisations, **admin)
    projects = f"{organisations}{organisation}/projects/"
    made = call("POST", projects, json={"name": "web"}, **admin)
    call("GET", projects, **admin)
    call("GET", f"{organisations}{organisation}/", **admin)
    path, owner = f"{projects}{made['project_id']}/", {"key": made["api_key"]}
    call("PATCH", path, json={"custom_instructions": "Be brief."}, **owner)
    call("GET", path, **owner)
    for members in (f"{organisations}{organisation}/members/", f"{path}members/"):
        for method, role in (("POST", "READER"), ("PUT", "OWNER")):
            call(method, members, json={"email": "mira@example.org", "role": role}, **admin)
        call("GET", members, **admin)
    call("DELETE", f"{path}members/?email=mira@example.org", **admin)
    call("DELETE", f"{organisations}{organisation}/members/", json={"email": "mira@example.org"}, **admin)
    key = call("POST", "/v1/keys/", json={"name": "reader", "role": "READER"}, **owner)["id"]
    call("GET", "/v1/keys/", **owner)
    call("GET", f"/v1/keys/{key}/", **owner)
    call("DELETE", f"/v1/keys/{key}/", **owner)
    call("DELETE", path, **owner)
    call("DELETE", f"{organisations}{organisation}/", **admin)


def the_self_hosted_routes_answer(call: Caller) -> None:
    said = {"messages": [{"role": "user", "content": "I like tea."}], "infer": False, "user_id": "olga"}
    memory = call("POST", "/memories", json=said)["results"][0]["id"]
    call("GET", "/memories?user_id=olga")
    call("PUT", f"/memories/{memory}", json={"text": "I like green tea."})
    call("GET", f"/memories/{memory}")
    call("GET", f"/memories/{memory}/history")
    call("POST", "/search", json={"query": "tea", "user_id": "olga"})
    call("DELETE", f"/memories/{memory}")
    call("GET", f"/memories/{memory}")
    call("GET", "/entities")
    call("GET", "/configure")
    call("DELETE", "/memories?user_id=olga")
    call("DELETE", "/entities/user/olga")
    call("POST", "/reset")
