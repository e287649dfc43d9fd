"""Proposals: what consolidation found, for a person or an agent to decide."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field

from kept.engine.proposals import MOST_MADE
from kept.engine.proposing import Proposing
from kept.rest.answers import Json
from kept.rest.asking import Access, Body, Name, PageNumber, PageSize, QueryIds, filters_of, page_of, require_uuid
from kept.sdk import shapes, wire

router = APIRouter(tags=["proposals"], default_response_class=Json)


class ConsolidateBody(Body):
    """Whose memories to look through; nobody's name means all that the key may see."""

    user_id: Any = None
    agent_id: Any = None
    app_id: Any = None
    run_id: Any = None
    filters: Any = None
    limit: int = Field(default=MOST_MADE, ge=1, le=1_000, description="How many proposals at most.")
    dry_run: bool = Field(default=False, description="Whether they are shown and not kept; no model is asked then.")


class AcceptBody(Body):
    """How it is accepted."""

    text: Any = Field(default=None, description="Another text than the proposed one, or in place of what is merged.")


@router.post("/v1/proposals/", summary="Look for proposals")
def make(access: Access, body: ConsolidateBody) -> Json:
    """Merges, conflicts, generalisations and what is of no use any more, as far as it was not proposed before."""
    ids = {
        name: value
        for name in ("user_id", "agent_id", "app_id", "run_id")
        if (value := getattr(body, name)) is not None
    }
    made = Proposing(access).make(ids, filters_of(body.filters), limit=body.limit, dry_run=body.dry_run)
    return Json({"results": [shapes.proposal(one) for one in made.proposals], "note": made.note})


@router.get("/v1/proposals/", summary="List proposals")
def list_(
    request: Request,
    access: Access,
    ids: QueryIds,
    status: Annotated[str, Query(description="`pending`, `accepted`, `declined`, `stale` or `all`.")] = "pending",
    page: PageNumber = None,
    page_size: PageSize = None,
) -> Json:
    """A page of proposals, newest first, with the memories that they are about as they are now."""
    which = page_of(request, page, page_size)
    found, total = Proposing(access).page(status, ids, limit=which.page_size, offset=which.offset)
    which.require_some(total)
    return Json(wire.page([shapes.proposal(one) for one in found], total, **which.links(total)))


@router.get("/v1/proposals/{proposal_id}/", summary="Read a proposal")
def get(access: Access, proposal_id: Name) -> Json:
    """With the memories that it is about, and what would be different."""
    return Json(shapes.proposal(Proposing(access).get(require_uuid(proposal_id, "proposal_id"))))


@router.post("/v1/proposals/{proposal_id}/accept/", summary="Accept a proposal")
def accept(access: Access, proposal_id: Name, body: AcceptBody | None = None) -> Json:
    """Make the change, in one operation that `undo` takes back. 409 when it was decided before, or is stale."""
    text = None if body is None else body.text
    return Json(shapes.proposal(Proposing(access).accept(require_uuid(proposal_id, "proposal_id"), text)))


@router.post("/v1/proposals/{proposal_id}/decline/", summary="Decline a proposal")
def decline(access: Access, proposal_id: Name) -> Json:
    """Leave everything as it is; it does not come again."""
    return Json(shapes.proposal(Proposing(access).decline(require_uuid(proposal_id, "proposal_id"))))
