"""A server on loopback that replies from a script, in the format in which it was asked."""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from typing import Any, Final, Self

from kept.testing.providers.embeddings import embed
from kept.testing.providers.replies import (
    Answer,
    Broken,
    Failure,
    Prose,
    Raw,
    Refusal,
    Reply,
    Said,
    Silence,
    Stall,
    Vectors,
)
from kept.testing.providers.wires import OpenAIChat, Wire, say, wire

__all__ = ["Request", "ScriptedProvider"]

_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream"
_RESET: Final = struct.pack("ii", 1, 0)
"""Of `SO_LINGER`: closing the connection breaks it."""
_BEGINNING: Final = 3
"""Events that begin an answer in every format: after them a client knows that it is under way."""
_HALF_SAID: Final = Answer({"text": "of which the second half is never said"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a provider was asked.

    Attributes:
        headers: By their names in small letters.
        body: Its JSON.
    """

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


class ScriptedProvider:
    """Every provider at once, at one address; which of them is spoken to shows in the path.

    Attributes:
        requests: All that it was asked, in order.
    """

    def __init__(self, replies: Sequence[Reply] | Callable[[Request], Reply]) -> None:
        """Nothing listens before the `with` block.

        Args:
            replies: One for each request, in order, and status 500 after the last; or what makes one from the request.
        """
        self.requests: list[Request] = []
        self._reply = replies if callable(replies) else _in_turn(replies)
        self._lock = threading.Lock()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        """Its address without a path, as Anthropic and Gemini write it; OpenAI's and Ollama's end in `/v1`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, request: Request) -> Reply:
        """Record a request; what the script says to it."""
        with self._lock:
            self.requests.append(request)
            return self._reply(request)


def _in_turn(replies: Sequence[Reply]) -> Callable[[Request], Reply]:
    waiting = iter(replies)
    return lambda _: next(waiting, Failure(500))


class _Server(ThreadingHTTPServer):
    """Listens from the moment it is made."""

    def __init__(self, provider: ScriptedProvider) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.provider = provider
        self.closing = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in the middle of its answer is no error."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Reply as the script says."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.loads(self.rfile.read(int(headers.get("content-length", 0))) or b"{}")
        request = Request(path=self.path, headers=headers, body=body)
        reply = self.server.provider.take(request)
        format_ = wire(self.path)
        streamed = format_ is not None and format_.streams(self.path, body)
        match reply:
            case Silence():
                self.server.closing.wait()
                self.close_connection = True
            case Broken(midway=False):
                self._break()
            case Failure(midway=midway) if not (midway and streamed):
                self._fail(format_ or OpenAIChat(), reply)
            case Vectors():
                self._send(200, embed(self.path, body, reply))
            case Raw():
                self._write_whole(200, reply.body, {"Content-Type": reply.content_type, **reply.headers})
            case _ if format_ is None:
                self._fail(OpenAIChat(), Failure(404))
            case _ if streamed:
                self._stream(format_, reply, format_.tool(body))
            case Answer() | Prose() | Refusal():
                self._send(200, format_.whole(say(reply, format_.tool(body))))
            case _:
                self._break()

    def _fail(self, format_: Wire, reply: Failure) -> None:
        headers = {} if reply.retry_after_s is None else {"Retry-After": str(reply.retry_after_s)}
        self._send(reply.status, format_.failure(reply.status), headers)

    def _send(self, status: int, content: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        body = json.dumps(content, ensure_ascii=False).encode()
        self._write_whole(status, body, {"Content-Type": _JSON, **(headers or {})})

    def _write_whole(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, format_: Wire, reply: Reply, tool: str | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", _EVENTS)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if isinstance(reply, Said):
            self._write(format_.events(say(reply, tool)))
            self.wfile.write(b"0\r\n\r\n")
            return
        self._write(islice(format_.events(say(_HALF_SAID, tool)), _BEGINNING))
        if isinstance(reply, Failure):
            self._write([format_.failure_event(reply.status)])
            self.wfile.write(b"0\r\n\r\n")
        elif isinstance(reply, Stall):
            self.server.closing.wait()
            self.close_connection = True
        else:
            self.close_connection = True  # no last chunk; a reset could take away what the client has not read yet

    def _write(self, events: Iterable[str]) -> None:
        for event in events:
            content = event.encode()
            self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
            self.wfile.flush()

    def _break(self) -> None:
        """End the connection by a reset, so that no client takes it for the end of an answer."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close_connection = True
        self.connection.close()
