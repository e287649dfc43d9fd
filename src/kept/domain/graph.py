"""What a memory says of entities: which it mentions, and which relations it states between them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import Final

from kept.domain.entities import name_key
from kept.domain.memory import EntityRef, MemoryRecord, Relation, State
from kept.domain.relations import canonical


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """An entity as memories mention it: aliases are one with what they were merged into.

    Attributes:
        key: Normalised form of the name, by which it is known.
        name: As it was written last.
        kind: What sort of thing it is; None where nobody said.
        mentions: How many memories mention it.
        first_seen: When the oldest of them was said.
        last_seen: When the newest was.
    """

    key: str
    name: str
    kind: str | None
    mentions: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A relation between two entities, as one memory states it.

    Attributes:
        source: Key of the entity.
        relationship: Its canonical name.
        target: Key of the entity.
        memory_key: Of the memory that states it.
        created_at: When it was said.
        valid_from: First moment at which it is true; None means since `created_at`.
        valid_to: First moment at which it no longer is; None means it still is.
        state: Of the memory: a closed one states what held once.
    """

    source: str
    relationship: str
    target: str
    memory_id: str
    memory_key: int
    created_at: datetime
    valid_from: datetime | None
    valid_to: datetime | None
    state: State

    @property
    def triple(self) -> tuple[str, str, str]:
        """What it says, whoever says it."""
        return self.source, self.relationship, self.target


def mentions(record: MemoryRecord) -> tuple[EntityRef, ...]:
    """The entities of a memory, each once: those it mentions, then the ends of its relations that are none of them."""
    found = {ref.key: ref for ref in record.entity_refs}
    keys = _keys(record)
    for relation in record.relations:
        for name in (relation.source, relation.target):
            key = keys.get(name.casefold()) or name_key(name)
            if key:
                found.setdefault(key, EntityRef(name=name, kind="", key=key))
    return tuple(found.values())


def stated(record: MemoryRecord) -> tuple[Relation, ...]:
    """The relations of a memory between keys, under their canonical names, each once."""
    keys = _keys(record)
    found = {}
    for relation in record.relations:
        source, target = (keys.get(name.casefold()) or name_key(name) for name in (relation.source, relation.target))
        relationship = canonical(relation.relationship)
        if source and target and relationship:
            found[source, relationship, target] = Relation(source=source, relationship=relationship, target=target)
    return tuple(found.values())


def holds_at(record: MemoryRecord, moment: datetime | None) -> bool:
    """Whether what a memory says was true at a moment; None asks for no moment."""
    if moment is None:
        return True
    return (record.valid_from or record.created_at) <= moment and (record.valid_to is None or moment < record.valid_to)


def _keys(record: MemoryRecord) -> dict[str, str]:
    """The key of each name that the memory mentions: of a path it lacks the line, of a call the parentheses."""
    return {ref.name.casefold(): ref.key for ref in record.entity_refs}


def words_held(key: str, words: Collection[str]) -> int:
    """How many of the words an entity's key holds, as whole words: `silva` is in `ana silva`, not in `silvan`."""
    return sum(word in key and bool(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", key)) for word in words)


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
