"""Entities that are likely one under two names, by rule: suggestions to merge, never applied."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from kept.domain.graph import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """Two entities that are likely one, and by which rule."""

    one: Node
    other: Node
    why: str


def likenesses(nodes: Sequence[Node]) -> list[Likeness]:
    """Pairs of entities that are likely one under two names, the one mentioned more often first; a suggestion, no more."""
    found = []
    by_mark: dict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        for mark in _marks(node.key):
            by_mark[mark].append(node)
    for group in by_mark.values():
        for one, other in combinations(sorted(group, key=lambda node: (-node.mentions, node.key)), 2):
            if (why := _likeness(one.key, other.key, nodes)) is not None:
                found.append(Likeness(one=one, other=other, why=why))
    distinct = {(pair.one.key, pair.other.key): pair for pair in found}
    return sorted(distinct.values(), key=lambda pair: (-pair.one.mentions, pair.one.key, pair.other.key))


_NO_LETTER: Final = re.compile(r"[\W_]+")
_NUMERONYM: Final = re.compile(r"([a-z])(\d+)([a-z])")
_LEAST_PREFIX: Final = 5
"""Letters of the shorter of two names that begin alike: `postgres`, `postgresql`."""
_MOST_SUFFIX: Final = 3
"""Letters that the longer has more: with four, `java` begins `javascript`."""
_LEAST_INITIALS: Final = 3
"""Letters of initials: two stand for too much."""


def _marks(key: str) -> set[str]:
    """What two names that may be one have in common, so that not every pair is looked at."""
    letters = _NO_LETTER.sub("", key)
    words = key.split()
    initials = "".join(word[0] for word in words)
    marks = {letters[:1], words[0] if words else ""} | ({initials} if len(words) >= _LEAST_INITIALS else set())
    return {mark for mark in marks if mark}


def _likeness(one: str, other: str, nodes: Sequence[Node]) -> str | None:
    """By which rule two keys likely name one thing."""
    short, long = sorted((one, other), key=lambda key: (len(key), key))
    plain_short, plain_long = _NO_LETTER.sub("", short), _NO_LETTER.sub("", long)
    words = long.split()
    m = _NUMERONYM.fullmatch(short)
    if m and (m[1], int(m[2]), m[3]) == (plain_long[:1], len(plain_long) - 2, plain_long[-1:]):
        return "its first and last letter and how many stand between"
    if re.findall(r"\d+", short) != re.findall(r"\d+", long):
        return None  # versions and numbers tell things apart
    grown = plain_long.removeprefix(plain_short)
    rules = {
        "the same letters": plain_short == plain_long != "",
        "the first word of one name only": len(words) > 1 and words[0] == short and _is_lone_beginning(short, nodes),
        "its initials": len(words) >= _LEAST_INITIALS and "".join(word[0] for word in words) == plain_short,
        "one begins with the other": len(words) == 1
        and len(plain_short) >= _LEAST_PREFIX
        and grown != plain_long
        and len(grown) <= _MOST_SUFFIX,
    }
    return next((why for why, holds in rules.items() if holds), None)


def _is_lone_beginning(word: str, nodes: Sequence[Node]) -> bool:
    """Whether one longer name alone begins with this word: of two Anas nobody knows which is meant."""
    return sum(node.key.startswith(f"{word} ") for node in nodes) == 1
