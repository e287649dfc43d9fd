"""Rows to values and back. The order of the insert tuples is that of the statements in `queries.sql`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from kept.domain.history import (
    Operation,
    Revision,
    checksum,
    encode_changes,
    from_microseconds,
    to_microseconds,
)
from kept.domain.memory import (
    CURRENT,
    EntityRef,
    Episode,
    MemoryRecord,
    Message,
    Relation,
    repeat_key,
)
from kept.domain.scope import Scope
from kept.ports import EntitySummary, IndexEntry, PartitionRow

UNREADABLE: Final = (ValueError, TypeError, OverflowError)
"""What Python raises for a stored value that Kept cannot have written: no JSON, no day, no such time, wrong fields."""


def memory_row(record: MemoryRecord, partition: int) -> tuple[Any, ...]:
    """A memory as parameters of `upsert_memory`."""
    repeatable = record.state == CURRENT
    return (
        record.key,
        record.id,
        record.seq,
        partition,
        record.project,
        record.user_id,
        record.agent_id,
        record.app_id,
        record.run_id,
        record.state,
        record.kind,
        record.speaker,
        record.role,
        record.connector,
        to_microseconds(record.created_at),
        to_microseconds(record.updated_at),
        to_microseconds(record.recorded_at),
        None if record.valid_from is None else to_microseconds(record.valid_from),
        None if record.valid_to is None else to_microseconds(record.valid_to),
        record.expires_on.isoformat() if record.expires_on else None,
        record.superseded_by,
        _json(record.supersedes),
        record.episode_id,
        record.position,
        record.reinforced,
        record.immutable,
        record.feedback,
        record.hash,
        repeat_key(record.scope, record.speaker, record.text) if repeatable else None,
        _json(record.categories),
        _json([{"name": e.name, "kind": e.kind, "key": e.key} for e in record.entity_refs]),
        _json([{"source": r.source, "relationship": r.relationship, "target": r.target} for r in record.relations]),
        json.dumps(dict(record.metadata), ensure_ascii=False) if record.metadata else None,
        record.text,
        record.type,
        record.confidence,
        _json(record.positions),
    )


def to_memory(row: sqlite3.Row) -> MemoryRecord:
    """A row of `memory` as a value.

    Columns are taken by position, in the order of the schema: by name, sqlite3 compares with every column before it, and a
    search turns twenty rows.
    """
    (
        key, memory_id, seq, _, project, user_id, agent_id, app_id, run_id, state, kind, speaker, role, connector,
        created_at, updated_at, recorded_at, valid_from, valid_to, expires_on, superseded_by, supersedes, episode_id,
        position, reinforced, immutable, feedback, digest, _, categories, entities, relations, metadata, text, fact_type,
        confidence, positions,
    ) = row  # fmt: skip
    recorded = from_microseconds(recorded_at)
    return MemoryRecord(
        id=memory_id,
        key=key,
        seq=seq,
        scope=Scope(project=project, user_id=user_id, agent_id=agent_id, app_id=app_id, run_id=run_id),
        state=state,
        text=text,
        hash=digest,
        kind=kind,
        speaker=speaker,
        role=role,
        metadata=_object(metadata) if metadata else {},
        categories=tuple(json.loads(categories)) if categories else (),
        entity_refs=tuple([EntityRef(**entity) for entity in json.loads(entities)]) if entities else (),
        relations=tuple([Relation(**relation) for relation in json.loads(relations)]) if relations else (),
        created_at=recorded if created_at == recorded_at else from_microseconds(created_at),
        updated_at=recorded if updated_at == recorded_at else from_microseconds(updated_at),
        recorded_at=recorded,
        valid_from=None if valid_from is None else from_microseconds(valid_from),
        valid_to=None if valid_to is None else from_microseconds(valid_to),
        expires_on=date.fromisoformat(expires_on) if expires_on else None,
        superseded_by=superseded_by,
        supersedes=tuple(json.loads(supersedes)) if supersedes else (),
        episode_id=episode_id,
        position=position,
        connector=connector,
        reinforced=reinforced,
        immutable=bool(immutable),
        feedback=feedback,
        type=fact_type,
        confidence=confidence,
        positions=tuple(json.loads(positions)) if positions else (),
    )


def revision_row(revision: Revision, operation_key: int, project: str) -> tuple[Any, ...]:
    """A revision as parameters of `insert_revision`."""
    encoded = encode_changes(revision.changes)
    return (
        revision.seq,
        operation_key,
        project,
        revision.memory_id,
        revision.op,
        to_microseconds(revision.recorded_at),
        checksum(revision, encoded),
        encoded,
    )


def to_revision(row: sqlite3.Row) -> Revision:
    """A row of `revision`, joined with its operation's id, as a value."""
    return Revision(
        seq=row["seq"],
        memory_id=row["memory_id"],
        op=row["op"],
        operation_id=row["operation_id"],
        recorded_at=from_microseconds(row["recorded_at"]),
        changes=_object(row["changes"]),
    )


def is_unchanged(row: sqlite3.Row) -> bool:
    """Whether a row of `all_revisions`, its changes as bytes, still is what its checksum says."""
    try:
        revision = Revision(
            seq=row["seq"],
            memory_id=row["memory_id"],
            op=row["op"],
            operation_id=row["operation_id"],
            recorded_at=from_microseconds(row["recorded_at"]),
            changes={},
        )
        return bool(checksum(revision, row["changes"].decode()) == row["checksum"])
    except UNREADABLE:
        return False


def to_operation(row: sqlite3.Row) -> Operation:
    """A row of `operation` as a value."""
    return Operation(
        id=row["id"],
        project=row["project"],
        kind=row["kind"],
        actor=row["actor"],
        connector=row["connector"],
        recorded_at=from_microseconds(row["recorded_at"]),
        idempotency_key=row["idempotency_key"],
        undoes=row["undoes"],
    )


def to_episode(row: sqlite3.Row, messages: Sequence[sqlite3.Row]) -> Episode:
    """A row of `episode`, joined with its partition, and its messages as a value."""
    return Episode(
        id=row["id"],
        scope=Scope(
            project=row["project"],
            user_id=row["user_id"],
            agent_id=row["agent_id"],
            app_id=row["app_id"],
            run_id=row["run_id"],
        ),
        connector=row["connector"],
        recorded_at=from_microseconds(row["recorded_at"]),
        messages=tuple(_to_message(message) for message in messages),
    )


def to_partition_row(row: tuple[Any, ...]) -> PartitionRow:
    """A plain row of `partition_rows` as the resident partition takes it."""
    expires_on, (flags, entities, terms, embedding, dates) = row[_EXPIRES_ON], row[_ENTRY:]
    expires_on = None if expires_on is None else date.fromisoformat(expires_on).toordinal()
    entry = None if terms is None else IndexEntry(embedding, terms, entities, flags, dates or b"")
    return PartitionRow._make((*row[:_EXPIRES_ON], expires_on, *row[_EXPIRES_ON + 1 : _ENTRY], entry))


_EXPIRES_ON: Final = PartitionRow._fields.index("expires_on")
_ENTRY: Final = PartitionRow._fields.index("entry")


def to_entity_summary(row: sqlite3.Row) -> EntitySummary:
    """A row of `entity_summaries` as a value."""
    return EntitySummary(
        type=row["type"],
        name=row["name"],
        memories=row["memories"],
        created_at=from_microseconds(row["created_at"]),
        updated_at=from_microseconds(row["updated_at"]),
    )


def message_row(message: Message, position: int, episode_key: int, partition: int) -> tuple[Any, ...]:
    """A message as parameters of `insert_message`."""
    at = None if message.at is None else to_microseconds(message.at)
    return (
        episode_key,
        position,
        partition,
        message.source_id,
        message.role,
        message.name,
        at,
        message.content,
    )


def _to_message(row: sqlite3.Row) -> Message:
    return Message(
        role=row["role"],
        content=row["content"],
        name=row["name"],
        at=None if row["at"] is None else from_microseconds(row["at"]),
        source_id=row["source_id"],
    )


def _object(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise TypeError("a JSON object was stored here")
    return found


def _json(values: Sequence[Any]) -> str | None:
    return json.dumps(list(values), ensure_ascii=False) if values else None
