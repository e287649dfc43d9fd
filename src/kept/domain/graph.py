"""What a memory says of entities: which it mentions, and which relations it states between them."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from kept.domain.entities import name_key
from kept.domain.memory import EntityRef, MemoryRecord, Relation, State
from kept.domain.relationships import canonical


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
        aliases: What was merged into it, as it was written last in the memories that mention it.
    """

    key: str
    name: str
    kind: str | None
    mentions: int
    first_seen: datetime
    last_seen: datetime
    aliases: tuple[str, ...] = ()


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
    found: dict[str, EntityRef] = {}
    for ref in record.entity_refs:
        key = name_key(ref.key)  # an imported one may be written in any form
        if key:
            found.setdefault(key, ref if key == ref.key else replace(ref, key=key))
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
    return {ref.name.casefold(): name_key(ref.key) for ref in record.entity_refs}


def words_held(key: str, words: Collection[str]) -> int:
    """How many of the words an entity's key holds, as whole words: `silva` is in `ana silva`, not in `silvan`."""
    return sum(word in key and bool(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", key)) for word in words)
