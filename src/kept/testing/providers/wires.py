"""The wire formats: how each provider is asked for an object, and how it answers, whole or in a stream of events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from kept.testing.providers.replies import Answer, CutOff, HalfAnswer, OtherTool, Prose, Refusal

MODEL: Final = "scripted"
OTHER_TOOL: Final = "delete_everything"
_CREATED: Final = 1_780_000_000

End = Literal["done", "length", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An answer in no format yet.

    Attributes:
        tool: The tool that is called; None for text.
        content: The tool's arguments as JSON, or the text.
    """

    tool: str | None
    content: str
    end: End
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0

    @property
    def halves(self) -> tuple[str, str]:
        """The content as two pieces of a stream."""
        middle = len(self.content) // 2
        return self.content[:middle], self.content[middle:]


def say(reply: Answer | Prose | Refusal, tool: str | None) -> Said:
    """What a reply says, by the tool that was asked for, if any."""
    match reply:
        case Refusal():
            used = {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens}
            return Said(tool=None, content="I cannot help with that.", end="refused", **used)
        case Prose():
            used = {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens}
            return Said(tool=None, content=reply.text, end="done", **used)
    content = json.dumps(reply.value, ensure_ascii=False)
    if isinstance(reply, (HalfAnswer, CutOff)):
        content = content[: len(content) // 2]
    return Said(
        tool=OTHER_TOOL if isinstance(reply, OtherTool) else tool,
        content=content,
        end="length" if isinstance(reply, CutOff) else "done",
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        cached_tokens=reply.cached_tokens,
    )


class Wire(Protocol):
    """One provider's format."""

    def streams(self, path: str, body: Mapping[str, Any]) -> bool:
        """Whether a stream is asked for."""

    def tool(self, body: Mapping[str, Any]) -> str | None:
        """The tool that is to be called; None where the object is wanted as text."""

    def whole(self, said: Said) -> Mapping[str, Any]:
        """The answer at once."""

    def events(self, said: Said) -> Iterator[str]:
        """The answer in pieces, as server-sent events; the first one only begins it."""

    def failure(self, status: int) -> Mapping[str, Any]:
        """An error, also as an event within a stream."""

    def failure_event(self, status: int) -> str:
        """An error within a stream."""


def _event(data: object, name: str | None = None) -> str:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n"


class Anthropic:
    """`POST /v1/messages`."""

    _ENDS: Final[Mapping[End, str]] = {"length": "max_tokens", "refused": "refusal"}
    _ERRORS: Final = {
        400: "invalid_request_error",
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        529: "overloaded_error",
    }

    def streams(self, path: str, body: Mapping[str, Any]) -> bool:
        del path
        return bool(body.get("stream"))

    def tool(self, body: Mapping[str, Any]) -> str | None:
        tools = body.get("tools") or ()
        return str(tools[0]["name"]) if tools else None

    def whole(self, said: Said) -> Mapping[str, Any]:
        block = (
            {"type": "text", "text": said.content}
            if said.tool is None
            else {"type": "tool_use", "id": "toolu_1", "name": said.tool, "input": json.loads(said.content)}
        )
        return self._message(said, [block], self._end(said), said.output_tokens)

    def events(self, said: Said) -> Iterator[str]:
        yield _event({"type": "message_start", "message": self._message(said, [], None, 1)}, "message_start")
        block: dict[str, Any] = {"type": "text", "text": ""}
        if said.tool is not None:
            block = {"type": "tool_use", "id": "toolu_1", "name": said.tool, "input": {}}
        yield _event({"type": "content_block_start", "index": 0, "content_block": block}, "content_block_start")
        for piece in said.halves:
            delta = {"type": "text_delta", "text": piece}
            if said.tool is not None:
                delta = {"type": "input_json_delta", "partial_json": piece}
            yield _event({"type": "content_block_delta", "index": 0, "delta": delta}, "content_block_delta")
        yield _event({"type": "content_block_stop", "index": 0}, "content_block_stop")
        end = {"stop_reason": self._end(said), "stop_sequence": None}
        usage = {"output_tokens": said.output_tokens}
        yield _event({"type": "message_delta", "delta": end, "usage": usage}, "message_delta")
        yield _event({"type": "message_stop"}, "message_stop")

    def failure(self, status: int) -> Mapping[str, Any]:
        kind = self._ERRORS.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": "As the script says."}, "request_id": "req_1"}

    def failure_event(self, status: int) -> str:
        return _event(self.failure(status), "error")

    def _end(self, said: Said) -> str:
        return self._ENDS.get(said.end, "end_turn" if said.tool is None else "tool_use")

    def _message(self, said: Said, content: list[Any], end: str | None, output_tokens: int) -> Mapping[str, Any]:
        usage = {
            "input_tokens": said.input_tokens - said.cached_tokens,
            "cache_read_input_tokens": said.cached_tokens,
            "cache_creation_input_tokens": 0,
            "output_tokens": output_tokens,
        }
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": MODEL,
            "content": content,
            "stop_reason": end,
            "stop_sequence": None,
            "usage": usage,
        }


class OpenAIChat:
    """`POST /v1/chat/completions`, also of Ollama and of everything that calls itself compatible."""

    _ENDS: Final[Mapping[End, str]] = {"length": "length"}
    _CODES: Final = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}

    def streams(self, path: str, body: Mapping[str, Any]) -> bool:
        del path
        return bool(body.get("stream"))

    def tool(self, body: Mapping[str, Any]) -> str | None:
        tools = body.get("tools") or ()
        return str(tools[0]["function"]["name"]) if tools else None

    def whole(self, said: Said) -> Mapping[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": None}
        if said.tool is not None:
            message["tool_calls"] = [self._call(said.tool, said.content)]
        else:
            message["refusal" if said.end == "refused" else "content"] = said.content
        choice = {"index": 0, "message": message, "finish_reason": self._end(said), "logprobs": None}
        return self._completion("chat.completion", [choice], said)

    def events(self, said: Said) -> Iterator[str]:
        yield self._chunk({"role": "assistant", "content": None if said.tool else ""})
        if said.tool is not None:
            yield self._chunk({"tool_calls": [{"index": 0, **self._call(said.tool, "")}]})
        for piece in said.halves:
            if said.tool is not None:
                yield self._chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
            else:
                yield self._chunk({"refusal" if said.end == "refused" else "content": piece})
        yield self._chunk({}, self._end(said))
        yield _event(self._completion("chat.completion.chunk", [], said))
        yield "data: [DONE]\n\n"

    def failure(self, status: int) -> Mapping[str, Any]:
        kind = "invalid_request_error" if status < 500 else "server_error"
        error = {"message": "As the script says.", "type": kind, "param": None, "code": self._CODES.get(status)}
        return {"error": error}

    def failure_event(self, status: int) -> str:
        return _event(self.failure(status))

    def _end(self, said: Said) -> str:
        return self._ENDS.get(said.end, "stop" if said.tool is None else "tool_calls")

    def _call(self, tool: str, arguments: str) -> dict[str, Any]:
        return {"id": "call_1", "type": "function", "function": {"name": tool, "arguments": arguments}}

    def _chunk(self, delta: Mapping[str, Any], end: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": end, "logprobs": None}
        return _event(self._completion("chat.completion.chunk", [choice], None))

    def _completion(self, kind: str, choices: list[Any], said: Said | None) -> dict[str, Any]:
        made = {"id": "chatcmpl_1", "object": kind, "created": _CREATED, "model": MODEL, "choices": choices}
        if said is None:
            return made | {"usage": None}
        usage = {
            "prompt_tokens": said.input_tokens,
            "completion_tokens": said.output_tokens,
            "total_tokens": said.input_tokens + said.output_tokens,
            "prompt_tokens_details": {"cached_tokens": said.cached_tokens},
        }
        return made | {"usage": usage}


class OpenAIResponses:
    """`POST /v1/responses`."""

    def streams(self, path: str, body: Mapping[str, Any]) -> bool:
        del path
        return bool(body.get("stream"))

    def tool(self, body: Mapping[str, Any]) -> str | None:
        tools = body.get("tools") or ()
        return str(tools[0]["name"]) if tools else None

    def whole(self, said: Said) -> Mapping[str, Any]:
        return self._response(said, [self._item(said, said.content, "completed")])

    def events(self, said: Said) -> Iterator[str]:
        numbers = iter(range(100))

        def event(kind: str, **data: Any) -> str:
            return _event({"type": kind, "sequence_number": next(numbers), **data}, kind)

        begun = dict(self._response(said, [])) | {"status": "in_progress", "usage": None, "incomplete_details": None}
        yield event("response.created", response=begun)
        item = self._item(said, "", "in_progress")
        yield event("response.output_item.added", output_index=0, item=item)
        place: dict[str, Any] = {"output_index": 0, "item_id": item["id"]}
        if said.tool is not None:
            for piece in said.halves:
                yield event("response.function_call_arguments.delta", delta=piece, **place)
            yield event("response.function_call_arguments.done", arguments=said.content, name=said.tool, **place)
        else:
            kind, field = ("refusal", "refusal") if said.end == "refused" else ("output_text", "text")
            place["content_index"] = 0
            empty = self._content(said, "")
            yield event("response.content_part.added", part=empty, **place)
            for piece in said.halves:
                yield event(f"response.{kind}.delta", delta=piece, logprobs=[], **place)
            yield event(f"response.{kind}.done", logprobs=[], **{field: said.content}, **place)
            yield event("response.content_part.done", part=self._content(said, said.content), **place)
        yield event("response.output_item.done", output_index=0, item=self._item(said, said.content, "completed"))
        ended = self._response(said, [self._item(said, said.content, "completed")])
        yield event(f"response.{ended['status']}", response=ended)

    def failure(self, status: int) -> Mapping[str, Any]:
        return OpenAIChat().failure(status)

    def failure_event(self, status: int) -> str:
        codes = {429: "rate_limit_exceeded"}
        error = {"code": codes.get(status, "server_error"), "message": "As the script says.", "param": None}
        return _event({"type": "error", "sequence_number": 99, **error}, "error")

    def _content(self, said: Said, text: str) -> dict[str, Any]:
        if said.end == "refused":
            return {"type": "refusal", "refusal": text}
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}

    def _item(self, said: Said, content: str, status: str) -> dict[str, Any]:
        if said.tool is not None:
            call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": said.tool}
            return call | {"arguments": content, "status": status}
        parts = [self._content(said, content)] if content else []
        return {"type": "message", "id": "msg_1", "role": "assistant", "content": parts, "status": status}

    def _response(self, said: Said, output: list[Any]) -> Mapping[str, Any]:
        cut = said.end == "length"
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": _CREATED,
            "model": MODEL,
            "status": "incomplete" if cut else "completed",
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "error": None,
            "output": output,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": {
                "input_tokens": said.input_tokens,
                "input_tokens_details": {"cached_tokens": said.cached_tokens, "cache_write_tokens": 0},
                "output_tokens": said.output_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": said.input_tokens + said.output_tokens,
            },
        }


class Gemini:
    """`POST /v1beta/models/MODEL:generateContent` and `:streamGenerateContent`."""

    _ENDS: Final[Mapping[End, str]] = {"done": "STOP", "length": "MAX_TOKENS", "refused": "SAFETY"}
    _STATUSES: Final = {
        400: "INVALID_ARGUMENT",
        401: "UNAUTHENTICATED",
        403: "PERMISSION_DENIED",
        404: "NOT_FOUND",
        429: "RESOURCE_EXHAUSTED",
        500: "INTERNAL",
        503: "UNAVAILABLE",
    }

    def streams(self, path: str, body: Mapping[str, Any]) -> bool:
        del body
        return ":streamGenerateContent" in path

    def tool(self, body: Mapping[str, Any]) -> str | None:
        tools = body.get("tools") or ()
        return str(tools[0]["functionDeclarations"][0]["name"]) if tools else None

    def whole(self, said: Said) -> Mapping[str, Any]:
        parts, end = self._parts(said)
        return self._answer(said, parts, end)

    def events(self, said: Said) -> Iterator[str]:
        yield _event(self._answer(said, [{"text": ""}], None))
        parts, end = self._parts(said)
        yield _event(self._answer(said, parts, end))

    def failure(self, status: int) -> Mapping[str, Any]:
        name = self._STATUSES.get(status, "UNKNOWN")
        return {"error": {"code": status, "message": "As the script says.", "status": name}}

    def failure_event(self, status: int) -> str:
        return _event(self.failure(status))

    def _parts(self, said: Said) -> tuple[list[Any], str]:
        """Arguments are an object here; half of one is no call, and Gemini says so by its reason to end."""
        if said.end == "refused":
            return [], self._ENDS[said.end]
        if said.tool is None:
            return [{"text": said.content}], self._ENDS[said.end]
        try:
            arguments = json.loads(said.content)
        except ValueError:
            return [], self._ENDS[said.end] if said.end != "done" else "MALFORMED_FUNCTION_CALL"
        return [{"functionCall": {"name": said.tool, "args": arguments}}], self._ENDS[said.end]

    def _answer(self, said: Said, parts: list[Any], end: str | None) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
        if end is not None:
            candidate["finishReason"] = end
        usage = {
            "promptTokenCount": said.input_tokens,
            "candidatesTokenCount": said.output_tokens,
            "totalTokenCount": said.input_tokens + said.output_tokens,
            "cachedContentTokenCount": said.cached_tokens,
        }
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": MODEL, "responseId": "resp_1"}


_ANTHROPIC, _CHAT, _RESPONSES, _GEMINI = Anthropic(), OpenAIChat(), OpenAIResponses(), Gemini()


def wire(path: str) -> Wire | None:
    """Whose format a path speaks; None for a path of no model."""
    route = path.partition("?")[0]
    if route.endswith("/v1/messages"):
        return _ANTHROPIC
    if route.endswith("/chat/completions"):
        return _CHAT
    if route.endswith("/responses"):
        return _RESPONSES
    return _GEMINI if route.endswith((":generateContent", ":streamGenerateContent")) else None
