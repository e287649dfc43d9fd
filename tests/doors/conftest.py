"""What tests of doors share: one embedder, a server that writes down what it is asked, clients of both kinds, and our own server."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from anyio.from_thread import start_blocking_portal

from kept.adapters import embedders
from kept.bootstrap import build_platform
from kept.engine.keys import Keys
from kept.engine.platform import Platform
from kept.rest.app import create_app, served
from kept.settings import Settings

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


@pytest.fixture
def client(make_client, recorder):
    """A client of the recorder, which does not retry unless a test makes its own."""
    return make_client(api_key="kept_secret", host=recorder.url, retries=0)


# --- the REST server, asked in this process ---


class Api:
    """The server's app over a store of its own. Its worker rests until `work` is called."""

    def __init__(self, platform: Platform, settings: Settings, portal: Any) -> None:
        self.platform = platform
        self.app = create_app(platform, settings)
        self.keys = Keys(platform)
        self.admin = self.make_key(role="ADMIN", project=None)
        self._portal = portal
        self._served = served(self.app)
        transport = httpx2.ASGITransport(self._served)
        self._client = httpx2.AsyncClient(transport=transport, base_url="http://kept.test")

    def ask(self, method: str, path: str, *, key: str | None = None, host: str = "", **more: Any) -> httpx2.Response:
        """One request, with this key (or none), from this machine or another host."""
        headers = {**({"Authorization": f"Token {key}"} if key else {}), **more.pop("headers", {})}
        transport = httpx2.ASGITransport(self._served, client=(host, 1)) if host else None
        return self._portal.call(functools.partial(self._asked, transport, method, path, headers=headers, **more))

    async def _asked(self, transport: httpx2.ASGITransport | None, *request: str, **more: Any) -> httpx2.Response:
        if transport is None:
            return await self._client.request(*request, **more)
        async with httpx2.AsyncClient(transport=transport, base_url=self._client.base_url) as client:
            return await client.request(*request, **more)

    def get(self, path: str, key: str, **query: Any) -> Any:
        """What a route says, which is well."""
        return self.answer("GET", path, key, params=query)

    def answer(self, method: str, path: str, key: str, **more: Any) -> Any:
        """What a request is answered with, which is well."""
        found = self.ask(method, path, key=key, **more)
        assert found.is_success, f"{method} {path}: {found.status_code} {found.text}"
        return found.json()

    def make_key(self, **fields: Any) -> str:
        """A key's secret."""
        return self.keys.make(**({"name": "test"} | fields))[1]

    def make_project(self, name: str = "test") -> Tenant:
        """A project of its own, with the key of its owner."""
        made = self.answer("POST", "/api/v1/orgs/organizations/default/projects/", self.admin, json={"name": name})
        return Tenant(self, made["project_id"], made["api_key"])

    def work(self) -> None:
        """Do what was acknowledged."""
        self.app.state.worker.run_due("writes")

    def close(self) -> None:
        """End it."""
        self._portal.call(self._client.aclose)
        self.platform.close()


@dataclass(frozen=True)
class Tenant:
    """A project and the key of its owner."""

    api: Api
    id: str
    key: str

    @property
    def path(self) -> str:
        """Where the project is read and changed."""
        return f"/api/v1/orgs/organizations/default/projects/{self.id}/"

    def make_key(self, **fields: Any) -> str:
        """The secret of another key of the project."""
        return self.api.make_key(**({"project": self.id} | fields))

    def say(self, *texts: str, key: str | None = None, **fields: Any) -> list[str]:
        """Store texts verbatim; ids of the memories."""
        said = {
            "messages": list(texts),
            "infer": False,
            **({} if "agent_id" in fields else {"user_id": "alice"}),
            **fields,
        }
        answer = self.api.answer("POST", "/v3/memories/add/", key or self.key, json=said)
        return [stored["id"] for stored in answer["results"]]

    def texts(self, key: str | None = None, **filters: Any) -> list[str]:
        """What is listed, newest first."""
        asked = filters or {"OR": [{name: "*"} for name in ("user_id", "agent_id", "app_id", "run_id")]}
        page = self.api.answer("POST", "/v3/memories/", key or self.key, json={"filters": asked})
        return [memory["memory"] for memory in page["results"]]


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """A server for the tests of a module, which keep apart by their projects."""
    folder = tmp_path_factory.mktemp("api")
    settings = Settings.load(environ={}, config=folder / "none.toml", database=str(folder / "kept.db"))
    with start_blocking_portal() as portal:
        made = Api(build_platform(settings), settings, portal)
        yield made
        made.close()


@pytest.fixture
def make_api(tmp_path):
    """Makes servers with settings of their own, each over a store of its own; they are closed at the end."""
    made = []
    with start_blocking_portal() as portal:

        def make(**given: Any) -> Api:
            store = str(tmp_path / f"kept-{len(made)}.db")
            settings = Settings.load(environ={}, config=tmp_path / "none.toml", database=store, **given)
            made.append(Api(build_platform(settings), settings, portal))
            return made[-1]

        yield make
        for api in made:
            api.close()


@pytest.fixture
def tenant(api):
    """A project of the test's own."""
    return api.make_project()
