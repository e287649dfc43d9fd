"""Measures the checks that a fact must pass (`kept.domain.support`, `attribution`): true facts that pass them, and foreign ones that do.

    python benchmarks/support.py [CONVERSATIONS.jsonl.xz]

True are the labels of the corpus (`understanding/*.jsonl`) beside the turn that says them, and the short answers of a set of conversations
with questions beside the turns that prove them (LoCoMo's single-hop questions, and as dates its temporal ones). Foreign are the same beside other
turns of their conversation; altered are those that pass, with one name replaced by that of another fact, or one number by the next.
Of another are sentences in the first person, said of the one who did not say them, beside the same turn and the one before it.
A label that names somebody whom only an earlier turn names does not pass with its one turn, for no earlier ones stand beside it here.
"""

from __future__ import annotations

import json
import lzma
import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from kept.domain.attribution import attribution
from kept.domain.entities import is_common
from kept.domain.memory import Message
from kept.domain.support import Source, Sources
from kept.domain.text import sentences

CORPUS = Path(__file__).parent / "understanding"
SEED = 1
"""Of the choice of foreign turns."""
SINGLE_HOP = 4
TEMPORAL = 2
"""LoCoMo's categories of questions."""

NAME = re.compile(r"\b[A-Z][a-z]{2,}\b")
NUMBER = re.compile(r"(?<![\d.,])\d{1,4}(?![\d.,]*\d)")

Case = tuple[str, str, Sequence[Message], Sequence[Message]]
"""Group, fact, the turns that say it, and as many others."""

FIRST_PERSON = re.compile(
    r"I(?P<is>(?:'m| am) )|I(?P<has>(?:'ve| have) )|I (?=(?:was|had|will|can|could|would|should|might|used|\w+ed|went|got|made|saw|took|found"
    r"|gave|met|bought|felt|won|began|wrote|read|thought|knew)\b)|I (?P<base>love|like|need|want|hope|enjoy|work|live|play|use|know|think|feel|hate"
    r"|prefer|keep|plan|run|paint|read|spend|make|take|get|start|help|see)\b"
)
"""How a sentence in the first person begins that can be put into the third."""
NO_STATEMENT = re.compile(r"\?\s*$|\b(?:you|your|yours|we|us|our)\b", re.IGNORECASE)
"""What asks, or is about both who talk."""
OWN_WORDS = {
    "I": "{0}",
    "I'm": "{0} is",
    "I've": "{0} has",
    "me": "{0}",
    "my": "{0}'s",
    "mine": "{0}'s",
    "myself": "{0}",
    "am": "is",
}


def main(arguments: Sequence[str]) -> int:
    """Measure and print; the exit code is 0."""
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in (*_labels(), *(case for path in arguments for case in _answers(Path(path)))):
        groups[case[0]].append(case)
    print(f"{'':<16}{'facts':>8}{'true pass':>12}{'foreign pass':>14}{'other name':>12}{'other number':>14}")
    for group, cases in groups.items():
        true = [case for case in cases if _passes(case[1], case[2])]
        foreign = sum(_passes(fact, other) for _, fact, _, other in cases)
        names, numbers = (_passing(true, pattern) for pattern in (NAME, NUMBER))
        print(
            f"{group:<16}{len(cases):>8}{len(true) / len(cases):>12.1%}{foreign / len(cases):>14.1%}{names:>12}{numbers:>14}"
        )
    for path in arguments:
        _print_first_person(Path(path))
    return 0


def _passes(fact: str, turns: Sequence[Message]) -> bool:
    return _support(fact, turns) and attribution(fact, turns) != "another"


def _support(fact: str, turns: Sequence[Message]) -> bool:
    return Sources([Source(text=turn.content, speaker=turn.name, at=turn.at) for turn in turns if turn.at]).support(
        fact
    )


def _print_first_person(path: Path) -> None:
    """What speakers say of themselves, as facts about them and about the other one."""
    cases = list(_of_themselves(path))
    print(f"\n{'first person':<16}{'facts':>8}{'in the text':>14}{'said of them':>14}{'unclear':>10}{'of another':>12}")
    for group in ("of the speaker", "of the other"):
        found = [(fact, turns) for name, fact, turns in cases if name == group]
        held = [(fact, turns) for fact, turns in found if _support(fact, turns)]
        verdicts = Counter(attribution(fact, turns) for fact, turns in held)
        shares = [verdicts[verdict] / len(held) for verdict in ("same", "unclear", "another")]
        print(f"{group:<16}{len(found):>8}{len(held):>14}{shares[0]:>14.1%}{shares[1]:>10.1%}{shares[2]:>12.1%}")


def _of_themselves(path: Path) -> Iterator[tuple[str, str, Sequence[Message]]]:
    """Sentences in the first person, in the third person of the speaker, and of the other."""
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for conversation in map(json.loads, lines):
            turns = [_message(turn["speaker"], turn["text"], turn["at"]) for turn in conversation["turns"]]
            for before, turn in pairwise(turns):
                if before.name == turn.name:
                    continue
                for sentence in sentences(turn.content):
                    if FIRST_PERSON.match(sentence) and not NO_STATEMENT.search(sentence):
                        yield "of the speaker", _third_person(sentence, str(turn.name)), [before, turn]
                        yield "of the other", _third_person(sentence, str(before.name)), [before, turn]


def _third_person(sentence: str, name: str) -> str:
    """A sentence in the first person, said of somebody; good enough for a machine to read."""
    found = FIRST_PERSON.match(sentence)
    if found and found["base"]:
        sentence = f"{sentence[: found.end()]}s{sentence[found.end() :]}"
    return re.sub(
        r"\b(?:I'm|I've|I|me|my|mine|myself|am)\b", lambda word: OWN_WORDS[word[0]].format(name), sentence.strip()
    ).replace(f"{name} have ", f"{name} has ")


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
    return f"{sum(_passes(fact, own) for own, fact in altered)} of {len(altered)}"


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
                _message(turn.get("name"), _text(turn["content"]), turn["timestamp"], role=turn["role"])
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
            turns = {turn["id"]: _message(turn["speaker"], _seen(turn), turn["at"]) for turn in conversation["turns"]}
            for question in conversation["questions"]:
                group = {SINGLE_HOP: "answers", TEMPORAL: "dates"}.get(question["category"])
                if group is None or "answer" not in question:
                    continue
                own = [turns[place] for place in question["evidence"]]
                others = chance.sample(
                    [turn for place, turn in turns.items() if place not in question["evidence"]], len(own)
                )
                yield group, _statement(str(question["answer"]), group, own), own, others


def _statement(answer: str, group: str, own: Sequence[Message]) -> str:
    """An answer as a fact; a date with a word of the turn that it is a date of."""
    return answer if group == "answers" else f"{max(own[-1].content.split(), key=len)} in {answer}"


def _seen(turn: Mapping[str, str]) -> str:
    return f"{turn['text']} {turn.get('caption', '')}".strip()


def _text(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def _message(speaker: str | None, text: str, at: str, *, role: str = "user") -> Message:
    return Message(role=role, name=speaker, content=text, at=datetime.fromisoformat(at).replace(tzinfo=UTC))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
