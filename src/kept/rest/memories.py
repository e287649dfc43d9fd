"""Memories: v3, and v1 and v2 with their own shapes; what Kept adds to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from pydantic import Field

from kept.domain.filters import narrowing, read_object
from kept.domain.scope import ENTITY_IDS
from kept.engine.access import ProjectAccess
from kept.engine.pending import KEPT_OPTIONS, STORED_OPTIONS
from kept.engine.service import MAX_TOP_K
from kept.errors import InvalidInputError
from kept.rest.answers import Json
from kept.rest.asking import (
    Access,
    Body,
    Name,
    PageNumber,
    PageOf,
    PageSize,
    QueryIds,
    Scoped,
    fields_of,
    filters_of,
    page_of,
    require_understood,
    require_uuid,
)
from kept.rest.direct import DirectRoute
from kept.rest.turns import Turns
from kept.sdk import shapes, wire

DEFAULT_TOP_K: Final = 10
"""As on Mem0's platform."""
_REQUIRED_IDS: Final = "One of the filters: app_id, user_id, agent_id, run_id is required!"

router = APIRouter(tags=["memories"], default_response_class=Json)
direct = APIRouter(tags=["memories"], default_response_class=Json, route_class=DirectRoute)


# --- bodies ---


class AddBody(Scoped):
    """What is to be remembered, and of whom."""

    messages: Any = Field(default=None, description="`[{role, content, name?}]`, one message, or a text.")
    filters: Any = Field(default=None, description="Another place for the ids, as Mem0's typed options send them.")
    infer: bool = Field(default=True, description="False stores each message verbatim, at once.")
    metadata: Any = None
    timestamp: Any = Field(default=None, description="When it was said: seconds since 1970, or ISO 8601.")
    expiration_date: Any = Field(default=None, description="Last day on which it is found, `YYYY-MM-DD`.")
    categories: Any = None
    immutable: bool = False
    custom_instructions: Any = None
    custom_categories: Any = None
    version: str | None = None
    output_format: str | None = None


class SearchBody(Scoped):
    """What to look for, and in whose memories."""

    query: str = Field(description="A question, or a few words.")
    filters: Any = Field(default=None, description="Mem0's filter grammar; must name a user, agent, app or run.")
    top_k: int = Field(default=DEFAULT_TOP_K, ge=1, le=MAX_TOP_K, description="How many at most, from 1 to 1,000.")
    limit: int | None = Field(default=None, ge=1, le=MAX_TOP_K)
    threshold: float | None = Field(default=None, description="Least score of a hit, from 0 to 1.")
    rerank: bool = False
    show_expired: bool = False
    latest_only: bool = Field(default=False, description="Only facts that still hold.")
    reference_date: Any = Field(default=None, description="What relative dates in the query count from.")
    categories: Any = None
    metadata: Any = None
    fields: Any = Field(default=None, description="Names of the fields wanted.")
    explain: bool = Field(default=False, description="Add each part of the score.")
    as_of: Any = Field(default=None, description="What was known then.")
    valid_as_of: Any = Field(default=None, description="What was true in the world then.")
    output_format: str | None = None


class ListBody(Scoped):
    """Which memories to list."""

    filters: Any = Field(default=None, description="Mem0's filter grammar; must name a user, agent, app or run.")
    page: int | None = None
    page_size: int | None = None
    top_k: int | None = Field(default=None, ge=1, description="How many at most, when no page_size is given.")
    start_date: Any = None
    end_date: Any = None
    categories: Any = None
    metadata: Any = None
    keywords: str | None = Field(default=None, description="Only memories whose text contains this.")
    show_expired: bool = False
    latest_only: bool = False
    fields: Any = None


class UpdateBody(Body):
    """What to change; what is not given stays."""

    text: Any = None
    metadata: Any = Field(default=None, description="Merged key by key.")
    timestamp: Any = None
    expiration_date: Any = Field(default=None, description="Null clears it.")
    categories: Any = None


class BatchItem(Body):
    """One memory of a batch."""

    memory_id: str
    text: Any = None
    metadata: Any = None


class BatchBody(Body):
    """Memories to change together."""

    memories: list[BatchItem]


class FeedbackBody(Body):
    """A verdict on a memory."""

    memory_id: str
    feedback: str | None = Field(default=None, description="`POSITIVE`, `NEGATIVE`, `VERY_NEGATIVE`; null clears it.")
    feedback_reason: str | None = None


class ContextBody(Scoped):
    """What a block of memories is for."""

    query: str
    filters: Any = None
    budget_tokens: int | None = None
    threshold: float | None = None
    latest_only: bool = False
    reference_date: Any = None


class UndoBody(Scoped):
    """Which operation to take back."""

    operation_id: str | None = Field(default=None, description="The last one in the scope, when it is not given.")


class RestoreBody(Body):
    """To which state to go back."""

    seq: int | None = Field(
        None, description="The revision; when not given, the state before it was deleted or closed."
    )


class InvalidateBody(Body):
    """From when on it is no longer true."""

    at: Any = None


class EraseBody(Scoped):
    """Whose memories to erase for good."""

    filters: Any = None


IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", max_length=255)]


# --- add ---


@router.post("/v3/memories/add/", summary="Remember messages")
def add(access: Access, body: AddBody, idempotency_key: IdempotencyKey = None) -> Json:
    """Acknowledge messages once they are on disk; the event says when their memories can be found."""
    return Json(_added(access, body, idempotency_key))


@router.post("/v1/memories/", summary="Remember messages (v1)", deprecated=True)
def add_v1(access: Access, body: AddBody, idempotency_key: IdempotencyKey = None) -> Json:
    """As v3, in v1's shape; `async_mode=false` waits."""
    waits = (body.model_extra or {}).get("async_mode") is False
    answer = _added(access, body, idempotency_key, at_once=waits)
    found = answer.get("results", [answer])
    wrapped = body.output_format == "v1.1"
    return Json({"results": found, "relations": _stated(access, found)} if wrapped else found)


def _added(
    access: ProjectAccess, body: AddBody, idempotency_key: str | None, *, at_once: bool = False
) -> dict[str, Any]:
    given = body.model_dump()
    job, result = access.add(
        _ids_of_add(body),
        body.messages if body.messages is not None else [],
        infer=body.infer,
        at_once=at_once,
        idempotency_key=idempotency_key,
        **{name: given[name] for name in (*STORED_OPTIONS, *KEPT_OPTIONS) if given.get(name) is not None},
    )
    if result is None:
        return wire.pending(job)
    memories = {one.memory.id: one.memory for one in result.stored}
    if result.superseded:
        memories |= access.memories_of([job])  # the superseded ones are results too
    return wire.stored(job, result, memories, access.conflicts(result))


def _ids_of_add(body: AddBody) -> dict[str, Any]:
    """The ids at top level, else those in `filters` (Mem0's typed options put them there)."""
    inside = body.filters if isinstance(body.filters, Mapping) else {}
    named = {name: inside[name] for name in ENTITY_IDS if inside.get(name) is not None}
    return named | body.ids


# --- search ---


@direct.post("/v3/memories/search/", summary="Search")
async def search(request: Request, access: Access, body: SearchBody) -> Json:
    """The memories that matter for a query, best first."""
    _refuse_ids_beside_filters(body)
    return await _turns(request).search(lambda quick: Json({"results": _found(access, body, {}, quick=quick)}))


@router.post("/v2/memories/search/", summary="Search (v2)", deprecated=True)
async def search_v2(request: Request, access: Access, body: SearchBody) -> Json:
    """As v3, as a bare array."""
    return await _turns(request).search(lambda quick: Json(_found(access, body, body.ids, quick=quick)))


@router.post("/v1/memories/search/", summary="Search (v1)", deprecated=True)
async def search_v1(request: Request, access: Access, body: SearchBody) -> Json:
    """As v3, with the ids beside the query."""

    def answer(quick: bool) -> Json:
        found = _found(access, body, body.ids, quick=quick)
        wrapped = body.output_format == "v1.1"
        return Json({"results": found, "relations": _stated(access, found)} if wrapped else found)

    return await _turns(request).search(answer)


def _turns(request: Request) -> Turns:
    found: Turns = request.app.state.turns
    return found


def _found(access: ProjectAccess, body: SearchBody, ids: Mapping[str, Any], *, quick: bool) -> list[dict[str, Any]]:
    hits = access.search(
        body.query,
        ids=ids,
        filters=filters_of(body.filters),
        extra=narrowing(categories=body.categories, metadata=body.metadata),
        top_k=body.limit if body.limit is not None else body.top_k,
        threshold=body.threshold,
        show_expired=body.show_expired,
        latest_only=body.latest_only,
        reference_date=body.reference_date,
        as_of=body.as_of,
        valid_as_of=body.valid_as_of,
        rerank=body.rerank,
        explain=body.explain,
        quick=quick,
    )
    wanted = _names(body.fields)
    return [wire.only(wire.hit(hit, explain=body.explain), wanted) for hit in hits]


def _stated(access: ProjectAccess, found: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The relations that memories state which the principal was just given, in their order."""
    ids = [one["id"] for one in found if "id" in one]
    known = access.platform.service.find_many(access.project, ids) if ids else {}
    return shapes.relations(known[memory_id] for memory_id in ids if memory_id in known)


# --- list ---


@router.post("/v3/memories/", summary="List")
def list_(
    request: Request, access: Access, body: ListBody, page: PageNumber = None, page_size: PageSize = None
) -> Json:
    """A page of memories, newest first."""
    _refuse_ids_beside_filters(body)
    which = _page(request, body, page, page_size)
    found, total = _listed(access, body, {}, which)
    return Json(wire.page(found, total, **which.links(total)))


@router.post("/v2/memories/", summary="List (v2)", deprecated=True)
def list_v2(
    request: Request, access: Access, body: ListBody, page: PageNumber = None, page_size: PageSize = None
) -> Json:
    """As v3, as a bare array."""
    return Json(_listed(access, body, body.ids, _page(request, body, page, page_size))[0])


@router.get("/v1/memories/", summary="List (v1)", deprecated=True)
def list_v1(
    request: Request,
    access: Access,
    ids: QueryIds,
    page: PageNumber = None,
    page_size: PageSize = None,
    limit: int | None = None,
    fields: Annotated[list[str] | None, Query()] = None,
    categories: Annotated[list[str] | None, Query()] = None,
    keywords: str | None = None,
    start_date: str | None = None,
    end_date: str | None = None,
    show_expired: bool = False,
) -> Json:
    """As v3, with the ids in the query; an envelope only where both page and page_size are given."""
    if not ids and not access.principal.bound:
        return Json([_REQUIRED_IDS], status_code=400)
    body = ListBody(
        fields=fields,
        categories=categories,
        keywords=keywords,
        start_date=start_date,
        end_date=end_date,
        show_expired=show_expired,
    )
    enveloped = page is not None and page_size is not None
    which = page_of(request, page, page_size if page_size is not None else limit)
    found, total = _listed(access, body, ids, which)
    which.require_some(total)
    return Json(wire.page(found, total, **which.links(total)) if enveloped else found)


def _page(request: Request, body: ListBody, page: int | None, page_size: int | None) -> PageOf:
    """The page of the query, else of the body."""
    number = body.page if page is None else page
    size = body.page_size if page_size is None else page_size
    return page_of(request, number, body.top_k if size is None and number is None else size)


def _listed(
    access: ProjectAccess, body: ListBody, ids: Mapping[str, Any], which: PageOf
) -> tuple[list[dict[str, Any]], int]:
    records, total = access.memories(
        ids=ids,
        filters=filters_of(body.filters),
        extra=narrowing(
            categories=body.categories,
            metadata=body.metadata,
            keywords=body.keywords,
            start_date=body.start_date,
            end_date=body.end_date,
        ),
        limit=which.page_size,
        offset=which.offset,
        show_expired=body.show_expired,
        latest_only=body.latest_only,
    )
    wanted = _names(body.fields)
    return [wire.only(wire.memory(record), wanted) for record in records], total


# --- one memory ---


@router.get("/v1/memories/{memory_id}/", summary="Read a memory")
def get(access: Access, memory_id: Name) -> Json:
    """A memory by its id, expired ones included."""
    return Json(wire.memory(access.get(require_uuid(memory_id))))


@router.put("/v1/memories/{memory_id}/", summary="Change a memory")
def update(access: Access, memory_id: Name, body: UpdateBody) -> Json:
    """Set what is given; the earlier state stays in the history and can be restored."""
    own = require_uuid(memory_id)
    done = access.update(own, **fields_of(body))
    changed = done.memories[0] if done.memories else access.get(own)
    return Json(wire.memory(changed) | {"operation_id": done.operation_id})


@router.delete("/v1/memories/{memory_id}/", summary="Delete a memory")
def delete(access: Access, memory_id: Name, delete_linked: bool = False) -> Json:
    """Hide a memory (`undo` and `restore` bring it back); with `delete_linked` also those that it superseded."""
    done = access.delete([require_uuid(memory_id)], linked=delete_linked)
    answer: dict[str, Any] = {"message": "Memory deleted successfully!", "operation_id": done.operation_id}
    return Json(answer | ({"cascade_count": max(len(done.memories) - 1, 0)} if delete_linked else {}))


@router.get("/v1/memories/{memory_id:uuid}/history/", summary="History of a memory")
def history(access: Access, memory_id: UUID) -> Json:
    """Each revision, oldest first."""
    steps, source = access.history(str(memory_id))
    return Json([wire.step(step, source) for step in steps])


@router.post("/v1/memories/{memory_id}/restore/", summary="Bring a memory back")
def restore(access: Access, memory_id: Name, body: RestoreBody | None = None) -> Json:
    """As it was at a revision, or before it was deleted or closed."""
    done = access.restore(require_uuid(memory_id), seq=body.seq if body else None)
    return Json(shapes.change("Memory restored.", done))


@router.post("/v1/memories/{memory_id}/invalidate/", summary="Say that a memory is no longer true")
def invalidate(access: Access, memory_id: Name, body: InvalidateBody | None = None) -> Json:
    """From a moment on; it is still found, after those that hold, and marked."""
    done = access.invalidate(require_uuid(memory_id), at=body.at if body else None)
    return Json(shapes.change("Memory invalidated.", done))


@router.post("/v1/memories/{memory_id}/erase/", summary="Erase a memory for good")
def erase(access: Access, memory_id: Name) -> Json:
    """Remove its content from log, index, sources and files. This cannot be undone."""
    return Json(shapes.erasure(access.erase([require_uuid(memory_id)])))


# --- several memories ---


@router.delete("/v1/memories/", summary="Delete all memories of a scope")
def delete_all(request: Request, access: Access, ids: QueryIds) -> Json:
    """Acknowledge; what is added from now on stays. Never without naming whose."""
    require_understood(request, "filters", "metadata")
    filters = filters_of(request.query_params.get("filters"))
    metadata = request.query_params.get("metadata")
    extra = narrowing(metadata=read_object(metadata) if metadata else None)
    job = access.delete_all(ids, filters=filters, extra=extra)
    return Json({"message": "Memory deletion in progress.", "event_id": job.id, "status": job.status})


@router.put("/v1/batch/", summary="Change several memories")
def batch_update(access: Access, body: BatchBody) -> Json:
    """At most 1,000, in one operation: when one cannot be changed none is, and the error names it."""
    done = access.update_many(list(zip(_ids_of(body), map(fields_of, body.memories), strict=True)))
    message = f"Successfully updated {len(body.memories)} memories"
    return Json({"message": message, "operation_id": done.operation_id})


@router.delete("/v1/batch/", summary="Delete several memories")
def batch_delete(access: Access, body: BatchBody) -> Json:
    """At most 1,000, in one operation."""
    done = access.delete(_ids_of(body))
    message = f"Successfully deleted {len(done.memories)} memories"
    return Json({"message": message, "operation_id": done.operation_id})


@router.post("/v1/feedback/", summary="Judge a memory")
def feedback(access: Access, body: FeedbackBody) -> Json:
    """Keep a verdict; later searches rank by it."""
    job = access.feedback(require_uuid(body.memory_id), body.feedback, reason=body.feedback_reason)
    verdict = body.feedback.upper() if body.feedback else None
    return Json({"id": job.id, "feedback": verdict, "feedback_reason": body.feedback_reason})


@router.post("/v1/context/", summary="A block of memories for a prompt")
def context(access: Access, body: ContextBody) -> Json:
    """The best set of memories under a token budget, dated, with ids to cite."""
    budget = {"budget_tokens": body.budget_tokens} if body.budget_tokens is not None else {}
    block = access.context(
        body.query,
        ids=body.ids,
        filters=filters_of(body.filters),
        threshold=body.threshold,
        latest_only=body.latest_only,
        reference_date=body.reference_date,
        **budget,
    )
    return Json(shapes.context(block))


@router.post("/v1/undo/", summary="Take an operation back")
def undo(access: Access, body: UndoBody | None = None) -> Json:
    """The given one, or the last in the scope."""
    operation, change = access.undo(body.ids if body else {}, body.operation_id if body else None)
    return Json(shapes.change("Operation undone.", change) | {"undone": shapes.operation(operation)})


@router.post("/v1/erase/", summary="Erase all memories of a scope for good")
def erase_all(access: Access, body: EraseBody) -> Json:
    """Remove the content of all memories of a scope, and what was received for it. This cannot be undone."""
    return Json(shapes.erasure(access.erase_all(body.ids, filters=filters_of(body.filters))))


# --- reading what callers send ---


def _ids_of(body: BatchBody) -> list[str]:
    """The ids of a batch; an error says which one is none."""
    return [require_uuid(item.memory_id, f"memories.{place}.memory_id") for place, item in enumerate(body.memories)]


def _names(fields: Any) -> frozenset[str] | None:
    """The names of fields: a list, or a text with commas."""
    if not fields:
        return None
    listed = fields if isinstance(fields, list) else str(fields).split(",")
    return frozenset(name.strip() for part in listed for name in str(part).split(",") if name.strip())


def _refuse_ids_beside_filters(body: SearchBody | ListBody) -> None:
    """v3 takes ids inside `filters` only: beside it one might be overlooked, and more be shown than was meant.

    Raises:
        InvalidInputError: With the place where it belongs.
    """
    if body.ids:
        named = ", ".join(body.ids)
        raise InvalidInputError(
            f"{named} must be inside filters, as in {{'filters': {{'{next(iter(body.ids))}': '…'}}}}, not beside them."
        )
