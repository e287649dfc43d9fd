"""Nothing leaks: every route, asked with the key of another project, with keys bound to other users, and with none."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import pytest

OPEN = {"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"}
"""What may be read without a key; `/metrics` from this machine alone."""
MARK = "Wolpertinger"
"""Stands in everything of the tenant's that a stranger must not read, and in nothing that a stranger sends."""
USER = "resident"
STRANGER = "stranger"
AGAIN = {"Idempotency-Key": "asked by a test"}
WRITING = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Home:
    """A tenant with one of everything, and where each is found."""

    tenant: Any
    memory_ids: tuple[str, ...]
    places: dict[str, str]

    def path(self, template: str) -> str:
        """A route's path that leads to what is the tenant's."""
        return re.sub(r"{(\w+)}", lambda name: self.places[name[1]], template)

    def state(self) -> dict[str, Any]:
        """All that a stranger could change: the residents' memories, what is configured, what was acknowledged for them."""
        platform, project = self.tenant.api.platform, self.tenant.id
        kinds = ("project", "member", "webhook", "retention_rule", "entity", "profile_settings", "link")
        configured = {
            kind: [entry for entry in platform.registry.entries(kind) if project in {entry.owner, entry.id}]
            for kind in kinds
        }
        keys = [replace(key, last_used_at=None) for key in keys_of(self.tenant.api, project)]
        own = self.tenant.api.get("/v1/events/", self.tenant.key, user_id=USER, page_size=200)
        return {
            "memories": platform.service.find_many(project, self.memory_ids),
            "events": [(event["id"], event["status"]) for event in own["results"] if event["actor"] != STRANGER],
            "keys": keys,
            "proposals": self.tenant.api.get("/v1/proposals/", self.tenant.key, user_id=USER, status="all")["results"],
            "run": platform.registry.find("profile_run", self.places["job_id"]),
            **configured,
        }


def keys_of(api, project):
    """Keys of a project, but for those of the strangers."""
    return [key for key in api.keys.all(project) if key.name != STRANGER]


@pytest.fixture(scope="module")
def home(api):
    """A tenant with one of everything."""
    tenant = api.make_project(MARK)

    def ask(method, path, **body):
        return api.answer(method, path, tenant.key, json=body, headers=AGAIN)

    everywhere = {"user_id": USER, "agent_id": f"{MARK} agent", "app_id": f"{MARK} app", "run_id": f"{MARK} run"}
    texts = (f"I like {MARK} tea", f"I keep a {MARK}", f"I hid a {MARK}")
    first, second, hidden = tenant.say(*texts, **everywhere, metadata={"a": MARK})
    operation = ask("PUT", f"/v1/memories/{first}/", text=f"I love {MARK} tea")["operation_id"]
    ask("DELETE", f"/v1/memories/{hidden}/")
    ask("POST", "/v1/users/", user_id=USER, name=MARK, metadata={"a": MARK})
    ask("PATCH", tenant.path, description=MARK, custom_instructions=MARK, custom_categories=["beasts"])
    ask("POST", f"{tenant.path}members/", email=f"{MARK}@x.example")
    key = ask("POST", "/v1/keys/", name=MARK, member=f"{MARK}@x.example")
    hooks = f"/api/v1/webhooks/projects/{tenant.id}/"
    hook = ask("POST", hooks, name=MARK, url="http://93.184.216.34/", event_types=["memory_add"])
    ask("PUT", f"/api/v1/webhooks/{hook['webhook_id']}/", is_active=False)
    rule = ask("POST", "/v1/retention/", category="beasts", days=3_650)
    link = ask("POST", "/v1/mcp-links/", name=MARK)
    export = ask("POST", "/v1/exports/", user_id=USER, format="jsonl")
    run = ask("POST", "/v2/profiles/jobs/", operation="trigger", entity_type="user", entity_id=USER)
    twice = [tenant.say(f"I fed the {MARK} twice.", user_id=USER, run_id=run)[0] for run in ("monday", "tuesday")]
    (proposal,) = ask("POST", "/v1/proposals/", user_id=USER)["results"]
    said = [{"role": "user", "content": f"I saw a {MARK} in May."}]
    event = ask("POST", "/v3/memories/add/", messages=said, **everywhere)
    api.app.state.worker.run_due("writes", "making")
    number = next(one["id"] for one in api.get("/v1/entities/", tenant.key)["results"] if one["name"] == USER)
    stored = [result["id"] for result in api.get(f"/v1/event/{event['event_id']}/", tenant.key)["results"]]
    places = {
        "memory_id": first, "event_id": event["event_id"], "export_id": export["id"], "job_id": run["job_id"],
        "key_id": key["id"], "webhook_id": hook["webhook_id"], "rule_id": rule["id"], "link_id": link["id"], "org_id": "default", "proposal_id": proposal["id"],
        "project_id": tenant.id, "entity_type": "user", "entity_id": USER, "name": USER, "number": number, "operation_id": operation,
    }  # fmt: skip
    return Home(tenant, (first, second, hidden, *twice, *stored), places)


def routes(api) -> list[tuple[str, str]]:
    """Method and path of every route that is described."""
    described = api.app.openapi()["paths"].items()
    found = [(method.upper(), path) for path, operations in described for method in operations]
    return [
        (method, path.replace("/v1/entities/{entity_type}/{entity_id}/", "/v1/entities/{entity_type}/{number}/"))
        for method, path in found
    ]


def bodies(home) -> list[dict[str, Any]]:
    """What strangers send: by id, by filter, by wildcard."""
    everybody = {"OR": [{name: "*"} for name in ("user_id", "agent_id", "app_id", "run_id")]}
    common = {
        "messages": "I am here", "query": "tea", "text": "changed", "memory_id": home.memory_ids[0],
        "memories": [{"memory_id": home.memory_ids[0], "text": "changed"}], "feedback": "NEGATIVE", "name": "changed",
        "days": 1, "email": "stranger@x.example", "role": "OWNER", "entity_type": "user", "operation": "trigger",
        "schema": {"type": "object", "properties": {"tea": {"type": "string", "description": "tea"}}}, "enabled": False,
        "memory_export_id": home.places["export_id"], "url": "http://93.184.216.34/", "event_types": ["memory_add"],
        "custom_instructions": "changed", "metadata": {"b": 1}, "into": USER, "names": ["tea"],
    }  # fmt: skip
    ids = {"user_id": USER, "entity_id": USER}
    by_name = {
        "facts": [{"text": "changed", "supersedes": [home.memory_ids[0]]}],
        "operation_id": home.places["operation_id"],
    }
    return [
        common | ids,
        common | ids | by_name,
        {name: value for name, value in common.items() if name != "memory_export_id"}
        | {"filters": {"user_id": USER}, "entity_id": USER},
        common | {"filters": everybody, "operation": "sample"},
    ]


def queries() -> list[dict[str, Any]]:
    """The same in a query, with entities for the graph."""
    entities = {"name": USER, "source": USER, "target": "tea"}
    return [
        entities | whose
        for whose in (
            {"user_id": USER},
            {},
            {"filters": f"{{'user_id': '{USER}'}}"},
            dict.fromkeys(("user_id", "agent_id", "app_id", "run_id"), "*"),
        )
    ]


STRANGERS = ("another project's owner", "bound to one user", "bound to several", "bound to an agent", "bound reader")


def key_of(home, who: str, name: str) -> str:
    """A key that has nothing to do with the resident."""
    bound: dict[str, Any] = {
        "bound to one user": {"user_id": name},
        "bound to several": {"user_id": [name, "guest"]},
        "bound to an agent": {"agent_id": name},
        "bound reader": {"user_id": name},
    }
    if who not in bound:
        return home.tenant.api.make_project(STRANGER).key
    return home.tenant.make_key(name=STRANGER, role="READER" if who == "bound reader" else "WRITER", bound=bound[who])


@pytest.fixture(scope="module")
def _at_work(api):
    """What strangers ask for is done, so that it is seen what comes of it."""
    api.app.state.worker.start()
    yield
    api.app.state.worker.stop()


@pytest.mark.usefixtures("_at_work")
@pytest.mark.parametrize("who", STRANGERS)
def test_a_stranger_reads_and_changes_nothing(api, home, who):
    """Through no route, whether by id, by filter or by wildcard; not even how much there is."""
    key, before = key_of(home, who, STRANGER), home.state()
    for method, template in routes(api):
        for body, query in zip(bodies(home), queries(), strict=True):
            sent = {"json": body} if method in WRITING else {}
            answer = api.ask(method, home.path(template), key=key, params=query, headers=AGAIN, **sent)
            assert answer.status_code < 500, f"{method} {template}: {answer.text}"
            assert MARK not in _shown(answer, template, who), (
                f"{method} {template} with {body} or {query}: {answer.text}"
            )
    assert home.state() == before


def _shown(answer, template: str, who: str) -> str:
    """What was answered, but for what a project's settings are to everybody in it."""
    settings = ("/projects/" in template or template.endswith("/entities/filters/")) and who.startswith("bound")
    if not settings or not answer.is_success:
        return answer.text
    found = answer.json()
    for project in found if isinstance(found, list) else [found]:
        for name in ("name", "description", "custom_instructions", "custom_categories", "categories"):
            project.pop(name, None)
    return str(found)


@pytest.mark.parametrize("who", STRANGERS)
def test_a_stranger_counts_nothing(api, home, who):
    """Whoever has nothing is told that there is nothing."""
    key = key_of(home, who, "newcomer")
    for path in ("/v1/entities/", "/v1/events/", "/v1/memories/events/", "/v1/proposals/"):
        assert api.get(path, key)["count"] == 0, path
    found = api.get("/v1/stats/", key)
    assert {value for name, value in found.items() if name != "total_retrieval_events_limit"} == {0}
    wildcard = {"filters": {"OR": [{"user_id": "*"}, {"agent_id": "*"}]}}
    assert api.answer("POST", "/v3/memories/", key, json=wildcard)["count"] == 0
    assert api.answer("POST", "/v3/memories/search/", key, json={"query": "tea", **wildcard})["results"] == []
    assert api.answer("POST", "/v1/summary/", key, json=wildcard)[0]["total_memories"] == 0
    assert api.answer("GET", "/memories", key)["results"] == api.answer("GET", "/entities", key) == []


def test_what_strangers_are_refused_is_what_the_resident_gets(api, home):
    """The walk leads to where something is: with the right key every reading route answers."""
    for method, template in routes(api):
        if method == "GET":
            answer = api.ask("GET", home.path(template), key=home.tenant.key, params=queries()[0])
            assert answer.is_success, f"{template}: {answer.text}"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Token kept_nobody"}], ids=["no key", "a wrong key"])
def test_without_a_key_nothing_is_answered(api, home, headers):
    """Whatever is asked for, and before it is looked at."""
    for method, template in routes(api):
        if template in OPEN:
            continue
        answer = api.ask(
            method, home.path(template), headers=headers, json=bodies(home)[0] if method in WRITING else None
        )
        assert answer.status_code == 401, f"{method} {template}: {answer.text}"
        assert answer.json()["code"] == "unauthenticated"


def test_every_route_is_walked(api):
    """None is served that is not described, but for the description itself."""
    from kept.rest.app import ROUTERS

    served = {(method, route.path_format) for router in ROUTERS for route in router.routes for method in route.methods}
    walked = {(method, path.replace("{number}", "{entity_id}")) for method, path in routes(api)}
    heads = {("HEAD", path) for path in ("/healthz", "/readyz")}  # which need no key and answer nothing
    assert served == walked | heads
