"""Managed links: addresses of the MCP server that carry some tools, for some time, for whoever holds them."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from pydantic import Field

from kept.domain.scope import ENTITY_IDS
from kept.engine.links import CHANGEABLE, Links
from kept.rest.answers import Json
from kept.rest.asking import Access, Name, Scoped, base_of, entering
from kept.sdk import wire

router = APIRouter(tags=["links"], default_response_class=Json)

PATH: Final = "/mcp"


class LinkBody(Scoped):
    """What a link carries; of a change, what is given."""

    user_id: Any = Field(default=None, description="A user, or a list of them, that the link cannot step out of.")
    agent_id: Any = None
    app_id: Any = None
    run_id: Any = None
    name: Any = Field(default=None, description="What it is for; the log and the audit show it.")
    methods: Any = Field(default=None, description="What its tools may do: `read` (the default), `write`, `custom`.")
    tags: Any = Field(default=None, description="Only tools with one of these tags; of any when not given.")
    require_api_token_auth: bool | None = Field(
        default=None, description="Whether who uses it must show a key of the project besides."
    )
    expires_at: Any = Field(default=None, description="When it ends: ISO 8601, or seconds since 1970; null never.")
    rate_limit: Any = Field(default=None, description="Calls a minute; null limits none.")


class NewLinkBody(LinkBody):
    """What a new link carries."""

    project_id: str | None = Field(default=None, description="Of which project; of the asking key's when not given.")


@router.get("/v1/mcp-links/", summary="List links")
def list_(access: Access) -> Json:
    """The project's, oldest first, ended ones included, without their addresses. Needs an owner's key."""
    found = Links(access).all()
    return Json(wire.page([wire.link(link) for link in found], len(found), before=None, after=None))


@router.post("/v1/mcp-links/", status_code=201, summary="Make a link")
def create(request: Request, access: Access, body: NewLinkBody) -> Json:
    """The `url` is shown this once. Needs an owner's key."""
    link, token = Links(entering(access, body.project_id)).make(**{"name": None, **_given(body)})
    return Json(wire.link(link) | {"url": address(request, token)}, status_code=201)


@router.get("/v1/mcp-links/{link_id}/", summary="Read a link")
def get(access: Access, link_id: Name) -> Json:
    """What is known of it, with when it was last used; without its address."""
    return Json(wire.link(Links(access).get(link_id)))


@router.patch("/v1/mcp-links/{link_id}/", summary="Change a link")
def change(access: Access, link_id: Name, body: LinkBody) -> Json:
    """What is given; it holds from the next request on."""
    return Json(wire.link(Links(access).change(link_id, **_given(body))))


@router.post("/v1/mcp-links/{link_id}/rotate/", summary="Give a link another address")
def rotate(request: Request, access: Access, link_id: Name) -> Json:
    """The new `url` is shown this once; the one before is of no use from now on."""
    link, token = Links(access).rotate(link_id)
    return Json(wire.link(link) | {"url": address(request, token)})


@router.delete("/v1/mcp-links/{link_id}/", summary="End a link")
def revoke(access: Access, link_id: Name) -> Json:
    """Now. Ending it twice is harmless."""
    return Json({"message": "Link revoked.", "link": wire.link(Links(access).revoke(link_id))})


def address(request: Request, token: str) -> str:
    """Where a token is used."""
    return f"{base_of(request)}{PATH}/{token}"


def _given(body: LinkBody) -> dict[str, Any]:
    """What the body says, ids gathered as bounds."""
    said = body.model_dump(exclude_unset=True)
    given: dict[str, Any] = {name: said[name] for name in CHANGEABLE if name in said and name != "bound"}
    bound = {name: said[name] for name in ENTITY_IDS if said.get(name) is not None}
    if bound or any(name in said for name in ENTITY_IDS):
        given["bound"] = bound
    return {name: value for name, value in given.items() if value is not None or name in {"expires_at", "rate_limit"}}
