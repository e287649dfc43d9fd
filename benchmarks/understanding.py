"""Measures what is understood of conversations: junk kept, facts missed, wrong speaker, wrong date, invention.

    python benchmarks/understanding.py [--model PROVIDER:NAME] [--split dev|held-out] [--show junk] [--json]

Each conversation of the labelled corpus (`understanding/*.jsonl`, described in the README beside this file) is stored
through the public `Memory.add` as one episode of a user of its own; then every memory that came of it is judged against
the labels. Without a model that measures the rules. The exit code is 1 when a bar of the rules is missed.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from kept import Memory, __version__
from kept.domain.entities import entities
from kept.domain.temporal import resolve_dates
from kept.domain.text import terms
from kept.settings import Settings

CORPUS = Path(__file__).parent / "understanding"
SPLITS = ("dev", "held-out")
COVERED = 0.6
"""Share of a label's content words that a memory holds when it says the same: leaves room for other words, not another fact."""
INSIDE = 0.5
"""Share of a memory's content words that stand in words worth keeping; below it, most of the memory is junk."""
UNSUPPORTED = 0.3
"""Share of a memory's content words that its source may lack: a paraphrase changes some words."""
MOST_JUNK = 10.0
"""Per cent of what the rules keep."""
EVERYTHING = 10_000
"""More memories than a conversation can have."""
MONTHS = frozenset(
    "january february march april may june july august september october november december".split()  # noqa: SIM905 - reads as a sentence
)


@dataclass(frozen=True, kw_only=True)
class Label:
    """Something that should be kept.

    Attributes:
        turn: Position of the message that says it.
        quote: The words of that message that say it.
        text: What they say, standing alone.
        type: preference, decision, convention, task, event, profile or procedure.
        speaker: Whose words they are: a name as the messages give it, else a role.
        date: The days that the words name: `2026-03-02`, `2026-03`, `2026`, or `2026-03-02/2026-03-09` (end excluded).
    """

    turn: int
    quote: str
    text: str
    type: str
    speaker: str
    date: str | None = None


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """A labelled conversation.

    Attributes:
        messages: As `Memory.add` takes them.
        keep: What should be kept.
        may: Turn and words of what may be kept or not; all other words are junk.
        secrets: What must never be kept.
    """

    id: str
    kind: str
    language: str
    split: str
    messages: Sequence[Mapping[str, str]]
    keep: Sequence[Label]
    may: Sequence[tuple[int, str]] = ()
    secrets: Sequence[str] = ()

    def quotes(self, turn: int) -> list[str]:
        """The words of a message that are no junk."""
        return [label.quote for label in self.keep if label.turn == turn] + [
            quote for position, quote in self.may if position == turn
        ]


def conversations(split: str | None = None) -> list[Conversation]:
    """The corpus, or one split of it."""
    found = []
    for path in sorted(CORPUS.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            raw = json.loads(line)
            raw["keep"] = [Label(**label) for label in raw["keep"]]
            raw["may"] = [(passage["turn"], passage["quote"]) for passage in raw.get("may", ())]
            found.append(Conversation(**raw))
    return [conversation for conversation in found if split in (None, conversation.split)]


@dataclass
class Tally:
    """What was counted; each finding with the conversation and the words, for `--show`."""

    kept: int = 0
    labels: int = 0
    dated: int = 0
    findings: dict[str, list[str]] = field(default_factory=dict)

    def note(self, fault: str, conversation: Conversation, turn: object, text: str) -> None:
        """Record one fault."""
        self.findings.setdefault(fault, []).append(f"{conversation.id}:{turn} {text}")

    def count(self, fault: str) -> int:
        """How often a fault was found."""
        return len(self.findings.get(fault, ()))

    def figures(self) -> dict[str, float]:
        """Counts, and shares in per cent."""
        return {
            "memories": self.kept,
            "junk kept %": _share(self.count("junk"), self.kept),
            "labels": self.labels,
            "facts missed %": _share(self.count("missed"), self.labels),
            "wrong speaker": self.count("speaker"),
            "other type": self.count("type"),
            "dated labels": self.dated,
            "wrong date": self.count("date"),
            "date missed": self.count("undated"),
            "invention": self.count("invention"),
            "secrets kept": self.count("secret"),
        }


def judge(conversation: Conversation, memories: Sequence[Mapping[str, Any]], tally: Tally) -> None:
    """Compare what was kept of a conversation with its labels."""
    tally.kept += len(memories)
    tally.labels += len(conversation.keep)
    words = {memory["id"]: content(memory["memory"]) for memory in memories}
    telling = [
        [memory for memory in memories if label.turn in turns(memory) and tells(words[memory["id"]], label)]
        for label in conversation.keep
    ]
    for label, found in zip(conversation.keep, telling, strict=True):
        _judge_label(conversation, label, found, tally)
    useful = {memory["id"] for found in telling for memory in found}
    for memory in memories:
        if memory["id"] not in useful and not _is_quoted(conversation, memory, words[memory["id"]]):
            tally.note("junk", conversation, memory["position"], memory["memory"])
        if invented := _invented(conversation, memory):
            tally.note("invention", conversation, memory["position"], f"{sorted(invented)} in {memory['memory']}")
        if any(secret in memory["memory"] for secret in conversation.secrets):
            tally.note("secret", conversation, memory["position"], "(not shown)")


def _judge_label(conversation: Conversation, label: Label, telling: Sequence[Mapping[str, Any]], tally: Tally) -> None:
    tally.dated += label.date is not None
    for memory in telling:
        if memory.get("type", label.type) != label.type:
            tally.note("type", conversation, label.turn, f"{memory['type']} for {label.type}: {label.quote}")
        if memory.get("speaker") != label.speaker and not _names(memory, conversation, label):
            tally.note(
                "speaker", conversation, label.turn, f"{memory.get('speaker')} for {label.speaker}: {label.quote}"
            )
    if not covers(content(" ".join(memory["memory"] for memory in telling)), label):
        tally.note("missed", conversation, label.turn, label.quote)
    elif label.date is not None:
        found = {span for memory in telling for span in dates(memory)}
        wanted = days(label.date)
        if not found:
            tally.note("undated", conversation, label.turn, f"{label.date}: {label.quote}")
        elif not any(wanted[0] <= first and last <= wanted[1] for first, last in found):
            tally.note("date", conversation, label.turn, f"{sorted(found)} for {label.date}: {label.quote}")


def _names(memory: Mapping[str, Any], conversation: Conversation, label: Label) -> bool:
    """Whether a memory of somebody else's words says in its text whose they are."""
    message = conversation.messages[label.turn]
    return (
        label.speaker != message.get("name", message["role"])
        and label.speaker.casefold() in memory["memory"].casefold()
    )


def turns(memory: Mapping[str, Any]) -> set[int]:
    """Positions of the messages that a memory came from."""
    return {memory["position"], *memory.get("positions", ())} if "position" in memory else set()


def content(text: str) -> frozenset[str]:
    """The stems of a text without stop words."""
    return frozenset(terms(text))


def tells(words: frozenset[str], label: Label) -> bool:
    """Whether a memory with these words says what the label says, or a part of it."""
    return covers(words, label) or _is_inside(words, content(label.quote))


def covers(words: frozenset[str], label: Label) -> bool:
    """Whether these words say what the label says, in the speaker's words or in those of the label."""
    return any(
        len(wanted & words) >= COVERED * len(wanted) for wanted in (content(label.quote), content(label.text)) if wanted
    )


def _is_quoted(conversation: Conversation, memory: Mapping[str, Any], words: frozenset[str]) -> bool:
    quoted = content(" ".join(quote for turn in turns(memory) for quote in conversation.quotes(turn)))
    return _is_inside(words, quoted)


def _is_inside(words: frozenset[str], others: frozenset[str]) -> bool:
    return bool(words) and len(words & others) >= INSIDE * len(words)


def dates(memory: Mapping[str, Any]) -> set[tuple[date, date]]:
    """The spans of days that a memory names, as the engine worked them out; of a fact, those in its text."""
    if memory.get("kind") == "fact":
        named = resolve_dates(memory["memory"], datetime.fromisoformat(memory["created_at"]))
        return {(span.start, span.end) for span in named}
    spans = (memory.get("metadata") or {}).get("dates", ())
    return {(date.fromisoformat(span["from"]), date.fromisoformat(span["to"])) for span in spans}


def days(text: str) -> tuple[date, date]:
    """The first day of a label's date and the day after its last."""
    first, _, last = text.partition("/")
    if last:
        return date.fromisoformat(first), date.fromisoformat(last)
    year, month, day = (*map(int, first.split("-")), 0, 0)[:3]
    if day:
        return date(year, month, day), date(year, month, day) + timedelta(days=1)
    if month:
        return date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)
    return date(year, 1, 1), date(year + 1, 1, 1)


def _invented(conversation: Conversation, memory: Mapping[str, Any]) -> set[str]:
    """Numbers and names of a memory that nothing in its conversation supports; all its words, when too many are its own."""
    text = re.sub(r"\[redacted:[a-z_-]+\]", "", memory["memory"])
    said = content(" ".join(f"{message.get('name', '')} {message['content']}" for message in conversation.messages))
    dated = {str(part) for span in dates(memory) for day in span for part in (day.year, day.month, day.day)}
    own = content(text) - said - MONTHS - dated
    names = {word for entity in entities(text) if entity.kind == "name" for word in content(entity.name)}
    if len(own) > UNSUPPORTED * len(content(text)):
        return set(own)
    return {word for word in own if word in names or any(map(str.isdigit, word))}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when a bar of the rules is missed."""
    options = _parse(arguments)
    chosen = conversations(options.split)
    tallies: dict[str, Tally] = {}
    for conversation, memories in remembered(chosen, options.model):
        for group in (conversation.split, f"{conversation.split}, {conversation.kind}", f"in {conversation.language}"):
            judge(conversation, memories, tallies.setdefault(group, Tally()))
    report = {group: tallies[group].figures() for group in sorted(tallies)}
    if options.json:
        print(json.dumps({"about": _about(options, chosen), **report}, indent=2))
    else:
        print(_table(report))
        print("\n".join(f"{key}: {value}" for key, value in _about(options, chosen).items()))
    if options.show:
        for split in SPLITS:
            print("\n".join(tallies.get(split, Tally()).findings.get(options.show, ())))
    return 0 if options.model else int(any(_misses(tallies[split]) for split in SPLITS if split in tallies))


def remembered(
    chosen: Iterable[Conversation], model: str | None = None
) -> Iterator[tuple[Conversation, list[dict[str, Any]]]]:
    """Each conversation with the memories that the engine makes of it.

    With a model those are the facts that it takes from the conversation, not the statements beside them.

    Raises:
        SystemExit: The model could not be asked, or answered nothing that can be read.
    """
    with Memory(settings=_settings(model)) as memory:
        for conversation in chosen:
            added = memory.add(list(conversation.messages), user_id=conversation.id, run_id=conversation.id, related=0)
            for part in added.get("extractions", ()):
                if part["error"]:
                    raise SystemExit(f"{conversation.id}: {part['status']}: {part['error']}")
            found = memory.get_all(user_id=conversation.id, top_k=EVERYTHING)["results"]
            yield conversation, [one for one in found if model is None or one["kind"] == "fact"]


def _settings(model: str | None) -> Settings:
    """The defaults, whatever this machine is set to, in a store that nothing outlives; of a model, its key and limits as set."""
    environ: dict[str, str] | None = None if model else {}
    return Settings.load(environ=environ, config=CORPUS / "none.toml", database="memory://", llm=model)


def _misses(tally: Tally) -> bool:
    """Whether the rules are below what they promise."""
    figures = tally.figures()
    return figures["junk kept %"] >= MOST_JUNK or any(
        figures[name] for name in ("wrong speaker", "invention", "secrets kept")
    )


def _share(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0


def _table(report: Mapping[str, Mapping[str, float]]) -> str:
    columns = list(Tally().figures())
    lines = [f"| conversations | {' | '.join(columns)} |", f"| --- |{' ---: |' * len(columns)}"]
    lines += [
        f"| {group} | {' | '.join(str(figures[name]) for name in columns)} |" for group, figures in report.items()
    ]
    return "\n".join([*lines, ""])


def _about(options: argparse.Namespace, chosen: Sequence[Conversation]) -> dict[str, str]:
    types = Counter(label.type for conversation in chosen for label in conversation.keep)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "kept": __version__,
        "python": platform.python_version(),
        "extraction": options.model or "rules",
        "corpus": f"{len(chosen)} conversations, {sum(len(one.messages) for one in chosen)} messages",
        "labels": ", ".join(f"{count} {name}" for name, count in types.most_common()),
    }


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what is understood of conversations.")
    parser.add_argument("--model", metavar="PROVIDER:NAME", help="extract with this model (default: the rules)")
    parser.add_argument("--split", choices=SPLITS, help="only this part of the corpus")
    parser.add_argument(
        "--show",
        choices=["junk", "missed", "speaker", "type", "date", "undated", "invention", "secret"],
        help="list what was found wrong; not for tuning on the held-out part",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
