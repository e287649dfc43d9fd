"""Work that waits: from a request to the job that keeps it, and from the job to what it stores or is about.

A job's id is the idempotency key of what it stores, so that a job which is run again after a crash stores nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from kept.domain.attachments import ATTACHED, attached, with_attachments, without_attachments
from kept.domain.filters import Filter, parse_filter
from kept.domain.jobs import Job, succeeded
from kept.domain.memory import Message
from kept.domain.scope import Scope
from kept.engine.ingest import BOUND, AddRequest, AddResult
from kept.engine.platform import Platform
from kept.errors import ConflictError

STORED_OPTIONS: Final = ("metadata", "timestamp", "expiration_date", "categories", "immutable", "facts")
"""Options of an add that `Service.request` knows."""
KEPT_OPTIONS: Final = ("custom_instructions", "agent_custom_instructions", "custom_categories", "includes", "excludes")
"""Options that are kept with the job for the extractor and the categories."""
WHOLE: Final = "whole"
"""In a deletion's payload: that an owner is meant whole, and so immutable memories too."""


def to_payload(request: AddRequest, options: Mapping[str, Any]) -> dict[str, Any]:
    """A checked request in plain JSON, secrets redacted. Its facts are left out: they are stored at once."""
    said: object = [_written(message) for message in request.messages]
    if request.stated and len(request.messages) == 1:
        said = request.messages[0].content
    optional = {
        "metadata": dict(request.metadata) or None,
        "timestamp": request.at.isoformat() if request.at else None,
        "expiration_date": request.expires_on.isoformat() if request.expires_on else None,
        "categories": list(request.categories) or None,
        "immutable": request.immutable or None,
        ATTACHED: attached(enumerate(request.messages)) or None,
        **{name: options.get(name) for name in KEPT_OPTIONS},
    }
    present = {name: value for name, value in optional.items() if value is not None}
    return {"messages": said, "infer": request.infer, **request.scope.ids, **present}


def to_request(platform: Platform, job: Job) -> AddRequest:
    """What a job is to store.

    Raises:
        ConflictError: It was erased meanwhile.
    """
    if "messages" not in job.payload:
        raise ConflictError("What was to be stored was erased before it was.")
    given = {name: job.payload[name] for name in STORED_OPTIONS if name in job.payload}
    request = platform.service.request(job.scope, job.payload["messages"], infer=job.payload["infer"], **given)
    request = replace(request, messages=with_attachments(enumerate(request.messages), job))
    return of_job(platform, request, job)


def of_job(platform: Platform, request: AddRequest, job: Job) -> AddRequest:
    """The request as the job's. What has no time of its own was said when it was received."""
    return replace(
        request,
        wishes={name: job.payload[name] for name in KEPT_OPTIONS if name in job.payload},
        bound=job.payload.get(BOUND, {}),
        categorise=platform.categories.sorter(job.scope.project, job.payload.get("custom_categories")),
        at=request.at or job.created_at,
        idempotency_key=job.id,
        job_id=job.id,
        actor=job.actor,
        connector=job.connector,
    )


def done(job: Job, result: AddResult, now: datetime) -> Job:
    """The job when its memories are stored."""
    return succeeded(
        without_attachments(job), now, results_of(result), memory_ids=[stored.memory.id for stored in result.stored]
    )


def boundary_of(job: Job) -> tuple[Scope, Filter | None]:
    """What a job is about: scope and filter, as `ProjectAccess.acknowledge` kept them."""
    scope = job.scope if job.scope.ids else Scope.everything(job.scope.project)
    return scope, parse_filter(job.payload["filters"], allow_empty=True) if "filters" in job.payload else None


def takes_immutable(deletion: Job) -> bool:
    """Whether immutable memories go too: with an entity, and with the project, but not with what was chosen."""
    return deletion.kind == "DELETE_USER" or bool(deletion.payload.get(WHOLE))


def results_of(result: AddResult) -> Sequence[Mapping[str, Any]]:
    """Ids and events, without text."""
    operation = {"operation_id": result.operation_id} if result.operation_id else {}
    stored = [{"id": one.memory.id, "event": one.event, **operation} for one in result.stored]
    superseded = [{"id": memory_id, "event": "SUPERSEDE", **operation} for memory_id in result.superseded]
    return [*stored, *superseded, *({"event": "EXTRACT", "event_id": job_id} for job_id in result.extractions)]


def _written(message: Message) -> dict[str, Any]:
    optional = {
        "name": message.name,
        "timestamp": message.at.isoformat() if message.at else None,
        "id": message.source_id,
    }
    return {
        "role": message.role,
        "content": message.content,
        **{name: value for name, value in optional.items() if value is not None},
    }
