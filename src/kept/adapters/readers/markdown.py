"""Reads Markdown: notes, conventions, journals.

Each paragraph and list item becomes a message that starts with its headings (`Conventions > Testing: …`), so that what it
says keeps its subject; the rules then take statements out of it as out of any other message.
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
_ITEM: Final = re.compile(r" {0,3}(?:[-*+]|\d{1,9}[.)])[ \t]+")
_OWN_LINE: Final = frozenset("`~|>")
"""What code, tables and quotes begin with: they mean something only at the beginning of a line."""
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
        """One session with a message for each paragraph and list item; none when the file says nothing.

        A list or code block stays with the line that introduces it (one that ends with a colon), a nested list with its item.

        The role is `user`: notes are the user's own words. The time is that of a date in the nearest heading, else the front
        matter's `date`. A `source_id` is a hash of the file's stem, the headings and the content. Long blocks are split.

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
        """The section's blocks as texts of bounded length, each with the headings before it."""
        return [
            self._under_headings(passage)
            for block in _blocks(self.lines)
            for passage in passages(block, reserved=len(self.title))
        ]

    def _under_headings(self, text: str) -> str:
        if not self.title:
            return text
        return f"{self.title}:\n\n{text}" if text[0] in _OWN_LINE else f"{self.title}: {text}"


@dataclass(slots=True)
class _Block:
    """A paragraph, a list item, or either with what it introduces."""

    lines: list[str]
    indent: int = 0
    """Columns before a list item's text; 0 for a paragraph."""
    listing: bool = False
    """Whether it holds the items of the list that it introduces."""
    fence: str = ""

    @classmethod
    def begin(cls, line: str) -> _Block:
        """The block that starts with this line, without a list item's mark."""
        item = _ITEM.match(line)
        indent = item.end() if item else 0
        fence = _FENCE.match(line[indent:])
        return cls([line[indent:]], indent, fence=fence[1] if fence else "")

    def holds(self, line: str, gap: bool) -> bool:
        """Whether a line that is not blank goes on with this block; `gap`: blank lines stand before it."""
        if self.fence or (line[0] in " \t" and (self.indent or self.listing)):
            return True
        introduces = self.lines[-1].rstrip().endswith(":")
        if _ITEM.match(line):
            return introduces or self.listing
        return introduces or not gap

    def add(self, line: str, gap: int) -> None:
        """Go on with a line behind `gap` blank ones."""
        self.lines += [""] * gap
        self.listing = self.listing or (not self.indent and not self.fence and _ITEM.match(line) is not None)
        mark = _FENCE.match(line)
        if mark or self.fence:
            self.fence = _fence_after(self.fence, mark[1] if mark else "", line)
        blank = line[: self.indent].isspace()
        self.lines.append(line[self.indent :] if blank else line)

    def text(self) -> str:
        """The block as one text."""
        return "\n".join(self.lines).strip("\n").rstrip()


def _blocks(lines: list[str]) -> Iterator[str]:
    """The blocks of a section, in order."""
    block: _Block | None = None
    gap = 0
    for line in lines:
        if not line.strip():
            gap += 1
            continue
        if block and block.holds(line, gap > 0):
            block.add(line, gap)
        else:
            if block:
                yield block.text()
            block = _Block.begin(line)
        gap = 0
    if block and block.text().strip():
        yield block.text()


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
    """A heading's text without a colon at its end and the number signs that may close it (`## A ##`, but not `## C#`)."""
    title = text.strip()
    opened = title.rstrip("#")
    closed = opened != title and (not opened or opened[-1] in " \t")
    return (opened if closed else title).rstrip(" \t:")


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
