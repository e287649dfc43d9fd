"""The graph: entities and what connects them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from kept.engine.graph import ProjectGraph
from kept.rest.answers import Json
from kept.rest.asking import Access, QueryIds, Scoped, filters_of
from kept.sdk import graph_shapes as shapes

router = APIRouter(tags=["graph"], default_response_class=Json)

Filters = Annotated[str | None, Query(description="Mem0's filter grammar, as JSON.")]
AsOf = Annotated[str | None, Query(description="What was true in the world then.")]
EntityName = Annotated[str, Query(description="The entity's name, an alias, or words that one name alone has.")]


class MergeBody(Scoped):
    """Entities that are one."""

    into: Any = Field(description="The name to keep.")
    names: Any = Field(description="The other's name, or a list of names.")


class SplitBody(Scoped):
    """Aliases that are not."""

    names: Any = Field(description="A name that was merged into another, or a list of such.")


@router.get("/v1/graph/search/", summary="Find entities")
def search(
    access: Access,
    ids: QueryIds,
    query: Annotated[str, Query(description="Words of names; without any, what is mentioned most.")] = "",
    limit: Annotated[int, Query(description="How many, at most 100.")] = 10,
    filters: Filters = None,
    valid_as_of: AsOf = None,
) -> Json:
    """People, projects, files and tools by words of their names, each with its strongest relations."""
    found = ProjectGraph(access).search(query, ids, filters_of(filters), limit=limit, valid_as_of=valid_as_of)
    return Json(shapes.search(found))


@router.get("/v1/graph/entity/", summary="Look at an entity")
def entity(access: Access, ids: QueryIds, name: EntityName, filters: Filters = None, valid_as_of: AsOf = None) -> Json:
    """Its aliases, its relations in both directions with the memories that state them, and what it is mentioned with."""
    return Json(shapes.entity(ProjectGraph(access).entity(name, ids, filters_of(filters), valid_as_of=valid_as_of)))


@router.get("/v1/graph/neighbours/", summary="List what is near an entity")
def neighbours(
    access: Access,
    ids: QueryIds,
    name: EntityName,
    depth: Annotated[int, Query(description="In at most how many steps, from 1 to 3.")] = 1,
    relationship: Annotated[
        str | None, Query(description="Only by this one, such as `uses` or `mentioned_with`.")
    ] = None,
    limit: Annotated[int, Query(description="How many, at most 100.")] = 50,
    filters: Filters = None,
    valid_as_of: AsOf = None,
) -> Json:
    """Nearest first, each with what ties it to those one step nearer."""
    found = ProjectGraph(access).neighbours(
        name,
        ids,
        filters_of(filters),
        depth=depth,
        relationship=relationship,
        limit=limit,
        valid_as_of=valid_as_of,
    )
    return Json(shapes.neighbours(found))


@router.get("/v1/graph/paths/", summary="Find how two entities belong together")
def paths(
    access: Access,
    ids: QueryIds,
    source: Annotated[str, Query(description="From which entity.")],
    target: Annotated[str, Query(description="To which.")],
    max_length: Annotated[int, Query(description="In at most how many steps, from 1 to 4.")] = 4,
    limit: Annotated[int, Query(description="How many paths, at most 20.")] = 3,
    filters: Filters = None,
    valid_as_of: AsOf = None,
) -> Json:
    """The shortest paths, each step with the memories that say so."""
    found = ProjectGraph(access).paths(
        source, target, ids, filters_of(filters), max_length=max_length, limit=limit, valid_as_of=valid_as_of
    )
    return Json(shapes.paths(found))


@router.get("/v1/graph/likenesses/", summary="List entities that are likely one")
def likenesses(
    access: Access, ids: QueryIds, limit: Annotated[int, Query(description="How many pairs, at most 1,000.")] = 20
) -> Json:
    """Pairs that could be merged, and by which rule; nothing is merged by itself."""
    return Json(shapes.likenesses(ProjectGraph(access).likenesses(ids, limit=limit)))


@router.post("/v1/graph/merge/", summary="Make entities one")
def merge(access: Access, body: MergeBody) -> Json:
    """In one user's memories; a split takes it back."""
    return Json(shapes.entity(ProjectGraph(access).merge(body.into, body.names, body.ids)))


@router.post("/v1/graph/split/", summary="Take merges back")
def split(access: Access, body: SplitBody) -> Json:
    """Each name that is an alias is an entity of its own again."""
    return Json(shapes.split(ProjectGraph(access).split(body.names, body.ids)))
