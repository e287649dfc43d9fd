"""Entities: the users, agents, apps and runs that memories are stored under."""

from __future__ import annotations

import re
from typing import Any, Final

from fastapi import APIRouter, Request
from pydantic import Field

from kept.domain.jobs import EVENT_KINDS, Job
from kept.engine.access import ENTITY_TYPES, entity_id_name
from kept.engine.entities import Entities, Entity, number_of
from kept.errors import InvalidInputError
from kept.rest.answers import Json
from kept.rest.asking import Access, Body, Name, PageNumber, PageSize, page_of, require_uuid
from kept.sdk import wire
from kept.sdk.shapes import iso

router = APIRouter(tags=["entities"], default_response_class=Json)

_HISTORY: Final = "history"
_NUMBER: Final = re.compile(r"[0-9]{1,16}")
_PARAMETERS: Final = ("user_id", "agent_id", "app_id", "run_id", "categories", "metadata", "created_at", "updated_at")


class EntityBody(Body):
    """An entity beforehand: what people call it, and what there is to know about it."""

    name: Any = None
    metadata: Any = Field(default=None, description="Any object.")


class UserBody(EntityBody):
    """A user."""

    user_id: Any = None


class AgentBody(EntityBody):
    """An agent."""

    agent_id: Any = None


class AppBody(EntityBody):
    """An app."""

    app_id: Any = None


class RunBody(EntityBody):
    """A run."""

    run_id: Any = None


@router.get("/v1/entities/", summary="List entities")
def list_(request: Request, access: Access, page: PageNumber = None, page_size: PageSize = None) -> Json:
    """By type and name; all of them when no page is asked for, as Mem0's clients walk that one answer."""
    found = Entities(access).all()
    totals = wire.totals(found)
    if page is None and page_size is None:
        return Json(wire.page([wire.entity(one) for one in found], len(found), before=None, after=None) | totals)
    which = page_of(request, page, page_size)
    which.require_some(len(found))
    shown = found[which.offset : which.offset + which.page_size]
    return Json(wire.page([wire.entity(one) for one in shown], len(found), **which.links(len(found))) | totals)


@router.get("/v1/entities/filters/", summary="What there is to filter by")
def filters(access: Access) -> Json:
    """Kinds of events, categories, users and names of filters: for a page that shows memories."""
    users = [one.name for one in Entities(access).all() if one.type == "user"]
    categories = [category.name for category in access.platform.categories.of_project(access.project)]
    return Json(
        {
            "event_type": list(EVENT_KINDS),
            "categories": categories,
            "users": users,
            "parameters": list(_PARAMETERS),
        }
    )


@router.get("/v2/entities/{entity_type}/{name}/", summary="Read an entity")
def get(access: Access, entity_type: Name, name: Name) -> Json:
    """An array with the one that has this type and name."""
    return Json([wire.entity(Entities(access).get(entity_type, name))])


@router.delete("/v2/entities/{entity_type}/{name}/", summary="Delete an entity")
def delete(access: Access, entity_type: Name, name: Name) -> Json:
    """Acknowledge that all its memories are to be hidden; also when it is gone already."""
    return Json(_deleted(access.delete_entity(entity_type, name)))


@router.delete("/v1/entities/{entity_type}/{entity_id}/", summary="Delete an entity by its number", deprecated=True)
def delete_numbered(access: Access, entity_type: Name, entity_id: Name) -> Json:
    """As by its name; `entity_id` is the `id` of the list."""
    if not _NUMBER.fullmatch(entity_id):
        raise InvalidInputError("entity_id must be the number that the list of entities has as `id`.")
    return Json(_deleted(Entities(access).delete_numbered(entity_type, int(entity_id))))


@router.post("/v1/users/", status_code=201, summary="Describe a user")
def describe_user(access: Access, body: UserBody) -> Json:
    """Before or after memories are stored; what was said before is replaced."""
    return _described(access, "user", body.user_id, body)


@router.post("/v1/agents/", status_code=201, summary="Describe an agent")
def describe_agent(access: Access, body: AgentBody) -> Json:
    """Before or after memories are stored; what was said before is replaced."""
    return _described(access, "agent", body.agent_id, body)


@router.post("/v1/apps/", status_code=201, summary="Describe an app")
def describe_app(access: Access, body: AppBody) -> Json:
    """Before or after memories are stored; what was said before is replaced."""
    return _described(access, "app", body.app_id, body)


@router.post("/v1/runs/", status_code=201, summary="Describe a run")
def describe_run(access: Access, body: RunBody) -> Json:
    """Before or after memories are stored; what was said before is replaced."""
    return _described(access, "run", body.run_id, body)


@router.get("/v1/stats/", summary="How much there is")
def stats(access: Access) -> Json:
    """Memories and entities now; additions and retrievals as long as events and audit are kept."""
    found = Entities(access).counts()
    shape: dict[str, Any] = {
        "total_memories": found.memories,
        "total_add_events": found.adds,
        "total_retrieval_events": found.retrievals,
        "total_api_retrieval_events": found.retrievals,
        "total_retrieval_events_limit": None,
    }
    for kind in ("user", "agent", "run"):
        count = found.entities[kind]
        shape[f"total_{kind}s_with_memories"] = count
        shape[f"memories_per_{kind}"] = round(found.memories_of[kind] / count, 2) if count else 0
    return Json(shape)


@router.get("/v1/memories/{entity_type}/{entity_id}/", summary="List the memories of an entity")
def memories(request: Request, access: Access, entity_type: Name, entity_id: Name, page: PageNumber = None) -> Json:
    """A page of 100, newest first, each with the message it was taken from."""
    if entity_type not in ENTITY_TYPES and entity_id == _HISTORY:
        require_uuid(entity_type)  # the history of a memory was asked for
    id_name = entity_id_name(entity_type)
    which = page_of(request, page)
    records, total = access.memories(ids={id_name: entity_id}, limit=which.page_size, offset=which.offset)
    which.require_some(total)
    sources = access.sources(record.id for record in records)
    found = [
        wire.memory(record)
        | {"input": wire.said(sources[record.id]), "is_updated": record.updated_at > record.created_at}
        for record in records
    ]
    return Json(wire.page(found, total, **which.links(total)))


def _described(access: Access, entity_type: str, name: object, body: EntityBody) -> Json:
    made = Entities(access).describe(entity_type, name, label=body.name, metadata=body.metadata)
    return Json(_record(made, access.project), status_code=201)


def _record(made: Entity, project: str) -> dict[str, Any]:
    """As Mem0 answers: numbers as numbers, and the id under its own name."""
    return {
        "id": made.number,
        entity_id_name(made.type): made.name,
        "name": made.label,
        "metadata": dict(made.metadata),
        "created_at": iso(made.summary.created_at),
        "updated_at": iso(made.summary.updated_at),
        "graph_entities": None,
        "is_deleted": False,
        "project": number_of("project", project),
    }


def _deleted(job: Job) -> dict[str, Any]:
    return {"message": "Entity deleted successfully!", "event_id": job.id, "status": job.status}
