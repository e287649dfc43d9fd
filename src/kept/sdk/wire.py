"""Values to the dictionaries of Mem0's platform: what REST and MCP send, and what its released clients read.

Where Mem0's endpoints disagree on a name (`run_id` and `session_id`), both are given. What Kept knows beyond Mem0 stands under
names of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from kept.domain.jobs import PASSED_OVER, Job
from kept.domain.memory import MemoryRecord, Message
from kept.domain.scope import DEFAULT_PROJECT, ENTITY_IDS
from kept.domain.spending import to_dollars
from kept.engine.ingest import AddResult
from kept.engine.maintain import Step
from kept.engine.retrieve import Hit
from kept.sdk import shapes
from kept.sdk.shapes import iso

if TYPE_CHECKING:
    from kept.domain.access import Role
    from kept.domain.spending import SpendingTotal, Standing
    from kept.engine.conflicts import Conflict
    from kept.engine.entities import Entity
    from kept.engine.keys import ApiKey
    from kept.engine.links import Link
    from kept.engine.retention import Rule
    from kept.engine.spending import Report
    from kept.engine.summary import Summary
    from kept.engine.tenancy import Member, Organisation, Project
    from kept.engine.timeline import Occurrence
    from kept.engine.webhooks import Webhook
    from kept.ports import AuditEntry

_WEEKEND: Final = 6
"""ISO weekday of Saturday."""
_ABOUT_READING: Final = ("EXTRACT", "DROPPED", "REFUSED", "NONE")
_NO_MEMORIES: Final = (*_ABOUT_READING, PASSED_OVER)
"""Kinds of results that are no memories."""
_EVENTS: Final = {"ADD": "ADD", "REINFORCE": "NOOP"}
"""Mem0's word for what changed no text is `NOOP`."""


def memory(record: MemoryRecord) -> dict[str, Any]:
    """A memory, as list and get give it."""
    return brief(record) | {
        "structured_attributes": _calendar(record.created_at),
        "lifecycle_state": record.state,
        "supersedes": list(record.supersedes),
        "synthesized": False,
        "immutable": record.immutable,
        "role": record.role,
        "actor_id": record.speaker if record.speaker != record.role else None,
        "memory_type": record.kind,
        "connector": record.connector,
        "feedback": record.feedback,
        "type": record.type,
        "confidence": record.confidence,
        "valid_from": iso(record.valid_from),
        "valid_to": iso(record.valid_to),
        "recorded_at": iso(record.recorded_at),
        "entities": shapes.entity_refs(record),
        "relations": shapes.relations([record]),
    }


def brief(record: MemoryRecord) -> dict[str, Any]:
    """A memory, as search gives it."""
    scope, created = record.scope, iso(record.created_at)
    return {
        "id": record.id,
        "memory": record.text,
        "hash": record.hash,
        "user_id": scope.user_id,
        "agent_id": scope.agent_id,
        "app_id": scope.app_id,
        "run_id": scope.run_id,
        "session_id": scope.run_id,
        "metadata": dict(record.metadata) or None,
        "categories": list(record.categories) or None,
        "created_at": created,
        "updated_at": created if record.updated_at is record.created_at else iso(record.updated_at),
        "expiration_date": record.expires_on.isoformat() if record.expires_on else None,
        "state": record.state,
        "replaced_by": record.superseded_by,
    }


def hit(found: Hit, *, explain: bool = False) -> dict[str, Any]:
    """A hit: its memory, its score in [0, 1], and, when asked, each part of the score."""
    shape = brief(found.memory) | {"score": round(found.score, 6)}
    if explain:
        shape["score_breakdown"] = {name: round(value, 6) for name, value in found.parts.items()}
    return shape


def occurrence(found: Occurrence) -> dict[str, Any]:
    """A memory of a timeline: its score in [0, 1], and the days on which it happened."""
    return brief(found.memory) | {"score": round(found.score, 6), **shapes.days(found)}


def only(shape: dict[str, Any], fields: Collection[str] | None) -> dict[str, Any]:
    """The fields asked for; the id always."""
    return shape if not fields else {name: value for name, value in shape.items() if name in fields or name == "id"}


def page(results: Sequence[Any], total: int, *, before: str | None, after: str | None) -> dict[str, Any]:
    """Mem0's envelope of a page."""
    return {"count": total, "next": after, "previous": before, "results": list(results)}


def pending(job: Job) -> dict[str, Any]:
    """The answer to an add that was acknowledged."""
    return {
        "message": "Memory processing has been queued for background execution",
        "status": job.status,
        "event_id": job.id,
    }


def stored(
    job: Job,
    result: AddResult | None,
    memories: Mapping[str, MemoryRecord],
    conflicts: Mapping[str, Sequence[Conflict]] | None = None,
) -> dict[str, Any]:
    """The answer to an add that was done at once; `conflicts` beside each new memory that has some."""
    superseded = list(result.superseded) if result else []
    operation = result.operation_id if result else None
    return {
        "message": "Memories stored",
        "status": job.status,
        "event_id": job.id,
        "results": _beside_conflicts(results(job, memories), conflicts or {}),
        "superseded": superseded,
        "operation_id": operation,
    }


def results(job: Job, memories: Mapping[str, MemoryRecord]) -> list[dict[str, Any]]:
    """What came of a job. Texts are read from the memories as they are now, so that an erase reaches them."""
    told = (result for result in job.results if result.get("event") not in _NO_MEMORIES)
    return [_result(result, memories.get(str(result.get("id")))) for result in told]


def _beside_conflicts(
    found: Iterable[dict[str, Any]], conflicts: Mapping[str, Sequence[Conflict]]
) -> list[dict[str, Any]]:
    """Results, each new memory with those that it likely contradicts where there are some."""
    likely = {new: {"conflicts": [shapes.conflict(one) for one in own]} for new, own in conflicts.items() if own}
    return [one | likely.get(str(one.get("id")), {}) for one in found]


def reading(job: Job) -> dict[str, Any]:
    """What is known of a language model's reading: the events in which an add is read; what one did not take, and why."""
    later = [{"event_id": one["event_id"]} for one in job.results if one.get("event") == "EXTRACT"]
    return {"extractions": later, **shapes.not_taken([job])}


def passed_over_by(job: Job) -> int:
    """How many immutable memories a deletion left."""
    return sum(one["immutable"] for one in job.results if one.get("event") == PASSED_OVER)


def _result(result: Mapping[str, Any], record: MemoryRecord | None) -> dict[str, Any]:
    text = record.text if record is not None else None
    shape = dict(result)
    if "event" in shape:
        shape["event"] = _EVENTS.get(shape["event"], shape["event"])
    if "id" in shape:
        shape |= {"memory": text, "data": {"memory": text}}
    return shape


def summary(found: Summary) -> dict[str, Any]:
    """What stands for the memories of a scope."""
    return {
        "summary": found.text,
        "memory_ids": list(found.memory_ids),
        "total_memories": found.total,
        "by": found.by,
        "note": found.note,
    }


def event(
    job: Job,
    memories: Mapping[str, MemoryRecord] | None = None,
    spent_on: Mapping[str, SpendingTotal] | None = None,
    conflicts: Mapping[str, Sequence[Conflict]] | None = None,
) -> dict[str, Any]:
    """An event; with its memories, what models cost for it (`engine.spending.spent_on`) and likely conflicts, whole."""
    shape: dict[str, Any] = {
        "id": job.id,
        "event_type": job.kind,
        "status": job.status,
        "payload": {name: value for name, value in job.payload.items() if name != "attachments"},
        "metadata": job.payload.get("metadata"),
        "actor": job.actor,
        "attempts": job.attempts,
        "created_at": iso(job.created_at),
        "updated_at": iso(job.updated_at),
        "started_at": iso(job.started_at),
        "completed_at": iso(job.completed_at),
        "latency": job.latency_ms,
        "graph_status": None,
        "error": job.error,
    }
    if spent_on and job.id in spent_on:
        shape["spending"] = spent(spent_on[job.id])
    if passed_over := passed_over_by(job):
        shape["passed_over"] = passed_over
    return (
        shape
        | {"results": _beside_conflicts(results(job, memories or {}), conflicts or {})}
        | {name: value for name, value in reading(job).items() if value}
    )


def entity(found: Entity) -> dict[str, Any]:
    """A user, agent, app or run; `id` is a number in a text, by which the deprecated delete names it."""
    return {
        "id": str(found.number),
        "name": found.name,
        "type": found.type,
        "label": found.label,
        "owner": None,
        "metadata": dict(found.metadata) or None,
        "created_at": iso(found.summary.created_at),
        "updated_at": iso(found.summary.updated_at),
        "total_memories": found.summary.memories,
    }


def totals(found: Iterable[Entity]) -> dict[str, int]:
    """How many entities of each type there are."""
    types = [entity.type for entity in found]
    return {f"total_{name}s": types.count(name) for name in ("user", "agent", "app", "run")}


def webhook(found: Webhook, project: str) -> dict[str, Any]:
    """A webhook, without its secret; `project` is the project's name, as on Mem0's platform."""
    return {
        "webhook_id": found.id,
        "name": found.name,
        "url": found.url,
        "event_types": list(found.event_types),
        "owner": found.owner,
        "is_active": found.is_active,
        "project": project,
        "project_id": found.project,
        "failing_since": iso(found.failing_since),
        "reason": found.reason,
        "created_at": iso(found.created_at),
        "updated_at": iso(found.updated_at),
    }


def delivery(job: Job) -> dict[str, Any]:
    """A delivery of a webhook."""
    answered = next((result.get("status") for result in job.results), None)
    return {
        "id": job.id,
        "event_type": job.payload.get("event_type"),
        "memory_id": job.payload.get("memory_id"),
        "event_id": job.payload.get("event_id"),
        "status": job.status,
        "attempts": job.attempts,
        "answered": answered,
        "error": job.error,
        "created_at": iso(job.created_at),
        "next_attempt_at": iso(job.run_after) if job.status == "PENDING" else None,
        "completed_at": iso(job.completed_at),
    }


def rule(found: Rule) -> dict[str, Any]:
    """A retention rule."""
    kept: Any = "forever" if found.days is None else found.days
    return {"id": found.id, **found.match, "days": kept, "created_at": iso(found.created_at)}


def step(past: Step, source: Message | None) -> dict[str, Any]:
    """One entry of a history, with the message that the memory was taken from."""
    record = past.after
    return (
        shapes.step(past)
        | {name: getattr(record, name) for name in ENTITY_IDS}
        | {
            "session_id": record.run_id,
            "categories": list(record.categories) or None,
            "metadata": dict(record.metadata) or None,
            "input": said(source),
        }
    )


def said(source: Message | None) -> list[dict[str, str]]:
    """The message that a memory was taken from, in Mem0's list."""
    return [{"role": source.role, "content": source.content}] if source else []


def organisation(found: Organisation, *, is_owner: bool) -> dict[str, Any]:
    """An organisation."""
    return {
        "org_id": found.id,
        "name": found.name,
        "created_at": iso(found.created_at),
        "updated_at": iso(found.updated_at),
        "is_owner": is_owner,
        "invitations": [],
        "byok_enabled": False,
        "owner_pricing_plan": None,
    }


_UNUSED_SETTINGS: Final = (
    "inclusion_prompt",
    "exclusion_prompt",
    "update_custom_instructions",
    "summary_custom_instructions",
    "summary_batch_size",
    "summary_max_tokens",
    "expiration_date",
    "active_prompt_profile",
)
"""Settings of Mem0's projects that clients may look for and Kept has no use for."""


def project(found: Project, members: Iterable[Member], *, role: Role) -> dict[str, Any]:
    """A project with its settings, to somebody of this role."""
    return {
        "project_id": found.id,
        "org_id": found.organisation,
        "name": found.name,
        **found.settings,
        **dict.fromkeys(_UNUSED_SETTINGS),
        "members": [member(one) for one in members],
        "is_default": found.id == DEFAULT_PROJECT,
        "user_role": role,
        "created_at": iso(found.created_at),
        "updated_at": iso(found.updated_at),
    }


def member(found: Member) -> dict[str, Any]:
    """A member of a project or an organisation, by the names that both of Mem0's lists have for it."""
    return {
        "username": found.email,
        "user_id": found.email,
        "email": found.email,
        "role": found.role,
        "created_at": iso(found.created_at),
    }


def key(found: ApiKey) -> dict[str, Any]:
    """An API key, without its secret."""
    return {
        "id": found.id,
        "name": found.name,
        "prefix": found.prefix,
        "role": found.role,
        "project_id": found.project,
        "org_id": found.organisation,
        "bound": {name: list(values) for name, values in found.bound.items()},
        "member": found.member,
        "created_at": iso(found.created_at),
        "expires_at": iso(found.expires_at),
        "revoked_at": iso(found.revoked_at),
        "last_used_at": iso(found.last_used_at),
    }


def link(found: Link) -> dict[str, Any]:
    """A managed link, without its address."""
    return {
        "id": found.id,
        "name": found.name,
        "project_id": found.project,
        "methods": list(found.methods),
        "tags": list(found.tags),
        "bound": {name: list(values) for name, values in found.bound.items()},
        "require_api_token_auth": found.require_api_token_auth,
        "rate_limit": found.rate_limit,
        "created_by": found.created_by,
        "created_at": iso(found.created_at),
        "expires_at": iso(found.expires_at),
        "revoked_at": iso(found.revoked_at),
        "last_used_at": iso(found.last_used_at),
    }


def spending(report: Report) -> dict[str, Any]:
    """What models cost, and how much of the limits is left."""
    return {
        "by": report.by,
        "results": [{"name": name or None, **spent(found)} for name, found in report.totals.items()],
        "total": spent(report.total),
        "limits": [_limit(one) for one in report.standings],
    }


def spent(found: SpendingTotal) -> dict[str, Any]:
    """What some calls cost together."""
    return {
        "calls": found.calls,
        "input_tokens": found.usage.input_tokens,
        "output_tokens": found.usage.output_tokens,
        "cached_tokens": found.usage.cached_tokens,
        "usd": to_dollars(found.micros),
        "unpriced": found.unpriced,
        "unsettled": found.unsettled,
        "failed": found.failed,
    }


def _limit(found: Standing) -> dict[str, Any]:
    return {
        "name": found.limit.name,
        "per": found.limit.per,
        "tokens": found.limit.tokens,
        "usd": to_dollars(found.limit.micros),
        "left_tokens": found.left.tokens,
        "left_usd": to_dollars(found.left.micros),
    }


def audited(found: AuditEntry) -> dict[str, Any]:
    """An entry of the audit."""
    return {
        "at": iso(found.at),
        "project_id": found.project,
        "actor": found.actor,
        "key_id": found.key_id,
        "connector": found.connector,
        "action": found.action,
        "target": found.target,
        "outcome": found.outcome,
        "count": found.count,
        "request_id": found.request_id,
    }


def _calendar(moment: datetime) -> dict[str, Any]:
    return {
        "year": moment.year,
        "month": moment.month,
        "day": moment.day,
        "hour": moment.hour,
        "minute": moment.minute,
        "day_of_week": moment.strftime("%A").lower(),
        "week_of_year": moment.isocalendar().week,
        "day_of_year": moment.timetuple().tm_yday,
        "quarter": (moment.month - 1) // 3 + 1,
        "is_weekend": moment.isoweekday() >= _WEEKEND,
    }
