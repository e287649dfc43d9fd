"""MCP over HTTP: who is let in, with which tools and whose memories; tokens of an authority; the full inventory."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Self

import httpx2
import jwt
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.requests import Request

from kept.bootstrap import build_platform
from kept.engine.keys import Keys
from kept.engine.links import OF_MEMORIES, TAGS
from kept.errors import AuthenticationError, ConfigurationError, ForbiddenError
from kept.mcp.call import CancelledError
from kept.mcp.server import CAPABILITIES_KEY, VERSION_KEY
from kept.mcp.tools import ALIASES, EVERYDAY
from kept.rest import inventory
from kept.rest.app import create_app, served
from kept.rest.mcp import BROKEN
from kept.rest.oauth import Authority
from kept.settings import Settings

MODERN = "2026-07-28"
READING = {tool.name for tool in EVERYDAY if tool.method == "read"}
WITHIN_S = 15


class Web:
    """A running server, and its requests as a client makes them."""

    def __init__(self, folder, **settings) -> None:
        self.settings = Settings.load(
            environ={}, config=folder / "none.toml", database=str(folder / "kept.db"), **settings
        )
        self.database = folder / "kept.db"
        self.platform = build_platform(self.settings)
        self.keys = Keys(self.platform)
        self.admin = self.key(role="ADMIN", project=None)
        self.app = create_app(self.platform, self.settings)
        config = uvicorn.Config(served(self.app), port=0, log_config=None, access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._client = httpx2.Client(trust_env=False, timeout=WITHIN_S)

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = datetime.now(UTC) + timedelta(seconds=WITHIN_S)
        while not self._server.started and datetime.now(UTC) < deadline:
            self._thread.join(0.01)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(WITHIN_S)
        self._client.close()

    def key(self, **fields) -> str:
        return self.keys.make(**{"name": "test", **fields})[1]

    def post(self, method: str, *, key: str | None = None, path: str = "/mcp", headers: dict | None = None, **params):
        meta = {VERSION_KEY: MODERN, CAPABILITIES_KEY: {}}
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
        sent = {
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": MODERN,
            "Mcp-Method": method,
            **({"Mcp-Name": params["name"]} if "name" in params else {}),
            **({"Authorization": f"Bearer {key}"} if key else {}),
            **(headers or {}),
        }
        return self._client.post(self.url + path, json=message, headers=sent)

    def result(self, method: str, **more) -> dict:
        answer = self.post(method, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    def tools(self, **more) -> set[str]:
        return {tool["name"] for tool in self.result("tools/list", **more)["tools"]}

    def run(self, tool: str, arguments: dict | None = None, **more) -> dict:
        return self.result("tools/call", name=tool, arguments=arguments or {}, **more)

    def call(self, tool: str, arguments: dict | None = None, **more) -> dict:
        result = self.run(tool, arguments, **more)
        assert not result["isError"], result
        return result["structuredContent"]

    def fail(self, tool: str, arguments: dict | None = None, **more) -> str:
        result = self.run(tool, arguments, **more)
        assert result["isError"], result
        return result["content"][0]["text"]

    def ask(self, method: str, path: str, *, key: str | None = None, **more) -> httpx2.Response:
        headers = {"Authorization": f"Token {key or self.admin}"}
        return self._client.request(method, self.url + path, headers=headers, **more)

    def make_link(self, **fields) -> tuple[str, str]:
        """A link's id and the path of its address."""
        made = self.ask("POST", "/v1/mcp-links/", json={"name": "test", **fields})
        assert made.status_code == 201, made.text
        return made.json()["id"], made.json()["url"].removeprefix(self.url)


@pytest.fixture(scope="module")
def web(tmp_path_factory) -> Iterator[Web]:
    with Web(tmp_path_factory.mktemp("web")) as web:
        yield web


@pytest.fixture
def project(web):
    """A project of the test's own: makes keys in it."""
    made = web.ask("POST", "/api/v1/orgs/organizations/default/projects/", json={"name": "test"}).json()

    def key(**fields) -> str:
        return web.key(project=made["project_id"], **fields)

    return key


# --- who is let in ---


@pytest.mark.parametrize("header", ["Bearer {}", "Token {}", "bearer {}"])
def test_a_key_opens_the_door_in_each_of_its_forms(web, header):
    assert "add_memory" in web.tools(headers={"Authorization": header.format(web.admin)})
    assert "add_memory" in web.tools(headers={"X-API-Key": web.admin})


@pytest.mark.parametrize("key", [None, "kept_unknown_key_of_nobody", "a.b.c"])
def test_nobody_else_comes_in(web, key):
    refused = web.post("tools/list", key=key)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert refused.json()["code"] == "unauthenticated"


def test_a_revoked_key_is_refused_from_its_next_request_on(web):
    made, secret = web.keys.make(name="short")
    assert web.post("tools/list", key=secret).status_code == 200
    web.keys.revoke(made.id)
    assert web.post("tools/list", key=secret).status_code == 401


@pytest.mark.parametrize("verb", ["GET", "DELETE", "PUT"])
def test_there_is_nothing_but_post(web, verb):
    refused = web.ask(verb, "/mcp")
    assert refused.status_code == 405
    assert refused.headers["Allow"] == "POST"


def test_a_body_over_the_limit_is_refused(web):
    refused = web.post("tools/call", key=web.admin, name="add_memory", arguments={"text": "x" * 11_000_000})
    assert refused.status_code == 413


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"7", b'{"jsonrpc":"2.0"}'])
def test_what_is_no_message_is_the_protocols_error(web, body):
    headers = {
        "Authorization": f"Bearer {web.admin}",
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
    }
    for version in ({}, {"MCP-Protocol-Version": MODERN}):
        refused = httpx2.post(f"{web.url}/mcp", content=body, headers=headers | version, trust_env=False)
        assert refused.status_code in {202, 400}


# --- by which name, from which page ---


def asked(web: Web, **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(
        {"type": "http", "method": "POST", "path": "/mcp", "headers": raw, "app": web.app, "query_string": b""}
    )


@contextmanager
def with_settings(web: Web, **changes) -> Iterator[None]:
    door, before = web.app.state.mcp, web.settings
    door._settings = Settings.load(environ={}, database=before.database, **changes)
    try:
        yield
    finally:
        door._settings = before


def turned_away(web: Web, **headers: str) -> int | None:
    refused = web.app.state.mcp.refusal(asked(web, **headers))
    return refused.status_code if refused else None


def test_on_this_machine_only_its_own_names_are_answered(web):
    for host in ("127.0.0.1:8787", "localhost", "localhost:1", "[::1]:8787"):
        assert turned_away(web, host=host) is None
    for host in ("evil.example", "evil.example:8787", "localhost.evil.example", ""):
        assert turned_away(web, host=host) == 421


def test_pages_of_other_origins_are_refused(web):
    assert turned_away(web, host="localhost", origin="http://localhost:3000") is None
    for origin in ("http://evil.example", "null", "http://localhost.evil.example", "https://127.0.0.1.evil.example"):
        assert turned_away(web, host="localhost", origin=origin) == 403


def test_behind_a_proxy_the_public_name_is_the_servers_own(web):
    with with_settings(web, public_url="https://memory.example/kept", allowed_origins=("https://chat.example",)):
        assert turned_away(web, host="memory.example", origin="https://memory.example") is None
        assert turned_away(web, host="127.0.0.1:8787", origin="https://chat.example") is None
        assert turned_away(web, host="memory.example", origin="http://memory.example") == 403
        assert turned_away(web, host="other.example") == 421


def test_a_server_for_others_answers_to_any_name_and_to_no_unknown_page(web):
    with with_settings(web, host="0.0.0.0"):  # noqa: S104 - nothing listens there
        assert turned_away(web, host="box.lan:8787") is None
        assert turned_away(web, host="box.lan:8787", origin="http://box.lan:8787") == 403


# --- what a key may ---


def test_a_readers_key_has_the_reading_tools_alone(web, project):
    key = project(role="READER")
    assert web.tools(key=key) == READING
    assert web.post("tools/call", key=key, name="add_memory", arguments={"text": "x"}).status_code == 400


def test_projects_never_meet(web, project):
    mine = project()
    kept = web.call("add_memory", {"text": "Mira likes tea", "user_id": "mira"}, key=mine)["results"][0]["id"]
    other = web.key(project="default")
    assert web.call("search_memories", {"query": "tea", "user_id": "mira"}, key=other)["results"] == []
    assert "search_memories" in web.fail("get_memory", {"memory_id": kept}, key=other)


def test_a_bound_key_is_its_user_and_can_name_no_other(web, project):
    bound, owner = project(bound={"user_id": "mira"}), project(role="OWNER")
    web.call("add_memory", {"text": "Jonas likes coffee", "user_id": "jonas"}, key=owner)
    kept = web.call("add_memory", {"text": "Mira likes tea"}, key=bound)["results"][0]["id"]
    assert web.call("get_memory", {"memory_id": kept}, key=owner)["user_id"] == "mira"
    found = web.call("search_memories", {"query": "likes"}, key=bound)["results"]
    assert [hit["memory"] for hit in found] == ["Mira likes tea"]
    for tool, arguments in (
        ("search_memories", {"query": "coffee", "user_id": "jonas"}),
        ("search_memories", {"query": "coffee", "filters": {"user_id": "jonas"}}),
        ("get_memories", {"user_id": "jonas"}),
        ("add_memory", {"text": "x", "user_id": "jonas"}),
        ("delete_all_memories", {"user_id": "jonas", "confirm": True}),
        ("get_user_context", {"user_id": "jonas"}),
    ):
        assert "bound" in web.fail(tool, arguments, key=bound), tool
    assert web.call("get_entity", {"name": "Jonas"}, key=bound)["memories"] == []
    assert [one["name"] for one in web.call("list_entities", key=bound)["results"]] == ["mira"]


def test_without_a_user_of_its_own_a_key_must_name_whose(web, project):
    assert "user_id" in web.fail("search_memories", {"query": "x"}, key=project())


def test_a_deletion_is_done_by_the_servers_worker_while_the_call_waits(web, project):
    key = project(role="OWNER")
    web.call("add_memory", {"text": "Mira likes tea", "user_id": "mira"}, key=key)
    done = web.call("delete_all_memories", {"user_id": "mira", "confirm": True}, key=key)
    assert (done["status"], done["deleted"]) == ("SUCCEEDED", 1)
    web.call("undo", {"operation_id": done["operation_id"]}, key=key)
    assert web.call("get_memories", {"user_id": "mira"}, key=key)["count"] == 1


def test_resources_are_the_keys_own_too(web, project):
    bound, owner = project(bound={"user_id": "mira"}), project(role="OWNER")
    kept = web.call("add_memory", {"text": "Jonas likes coffee", "user_id": "jonas"}, key=owner)["results"][0]["id"]
    for uri in (f"kept://memory/{kept}", "kept://entity/user/jonas"):
        refused = web.post("resources/read", key=bound, uri=uri, headers={"Mcp-Name": uri})
        assert "coffee" not in refused.text
    assert (
        "coffee"
        not in web.post("resources/read", key=bound, uri="kept://context", headers={"Mcp-Name": "kept://context"}).text
    )


def test_what_is_done_is_in_the_audit_with_its_key(web):
    made, secret = web.keys.make(name="agent", project="default")
    web.call("search_memories", {"query": "tea", "user_id": "mira"}, key=secret)
    entries = web.ask("GET", "/v1/audit/", params={"action": "memory.search", "project_id": "default"}).json()[
        "results"
    ]
    assert [(entry["connector"], entry["actor"]) for entry in entries if entry["key_id"] == made.id] == [
        ("mcp", "agent")
    ]


@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
def test_a_call_ends_when_its_client_hangs_up(web, monkeypatch, version):
    ended = threading.Event()

    def slow(*asked: object) -> dict:
        try:
            while True:
                asked[-1].wait(0.01)
        except CancelledError:
            ended.set()
            raise

    monkeypatch.setattr("kept.mcp.local.LocalBackend.delete_all", slow)
    assert web.tools(key=web.admin)  # from now on it answers at once
    with httpx2.Client(trust_env=False, timeout=0.5) as impatient:
        monkeypatch.setattr(web, "_client", impatient)
        asked = {"name": "delete_all_memories", "arguments": {"user_id": "mira", "confirm": True}}
        with pytest.raises(httpx2.ReadTimeout):
            web.post("tools/call", key=web.admin, headers={"MCP-Protocol-Version": version}, **asked)
    assert ended.wait(WITHIN_S)


# --- the full inventory ---


def test_the_inventory_has_a_tool_for_each_operation_that_no_everyday_tool_does(web):
    made = inventory.tools(web.app)
    tags = {tag for tool in made for tag in tool.tags}
    assert {"projects", "keys", "exports", "webhooks", "retention", "audit", "links", "organisations"} <= tags
    names = [tool.name for tool in made]
    assert len(names) == len(set(names))
    assert not set(names) & {tool.name for tool in EVERYDAY}
    operations = {one["operationId"] for path in web.app.openapi()["paths"].values() for one in path.values()}
    assert operations >= inventory.COVERED
    assert set(names) | inventory.COVERED <= operations


def test_links_know_the_tags_that_tools_have(web):
    tools = (*EVERYDAY, *inventory.tools(web.app))
    assert {tag for tool in tools for tag in tool.tags} == TAGS
    assert {tag for tool in EVERYDAY for tag in tool.tags} == OF_MEMORIES


def test_each_tool_of_the_inventory_is_described_in_a_form_that_every_client_takes(web):
    for tool in inventory.tools(web.app):
        listed = tool.listed()
        assert len(listed["description"]) > 20, tool.name
        assert "$ref" not in json.dumps(listed), tool.name
        assert "anyOf" not in json.dumps(listed), tool.name
        assert set(tool.required) <= set(tool.properties), tool.name
        assert listed["annotations"].get("readOnlyHint", False) == (tool.method == "read"), tool.name


def test_the_inventory_is_listed_for_who_asks_and_may_be_called_by_who_may(web, project):
    owner, writer = project(role="OWNER"), project()
    assert web.tools(key=owner) == {tool.name for tool in EVERYDAY}
    assert {"keys_create", "retention_put"} <= web.tools(key=owner, path="/mcp?tools=all")
    assert "keys_create" not in web.tools(key=writer, path="/mcp?tools=all")
    made = web.call("keys_create", {"name": "phone", "role": "READER"}, key=owner, path="/mcp?tools=keys")
    assert web.tools(key=made["api_key"]) == READING
    rule = web.call("retention_put", {"category": "beasts", "days": 30}, key=owner, path="/mcp?tools=retention")
    listed = web.call("retention_rules", key=owner, path="/mcp?tools=retention")["results"]
    assert [one["id"] for one in listed] == [rule["id"]]
    assert "role" in web.fail("keys_list", key=writer, path="/mcp?tools=keys_list")
    assert web.post("tools/list", key=owner, path="/mcp?tools=nonsense").status_code == 400


def test_a_tool_of_the_inventory_says_what_the_route_would(web, project):
    owner = project(role="OWNER")
    failed = web.fail("keys_get", {"key_id": "key_of/nobody"}, key=owner, path="/mcp?tools=keys")
    assert failed.startswith(web.ask("GET", "/v1/keys/key_of%2Fnobody/", key=owner).json()["message"])


# --- tokens of an authority ---

ISSUER, AUDIENCE = "https://login.example/", "https://memory.example/mcp"
PRIVATE = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def token(*, key=PRIVATE, algorithm: str = "RS256", **claims) -> str:
    now = datetime.now(UTC)
    said = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "mira",
        "exp": now + timedelta(minutes=5),
        "scope": "memories:read memories:write",
        **claims,
    }
    return jwt.encode({name: value for name, value in said.items() if value is not None}, key, algorithm, {"kid": "k1"})


@pytest.fixture
def authority(recorder):
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(PRIVATE.public_key()))
    recorder.will_answer({"keys": [{**public, "kid": "k1", "use": "sig", "alg": "RS256"}]})
    return Authority(issuer=ISSUER, audience=AUDIENCE, jwks_url=recorder.url, user_claim="sub")


@pytest.mark.parametrize(
    ("scope", "role", "bound"),
    [
        ("memories:read", "READER", {"user_id": ("mira",)}),
        ("openid memories:read memories:write", "WRITER", {"user_id": ("mira",)}),
        (["memories:write"], "WRITER", {"user_id": ("mira",)}),
        ("admin memories:read", "OWNER", {}),
    ],
)
def test_a_token_stands_for_its_user_with_what_its_scopes_allow(authority, scope, role, bound):
    principal, until = authority.recognise(token(scope=scope))
    assert (principal.role, principal.bound, principal.name) == (role, bound, "mira")
    assert timedelta(minutes=4) < until - datetime.now(UTC) < timedelta(minutes=6)


def test_a_token_without_a_scope_of_ours_is_known_and_may_nothing(authority):
    with pytest.raises(ForbiddenError, match="memories:read"):
        authority.recognise(token(scope="openid profile"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "https://other.example"},
        {"aud": None},
        {"iss": "https://evil.example/"},
        {"exp": datetime(2020, 1, 1, tzinfo=UTC)},
        {"exp": None},
        {"sub": None},
        {"nbf": datetime(2999, 1, 1, tzinfo=UTC)},
        {"key": rsa.generate_private_key(public_exponent=65_537, key_size=2_048)},
        {"key": "a shared secret of some length, which anybody may know", "algorithm": "HS256"},
        {"key": None, "algorithm": "none"},
    ],
    ids=str,
)
def test_a_token_that_is_not_for_us_or_not_from_the_authority_is_refused(authority, wrong):
    with pytest.raises(AuthenticationError):
        authority.recognise(token(**wrong))


@pytest.mark.parametrize("rubbish", ["", "a.b.c", "..", "x" * 10_000, "é.é.é"])
def test_what_is_no_token_is_refused(authority, rubbish):
    with pytest.raises(AuthenticationError):
        authority.recognise(rubbish)


def test_an_authority_is_named_whole_or_not_at_all():
    assert Authority.of(Settings.load(environ={})) is None
    with pytest.raises(ConfigurationError, match="oauth_audience"):
        Authority.of(Settings.load(environ={}, oauth_issuer=ISSUER, oauth_jwks_url="https://login.example/jwks"))


def test_with_an_authority_who_is_refused_is_told_where_tokens_come_from(web, authority, monkeypatch):
    monkeypatch.setattr(web.app.state.mcp, "_authority", authority)
    refused = web.post("tools/list", key="eyJ4.y.z")
    assert refused.status_code == 401
    challenge = refused.headers["WWW-Authenticate"]
    assert 'scope="memories:read memories:write"' in challenge
    where = challenge.partition('resource_metadata="')[2].partition('"')[0]
    told = httpx2.get(where, trust_env=False).json()
    assert told["authorization_servers"] == [ISSUER]
    assert told["resource"] == f"{web.url}/mcp"
    assert "admin" in told["scopes_supported"]


def test_a_token_of_too_little_scope_is_told_which_it_takes(web, authority, monkeypatch):
    monkeypatch.setattr(web.app.state.mcp, "_authority", authority)
    nothing = web.post("tools/list", key=token(scope="openid"))
    reading = web.post("tools/call", key=token(scope="memories:read"), name="add_memory", arguments={"text": "x"})
    for refused in (nothing, reading):
        assert refused.status_code == 403
        assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]
        assert "memories:write" in refused.headers["WWW-Authenticate"]
    assert "memories:write" in reading.json()["message"]


def test_a_token_opens_the_door_to_its_users_memories(web, authority, monkeypatch):
    monkeypatch.setattr(web.app.state.mcp, "_authority", authority)
    web.call("add_memory", {"text": "The boat of Ines is blue"}, key=token(sub="ines"))
    assert web.call("search_memories", {"query": "boat"}, key=token(sub="ines", scope="memories:read"))["results"]
    assert web.call("search_memories", {"query": "boat"}, key=token(sub="jonas"))["results"] == []
    assert web.tools(key=token(scope="memories:read")) == READING
    assert "add_memory" in web.tools(key=web.admin)


# --- managed links ---


def test_a_link_has_its_tools_and_nothing_else(web):
    """Every tool there is, by every name, and every other method."""
    _, path = web.make_link(methods=["read"], tags=["events"], user_id="mira")
    allowed = {"list_events", "get_event_status", "events_steps"}
    assert web.tools(path=path) == allowed
    everything = [tool.name for tool in (*EVERYDAY, *inventory.tools(web.app))] + list(ALIASES) + ["hook"]
    for name in everything:
        answer = web.post("tools/call", path=path, name=name, arguments={})
        told = answer.json()
        assert ("error" in told) == (name not in allowed), name
    for method in (
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "completion/complete",
    ):
        refused = web.post(method, path=path, uri="kept://context", headers={"Mcp-Name": "kept://context"})
        assert refused.json()["error"]["code"] in {-32601, -32602}, method


def test_a_link_cannot_step_out_of_its_user(web):
    web.call("add_memory", {"text": "Jonas owns a horse", "user_id": "jonas"}, key=web.admin)
    _, path = web.make_link(methods=["read", "write"], user_id="ada")
    web.call("add_memory", {"text": "Ada owns a loom"}, path=path)
    found = web.call("search_memories", {"query": "owns"}, path=path)["results"]
    assert [hit["memory"] for hit in found] == ["Ada owns a loom"]
    assert "bound" in web.fail("search_memories", {"query": "horse", "user_id": "jonas"}, path=path)


def test_a_link_to_read_cannot_write_by_any_means(web):
    _, path = web.make_link(methods=["read"])
    assert web.tools(path=path) == READING
    web.key()
    _, managing = web.make_link(methods=["read"], tags=["keys"])
    assert web.tools(path=managing) == {"keys_list", "keys_get", "keys_ping"}
    assert web.call("keys_list", path=managing)["count"] >= 1


def test_the_denial_is_the_same_for_what_never_was_has_ended_or_was_revoked(web):
    ended, path_of_ended = web.make_link()
    web.platform.registry.revise("link", ended, {"expires_at": "2020-01-01T00:00:00+00:00"}, datetime.now(UTC))
    revoked, path_of_revoked = web.make_link()
    web.ask("DELETE", f"/v1/mcp-links/{revoked}/")
    _, good = web.make_link()
    told = set()
    for path in (path_of_ended, path_of_revoked, good + "x", "/mcp/lnk_0000000000000000.never", "/mcp/never"):
        refused = web.post("tools/list", path=path)
        body = {name: value for name, value in refused.json().items() if name != "request_id"}
        told.add((refused.status_code, json.dumps(body, sort_keys=True), refused.headers.get("WWW-Authenticate")))
    assert len(told) == 1
    assert next(iter(told))[0] == 404


def test_a_link_ends_to_the_second_also_for_a_call_that_is_going_on(web, monkeypatch):
    entered, left = threading.Event(), threading.Event()

    def held(*_: object) -> dict:
        entered.set()
        left.wait(WITHIN_S)
        return {"id": "x", "memory": "too late"}

    monkeypatch.setattr("kept.mcp.local.LocalBackend.get", held)
    ends = datetime.now(UTC) + timedelta(seconds=1)
    _, path = web.make_link(expires_at=ends.isoformat())
    refused = web.post("tools/call", path=path, name="get_memory", arguments={"memory_id": "x"})
    over = datetime.now(UTC)
    left.set()
    assert entered.is_set()
    assert refused.status_code == 404
    assert ends <= over < ends + timedelta(seconds=1)
    assert web.post("tools/list", path=path).status_code == 404


def test_a_rotated_link_works_at_its_new_address_alone(web):
    link, old = web.make_link()
    new = web.ask("POST", f"/v1/mcp-links/{link}/rotate/").json()["url"].removeprefix(web.url)
    assert web.post("tools/list", path=old).status_code == 404
    assert web.post("tools/list", path=new).status_code == 200


def test_a_change_of_a_link_holds_from_the_next_request_on(web):
    link, path = web.make_link(methods=["read"])
    changed = web.ask("PATCH", f"/v1/mcp-links/{link}/", json={"methods": ["read"], "tags": ["graph"]})
    assert changed.json()["tags"] == ["graph"]
    more = {"graph_neighbours", "graph_paths", "graph_likenesses"}
    assert web.tools(path=path) == {"search_graph", "get_entity", *more}


def test_a_link_may_require_a_key_of_its_project_besides(web, project):
    _, path = web.make_link(require_api_token_auth=True)
    assert web.post("tools/list", path=path).status_code == 401
    assert web.post("tools/list", path=path, key=project()).status_code == 403
    assert web.post("tools/list", path=path, key=web.key(project="default")).status_code == 200


def test_a_link_has_a_limit_of_its_own(web):
    _, path = web.make_link(rate_limit=2)
    assert [web.post("tools/list", path=path).status_code for _ in range(3)] == [200, 200, 429]


def test_the_last_use_of_a_link_and_what_was_done_through_it_are_known(web):
    link, path = web.make_link(name="auditor")
    assert web.ask("GET", f"/v1/mcp-links/{link}/").json()["last_used_at"] is None
    web.call("search_memories", {"query": "x", "user_id": "mira"}, path=path)
    assert web.ask("GET", f"/v1/mcp-links/{link}/").json()["last_used_at"] is not None
    entries = web.ask("GET", "/v1/audit/", params={"actor": "auditor"}).json()["results"]
    assert [(entry["action"], entry["key_id"], entry["connector"]) for entry in entries] == [
        ("memory.search", link, "link")
    ]


def test_the_secret_of_a_link_is_shown_once_and_kept_nowhere(web, caplog):
    caplog.set_level("DEBUG")
    link, path = web.make_link()
    web.call("get_memories", {"user_id": "mira"}, path=path)
    web.post("tools/list", path=path + "x")
    web.platform.trail.flush()
    secret = path.rpartition(".")[2]
    assert len(secret) >= 43  # 256 bits
    own = [record for record in caplog.records if record.name.startswith("kept")]
    assert own
    assert all(secret not in str(vars(record)) for record in own)
    for file in web.database.parent.glob("kept.db*"):
        assert secret.encode() not in file.read_bytes()
    assert secret not in web.ask("GET", f"/v1/mcp-links/{link}/").text
    assert secret not in web.ask("GET", "/v1/mcp-links/").text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": ""}, "name"),
        ({"methods": ["erase"]}, "read, write, custom"),
        ({"methods": []}, "read, write, custom"),
        ({"tags": ["nonsense"]}, "nonsense"),
        ({"tags": 7}, "tags"),
        ({"expires_at": "2020-01-01"}, "past"),
        ({"expires_at": "soon"}, "soon"),
        ({"rate_limit": 0}, "rate_limit"),
        ({"user_id": "*"}, "user_id"),
    ],
)
def test_a_link_that_makes_no_sense_is_refused_with_a_reason(web, fields, said):
    refused = web.ask("POST", "/v1/mcp-links/", json={"name": "test", **fields})
    assert refused.status_code == 400
    assert said in refused.json()["message"]


def test_only_an_owner_manages_links_and_only_of_the_own_project(web, project):
    link, _ = web.make_link()
    for key in (project(), project(role="READER")):
        assert web.ask("GET", "/v1/mcp-links/", key=key).status_code == 403
    owner = project(role="OWNER")
    assert web.ask("GET", "/v1/mcp-links/", key=owner).json()["count"] == 0
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "rotate/")):
        asked = web.ask(method, f"/v1/mcp-links/{link}/{path}", key=owner, json={"name": "mine"})
        assert asked.status_code == 404, method


def test_where_mcp_cannot_be_served_all_else_is(tmp_path, monkeypatch, caplog):
    """Its library is damaged, or shadowed by another module of its name: the log says so, and nothing ends."""

    def broken(*_: object):
        raise ImportError("'mcp' is not a package")

    monkeypatch.setattr("kept.rest.mcp._open_transport", broken)
    with Web(tmp_path) as web:
        answer = web.post("tools/list", key=web.key())
        assert (answer.status_code, answer.json()["message"]) == (503, BROKEN)
        assert web.ask("GET", "/v1/stats/").status_code == 200
        assert web.ask("GET", "/readyz").status_code == 200
    assert "MCP cannot be served" in caplog.text
