"""Exports and summaries."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from kept.domain.jobs import OPEN
from kept.engine.exports import Exports, content_of
from kept.engine.summary import BUDGET_TOKENS, summary
from kept.rest.answers import Json
from kept.rest.asking import Access, Name, Scoped, filters_of
from kept.sdk import wire

router = APIRouter(tags=["exports"], default_response_class=Json)

_MEDIA: Final = {
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "csv": "text/csv",
    "markdown": "text/markdown",
}


class ExportBody(Scoped):
    """What to export, and in which form."""

    schema_: Any = Field(
        default=None, alias="schema", description="JSON schema of the object wanted, for the form `json`."
    )
    filters: Any = Field(default=None, description="Mem0's filter grammar; or the ids beside it.")
    format: str = Field(default="json", description="`json` by the schema, `jsonl`, `csv` or `markdown`.")
    export_instructions: Any = None


class ExportChoice(Scoped):
    """Which export."""

    memory_export_id: str | None = None
    filters: Any = None


class SummaryBody(Scoped):
    """Of what."""

    filters: Any = None
    budget_tokens: int = BUDGET_TOKENS


@router.post("/v1/exports/", status_code=201, summary="Ask for an export")
def create(access: Access, body: ExportBody) -> Json:
    """Acknowledge; `POST /v1/exports/get/` gives it when it is made."""
    job = Exports(access).ask(
        ids=body.ids,
        filters=filters_of(body.filters),
        schema=body.schema_,
        form=body.format,
        instructions=body.export_instructions,
    )
    message = "Memory export request received. The export will be ready in a few seconds."
    return Json({"message": message, "id": job.id, "status": job.status}, status_code=201)


@router.post("/v1/exports/get/", summary="Read an export")
def get(access: Access, body: ExportChoice) -> Json:
    """The exported object itself; of another form than `json`, its text with the form. 202 while it is being made."""
    job = Exports(access).find(body.memory_export_id, ids=body.ids, filters=filters_of(body.filters))
    if job.status in OPEN:
        return Json({"message": "The export is not ready yet.", "id": job.id, "status": job.status}, status_code=202)
    content = content_of(job)
    if job.payload["format"] == "json":
        return JsonText(content)
    return Json({"id": job.id, "format": job.payload["format"], "content": content})


@router.get("/v1/exports/{export_id}/", summary="State of an export")
def state(access: Access, export_id: Name) -> Json:
    """Whether it is made, and what it holds."""
    return Json(wire.event(Exports(access).find(export_id)))


@router.get("/v1/exports/{export_id}/content/", summary="Content of an export")
def content(access: Access, export_id: Name) -> Response:
    """The export as a file of its form."""
    job = Exports(access).find(export_id)
    text, form = content_of(job), job.payload["format"]
    ending = {"markdown": "md"}.get(form, form)
    headers = {
        "Content-Disposition": f'attachment; filename="kept-export.{ending}"',
        "X-Content-Type-Options": "nosniff",
    }
    return Response(text or "\n", media_type=_MEDIA[form], headers=headers)


@router.post("/v1/summary/", summary="What stands for the whole")
def summarise(access: Access, body: SummaryBody | None = None) -> Json:
    """A language model's text of the strongest statements, under a budget; without one, these in the words they were said in."""
    body = body or SummaryBody()
    found = summary(access, ids=body.ids, filters=filters_of(body.filters), budget_tokens=body.budget_tokens)
    return Json([wire.summary(found)])


class JsonText(Json):
    """JSON that is text already."""

    def render(self, content: Any) -> bytes:
        """The text as bytes."""
        return str(content).encode("utf-8", "replace")
