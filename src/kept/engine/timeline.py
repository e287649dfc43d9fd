"""Timeline: what a search found, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, NamedTuple

from kept.domain.happened import Known, happened
from kept.domain.memory import MemoryRecord
from kept.domain.questions import TimeIntent, anchor, time_intent
from kept.domain.temporal import resolve_dates
from kept.engine.retrieve import SURE, Hit

TIMELINE_THRESHOLD: Final = SURE
"""Least score of what belongs on a timeline: ordered by time, a weak hit would stand between strong ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """Something that happened, or will.

    Attributes:
        memory: What says so.
        score: How well it matches the question, in [0, 1].
        start: Its first day.
        end: The day after its last one.
        known: How the days are known: `said` in the text, `valid` since then, or only `told` then.
        upcoming: Whether it is said to end on the day of the reference or later; what is only told is past.
    """

    memory: MemoryRecord
    score: float
    start: date
    end: date
    known: Known
    upcoming: bool


def timeline(query: str, search: Callable[[str], Sequence[Hit]], reference: datetime) -> list[Occurrence]:
    """What a question is about, oldest first; of one day, the better match first.

    A question for the latest has the newest first, without what is still to come. One for what is upcoming leaves out what is past. One for what was before or after something leaves out the rest:
    that something is a date in the question, else the best match of its words. Without a match nothing is left out.

    Args:
        query: As asked.
        search: Hits for a text, best first.
        reference: What relative dates in the question, and the past, count from.
    """
    found = [_occurrence(hit, reference.date()) for hit in search(query)]
    found.sort(key=lambda occurrence: (occurrence.start, -occurrence.score, occurrence.memory.key))
    intent = time_intent(query)
    if intent == "latest":
        past = [occurrence for occurrence in found if not occurrence.upcoming]
        return sorted(past or found, key=_newest_first)
    if intent == "upcoming":
        return [occurrence for occurrence in found if occurrence.upcoming]
    if intent in ("before", "after") and (pivot := _pivot(anchor(query), intent, search, reference)):
        return [occurrence for occurrence in found if pivot.admits(occurrence, intent)]
    return found


def _newest_first(occurrence: Occurrence) -> tuple[int, float, int]:
    return -occurrence.start.toordinal(), -occurrence.score, -occurrence.memory.key


class _Pivot(NamedTuple):
    """What a question counts from: where the time before it ends and the time after it begins, and the memory that tells of it, if one does."""

    start: date
    end: date
    memory_id: str | None = None

    def admits(self, occurrence: Occurrence, intent: TimeIntent) -> bool:
        """Whether something else was on that side of it."""
        is_beside = occurrence.end <= self.start if intent == "before" else occurrence.start >= self.end
        return is_beside and occurrence.memory.id != self.memory_id


def _pivot(
    named: str, intent: TimeIntent, search: Callable[[str], Sequence[Hit]], reference: datetime
) -> _Pivot | None:
    """What a question counts from; None where nobody told of it."""
    if not named:
        return None
    if dates := resolve_dates(named, reference):
        return _Pivot(dates[0].start, dates[0].end)
    turns = [(happened(hit.memory).turn(intent), hit.memory.id) for hit in search(named)[:1]]
    return _Pivot(turns[0][0], *turns[0]) if turns else None


def _occurrence(hit: Hit, today: date) -> Occurrence:
    start, end, known = happened(hit.memory)
    ahead = known != "told" and end > today
    return Occurrence(memory=hit.memory, score=hit.score, start=start, end=end, known=known, upcoming=ahead)
