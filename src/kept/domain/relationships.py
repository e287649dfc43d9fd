"""The names of relations between entities: one spelling for each, and how many values it has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

MENTIONED_WITH: Final = "mentioned_with"
"""Between what stands in one memory together, where no more is known; computed from mentions, never stored."""


def _words(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SINGLE_VALUED: Final = _words(
    """
    lives_in moved_to works_at job married_to name age birthday born_in from diet port host address path version is when boss
    manager wife husband spouse mother father mom mum dad girlfriend boyfriend landlord email phone timezone time_zone nationality
    size budget deadline url branch region password database editor shell os employer role title price cost wage salary
    """
)
"""Relationships of which a new value likely replaces the old: what people and things have one of."""
_SINGLE_BEGINNINGS: Final = ("favourite_", "default_", "preferred_", "lieblings", "main_", "current_", "primary_")
_SAME: Final[Mapping[str, str]] = {
    "resides_in": "lives_in",
    "works_for": "works_at",
    "employed_by": "works_at",
    "works_as": "job",
    "loves": "likes",
    "enjoys": "likes",
    "hates": "dislikes",
    "using": "uses",
    "is_married_to": "married_to",
}
"""What others call a relationship that has a name here."""
_OPPOSITES: Final[Mapping[str, str]] = {"likes": "dislikes", "dislikes": "likes"}
_NO_WORD: Final = re.compile(r"\W+")
_COLOR: Final = re.compile(r"(?<![^_])color(?=_|$)")


def canonical(relationship: str) -> str:
    """A relationship's name as it is compared: snake case, one spelling (`favourite_colour`), one word for one thing."""
    name = _NO_WORD.sub("_", relationship.casefold()).strip("_")
    name = _COLOR.sub("colour", name.replace("favorite", "favourite"))
    return _SAME.get(name, name)


def is_single_valued(relationship: str) -> bool:
    """Whether a new value likely replaces the old (where somebody lives) rather than joining it (what somebody likes)."""
    name = canonical(relationship)
    return name in _SINGLE_VALUED or name.startswith(_SINGLE_BEGINNINGS)


def opposite(relationship: str) -> str | None:
    """The relationship that cannot hold between the same two at the same time, if there is one."""
    return _OPPOSITES.get(canonical(relationship))
