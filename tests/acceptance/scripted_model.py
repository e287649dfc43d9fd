"""A stand-in for the model's API on loopback: answers by script, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Block = dict[str, Any]
Script = Callable[["Asked"], list[Block]]


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
    """The server; use it as a context.

    Args:
        script: Gives the blocks of an answer.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Asked] = []
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or "{}")
                model._answer(self, body)

            def do_GET(self) -> None:
                _send(self, 404, {"type": "error", "error": {"type": "not_found_error", "message": "none"}})

            do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                """Nothing is printed."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def main(self) -> list[Asked]:
        """Requests of sessions' own loops."""
        return [asked for asked in self.asked if asked.is_main]

    def __enter__(self) -> ScriptedModel:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _answer(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        if handler.path.partition("?")[0] == "/v1/messages/count_tokens":
            _send(handler, 200, {"input_tokens": 100})
            return
        if handler.path.partition("?")[0] != "/v1/messages":
            _send(handler, 404, {"type": "error", "error": {"type": "not_found_error", "message": "none"}})
            return
        asked = Asked(body)
        self.asked.append(asked)
        blocks = [{"id": f"toolu_{len(self.asked):06d}_{place}"} | block if block["type"] == "tool_use" else block for place, block in enumerate(self.script(asked))]
        stop = "tool_use" if any(block["type"] == "tool_use" for block in blocks) else "end_turn"
        message = {
            "id": f"msg_{len(self.asked):06d}",
            "type": "message",
            "role": "assistant",
            "model": body.get("model", "scripted"),
            "content": blocks,
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": {"input_tokens": 100, "output_tokens": 10},
        }
        if not body.get("stream"):
            _send(handler, 200, message)
            return
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.end_headers()
        for event in _events(message):
            handler.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())


def _events(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The message as it is streamed."""
    yield {"type": "message_start", "message": message | {"content": [], "stop_reason": None}}
    for index, block in enumerate(message["content"]):
        if block["type"] == "text":
            yield {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}}
            delta = {"type": "text_delta", "text": block["text"]}
        else:
            yield {"type": "content_block_start", "index": index, "content_block": block | {"input": {}}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None}, "usage": {"output_tokens": 10}}
    yield {"type": "message_stop"}


def _parts(message: dict[str, Any]) -> Iterator[tuple[str, str]]:
    content = message["content"]
    for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
        if block["type"] == "text":
            yield message["role"], block["text"]
        elif block["type"] == "tool_result":
            inner = block.get("content") or ""
            yield "tool", inner if isinstance(inner, str) else "\n".join(part.get("text", "") for part in inner)


def _send(handler: BaseHTTPRequestHandler, status: int, body: dict[str, Any]) -> None:
    data = json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", str(len(data)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(data)
