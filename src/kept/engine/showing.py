"""Memories as a language model is shown them, and what they say, to hold against it what a model makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from kept.domain.memory import MemoryRecord, first_person
from kept.domain.support import Source, Sources

NAME_CHARACTERS: Final = 60
"""Of a speaker's name that is shown."""


def one_line(text: str, characters: int | None = None) -> str:
    """What others wrote, on one line, so that no text can pretend to be another entry; at most so many characters."""
    return " ".join(text.split())[:characters]


def lines(records: Sequence[MemoryRecord], characters: int | None = None) -> Iterator[str]:
    """Memories, numbered from 1, each on a line with its day and who said it; of each text at most so many characters."""
    for number, record in enumerate(records, 1):
        speaker = one_line(_speaker(record) or "", NAME_CHARACTERS)
        said = f"{speaker}: " if speaker else ""
        yield f"{number} ({record.created_at.date().isoformat()}) {said}{one_line(record.text, characters)}"


def sources(records: Sequence[MemoryRecord]) -> Sources:
    """What memories say, in the order in which it was said."""
    said = sorted(records, key=lambda record: record.created_at)
    return Sources([Source(text=record.text, speaker=_speaker(record), at=record.created_at) for record in said])


def _speaker(record: MemoryRecord) -> str | None:
    """Who says "I" in a memory, by a name that a sentence can have: ids with digits are none."""
    name = first_person(record.scope, record.role, record.speaker)
    return record.speaker if name is None or any(map(str.isdigit, name)) else name
