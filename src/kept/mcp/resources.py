"""What a client can read by address: a memory, a block of context, an entity. And what completes the names in such addresses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from kept.errors import InvalidInputError, NotFoundError
from kept.mcp.backend import Backend, Json

MEMORY: Final = "kept://memory/{id}"
CONTEXT: Final = "kept://context{?query}"
ENTITY: Final = "kept://entity/{type}/{id}"
TYPES: Final = ("user", "agent", "app", "run")
"""Of entities, as in the engine, which a start does not import; a test holds them equal."""
PAGE: Final = 50
MOST_VALUES: Final = 100
"""Of a completion, as the protocol says."""
BUDGET_TOKENS: Final = 1_000
_NAMED: Final = 60
"""Characters of a memory that stand for its name in a list."""

TEMPLATES: Final[tuple[Json, ...]] = (
    {
        "uriTemplate": MEMORY,
        "name": "memory",
        "description": "A memory with all that is known about it.",
        "mimeType": "application/json",
    },
    {
        "uriTemplate": CONTEXT,
        "name": "context",
        "description": "A block of the memories that matter for a query.",
        "mimeType": "text/plain",
    },
    {
        "uriTemplate": ENTITY,
        "name": "entity",
        "description": "The newest memories of a user, agent, app or run.",
        "mimeType": "application/json",
    },
)


def page(backend: Backend, number: int) -> tuple[list[Json], bool]:
    """The newest memories as resources, and whether there are more."""
    if not backend.defaults:
        return [], False
    found, total = backend.page(backend.defaults, None, {}, page=number, page_size=PAGE)
    return [_listed(memory) for memory in found], number * PAGE < total


def read(backend: Backend, uri: str) -> Json:
    """What stands at an address.

    Raises:
        NotFoundError: Nothing.
    """
    from urllib.parse import parse_qs, unquote, urlsplit

    parts = urlsplit(uri)
    path = [unquote(part) for part in parts.path.split("/") if part]
    match (parts.scheme, parts.netloc, path):
        case "kept", "memory", [memory_id]:
            return _content(uri, json.dumps(backend.get(memory_id), ensure_ascii=False), "application/json")
        case "kept", "context", []:
            return _content(uri, _context(backend, parse_qs(parts.query).get("query", [""])[0]), "text/plain")
        case "kept", "entity", [kind, name] if kind in TYPES:
            found, total = backend.page({f"{kind}_id": name}, None, {}, page=1, page_size=PAGE)
            about = {"type": kind, "name": name, "total_memories": total, "memories": found}
            return _content(uri, json.dumps(about, ensure_ascii=False), "application/json")
    raise NotFoundError(f"There is no resource {uri[:200]!r}; there are {MEMORY}, {CONTEXT} and {ENTITY}.")


def complete(backend: Backend, reference: Mapping[str, Any], name: str, begun: str, known: Mapping[str, Any]) -> Json:
    """Values that begin so, for an argument of a template or a prompt.

    Raises:
        InvalidInputError: A reference to nothing.
    """
    match (reference.get("type"), reference.get("uri") or reference.get("name"), name):
        case "ref/resource", str(uri), "id" if uri == MEMORY:
            return _completion((memory["id"] for memory in _newest(backend)), begun)
        case "ref/resource", str(uri), "type" if uri == ENTITY:
            return _completion(TYPES, begun)
        case "ref/resource", str(uri), "id" if uri == ENTITY:
            kind = known.get("type")
            named = (found["name"] for found in backend.entities() if kind in {None, found["type"]})
            return _completion(named, begun)
        case "ref/prompt", "review", "user_id":
            return _completion((found["name"] for found in backend.entities() if found["type"] == "user"), begun)
        case "ref/prompt", "recall", "topic":
            return _completion(_mentioned(backend, begun), begun)
        case "ref/resource" | "ref/prompt", str(), _:
            return _completion((), begun)
    raise InvalidInputError("ref must be a prompt by its name, or a resource template by its uri.")


def _mentioned(backend: Backend, begun: str) -> Iterable[str]:
    if not begun:
        return ()
    memories = backend.mentioning(begun, backend.defaults, MOST_VALUES)
    return (mention["name"] for memory in memories for mention in memory.get("entities") or ())


def _newest(backend: Backend) -> list[Json]:
    return backend.page(backend.defaults, None, {}, page=1, page_size=MOST_VALUES)[0] if backend.defaults else []


def _completion(values: Iterable[str], begun: str) -> Json:
    wanted = begun.casefold()
    found = list(dict.fromkeys(value for value in values if value.casefold().startswith(wanted)))
    return {"values": found[:MOST_VALUES], "total": len(found), "hasMore": len(found) > MOST_VALUES}


def _context(backend: Backend, query: str) -> str:
    options = {"budget_tokens": BUDGET_TOKENS}
    found = (
        backend.context(query, backend.defaults, None, options)
        if query
        else backend.summary(backend.defaults, BUDGET_TOKENS)
    )
    return str(found["text"])


def _listed(memory: Json) -> Json:
    text = memory["memory"]
    return {
        "uri": MEMORY.format(id=memory["id"]),
        "name": text if len(text) <= _NAMED else f"{text[: _NAMED - 1]}…",
        "mimeType": "application/json",
    }


def _content(uri: str, text: str, kind: str) -> Json:
    return {"uri": uri, "mimeType": kind, "text": text}
