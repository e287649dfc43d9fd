"""What the graph costs: reading relations, following the log, asking.

    python graph.py FOLDER --size 10000

Stores `size` statements of the corpus and of people, places and tools for one user, verbatim, and prints one JSON object. Times are of
this process alone (CPU seconds, so that other work on the machine does not count), the best of three for what is asked.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import corpus

from kept.adapters.sqlite.graph import SqliteGraph
from kept.adapters.sqlite.log import SqliteLog
from kept.domain.entities import entity_refs
from kept.domain.relations import relations
from kept.domain.scope import Scope
from kept.engine.graph import Graph
from kept.ports import Listing
from kept.sdk.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

USER_ID = "benchmark"
CALL_MESSAGES = 5_000
PEOPLE = 200
FACTS = ("lives in City{0}.", "works at Company{1}.", "uses Tool{2} and Tool{3}.", "is married to Person{4}.")
MILLISECONDS = 1_000.0
MICROSECONDS = 1_000_000.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit code is 0."""
    parser = argparse.ArgumentParser(description="Time the graph.")
    parser.add_argument("folder", type=Path, help="An empty or missing folder for the store.")
    parser.add_argument("--size", type=int, default=10_000)
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    print(json.dumps(measured(options.folder / "graph.db", options.size), indent=1))
    return 0


def measured(path: Path, size: int) -> dict[str, Any]:
    """All figures."""
    texts = statements(size)
    figures: dict[str, Any] = {
        "statements": size,
        "entities_us": seconds(lambda: [entity_refs(text) for text in texts]) / size * MICROSECONDS,
        "relations_us": seconds(lambda: [relations(text, speaker=USER_ID) for text in texts]) / size * MICROSECONDS,
    }
    with Memory(path) as memory:
        for start in range(0, size, CALL_MESSAGES):
            said = [{"role": "user", "content": text} for text in texts[start : start + CALL_MESSAGES]]
            memory.add(said, user_id=USER_ID, infer=False, related=0)
    log = SqliteLog(path)
    projection = SqliteGraph(log, path)
    graph, listing = Graph(projection, log), Listing(scope=Scope(user_id=USER_ID))
    figures["follow_us"] = seconds(projection.rebuild) / size * MICROSECONDS
    asked: dict[str, Callable[[], object]] = {
        "search_ms": lambda: graph.search(listing, "where does Person7 live?"),
        "most_mentioned_ms": lambda: graph.search(listing),
        "entity_ms": lambda: graph.entity(listing, "Person7"),
        "neighbours_ms": lambda: graph.neighbours(listing, "Person7", depth=2),
        "paths_ms": lambda: graph.paths(listing, "Person7", "Person8"),
    }
    figures |= {name: min(seconds(ask) for _ in range(3)) * MILLISECONDS for name, ask in asked.items()}
    log.close()
    return {name: round(value, 2) for name, value in figures.items()}


def statements(size: int) -> list[str]:
    """Statements of the corpus, every fourth replaced by one about a person."""
    found = list(corpus.statements(size))
    for number in range(0, size, 4):
        about = FACTS[number // 4 % len(FACTS)].format(*((number * step) % PEOPLE for step in (3, 5, 7, 11, 13)))
        found[number] = f"Person{number // 16 % PEOPLE} {about}"
    return found


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    sys.exit(main())
