"""The timeline: what a question is about, in the order in which it happened."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field

from kept.rest.answers import Json
from kept.rest.asking import Access, Scoped, filters_of
from kept.rest.turns import Turns
from kept.sdk import wire

router = APIRouter(tags=["memories"], default_response_class=Json)


class TimelineBody(Scoped):
    """What to look for, and in whose memories."""

    query: str = Field(
        description="A question, or a few words; `upcoming`, `before X` and `after X` leave out the rest."
    )
    filters: Any = Field(default=None, description="Mem0's filter grammar; may name the ids instead.")
    top_k: int | None = Field(
        default=None, ge=1, description="The best matches, at most so many, from 1 to 1,000; else 20."
    )
    threshold: float | None = Field(default=None, description="Least score of a match, from 0 to 1; else 0.3.")
    reference_date: Any = Field(default=None, description="What is past, and what relative dates count from.")
    latest_only: bool = Field(default=False, description="Only facts that still hold.")


@router.post("/v1/timeline/", summary="What happened when, in order")
async def timeline(request: Request, access: Access, body: TimelineBody) -> Json:
    """Memories with the days on which they happened, oldest first; a question for the latest has the newest first."""
    asked = {"top_k": body.top_k, "threshold": body.threshold, "reference_date": body.reference_date}
    options = {name: value for name, value in asked.items() if value is not None}

    def answer(quick: bool) -> Json:
        happened = access.timeline(
            body.query,
            ids=body.ids,
            filters=filters_of(body.filters),
            latest_only=body.latest_only,
            quick=quick,
            **options,
        )
        return Json({"results": [wire.occurrence(one) for one in happened]})

    turns: Turns = request.app.state.turns
    return await turns.search(answer)
