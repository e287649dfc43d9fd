"""Measures MCP: how soon a client has its tools, what the first and later searches take, what the listing costs.

Over standard input and output with a process of its own, over HTTP with a running `kept serve`; both over a store of 10,000 memories of
one user. The client is a few lines of JSON, so that the figures are the server's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import corpus
import httpx2

from kept import __version__
from kept.adapters.embedders import wordllama
from kept.mcp.server import CAPABILITIES_KEY, VERSION_KEY
from kept.mcp.tools import EVERYDAY
from kept.sdk.memory import Memory

SIZE: Final = 10_000
STARTS: Final = 41
FIRSTS: Final = 9
SEARCHES: Final = 300
BATCH: Final = 1_000
USER: Final = "mira"
MODERN: Final = "2026-07-28"
SERVES_WITHIN_S: Final = 30
MS: Final = 1_000.0
BARS: Final = {
    "start to `tools/list`, by handshake": 80.0,
    "start to `tools/list`, newer era": 80.0,
    "first search, right after the start": 700.0,
    "later searches": 15.0,
    "a search over HTTP": 15.0,
}
"""What must be reached at p50, in milliseconds."""
MOST_TOKENS: Final = 2_500


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit code is 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=SIZE, help="memories in the store")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="kept-mcp-") as name:
        folder = Path(name)
        os.environ |= {"KEPT_DATABASE": str(folder / "kept.db"), "KEPT_USER_ID": USER, "XDG_DATA_HOME": str(folder)}
        os.environ["KEPT_CONFIG"] = str(folder / "none.toml")
        fill(options.size)
        asked = list(corpus.questions(SEARCHES))
        rows = {
            "bare Python": timed(STARTS, lambda _: subprocess.run([sys.executable, "-c", "pass"], check=True)),
            "start to `tools/list`, by handshake": timed(STARTS, lambda _: start_and_list(modern=False)),
            "start to `tools/list`, newer era": timed(STARTS, lambda _: start_and_list(modern=True)),
            "first search, right after the start": [first_search(asked[number]) for number in range(FIRSTS)],
            "later searches": later_searches(asked),
            "a search over HTTP": searches_over_http(asked, folder),
        }
    return report(options.size, rows)


def fill(size: int) -> None:
    """Statements of one user, said in sessions of twenty."""
    with Memory() as memory:
        said = list(corpus.statements(size))
        for begin in range(0, size, BATCH):
            messages = [{"role": "user", "content": text} for text in said[begin : begin + BATCH]]
            memory.add(messages, user_id=USER, run_id=f"old-{begin}", infer=False, related=0)


class Server:
    """A process of `kept mcp` and the client's side of its pipes."""

    def __init__(self, *, modern: bool) -> None:
        command = [str(Path(sys.executable).with_name("kept")), "mcp"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment())
        self._meta = {"_meta": {VERSION_KEY: MODERN, CAPABILITIES_KEY: {}}} if modern else {}
        self._number = 0
        if modern:
            self.ask("server/discover")
        else:
            self.ask("initialize", protocolVersion="2025-11-25", capabilities={})

    def ask(self, method: str, **params: Any) -> Any:
        """The result of a request."""
        self._number += 1
        message = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": {**params, **self._meta}}
        assert self._process.stdin  # noqa: S101 - opened above
        assert self._process.stdout  # noqa: S101
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())["result"]

    def search(self, query: str) -> None:
        """Search, and see to it that something is found."""
        answer = self.ask("tools/call", name="search_memories", arguments={"query": query})
        if not answer["structuredContent"]["results"]:
            raise SystemExit(f"nothing was found for {query!r}")

    def close(self) -> None:
        """Leave."""
        self._process.communicate()


def environment() -> dict[str, str]:
    """As users have it: with compiled modules."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def start_and_list(*, modern: bool) -> Callable[[], None]:
    """A start and its first list; how to end it."""
    server = Server(modern=modern)
    server.ask("tools/list")
    return server.close


def first_search(query: str) -> float:
    """Milliseconds of a search that is asked as soon as the tools are listed."""
    server = Server(modern=True)
    server.ask("tools/list")
    started = time.perf_counter()
    server.search(query)
    taken = (time.perf_counter() - started) * MS
    server.close()
    return taken


def later_searches(asked: Sequence[str]) -> list[float]:
    """Searches of a process that has answered one."""
    server = Server(modern=True)
    server.search(asked[0])
    times = timed(len(asked), lambda number: server.search(asked[number]))
    server.close()
    return times


def searches_over_http(asked: Sequence[str], folder: Path) -> list[float]:
    """The same over HTTP, one after the other on one connection."""
    with serving(folder) as (url, key), httpx2.Client(trust_env=False, timeout=30) as client:

        def search(number: int) -> None:
            params = {"name": "search_memories", "arguments": {"query": asked[number], "user_id": USER}}
            meta = {VERSION_KEY: MODERN, CAPABILITIES_KEY: {}}
            answer = client.post(
                url,
                json={"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {**params, "_meta": meta}},
                headers={
                    "Authorization": f"Bearer {key}",
                    "Accept": "application/json, text/event-stream",
                    "MCP-Protocol-Version": MODERN,
                    "Mcp-Method": "tools/call",
                    "Mcp-Name": "search_memories",
                },
            )
            if not answer.json()["result"]["structuredContent"]["results"]:
                raise SystemExit(f"nothing was found for {asked[number]!r}")

        for number in range(10):
            search(number)
        return timed(len(asked), search)


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, str]]:
    """The address and key of a server, while the block runs."""
    key = secrets.token_urlsafe()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("kept")), "serve", "--port", str(port)]
    with (folder / "serve.log").open("w") as log:
        process = subprocess.Popen(command, env=environment() | {"KEPT_API_KEY": key}, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + SERVES_WITHIN_S
        while time.monotonic() < deadline:
            try:
                httpx2.get(f"http://127.0.0.1:{port}/healthz", trust_env=False)
                break
            except httpx2.TransportError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp", key
    finally:
        process.terminate()
        process.wait()


def timed(count: int, call: Callable[[int], Any]) -> list[float]:
    """Milliseconds of each call; what a call returns is done after it, untimed."""
    times = []
    for number in range(count):
        started = time.perf_counter()
        after = call(number)
        times.append((time.perf_counter() - started) * MS)
        if callable(after):
            after()
    return times


def listing_tokens() -> int:
    """Of the whole listing of the everyday tools, by the default embedder's word pieces."""
    listing = json.dumps([tool.listed() for tool in EVERYDAY], separators=(",", ":"))
    pieces = wordllama._load_tokenizer(wordllama._package_folder() / wordllama._TOKENIZER)  # noqa: SLF001
    return len(pieces.encode(listing).ids)


def report(size: int, rows: dict[str, list[float]]) -> int:
    """Print the figures; 1 when a bar is missed."""
    print(
        f"Kept {__version__}, Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, ",
        end="",
    )
    print(f"{datetime.now(UTC).date()}, {size:,} memories\n")
    print("| | p50, ms | p95, ms | bar, ms |\n| --- | ---: | ---: | ---: |")
    missed = 0
    for name, times in rows.items():
        middle, high = statistics.median(times), statistics.quantiles(times, n=20)[-1]
        bar = BARS.get(name)
        missed += bar is not None and middle > bar
        print(f"| {name} | {middle:.1f} | {high:.1f} | {f'{bar:.0f}' if bar else ''} |")
    tokens = listing_tokens()
    missed += tokens >= MOST_TOKENS
    print(f"\nTokens of the listing of the {len(EVERYDAY)} everyday tools: {tokens:,} (bar {MOST_TOKENS:,}).")
    return min(missed, 1)


if __name__ == "__main__":
    sys.exit(main())
