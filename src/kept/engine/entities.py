"""Users, agents, apps and runs: those that memories are stored under, and those that somebody described beforehand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kept.domain.jobs import Job
from kept.domain.scope import Scope
from kept.engine.access import ENTITY, ENTITY_TYPES, ProjectAccess, entity_id_name, entity_key
from kept.engine.intake import parse_metadata, parse_optional_text
from kept.errors import ForbiddenError, NotFoundError
from kept.ports import AuditListing, EntitySummary, Entry, JobListing

READING: Final = ("memory.search", "memory.timeline", "memory.context", "memory.list", "memory.get")
"""Actions of the audit that count as retrievals."""
_NUMBER_BITS: Final = 53
"""Whole numbers up to here are exact in every language's JSON; two of 100,000 names share one once in two million times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A user, agent, app or run.

    Attributes:
        summary: Type, name, and what is stored under it.
        label: What people call it.
    """

    summary: EntitySummary
    label: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """`user`, `agent`, `app` or `run`."""
        return self.summary.type

    @property
    def name(self) -> str:
        """The id that callers use."""
        return self.summary.name

    @property
    def number(self) -> int:
        """The number that Mem0's deprecated delete names it by; always the same for a type and name."""
        return number_of(self.type, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much there is of what a principal sees.

    Attributes:
        entities: How many of each type have memories.
        memories_of: How many memories they have together, by type.
    """

    memories: int
    adds: int
    retrievals: int
    entities: Mapping[str, int]
    memories_of: Mapping[str, int]


class Entities:
    """The entities of a project, as far as a principal may see them."""

    def __init__(self, access: ProjectAccess) -> None:
        self._access = access
        self._platform = access.platform

    def all(self) -> list[Entity]:
        """By type, then name; those that were described come even without memories."""
        found = {(summary.type, summary.name): Entity(summary=summary) for summary in self._access.entities()}
        for entry in self._described():
            described = _to_entity(entry)
            known = found.get((described.summary.type, described.name))
            found[described.summary.type, described.name] = Entity(
                summary=known.summary if known else described.summary,
                label=described.label,
                metadata=described.metadata,
            )
        return [found[key] for key in sorted(found)]

    def get(self, entity_type: str, name: str) -> Entity:
        """One of them.

        Raises:
            NotFoundError: There is none that the principal may see.
        """
        entity_id_name(entity_type)
        return self._one(entity_type, lambda entity: entity.name == name)

    def describe(self, entity_type: str, name: object, *, label: object = None, metadata: object = None) -> Entity:
        """Say what an entity is, before or after memories are stored under it; what was said before is replaced.

        Returns:
            What was said; memories are not counted.

        Raises:
            ForbiddenError: The principal is bound, and not to this one.
        """
        with self._access.noted("entity.describe", "WRITER") as note:
            scope = Scope.of(**{entity_id_name(entity_type): name})
            scope.require_writable()
            note.target |= scope.ids
            (entity_name,) = scope.ids.values()
            if not self._access.names(entity_type, entity_name):
                raise ForbiddenError("A bound key can describe only what it is bound to.")
            data = {
                "type": entity_type,
                "name": entity_name,
                "label": parse_optional_text(label, "name"),
                "metadata": dict(parse_metadata(metadata)),
            }
            key = entity_key(self._access.project, entity_type, entity_name)
            entry = self._platform.entry(ENTITY, key, self._access.project, data)
            self._platform.registry.put(entry)
            return _to_entity(self._platform.registry.find(ENTITY, key) or entry)

    def delete_numbered(self, entity_type: str, number: int) -> Job:
        """As `ProjectAccess.delete_entity`, by Mem0's number.

        Raises:
            NotFoundError: No entity of this type has it now.
        """
        entity_id_name(entity_type)
        found = self._one(entity_type, lambda entity: entity.number == number)
        return self._access.delete_entity(entity_type, found.name)

    def counts(self) -> Counts:
        """How much there is, and how much was asked for as far as the audit goes back."""
        access, principal = self._access, self._access.principal
        summaries = access.entities()
        scope, condition = access.everything()
        _, memories = self._platform.service.list(scope, filters=condition, limit=0, show_expired=True)
        adds = JobListing(project=access.project, kinds=["ADD"], bound=principal.bound)
        self._platform.trail.flush()
        key_id = principal.key_id if principal.bound else None
        reads = [AuditListing(project=access.project, action=action, key_id=key_id) for action in READING]
        return Counts(
            memories=memories,
            adds=self._platform.jobs.count(adds),
            retrievals=sum(self._platform.trail.audit.count(listing) for listing in reads),
            entities={kind: sum(found.type == kind for found in summaries) for kind in ENTITY_TYPES},
            memories_of={
                kind: sum(found.memories for found in summaries if found.type == kind) for kind in ENTITY_TYPES
            },
        )

    def _described(self) -> Iterator[Entry]:
        access = self._access
        for entry in self._platform.registry.entries(ENTITY, access.project):
            if access.names(entry.data["type"], entry.data["name"]):
                yield entry

    def _one(self, entity_type: str, is_meant: Callable[[Entity], bool]) -> Entity:
        for entity in self.all():
            if entity.type == entity_type and is_meant(entity):
                return entity
        raise NotFoundError(f"There is no such {entity_type}.")


def number_of(kind: str, name: str) -> int:
    """A number for what Mem0 numbers and Kept names; always the same for a kind and a name."""
    digest = hashlib.sha256(f"{kind}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - _NUMBER_BITS)


def _to_entity(entry: Entry) -> Entity:
    data = entry.data
    summary = EntitySummary(
        type=data["type"], name=data["name"], memories=0, created_at=entry.created_at, updated_at=entry.updated_at
    )
    return Entity(summary=summary, label=data["label"], metadata=data["metadata"])
