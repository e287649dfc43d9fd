"""Measures what a search finds: recall of the evidence that questions of public conversation sets name.

Reads a folder with `locomo*.jsonl.xz`, `beam*.jsonl.xz` and `realmem*.jsonl.xz` (the form is in the README beside this
file; the sets are not part of this project). Every turn is stored through the public `Memory.add` as one memory, every
conversation in a store of its own, and every question is one `Memory.search` with its defaults: no setting depends on the
set.

RealMem's evidence is sessions, and all memories of a session share its id. Its headline is therefore distinct recall@10, over
the first ten different sessions among the hits in the order they appear; plain BM25 has 69 by this definition. For the other sets it
equals recall@10.
"""

from __future__ import annotations

import argparse
import json
import lzma
import math
import platform
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kept import Memory, __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

SETS = ("locomo", "beam", "realmem")
DEPTH = 50  # hits asked for, and the deepest recall reported
CUTS = (5, 10, 50)
NEAR = 10  # where nDCG and MRR are cut, as in the sets' own papers
DISTINCT = f"distinct recall@{NEAR}"  # among the first ten different ids: differs where memories share one (RealMem)
ADVERSARIAL = "5"  # LoCoMo's category of questions about the wrong person; reported apart
LOCOMO_CATEGORIES = {"1": "multi-hop", "2": "temporal", "3": "open-domain", "4": "single-hop", "5": "adversarial"}
MILLISECONDS = 1_000.0


@dataclass
class Tally:
    """Figures of the questions of one category."""

    recall: dict[int, list[float]] = field(default_factory=lambda: {cut: [] for cut in CUTS})
    distinct: list[float] = field(default_factory=list)
    ndcg: list[float] = field(default_factory=list)
    mrr: list[float] = field(default_factory=list)

    def add(self, ranked: Sequence[str], evidence: set[str]) -> None:
        """Judge one question.

        Args:
            ranked: Ids of the hits, best first; an id comes twice where two memories share it.
            evidence: Ids that should be among them; not empty.
        """
        for cut in CUTS:
            self.recall[cut].append(len(evidence & set(ranked[:cut])) / len(evidence))
        distinct = list(dict.fromkeys(ranked))[:NEAR]
        self.distinct.append(len(evidence.intersection(distinct)) / len(evidence))
        gains = [1 / math.log2(rank + 2) for rank, id_ in enumerate(distinct) if id_ in evidence]
        ideal = sum(1 / math.log2(rank + 2) for rank in range(min(len(evidence), NEAR)))
        self.ndcg.append(sum(gains) / ideal)
        self.mrr.append(next((1 / (rank + 1) for rank, id_ in enumerate(distinct) if id_ in evidence), 0.0))

    def figures(self) -> dict[str, float]:
        """Means over the questions, in percent."""
        means = {f"recall@{cut}": statistics.fmean(self.recall[cut]) for cut in CUTS}
        means[DISTINCT] = statistics.fmean(self.distinct)
        means |= {f"ndcg@{NEAR}": statistics.fmean(self.ndcg), f"mrr@{NEAR}": statistics.fmean(self.mrr)}
        return {"questions": len(self.mrr), **{name: round(100 * value, 1) for name, value in means.items()}}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit code is 0."""
    options = _parse(arguments)
    report: dict[str, Any] = {"about": _about(options)}
    for name in options.sets:
        report[name] = measure(
            name, _conversations(options.data, name, options.limit), options.embedder, options.threshold
        )
        if not options.json:
            print(_table(name, report[name]), flush=True)
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        print("\n".join(f"{key}: {value}" for key, value in report["about"].items()))
    return 0


def measure(
    name: str, conversations: Iterable[Mapping[str, Any]], embedder: str, threshold: float | None
) -> dict[str, Any]:
    """Store each conversation, ask its questions, and average.

    Returns:
        `overall` and `categories` with figures in percent, `search_p50_ms`, and how much was stored and how fast.
    """
    tallies: dict[str, Tally] = defaultdict(Tally)
    overall = Tally()
    searches: list[float] = []
    stored, store_s = 0, 0.0
    for conversation in conversations:
        with tempfile.TemporaryDirectory(prefix="kept-retrieval-") as folder:
            asking = _Conversation(conversation, f"sqlite:///{folder}/kept.db", embedder, threshold)
            for question, ranked in asking.run():
                category, evidence = str(question["category"]), set(map(str, question["evidence"]))
                tallies[category].add(ranked, evidence)
                if not (name == "locomo" and category == ADVERSARIAL):
                    overall.add(ranked, evidence)
            searches += asking.searches
            stored += asking.stored
            store_s += asking.store_s
        print(f"{name} {conversation['id']}: done", file=sys.stderr, flush=True)
    return {
        "overall": overall.figures(),
        "categories": {_label(name, category): tallies[category].figures() for category in sorted(tallies)},
        "search_p50_ms": round(statistics.median(searches) * MILLISECONDS, 3),
        "stored": stored,
        "adds_per_second": round(stored / store_s, 1),
    }


class _Conversation:
    """One conversation: stored turn by turn, and asked as far as it has gone."""

    def __init__(self, conversation: Mapping[str, Any], database: str, embedder: str, threshold: float | None) -> None:
        self._conversation = conversation
        self._database = database
        self._embedder = embedder
        self._threshold = threshold
        self._user = str(conversation["id"])
        self.searches: list[float] = []
        self.stored = 0
        self.store_s = 0.0

    def run(self) -> Iterator[tuple[Mapping[str, Any], list[str]]]:
        """Each question with the turn ids of its hits, best first."""
        turns = self._conversation["turns"]
        questions = sorted(self._conversation["questions"], key=lambda question: question.get("after") or len(turns))
        with Memory(self._database, embedder=self._embedder) as memory:
            for question in questions:
                self._store_up_to(memory, question.get("after") or len(turns))
                yield question, self._ask(memory, question["question"])

    def _store_up_to(self, memory: Memory, count: int) -> None:
        first = self._conversation["speakers"][0]
        started = time.perf_counter()
        for turn in self._conversation["turns"][self.stored : count]:
            memory.add(
                [
                    {
                        "role": "user" if turn["speaker"] == first else "assistant",
                        "name": turn["speaker"],
                        "content": turn["text"] + (f" [shares {turn['caption']}]" if turn.get("caption") else ""),
                    }
                ],
                user_id=self._user,
                run_id=str(turn["session"]),
                timestamp=turn.get("at"),
                metadata={"dia_id": turn["id"]},
                infer=False,
                related=0,
            )
        self.store_s += time.perf_counter() - started
        self.stored = max(self.stored, count)

    def _ask(self, memory: Memory, question: str) -> list[str]:
        started = time.perf_counter()
        found = memory.search(question, user_id=self._user, top_k=DEPTH, threshold=self._threshold)
        self.searches.append(time.perf_counter() - started)
        return [hit["metadata"]["dia_id"] for hit in found["results"]]


def _conversations(folder: Path, name: str, limit: int | None) -> Iterator[Mapping[str, Any]]:
    paths = sorted(folder.glob(f"{name}*.jsonl.xz"))
    if not paths:
        raise SystemExit(f"{folder} holds no {name}*.jsonl.xz; leave the set out with --sets")
    for path in paths:
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines):
                if limit is not None and number >= limit:
                    break
                yield json.loads(line)


def _label(name: str, category: str) -> str:
    return LOCOMO_CATEGORIES.get(category, category) if name == "locomo" else category


def _table(name: str, result: Mapping[str, Any]) -> str:
    columns = ["questions", *(f"recall@{cut}" for cut in CUTS), DISTINCT, f"ndcg@{NEAR}", f"mrr@{NEAR}"]
    rows = [("all but adversarial" if name == "locomo" else "all", result["overall"]), *result["categories"].items()]
    lines = [f"| {name} | {' | '.join(columns)} |", f"| --- |{' ---: |' * len(columns)}"]
    lines += [f"| {label} | {' | '.join(str(figures[column]) for column in columns)} |" for label, figures in rows]
    note = (
        f"{result['stored']:,} memories, {result['adds_per_second']:,} adds/s, search p50 {result['search_p50_ms']} ms"
    )
    return "\n".join([*lines, "", note, ""])


def _about(options: argparse.Namespace) -> dict[str, str]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "kept": __version__,
        "embedder": options.embedder,
        "python": platform.python_version(),
        "command": f"python benchmarks/retrieval.py {options.data.name} --embedder {options.embedder}"
        f" --sets {','.join(options.sets)}"
        + ("" if options.threshold is None else f" --threshold {options.threshold}"),
    }


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what a search finds in public conversation sets.")
    parser.add_argument("data", type=Path, metavar="DATA_FOLDER", help="folder with <set>*.jsonl.xz")
    parser.add_argument("--embedder", default="wordllama", help="as in the settings (default: %(default)s)")
    parser.add_argument("--sets", type=_sets, default=list(SETS), help="some of locomo,beam,realmem (default: all)")
    parser.add_argument("--threshold", type=float, help="least score of a hit (default: none)")
    parser.add_argument("--limit", type=int, help="only so many conversations of each file, for a quick look")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args(arguments)


def _sets(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in SETS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(SETS)}")
    return names


if __name__ == "__main__":
    raise SystemExit(main())
