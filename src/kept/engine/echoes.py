"""Echoes: what was made of the same words as a memory, wherever these were said.

What is said again word for word is not stored again: it reinforces the statement that was stored first, whose log names the message that
repeated it. A fact that was taken from the second message tells the words of a statement from the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, get_args

from kept.domain.memory import MemoryRecord, State
from kept.domain.scope import Scope
from kept.ports import Listing, LogReader

__all__ = ["echoes", "places"]

_NOT_ERASED: Final[tuple[State, ...]] = tuple(state for state in get_args(State) if state != "erased")


def echoes(log: LogReader, record: MemoryRecord) -> Iterator[MemoryRecord]:
    """Of a fact what was taken by rule from the messages that it points at, of a statement the facts; in any state.

    Other words of the same message are among them: compare the texts.
    """
    said = places(log, record)
    found: dict[str, MemoryRecord] = {}
    for episode_id in dict.fromkeys(episode_id for episode_id, _ in said):
        for other in log.made_of_episode(record.scope, episode_id):
            if any((episode_id, position) in said for position in other.source_positions):
                found[other.id] = other
    if record.kind == "fact" and said:
        found |= {other.id: other for other in _repeated(log, record) if not said.isdisjoint(places(log, other))}
    yield from (other for other in found.values() if (other.kind == "fact") != (record.kind == "fact"))


def places(log: LogReader, record: MemoryRecord) -> set[tuple[str, int]]:
    """Where a memory was said, as episodes and positions: in its own messages, and in those that repeated it."""
    found: set[tuple[str, int]] = set()
    if record.episode_id is not None:
        found |= {(record.episode_id, position) for position in record.source_positions}
    if record.reinforced:
        for revision in log.revisions(record.project, memory_id=record.id):
            if source := revision.changes.get("source"):
                found.add((source[0], source[1]))
    return found


def _repeated(log: LogReader, fact: MemoryRecord) -> Iterator[MemoryRecord]:
    """What the same user said more than once, whether it is current or not."""
    owner = Scope(project=fact.project, user_id=fact.user_id)
    for other in log.scan(Listing(scope=owner, states=_NOT_ERASED, repeated=True)):
        if other.kind != "fact" and other.user_id == fact.user_id:
            yield other
