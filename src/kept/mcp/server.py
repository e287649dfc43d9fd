"""The protocol's methods over the table of tools, whatever carries them: no I/O, no threads, plain dictionaries in and out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from kept import __version__
from kept.errors import InvalidInputError, KeptError, NotFoundError, RateLimitError
from kept.mcp import guide, resources, schema
from kept.mcp.backend import Backend, Json
from kept.mcp.call import Call, CancelledError, InputRequiredError
from kept.mcp.tools import ALIASES, Tool

MODERN: Final = ("2026-07-28",)
"""Versions in which each request stands alone."""
HANDSHAKES: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""Versions that begin with `initialize`, oldest first."""
VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY: Final = "io.modelcontextprotocol/clientCapabilities"
SERVER_KEY: Final = "io.modelcontextprotocol/serverInfo"
TOKENS_KEY: Final = "kept/tokens"
CODE_KEY: Final = "kept/code"
RETRY_KEY: Final = "kept/retry_after_s"

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
RESOURCE_NOT_FOUND: Final = -32002
"""Of the older era; the newer one says `INVALID_PARAMS`."""
UNSUPPORTED_VERSION: Final = -32022

INFO: Final = {"name": "kept", "title": "Kept", "version": __version__}
CAPABILITIES: Final[Mapping[str, Json]] = {"tools": {}, "prompts": {}, "resources": {}, "completions": {}}
TOOLS_PAGE: Final = 100
"""All of the everyday tools on one page: some clients read no second one."""
LISTS_TTL_MS: Final = 3_600_000
"""What a server lists stays as it is while it runs."""
_SHOWN: Final = 80

Hidden = Callable[[Mapping[str, Any]], Json]
"""A tool that is called and not listed: takes the arguments, gives the result as the client gets it."""

_NEXT: Final[Mapping[str, str]] = {
    "not-found": "search_memories and get_memories give the ids that exist.",
    "invalid-scope": "list_entities gives the ids that exist.",
    "store-busy": "Call again in a moment.",
    "unauthenticated": "The key has to be mended where this server is configured.",
}
"""What to do about an error whose message leaves it open, by its code."""


class ProtocolError(Exception):
    """A request that cannot be answered, in the protocol's terms."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data

    def shape(self) -> Json:
        """As it is sent."""
        shape: Json = {"code": self.code, "message": str(self)}
        return shape if self.data is None else shape | {"data": self.data}


class Server:
    """Answers the methods of a client.

    Args:
        tools: Those that are listed, in this order.
        backend: Gives what they stand on; called when it is first needed, and again as long as it fails.
        hidden: Tools that are called and not listed.
        tools_only: Whether there is nothing but the tools: no prompts, and no resources past them.

    Attributes:
        methods: Those of both eras; each transport adds how a connection begins.
    """

    def __init__(
        self,
        tools: Sequence[Tool],
        backend: Callable[[], Backend],
        hidden: Mapping[str, Hidden] | None = None,
        *,
        tools_only: bool = False,
    ) -> None:
        self.tools = tuple(tools)
        self._by_name = {tool.name: tool for tool in self.tools}
        self._backend = backend
        self._hidden = hidden or {}
        of_tools = {"tools/list": self._list_tools, "tools/call": self._call_tool}
        others = {
            "prompts/list": self._list_prompts,
            "prompts/get": self._get_prompt,
            "resources/list": self._list_resources,
            "resources/templates/list": self._list_templates,
            "resources/read": self._read_resource,
            "completion/complete": self._complete,
        }
        self.methods: Mapping[str, Callable[[Mapping[str, Any], Call], Json]] = (
            of_tools if tools_only else of_tools | others
        )

    def handle(self, method: str, params: Mapping[str, Any], call: Call) -> Json:
        """The result of a request.

        Raises:
            ProtocolError: There is none.
            InputRequiredError: The client has to ask its user first.
            CancelledError: The client does not wait for it any more.
        """
        answer = self.methods.get(method)
        if answer is None:
            raise ProtocolError(METHOD_NOT_FOUND, "Method not found", method[:_SHOWN])
        try:
            return answer(params, call)
        except (ProtocolError, InputRequiredError, CancelledError):
            raise
        except NotFoundError as error:
            raise ProtocolError(INVALID_PARAMS if call.is_modern else RESOURCE_NOT_FOUND, str(error)) from error
        except InvalidInputError as error:
            raise ProtocolError(INVALID_PARAMS, str(error)) from error
        except KeptError as error:
            raise ProtocolError(INTERNAL_ERROR, str(error)) from error
        except Exception as error:
            _note(method, error)
            raise ProtocolError(INTERNAL_ERROR, f"Something went wrong inside ({type(error).__name__}).") from error

    # --- tools ---

    def _list_tools(self, params: Mapping[str, Any], call: Call) -> Json:
        del call
        number = _page_of(params)
        first = (number - 1) * TOOLS_PAGE
        listed = [tool.listed() for tool in self.tools[first : first + TOOLS_PAGE]]
        return _paged("tools", listed, number, more=first + TOOLS_PAGE < len(self.tools), ttl_ms=LISTS_TTL_MS)

    def _call_tool(self, params: Mapping[str, Any], call: Call) -> Json:
        name, arguments = _text(params, "name"), params.get("arguments")
        if arguments is not None and not isinstance(arguments, Mapping):
            raise ProtocolError(INVALID_PARAMS, "arguments must be an object.")
        if name in self._hidden:
            return self._hidden[name](arguments or {})
        tool = self._by_name.get(ALIASES.get(name, name))
        if tool is None:
            raise ProtocolError(INVALID_PARAMS, f"Unknown tool: {name[:_SHOWN]}")
        try:
            given = schema.check(arguments or {}, {**tool.also, **tool.properties}, tool.required, tool=name)
            return _result(tool, tool.run(self._backend(), given, call))
        except (InputRequiredError, CancelledError):
            raise
        except KeptError as error:
            return _failure(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the model is told and the server goes on
            _note(tool.name, error)
            return _failure(
                KeptError(f"Something went wrong inside ({type(error).__name__}); the server's log has it.")
            )

    # --- prompts ---

    def _list_prompts(self, params: Mapping[str, Any], call: Call) -> Json:
        del call
        return _paged("prompts", _only([prompt.listed() for prompt in guide.PROMPTS], params), 1, ttl_ms=LISTS_TTL_MS)

    def _get_prompt(self, params: Mapping[str, Any], call: Call) -> Json:
        del call
        name, raw = _text(params, "name"), params.get("arguments") or {}
        prompt = next((prompt for prompt in guide.PROMPTS if prompt.name == name), None)
        if prompt is None:
            raise ProtocolError(INVALID_PARAMS, f"Unknown prompt: {name[:_SHOWN]}")
        if not isinstance(raw, Mapping) or not all(isinstance(value, str) for value in raw.values()):
            raise ProtocolError(INVALID_PARAMS, "arguments must be an object of texts.")
        missing = [argument.name for argument in prompt.arguments if argument.required and not raw.get(argument.name)]
        if missing:
            raise ProtocolError(INVALID_PARAMS, f"The prompt {name} needs {' and '.join(missing)}.")
        said = prompt.say({key: value for key, value in raw.items() if value})
        message = {"role": "user", "content": {"type": "text", "text": said}}
        return {"description": prompt.description, "messages": [message]}

    # --- resources ---

    def _list_resources(self, params: Mapping[str, Any], call: Call) -> Json:
        del call
        number = _page_of(params)
        found, more = resources.page(self._backend(), number)
        return _paged("resources", found, number, more=more)

    def _list_templates(self, params: Mapping[str, Any], call: Call) -> Json:
        del call
        return _paged("resourceTemplates", _only(list(resources.TEMPLATES), params), 1, ttl_ms=LISTS_TTL_MS)

    def _read_resource(self, params: Mapping[str, Any], call: Call) -> Json:
        del call
        return {
            "contents": [resources.read(self._backend(), _text(params, "uri"))],
            "ttlMs": 0,
            "cacheScope": "private",
        }

    def _complete(self, params: Mapping[str, Any], call: Call) -> Json:
        del call
        reference, argument, context = (params.get(name) for name in ("ref", "argument", "context"))
        if not isinstance(reference, Mapping) or not isinstance(argument, Mapping):
            raise ProtocolError(INVALID_PARAMS, "ref and argument must be objects.")
        known = context.get("arguments") if isinstance(context, Mapping) else None
        return {
            "completion": resources.complete(
                self._backend(),
                reference,
                _text(argument, "name"),
                _text(argument, "value"),
                known if isinstance(known, Mapping) else {},
            )
        }


QUICK: Final = frozenset({"tools/list", "prompts/list", "prompts/get", "resources/templates/list"})
"""Answered from what is known without a store."""


_NEWER: Final = frozenset({"ttlMs", "cacheScope"})


def plain(result: Json) -> Json:
    """A result as the older era knows it."""
    return {name: value for name, value in result.items() if name not in _NEWER}


def enveloped(result: Json) -> Json:
    """A result with what the newer era adds to each."""
    return {"resultType": "complete", **result, "_meta": {SERVER_KEY: INFO, **result.get("_meta", {})}}


def input_required(error: InputRequiredError) -> Json:
    """What the newer era answers where the client has to ask its user first."""
    return {"resultType": "input_required", "inputRequests": dict(error.requests), "requestState": error.state}


# --- results of tools ---


def _result(tool: Tool, answer: Json) -> Json:
    from kept.domain.text import count_tokens

    shown = answer[tool.shown] if tool.shown is not None else json.dumps(answer, ensure_ascii=False)
    return {
        "content": [{"type": "text", "text": shown}],
        "structuredContent": answer,
        "isError": False,
        "_meta": {TOKENS_KEY: count_tokens(shown)},
    }


def _failure(error: KeptError) -> Json:
    """An error that the model sees and can act on."""
    told = [str(error), _NEXT.get(error.code, "")]
    meta: Json = {CODE_KEY: error.code}
    if isinstance(error, RateLimitError):
        meta[RETRY_KEY] = error.retry_after_s
        meta |= {f"kept/{name.lower()}": value for name, value in error.limits.items()}
        told.append(f"Call again in {error.retry_after_s} s.")
    text = " ".join(part for part in told if part)
    return {"content": [{"type": "text", "text": text}], "isError": True, "_meta": meta}


def _note(what: str, error: Exception) -> None:
    import logging  # late: it takes 8 ms, and a start none of it

    kept = {"call": what, "error": type(error).__name__}
    logging.getLogger("kept.mcp").error("call failed", extra={"kept": kept}, exc_info=error)


# --- pages ---


def _paged(name: str, listed: list[Json], number: int, *, more: bool = False, ttl_ms: int = 0) -> Json:
    following = {"nextCursor": f"{_CURSOR}{number + 1}"} if more else {}
    return {name: listed, **following, "ttlMs": ttl_ms, "cacheScope": "private"}


def _only(listed: list[Json], params: Mapping[str, Any]) -> list[Json]:
    """All of a list that has one page."""
    return listed if _page_of(params) == 1 else []


def _page_of(params: Mapping[str, Any]) -> int:
    """The page that a cursor of ours stands for; the first without one."""
    cursor = params.get("cursor")
    if cursor is None:
        return 1
    number = cursor.removeprefix(_CURSOR) if isinstance(cursor, str) and cursor.startswith(_CURSOR) else ""
    if not (number.isascii() and number.isdecimal() and len(number) <= _DIGITS and int(number) > 0):
        raise ProtocolError(INVALID_PARAMS, "cursor is none that this server gave.")
    return int(number)


_CURSOR: Final = "page-"
_DIGITS: Final = 9


def _text(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str):
        raise ProtocolError(INVALID_PARAMS, f"{name} must be a text.")
    return value
