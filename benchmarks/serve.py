"""Load `kept serve` from another process: searches and adds a second, how long they take, and what the server holds.

    python benchmarks/serve.py                                        200 users of 1,000 memories, 32 connections
    python benchmarks/serve.py --seconds 600 --phases mixed           whether its memory stays flat
    python benchmarks/serve.py --store store.db                       fill that file once, and use it again
    python benchmarks/serve.py --processes 2 --rate 500 --phases search   as many a second as that, and no more

The server is `kept serve` as installed, a child of this process on a loopback port, over a store filled through the engine.
This process sends requests over kept-alive connections, on each the next when the last was answered, with as little work of
its own as may be: both share the machine. At the end every acknowledged add must have become one memory. The exit code is 1 if
anything failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import corpus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

KEY = "kept_benchmark_key_for_loopback_only_0123456789"
TOP_K = 10
FILL_CALL = 1_000  # messages of one add while the store is filled
MIXED_SEARCHES, MIXED_ADDS = 5, 3  # the proportion of the promise: 500 searches and 300 adds a second
START_S = 60  # for the server to be ready
SETTLE_S = 600  # for the last acknowledged add to be stored
SAMPLE_S = 60  # between two looks at the server's memory
WARM_ROUNDS = 1, 12  # searches of each user before anything is timed, of one process and of several
MOST_QUESTIONS = 10**9  # more than anybody waits for; each is asked once
KIB_PER_MIB = 1_024
MILLISECONDS = 1_000.0
OK = 200
TERMINAL = ("SUCCEEDED", "FAILED")


@dataclass
class Measured:
    """What came of one kind of request in one phase."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def errors(self) -> int:
        """Answers that were no 200."""
        return sum(number for status, number in self.statuses.items() if status != OK)

    def row(self, elapsed_s: float) -> dict[str, Any]:
        """Rate and times."""
        times = {f"p{percent}_ms": _percentile_ms(self.seconds, percent) for percent in (50, 95, 99)}
        return {"per_second": round(len(self.seconds) / elapsed_s, 1), **times, "errors": self.errors}


class Connection(asyncio.Protocol):
    """One kept-alive HTTP/1.1 connection; one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Wait for a whole answer; the server always says how long it is."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)[1])
        if len(body) >= length and self._answer is not None and not self._answer.done():
            self._received = b""
            self._answer.set_result((int(head[9:12]), body))

    def connection_lost(self, error: Exception | None) -> None:
        """Let whoever waits know."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("the server closed the connection"))

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Status and body of the answer."""
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token {KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(head.encode() + content)
        return await self._answer

    def close(self) -> None:
        """Close it."""
        self._transport.close()


class Load:
    """The requests, and what came of them."""

    def __init__(self, port: int, users: int, connections: int) -> None:
        self._port = port
        self._users = users
        self._wanted = connections
        self._connections: list[Connection] = []
        self._turn = count()
        self._questions = corpus.questions(MOST_QUESTIONS)
        self._new = count()
        self._run = secrets.token_hex(4)
        self.events: list[str] = []

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for _ in range(self._wanted):
            _, connection = await loop.create_connection(Connection, "127.0.0.1", self._port)
            self._connections.append(connection)
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.close()

    async def warm(self, rounds: int) -> None:
        """Searches for each user, so that each process has loaded what it needs."""
        await self._each(range(self._users * rounds), lambda connection, _: self.search(connection))

    async def run(
        self, phase: str, seconds: float, watch: Callable[[float], None], rate: float | None
    ) -> dict[str, Any]:
        """One phase: rates and times of each kind of request in it.

        With a rate, requests are due at even distances, and a time counts from when its request was due.
        """
        measured = {"search": Measured(), "add": Measured()}
        kinds = {"search": "search", "add": "add"}.get(phase)
        began = time.perf_counter()

        async def work(connection: Connection, first: int) -> None:
            for number in count():
                due = began + (first + number * self._wanted) / rate if rate else time.perf_counter()
                await asyncio.sleep(max(due - time.perf_counter(), 0))
                if time.perf_counter() - began >= seconds:
                    return
                mixed = "search" if number % (MIXED_SEARCHES + MIXED_ADDS) < MIXED_SEARCHES else "add"
                kind = kinds or mixed
                status = await getattr(self, kind)(connection)
                measured[kind].seconds.append(time.perf_counter() - due)
                measured[kind].statuses[status] += 1

        watching = asyncio.create_task(_every(SAMPLE_S, began, watch))
        await asyncio.gather(*map(work, self._connections, count()))
        elapsed = time.perf_counter() - began
        watching.cancel()
        return {kind: found.row(elapsed) for kind, found in measured.items() if found.seconds}

    async def search(self, connection: Connection) -> int:
        """One search of the next user with a question of its own; the status, 0 for an answer without memories."""
        user = _user(next(self._turn) % self._users)
        body = {"query": next(self._questions), "filters": {"user_id": user}, "top_k": TOP_K}
        status, answer = await connection.ask("POST", "/v3/memories/search/", body)
        return status if b'"memory"' in answer else 0

    async def add(self, connection: Connection) -> int:
        """One message of the next user; the status."""
        number = next(self._new)
        text = f"{next(corpus.statements(1, start=number))} (note {self._run}-{number})"  # no repeat of anything stored
        body = {"messages": [{"role": "user", "content": text}], "user_id": _user(number % self._users)}
        status, answer = await connection.ask("POST", "/v3/memories/add/", body)
        if status == 200:
            self.events.append(json.loads(answer)["event_id"])
        return status

    async def settle(self) -> Counter[str]:
        """Wait for every acknowledged add; how many ended how."""
        ends: Counter[str] = Counter()
        deadline = time.perf_counter() + SETTLE_S

        async def follow(connection: Connection, event_id: str) -> None:
            status = "PENDING"
            while status not in TERMINAL and time.perf_counter() < deadline:
                _, answer = await connection.ask("GET", f"/v1/event/{event_id}/")
                status = json.loads(answer).get("status", "MISSING")
                if status not in TERMINAL:
                    await asyncio.sleep(0.2)
            ends[status] += 1

        await self._each(self.events, follow)
        return ends

    async def memories(self) -> int:
        """How many memories the users have, as the server lists them."""
        totals: list[int] = []

        async def ask(connection: Connection, user: int) -> None:
            wanted = {"filters": {"user_id": _user(user)}}
            status, answer = await connection.ask("POST", "/v3/memories/?page_size=1", wanted)
            if status != OK:
                raise SystemExit(f"A list was answered with {status}: {answer.decode()}")
            totals.append(json.loads(answer)["count"])

        await self._each(range(self._users), ask)
        return sum(totals)

    async def _each(self, items: Sequence[Any], do: Callable[[Connection, Any], Any]) -> None:
        waiting = iter(items)

        async def work(connection: Connection) -> None:
            for item in waiting:
                await do(connection, item)

        await asyncio.gather(*map(work, self._connections))


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill, serve, load, count; the exit code says whether all held."""
    options = _parse(arguments)
    with tempfile.TemporaryDirectory(prefix="kept-serve-") as folder:
        store = Path(options.store or Path(folder) / "kept.db")
        if not store.exists():
            _fill(store, options.users, options.memories)
        report = _measure(store, options)
    print(json.dumps(report, indent=2) if options.json else "\n".join(_lines(report)))
    return bool(report["failures"])


def _fill(store: Path, users: int, memories: int) -> None:
    """Bulk load through the engine."""
    from kept.bootstrap import build
    from kept.domain.scope import Scope
    from kept.settings import Settings

    service = build(Settings.load(database=f"sqlite:///{store.absolute()}"))
    for user in range(users):
        for start in range(0, memories, FILL_CALL):
            texts = corpus.statements(min(FILL_CALL, memories - start), start=user * memories + start)
            said = [{"role": "user", "content": text} for text in texts]
            service.add(Scope(user_id=_user(user)), said, infer=False)
    service.close()


def _measure(store: Path, options: argparse.Namespace) -> dict[str, Any]:
    with _Server(store, options.processes) as server:
        samples = [("ready", server.rss_mib())]

        def watch(elapsed_s: float) -> None:
            samples.append((f"{elapsed_s:.0f} s", server.rss_mib()))
            print(f"{samples[-1][0]}: {samples[-1][1]} MiB", file=sys.stderr, flush=True)

        async def load() -> dict[str, Any]:
            async with Load(server.port, options.users, options.connections) as made:
                before = await made.memories()
                await made.warm(WARM_ROUNDS[options.processes > 1])
                samples.append(("warm", server.rss_mib()))
                phases = {}
                for phase in options.phases.split(","):
                    used = server.cpu_s()
                    phases[phase] = await made.run(phase, options.seconds, watch, options.rate)
                    phases[phase]["server_cpu"] = round((server.cpu_s() - used) / options.seconds, 2)
                    samples.append((f"after {phase}", server.rss_mib()))
                began = time.perf_counter()
                ends = await made.settle()
                settled_s = time.perf_counter() - began
                gained = await made.memories() - before
                samples.append(("settled", server.rss_mib()))
                return {
                    "phases": phases,
                    "acknowledged": len(made.events),
                    "events": dict(ends),
                    "settled_seconds": round(settled_s, 1),
                    "memories_gained": gained,
                }

        found = asyncio.run(load())
    found["server_rss_mib"] = dict(samples)
    return {**_about(options), **found, "failures": _failures(found)}


def _failures(found: dict[str, Any]) -> list[str]:
    failures = [
        f"{phase}: {row['errors']} answers to {kind} were errors"
        for phase, rows in found["phases"].items()
        for kind, row in rows.items()
        if isinstance(row, dict) and row["errors"]
    ]
    if found["events"].get("SUCCEEDED", 0) != found["acknowledged"]:
        failures.append(f"of {found['acknowledged']} acknowledged adds the events ended as {found['events']}")
    if found["memories_gained"] != found["acknowledged"]:
        failures.append(f"{found['acknowledged']} acknowledged adds became {found['memories_gained']} memories")
    return failures


class _Server:
    """`kept serve` as a child process."""

    def __init__(self, store: Path, processes: int) -> None:
        environment = {**os.environ, "KEPT_API_KEY": KEY, "KEPT_DATABASE": f"sqlite:///{store.absolute()}"}
        command = [sys.executable, "-m", "kept.cli", "serve", "--host", "127.0.0.1", "--port", "0"]
        command += ["--processes", str(processes)]
        self._log = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115 - closed when the server has ended
        self._process = subprocess.Popen(
            command,
            env=environment,
            cwd=store.absolute().parent,  # not this folder: its `mcp.py` would be taken for the library
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            bufsize=1,
        )
        self.port = self._listening()

    def _listening(self) -> int:
        """The port that the server says it listens on."""
        for line in self._process.stdout or ():
            if found := re.search(r"http://[^ ]*:(\d+)", line):
                return int(found[1])
        self._process.wait()
        self._log.seek(0)
        raise SystemExit(f"kept serve ended with {self._process.returncode}:\n{self._log.read()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=START_S)
        self._log.close()

    def rss_mib(self) -> float:
        """Resident memory of all its processes now; what they share counts for each."""
        statuses = [Path(f"/proc/{process}/status").read_text(encoding="ascii") for process in self._processes()]
        return round(sum(int(re.search(r"VmRSS:\s+(\d+)", status)[1]) for status in statuses) / KIB_PER_MIB, 1)

    def cpu_s(self) -> float:
        """Processor time that all its processes used so far."""
        stats = [Path(f"/proc/{process}/stat").read_text(encoding="ascii") for process in self._processes()]
        fields = [stat.rpartition(")")[2].split() for stat in stats]
        return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")

    def _processes(self) -> list[int]:
        first = self._process.pid
        others = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="ascii").split()
        return [first, *map(int, others)]


async def _every(seconds: float, began: float, watch: Callable[[float], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        watch(time.perf_counter() - began)


def _user(number: int) -> str:
    return f"user-{number}"


def _percentile_ms(seconds: Sequence[float], percent: int) -> float:
    """The nearest-rank percentile, in milliseconds."""
    ordered = sorted(seconds)
    return round(ordered[max(-(-percent * len(ordered) // 100), 1) - 1] * MILLISECONDS, 2)


def _about(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "date": datetime.now(tz=UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}",
        "users": options.users,
        "memories": options.memories,
        "connections": options.connections,
        "processes": options.processes,
        "rate": options.rate,
        "seconds": options.seconds,
    }


def _lines(report: dict[str, Any]) -> Iterator[str]:
    yield f"{report['date']}, {report['machine']}"
    yield (
        f"{report['users']} users of {report['memories']:,} memories, {report['connections']} connections, "
        f"{report['seconds']:.0f} s a phase, {report['processes']} processes, "
        + (f"{report['rate']:g} requests a second asked" if report["rate"] else "as many requests as are answered")
    )
    for phase, rows in report["phases"].items():
        for kind, row in rows.items():
            if isinstance(row, dict):
                times = ", ".join(f"{name[:-3]} {row[name]:.1f} ms" for name in ("p50_ms", "p95_ms", "p99_ms"))
                yield f"{phase:>7} | {kind:>6}: {row['per_second']:,.0f} a second, {times}, {row['errors']} errors"
        yield f"{phase:>7} | server: {rows['server_cpu']:.2f} processors"
    gained, settled_s = report["memories_gained"], report["settled_seconds"]
    yield f"{report['acknowledged']:,} adds acknowledged, {gained:,} memories gained, settled in {settled_s} s"
    yield "server memory: " + ", ".join(f"{when} {mib:.0f} MiB" for when, mib in report["server_rss_mib"].items())
    yield from (f"FAILED: {failure}" for failure in report["failures"])


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Load kept serve and report rates, times, errors and memory.")
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--memories", type=int, default=1_000, help="of each user, before the first phase")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each phase")
    parser.add_argument("--processes", type=int, default=1, help="of the server")
    parser.add_argument("--rate", type=float, help="requests a second; default: as many as are answered")
    parser.add_argument("--phases", default="search,add,mixed", help="which, in order")
    parser.add_argument("--store", help="SQLite file to use; filled if it does not exist, kept afterwards")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
