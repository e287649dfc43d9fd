"""Stored text made fit for a terminal: no control characters, and lines that fit, counted in columns."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029"
    "\xad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)
"""C0 and C1 controls but tab and line feed (an escape sequence could rewrite the screen), marks that turn the direction
of what follows or end a line, and characters nobody sees (Unicode's Cf), in which a text for a model could hide. The two
joiners stay: emoji, Persian and Indic scripts need them."""
_WIDE: Final = frozenset("WF")
_NO_WIDTH: Final = frozenset({"Mn", "Me", "Cf"})
ELLIPSIS: Final = "…"


def printable(text: str) -> str:
    """The text with control and invisible characters as visible escapes."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def one_line(text: str) -> str:
    """The text on one line, white space collapsed, control and invisible characters visible."""
    return printable(" ".join(text.split()))


def columns(text: str) -> int:
    """Columns that the text takes on a terminal (Unicode's East Asian width; combining marks take none)."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def cut(text: str, width: int) -> str:
    """The text's beginning in at most `width` columns; an ellipsis says that something is missing."""
    if columns(text) <= width:
        return text
    taken, used = "", 0
    for character in text:
        used += _columns(character)
        if used > width - 1:
            break
        taken += character
    return taken + ELLIPSIS


def padded(text: str, width: int) -> str:
    """The text cut or filled to exactly `width` columns."""
    text = cut(text, width)
    return text + " " * (width - columns(text))


def wrapped(text: str, width: int) -> list[str]:
    """The words of the text on lines of at most `width` columns; a longer word is broken."""
    lines, line = [], ""
    for word in text.split():
        rest = word
        joined = f"{line} {rest}" if line else rest
        if columns(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        while columns(rest) > width:
            head = _head(rest, width)
            lines.append(head)
            rest = rest[len(head) :]
        line = rest
    return [*lines, line] if line or not lines else lines


def _head(word: str, width: int) -> str:
    """As much of the word as fits; at least one character."""
    used = 0
    for number, character in enumerate(word):
        used += _columns(character)
        if used > width:
            return word[: max(number, 1)]
    return word


def _columns(character: str) -> int:
    if unicodedata.category(character) in _NO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1
