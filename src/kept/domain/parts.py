"""A long conversation in parts that a language model can read one at a time. Pure.

Each part comes with what was said just before it, as context: enough to know what an answer answers and who `she` is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from kept.domain.memory import SOURCE_ROLES, Message
from kept.domain.text import chunks, count_tokens, terms

PART_TOKENS: Final = 3_000
"""Tokens of one part, by the cautious count: some 50 chat messages. In much longer texts models overlook facts; in much
shorter ones the instructions are most of what is paid."""
CONTEXT_MESSAGES: Final = 4
"""Messages before a part that are given with it: two turns of each side."""
CONTEXT_CHARACTERS: Final = 240
"""The end of a message that is kept of it as context: some two sentences."""
_DEICTIC: Final = re.compile(
    r"\b(?:he|him|his|she|hers?|they|them|theirs?|it|its|this|that|these|those|there|then|such|yes|yeah|no|nope|ok(?:ay)?|sure|agreed"
    r"|right|exactly|correct|same|too|instead|ja|nein|genau|oui|non|s\u00ed)\b",
    re.IGNORECASE,
)
"""Words that mean what was said before them."""
_LEAST_TERMS: Final = 2
"""Terms of a message that may stand alone, stop words left out: `live`, `Berlin`."""
_MESSAGE_TOKENS: Final = 8
"""What a message's number, speaker and line end cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some messages of an episode, to be read together.

    Attributes:
        messages: Position in the episode and message; a message too long for one part appears in several, in pieces.
        context: What was said before, cut: to be understood, not to be taken from.
    """

    messages: Sequence[tuple[int, Message]]
    context: Sequence[Message] = ()


def parts(messages: Sequence[Message], *, earlier: Sequence[Message] = (), tokens: int = PART_TOKENS) -> list[Part]:
    """The parts of an episode, in order; none of them has blank messages, or such as are never a source (`system`).

    Args:
        messages: All of the episode's, so that their indexes are its positions.
        earlier: What was said in the same conversation before the episode.
        tokens: What a part may hold; a piece of one long message may exceed it by what is denser there than elsewhere.
    """
    context = [message for message in earlier if is_read(message)]
    found: list[Part] = []
    for group in _groups(list(_pieces(messages, tokens)), tokens):
        found.append(Part(messages=group, context=tuple(map(_cut, context[-CONTEXT_MESSAGES:]))))
        context += [message for _, message in group]
    return found


def unread(part: Part, known: int) -> Part:
    """A part without the first turns of its episode, which were read before: they are context of what comes after them.

    Args:
        part: Some messages of an episode.
        known: How many of the episode's messages were read before, from its beginning.
    """
    before = [message for position, message in part.messages if position < known]
    context = [*part.context, *map(_cut, before)]
    fresh = tuple((position, message) for position, message in part.messages if position >= known)
    return Part(messages=fresh, context=tuple(context[-CONTEXT_MESSAGES:]))


def stands_alone(message: Message) -> bool:
    """Whether a message says enough by itself to mean the same in another conversation; `She does.` does not."""
    return not _DEICTIC.search(message.content) and len(set(terms(message.content))) >= _LEAST_TERMS


def is_read(message: Message) -> bool:
    """Whether a message is read at all: instructions to a model are not, nor what is blank."""
    return message.role not in SOURCE_ROLES and bool(message.content.strip())


def _pieces(messages: Sequence[Message], tokens: int) -> Iterator[tuple[int, Message]]:
    """The messages with their positions, one too long for a part in pieces; its attachments go with the first."""
    for position, message in enumerate(messages):
        if not is_read(message):
            continue
        pieces, cost = [message.content], count_tokens(message.content)
        if cost > tokens:
            pieces = chunks(message.content, len(message.content) * tokens // cost)
        for number, piece in enumerate(pieces):
            yield position, replace(message, content=piece, attachments=() if number else message.attachments)


def _groups(pieces: Sequence[tuple[int, Message]], tokens: int) -> Iterator[Sequence[tuple[int, Message]]]:
    """Runs of pieces that fit a part. A new one begins where the next does not fit."""
    starts, spent = [0], 0
    for index, (_, message) in enumerate(pieces):
        cost = count_tokens(message.content) + _MESSAGE_TOKENS
        if spent and spent + cost > tokens:
            starts.append(index)
            spent = 0
        spent += cost
    for start, end in pairwise([*starts, len(pieces)]):
        if start < end:
            yield tuple(pieces[start:end])


def _cut(message: Message) -> Message:
    """The end of a message: what follows answers that."""
    text = message.content.strip()
    if len(text) > CONTEXT_CHARACTERS:
        text = "…" + text[-CONTEXT_CHARACTERS:].split(" ", 1)[-1]
    return replace(message, content=text, attachments=())
