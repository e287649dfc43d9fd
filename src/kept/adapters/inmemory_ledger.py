"""The ledger in memory: the reference that says in plain Python what the port means."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from kept.adapters.inmemory import InMemoryLog
from kept.domain.spending import (
    ModelCall,
    SpendingGroup,
    SpendingLimit,
    SpendingListing,
    SpendingTotal,
    total,
)
from kept.errors import ConflictError

_NAMES: Final[Mapping[SpendingGroup, Callable[[ModelCall], str]]] = {
    "day": lambda call: call.day,
    "project": lambda call: call.project,
    "task": lambda call: call.task,
    "model": lambda call: call.model,
    "job": lambda call: call.job_id or "",
}


class InMemoryLedger:
    """The ledger port on a log in memory, so that what is erased in the one is forgotten in the other.

    Args:
        log: Whose memories the calls were made for; one of its own unless given.
    """

    def __init__(self, log: InMemoryLog | None = None) -> None:
        self._log = log or InMemoryLog()

    def reserve(self, call: ModelCall, limits: Sequence[SpendingLimit]) -> None:
        with self._log.changing() as contents:
            if call.id in contents.calls:
                raise ConflictError(f"There is already a call {call.id}.")
            for limit in limits:
                if (bounded := limit.counts(call.project, call.at, call.job_id)) is not None:
                    limit.require_room(total(filter(bounded.admits, contents.calls.values())), call)
            contents.calls[call.id] = call

    def record(self, call: ModelCall) -> None:
        self.reserve(call, ())

    def settle(self, call: ModelCall) -> None:
        with self._log.changing() as contents:
            if (known := contents.calls.get(call.id)) is not None:
                ended = replace(known, usage=call.usage, micros=call.micros, outcome=call.outcome)
                contents.calls[call.id] = ended

    def release(self, call_id: str) -> None:
        with self._log.changing() as contents:
            known = contents.calls.get(call_id)
            if known is not None and known.outcome == "reserved":
                del contents.calls[call_id]

    def answered(self, project: str, digest: str) -> ModelCall | None:
        asked = [
            call
            for call in self._newest_first(SpendingListing(project=project))
            if call.digest == digest and call.outcome == "answered"
        ]
        return asked[0] if asked else None

    def page(self, listing: SpendingListing, *, limit: int, offset: int = 0) -> list[ModelCall]:
        return self._newest_first(listing)[offset : offset + limit]

    def totals(self, listing: SpendingListing, by: SpendingGroup) -> dict[str, SpendingTotal]:
        groups: dict[str, list[ModelCall]] = defaultdict(list)
        for call in self._newest_first(listing):
            groups[_NAMES[by](call)].append(call)
        return {name: total(groups[name]) for name in sorted(groups)}

    def purge(self, before: datetime) -> int:
        with self._log.changing() as contents:
            kept = {call.id: call for call in contents.calls.values() if call.at >= before}
            gone = len(contents.calls) - len(kept)
            contents.calls = kept
            return gone

    def _newest_first(self, listing: SpendingListing) -> list[ModelCall]:
        return [call for call in self._log.contents.calls.values() if listing.admits(call)][::-1]
