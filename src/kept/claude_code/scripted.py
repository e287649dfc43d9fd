"""A stand-in for the model's API on this machine: answers by script, and keeps what it was asked.

With it the real client can be driven without a model, an account or a network.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

Block = dict[str, Any]
"""A text or the use of a tool, as the API has it."""
Script = Callable[["Asked"], list[Block]]
"""What answers a request."""
_POLL_S: Final = 0.05
"""How long closing waits at most for the server to notice."""


class Asked:
    """One request to the model.

    Attributes:
        body: As it was sent.
    """

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body

    @property
    def said(self) -> list[tuple[str, str]]:
        """Role and text of each message, in order; results of tools as the role `tool`."""
        return [part for message in self.body.get("messages", []) for part in _parts(message)]

    @property
    def text(self) -> str:
        """All that is put before the model, but for tools."""
        system = self.body.get("system") or ""
        systems = system if isinstance(system, str) else "\n".join(block.get("text", "") for block in system)
        return "\n".join([systems, *(text for _, text in self.said)])

    @property
    def prompt(self) -> str:
        """What the user said last, without what the client put beside it."""
        spoken = [text for role, text in self.said if role == "user" and not text.startswith("<")]
        return spoken[-1] if spoken else ""

    @property
    def after_tool(self) -> bool:
        """Whether a tool's result is the last thing but what hooks put after it."""
        roles = [role for role, _ in self.said if role != "system"]
        return bool(roles) and roles[-1] == "tool"

    @property
    def is_main(self) -> bool:
        """Whether it is the session's own loop, not a side request such as a title."""
        return bool(self.body.get("tools"))


def say(text: str) -> list[Block]:
    """An answer of words."""
    return [{"type": "text", "text": text}]


def use(tool: str, **given: Any) -> list[Block]:
    """An answer that uses a tool."""
    return [{"type": "tool_use", "name": tool, "input": given}]


class ScriptedModel:
    """The server, on a free port; use it as a context.

    Args:
        script: Gives the blocks of an answer; called from several threads.

    Attributes:
        asked: Every request, in order.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def main(self) -> list[Asked]:
        """Requests of sessions' own loops."""
        return [asked for asked in self.asked if asked.is_main]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """The message that answers a request."""
        asked = Asked(body)
        self.asked.append(asked)
        number = len(self.asked)
        blocks = [
            block | ({"id": f"toolu_{number:06d}_{place}"} if block["type"] == "tool_use" else {})
            for place, block in enumerate(self.script(asked))
        ]
        uses_tool = any(block["type"] == "tool_use" for block in blocks)
        return {
            "id": f"msg_{number:06d}",
            "type": "message",
            "role": "assistant",
            "model": body.get("model", "scripted"),
            "content": blocks,
            "stop_reason": "tool_use" if uses_tool else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 100, "output_tokens": 10},
        }


class _Handler(BaseHTTPRequestHandler):
    """One connection of the client's."""

    def __init__(self, model: ScriptedModel, *arguments: Any) -> None:
        self._model = model
        super().__init__(*arguments)

    def do_POST(self) -> None:
        """A request to the model."""
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or "{}")
        match self.path.partition("?")[0]:
            case "/v1/messages":
                message = self._model.answer(body)
                self._stream(message) if body.get("stream") else self._send(HTTPStatus.OK, message)
            case "/v1/messages/count_tokens":
                self._send(HTTPStatus.OK, {"input_tokens": 100})
            case _:
                self._refuse()

    def do_GET(self) -> None:
        """Nothing is kept here."""
        self._refuse()

    do_HEAD = do_GET  # noqa: N815 - the standard library's name

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""

    def _refuse(self) -> None:
        error = {"type": "not_found_error", "message": "The scripted model has no such route."}
        self._send(HTTPStatus.NOT_FOUND, {"type": "error", "error": error})

    def _send(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _stream(self, message: dict[str, Any]) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for event in _events(message):
            self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())


def _events(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The message as it is streamed."""
    yield {"type": "message_start", "message": message | {"content": [], "stop_reason": None}}
    for index, block in enumerate(message["content"]):
        is_text = block["type"] == "text"
        empty = {"type": "text", "text": ""} if is_text else block | {"input": {}}
        delta = (
            {"type": "text_delta", "text": block["text"]}
            if is_text
            else {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        )
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 10}}
    yield {"type": "message_stop"}


def _parts(message: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    content = message["content"]
    for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
        if block["type"] == "text":
            yield message["role"], block["text"]
        elif block["type"] == "tool_result":
            inner = block.get("content") or ""
            yield "tool", inner if isinstance(inner, str) else "\n".join(part.get("text", "") for part in inner)
