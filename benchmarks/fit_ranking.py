"""Fit the ranking's weights on development data, and say how well they carry over.

    python benchmarks/fit_ranking.py DATA_FOLDER [--embedder wordllama] [--sets locomo,beam,realmem]

For each question the features of its candidates are computed by the engine itself, once. A listwise logistic model is
fitted over them (the softmax over a question's candidates should fall on the evidence), with a small ridge. Reported
are the figures in-sample, cross-validated by conversation, and for each set with weights fitted on the other sets only.
Then the scale and bias are chosen that turn the sum into a score: see `calibrate`. Nothing is written; the weights go
into `kept.domain.ranking` by hand, rounded.
"""

from __future__ import annotations

import argparse
import json
import lzma
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.optimize import minimize

from kept.adapters.embedders import open_embedder
from kept.domain import ranking
from kept.domain.entities import entities
from kept.domain.history import to_microseconds
from kept.domain.memory import EntityRef
from kept.engine.candidates import Candidates, ask
from kept.engine.indexing import Indexer
from kept.engine.partition import ResidentPartition
from kept.ports import PartitionRow

NAMES: Final = [feature.name for feature in ranking.FEATURES]
MORE: Final = [feature.name for feature in ranking.FEATURES if feature.more_for_several]
COLUMNS: Final = [*NAMES, *(f"{name}, several" for name in MORE)]
FIXED: Final = {"feedback": 0.5}
FILES: Final = {"locomo": "locomo-dev", "beam": "beam-100k-dev", "realmem": "realmem-dev"}
SET_WEIGHT: Final = {"locomo": 1.0, "beam": 3.0, "realmem": 0.8}
RIDGE: Final = 3e-3
FOLDS: Final = 5


@dataclass
class Asked:
    """One question: features of its candidates, and which candidates are evidence."""

    set: str
    conversation: str
    category: str
    terms: int
    several: bool
    features: np.ndarray
    slots: np.ndarray
    sessions: np.ndarray
    evidence: list[set[int]]


def rows_of(conversation: dict[str, Any], indexer: Indexer) -> list[PartitionRow]:
    """The rows of a conversation, one for each turn, as the log would give them."""
    texts = [t["text"] + (f" [shares {t['caption']}]" if t.get("caption") else "") for t in conversation["turns"]]
    found = [[EntityRef(name=e.name, kind=e.kind, key=e.key) for e in entities(text)] for text in texts]
    said = [
        datetime.fromisoformat(turn["at"]).replace(tzinfo=UTC) if turn.get("at") else datetime(2024, 1, 1, tzinfo=UTC)
        for turn in conversation["turns"]
    ]
    rows = []
    entries = indexer.entries(texts, found, said)
    for n, (turn, at, entry) in enumerate(zip(conversation["turns"], said, entries, strict=True)):
        rows.append(
            PartitionRow(
                n + 1,
                n + 1,
                "active",
                None,
                None,
                str(turn["session"]),
                str(turn["session"]),
                turn["speaker"],
                "user",
                to_microseconds(at),
                None,
                None,
                None,
                None,
                0,
                entry,
            )
        )
    return rows


def collect(folder: Path, name: str, embedder: Any) -> list[Asked]:
    """Ask every question of a set and keep its candidates' features."""
    asked = []
    indexer = Indexer(embedder)
    with lzma.open(folder / f"{FILES[name]}.jsonl.xz", "rt") as file:
        conversations = [json.loads(line) for line in file]
    for conversation in conversations:
        rows = rows_of(conversation, indexer)
        partition = ResidentPartition(embedder.identity.dimensions)
        of_id: dict[str, set[int]] = defaultdict(set)
        for n, turn in enumerate(conversation["turns"]):
            of_id[turn["id"]].add(n)
        for question in sorted(conversation["questions"], key=lambda q: q.get("after") or len(rows)):
            stored = question.get("after") or len(rows)
            if partition.slots < stored:
                partition.refresh(rows[partition.slots : stored])
            moment = datetime.fromtimestamp(rows[stored - 1].created_at / 1e6, UTC)
            q = ask(question["question"], moment, partition.known_names(None), embedder)
            candidates = Candidates(partition, q, partition.column("live"), 50)
            features = candidates.features()
            asked.append(
                Asked(
                    name,
                    name + conversation["id"],
                    str(question["category"]),
                    len(q.terms),
                    q.several,
                    np.stack([*(features[f] for f in NAMES), *(features[f] * q.several for f in MORE)], axis=1),
                    candidates.slots,
                    partition.column("session")[candidates.slots].copy(),
                    [of_id[e] for e in question["evidence"]],
                )
            )
    return asked


def measure(asked: list[Asked], scores: list[np.ndarray]) -> dict[str, tuple[float, ...]]:
    """Recall at 5, 10 and 50 (RealMem: also over the first ten distinct sessions), and nDCG at 10, by group, in percent."""
    found = defaultdict(list)
    for q, score in zip(asked, scores, strict=True):
        order = np.argsort(-score, kind="stable")
        ids = q.slots[order].tolist()
        recall = [float(np.mean([bool(e & set(ids[:k])) for e in q.evidence])) for k in (5, 10, 50)]
        if q.set == "realmem":
            # recall over sessions: the first ten distinct sessions among the hits
            sessions = list(dict.fromkeys(q.sessions[order][:50].tolist()))[:10]
            top = [slot for slot in ids if q.sessions[np.searchsorted(q.slots, slot)] in sessions]
            recall.append(float(np.mean([bool(e & set(top)) for e in q.evidence])))
        gained = [any(slot in e for e in q.evidence) for slot in ids[:10]]
        dcg = sum(1 / np.log2(n + 2) for n, g in enumerate(gained) if g)
        ideal = sum(1 / np.log2(n + 2) for n in range(min(10, len(q.evidence))))
        recall.append(min(dcg / ideal, 1.0))
        groups = [q.set]
        if q.set == "locomo":
            groups = [f"locomo/{q.category}"] + (["locomo"] if q.category != "5" else [])
        for group in groups:
            found[group].append(recall)
    return {group: tuple(100 * np.mean(values, axis=0)) for group, values in sorted(found.items())}


def show(label: str, figures: dict[str, tuple[float, ...]]) -> None:
    """Print one line of figures."""
    print(
        label.ljust(26), "  ".join(f"{g} " + "/".join(f"{v:.1f}" for v in vs) for g, vs in figures.items()), flush=True
    )


def fit(asked: list[Asked], names: list[str]) -> np.ndarray:
    """Weights of the named columns: the softmax over a question's candidates should fall on its evidence."""
    columns = [COLUMNS.index(name) for name in names]
    kept = [q for q in asked if not (q.set == "locomo" and q.category == "5")]
    blocks, targets, weights = [], [], []
    for q in kept:
        evidence = [np.flatnonzero(np.isin(q.slots, list(e))) for e in q.evidence]
        evidence = [e for e in evidence if len(e)]
        if evidence:
            blocks.append(q.features[:, columns].astype(np.float64))
            targets.append(evidence)
            weights.append(SET_WEIGHT[q.set])
    scale = np.concatenate(blocks).std(axis=0) + 1e-9
    blocks = [block / scale for block in blocks]

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        total, gradient = 0.0, np.zeros_like(w)
        for block, evidence, weight in zip(blocks, targets, weights, strict=True):
            z = block @ w
            z -= z.max()
            e = np.exp(z)
            p = e / e.sum()
            expected = p @ block
            for rows in evidence:
                share = p[rows].sum()
                total -= weight / len(evidence) * np.log(share + 1e-12)
                gradient += weight / len(evidence) * (expected - (p[rows] / (share + 1e-12)) @ block[rows])
        n = sum(weights)
        return total / n + RIDGE * w @ w, gradient / n + 2 * RIDGE * w

    return minimize(loss, np.zeros(len(columns)), jac=True, method="L-BFGS-B").x / scale


def apply(asked: list[Asked], names: list[str], w: np.ndarray) -> list[np.ndarray]:
    """Each question's candidates, scored."""
    columns = [COLUMNS.index(name) for name in names]
    return [q.features[:, columns] @ w for q in asked]


def at_present(q: Asked) -> np.ndarray:
    """The candidates' scores with the weights in use, without their bias and what is held back of echoes."""
    features = dict(zip(NAMES, q.features.T, strict=False))
    return ranking.contributions(features, ranking.weights(q.terms, several=q.several)).sum(axis=0)


def cross_validated(asked: list[Asked], names: list[str], groups: dict[str, int]) -> list[np.ndarray]:
    """Scores of each group of conversations with weights fitted on the others."""
    scores: dict[int, np.ndarray] = {}
    for fold in sorted(set(groups.values())):
        w = fit([q for q in asked if groups[q.conversation] != fold], names)
        held = [n for n, q in enumerate(asked) if groups[q.conversation] == fold]
        scores |= dict(zip(held, apply([asked[n] for n in held], names, w), strict=True))
    return [scores[n] for n in range(len(asked))]


def main() -> None:
    """Fit, report, print the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--embedder", default="wordllama")
    parser.add_argument("--sets", default="locomo,beam,realmem")
    options = parser.parse_args()
    embedder = open_embedder(options.embedder)
    asked = [q for name in options.sets.split(",") for q in collect(options.data, name, embedder)]
    ceiling = np.mean([np.mean([bool(e & set(q.slots.tolist())) for e in q.evidence]) for q in asked])
    print("share of evidence among the candidates", round(100 * float(ceiling), 1), len(asked), "questions")
    names = [name for name in COLUMNS if name not in FIXED]
    show("present weights", measure(asked, [at_present(q) for q in asked]))
    w = fit(asked, names)
    show("in sample", measure(asked, apply(asked, names, w)))
    conversations = list(dict.fromkeys(q.conversation for q in asked))
    show(
        "cross-validated",
        measure(asked, cross_validated(asked, names, {c: n % FOLDS for n, c in enumerate(conversations)})),
    )
    sets = options.sets.split(",")
    if len(sets) > 1:
        show(
            "from the other sets",
            measure(asked, cross_validated(asked, names, {q.conversation: sets.index(q.set) for q in asked})),
        )
    for name, weight in zip(names, w, strict=True):
        print(f"  {name:22} {weight:7.2f}")


if __name__ == "__main__":
    main()
