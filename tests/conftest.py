"""What every test may rely on: no settings from outside, no network, no model, the same examples on every run of the gate."""

from __future__ import annotations

import functools
import inspect
import ipaddress
import os
import socket
import ssl
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, settings

import kept
from kept.settings import PROVIDERS

pytest.register_assert_rewrite("kept.testing")

settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("KEPT_"):
            monkeypatch.delenv(name)
    for provider in PROVIDERS.values():
        for name in (*provider.keys, *provider.urls):
            monkeypatch.delenv(name, raising=False)


def pytest_configure() -> None:
    """Let no model of a provider be asked, wherever it is; `scripted_models` lets those on loopback."""
    with suppress(ImportError):  # the extra is not installed everywhere
        from pydantic_ai import models

        models.ALLOW_MODEL_REQUESTS = False


@pytest.fixture
def scripted_models(monkeypatch: pytest.MonkeyPatch):
    """Lets models be asked; with no network but this machine's these are scripted ones."""
    from pydantic_ai.models import override_allow_model_requests

    # Every client reads the certificates of the world, which takes most of its time; on loopback there are none.
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *_, **__: None)
    with override_allow_model_requests(True):
        yield


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to anything but this machine fails the test, whoever asks for it."""
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, _local_only(getattr(socket.socket, name)))


def _local_only(connect):
    def connect_locally(self: socket.socket, address):
        if self.family in {socket.AF_INET, socket.AF_INET6} and not _is_loopback(address[0]):
            raise ConnectionRefusedError(f"Tests do not use the network: {address!r}.")
        return connect(self, address)

    return connect_locally


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    """Where a store may be made; nothing is there yet."""
    return tmp_path / "kept.db"


@pytest.fixture
def start_python():
    """Gives a function that runs a script in a process of its own; what still runs at the end of the test is killed."""
    started = []
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KEPT_")}
    environment["PYTHONPATH"] = str(Path(kept.__file__).parents[1])

    def start(script: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-W", "error", "-c", script, *map(str, arguments)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


# --- clients of both kinds, one way to speak to them ---


class Waited:
    """What has coroutines, with each of them waited for: one test speaks to both kinds of client."""

    def __init__(self, portal: Any, target: Any) -> None:
        self._portal = portal
        self._target = target

    def __getattr__(self, name: str) -> Any:
        from kept.sdk.client.runners import Speaker

        found = getattr(self._target, name)
        if inspect.iscoroutinefunction(found):
            return lambda *args, **kwargs: self._portal.call(functools.partial(found, *args, **kwargs))
        return Waited(self._portal, found) if isinstance(found, Speaker) else found


@pytest.fixture(params=["sync", "async"])
def make_client(request):
    """Makes clients of one kind, which are closed at the end."""
    made = []
    if request.param == "sync":

        def make(**options: Any) -> Any:
            made.append(kept.MemoryClient(**options))
            return made[-1]

        yield make
        for client in made:
            client.close()
        return

    with start_blocking_portal() as portal:

        def make_waited(**options: Any) -> Any:
            made.append(Waited(portal, kept.AsyncMemoryClient(**options)))
            return made[-1]

        yield make_waited
        for client in made:
            client.close()
