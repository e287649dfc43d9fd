"""Words of others in a message: lines of a chat, quotations, mails. They stay together with whose they are."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from kept.domain.text import sentence_spans

__all__ = ["Mail", "is_header", "is_labelled", "mail_in", "whole_sentences"]

_NAME: Final = r"[A-Z\u00c0-\u00de][\w.'\u2019-]{0,30}"
_LABELLED: Final = re.compile(
    r"(?![A-Z_]+:)(?:\[[^\]\n]{1,24}\][ \t]*|\(\d[^)\n]{1,22}\)[ \t]*|\d{1,2}:\d\d[ \t]+)?"
    rf"{_NAME}(?: {_NAME}){{0,2}}:[ \t]+\S|>[ \t]?\S"
)
"""The beginning of a line of somebody: `[10:41] Ines: \u2026`, `Ines: \u2026`, `> \u2026`."""
_QUOTATIONS: Final = {"\u201e": "\u201c\u201d", "\u201c": "\u201d", "\u00ab": "\u00bb", "\u300c": "\u300d"}
_OTHERS: Final = re.compile('[:>"\u201c\u201e\u00ab\u300c]')
"""Without any of these, all words are the speaker's own."""
_QUOTATION_MARK: Final = re.compile('["\u201c\u201e\u00ab\u300c]')
_FROM: Final = re.compile(r"(?mi)^(?:From|Von|De|Da|Sender):[ \t]*([^\n<]{1,80})")
_HEADER: Final = re.compile(
    r"(?mi)^(?:From|Von|De|Da|Sender|To|Cc|Bcc|Subject|Date|Sent|Reply-To|An|Betreff|Datum|Gesendet|Para|Asunto|\u00c0|Objet)"
    r":[ \t][^\n]*"
)


class Mail(NamedTuple):
    """A mail that stands in a message.

    Attributes:
        start: Where it begins; it goes on to the end of the message.
        sender: As its head says.
    """

    start: int
    sender: str


def mail_in(text: str) -> Mail | None:
    """The mail in a message, told by a head of at least two lines."""
    match = _FROM.search(text)
    if match is None or not _HEADER.search(text, match.end()):
        return None
    return Mail(match.start(), match[1].strip(" \"'\t"))


def is_header(line: str) -> bool:
    """Whether a line is one of a mail's head."""
    return _HEADER.fullmatch(line) is not None


def is_labelled(line: str) -> bool:
    """Whether a line says whose it is (`Ines: I am vegan now.`) or that it is quoted (`> \u2026`)."""
    return (":" in line or line.startswith(">")) and _LABELLED.match(line) is not None


def whole_sentences(text: str, start: int, end: int, limit: int) -> list[tuple[int, int]]:
    """Spans of the sentences between `start` and `end`; those of one labelled line, or in one pair of quotation marks, are one.

    Args:
        text: The message.
        start: Where to begin.
        end: Where to end, half-open.
        limit: Characters that a span of several sentences has at most.
    """
    found = [(first + start, last + start) for first, last in sentence_spans(text[start:end])]
    if not _OTHERS.search(text, start, end):
        return found
    spans: list[tuple[int, int]] = []
    for following in found:
        if spans and following[1] - spans[-1][0] <= limit and _is_one(text, spans[-1], following[0], limit):
            spans[-1] = (spans[-1][0], following[1])
        else:
            spans.append(following)
    return spans


def _is_one(text: str, before: tuple[int, int], following: int, limit: int) -> bool:
    """Whether the sentence at `following` belongs to whose the one before it is."""
    start, end = before
    gap = text[end:following]
    if gap.count("\n") > 1 or text.startswith("```", start) or text.startswith("```", following):
        return False
    if "\n" not in gap and is_labelled(text[start:end]):
        return True
    if text.startswith(">", start) and text.startswith(">", following):
        return True
    return any(text.find(mark, end, start + limit) >= 0 for mark in _closing(text[start:end]))


def _closing(text: str) -> str:
    """The marks that can close a quotation which begins in `text` and does not end there."""
    if not _QUOTATION_MARK.search(text):
        return ""
    for opening, closing in _QUOTATIONS.items():
        if (begun := text.rfind(opening)) >= 0:
            return "" if any(mark in text[begun + 1 :] for mark in closing) else closing
    return '"' if text.count('"') % 2 else ""
