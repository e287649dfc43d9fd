"""Values to Mem0's dictionaries. What Kept knows beyond Mem0 is added under names of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from kept.domain.history import Operation, Revision
from kept.domain.memory import MemoryRecord
from kept.engine.context import Context
from kept.engine.ingest import AddResult
from kept.engine.maintain import Change, Erasure, Step
from kept.engine.retrieve import Hit
from kept.engine.timeline import Occurrence
from kept.engine.understanding import CaughtUp, Understood
from kept.ports import EntitySummary, Statistics

if TYPE_CHECKING:
    from kept.domain.jobs import Job
    from kept.engine.conflicts import Conflict
    from kept.engine.proposals import Proposal
    from kept.engine.transfer import ImportReport

_HISTORY_EVENTS: Final = {"add": "ADD", "update": "UPDATE", "delete": "DELETE"}
"""Mem0's three; Kept's other operations keep their own names, in capitals."""


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, as Mem0's `created_at`."""
    return None if moment is None else moment.isoformat()


def memory(record: MemoryRecord) -> dict[str, Any]:
    """A memory: Mem0's keys (those that are set), then Kept's (those that say something)."""
    shape: dict[str, Any] = {
        "id": record.id,
        "memory": record.text,
        "hash": record.hash,
        "metadata": dict(record.metadata) or None,
        "created_at": iso(record.created_at),
        "updated_at": iso(record.updated_at),
        **record.scope.ids,
    }
    optional = {
        "actor_id": record.speaker if record.speaker != record.role else None,
        "role": record.role,
        "expiration_date": record.expires_on.isoformat() if record.expires_on else None,
        "speaker": record.speaker,
        "kind": record.kind,
        "categories": list(record.categories),
        "entities": entity_refs(record),
        "relations": relations([record]),
        "recorded_at": iso(record.recorded_at),
        "valid_from": iso(record.valid_from),
        "valid_to": iso(record.valid_to),
        "state": record.state,
        "superseded_by": record.superseded_by,
        "supersedes": list(record.supersedes),
        "reinforced": record.reinforced,
        "feedback": record.feedback,
        "type": record.type,
        "confidence": record.confidence,
        "immutable": record.immutable,
        "episode_id": record.episode_id,
        "position": record.position,
        "positions": list(record.positions),
        "connector": record.connector,
    }
    return shape | {
        name: value for name, value in optional.items() if value or (value == 0 and name in {"position", "confidence"})
    }


def entity_refs(record: MemoryRecord) -> list[dict[str, str]]:
    """What a memory mentions."""
    return [{"name": entity.name, "kind": entity.kind} for entity in record.entity_refs]


def relations(records: Iterable[MemoryRecord]) -> list[dict[str, str]]:
    """What memories state between entities, each triple once, in their order, in Mem0's shape."""
    return [
        {"source": stated.source, "relationship": stated.relationship, "target": stated.target}
        for stated in dict.fromkeys(one for record in records for one in record.relations)
    ]


def hit(found: Hit, *, explain: bool) -> dict[str, Any]:
    """A hit: its memory, its score in [0, 1], and, when asked, each part of the score."""
    shape = memory(found.memory) | {"score": found.score}
    if explain:
        shape["score_details"] = dict(found.parts)
    return shape


def context(block: Context) -> dict[str, Any]:
    """A block of memories for a prompt."""
    return {
        "text": block.text,
        "ids": list(block.ids),
        "tokens": block.tokens,
        "budget_tokens": block.budget_tokens,
        "omitted": block.omitted,
        "collapsed": block.collapsed,
    }


def occurrence(found: Occurrence) -> dict[str, Any]:
    """A memory with the days on which it happened."""
    return memory(found.memory) | {"score": found.score, **days(found)}


def days(found: Occurrence) -> dict[str, Any]:
    """When something happened: its first day, the day after its last, how they are known, and whether it is still to come."""
    span = {"start": found.start.isoformat(), "end": found.end.isoformat()}
    return {**span, "known": found.known, "upcoming": found.upcoming}


def added(
    result: AddResult,
    related: Mapping[str, Sequence[Hit]],
    understood: Sequence[Understood] = (),
    conflicts: Mapping[str, Sequence[Conflict]] | None = None,
) -> dict[str, Any]:
    """What an add stored, each with the existing memories close to it and those that it likely contradicts.

    Then the facts that a language model found in it, but for those that stand in the place of one of these.
    """
    facts = {fact.id: fact for part in understood for fact in part.facts}
    stored = {one.memory.id for one in result.stored}
    shape: dict[str, Any] = {
        "results": [
            _stored(facts.get(one.memory.id, one.memory), one.event, related, conflicts or {}) for one in result.stored
        ],
        "superseded": list(result.superseded),
        "skipped_messages": result.skipped_messages,
        "operation_id": result.operation_id,
    }
    for part in understood:
        events = {str(entry.get("id")): str(entry["event"]) for entry in part.job.results}
        found = [fact for fact in part.facts if fact.id not in stored]
        shape["results"] += [_stored(fact, events.get(fact.id, "ADD"), {}, {}) for fact in found]
        shape["superseded"] += [memory_id for memory_id, event in events.items() if event == "SUPERSEDE"]
    if understood:
        shape["extractions"] = [
            {"event_id": part.job.id, "status": part.job.status, "error": part.job.error, **not_taken([part.job])}
            for part in understood
        ]
    return shape


def caught_up(done: CaughtUp) -> dict[str, Any]:
    """What came of reading what waited. Dollars are unknown as soon as one call has no known price."""
    from kept.domain.spending import to_dollars

    spent = done.spent
    return {
        **counts(done.ended),
        **not_taken(done.ended),
        "waiting": done.left.waiting,
        "errors": [{"event_id": job.id, "status": job.status, "error": job.error} for job in done.ended if job.error],
        "retried": done.retried,
        "spent": {"tokens": spent.usage.tokens, "usd": None if spent.unpriced else to_dollars(spent.micros)},
    }


def counts(ended: Sequence[Job]) -> dict[str, int]:
    """How many parts were read, and what came of them."""
    events = Counter(str(entry["event"]) for job in ended for entry in job.results)
    return {
        "parts": sum(not job.error for job in ended),
        "failed": sum(bool(job.error) for job in ended),
        "added": events["ADD"] + events["UPDATE"],  # the latter stand in the place of the statements of their words
        "reinforced": events["REINFORCE"],
        "superseded": events["SUPERSEDE"],
    }


def not_taken(jobs: Iterable[Job]) -> dict[str, Any]:
    """What readings did not take: how much was dropped for which reason, and why whole facts or parts were not stored."""
    dropped, refused = Counter[str](), list[str]()
    for entry in (entry for job in jobs for entry in job.results):
        if entry["event"] == "DROPPED":
            dropped.update(entry["reasons"])
        elif entry["event"] in ("REFUSED", "NONE"):
            refused.append(str(entry["reason"]))
    return {"dropped": dict(dropped), "refused": refused}


def conflict(found: Conflict) -> dict[str, Any]:
    """An existing memory that a new one likely contradicts, why, and which of the two is newer."""
    shape = {"id": found.memory.id, "memory": found.memory.text, "why": found.why, "newer": found.newer}
    return shape | ({"relationship": found.relationship} if found.relationship else {})


def _stored(
    record: MemoryRecord,
    event: str,
    related: Mapping[str, Sequence[Hit]],
    conflicts: Mapping[str, Sequence[Conflict]],
) -> dict[str, Any]:
    return {
        "id": record.id,
        "memory": record.text,
        "event": event,
        **({"role": record.role} if record.role else {}),
        **({"actor_id": record.speaker} if record.speaker != record.role else {}),
        **({"kind": record.kind, "type": record.type} if record.type else {}),
        "related": [
            {"id": close.memory.id, "memory": close.memory.text, "score": close.score}
            for close in related.get(record.id, ())
        ],
        "conflicts": [conflict(found) for found in conflicts.get(record.id, ())],
    }


def step(past: Step) -> dict[str, Any]:
    """One entry of a history (Mem0's keys, then Kept's)."""
    revision, after = past.revision, past.after
    erased = after.state == "erased"
    return {
        "id": f"{revision.memory_id}:{revision.seq}",
        "memory_id": revision.memory_id,
        "old_memory": past.before.text if past.before and past.before.text else None,
        "new_memory": None if after.state == "deleted" or erased else after.text,
        "event": _HISTORY_EVENTS.get(revision.op, revision.op.upper()),
        "created_at": iso(after.created_at),
        "updated_at": iso(revision.recorded_at),
        "is_deleted": after.state in {"deleted", "erased"},
        "actor_id": past.operation.actor if past.operation else None,
        "role": after.role,
        "seq": revision.seq,
        "state": after.state,
        "operation_id": revision.operation_id,
        "connector": past.operation.connector if past.operation else None,
        "why": why(revision),
    }


def why(revision: Revision) -> dict[str, Any] | None:
    """Why it was decided so: by which model or proposal, on what grounds; None of what somebody simply asked for."""
    return revision.changes.get("why")


def operation(done: Operation) -> dict[str, Any]:
    """A writing call."""
    return {
        "operation_id": done.id,
        "kind": done.kind,
        "actor": done.actor,
        "connector": done.connector,
        "recorded_at": iso(done.recorded_at),
        "undoes": done.undoes,
    }


def change(message: str, done: Change) -> dict[str, Any]:
    """Mem0's message, what to undo it by, what changed, and how many immutable memories did not."""
    return {
        "message": message,
        **({"passed_over": done.passed_over} if done.passed_over else {}),
        "operation_id": done.operation_id,
        "results": [{"id": record.id, "memory": record.text, "state": record.state} for record in done.memories],
    }


def imported(report: ImportReport) -> dict[str, Any]:
    """What an import brought."""
    return {
        "sessions": report.sessions,
        "added": report.added,
        "reinforced": report.reinforced,
        "skipped": report.skipped,
        "operation_ids": list(report.operation_ids),
    }


def erasure(done: Erasure) -> dict[str, Any]:
    """What an erase removed."""
    return {
        "message": "Memories erased for good.",
        "erased": list(done.memory_ids),
        "messages": done.messages,
        "scrubbed": done.scrubbed,
    }


def entities(found: Iterable[EntitySummary]) -> dict[str, Any]:
    """Users, agents, apps and runs."""
    return {
        "results": [
            {
                "type": entity.type,
                "name": entity.name,
                "total_memories": entity.memories,
                "created_at": iso(entity.created_at),
                "updated_at": iso(entity.updated_at),
            }
            for entity in found
        ]
    }


def statistics(found: Statistics) -> dict[str, Any]:
    """Counts and sizes."""
    return {
        "memories": dict(found.memories),
        "episodes": found.episodes,
        "messages": found.messages,
        "revisions": found.revisions,
        "operations": found.operations,
        "users": found.users,
        "head": found.head,
        "size_bytes": found.size_bytes,
    }


def proposal(found: Proposal) -> dict[str, Any]:
    """A proposed change, with the memories that it is about as they are now."""
    return {
        "id": found.id,
        "kind": found.kind,
        "status": found.status,
        "why": found.why,
        "text": found.text,
        "closes": [_named(record) for record in found.closes],
        "keeps": None if found.keeps is None else _named(found.keeps),
        "sources": [_named(record) for record in found.sources],
        "diff": found.diff,
        "created_at": iso(found.created_at),
        "operation_id": found.operation_id,
        "memory_id": found.made,
        **found.scope.ids,
    }


def _named(record: MemoryRecord) -> dict[str, Any]:
    return {"id": record.id, "memory": record.text}
