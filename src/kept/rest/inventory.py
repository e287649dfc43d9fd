"""The full inventory of tools: one for each operation of the REST API that no everyday tool covers, made from its description.

A call goes through the app in process, as whoever asks, so a tool can do what the same request could and nothing more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import anyio
import httpx2
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from kept.domain.access import Principal
from kept.errors import ForbiddenError, InvalidInputError, KeptError, NotFoundError
from kept.mcp.backend import Backend, Json
from kept.mcp.call import Call
from kept.mcp.local import LocalBackend
from kept.mcp.schema import Schema
from kept.mcp.tools import ASKS_USER, Method, Tool
from kept.rest.asking import PRINCIPAL
from kept.rest.frontier import canonical_path
from kept.settings import Settings

COVERED: Final = frozenset(
    {
        "events_get",
        "events_list",
        "graph_entity",
        "graph_search",
        "memories_add",
        "memories_context",
        "memories_delete",
        "memories_delete_all",
        "memories_get",
        "memories_history",
        "memories_list",
        "memories_search",
        "memories_undo",
        "memories_update",
        "entities_delete",
        "entities_list",
    }
)
"""Operations that everyday tools do."""
ELSEWHERE: Final = frozenset({"operation", "self-hosted Mem0"})
"""Tags of operations that are no use to an agent: the server's own health, and another dialect of what is there already."""
OF_MEMORIES: Final = frozenset({"memories", "entities", "events", "exports", "graph", "profiles", "proposals"})
"""Tags whose operations change memories or what is made of them; others manage the project."""
READING: Final = frozenset({"exports_get", "exports_summarise", "memories_timeline"})
"""Operations that read although they are no GET."""
ASKING: Final = frozenset({"memories_erase", "memories_erase_all", "projects_delete", "organisations_delete"})
"""What cannot be undone: a person must allow it."""
_DESTRUCTIVE: Final = frozenset({"DELETE"})
_IDEMPOTENT: Final = frozenset({"PUT", "DELETE"})


def tools(app: FastAPI) -> tuple[Tool, ...]:
    """A tool for each operation, in the order of the description. Made once for an app."""
    made: tuple[Tool, ...] | None = getattr(app.state, "inventory", None)
    if made is None:
        description = app.openapi()
        made = app.state.inventory = tuple(
            _tool(app, description, path, verb.upper(), operation)
            for path, operations in description["paths"].items()
            for verb, operation in operations.items()
            if _is_wanted(operation)
        )
    return made


def _is_wanted(operation: Mapping[str, Any]) -> bool:
    known = operation["operationId"] in COVERED or operation.get("deprecated")
    return not known and not ELSEWHERE & set(operation["tags"])


def _tool(app: FastAPI, description: Mapping[str, Any], path: str, verb: str, operation: Mapping[str, Any]) -> Tool:
    name, tags = operation["operationId"], tuple(operation["tags"])
    parameters = {one["name"]: one for one in operation.get("parameters", ()) if one["in"] in {"path", "query"}}
    body = _body(description, operation)
    said = [operation.get("summary", ""), operation.get("description", "")]
    required = [*(one for one, told in parameters.items() if told["in"] == "path"), *body.get("required", ())]
    properties = {
        **{one: _told(description, told["schema"], told.get("description", "")) for one, told in parameters.items()},
        **{one: _told(description, told) for one, told in body.get("properties", {}).items()},
    }
    return Tool(
        name,
        ". ".join(part.strip().rstrip(".") for part in said if part) + ".",
        partial(_call, app, verb, path, frozenset(one for one, told in parameters.items() if told["in"] == "query")),
        _method(name, verb, tags),
        tags,
        properties,
        tuple(dict.fromkeys(required)),
        destructive=verb in _DESTRUCTIVE or name in ASKING,
        idempotent=verb in _IDEMPOTENT,
        meta=ASKS_USER if name in ASKING else {},
    )


def _method(name: str, verb: str, tags: tuple[str, ...]) -> Method:
    if verb == "GET" or name in READING:
        return "read"
    return "write" if OF_MEMORIES.issuperset(tags) else "custom"


def _body(description: Mapping[str, Any], operation: Mapping[str, Any]) -> Schema:
    """The schema of an operation's body; empty when it has none."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return _resolved(description, content.get("schema", {}))


def _resolved(description: Mapping[str, Any], schema: Schema) -> Schema:
    """A schema itself, where it is named, or is one or nothing."""
    if "$ref" in schema:
        found: Any = description
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return _resolved(description, found)
    kinds = [kind for kind in schema.get("anyOf", ()) if kind.get("type") != "null"]
    return _resolved(description, kinds[0]) if len(kinds) == 1 else schema


def _told(description: Mapping[str, Any], schema: Schema, said: str = "") -> Schema:
    """A schema in the plain form that every client takes."""
    whole = _resolved(description, schema)
    plain = {name: whole[name] for name in ("type", "enum", "minimum", "maximum") if name in whole}
    items = {"items": _told(description, whole["items"])} if whole.get("items") else {}
    text = schema.get("description") or whole.get("description") or said
    return {**plain, **items, **({"description": text} if text else {})}


# --- calls ---


def _call(
    app: FastAPI, verb: str, path: str, in_query: frozenset[str], backend: Backend, given: Json, call: Call
) -> Json:
    """One request in process, as the principal of the backend."""
    del call
    if not isinstance(backend, LocalBackend):
        raise InvalidInputError("This tool works on a store or server of its own only.")
    rest = dict(given)
    for name in [part[1:-1] for part in path.split("/") if part.startswith("{")]:
        path = path.replace(f"{{{name}}}", _segment(rest.pop(name)))
    query = {name: rest.pop(name) for name in in_query & rest.keys()}
    body = None if verb == "GET" else rest
    status, answer = anyio.run(_ask, app, backend.access.principal, verb, path, query, body)
    if status >= 400:  # noqa: PLR2004
        raise _error(status, answer)
    return (
        answer if isinstance(answer, dict) else {"results": answer} if isinstance(answer, list) else {"content": answer}
    )


def _segment(value: object) -> str:
    """A name as one segment of a path; dots as well, for `..` would lead to another route."""
    return quote(str(value), safe="").replace(".", "%2E")


async def _ask(
    app: FastAPI, principal: Principal, verb: str, path: str, query: Mapping[str, Any], body: object
) -> tuple[int, Any]:
    transport = httpx2.ASGITransport(_Inside(app, principal))
    settings: Settings = app.state.settings
    async with httpx2.AsyncClient(transport=transport, base_url=settings.own_url) as client:
        response = await client.request(verb, path, params=dict(query), json=body)
    try:
        return response.status_code, response.json()
    except ValueError:
        return response.status_code, response.text


class _Inside:
    """The app, for a request that comes from inside and says itself who asks."""

    def __init__(self, app: ASGIApp, principal: Principal) -> None:
        self._app = app
        self._principal = principal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        known = {PRINCIPAL: self._principal, "path": canonical_path(scope["raw_path"])}
        await self._app({**scope, **known}, receive, send)


def _error(status: int, answer: Any) -> KeptError:
    message = answer.get("message") if isinstance(answer, dict) else None
    kinds: Mapping[int, type[KeptError]] = {400: InvalidInputError, 403: ForbiddenError, 404: NotFoundError}
    return kinds.get(status, KeptError)(message or json.dumps(answer)[:500])
