"""What of a conversation was said before in another, wherever it stands in either. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from kept.domain.attachments import came_with
from kept.domain.memory import Message
from kept.domain.parts import is_read, stands_alone
from kept.domain.temporal import resolve_dates
from kept.domain.text import normalise

RUNS: Final = 32
"""Runs of messages that are looked for: what is sent again is one run or few; what was put into another order is new."""
NEAREST: Final = 4
"""Places, of more that begin alike, at which a run is looked for: the nearest behind the last one, as many of the first, and of the newest.
What is sent again is there; all of them would take the square of what was said."""

Words = tuple[str, str | None, str]
_Said = tuple[Words, str | None]
"""The words, and a digest of what came with them."""


def words(message: Message) -> Words:
    """What makes two messages the same: who speaks, and the words, whatever stands between them."""
    return (message.role, message.name, normalise(message.content))


def said_before(
    said: Sequence[Message], earlier: Sequence[Message], attached: Mapping[int, str] = MappingProxyType({})
) -> dict[int, int]:
    """Which messages were said in an earlier conversation too, and where: positions there by positions here.

    Runs of messages are looked for, each as long as it can be, at most `RUNS`. A message that does not stand alone means what was said
    before it: it is the same where it follows the same message, and at the beginning, where another follows it that is the same. What
    comes with an attachment is the same where the earlier one came with it too, because its words do not say what it shows.

    Args:
        said: A whole conversation.
        earlier: Another one, without its attachments.
        attached: Digests of what its messages came with, by position (`domain.attachments.came_with`).
    """
    asked = [(place, (words(one), came_with(one))) for place, one in enumerate(said) if is_read(one)]
    heard = [(place, (words(one), attached.get(place))) for place, one in enumerate(earlier) if is_read(one)]
    pairs = _pairs([one for _, one in asked], [one for _, one in heard])
    found: dict[int, int] = {}
    for at, there in pairs.items():
        follows = at - 1 in found and there > 0 and _is_same(asked[at - 1][1], heard[there - 1][1])
        begins = at == 0 and pairs.get(1) == there + 1
        if follows or begins or stands_alone(said[asked[at][0]]):
            found[at] = there
    return {asked[at][0]: heard[there][0] for at, there in found.items()}


def sent_again(found: Mapping[int, int]) -> set[int]:
    """Which of these messages stand in the earlier order with one that is next to them among them: nobody has said those anew."""
    return {place for pair in pairwise(sorted(found)) if found[pair[0]] < found[pair[1]] for place in pair}


def days(message: Message, told_at: datetime) -> list[list[str]]:
    """The days that a message speaks of, from when to when in ISO form.

    Args:
        message: What was said.
        told_at: When, unless it has a time of its own.
    """
    spans = resolve_dates(message.content, message.at or told_at)
    return [[span.start.isoformat(), span.end.isoformat()] for span in spans]


def _is_same(asked: _Said, heard: _Said) -> bool:
    """Whether one says and shows nothing that the other did not."""
    return asked[0] == heard[0] and asked[1] in (None, heard[1])


def _pairs(asked: Sequence[_Said], heard: Sequence[_Said]) -> dict[int, int]:
    """The runs, as pairs of what is the same."""
    starts: dict[_Said, list[int]] = defaultdict(list)
    for place, (spoken, shown) in enumerate(heard):
        for one in {(spoken, shown), (spoken, None)}:
            starts[one].append(place)
    found: dict[int, int] = {}
    at = runs = end = 0
    while at < len(asked) and runs < RUNS:
        start, length = _longest(asked, at, heard, _likely(starts.get(asked[at], ()), end))
        found |= {at + number: start + number for number in range(length)}
        if length:
            runs, end = runs + 1, start + length
        at += max(length, 1)
    return found


def _likely(places: Sequence[int], end: int) -> Sequence[int]:
    """Those places, in order, at which a run may begin; `end` is where the last one ended."""
    if len(places) <= 3 * NEAREST:
        return places
    behind = bisect_left(places, end)
    return sorted({*places[:NEAREST], *places[behind : behind + NEAREST], *places[-NEAREST:]})


def _longest(asked: Sequence[_Said], at: int, heard: Sequence[_Said], places: Sequence[int]) -> tuple[int, int]:
    """Where the longest run begins, of these places, that begins with what is asked there, and its length; the first of several."""
    start = longest = 0
    for candidate in places:
        most = min(len(asked) - at, len(heard) - candidate)
        if most <= longest:  # nor can those be longer that begin later
            break
        length = next((n for n in range(most) if not _is_same(asked[at + n], heard[candidate + n])), most)
        if length > longest:
            start, longest = candidate, length
    return start, longest
