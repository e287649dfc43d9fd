"""When something happened, which is not when it was told.

A memory that names a day happened then, one with a validity of its own began with it, and any other is taken to have happened when it
was told.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final, Literal, NamedTuple

from kept.domain.memory import MemoryRecord
from kept.domain.questions import TimeIntent
from kept.domain.temporal import resolve_dates

Known = Literal["said", "valid", "told"]
"""How days are known: said in the text, valid since then, or only told then."""

_DAY: Final = timedelta(days=1)


class Happened(NamedTuple):
    """The days of something: the first, the day after the last one, and how they are known."""

    start: date
    end: date
    known: Known

    def turn(self, intent: TimeIntent) -> date:
        """Where what was before it ends, or what came after it begins.

        Its own days are both: what led to it, or followed, is often told in the same talk.
        """
        return self.end if intent == "before" else self.start


def happened(memory: MemoryRecord) -> Happened:
    """When it happened. Dates in a text count from when it was told."""
    if said := resolve_dates(memory.text, memory.created_at):
        return Happened(said[0].start, said[0].end, "said")
    if memory.valid_from is not None and memory.valid_from != memory.created_at:
        return Happened(memory.valid_from.date(), _next_day(memory.valid_from.date()), "valid")
    return Happened(memory.created_at.date(), _next_day(memory.created_at.date()), "told")


def _next_day(day: date) -> date:
    return day if day == date.max else day + _DAY
