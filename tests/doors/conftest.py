"""What tests of doors share: one embedder, a server that writes down what it is asked, and clients of both kinds."""

from __future__ import annotations

import functools
import inspect
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from anyio.from_thread import start_blocking_portal

from kept import AsyncMemoryClient, MemoryClient
from kept.adapters import embedders
from kept.sdk.client_runners import Speaker

_opened_once = functools.cache(embedders.open_embedder)


@pytest.fixture(autouse=True)
def _one_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights of the default embedder are read once, not for every store that a test opens."""
    monkeypatch.setattr(embedders, "open_embedder", _opened_once)


# --- a server that answers as it is told ---


@dataclass
class Asked:
    """One request as it came over the wire; `path` as it was sent."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


@dataclass
class _Answer:
    content: bytes | None
    status: int
    headers: Mapping[str, str]


class Recorder(ThreadingHTTPServer):
    """Gives each answer once, in order, then the last one for ever, and keeps what it was asked."""

    request_queue_size = 50

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[Asked] = []
        self._answers: list[_Answer] = []

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def last(self) -> Asked:
        """The newest request."""
        return self.asked[-1]

    def will_answer(self, body: Any = None, *, status: int = 200, **headers: str) -> None:
        """Add an answer: JSON, or bytes as they are; a header's name has `_` for `-`."""
        content = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._answers.append(_Answer(content, status, {"Content-Type": "application/json", **named}))

    def will_hang_up(self) -> None:
        """Add an answer that is none: the connection is closed."""
        self._answers.append(_Answer(None, 0, {}))

    def take_answer(self) -> _Answer:
        """The answer that is due."""
        if not self._answers:
            return _Answer(b"{}", 200, {})
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Recorder

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.loads(content) if content else None
        query = parse_qs(parts.query, keep_blank_values=True)
        self.server.asked.append(Asked(self.command, parts.path, query, headers, body))
        answer = self.server.take_answer()
        if answer.content is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Length": str(len(answer.content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - the standard library's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def recorder():
    """A server that writes down what it is asked."""
    with Recorder() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


# --- clients of both kinds, one way to speak to them ---


class Waited:
    """What has coroutines, with each of them waited for: one test speaks to both kinds of client."""

    def __init__(self, portal: Any, target: Any) -> None:
        self._portal = portal
        self._target = target

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if inspect.iscoroutinefunction(found):
            return lambda *args, **kwargs: self._portal.call(functools.partial(found, *args, **kwargs))
        return Waited(self._portal, found) if isinstance(found, Speaker) else found


@pytest.fixture(params=[MemoryClient, AsyncMemoryClient], ids=["sync", "async"])
def make_client(request):
    """Makes clients of one kind, which are closed at the end."""
    made = []
    if request.param is MemoryClient:

        def make(**options: Any) -> Any:
            made.append(MemoryClient(**options))
            return made[-1]

        yield make
        for client in made:
            client.close()
        return

    with start_blocking_portal() as portal:

        def make_waited(**options: Any) -> Any:
            made.append(Waited(portal, AsyncMemoryClient(**options)))
            return made[-1]

        yield make_waited
        for client in made:
            client.close()


@pytest.fixture
def client(make_client, recorder):
    """A client of the recorder, which does not retry unless a test makes its own."""
    return make_client(api_key="kept_secret", host=recorder.url, retries=0)
