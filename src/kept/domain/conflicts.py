"""Whether two memories likely contradict each other, by rule: a suggestion for whoever can judge, never a decision."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from kept.domain.graph import stated
from kept.domain.memory import MemoryRecord, Relation, first_person
from kept.domain.relationships import is_single_valued, opposite
from kept.domain.stance import NEGATION, content

Why = Literal["other value", "opposite", "other version", "denied", "other number"]
"""`other value`: of a relationship that has one. `opposite`: likes and dislikes. `other version`: the same name with another
number. `denied`: what the other says, one says not. `other number`: the same words with another number."""

_SLOTS: Final[Mapping[str, str]] = {"moved_to": "lives_in"}
"""Relationships that speak of the same: whoever moved somewhere lives there."""
_LEAST_SHARED: Final = 0.6
"""Share of their words that two statements have in common when one denies the other (the labelled pairs in the tests)."""
_LEAST_SAME: Final = 0.75
"""When they differ in a number only: more, because sentences about different things have numbers too."""
_NUMBER: Final = re.compile(r"\d+(?:[.:,]\d+)*")
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_LASTING: Final = re.compile(
    r"\b(?:is|are|uses?|runs?|ha[sv]e?|costs?|needs?|requires?|must|should|limit|timeout|port|version|maximum|minimum|at most|at least"
    r"|listens?|expires?|supports?|ist|sind|es|est)\b|[=:]",
    re.IGNORECASE,
)
"""Words of statements that hold for a while. What was done once, was done beside what was done another time."""
_SELF: Final = re.compile(
    r"\b(?:i|me|my|we|our|us|ich|mein\w*|wir|unser\w*|yo|mi|mis|je|mon|ma|mes|nous)\b|\bj'", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """How two memories likely contradict each other.

    Attributes:
        relationship: In which they do, where relations say so.
    """

    why: Why
    relationship: str | None = None


def contradiction(
    one: MemoryRecord, other: MemoryRecord, aliases: Mapping[str, str] | None = None
) -> Contradiction | None:
    """How two memories likely contradict each other, if they do; in either order.

    Args:
        one: A memory.
        other: One of the same owner, near to it.
        aliases: What entities were merged into, by key.
    """
    if not _overlap(one, other):
        return None
    by_relation = _by_relations(_resolved(stated(one), aliases or {}), _resolved(stated(other), aliases or {}))
    return by_relation or _by_words(one, other)


def slots(record: MemoryRecord) -> list[tuple[str, str]]:
    """The subjects of a memory and the relationships of which each has one value: where a contradiction would stand."""
    found = []
    for relation in stated(record):
        if is_single_valued(relation.relationship):
            same = {_slot(relation), *(name for name, slot in _SLOTS.items() if slot == _slot(relation))}
            found += [(relation.source, relationship) for relationship in sorted(same)]
    return list(dict.fromkeys(found))


def newer(one: MemoryRecord, other: MemoryRecord) -> MemoryRecord:
    """Which of two memories speaks of the later time."""
    return max((one, other), key=lambda record: (_begins(record), record.key))


# --- by relations ---


def _by_relations(ones: Iterable[Relation], others: Iterable[Relation]) -> Contradiction | None:
    others = list(others)
    for one in ones:
        for other in others:
            if one.source == other.source and (why := _relation_conflict(one, other)) is not None:
                return Contradiction(why=why, relationship=one.relationship)
    return None


def _relation_conflict(one: Relation, other: Relation) -> Why | None:
    if one.target == other.target:
        return "opposite" if opposite(one.relationship) == other.relationship else None
    if _slot(one) != _slot(other) or _refines(one.target, other.target):
        return None
    if is_single_valued(one.relationship):
        return "other value"
    plain = [_NUMBER.sub("", target).strip() for target in (one.target, other.target)]
    return "other version" if plain[0] and plain[0] == plain[1] else None


def _slot(relation: Relation) -> str:
    return _SLOTS.get(relation.relationship, relation.relationship)


def _refines(one: str, other: str) -> bool:
    """Whether one value says the other more exactly: `Acme`, `Acme Corp`; `3.12`, `3.12.1`."""
    short, long = sorted((one, other), key=len)
    return set(short.split()) <= set(long.split()) or long.startswith(f"{short}.")


def _resolved(relations: Iterable[Relation], aliases: Mapping[str, str]) -> list[Relation]:
    return [
        Relation(
            source=aliases.get(one.source, one.source),
            relationship=one.relationship,
            target=aliases.get(one.target, one.target),
        )
        for one in relations
    ]


# --- by words ---


def _by_words(one: MemoryRecord, other: MemoryRecord) -> Contradiction | None:
    if "?" in one.text[-2:] or "?" in other.text[-2:] or not _same_self(one, other):
        return None
    if bool(NEGATION.search(one.text)) != bool(NEGATION.search(other.text)):
        return Contradiction(why="denied") if _shared(content(one.text), content(other.text)) >= _LEAST_SHARED else None
    if _other_number(one.text, other.text) and _shared(content(one.text), content(other.text)) >= _LEAST_SAME:
        return Contradiction(why="other number")
    return None


def _same_self(one: MemoryRecord, other: MemoryRecord) -> bool:
    """Whether "I" is the same person in both, where it is said."""
    if not _SELF.search(one.text) and not _SELF.search(other.text):
        return True
    ones, others = (first_person(record.scope, record.role, record.speaker) for record in (one, other))
    return ones == others


def _shared(one: set[str], other: set[str]) -> float:
    """Share of all words that both have, in [0, 1]."""
    return len(one & other) / len(one | other) if one and other else 0.0


def _other_number(one: str, other: str) -> bool:
    """Whether two lasting statements have the same numbers but one, which is no year."""
    ones, others = _NUMBER.findall(one), _NUMBER.findall(other)
    if len(ones) != len(others) or not _LASTING.search(one) or not _LASTING.search(other):
        return False
    differing = [pair for pair in zip(ones, others, strict=True) if pair[0] != pair[1]]
    return len(differing) == 1 and not any(map(_YEAR.fullmatch, differing[0])) and not _refines(*differing[0])


# --- time ---


def _begins(record: MemoryRecord) -> datetime:
    return record.valid_from or record.created_at


def _overlap(one: MemoryRecord, other: MemoryRecord) -> bool:
    """Whether both may hold at some moment: what ended before the other began contradicts nothing."""
    return not any(
        ended.valid_to is not None and ended.valid_to <= _begins(begun) for ended, begun in ((one, other), (other, one))
    )
