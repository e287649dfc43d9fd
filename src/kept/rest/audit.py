"""The audit: who read or changed what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import StreamingResponse

from kept.domain.temporal import parse_when
from kept.engine.auditing import Auditing
from kept.rest.answers import Json
from kept.rest.asking import Access, PageNumber, PageSize, page_of
from kept.sdk import wire

router = APIRouter(tags=["audit"], default_response_class=Json)


async def criteria_of(
    actor: str | None = None,
    key_id: str | None = None,
    action: str | None = None,
    target: str | None = None,
    outcome: str | None = None,
    after: str | None = None,
    before: str | None = None,
) -> dict[str, Any]:
    """Which entries: by the beginning of an action (`memory`, `memory.search`), a `name=value` of the target, and so on."""
    times = {name: parse_when(value) for name, value in (("after", after), ("before", before)) if value}
    return {"actor": actor, "key_id": key_id, "action": action, "target": target, "outcome": outcome, **times}


Criteria = Annotated[dict[str, Any], Depends(criteria_of)]


@router.get("/v1/audit/", summary="Read the audit")
def list_(
    request: Request, access: Access, criteria: Criteria, page: PageNumber = None, page_size: PageSize = None
) -> Json:
    """A page of entries, newest first. Needs an owner's key."""
    which = page_of(request, page, page_size)
    found, total = Auditing(access).page(limit=which.page_size, offset=which.offset, **criteria)
    which.require_some(total)
    return Json(wire.page([wire.audited(entry) for entry in found], total, **which.links(total)))


@router.get("/v1/audit/export/", summary="Export the audit")
def export(access: Access, criteria: Criteria) -> StreamingResponse:
    """All entries as JSON lines, newest first; one empty line where there is none. Needs an owner's key."""
    lines = (json.dumps(wire.audited(entry), ensure_ascii=False) for entry in Auditing(access).export(**criteria))
    headers = {"Content-Disposition": 'attachment; filename="kept-audit.jsonl"', "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(_never_empty(lines), media_type="application/x-ndjson", headers=headers)


def _never_empty(lines: Iterator[str]) -> Iterator[bytes]:
    yield next(lines, "").encode("utf-8", "replace") + b"\n"
    for line in lines:
        yield line.encode("utf-8", "replace") + b"\n"
