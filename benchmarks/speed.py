"""Measures how fast Kept is, each figure in a fresh process, and prints Markdown tables.

With `--mem0-python PATH` (a Python with `requirements-mem0.txt` installed) Mem0 is measured in the same run, on the same
statements and questions, and the ratio is printed. Without options it takes some minutes; the million is behind
`--million`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import corpus

from kept import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HERE = Path(__file__).parent
QUESTIONS = 100
ADDS = 50
FIRST_SEARCH_SIZE = 10_000
BULK_SIZE = 10_000
MILLION = 1_000_000
WHOLE_PROCESS_RUNS = 10
SYNC_PROBES = 100
PROBE_BYTES = 4096  # a page of a file system and of SQLite
MILLISECONDS = 1_000.0

MEASURES = {  # in both halves under the same key; less is better
    "search_p50_ms": "search p50, ms",
    "search_p95_ms": "search p95, ms",
    "add_p50_ms": "add p50, ms",
    "bulk_seconds": "store them all, s",
    "peak_rss_mib": "peak memory, MiB",
}
OWN_MEASURES = {  # what the other half has no counterpart for
    "add p50 without looking for related memories, ms": "plain_add_p50_ms",
    "resident while searching, MiB": "resident_mib",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit code is 0."""
    options = _parse(arguments)
    with tempfile.TemporaryDirectory(prefix="kept-speed-") as name:
        bench = _Bench(Path(name))
        print(_about(options, bench.sync_p50_ms()), flush=True)
        print(_starts(bench), flush=True)
        print(_sizes(bench, options), flush=True)
        if options.million:
            print(_million(bench), flush=True)
    return 0


class _Bench:
    """Starts the measured processes, with warm bytecode, nothing of the caller's settings, and one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("KEPT_")}
        self._environment |= {"PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "KEPT_CONFIG": str(folder / "none.toml")}
        self._environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else each start would compile everything anew

    def kept(self, command: str, place: Path, **options: int) -> dict[str, Any]:
        """What `kept_speed.py` prints."""
        given = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        return self._figures([sys.executable, str(HERE / "kept_speed.py"), command, str(place), *given])

    def mem0(self, python: Path, size: int) -> dict[str, Any]:
        """What `mem0_baseline.py` prints for the same statements and questions."""
        statements, questions = self.folder / "statements.txt", self.folder / "questions.txt"
        statements.write_text("\n".join(corpus.statements(size)), encoding="utf-8")
        questions.write_text("\n".join(corpus.questions(QUESTIONS)), encoding="utf-8")
        command = [str(python), str(HERE / "mem0_baseline.py"), "--json", "--size", str(size)]
        command += ["--searches", str(QUESTIONS), "--adds", str(ADDS)]
        return self._figures([*command, "--corpus", str(statements), "--queries", str(questions)])

    def whole_process_ms(self, *command: str) -> float:
        """The median time of a process from its start to its end, after a start that warms it."""
        times = []
        for _ in range(1 + WHOLE_PROCESS_RUNS):
            started = time.perf_counter()
            subprocess.run(command, env=self._environment, check=True, stdout=subprocess.DEVNULL)
            times.append(time.perf_counter() - started)
        return round(statistics.median(times[1:]) * MILLISECONDS, 1)

    def sync_p50_ms(self) -> float:
        """The disk's part in a commit: the median time to append a page and wait until it is on disk."""
        times = []
        with (self.folder / "probe").open("ab", buffering=0) as file:
            for _ in range(SYNC_PROBES):
                started = time.perf_counter()
                file.write(bytes(PROBE_BYTES))
                os.fsync(file.fileno())
                times.append(time.perf_counter() - started)
        return round(statistics.median(times) * MILLISECONDS, 3)

    def _figures(self, command: Sequence[str]) -> dict[str, Any]:
        done = subprocess.run(command, env=self._environment, check=True, stdout=subprocess.PIPE, text=True)
        figures: dict[str, Any] = json.loads(done.stdout)
        return figures


def _about(options: argparse.Namespace, sync_ms: float) -> str:
    rows = {
        "date": datetime.now(UTC).date().isoformat(),
        "kept": __version__,
        "machine": f"{os.cpu_count()} cores, {_processor()}, {platform.system()} {platform.machine()}",
        "Python, SQLite": f"{platform.python_version()}, {sqlite3.sqlite_version}",
        "disk": f"{sync_ms} ms to append {PROBE_BYTES} bytes and fsync (median of {SYNC_PROBES})",
        "command": _command(options),
    }
    return _table(("", ""), rows.items())


def _command(options: argparse.Namespace) -> str:
    """The command again, without this machine's paths."""
    compared = " --mem0-python PATH" if options.mem0_python else ""
    million = " --million" if options.million else ""
    return f"python benchmarks/speed.py --sizes {','.join(map(str, options.sizes))}{compared}{million}"


def _starts(bench: _Bench) -> str:
    database = bench.folder / "first.db"
    bench.kept("fill", database, size=FIRST_SEARCH_SIZE)
    searching = (
        f"from kept import Memory; Memory({str(database)!r}).search({next(corpus.questions(1))!r}, user_id='benchmark')"
    )
    inside = [bench.kept("ask", database, searches=1, adds=1)["first_search_ms"] for _ in range(WHOLE_PROCESS_RUNS)]
    bulk = bench.kept("bulk", _made(bench.folder / "bulk"), size=BULK_SIZE)
    first = f"first search of a new process, {FIRST_SEARCH_SIZE:,} memories, ms"
    rows = {
        "`python -c pass`, whole process, ms": bench.whole_process_ms(sys.executable, "-c", "pass"),
        "`import kept`, whole process, ms": bench.whole_process_ms(sys.executable, "-c", "import kept"),
        "`kept --help`, whole process, ms": bench.whole_process_ms(*_kept_command(), "--help"),
        f"{first}: whole process": bench.whole_process_ms(sys.executable, "-c", searching),
        f"{first}: inside, imports included": round(statistics.median(inside), 1),
        f"{BULK_SIZE:,} messages in one add, verbatim, memories/s": f"{bulk['verbatim_per_second']:,}",
        f"{BULK_SIZE:,} messages in one add, as statements, memories/s": f"{bulk['statements_per_second']:,}",
        f"{BULK_SIZE:,} messages from a transcript, memories/s": f"{bulk['transcript_per_second']:,}",
    }
    return _table(("one process", "median"), rows.items())


def _sizes(bench: _Bench, options: argparse.Namespace) -> str:
    rows: list[tuple[object, ...]] = []
    for size in options.sizes:
        kept = _kept_at(bench, size)
        mem0 = bench.mem0(options.mem0_python, size) if options.mem0_python else {}
        for key, label in MEASURES.items():
            compared = (mem0[key], _ratio(mem0[key], kept[key])) if mem0 else ()
            rows.append((f"{size:,}", label, kept[key], *compared))
        for label, key in OWN_MEASURES.items():
            rows.append((f"{size:,}", label, kept[key], *(("", "") if mem0 else ())))
        print(f"{size:,} memories: done", file=sys.stderr, flush=True)
    head = ("memories", "", "Kept", *(("Mem0", "Mem0 / Kept") if options.mem0_python else ()))
    return _table(head, rows)


def _million(bench: _Bench) -> str:
    kept = _kept_at(bench, MILLION)
    wanted = ("bulk_seconds", "first_search_ms", "search_p50_ms", "search_p95_ms", "add_p50_ms", "resident_mib")
    return _table((f"one scope of {MILLION:,}", ""), [(name.replace("_", " "), kept[name]) for name in wanted])


def _kept_at(bench: _Bench, size: int) -> dict[str, Any]:
    database = bench.folder / f"{size}.db"
    filled = bench.kept("fill", database, size=size)
    asked = bench.kept("ask", database, searches=QUESTIONS, adds=ADDS)
    for path in bench.folder.glob(f"{size}.db*"):
        path.unlink()
    peak = max(filled["peak_rss_mib"] or 0, asked["peak_rss_mib"] or 0)
    return filled | asked | {"peak_rss_mib": peak}


def _ratio(theirs: float | None, ours: float | None) -> str:
    return f"{theirs / ours:.1f}" if theirs and ours else ""


def _kept_command() -> tuple[str, ...]:
    script = shutil.which("kept", path=str(Path(sys.executable).parent))
    return (script,) if script else (sys.executable, "-c", "from kept.cli import main; main()")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _processor() -> str:
    """The processor's name; Python itself knows it on few systems."""
    names = Path("/proc/cpuinfo")
    if names.exists():
        for line in names.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def _table(head: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    lines = (f"| {' | '.join(map(str, row))} |" for row in rows)
    return "\n".join([f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *lines, ""])


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure Kept's speed, and Mem0's beside it.")
    parser.add_argument("--sizes", type=_numbers, default=[1_000, 10_000, 50_000], help="memories in the store")
    parser.add_argument("--mem0-python", type=Path, metavar="PATH", help="a Python with requirements-mem0.txt")
    parser.add_argument("--million", action="store_true", help="also one scope of a million memories")
    return parser.parse_args(arguments)


def _numbers(text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.replace("_", "").split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a list such as 1000,10000") from None
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError("sizes are whole numbers above 0")
    return numbers


if __name__ == "__main__":
    raise SystemExit(main())
