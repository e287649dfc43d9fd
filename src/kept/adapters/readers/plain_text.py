"""Reads plain text: paragraphs, and dialogues written as `Speaker: text`."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kept.adapters.readers.chat_json import ROLES
from kept.adapters.readers.decoding import read_text
from kept.adapters.readers.passages import ISO_TIME, ISO_WHEN, passages, when
from kept.adapters.readers.source_ids import SourceIds
from kept.domain.memory import Message
from kept.ports import ReadSession

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

SUFFIXES: Final = frozenset({".txt", ".text"})
_OTHERS: Final = frozenset({".json", ".jsonl", ".ndjson"})
"""Data that another reader would have accepted if it were a conversation."""

_DATE_LINE: Final = re.compile(
    rf"[\s\[(#*=\u2013\u2014-]*(?:date:\s*)?(?:[a-z]{{3,9}},?\s+)?({ISO_WHEN})(?:,?\s+[a-z]{{3,9}})?[\s\])*=\u2013\u2014:-]*",
    re.IGNORECASE,
)
"""A line that holds a date and nothing else, but perhaps a weekday and ornaments."""

_TURN: Final = re.compile(
    rf"\s*(?:[\[(]?({ISO_WHEN}|{ISO_TIME})[\])]?\s*(?:[-\u2013\u2014,]\s*)?)?([^\W\d_][\w.'\u2019-]*(?: [\w.'\u2019-]+){{0,2}})\s?:(?:\s+(.*))?"
)
"""A name of one to three words and a colon, perhaps after a time."""

_LONGEST_NAME: Final = 40
"""Longer ones are the beginnings of sentences."""


@dataclass(slots=True)
class PlainTextReader:
    """Reads plain text.

    Attributes:
        warnings: Always empty: any text is understood.
    """

    warnings: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The format's name."""
        return "plain-text"

    def accepts(self, path: Path, head: str) -> bool:
        """Whether it is text at all, and not JSON that says nothing. The last reader to ask."""
        return "\0" not in head and "\ufffd" not in head and path.suffix.lower() not in _OTHERS

    def read(self, path: Path) -> Iterator[ReadSession]:
        """One session; none when the file says nothing.

        A dialogue gives a message for each turn, with the speaker as `name` and the role `user` (or the role itself, for
        "Assistant:" and the like). Other text gives a message for each paragraph, long ones split. A line that holds only
        an ISO date sets the time of what follows, as does one before a turn. A `source_id` is a hash of the file's stem, name,
        content and time.

        Raises:
            NotFoundError: There is no such file.
            InvalidInputError: It is not text.
        """
        lines = read_text(path).split("\n")
        turns = _turns(lines) if _is_dialogue(lines) else _paragraphs(lines)
        ids = SourceIds()
        messages = [
            Message(
                role=ROLES.get((turn.name or "").lower(), "user"),
                content=content,
                name=None if (turn.name or "").lower() in ROLES else turn.name,
                at=turn.at,
                source_id=ids.next(path.stem, turn.name, content, turn.at.isoformat() if turn.at else None),
            )
            for turn in turns
            for content in turn.contents()
        ]
        if messages:
            yield ReadSession(messages=tuple(messages), metadata={"file": path.name})


@dataclass(slots=True)
class _Turn:
    """What was said in one go: by whom, when, in which lines."""

    name: str | None
    at: datetime | None
    lines: list[str] = field(default_factory=list)

    def contents(self) -> list[str]:
        """The text in parts of bounded length; none when it is blank."""
        text = "\n".join(self.lines).strip()
        return passages(text) if text else []


def _is_dialogue(lines: list[str]) -> bool:
    """Whether most lines are turns of at least two speakers, one of whom comes back (a list of fields has none)."""
    spoken = [line for line in lines if line.strip() and not _DATE_LINE.fullmatch(line)]
    speakers = Counter(turn[2].lower() for line in spoken if (turn := _turn(line)))
    return 2 * speakers.total() > len(spoken) and len(speakers) > 1 and max(speakers.values()) > 1


def _turn(line: str) -> re.Match[str] | None:
    turn = _TURN.fullmatch(line)
    return turn if turn and len(turn[2]) <= _LONGEST_NAME else None


def _turns(lines: list[str]) -> Iterator[_Turn]:
    """Turns of a dialogue; a line without a speaker goes on with the turn before it."""
    day: datetime | None = None
    current = _Turn(None, None)
    for line in lines:
        if date_line := _DATE_LINE.fullmatch(line):
            day = when(date_line[1]) or day
        elif turn := _turn(line):
            yield current
            at = _moment(turn[1], day)
            current = _Turn(turn[2], at, [turn[3] or ""])
        else:
            current.lines.append(line)
    yield current


def _moment(written: str | None, day: datetime | None) -> datetime | None:
    """The time of a turn: as written, on `day` when only a clock time is written, else `day` itself."""
    if not written:
        return day
    if "-" in written[:5]:
        return when(written) or day
    return (when(f"{day.date().isoformat()}T{written}") or day) if day else None


def _paragraphs(lines: list[str]) -> Iterator[_Turn]:
    """Runs of lines between blank ones."""
    current = _Turn(None, None)
    for line in lines:
        date_line = _DATE_LINE.fullmatch(line)
        if line.strip() and not date_line:
            current.lines.append(line)
            continue
        yield current
        current = _Turn(None, (when(date_line[1]) if date_line else None) or current.at)
    yield current
