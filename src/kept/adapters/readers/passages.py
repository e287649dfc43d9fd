"""What Markdown and plain text have in common: passages of bounded length, and dates written as ISO 8601."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from kept.domain.temporal import parse_when
from kept.domain.text import chunks
from kept.errors import InvalidInputError

if TYPE_CHECKING:
    from datetime import datetime

PASSAGE_CHARACTERS: Final = 2000
"""Length that a message made from a document should not exceed: a page, whose statements still share their context."""

ISO_DATE: Final = r"\d{4}-\d\d-\d\d"
ISO_TIME: Final = r"\d\d:\d\d(?::\d\d(?:[.,]\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?"
ISO_WHEN: Final = rf"{ISO_DATE}(?:[T ]{ISO_TIME})?"
"""A day or a moment; only this form is read, because 03/04/2026 means two days."""

_WHEN: Final = re.compile(rf"(?<!\d){ISO_WHEN}(?!\d)")


def passages(text: str, reserved: int = 0) -> list[str]:
    """Split a text at paragraph, sentence or line ends; fenced code stays whole up to three times the usual length.

    Args:
        text: Any text that is not blank.
        reserved: Characters of each passage that the caller needs for itself.
    """
    return chunks(text, max(PASSAGE_CHARACTERS - reserved, PASSAGE_CHARACTERS // 2))


def find_when(text: str) -> datetime | None:
    """The first date or moment written in a text, None when there is none or it is on no calendar (2026-02-30)."""
    match = _WHEN.search(text)
    return when(match[0]) if match else None


def when(text: str) -> datetime | None:
    """The moment that an ISO date or time names, None when it names none."""
    try:
        return parse_when(text)
    except InvalidInputError:
        return None
