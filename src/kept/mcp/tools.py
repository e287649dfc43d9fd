"""The everyday tools, once for every way they are served: what each is for, what it takes and answers, its one call.

Names, arguments and defaults are those of Mem0's hosted server, of OpenMemory and of mem0-mcp-selfhosted, so that prompts written
for them work; what is accepted for their sake and not worth a model's attention is not listed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

from kept.errors import InvalidInputError, ScopeError
from kept.mcp.backend import Backend, Json
from kept.mcp.call import Call
from kept.mcp.schema import Schema, clearable, flag, listing, mapping, number, text, whole

Method = Literal["read", "write", "custom"]
"""What a tool does to memories: it reads them, it changes them; `custom` manages the project around them."""
Run = Callable[[Backend, Json, Call], Json]

ENTITY_IDS: Final = ("user_id", "agent_id", "app_id", "run_id")
"""As in the domain, which a start does not import; a test holds them equal."""
_OWNERS: Final = ("user_id", "agent_id", "run_id")
"""Who says one of these means that one's memories, and not those of the default user."""
TOP_K: Final = 10
MAX_TOP_K: Final = 1_000
PAGE_SIZE: Final = 10
"""As on Mem0's hosted server."""
MAX_PAGE_SIZE: Final = 200
BUDGET_TOKENS: Final = 1_000
MAX_BUDGET_TOKENS: Final = 20_000
"""Clients refuse results over 25,000 tokens."""
MOST_ENTITIES: Final = 20
"""What a model can look over."""
SUMMARY_TYPE: Final = "interaction_summary"
ASKS_USER: Final[Mapping[str, Any]] = {"anthropic/requiresUserInteraction": True}
"""The client's mark for calls that a person must allow, whatever else was allowed."""


class Tool(NamedTuple):
    """One tool.

    Attributes:
        run: Its one call, with checked arguments.
        tags: What it is about; links choose by them.
        properties: Its arguments, as JSON Schema.
        also: Arguments accepted for the sake of other servers' prompts, not listed.
        gives: Names of the members its answer always has.
        destructive: Of one that writes, whether something can no longer be seen afterwards.
        idempotent: Of one that writes, whether twice is as good as once.
        shown: The member of the answer that its text is; None shows all of it as JSON.
        meta: Marks for clients.
    """

    name: str
    description: str
    run: Run
    method: Method
    tags: tuple[str, ...]
    properties: Mapping[str, Schema]
    required: tuple[str, ...] = ()
    also: Mapping[str, Schema] = {}
    gives: Mapping[str, str] = {}
    destructive: bool = False
    idempotent: bool = False
    shown: str | None = None
    meta: Mapping[str, Any] = {}

    def listed(self) -> Json:
        """The tool as a client lists it."""
        required = {"required": list(self.required)} if self.required else {}
        shape = {
            "name": self.name,
            "description": self.description,
            "inputSchema": {"type": "object", "properties": dict(self.properties), **required},
            "outputSchema": {
                "type": "object",
                "properties": {name: {"type": kind} for name, kind in self.gives.items()},
            },
            "annotations": self._hints(),
        }
        return shape | ({"_meta": dict(self.meta)} if self.meta else {})

    def _hints(self) -> Json:
        """The hints that differ from what the protocol takes for granted."""
        if self.method == "read":
            return {"readOnlyHint": True, "openWorldHint": False}
        harmless = {} if self.destructive else {"destructiveHint": False}
        return {**harmless, **({"idempotentHint": True} if self.idempotent else {}), "openWorldHint": False}


# --- what arguments mean ---


def _ids(backend: Backend, given: Mapping[str, Any], *, defaults: bool = True) -> dict[str, Any]:
    """The ids beside the filter; the default ones where nobody is named."""
    named = {name: given[name] for name in ENTITY_IDS if name in given}
    if defaults and not any(name in named or _names(given.get("filters"), name) for name in _OWNERS):
        return {**backend.defaults, **named}
    return named


def _names(filters: object, name: str) -> bool:
    """Whether a filter speaks of an id anywhere, however deep."""
    waiting = [filters]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            if name in part:
                return True
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return False


def _options(given: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}


def _page(given: Mapping[str, Any]) -> dict[str, int]:
    return {
        "page": given.get("page", 1),
        "page_size": min(given.get("page_size", given.get("limit", PAGE_SIZE)), MAX_PAGE_SIZE),
    }


# --- what answers say ---

_BRIEF: Final = ("id", "memory", "score", "created_at")
_DAY: Final = 10
"""Characters of a day in ISO 8601."""
_SHORTER: Final[Mapping[str, Callable[[Any], Any]]] = {
    "score": lambda score: round(score, 3),
    "created_at": lambda moment: str(moment)[:_DAY],
}
_BRIEF_EVENT: Final = ("id", "event_type", "status", "created_at", "completed_at", "error", "results")
_BRIEF_STEP: Final = ("event", "old_memory", "new_memory", "updated_at", "actor_id", "connector", "operation_id", "why")


def _brief(memory: Json, given: Mapping[str, Any]) -> Json:
    """A memory in short: what a model needs to use it; all of it when asked."""
    if given.get("details") or given.get("explain"):
        return memory
    wanted = {*_BRIEF, *given.get("fields", ())}
    shape = {name: value for name, value in memory.items() if name in wanted and value is not None}
    shape |= {name: short(shape[name]) for name, short in _SHORTER.items() if name in shape}
    state = memory.get("state") or memory.get("lifecycle_state")
    if state not in {None, "active"}:
        shape |= {"state": state} | ({"replaced_by": memory["replaced_by"]} if memory.get("replaced_by") else {})
    return shape


def _written(done: Mapping[str, Any]) -> Json:
    """What a write did, and how to take it back."""
    operation = done.get("operation_id")
    undo = {"undo": f'undo {{"operation_id": "{operation}"}}'} if operation else {}
    return {name: value for name, value in done.items() if value is not None} | undo


def _listed(results: list[Json], total: int, page: Mapping[str, int]) -> Json:
    more = page["page"] * page["page_size"] < total
    return {"count": total, "next": page["page"] + 1 if more else None, "results": results}


# --- remember ---

ADD_OPTIONS: Final = (
    "infer",
    "metadata",
    "facts",
    "timestamp",
    "expiration_date",
    "categories",
    "immutable",
    "idempotency_key",
    "custom_instructions",
    "agent_custom_instructions",
    "custom_categories",
    "includes",
    "excludes",
)


def _add(backend: Backend, given: Json, call: Call) -> Json:
    said = given.get("messages") or given.get("text")
    if not said and not given.get("facts"):
        raise InvalidInputError("There is nothing to remember: give text, or messages as [{role, content}].")
    done = backend.add(said or [], _ids(backend, given), _options(given, ADD_OPTIONS), call)
    stored = [one for one in done.get("results", ()) if one.get("event") != "SUPERSEDE"]
    kept = [_options(one, ("id", "memory", "event", "conflicts")) for one in stored]
    superseded = {"superseded": done["superseded"]} if done.get("superseded") else {}
    return _written(_options(done, ("status", "event_id", "operation_id")) | {"results": kept} | superseded)


def _store_summary(backend: Backend, given: Json, call: Call) -> Json:
    metadata = {"type": SUMMARY_TYPE, **given.get("metadata", {})}
    options = {"infer": False, "metadata": metadata, **_options(given, ("expiration_date", "idempotency_key"))}
    done = backend.add(given["summary"], _ids(backend, given), options, call)
    kept = [_options(one, ("id", "event")) for one in done.get("results", ())]
    return _written(_options(done, ("status", "event_id", "operation_id")) | {"results": kept})


# --- recall ---

_SEARCH_OPTIONS: Final = (
    "threshold",
    "rerank",
    "show_expired",
    "latest_only",
    "reference_date",
    "categories",
    "metadata",
    "as_of",
    "valid_as_of",
    "explain",
)
_LIST_OPTIONS: Final = (
    "categories",
    "metadata",
    "keywords",
    "start_date",
    "end_date",
    "show_expired",
    "latest_only",
)


def _search(backend: Backend, given: Json, call: Call) -> Json:
    del call
    options = _options(given, _SEARCH_OPTIONS) | {"top_k": given.get("top_k", given.get("limit", TOP_K))}
    hits = backend.search(given["query"], _ids(backend, given), given.get("filters"), options)
    return {"results": [_brief(hit, given) for hit in hits]}


def _get_all(backend: Backend, given: Json, call: Call) -> Json:
    del call
    page = _page(given)
    found, total = backend.page(_ids(backend, given), given.get("filters"), _options(given, _LIST_OPTIONS), **page)
    return _listed([_brief(memory, given) for memory in found], total, page)


def _get(backend: Backend, given: Json, call: Call) -> Json:
    del call
    return {name: value for name, value in backend.get(given["memory_id"]).items() if value is not None}


def _history(backend: Backend, given: Json, call: Call) -> Json:
    del call
    steps = backend.history(given["memory_id"])
    return {"results": [{name: step[name] for name in _BRIEF_STEP if step.get(name) is not None} for step in steps]}


def _context(backend: Backend, given: Json, call: Call) -> Json:
    del call
    options = {"budget_tokens": given.get("budget_tokens", BUDGET_TOKENS)} | _options(given, ("threshold",))
    return backend.context(given["query"], _ids(backend, given), given.get("filters"), options)


def _user_context(backend: Backend, given: Json, call: Call) -> Json:
    del call
    ids, budget = _ids(backend, given), given.get("budget_tokens", BUDGET_TOKENS)
    if "query" in given:
        return backend.context(given["query"], ids, None, {"budget_tokens": budget})
    return backend.summary(ids, budget)


# --- entities ---


def _search_graph(backend: Backend, given: Json, call: Call) -> Json:
    del call
    limit = min(given.get("limit", MOST_ENTITIES), MOST_ENTITIES)
    return {"results": backend.search_graph(given["query"], _ids(backend, given), limit)}


def _entity(backend: Backend, given: Json, call: Call) -> Json:
    del call
    return backend.entity(given["name"], _ids(backend, given))


def _entities(backend: Backend, given: Json, call: Call) -> Json:
    del call
    found, page = backend.entities(), _page({"page_size": MAX_PAGE_SIZE, **given})
    first = (page["page"] - 1) * page["page_size"]
    return _listed(found[first : first + page["page_size"]], len(found), page)


# --- change ---


def _update(backend: Backend, given: Json, call: Call) -> Json:
    del call
    fields = _options(given, ("text", "metadata", "timestamp", "expiration_date", "categories"))
    done = backend.update(given["memory_id"], fields)
    return _written(_options(done, ("id", "memory", "updated_at", "operation_id")))


def _delete(backend: Backend, given: Json, call: Call) -> Json:
    del call
    wanted = [*given.get("memory_ids", ()), *([given["memory_id"]] if "memory_id" in given else ())]
    if not wanted:
        raise InvalidInputError("Give the memory_id of what to delete; search_memories finds it.")
    return _written(backend.delete(wanted, linked=given.get("delete_linked", False)))


def _delete_all(backend: Backend, given: Json, call: Call) -> Json:
    ids, filters = _ids(backend, given, defaults=False), given.get("filters")
    if not ids and not filters:
        raise ScopeError("Name whose memories to delete: user_id, agent_id, app_id or run_id.")
    _, total = backend.page(ids, filters, {"show_expired": True}, page=1, page_size=1)
    _confirmed(given, call, f"Delete all {total} memories of {_said(ids, filters)}?")
    return _written(backend.delete_all(ids, filters, call))


def _delete_entities(backend: Backend, given: Json, call: Call) -> Json:
    ids = _ids(backend, given, defaults=False)
    if not ids:
        raise ScopeError("Name whom to delete: user_id, agent_id, app_id or run_id.")
    total = sum(
        backend.page({name: value}, None, {"show_expired": True}, page=1, page_size=1)[1] for name, value in ids.items()
    )
    _confirmed(given, call, f"Delete {_said(ids)} with all their {total} memories?")
    done = [backend.delete_entity(name.removesuffix("_id"), str(value), call) for name, value in ids.items()]
    return {"message": "Entities deleted.", "results": [_written(one) for one in done]}


def _confirmed(given: Mapping[str, Any], call: Call, question: str) -> None:
    """Go on only when it is meant: the caller says so, and the user where the client can ask.

    Raises:
        InvalidInputError: The caller does not say so.
    """
    if given.get("confirm") is not True:
        raise InvalidInputError(f"{question} Nothing was deleted. Ask the user; if so, call again with confirm true.")
    call.confirm(f"{question} `undo` can bring them back.")


def _said(ids: Mapping[str, Any], filters: object = None) -> str:
    named = " and ".join(f"{name} {value}" for name, value in ids.items())
    return named if not filters else f"{named or 'this project'} that match the filter"


def _undo(backend: Backend, given: Json, call: Call) -> Json:
    del call
    done = backend.undo(given.get("operation_id"), {} if "operation_id" in given else _ids(backend, given))
    changed = [_options(one, ("id", "memory", "state")) for one in done.get("results", ())]
    return _written({**done, "results": changed})


# --- events ---


def _events(backend: Backend, given: Json, call: Call) -> Json:
    del call
    page = _page(given)
    criteria = _options(given, ("status", "event_type")) | {"ids": _ids(backend, given, defaults=False)}
    found, total = backend.events(criteria, **page)
    return _listed([_event_in_short(event, given, results=False) for event in found], total, page)


def _event(backend: Backend, given: Json, call: Call) -> Json:
    del call
    return _event_in_short(backend.event(given["event_id"]), given, results=True)


def _event_in_short(event: Json, given: Mapping[str, Any], *, results: bool) -> Json:
    if given.get("details"):
        return event
    shape = {name: event[name] for name in _BRIEF_EVENT if event.get(name) is not None}
    kept = [_options(one, ("id", "memory", "event", "conflicts")) for one in shape.pop("results", ())]
    return shape | ({"results": kept} if results else {})


# --- the table ---

_SCOPE: Final = {name: text() for name in ENTITY_IDS}
_FILTERS: Final = mapping()
_PAGING: Final = {"page": whole(minimum=1), "page_size": whole(minimum=1)}
_IGNORED: Final = {"enable_graph": flag(), "output_format": text(), "version": text(), "async_mode": flag()}
"""Of other servers; they change nothing here."""
_BUDGET: Final = whole(minimum=1, maximum=MAX_BUDGET_TOKENS)
_LIST: Final = {"count": "integer", "results": "array"}
_RESULTS: Final = {"results": "array"}

EVERYDAY: Final[tuple[Tool, ...]] = (
    Tool(
        "add_memory",
        "Remember something that will matter later: a preference, decision, fact, fix. Not for what is only of use now. One "
        "statement as text, or the messages themselves. With infer false it is kept word for word.",
        _add,
        "write",
        ("memories",),
        {
            "text": text(),
            "messages": listing(mapping(), "[{role, content}]; wins over text"),
            "facts": listing(
                mapping(), "Finished: [{text, supersedes: [ids], relations: [{source, relationship, target}]}]"
            ),
            **_SCOPE,
            "metadata": mapping(),
            "infer": flag(),
            "expiration_date": text("YYYY-MM-DD"),
        },
        also={
            "timestamp": {},
            "categories": listing(text()),
            "immutable": flag(),
            "idempotency_key": text(),
            "custom_instructions": text(),
            "agent_custom_instructions": text(),
            "custom_categories": {},
            "includes": {},
            "excludes": {},
            **_IGNORED,
        },
        gives=_RESULTS,
        idempotent=True,
    ),
    Tool(
        "search_memories",
        "Find what is remembered about a question. Use it before answering what earlier sessions may have settled; to read all use "
        'get_memories. Example: {"query": "test framework", "filters": {"AND": [{"user_id": "mira"}, {"metadata": {"type": '
        '"decision"}}]}}. The user may be left out.',
        _search,
        "read",
        ("memories",),
        {
            "query": text(),
            "filters": _FILTERS,
            **_SCOPE,
            "top_k": whole(minimum=1, maximum=MAX_TOP_K, default=TOP_K),
            "threshold": number(minimum=0, maximum=1),
            "details": flag("All fields"),
        },
        ("query",),
        also={
            "limit": whole(minimum=1, maximum=MAX_TOP_K),
            "rerank": flag(),
            "show_expired": flag(),
            "latest_only": flag(),
            "reference_date": {},
            "categories": listing(text()),
            "metadata": mapping(),
            "fields": listing(text()),
            "explain": flag(),
            "as_of": {},
            "valid_as_of": {},
            **_IGNORED,
        },
        gives=_RESULTS,
    ),
    Tool(
        "get_memories",
        'List memories, newest first; to look for something use search_memories. Example: {"filters": {"AND": [{"user_id": "mira"}, '
        '{"created_at": {"gte": "2026-07-01"}}]}}. next is the next page.',
        _get_all,
        "read",
        ("memories",),
        {"filters": _FILTERS, **_SCOPE, **_PAGING, "details": flag()},
        also={
            "limit": whole(minimum=1),
            "categories": listing(text()),
            "metadata": mapping(),
            "keywords": text(),
            "start_date": text(),
            "end_date": text(),
            "show_expired": flag(),
            "latest_only": flag(),
            "fields": listing(text()),
            **_IGNORED,
        },
        gives=_LIST,
    ),
    Tool(
        "get_memory",
        "One memory with all that is known about it, by its id or the beginning of it.",
        _get,
        "read",
        ("memories",),
        {"memory_id": text()},
        ("memory_id",),
        gives={"id": "string", "memory": "string"},
    ),
    Tool(
        "update_memory",
        "Correct a memory, or add to its metadata. When something changed in the world, add_memory instead: it keeps what was true before.",
        _update,
        "write",
        ("memories",),
        {
            "memory_id": text(),
            "text": text(),
            "metadata": mapping(),
            "expiration_date": clearable(text("YYYY-MM-DD")),
        },
        ("memory_id",),
        also={"timestamp": {}, "categories": listing(text())},
        gives={"id": "string", "memory": "string"},
        idempotent=True,
    ),
    Tool(
        "delete_memory",
        "Forget one memory, when it is wrong or the user asks. undo brings it back.",
        _delete,
        "write",
        ("memories",),
        {"memory_id": text()},
        also={"memory_ids": listing(text()), "delete_linked": flag()},
        gives={"message": "string"},
        destructive=True,
        idempotent=True,
    ),
    Tool(
        "delete_all_memories",
        "Forget all memories of a user, agent, app or run. Only when the user asks for exactly that.",
        _delete_all,
        "write",
        ("memories",),
        {**_SCOPE, "confirm": flag("The user said so")},
        also={"filters": _FILTERS},
        gives={"message": "string"},
        destructive=True,
        idempotent=True,
        meta=ASKS_USER,
    ),
    Tool(
        "delete_entities",
        "Remove a user, agent, app or run with all its memories. Only when the user asks for exactly that.",
        _delete_entities,
        "write",
        ("entities",),
        {**_SCOPE, "confirm": flag("The user said so")},
        gives={"message": "string", "results": "array"},
        destructive=True,
        idempotent=True,
        meta=ASKS_USER,
    ),
    Tool(
        "list_entities",
        "Users, agents, apps and runs that memories are stored under, to find an id.",
        _entities,
        "read",
        ("entities",),
        {},
        also=_PAGING,
        gives=_LIST,
    ),
    Tool(
        "list_events",
        "What was done lately or is still going on, newest first.",
        _events,
        "read",
        ("events",),
        {"status": text("PENDING, RUNNING, SUCCEEDED, FAILED"), "event_type": text(), **_PAGING},
        also={**_SCOPE, "limit": whole(minimum=1), "details": flag()},
        gives=_LIST,
    ),
    Tool(
        "get_event_status",
        "Whether something acknowledged with an event_id is done, and what came of it.",
        _event,
        "read",
        ("events",),
        {"event_id": text()},
        ("event_id",),
        also={"details": flag()},
        gives={"id": "string", "status": "string"},
    ),
    Tool(
        "search_graph",
        "Entities (people, projects, files, tools) by a part of their name, with what they are connected to.",
        _search_graph,
        "read",
        ("graph",),
        {"query": text()},
        ("query",),
        also={**_SCOPE, "limit": whole(minimum=1, maximum=MAX_TOP_K)},
        gives=_RESULTS,
    ),
    Tool(
        "get_entity",
        "All that is remembered about one entity by name, and its relations in both directions.",
        _entity,
        "read",
        ("graph",),
        {"name": text()},
        ("name",),
        also=_SCOPE,
        gives={"name": "string", "relations": "array", "memories": "array"},
    ),
    Tool(
        "get_memory_history",
        "How a memory came to say what it says: each change, who made it, when.",
        _history,
        "read",
        ("memories", "history"),
        {"memory_id": text()},
        ("memory_id",),
        gives=_RESULTS,
    ),
    Tool(
        "get_context",
        "A block of the memories that matter for a task, within a budget of tokens: for a start, or to brief another agent.",
        _context,
        "read",
        ("context",),
        {"query": text(), **_SCOPE, "budget_tokens": _BUDGET},
        ("query",),
        also={"filters": _FILTERS, "threshold": number(minimum=0, maximum=1)},
        gives={"text": "string", "ids": "array"},
        shown="text",
    ),
    Tool(
        "get_user_context",
        "What is known about a user, strongest first; with a query, what matters for it. For answering somebody you have not met.",
        _user_context,
        "read",
        ("context",),
        {"user_id": text(), "query": text(), "budget_tokens": _BUDGET},
        also={name: text() for name in ("agent_id", "app_id", "run_id")},
        gives={"text": "string", "ids": "array"},
        shown="text",
    ),
    Tool(
        "store_interaction_summary",
        "Keep the summary of a finished conversation, word for word; single facts belong in add_memory.",
        _store_summary,
        "write",
        ("context",),
        {"summary": text(), **_SCOPE, "metadata": mapping()},
        ("summary",),
        also={"expiration_date": text(), "idempotency_key": text()},
        gives=_RESULTS,
        idempotent=True,
    ),
    Tool(
        "undo",
        "Take back a write by its operation_id; without one, the last write.",
        _undo,
        "write",
        ("memories", "history"),
        {"operation_id": text()},
        also=_SCOPE,
        gives={"message": "string", "results": "array"},
    ),
)
"""In the order in which they are listed."""

ALIASES: Final[Mapping[str, str]] = {
    "add_memories": "add_memory",
    "search_memory": "search_memories",
    "list_memories": "get_memories",
    "delete_memories": "delete_memory",
    "mcp_search_graph": "search_graph",
    "mcp_get_entity": "get_entity",
}
"""Names under which OpenMemory and mem0-mcp-selfhosted have them: called, not listed."""
METHODS: Final[tuple[Method, ...]] = ("read", "write", "custom")
ALL: Final = "all"


def select(words: Iterable[str], inventory: Callable[[], Iterable[Tool]] = tuple) -> tuple[Tool, ...]:
    """The tools that a list of names, tags and methods chooses.

    A word chooses among the everyday tools; one that chooses none of them, in the full inventory; `all` chooses everything.

    Args:
        words: Names, tags, methods, or `all`.
        inventory: Gives the tools besides the everyday ones; asked when a word needs them.

    Raises:
        InvalidInputError: A word that chooses none.
    """
    chosen: dict[str, Tool] = {}
    for word in words:
        found = [tool for tool in EVERYDAY if _is_meant(tool, word)]
        if not found or word == ALL:
            found += [tool for tool in inventory() if _is_meant(tool, word)]
        if not found:
            known = sorted({tag for tool in (*EVERYDAY, *inventory()) for tag in tool.tags})
            raise InvalidInputError(
                f"No tool is called, tagged or of the method {word[:40]!r}. There are the methods {', '.join(METHODS)}, the tags "
                f"{', '.join(known)}, and {ALL}."
            )
        chosen |= {tool.name: tool for tool in found}
    order = {tool.name: place for place, tool in enumerate(EVERYDAY)}
    return tuple(sorted(chosen.values(), key=lambda tool: order.get(tool.name, len(order))))


def _is_meant(tool: Tool, word: str) -> bool:
    return word in {ALL, tool.name, tool.method, *tool.tags}
