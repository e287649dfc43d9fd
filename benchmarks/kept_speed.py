"""Kept's half of `speed.py`: each command runs in a process of its own and prints one JSON object.

    python kept_speed.py fill DATABASE --size 10000        store memories, in calls of at most 50,000
    python kept_speed.py ask DATABASE                      open that store, search and add
    python kept_speed.py bulk FOLDER --size 10000          three ways of storing many messages at once

Only the public `Memory` is used. All memories belong to one user; searches are Mem0's `top_k` of 20.
"""

from __future__ import annotations

import time

STARTED = time.perf_counter()  # before anything of Kept is imported, so that a first search counts it

import argparse  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING, Any  # noqa: E402

import corpus  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kept import Memory

USER_ID = "benchmark"
CALL_MESSAGES = 50_000  # the most that one add takes
TOP_K = 20  # Mem0's default, and so that of the other half
ADDS_FROM = 5_000_000  # numbers of statements that no fill reaches
MILLISECONDS = 1_000.0
MIB = 1024.0 * 1024.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit code is 0."""
    options = _parse(arguments)
    print(json.dumps(options.measure(options)))
    return 0


def fill(options: argparse.Namespace) -> dict[str, Any]:
    """Store `size` memories verbatim."""
    seconds = 0.0
    with _open(options.place) as memory:
        for start in range(0, options.size, CALL_MESSAGES):
            texts = list(corpus.statements(min(CALL_MESSAGES, options.size - start), start=start))
            seconds += _timed(lambda texts=texts: _store(memory, texts, infer=False))
        stored = memory.get_all(user_id=USER_ID, top_k=0)["total"]
    return {"stored": stored, "bulk_seconds": round(seconds, 3), "peak_rss_mib": _memory_mib("VmHWM")}


def ask(options: argparse.Namespace) -> dict[str, Any]:
    """Time a first search, warm searches and adds on a filled store."""
    questions = list(corpus.questions(options.searches + 1))
    with _open(options.place) as memory:
        _search(memory, questions[0])
        first_s = time.perf_counter() - STARTED
        searches = [_timed(lambda q=question: _search(memory, q)) for question in questions[1:]]
        resident_mib = _memory_mib("VmRSS")
        texts = list(corpus.statements(2 * options.adds, start=ADDS_FROM))
        adds = [_timed(lambda t=text: memory.add(t, user_id=USER_ID)) for text in texts[: options.adds]]
        plain = [_timed(lambda t=text: memory.add(t, user_id=USER_ID, related=0)) for text in texts[options.adds :]]
    return {
        "first_search_ms": round(first_s * MILLISECONDS, 1),
        "search_p50_ms": _percentile_ms(searches, 50),
        "search_p95_ms": _percentile_ms(searches, 95),
        "add_p50_ms": _percentile_ms(adds, 50),
        "add_p95_ms": _percentile_ms(adds, 95),
        "plain_add_p50_ms": _percentile_ms(plain, 50),
        "resident_mib": resident_mib,
        "peak_rss_mib": _memory_mib("VmHWM"),
    }


def bulk(options: argparse.Namespace) -> dict[str, Any]:
    """Memories a second when many messages come at once: verbatim, as statements, and from a transcript file."""
    texts = list(corpus.statements(options.size))
    transcript = Path(options.place) / "transcript.json"
    corpus.write_transcript(transcript, options.size)

    def importing(memory: Memory) -> None:
        memory.import_file(transcript, user_id=USER_ID)

    ways: dict[str, Callable[[Memory], None]] = {
        "verbatim": lambda memory: _store(memory, texts, infer=False),
        "statements": lambda memory: _store(memory, texts, infer=True),
        "transcript": importing,
    }
    rates = {}
    for name, work in ways.items():
        with _open(str(Path(options.place) / f"{name}.db")) as memory:
            memory.add("The first memory loads the embedder.", user_id="someone else")
            seconds = _timed(lambda memory=memory, work=work: work(memory))
            rates[f"{name}_per_second"] = round(memory.get_all(user_id=USER_ID, top_k=0)["total"] / seconds)
    return rates


def _open(database: str) -> Memory:
    from kept import Memory

    return Memory(database)


def _store(memory: Memory, texts: Sequence[str], *, infer: bool) -> None:
    memory.add([{"role": "user", "content": text} for text in texts], user_id=USER_ID, infer=infer)


def _search(memory: Memory, question: str) -> None:
    memory.search(question, user_id=USER_ID, top_k=TOP_K)


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _percentile_ms(seconds: Iterable[float], percent: int) -> float:
    """The nearest-rank percentile, in milliseconds."""
    ordered = sorted(seconds)
    rank = -(-percent * len(ordered) // 100)
    return round(ordered[max(rank, 1) - 1] * MILLISECONDS, 3)


def _memory_mib(name: str) -> float | None:
    """Resident memory now (`VmRSS`) or at most (`VmHWM`); elsewhere than on Linux always the most."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith(f"{name}:"):
                return round(int(line.split()[1]) / 1024, 1)
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = MIB if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time Kept in this process; speed.py starts it.")
    commands = parser.add_subparsers(required=True)
    for measure in (fill, ask, bulk):
        command = commands.add_parser(measure.__name__, help=(measure.__doc__ or "").strip())
        command.add_argument("place", help="database, or for bulk a folder")
        command.add_argument("--size", type=int, default=10_000)
        command.add_argument("--searches", type=int, default=200)
        command.add_argument("--adds", type=int, default=50)
        command.set_defaults(measure=measure)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
