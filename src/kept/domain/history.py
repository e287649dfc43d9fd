"""The log's meaning: what a revision is, and how revisions fold to the current state of a memory.

Every revision sets fields and nothing else, so the fold is one assignment per revision; the operation's name says
why. The laws (held by properties in the tests): folding the log gives the current state; applying a revision twice
is applying it once; folding up to `seq` gives the state as of `seq`; after an erase nothing but the id is left.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal

from kept.domain.digest import digest
from kept.domain.memory import EntityRef, MemoryRecord, Relation
from kept.domain.scope import Scope
from kept.errors import StoreCorruptError

Op = Literal[
    "add", "update", "reinforce", "supersede", "invalidate", "expire", "feedback", "delete", "restore", "erase"
]

NOT_UNDOABLE: Final = frozenset({"undo", "erase", "rebuild"})
"""Kinds of operations that the next undo passes over: an undo, which is taken back by its id, and what leaves nothing to go back to."""

_OPEN_TO_ALL: Final[frozenset[Op]] = frozenset({"add", "reinforce", "feedback", "restore", "erase"})
"""What may happen to an immutable memory: nothing of it changes what was said. A repeat counts, and can only prolong."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)

_TIMES: Final = frozenset({"created_at", "updated_at", "recorded_at", "valid_from", "valid_to"})
_SCOPE: Final = ("project", "user_id", "agent_id", "app_id", "run_id")
_PLAIN: Final = (
    "state",
    "text",
    "hash",
    "kind",
    "speaker",
    "role",
    "superseded_by",
    "episode_id",
    "position",
    "connector",
    "reinforced",
    "immutable",
    "feedback",
    "type",
    "confidence",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One entry of the log.

    Attributes:
        seq: Position in the log, from 1, without reuse.
        operation_id: The call that wrote it; undo works on whole operations.
        changes: New values of the fields that it sets, in their stored form (see `to_changes`).
    """

    seq: int
    memory_id: str
    op: Op
    operation_id: str
    recorded_at: datetime
    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One writing call: who asked for what, when, through which connector.

    Attributes:
        kind: The use case (`add`, `update`, `undo`, …).
        actor: Who asked: a user, an agent or a key's name.
        idempotency_key: A repeat of a call with the same key stores nothing and answers as the first one did.
        undoes: The operation that this one took back.
    """

    id: str
    project: str
    kind: str
    actor: str | None
    connector: str
    recorded_at: datetime
    idempotency_key: str | None = None
    undoes: str | None = None


def permits(record: MemoryRecord, op: Op) -> bool:
    """Whether the memory may be revised by `op`: all that an immutable one refuses is refused here.

    Its text, metadata, dates and state change only by an erase. A repeat counts, feedback is kept, and where the
    operation that stored it was taken back, `restore` brings it back as it was.
    """
    return not record.immutable or op in _OPEN_TO_ALL


def to_microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970 UTC: the stored form of a time, exact and ordered like the time itself."""
    return (moment - EPOCH) // MICROSECOND


def from_microseconds(value: int) -> datetime:
    """The time that `to_microseconds` stored."""
    return EPOCH + timedelta(microseconds=value)


def to_changes(record: MemoryRecord) -> dict[str, Any]:
    """All of a memory in stored form: what its first revision sets. What is empty is left out."""
    changes: dict[str, Any] = {name: getattr(record, name) for name in _PLAIN}
    changes |= {name: getattr(record.scope, name) for name in _SCOPE}
    for name in _TIMES:
        moment = getattr(record, name)
        changes[name] = None if moment is None else to_microseconds(moment)
    changes["expires_on"] = record.expires_on.isoformat() if record.expires_on else None
    changes["metadata"] = dict(record.metadata)
    changes["categories"] = list(record.categories)
    changes["supersedes"] = list(record.supersedes)
    changes["positions"] = list(record.positions)
    changes["entities"] = [{"name": e.name, "kind": e.kind, "key": e.key} for e in record.entity_refs]
    changes["relations"] = [
        {"source": r.source, "relationship": r.relationship, "target": r.target} for r in record.relations
    ]
    return {name: value for name, value in changes.items() if value not in _EMPTY}


_EMPTY: Final[tuple[Any, ...]] = (None, [], {})


def difference(before: MemoryRecord, after: MemoryRecord) -> dict[str, Any]:
    """The changes that turn `before` into `after`; a field that became empty is set to None."""
    old, new = to_changes(before), to_changes(after)
    changed = {name: value for name, value in new.items() if name not in old or old[name] != value}
    return changed | {name: None for name in old if name not in new}


def apply(record: MemoryRecord | None, revision: Revision) -> MemoryRecord:
    """The memory after `revision`.

    Args:
        record: Its state before; None before its first revision.
        revision: Of the same memory. One that `record` already contains (`seq` not after its own) changes nothing.

    Raises:
        StoreCorruptError: The log starts with something other than an add or an erase, or belongs to another memory.
    """
    if record is not None and revision.seq <= record.seq:
        return record
    if record is not None and record.id != revision.memory_id:
        raise StoreCorruptError(f"Revision {revision.seq} belongs to memory {revision.memory_id}, not {record.id}.")
    if revision.op == "erase":
        return _tombstone(record, revision)
    fields = _from_changes(revision.changes)
    if record is None:
        if revision.op != "add":
            raise StoreCorruptError(f"The log of memory {revision.memory_id} starts with {revision.op!r}, not 'add'.")
        scope = Scope(**{name: revision.changes.get(name) for name in _SCOPE})  # type: ignore[arg-type]
        return MemoryRecord(id=revision.memory_id, key=revision.seq, seq=revision.seq, scope=scope, **fields)
    return replace(record, seq=revision.seq, **fields)


def fold(revisions: Iterable[Revision]) -> MemoryRecord | None:
    """The state after all `revisions` of one memory, oldest first; None when there are none."""
    record: MemoryRecord | None = None
    for revision in revisions:
        record = apply(record, revision)
    return record


def blank(revision: Revision) -> Revision:
    """What is left of an erased memory's revision: that it was, when, and why; and whose it was, never what it said."""
    kept = {name: revision.changes[name] for name in _SURVIVES_ERASURE if name in revision.changes}
    return replace(revision, changes=kept)


_SURVIVES_ERASURE: Final = (*_SCOPE, "created_at", "updated_at", "recorded_at", "state", "connector")
"""Scope, so that the tombstone stays inside its tenant; times and state, so that the log still folds."""


def encode_changes(changes: Mapping[str, Any]) -> str:
    """Canonical JSON: the same changes give the same text, whatever their order."""
    return json.dumps(changes, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def checksum(revision: Revision, encoded: str) -> str:
    """A digest of a revision's content, by which `verify` notices a changed byte. The prefix names the algorithm.

    Args:
        revision: The revision.
        encoded: Its changes as `encode_changes` gives them.
    """
    recorded_at = to_microseconds(revision.recorded_at)
    head = f"{revision.seq}\x1f{revision.memory_id}\x1f{revision.op}\x1f{revision.operation_id}\x1f{recorded_at}\x1f"
    return "b2:" + digest(head + encoded)


def _tombstone(record: MemoryRecord | None, revision: Revision) -> MemoryRecord:
    scope = Scope(**{name: revision.changes.get(name) for name in _SCOPE})  # type: ignore[arg-type]
    return MemoryRecord(
        id=revision.memory_id,
        key=record.key if record else revision.seq,
        seq=revision.seq,
        scope=scope,
        state="erased",
        created_at=from_microseconds(revision.changes["created_at"]),
        updated_at=revision.recorded_at,
        recorded_at=from_microseconds(revision.changes["recorded_at"]),
        connector=revision.changes.get("connector", "sdk"),
    )


def _from_changes(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Stored form to field values. Scope fields are not revised: a memory never moves to another owner.

    `source` and `why` are no fields: a reinforcement names the message that repeated the memory, so that an erase finds it,
    and a revision may say how it was decided.
    """
    fields: dict[str, Any] = {}
    for name, value in changes.items():
        if name in _SCOPE or name in _REMARKS:
            continue
        fields.update(_from_change(name, value))
    return fields


def _from_change(name: str, value: Any) -> dict[str, Any]:
    if name == "entities":
        return {"entity_refs": tuple(EntityRef(**entity) for entity in value or ())}
    read = _READ.get(name)
    return {name: read(value) if read else value}


_REMARKS: Final = frozenset({"source", "why"})

_READ: Final[dict[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(_TIMES, lambda value: None if value is None else from_microseconds(value)),
    "expires_on": lambda value: date.fromisoformat(value) if value else None,
    "metadata": lambda value: value or {},
    "categories": lambda value: tuple(value or ()),
    "supersedes": lambda value: tuple(value or ()),
    "positions": lambda value: tuple(value or ()),
    "relations": lambda value: tuple(Relation(**relation) for relation in value or ()),
}
"""Stored form to value, where the two differ."""
