"""The names of relations between entities: one spelling for each, how many values it has, and what stands at its ends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
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


@dataclass(frozen=True, slots=True)
class Ends:
    """What a relationship tells of the entities at its ends.

    Attributes:
        source: What sort of thing it goes out from; None where that may be anything.
        target: What sort of thing it goes to; likewise.
        is_sure: Whether it tells so by itself. Who lives in Berlin may be a company, and what we moved to a database: what is
            sure counts before that.
    """

    source: str | None = None
    target: str | None = None
    is_sure: bool = True


PERSON: Final = "person"
PLACE: Final = "place"
ORGANISATION: Final = "organisation"
PRODUCT: Final = "product"
ANIMAL: Final = "animal"
"""The words that extraction asks a model for, and one for pets, who do what people do."""
_ENDS: Final = (
    ("works_at studies_at employer company university school", Ends(PERSON, ORGANISATION)),
    ("joined", Ends(PERSON, ORGANISATION, is_sure=False)),
    ("job speaks", Ends(PERSON)),
    ("age diet birthday nationality likes dislikes allergic_to", Ends(PERSON, is_sure=False)),
    ("married_to engaged_to", Ends(PERSON, PERSON)),
    ("ceo cto", Ends(ORGANISATION, PERSON)),
    ("born_in hometown", Ends(PERSON, PLACE)),
    ("lives_in moved_to travels_to from", Ends(PERSON, PLACE, is_sure=False)),
    ("uses built_with hosted_on runs_on editor shell framework database", Ends(None, PRODUCT)),
    ("written_in deploys_to", Ends(None, PRODUCT, is_sure=False)),
)
"""What is left out may stand between anything: what people own, create or replace."""


@cache
def _known_ends() -> Mapping[str, Ends]:
    from kept.domain.relation_words import KIN, PETS  # made late: most of what reads relations asks for no kinds

    kin, pets = (
        dict.fromkeys(map(canonical, words), Ends(None, kind)) for words, kind in ((KIN, PERSON), (PETS, ANIMAL))
    )
    return kin | pets | {name: ends for names, ends in _ENDS for name in names.split()}


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


def ends_of(relationship: str) -> Ends:
    """What a canonical relationship tells of its ends; of a composed one (`best_friend`) what its last word tells."""
    known = _known_ends()
    return known.get(relationship) or known.get(relationship.rsplit("_", 1)[-1]) or Ends()


def opposite(relationship: str) -> str | None:
    """The relationship that cannot hold between the same two at the same time, if there is one."""
    return _OPPOSITES.get(canonical(relationship))
