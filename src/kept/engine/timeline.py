"""Timeline: what a search found, in the order in which it happened.

When something happened and when it was told are two times. A memory that names a day happened then, one with a validity of its
own began with it, and any other is taken to have happened when it was told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal

from kept.domain.memory import MemoryRecord
from kept.domain.questions import TimeIntent, anchor, time_intent
from kept.domain.temporal import DateSpan, resolve_dates
from kept.engine.retrieve import Hit

Known = Literal["said", "valid", "told"]

TIMELINE_THRESHOLD: Final = 0.3
"""Least score of what belongs on a timeline: the usual threshold where a weak hit is worse than none. Ordered by time, it
would stand between strong ones."""
_DAY: Final = timedelta(days=1)


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
    happened = [_occurrence(hit, reference.date()) for hit in search(query)]
    happened.sort(key=lambda occurrence: (occurrence.start, -occurrence.score, occurrence.memory.key))
    intent = time_intent(query)
    if intent == "latest":
        past = [occurrence for occurrence in happened if not occurrence.upcoming]
        return sorted(past or happened, key=_newest_first)
    if intent == "upcoming":
        return [occurrence for occurrence in happened if occurrence.upcoming]
    if intent in ("before", "after") and (pivot := _pivot(anchor(query), search, reference)):
        return [occurrence for occurrence in happened if _is_beside(occurrence, intent, pivot)]
    return happened


def _newest_first(occurrence: Occurrence) -> tuple[int, float, int]:
    return -occurrence.start.toordinal(), -occurrence.score, -occurrence.memory.key


def _pivot(named: str, search: Callable[[str], Sequence[Hit]], reference: datetime) -> tuple[date, date] | None:
    """The days of what a question counts from."""
    if not named:
        return None
    if dates := resolve_dates(named, reference):
        return dates[0].start, dates[0].end
    found = [_occurrence(hit, reference.date()) for hit in search(named)[:1]]
    return (found[0].start, found[0].end) if found else None


def _is_beside(occurrence: Occurrence, intent: TimeIntent, pivot: tuple[date, date]) -> bool:
    return occurrence.end <= pivot[0] if intent == "before" else occurrence.start >= pivot[1]


def _occurrence(hit: Hit, today: date) -> Occurrence:
    start, end, known = _days(hit.memory)
    ahead = known != "told" and end > today
    return Occurrence(memory=hit.memory, score=hit.score, start=start, end=end, known=known, upcoming=ahead)


def _days(memory: MemoryRecord) -> tuple[date, date, Known]:
    """When it happened. Dates in a text count from when it was told."""
    said: list[DateSpan] = resolve_dates(memory.text, memory.created_at)
    if said:
        return said[0].start, said[0].end, "said"
    if memory.valid_from is not None and memory.valid_from != memory.created_at:
        return memory.valid_from.date(), _next_day(memory.valid_from.date()), "valid"
    return memory.created_at.date(), _next_day(memory.created_at.date()), "told"


def _next_day(day: date) -> date:
    return day if day == date.max else day + _DAY
