"""A server that is killed in the middle of its work: what it acknowledged is done after the next start, once."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

import kept
from kept.engine.worker import LEASE

ADMIN_KEY = "kept_admin_of_the_crash_test"
ADDS = 1_000
CONNECTIONS = 8
KILLED_AFTER = 300
"""Acknowledgements: the worker has stored some of the adds then, and is in the middle of others."""
DONE = {"SUCCEEDED", "FAILED"}


@contextmanager
def serving(store: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server, and its address."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KEPT_")} | {
        "KEPT_API_KEY": ADMIN_KEY,
        "KEPT_CONFIG": str(store.with_name("none.toml")),
        "PYTHONPATH": str(Path(kept.__file__).parents[1]),
    }
    command = [sys.executable, "-m", "kept.cli", "serve", "--port", "0", "--database", str(store)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    ) as process:
        try:
            yield process, re.findall(r"http://\S+", process.stdout.readline())[0]
        finally:
            process.kill()


def client(url: str) -> httpx2.Client:
    return httpx2.Client(base_url=url, headers={"Authorization": f"Token {ADMIN_KEY}"}, trust_env=False, timeout=20)


def acknowledged_until_killed(process: subprocess.Popen[str], url: str) -> dict[str, str]:
    """Add statements from several connections, and kill the server meanwhile: the text behind each event it acknowledged."""
    acknowledged: dict[str, str] = {}
    enough = threading.Event()

    def add_some(first: int) -> None:
        with client(url) as asking:
            for number in range(first, ADDS, CONNECTIONS):
                text = f"My favourite number of the day is {number}."
                try:
                    answer = asking.post("/v3/memories/add/", json={"messages": text, "user_id": f"user-{number % 20}"})
                except httpx2.TransportError:  # the server is gone; whether it has this one is not known
                    return
                acknowledged[answer.json()["event_id"]] = text
                if len(acknowledged) >= KILLED_AFTER:
                    enough.set()

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        running = [pool.submit(add_some, first) for first in range(CONNECTIONS)]
        assert enough.wait(20)
        process.send_signal(signal.SIGKILL)
        for one in running:
            one.result()
    return acknowledged


def events(asking: httpx2.Client) -> dict[str, dict]:
    """Every event, by its id."""
    found: dict[str, dict] = {}
    page = 1
    while True:
        answer = asking.get("/v1/events/", params={"page": page, "page_size": 200}).json()
        found |= {event["id"]: event for event in answer["results"]}
        if answer["next"] is None:
            return found
        page += 1


def when_all_are_done(asking: httpx2.Client) -> dict[str, dict]:
    """Every event, once none is left to do. What the killed process held comes free when its lease has ended."""
    deadline = time.monotonic() + LEASE.total_seconds() + 20
    while True:
        found = events(asking)
        if all(event["status"] in DONE for event in found.values()):
            return found
        assert time.monotonic() < deadline, json.dumps([one for one in found.values() if one["status"] not in DONE][:3])
        time.sleep(0.25)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_what_was_acknowledged_before_a_kill_is_remembered_once_after_the_next_start(tmp_path):
    store = tmp_path / "kept.db"
    with serving(store) as (process, url):
        acknowledged = acknowledged_until_killed(process, url)
    assert KILLED_AFTER <= len(acknowledged) < ADDS

    with serving(store) as (_, url), client(url) as asking:
        found = when_all_are_done(asking)
        assert set(acknowledged) <= set(found)
        assert {found[event]["status"] for event in acknowledged} == {"SUCCEEDED"}
        stored = texts(asking)
    assert len(stored) == len(set(stored))
    assert set(acknowledged.values()) <= set(stored)
    assert set(stored) - set(acknowledged.values()) <= {
        f"My favourite number of the day is {number}." for number in range(ADDS)
    }


def texts(asking: httpx2.Client) -> list[str]:
    """The text of every memory."""
    found: list[str] = []
    page = 1
    while True:
        asked = {"filters": {"user_id": "*"}, "page": page, "page_size": 200}
        answer = asking.post("/v3/memories/", json=asked).json()
        found += [memory["memory"] for memory in answer["results"]]
        if answer["next"] is None:
            return found
        page += 1
