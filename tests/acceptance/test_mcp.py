"""MCP as others speak it: the official Python client in both eras, and the inspector's command line, over both transports.

One table of scenarios runs every everyday tool. The two transports must answer it alike, and so must the two eras.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import httpx2
import mcp_types
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

import kept
from kept.mcp.tools import EVERYDAY

MODULES = Path(sys.prefix) / "npm" / "node_modules"
"""Where `make` installs what `npm/package.json` names."""
INSPECTOR = MODULES / "@modelcontextprotocol" / "inspector" / "clients" / "launcher" / "build" / "index.js"
ERAS = ("legacy", "auto")
"""The official client's words: by handshake, and by discovery in the newer era."""
VERSIONS = {"legacy": "2025-11-25", "auto": "2026-07-28"}
ELSEWHERE = "00000000-0000-0000-0000-000000000000"

Answers = dict[str, Any]


class Step(NamedTuple):
    """A call of a tool: its arguments, of the answers so far by tool; what must hold of its answer, or of its error's text."""

    tool: str
    arguments: Callable[[Answers], dict[str, Any]]
    holds: Callable[[Any], bool]
    fails: bool = False


def given(**arguments: Any) -> Callable[[Answers], dict[str, Any]]:
    return lambda _: arguments


def first_id(answers: Answers) -> str:
    return answers["add_memory"]["results"][0]["id"]


SCENARIO: tuple[Step, ...] = (
    Step(
        "add_memory",
        given(text="Ada Lovelace tests Project Falcon with pytest", user_id="mira"),
        lambda a: a["results"][0]["event"] == "ADD",
    ),
    Step(
        "search_memories",
        given(query="test framework", user_id="mira", top_k=3),
        lambda a: "pytest" in a["results"][0]["memory"],
    ),
    Step(
        "search_memories", given(query="test", filters={"AND": [{"user_id": "mira"}]}), lambda a: len(a["results"]) == 1
    ),
    Step("search_memories", given(query="test", user_id="nobody"), lambda a: a["results"] == []),
    Step("search_memories", given(query=" ", user_id="mira"), lambda text: "blank" in text, fails=True),
    Step(
        "search_memories",
        given(query="x", user_id="mira", filters={"user": 1}),
        lambda text: "user_id" in text,
        fails=True,
    ),
    Step("get_memories", given(user_id="mira"), lambda a: a["count"] == 1),
    Step("get_memory", lambda a: {"memory_id": first_id(a)}, lambda a: a["user_id"] == "mira"),
    Step("get_memory", given(memory_id=ELSEWHERE), lambda text: "search_memories" in text, fails=True),
    Step(
        "update_memory",
        lambda a: {"memory_id": first_id(a), "text": "Ada Lovelace tests Falcon with Hypothesis"},
        lambda a: "Hypothesis" in a["memory"],
    ),
    Step(
        "get_memory_history",
        lambda a: {"memory_id": first_id(a)},
        lambda a: [step["event"] for step in a["results"]] == ["ADD", "UPDATE"],
    ),
    Step("search_graph", given(query="lovelace", user_id="mira"), lambda a: a["results"][0]["name"] == "Ada Lovelace"),
    Step("get_entity", given(name="Ada Lovelace", user_id="mira"), lambda a: a["mentions"] == 1),
    Step("get_context", given(query="tests", user_id="mira", budget_tokens=200), lambda a: "Hypothesis" in a["text"]),
    Step("get_user_context", given(user_id="mira"), lambda a: "Hypothesis" in a["text"]),
    Step(
        "store_interaction_summary",
        given(summary="We spoke of tests.", user_id="mira"),
        lambda a: a["results"][0]["event"] == "ADD",
    ),
    Step("list_entities", given(), lambda a: [one["name"] for one in a["results"]] == ["mira"]),
    Step("list_events", given(event_type="ADD"), lambda a: a["count"] == 2),
    Step("get_event_status", lambda a: {"event_id": a["add_memory"]["event_id"]}, lambda a: a["status"] == "SUCCEEDED"),
    Step("delete_memory", lambda a: {"memory_id": first_id(a)}, lambda a: a["deleted"] == 1),
    Step(
        "undo",
        lambda a: {"operation_id": a["delete_memory"]["operation_id"]},
        lambda a: a["undone"]["kind"] == "delete",
    ),
    Step("delete_all_memories", given(user_id="mira"), lambda text: "2 memories" in text, fails=True),
    Step("delete_all_memories", given(user_id="mira", confirm=True), lambda a: a["deleted"] == 2),
    Step(
        "undo", lambda a: {"operation_id": a["delete_all_memories"]["operation_id"]}, lambda a: len(a["results"]) == 2
    ),
    Step("delete_entities", given(user_id="mira", confirm=True), lambda a: a["results"][0]["status"] == "SUCCEEDED"),
)


INSPECTED = [
    next(step for step in SCENARIO if step.tool == tool and not step.fails)
    for tool in dict.fromkeys(step.tool for step in SCENARIO)
]
"""Every tool once: a command line starts anew for each call."""


def test_the_scenario_runs_every_everyday_tool():
    assert {step.tool for step in INSPECTED} == {tool.name for tool in EVERYDAY}


# --- where it runs ---


class Place:
    """A store of its own behind one of the transports: a process of its own, or a project of the running server."""

    def __init__(self, folder: Path, server: Any, transport: str) -> None:
        self._folder = folder
        self._server = server
        self.transport = transport
        self.key = server.make_project()[1] if transport == "http" else ""

    @property
    def environment(self) -> dict[str, str]:
        return {
            "KEPT_CONFIG": str(self._folder / "none.toml"),
            "KEPT_DATABASE": str(self._folder / "kept.db"),
            "KEPT_USER_ID": "somebody",
            "PYTHONPATH": str(Path(kept.__file__).parents[1]),
            "HOME": str(self._folder),
        }

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "kept.cli", "mcp"]

    @property
    def url(self) -> str:
        return f"{self._server.url}/mcp"

    async def client(self, stack: AsyncExitStack, era: str, **more: Any) -> Client:
        if self.transport == "stdio":
            command, *arguments = self.command
            started = StdioServerParameters(command=command, args=arguments, env=self.environment)
            return await stack.enter_async_context(Client(stdio_client(started), mode=era, **more))
        headers = {"Authorization": f"Bearer {self.key}"}
        http = await stack.enter_async_context(httpx2.AsyncClient(headers=headers, trust_env=False, timeout=20))
        return await stack.enter_async_context(
            Client(streamable_http_client(self.url, http_client=http), mode=era, **more)
        )


@pytest.fixture
def place(tmp_path, server) -> Callable[[str], Place]:
    return lambda transport: Place(tmp_path, server, transport)


def run_as_client(place: Place, era: str, work: Callable[[Client], Any], **more: Any) -> Any:
    async def connected() -> Any:
        async with AsyncExitStack() as stack:
            return await work(await place.client(stack, era, **more))

    return anyio.run(connected)


VARYING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\[[0-9a-f]{8}\]|\d{4}-\d\d-\d\d(T[\d:.+]+)?"
)
PERSONAL = {"tokens", "actor_id", "actor", "connector", "structured_attributes", "updated_at"}


def anonymous(answer: Any) -> Any:
    if isinstance(answer, dict):
        return {name: anonymous(value) for name, value in answer.items() if name not in PERSONAL}
    if isinstance(answer, list):
        return [anonymous(one) for one in answer]
    return VARYING.sub("…", answer) if isinstance(answer, str) else answer


# --- the official client ---


async def told_by(client: Client) -> list[Any]:
    """The scenario, step by step; its answers without what differs from run to run."""
    told = []
    answers: Answers = {}
    for step in SCENARIO:
        result = await client.call_tool(step.tool, step.arguments(answers))
        answer = result.content[0].text if result.is_error else result.structured_content
        assert result.is_error == step.fails, f"{step.tool}: {answer}"
        assert step.holds(answer), f"{step.tool}: {answer}"
        if not step.fails:
            answers[step.tool] = answer
        told.append((step.tool, anonymous(answer)))
    return told


def scenario_by_client(place: Place, era: str) -> list[Any]:
    async def work(client: Client) -> list[Any]:
        assert client.protocol_version == VERSIONS[era]
        listed = (await client.list_tools()).tools
        assert [tool.name for tool in listed] == [tool.name for tool in EVERYDAY]
        return await told_by(client)

    return run_as_client(place, era, work)


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_both_transports_and_both_eras_answer_the_official_client_alike(place):
    told = {}
    for transport, era in itertools.product(("stdio", "http"), ERAS):
        where = place(transport)
        where._folder /= f"{transport}-{era}"
        where._folder.mkdir()
        told[transport, era] = scenario_by_client(where, era)
    expected = told["stdio", "auto"]
    for way, answers in told.items():
        assert answers == expected, way


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("transport", ["stdio", "http"])
def test_prompts_resources_and_completion_work_for_the_official_client(place, transport, era):
    async def work(client: Client) -> None:
        assert "search_memories" in client.instructions
        assert client.server_info.name == "kept"
        prompts = (await client.list_prompts()).prompts
        assert [prompt.name for prompt in prompts] == ["remember", "recall", "review", "memory_assistant"]
        made = await client.get_prompt("recall", {"topic": "Falcon"})
        assert "Falcon" in made.messages[0].content.text
        kept_now = await client.call_tool("add_memory", {"text": "Falcon has a door", "user_id": "mira"})
        memory = kept_now.structured_content["results"][0]["id"]
        templates = (await client.list_resource_templates()).resource_templates
        assert "kept://memory/{id}" in {template.uri_template for template in templates}
        read = await client.read_resource(f"kept://memory/{memory}")
        assert json.loads(read.contents[0].text)["memory"] == "Falcon has a door"
        await client.list_resources()
        reference = mcp_types.ResourceTemplateReference(type="ref/resource", uri="kept://entity/{type}/{id}")
        found = await client.complete(reference, {"name": "id", "value": "mi"}, context_arguments={"type": "user"})
        assert found.completion.values == ["mira"]

    run_as_client(place(transport), era, work)


@pytest.mark.parametrize(("transport", "era"), [("stdio", "legacy"), ("stdio", "auto"), ("http", "auto")])
@pytest.mark.parametrize("action", ["accept", "decline"])
def test_the_official_clients_user_is_asked_before_much_is_deleted(place, transport, era, action):
    """In the older era over HTTP a server that keeps no session has no way to ask."""
    asked = []

    async def answer(_: Any, question: Any) -> mcp_types.ElicitResult:
        asked.append(question.message)
        return mcp_types.ElicitResult(action=action, content={"confirm": True} if action == "accept" else None)

    async def work(client: Client) -> None:
        await client.call_tool("add_memory", {"text": "Mira likes tea", "user_id": "mira"})
        done = await client.call_tool("delete_all_memories", {"user_id": "mira", "confirm": True})
        left = await client.call_tool("get_memories", {"user_id": "mira"})
        assert len(asked) == 1
        assert "1 memories of user_id mira" in asked[0]
        assert done.is_error == (action == "decline")
        assert left.structured_content["count"] == (action == "decline")

    run_as_client(place(transport), era, work, elicitation_callback=answer)


@pytest.mark.parametrize("era", ERAS)
def test_the_official_client_reaches_a_link_without_a_key(server, era):
    key = server.make_project()[1]
    made = server.ask(
        "POST", "/v1/mcp-links/", key=key, json={"name": "audit", "methods": ["read"], "tags": ["events"]}
    )
    url = made.json()["url"]

    async def work() -> None:
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False, timeout=20))
            client = await stack.enter_async_context(Client(streamable_http_client(url, http_client=http), mode=era))
            assert {tool.name for tool in (await client.list_tools()).tools} == {
                "list_events",
                "get_event_status",
                "events_steps",
            }
            assert (await client.call_tool("list_events", {})).structured_content["count"] == 0

    anyio.run(work)


def test_a_links_secret_never_reaches_the_servers_log(server, tmp_path_factory):
    made = server.ask("POST", "/v1/mcp-links/", json={"name": "audit"}).json()
    for address, status in ((made["url"], 200), (made["url"] + "x", 404)):
        assert server.http.post(address, json={"jsonrpc": "2.0", "id": 1, "method": "ping"}).status_code == status
    log = next(tmp_path_factory.getbasetemp().glob("server*/serve.log"))
    told = log.read_text(encoding="utf-8")
    assert "/v1/mcp-links/" in told
    assert made["url"].rpartition(".")[2] not in told


# --- another server behind standard input and output ---


def test_the_same_tools_stand_in_front_of_another_server(server, tmp_path):
    """`kept mcp --url`: the scenario against a running server, from a process of its own."""
    _, key = server.make_project()
    place = Place(tmp_path, server, "stdio")
    place_command = [*place.command, "--url", server.url, "--key", key]
    started = StdioServerParameters(command=place_command[0], args=place_command[1:], env=place.environment)

    async def work() -> None:
        async with Client(stdio_client(started), mode="auto") as client:
            await told_by(client)

    anyio.run(work)


# --- the inspector ---


@pytest.fixture
def inspect(tmp_path) -> Callable[..., tuple[int, Any]]:
    """Runs the inspector's command line; its exit code and answer."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed: the inspector was not tested")
    if not INSPECTOR.is_file():
        pytest.skip(f"The inspector is not in {MODULES.parent.name}: it was not tested; `make lint` installs it")

    def run(place: Place, method: str, *more: str) -> tuple[int, Any]:
        target = (
            place.command
            if place.transport == "stdio"
            else [place.url, "--transport", "http", "--header", f"Authorization: Bearer {place.key}"]
        )
        done = subprocess.run(
            [node, str(INSPECTOR), "--cli", *target, "--method", method, *more],
            check=False,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=os.environ | place.environment | {"HOME": str(tmp_path)},
        )
        return done.returncode, json.loads(done.stdout or "null") or done.stderr

    return run


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_inspector_runs_every_tool_over_both_transports(place, inspect):
    with ThreadPoolExecutor() as both:
        list(both.map(lambda transport: inspect_all(place(transport), inspect), ["stdio", "http"]))


def inspect_all(place: Place, inspect: Callable[..., tuple[int, Any]]) -> None:
    code, listed = inspect(place, "tools/list")
    assert code == 0
    assert [tool["name"] for tool in listed["tools"]] == [tool.name for tool in EVERYDAY]
    answers: Answers = {}
    for step in INSPECTED:
        arguments = step.arguments(answers).items()
        pairs = [f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in arguments]
        options = ["--tool-arg", *pairs] if pairs else []
        code, result = inspect(place, "tools/call", "--tool-name", step.tool, *options)
        assert code == 0, result
        answers[step.tool] = result["structuredContent"]
        assert step.holds(answers[step.tool]), f"{step.tool}: {result}"
