"""Spending: what models cost."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from kept.engine.spending import Spending
from kept.rest.answers import Json
from kept.rest.asking import Access, require_uuid
from kept.sdk import wire

router = APIRouter(tags=["spending"], default_response_class=Json)


@router.get("/v1/spending/", summary="What models cost")
def get(
    access: Access,
    by: Annotated[str, Query(description="`day`, `project`, `task`, `model` or `job`.")] = "day",
    task: Annotated[str | None, Query(description="Only for this task, such as `extraction` or `embedding`.")] = None,
    event_id: Annotated[str | None, Query(description="Only for this event.")] = None,
    start_date: Annotated[str | None, Query(description="From this day (UTC) on.")] = None,
    end_date: Annotated[str | None, Query(description="Up to this day, itself included.")] = None,
) -> Json:
    """Calls, tokens and dollars of the project, and how much of its limits is left today. Not for bound keys.

    An administrator's key is also told of the whole server's limits, and by `project` of all projects.
    """
    job_id = None if event_id is None else require_uuid(event_id, "event_id")
    report = Spending(access).report(by, task=task, job_id=job_id, first=start_date, last=end_date)
    return Json(wire.spending(report))
