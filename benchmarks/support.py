"""Measures the check that a fact must pass (`kept.domain.support`): true facts that pass it, and foreign ones that do.

    python benchmarks/support.py [CONVERSATIONS.jsonl.xz]

True are the labels of the corpus (`understanding/*.jsonl`) beside the turn that says them, and the short answers of a set of conversations
with questions beside the turns that prove them (LoCoMo's single-hop questions, and as dates its temporal ones). Foreign are the same beside other
turns of their conversation; altered are those that pass, with one name replaced by that of another fact, or one number by the next.
A label that names somebody whom only an earlier turn names does not pass with its one turn, for no earlier ones stand beside it here.
"""

from __future__ import annotations

import json
import lzma
import random
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kept.domain.entities import is_common
from kept.domain.support import Source, Sources

CORPUS = Path(__file__).parent / "understanding"
SEED = 1
"""Of the choice of foreign turns."""
SINGLE_HOP = 4
TEMPORAL = 2
"""LoCoMo's categories of questions."""

NAME = re.compile(r"\b[A-Z][a-z]{2,}\b")
NUMBER = re.compile(r"(?<![\d.,])\d{1,4}(?![\d.,]*\d)")

Case = tuple[str, str, Sequence[Source], Sequence[Source]]
"""Group, fact, the turns that say it, and as many others."""


def main(arguments: Sequence[str]) -> int:
    """Measure and print; the exit code is 0."""
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in (*_labels(), *(case for path in arguments for case in _answers(Path(path)))):
        groups[case[0]].append(case)
    print(f"{'':<16}{'facts':>8}{'true pass':>12}{'foreign pass':>14}{'other name':>12}{'other number':>14}")
    for group, cases in groups.items():
        true = [case for case in cases if Sources(case[2]).support(case[1])]
        foreign = sum(Sources(other).support(fact) for _, fact, _, other in cases)
        names, numbers = (_passing(true, pattern) for pattern in (NAME, NUMBER))
        print(
            f"{group:<16}{len(cases):>8}{len(true) / len(cases):>12.1%}{foreign / len(cases):>14.1%}{names:>12}{numbers:>14}"
        )
    return 0


def _passing(cases: Sequence[Case], pattern: re.Pattern[str]) -> str:
    """How many of the facts pass when one of their names or numbers is another."""
    chance = random.Random(SEED)  # noqa: S311 - a sample
    names = sorted({name for _, fact, *_ in cases for name in NAME.findall(fact) if not is_common(name)})
    altered = [
        (own, fact[: found.start()] + _other(found[0], names, chance) + fact[found.end() :])
        for _, fact, own, _ in cases
        for found in pattern.finditer(fact)
        if not is_common(found[0])
    ]
    return f"{sum(Sources(own).support(fact) for own, fact in altered)} of {len(altered)}"


def _other(word: str, names: Sequence[str], chance: random.Random) -> str:
    return (
        str(int(word) + 1)
        if word.isdecimal()
        else chance.choice([name for name in names if name != word] or ["Zebulon"])
    )


def _labels() -> Iterator[Case]:
    """The corpus's labels, by split and language."""
    chance = random.Random(SEED)  # noqa: S311 - a sample
    for path in sorted(CORPUS.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            conversation = json.loads(line)
            turns = [
                _source(turn.get("name"), _text(turn["content"]), turn["timestamp"])
                for turn in conversation["messages"]
            ]
            for label in conversation["keep"]:
                others = [turn for place, turn in enumerate(turns) if place != label["turn"]]
                group = f"{path.stem} {conversation['language']}"
                yield group, label["text"], [turns[label["turn"]]], [chance.choice(others)]


def _answers(path: Path) -> Iterator[Case]:
    """Answers to questions about one turn, and about dates."""
    chance = random.Random(SEED)  # noqa: S311 - a sample
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for conversation in map(json.loads, lines):
            turns = {turn["id"]: _source(turn["speaker"], _seen(turn), turn["at"]) for turn in conversation["turns"]}
            for question in conversation["questions"]:
                group = {SINGLE_HOP: "answers", TEMPORAL: "dates"}.get(question["category"])
                if group is None or "answer" not in question:
                    continue
                own = [turns[place] for place in question["evidence"]]
                others = chance.sample(
                    [turn for place, turn in turns.items() if place not in question["evidence"]], len(own)
                )
                yield group, _statement(str(question["answer"]), group, own), own, others


def _statement(answer: str, group: str, own: Sequence[Source]) -> str:
    """An answer as a fact; a date with a word of the turn that it is a date of."""
    return answer if group == "answers" else f"{max(own[-1].text.split(), key=len)} in {answer}"


def _seen(turn: Mapping[str, str]) -> str:
    return f"{turn['text']} {turn.get('caption', '')}".strip()


def _text(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def _source(speaker: str | None, text: str, at: str) -> Source:
    return Source(text=text, speaker=speaker, at=datetime.fromisoformat(at).replace(tzinfo=UTC))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
