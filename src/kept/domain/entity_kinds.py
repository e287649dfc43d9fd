"""What sort of thing an entity is, joined over all that memories say of it.

Whoever names a kind (a model, a caller) is believed first, then what the form of a name tells (a path, an address). Of other names the
relations tell that they stand in, and who speaks. Evidence that contradicts itself tells nothing: a kind that is missed costs little,
an invented one is believed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, get_args

from kept.domain.entities import EntityKind, name_key
from kept.domain.memory import first_person
from kept.domain.relationships import PERSON, ends_of
from kept.domain.scope import Scope

_UNKNOWN: Final = frozenset({"", "name", "quoted", "entity"})
"""Kinds that say no more than that something was named."""
_FORMS: Final = frozenset(get_args(EntityKind)) - _UNKNOWN
"""Kinds that the rules tell from how something is written."""
_PERSONAL_ROLES: Final = frozenset({None, "user"})
"""Roles of people; an assistant may have a name too."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """A name and kind under which memories mention an entity, and how many do."""

    name: str
    kind: str
    memories: int


@dataclass(frozen=True, slots=True)
class Clue:
    """A kind that something tells.

    Attributes:
        is_sure: Whether it counts before what is only likely.
        is_voice: Whether it is somebody's who speaks, and so has a name however that is written.
    """

    kind: str
    is_sure: bool = True
    is_voice: bool = False


@dataclass(frozen=True, slots=True)
class Voice:
    """Who said a memory, as far as that tells whom it means by "I"."""

    user_id: str | None
    role: str | None
    speaker: str | None

    def is_of(self, name: str) -> bool:
        """Whether the person who speaks has this name."""
        who = first_person(Scope(user_id=self.user_id), self.role, self.speaker)
        return self.role in _PERSONAL_ROLES and who is not None and name_key(who) == name_key(name)


SPEAKS: Final = Clue(PERSON, is_voice=True)
"""Who says what a memory says is somebody."""


def clue_of_source(relationship: str) -> Clue | None:
    """What a relationship tells of what it goes out from."""
    ends = ends_of(relationship)
    return Clue(ends.source, ends.is_sure) if ends.source else None


def clue_of_target(relationship: str, source: str, voice: Voice) -> Clue | None:
    """What a relationship tells of what it goes to; nothing where its source cannot be somebody: the fix works for Safari."""
    ends = ends_of(relationship)
    if ends.target is None or (ends.source is not None and not _looks_named(source) and not voice.is_of(source)):
        return None
    return Clue(ends.target, ends.is_sure)


def known_kind(spellings: Collection[Spelling]) -> str | None:
    """The kind that somebody named, or that its form tells, by most memories, ties by order; None where neither does."""
    given: Counter[str] = Counter()
    formal: Counter[str] = Counter()
    for one in spellings:
        if one.kind not in _UNKNOWN and not _may_be_name(one):
            (formal if one.kind in _FORMS else given)[one.kind] += one.memories
    return next((kind for counts in (given, formal) for kind, _ in counts.most_common(1)), None)


def kind_of(spellings: Collection[Spelling], clues: Mapping[Clue, int]) -> str | None:
    """The kind of an entity; None where nobody said.

    Args:
        spellings: How it is mentioned: under its own key before its aliases, newest first.
        clues: What else tells of it, and how often.
    """
    if known := known_kind(spellings):
        return known
    told = None
    if clues.get(SPEAKS) or any(map(_looks_named, (one.name for one in spellings))):
        is_written_as_code = any(one.kind in _FORMS for one in spellings)
        told = _most(clues, is_sure=True)
        if told is None and not is_written_as_code and not any(clue.is_sure for clue in clues):
            told = _most(clues, is_sure=False)
    return told or next((one.kind for one in spellings if one.kind), None)


def _most(clues: Mapping[Clue, int], *, is_sure: bool) -> str | None:
    """The kind that most clues tell; None where as many tell another."""
    counts: Counter[str] = Counter()
    for clue, count in clues.items():
        if clue.is_sure is is_sure:
            counts[clue.kind] += count
    first = counts.most_common(2)
    is_open = not first or (len(first) > 1 and first[0][1] == first[1][1])
    return None if is_open else first[0][0]


def _may_be_name(spelling: Spelling) -> bool:
    """Whether what looks like code may be the name of a product or company: `PostgreSQL`, `OpenAI`."""
    return spelling.kind == "identifier" and spelling.name.isalnum() and spelling.name[0].isupper()


def _looks_named(name: str) -> bool:
    """Whether a name is written as names are: `Ana`, not `worker` nor `2026`."""
    return name[:1].isalpha() and not name.islower()
