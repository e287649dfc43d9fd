"""Eight processes write to and search in one store for a minute; then nothing may be missing.

Each process adds, searches for what it has just added, updates and deletes. What an add acknowledged must be found by the
next search and be there at the end; no call may fail; `verify` must find nothing. The exit code is 1 otherwise.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import corpus

from kept import Memory

if TYPE_CHECKING:
    from collections.abc import Sequence

PROCESSES = 8
SECONDS = 60
USERS = 3  # so that processes meet in the same partitions
OWN_NUMBERS = 1_000_000  # of statements, for each process
SEARCH_EVERY, UPDATE_EVERY, DELETE_EVERY = 3, 7, 11
GRACE_S = 120  # for start, the last write's wait, and the end


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the processes and check the store; the exit code says whether all held."""
    options = _parse(arguments)
    if options.worker is not None:
        print(json.dumps(_work(options.database, options.worker, options.seconds)))
        return 0
    with tempfile.TemporaryDirectory(prefix="kept-soak-") as folder:
        database = Path(folder) / "kept.db"
        Memory(database).close()
        reports, failures = _run(database, options)
        failures += _check(database, reports)
    counts = sum((Counter(report["counts"]) for report in reports), Counter())
    done = ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))
    print(f"{options.processes} processes, {options.seconds} s: {done}; longest add {_slowest(reports):.0f} ms")
    for failure in failures:
        print(f"FAILED: {failure}")
    print("nothing lost, nothing busy, verify clean" if not failures else f"{len(failures)} failures")
    return bool(failures)


def _run(database: Path, options: argparse.Namespace) -> tuple[list[dict[str, Any]], list[str]]:
    command = [sys.executable, __file__, "--database", str(database), "--seconds", str(options.seconds), "--worker"]
    workers = [
        subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for number in range(options.processes)
    ]
    reports, failures = [], []
    for number, worker in enumerate(workers):
        output, errors = worker.communicate(timeout=options.seconds + GRACE_S)
        if worker.returncode:
            failures.append(f"process {number} ended with {worker.returncode}: {errors.strip()[-500:]}")
        else:
            reports.append(json.loads(output))
            failures += reports[-1]["failures"]
    return reports, failures


def _work(database: str, worker: int, seconds: float) -> dict[str, Any]:
    """One process: its acknowledged memories by id (None once deleted), and what went wrong."""
    expected: dict[str, str | None] = {}
    counts: Counter[str] = Counter()
    failures: list[str] = []
    slowest_s = 0.0
    deadline = time.monotonic() + seconds
    with Memory(database) as memory:
        number = 0
        while time.monotonic() < deadline:
            number += 1
            user_id = f"user-{(worker + number) % USERS}"
            text = f"{next(corpus.statements(1, start=worker * OWN_NUMBERS + number))} (note {worker}-{number})"
            started = time.monotonic()
            added = memory.add(text, user_id=user_id, infer=False, related=0)
            slowest_s = max(slowest_s, time.monotonic() - started)
            memory_id = added["results"][0]["id"]
            expected[memory_id] = text
            counts["adds"] += 1
            if number % SEARCH_EVERY == 0:
                counts["searches"] += 1
                hits = memory.search(text, user_id=user_id)["results"]
                if memory_id not in {hit["id"] for hit in hits}:
                    failures.append(f"process {worker} did not find its memory {memory_id} right after adding it")
            if number % UPDATE_EVERY == 0:
                counts["updates"] += 1
                expected[memory_id] = f"{text} Revised."
                memory.update(memory_id, expected[memory_id])
            if number % DELETE_EVERY == 0:
                counts["deletes"] += 1
                expected[memory_id] = None
                memory.delete(memory_id)
    return {"expected": expected, "counts": counts, "failures": failures, "slowest_add_ms": slowest_s * 1_000}


def _check(database: Path, reports: Sequence[dict[str, Any]]) -> list[str]:
    """What is not in the store as the processes were told."""
    expected = {memory_id: text for report in reports for memory_id, text in report["expected"].items()}
    with Memory(database) as memory:
        listed = memory.get_all(user_id="*", top_k=100_000)["results"]
        stored = {found["id"]: found["memory"] for found in listed}
        wanted = {memory_id: text for memory_id, text in expected.items() if text is not None}
        failures = [f"memory {memory_id} is lost" for memory_id in sorted(wanted.keys() - stored.keys())]
        failures += [f"memory {memory_id} should not be there" for memory_id in sorted(stored.keys() - wanted.keys())]
        failures += [
            f"memory {memory_id} does not have its last text"
            for memory_id in sorted(wanted.keys() & stored.keys())
            if wanted[memory_id] != stored[memory_id]
        ]
        failures += [f"verify: {finding['where']}: {finding['detail']}" for finding in memory.verify()]
    return failures


def _slowest(reports: Sequence[dict[str, Any]]) -> float:
    return max((report["slowest_add_ms"] for report in reports), default=0.0)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Soak one store with several processes and check that nothing is lost."
    )
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--database", help=argparse.SUPPRESS)
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
