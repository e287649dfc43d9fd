"""A long conversation in parts that a language model can read one at a time. Pure.

Each part comes with what was said just before it, as context: enough to know what an answer answers and who `she` is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice, pairwise
from operator import itemgetter
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
        between: What was said between the messages and is not read here, cut in the same way, by the position that it stands before.
    """

    messages: Sequence[tuple[int, Message]]
    context: Sequence[Message] = ()
    between: Mapping[int, Sequence[Message]] = field(default_factory=dict)

    @property
    def besides(self) -> Sequence[Message]:
        """All that is to be understood and not to be taken from."""
        return (*self.context, *chain.from_iterable(self.between.values()))

    def stretches(self) -> Iterator[tuple[Sequence[Message], Sequence[Message]]]:
        """Messages that follow one another, with what was said just before them, in order."""
        waiting = sorted(self.between.items(), key=itemgetter(0))
        before, stretch = list(self.context), list[Message]()
        for position, message in self.messages:
            while waiting and waiting[0][0] <= position:
                if stretch:
                    yield before, stretch
                    before, stretch = [], []
                before += waiting.pop(0)[1]
            stretch.append(message)
        if stretch:
            yield before, stretch


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


def unread(part: Part, known: Collection[int]) -> Part:
    """A part without the turns that were read before: they are context of what comes after them.

    Args:
        part: Some messages of an episode.
        known: Positions in the episode that were read before, or wait for it.
    """
    fresh: list[tuple[int, Message]] = []
    context, between = part.context, {}
    before = list(part.context)
    for position, message in part.messages:
        if position in known:
            before.append(_cut(message))
            continue
        if not fresh:
            context = tuple(before[-CONTEXT_MESSAGES:])
        elif before:
            between[position] = tuple(before[-CONTEXT_MESSAGES:])
        fresh.append((position, message))
        before = []
    return Part(messages=tuple(fresh), context=context, between=between)


def reach(part: Part, messages: Sequence[Message]) -> range:
    """The positions of all that a part shows of its episode, from the first turn of its context to its last message.

    Args:
        part: Some messages of an episode, at least one.
        messages: All of the episode's.
    """
    first, last = part.messages[0][0], part.messages[-1][0]
    before = (place for place in range(first - 1, -1, -1) if is_read(messages[place]))
    return range(min(islice(before, CONTEXT_MESSAGES), default=first), last + 1)


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
