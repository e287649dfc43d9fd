"""Likely conflicts of new memories with what is known: suggested to the agent that added them, never applied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kept.domain.conflicts import Why, contradiction, newer, slots
from kept.domain.memory import MemoryRecord
from kept.domain.scope import Scope
from kept.engine.retrieve import Hit
from kept.errors import StoreError
from kept.ports import LATEST, Clock, EntityGraph, Listing, LogReader

MOST_CONFLICTS: Final = 3
"""Suggested for one memory: as many as memories close to it."""
MOST_NEW: Final = 16
"""New memories that are looked at: more at once are an import, which nobody settles one by one."""
NEAR: Final = 10
"""Memories close to a new one that are compared with it: beyond, no pair of the tests' is found."""
_SAME_SLOT: Final = 20
"""Memories read that state the same relationship of the same subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """An existing memory that a new one likely contradicts.

    Attributes:
        memory: The existing one, as it is.
        why: By which rule.
        relationship: In which relationship, where relations say so.
        newer: Id of that of the two which speaks of the later time: the other is likely to be superseded.
    """

    memory: MemoryRecord
    why: Why
    relationship: str | None
    newer: str


class Conflicts:
    """Looks for likely conflicts."""

    def __init__(self, log: LogReader, graph: EntityGraph | None, clock: Clock) -> None:
        self._log = log
        self._graph = graph
        self._clock = clock

    def of(self, records: Sequence[MemoryRecord], near: Mapping[str, Sequence[Hit]]) -> dict[str, list[Conflict]]:
        """For each of these new memories of one owner those that it likely contradicts, at most three.

        Args:
            records: At most `MOST_NEW`.
            near: The `NEAR` memories closest to each, by its id, or more.
        """
        new = {record.id for record in records}
        found = {}
        for record in records:
            close = [hit.memory for hit in near.get(record.id, ())[:NEAR]]
            try:
                same_slot, aliases = self._in_slot(record), self._aliases(record)
            except StoreError:
                same_slot, aliases = [], {}  # what was added is stored: a suggestion is not worth its answer
            candidates = {other.id: other for other in (*same_slot, *close) if other.id not in new}
            found[record.id] = list(_judged(record, candidates.values(), aliases))[:MOST_CONFLICTS]
        return {memory_id: conflicts for memory_id, conflicts in found.items() if conflicts}

    def _in_slot(self, record: MemoryRecord) -> list[MemoryRecord]:
        """Memories of the same owner that state the same relationship of the same subject, however far their words are."""
        wanted = slots(record)
        if self._graph is None or not wanted:
            return []
        listing = Listing(
            scope=Scope(
                project=record.project,
                user_id=record.user_id,
                agent_id=record.scope.agent_id,
                app_id=record.scope.app_id,
            ),
            states=LATEST,
            today=self._clock().date(),
        )
        edges = [
            edge
            for source, relationship in wanted
            for edge in self._graph.edges(listing, [source], limit=_SAME_SLOT, relationship=relationship)
        ]
        known = self._log.by_keys(list(dict.fromkeys(edge.memory_key for edge in edges)))
        return [other for other in known.values() if _same_owner(record.scope, other.scope)]

    def _aliases(self, record: MemoryRecord) -> dict[str, str]:
        """Merges of the owner; asked for only where relations are compared."""
        if self._graph is None or not record.relations:
            return {}
        return self._graph.aliases(record.project, record.user_id)


def _judged(record: MemoryRecord, candidates: Iterable[MemoryRecord], aliases: Mapping[str, str]) -> Iterator[Conflict]:
    for other in candidates:
        if (found := contradiction(record, other, aliases)) is not None:
            yield Conflict(memory=other, why=found.why, relationship=found.relationship, newer=newer(record, other).id)


def _same_owner(one: Scope, other: Scope) -> bool:
    return (one.user_id, one.agent_id, one.app_id) == (other.user_id, other.agent_id, other.app_id)
