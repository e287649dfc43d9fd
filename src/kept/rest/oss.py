"""The routes of Mem0's self-hosted server, for plugins that speak its dialect: no version in the path, answers at once.

Its shapes are those of `Memory`. What concerns the operator of that server (its users, its configuration by POST) is not here.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import Field

from kept.domain.filters import parse_filter
from kept.domain.jobs import Job
from kept.domain.scope import ANY, ENTITY_IDS
from kept.errors import NotFoundError
from kept.rest.answers import Json
from kept.rest.asking import Access, Body, Name, QueryIds, Scoped, fields_of, filters_of, require_understood
from kept.sdk import shapes, wire

router = APIRouter(tags=["self-hosted Mem0"], default_response_class=Json)

DEFAULT_TOP_K: Final = 20
MAX_TOP_K: Final = 1_000
"""Both as of Mem0's server."""
EVERYBODY: Final = {"OR": [{name: ANY} for name in ENTITY_IDS]}
"""The filter that every memory meets: each is stored under one of the ids at least."""


class AddBody(Scoped):
    """What is to be remembered, and of whom."""

    messages: Any = Field(default=None, description="`[{role, content}]`, one message, or a text.")
    metadata: Any = None
    expiration_date: Any = None
    infer: bool = True


class SearchBody(Scoped):
    """What to look for, and in whose memories."""

    query: str
    filters: Any = Field(default=None, description="The filter grammar of Mem0's `Memory`.")
    top_k: int = DEFAULT_TOP_K
    limit: int | None = None
    threshold: float | None = None
    explain: bool = False
    show_expired: bool = False


class UpdateBody(Body):
    """What to change; what is not given stays."""

    text: Any = None
    metadata: Any = None
    expiration_date: Any = Field(default=None, description="Null clears it.")


@router.post("/memories", summary="Remember messages")
def add(access: Access, body: AddBody) -> Json:
    """Store what they say, and answer when it can be found."""
    given = {"metadata": body.metadata, "expiration_date": body.expiration_date}
    _, result = access.add(body.ids, body.messages, infer=body.infer, at_once=True, **given)
    return Json(shapes.added(result, {}) if result else {"results": []})


@router.get("/memories", summary="List memories")
def list_(
    access: Access,
    ids: QueryIds,
    top_k: Annotated[int, Query(ge=0, le=MAX_TOP_K)] = MAX_TOP_K,
    show_expired: bool = False,
) -> Json:
    """Newest first; of everybody when nobody is named."""
    everybody = None if ids else EVERYBODY
    found, _ = access.memories(ids=ids, filters=everybody, limit=top_k, show_expired=show_expired)
    return Json({"results": [shapes.memory(record) for record in found]})


@router.get("/memories/{memory_id}", summary="Read a memory")
def get(access: Access, memory_id: Name) -> Json:
    """A memory by its id; `null` where there is none."""
    try:
        return Json(shapes.memory(access.get(memory_id)))
    except NotFoundError:
        return Json(None)


@router.put("/memories/{memory_id}", summary="Change a memory")
def update(access: Access, memory_id: Name, body: UpdateBody) -> Json:
    """Set what is given; the earlier state stays in the history."""
    access.update(memory_id, **fields_of(body))
    return Json({"message": "Memory updated successfully!"})


@router.delete("/memories/{memory_id}", summary="Delete a memory")
def delete(access: Access, memory_id: Name) -> Json:
    """Hide it."""
    access.delete([memory_id])
    return Json({"message": "Memory deleted successfully!"})


@router.get("/memories/{memory_id}/history", summary="History of a memory")
def history(access: Access, memory_id: Name) -> Json:
    """Each revision, oldest first."""
    steps, _ = access.history(memory_id)
    return Json([shapes.step(step) for step in steps])


@router.delete("/memories", summary="Delete all memories of a scope")
def delete_all(request: Request, access: Access, ids: QueryIds) -> Json:
    """Now. Never without naming whose."""
    require_understood(request)
    return _when_done(access, access.delete_all(ids), "Memories deleted successfully!")


@router.post("/search", summary="Search")
def search(access: Access, body: SearchBody) -> Json:
    """The memories that matter for a query, best first."""
    filters = filters_of(body.filters)
    hits = access.search(
        body.query,
        ids=body.ids,
        filters=parse_filter(filters, "oss") if filters else None,
        top_k=body.limit if body.limit is not None else body.top_k,
        threshold=body.threshold,
        show_expired=body.show_expired,
        explain=body.explain,
    )
    return Json({"results": [shapes.hit(hit, explain=body.explain) for hit in hits]})


@router.post("/reset", summary="Delete all memories of the project")
def reset(access: Access) -> Json:
    """Now; `undo` brings them back. Needs an owner's key."""
    return _when_done(access, access.delete_all(dict.fromkeys(ENTITY_IDS, ANY)), "All memories reset")


@router.get("/entities", summary="List entities")
def entities(access: Access) -> Json:
    """By type and name."""
    return Json(
        [
            {
                "id": found.name,
                "type": found.type,
                "total_memories": found.memories,
                "created_at": shapes.iso(found.created_at),
                "updated_at": shapes.iso(found.updated_at),
            }
            for found in access.entities()
        ]
    )


@router.delete("/entities/{entity_type}/{name}", summary="Delete an entity")
def delete_entity(access: Access, entity_type: Name, name: Name) -> Json:
    """With all its memories, now."""
    return _when_done(access, access.delete_entity(entity_type, name), "Entity deleted")


@router.get("/configure", summary="What this server is made of")
def configure(access: Access) -> Json:
    """In the form of Mem0's configuration."""
    del access
    return Json({"version": "v1.1", "vector_store": {"provider": "kept", "config": {}}, "llm": None, "reranker": None})


def _when_done(access: Access, job: Job, message: str) -> Json:
    """The message, once what was acknowledged before it and the deletion itself are done; the event where that takes long."""
    now = access.settled(job)
    if now.status == "SUCCEEDED":
        passed_over = wire.passed_over_by(now)
        return Json({"message": message} | ({"passed_over": passed_over} if passed_over else {}))
    return Json({"message": "Deletion in progress.", "event_id": now.id, "status": now.status}, status_code=202)
