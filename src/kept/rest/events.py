"""Events: acknowledged work and what came of it; and what happened to memories."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from kept.domain.jobs import parse_event_kinds, parse_statuses
from kept.domain.temporal import parse_when
from kept.engine.spending import spent_on
from kept.rest.answers import Json
from kept.rest.asking import Access, Name, PageNumber, PageSize, QueryIds, page_of, require_uuid
from kept.sdk import wire

router = APIRouter(tags=["events"], default_response_class=Json)


@router.get("/v1/event/{event_id}/", summary="Read an event")
def get(access: Access, event_id: Name) -> Json:
    """Whether it is done, and the memories that came of it as they are now; of an add with what they likely contradict."""
    job = access.event(require_uuid(event_id, "event_id"))
    memories = access.memories_of([job])
    return Json(wire.event(job, memories, spent_on(access, [job]), access.conflicts_after(job, memories)))


@router.get("/v1/events/", summary="List events")
def list_(
    request: Request,
    access: Access,
    ids: QueryIds,
    event_type: Annotated[list[str] | None, Query(description="`ADD`, `DELETE_ALL`, …")] = None,
    status: Annotated[list[str] | None, Query(description="`PENDING`, `RUNNING`, `SUCCEEDED`, `FAILED`.")] = None,
    after: Annotated[str | None, Query(description="Asked for at or after this time.")] = None,
    before: Annotated[str | None, Query(description="Asked for before this time.")] = None,
    page: PageNumber = None,
    page_size: PageSize = None,
) -> Json:
    """A page of events, newest first. Reads are no events; they are in the audit."""
    which = page_of(request, page, page_size)
    jobs, total = access.events(
        kinds=parse_event_kinds(event_type) if event_type else None,
        statuses=parse_statuses(status) if status else None,
        ids=ids,
        after=parse_when(after) if after else None,
        before=parse_when(before) if before else None,
        limit=which.page_size,
        offset=which.offset,
    )
    which.require_some(total)
    memories, spent = access.memories_of(jobs), spent_on(access, jobs)
    return Json(wire.page([wire.event(job, memories, spent) for job in jobs], total, **which.links(total)))


@router.get("/v1/memories/events/", summary="What happened to memories")
def steps(
    request: Request,
    access: Access,
    page: PageNumber = None,
    page_size: PageSize = None,
    limit: Annotated[int | None, Query(description="Mem0's other name for `page_size`.")] = None,
) -> Json:
    """A page of the histories of all memories, newest first."""
    which = page_of(request, page, page_size if page_size is not None else limit)
    found, total = access.steps(limit=which.page_size, offset=which.offset)
    which.require_some(total)
    return Json(wire.page([wire.step(step, source) for step, source in found], total, **which.links(total)))
