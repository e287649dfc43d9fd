"""Reads Markdown: notes, conventions, journals.

Each section becomes a message that starts with its headings (`Conventions > Testing:`), so that what it says keeps its
subject; the rules then take statements out of it as out of any other message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kept.adapters.readers.decoding import read_text
from kept.adapters.readers.passages import find_when, passages, when
from kept.adapters.readers.source_ids import SourceIds
from kept.domain.memory import Message
from kept.ports import ReadSession

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

SUFFIXES: Final = frozenset({".md", ".markdown", ".mdx"})

_ATX: Final = re.compile(r" {0,3}(#{1,6})(?=[ \t]|$)")
_SETEXT: Final = re.compile(r" {0,3}(=+|-{2,})[ \t]*")
_BREAK: Final = re.compile(r" {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}")
_FENCE: Final = re.compile(r"[ \t]*(`{3,}|~{3,})")
_BLOCK_MARK: Final = re.compile(r"\s*(?:[-*+>|]|\d+[.)]|$)")
"""What a line of plain prose does not begin with; only such a line can be underlined to a heading."""

_DATE_FIELD: Final = re.compile(r"date\s*[:=]", re.IGNORECASE)


@dataclass(slots=True)
class MarkdownReader:
    """Reads Markdown.

    Attributes:
        warnings: A date in the front matter of the last file that could not be read.
    """

    warnings: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The format's name."""
        return "markdown"

    def accepts(self, path: Path, head: str) -> bool:  # noqa: ARG002
        """Whether the file is named like Markdown: any text can be."""
        return path.suffix.lower() in SUFFIXES

    def read(self, path: Path) -> Iterator[ReadSession]:
        """One session with a message for each section that says something; none when the file says nothing.

        The role is `user`: notes are the user's own words. The time is that of a date in the nearest heading, else the front
        matter's `date`. A `source_id` is a hash of the file's stem, the headings and the content. Long sections are split.

        Raises:
            NotFoundError: There is no such file.
            InvalidInputError: It is not text.
        """
        self.warnings.clear()
        lines = read_text(path).split("\n")
        start, at = self._front_matter(lines, path)
        ids = SourceIds()
        messages = [
            Message(role="user", content=content, at=section.at, source_id=ids.next(path.stem, section.title, content))
            for section in _sections(lines[start:], at)
            for content in section.contents()
        ]
        if messages:
            yield ReadSession(messages=tuple(messages), metadata={"file": path.name})

    def _front_matter(self, lines: list[str], path: Path) -> tuple[int, datetime | None]:
        """Index of the first line behind the front matter, and the date it gives."""
        closing = {"---": ("---", "..."), "+++": ("+++",)}.get(lines[0].rstrip())
        end = next((i for i, line in enumerate(lines[1:], 1) if closing and line.rstrip() in closing), 0)
        for number, line in enumerate(lines[1:end], 2):
            if match := _DATE_FIELD.match(line):
                written = line[match.end() :].partition(" #")[0].strip().strip("'\"")
                at = when(written)
                if at is None and written:
                    self.warnings.append(f"{path}:{number}: the date is not ISO 8601 (2026-03-02); left out.")
                return end + 1, at
        return (end + 1 if end else 0), None


@dataclass(slots=True)
class _Section:
    """The lines under one heading, and the headings above them."""

    title: str
    at: datetime | None
    lines: list[str] = field(default_factory=list)

    def contents(self) -> list[str]:
        """The section as texts of bounded length, each with the headings before it; none when it is empty."""
        body = "\n".join(self.lines).strip("\n").rstrip()
        if not body.strip():
            return []
        start = f"{self.title}:\n\n" if self.title else ""
        return [start + passage for passage in passages(body, reserved=len(start))]


@dataclass(slots=True)
class _Outline:
    """The headings that are open at a line: level, title, and the date that holds under it."""

    at: datetime | None
    open: list[tuple[int, str, datetime | None]] = field(default_factory=list)

    def enter(self, level: int, title: str) -> _Section:
        """The section under a new heading."""
        while self.open and self.open[-1][0] >= level:
            self.open.pop()
        inherited = self.open[-1][2] if self.open else self.at
        self.open.append((level, title, find_when(title) or inherited))
        return _Section(" > ".join(name for _, name, _ in self.open if name), self.open[-1][2])


def _sections(lines: list[str], at: datetime | None) -> Iterator[_Section]:
    """Sections in order, the one before the first heading included."""
    outline = _Outline(at)
    section = _Section("", at)
    fence = ""
    for line in _without_comments(lines):
        mark = _FENCE.match(line)
        if fence or mark:
            fence = _fence_after(fence, mark[1] if mark else "", line)
            section.lines.append(line)
        elif heading := _ATX.match(line):
            yield section
            section = outline.enter(len(heading[1]), _title(line[heading.end() :]))
        elif (underline := _SETEXT.fullmatch(line)) and _is_title(section.lines):
            title = section.lines.pop().strip()
            yield section
            section = outline.enter(1 if underline[1][0] == "=" else 2, title)
        elif not _BREAK.fullmatch(line):
            section.lines.append(line)
    yield section


def _fence_after(fence: str, mark: str, line: str) -> str:
    """The fence that is open behind a line: `fence` before it, `mark` the one in it, if any."""
    if not fence:
        return mark
    closes = mark.startswith(fence) and line.strip() == mark
    return "" if closes else fence


def _title(text: str) -> str:
    """A heading's text without the number signs that may close it (`## Title ##`, but not `## C#`)."""
    title = text.strip()
    opened = title.rstrip("#")
    return opened.rstrip() if opened != title and (not opened or opened[-1] in " \t") else title


def _is_title(lines: list[str]) -> bool:
    """Whether the last line is prose that stands alone, as an underlined heading does."""
    return bool(lines) and not _BLOCK_MARK.match(lines[-1]) and (len(lines) == 1 or not lines[-2].strip())


def _without_comments(lines: list[str]) -> Iterator[str]:
    """Lines without HTML comments; those inside fenced code stay. A comment that nothing closes goes to the end."""
    fence = ""
    inside = False
    for line in lines:
        if not inside and (fence or _FENCE.match(line)):
            mark = _FENCE.match(line)
            fence = _fence_after(fence, mark[1] if mark else "", line)
            yield line
            continue
        kept, inside = _cut_comments(line, inside)
        if kept.strip() or not line.strip():
            yield kept


def _cut_comments(line: str, inside: bool) -> tuple[str, bool]:
    """What of a line is no comment, and whether a comment is open behind it."""
    kept: list[str] = []
    position = 0
    while True:
        found = line.find("-->" if inside else "<!--", position)
        if not inside:
            kept.append(line[position:] if found < 0 else line[position:found])
        if found < 0:
            return "".join(kept).rstrip() if len(kept) > 1 else "".join(kept), inside
        position = found + (3 if inside else 4)
        inside = not inside
