"""Ranks what a search found by how lately it was found before, in projects that switched `decay` on."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from kept.domain.decay import Touched
from kept.domain.memory import MemoryRecord
from kept.engine.intake import parse_whole
from kept.engine.retrieve import Hit
from kept.engine.service import MAX_TOP_K
from kept.engine.trail import AuditTrail
from kept.ports import Clock, Touches

WIDER: Final = 3
"""Among how many times as many as are wanted the order may change, as on Mem0's platform."""
MOST_NOTED: Final = 10_000
"""Memories noted between two writes, of half a second: some megabyte while the store cannot be written."""
LEAST_POOL: Final = 50
"""Among how many at least, as there."""


class Decay:
    """Multiplies scores, and remembers what was found.

    Args:
        touches: When memories were found.
        settings_of: Gives a project's settings.
        trail: Writes afterwards what was found, so that no search waits for it.
        version: Differs once anything was committed: settings are read again then.
        clock: Tells the time.
    """

    def __init__(
        self,
        touches: Touches,
        *,
        settings_of: Callable[[str], Mapping[str, Any]],
        trail: AuditTrail,
        version: Callable[[], object],
        clock: Clock,
    ) -> None:
        self._touches = touches
        self._settings_of = settings_of
        self._trail = trail
        self._version = version
        self._clock = clock
        self._known: tuple[object, dict[str, bool]] = None, {}
        self._found: dict[tuple[str, str], datetime] = {}
        self._mutex = threading.Lock()

    def is_on(self, project: str) -> bool:
        """Whether the project wants it."""
        version = self._version()
        if self._known[0] != version:
            self._known = version, {}
        known = self._known[1]
        if project not in known:
            known[project] = self._settings_of(project).get("decay") is True
        return known[project]

    def best(self, project: str, hits: Sequence[Hit], *, top_k: int, current_first: bool) -> list[Hit]:
        """The best of these when each score is multiplied; a score may then be less than a search's threshold."""
        now = self._clock()
        touched = self._touches.touched(project, [hit.memory.id for hit in hits])
        weighed = [(hit, (touched.get(hit.memory.id) or _untouched(hit.memory)).factor(now)) for hit in hits]
        weighed.sort(key=lambda one: (current_first and one[0].memory.is_closed, -one[0].score * one[1]))
        best = [_scaled(hit, factor) for hit, factor in weighed[:top_k]]
        self._note(project, [hit.memory.id for hit in best], now)
        return best

    def _note(self, project: str, memory_ids: Sequence[str], now: datetime) -> None:
        """Have them written together with what other searches find meanwhile, each once; beyond so many nothing is noted."""
        with self._mutex:
            is_first = not self._found
            if len(self._found) < MOST_NOTED:
                self._found |= {(project, memory_id): now for memory_id in memory_ids}
            if is_first and self._found:
                self._trail.mark(self._write)

    def _write(self) -> None:
        with self._mutex:
            found, self._found = self._found, {}
        by_project: dict[str, dict[str, datetime]] = defaultdict(dict)
        for (project, memory_id), at in found.items():
            by_project[project][memory_id] = at
        for project, ids in by_project.items():
            self._touches.touch(project, ids, max(ids.values()))


def pool(top_k: object) -> int:
    """How many are searched for where so many are wanted, that those which decay lifts may be among them.

    Raises:
        InvalidInputError: It is no number of memories that can be searched for.
    """
    wanted = parse_whole(top_k, "top_k", 0, MAX_TOP_K)
    return min(max(WIDER * wanted, LEAST_POOL), MAX_TOP_K)


def _untouched(record: MemoryRecord) -> Touched:
    """One that no search has found yet: as if one had on the day that it tells of, or when it was last changed."""
    return Touched(at=record.valid_from or record.updated_at)


def _scaled(hit: Hit, factor: float) -> Hit:
    parts = {**hit.parts, "decay": factor} if hit.parts else hit.parts
    return replace(hit, score=min(hit.score * factor, 1.0), parts=parts)
