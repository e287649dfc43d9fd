"""A real server for released clients: `kept serve` as a process of its own, over a store of the test."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import httpx2
import pytest

import kept

ADMIN_KEY = "kept_admin_of_the_acceptance_tests"
STARTS_WITHIN_S = 30
ENDS_WITHIN_S = 15


@dataclass(frozen=True)
class Server:
    """A running server."""

    url: str
    admin_key: str
    http: httpx2.Client

    def ask(self, method: str, path: str, *, key: str | None = None, **more) -> httpx2.Response:
        """One request without any memory client's help."""
        headers = {"Authorization": f"Token {key or self.admin_key}"}
        return self.http.request(method, self.url + path, headers=headers, **more)

    def make_project(self) -> tuple[str, str]:
        """A project of its own: its id, and a key that owns it."""
        made = self.ask("POST", "/api/v1/orgs/organizations/default/projects/", json={"name": "acceptance"})
        assert made.status_code == 200, made.text
        return made.json()["project_id"], made.json()["api_key"]


@contextmanager
def serving(folder: Path, **settings: str) -> Iterator[Server]:
    """A server with these settings, while the block runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KEPT_")} | {
        "KEPT_API_KEY": ADMIN_KEY,
        "KEPT_CONFIG": str(folder / "none.toml"),
        "KEPT_DATABASE": f"sqlite:///{(folder / 'kept.db').as_posix()}",
        "KEPT_WEBHOOKS_ALLOW_PRIVATE": "1",
        "PYTHONPATH": str(Path(kept.__file__).parents[1]),
        **settings,
    }
    log = folder / "serve.log"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "kept.cli", "serve", "--port", str(port)],
            stdout=output,
            stderr=output,
            env=environment,
        )
    try:
        with httpx2.Client(timeout=20, trust_env=False, verify=False) as http:  # without TLS there is nothing to verify
            running = Server(f"http://127.0.0.1:{port}", ADMIN_KEY, http)
            _await_answer(process, running, log)
            yield running
    finally:
        process.terminate()
        try:
            process.wait(ENDS_WITHIN_S)
        finally:
            process.kill()
            process.wait()


def _await_answer(process: subprocess.Popen[bytes], server: Server, log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            server.ask("GET", "/v1/ping/", key="nobody's")
        except httpx2.TransportError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(log.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    """One server for all; tests keep apart by their projects."""
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="session")
def limited(tmp_path_factory) -> Iterator[Server]:
    """A server that lets each key read three times in an hour, and write twice in a second."""
    limits = {"KEPT_RATE_LIMIT_READ": "3/hour", "KEPT_RATE_LIMIT_WRITE": "2/second"}
    with serving(tmp_path_factory.mktemp("limited"), **limits) as running:
        yield running


@pytest.fixture(scope="module")
def mem0(tmp_path_factory):
    """The released package; importing it writes into a folder of the test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEM0_TELEMETRY", "false")
        patch.setenv("MEM0_DIR", str(tmp_path_factory.mktemp("mem0")))
        main = pytest.importorskip("mem0.client.main", reason="mem0ai is not installed")
        from mem0 import exceptions
        from mem0.client import types

        yield SimpleNamespace(
            MemoryClient=main.MemoryClient, AsyncMemoryClient=main.AsyncMemoryClient, errors=exceptions, types=types
        )
