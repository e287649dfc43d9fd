"""API keys: whom one stands for, and the keys of a project."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field

from kept.engine.tenancy import Tenancy
from kept.rest.answers import Json
from kept.rest.asking import Access, Name, Scoped, Tenants, entering
from kept.sdk import wire

router = APIRouter(tags=["keys"], default_response_class=Json)


class KeyBody(Scoped):
    """What a key may do."""

    user_id: Any = Field(default=None, description="A user, or a list of them, that the key cannot step out of.")
    agent_id: Any = None
    app_id: Any = None
    run_id: Any = None
    name: Any = Field(default=None, description="What it is for.")
    role: Any = Field(
        default=None, description="`READER`, `WRITER` (the default) or `OWNER`; of administrators `ADMIN`."
    )
    read_only: bool = Field(default=False, description="The same as the role `READER`.")
    bound: dict[str, Any] | None = Field(default=None, description='The ids in one object: `{"user_id": ["mira"]}`.')
    member: Any = Field(default=None, description="E-mail of the member whose role it follows.")
    expires_at: Any = Field(default=None, description="When it ends: ISO 8601, or seconds since 1970.")
    project_id: str | None = Field(default=None, description="Of which project; of the asking key's when not given.")


@router.get("/v1/ping/", summary="Whom the key stands for")
def ping(access: Access) -> Json:
    """Its organisation and project; Mem0's clients ask this first."""
    principal = access.principal
    return Json(
        {
            "status": "ok",
            "org_id": principal.organisation,
            "project_id": principal.project,
            "user_email": principal.member,
            "role": principal.role,
        }
    )


@router.get("/v1/keys/", summary="List keys")
def list_(tenants: Tenants) -> Json:
    """The project's, oldest first, ended ones included, without their secrets. Needs an owner's key."""
    keys = tenants.keys()
    return Json(wire.page([wire.key(key) for key in keys], len(keys), before=None, after=None))


@router.post("/v1/keys/", status_code=201, summary="Make a key")
def create(request: Request, access: Access, body: KeyBody) -> Json:
    """The `api_key` is shown this once. Needs an owner's key."""
    made, secret = Tenancy(entering(access, body.project_id), request.app.state.keys).make_key(
        name=body.name,
        role=body.role or ("READER" if body.read_only else "WRITER"),
        bound={**(body.bound or {}), **body.ids},
        member=body.member,
        expires_at=body.expires_at,
    )
    return Json(wire.key(made) | {"api_key": secret}, status_code=201)


@router.get("/v1/keys/{key_id}/", summary="Read a key")
def get(tenants: Tenants, key_id: Name) -> Json:
    """What is known of it, without its secret."""
    return Json(wire.key(tenants.key(key_id)))


@router.delete("/v1/keys/{key_id}/", summary="End a key")
def revoke(tenants: Tenants, key_id: Name) -> Json:
    """Now. Ending it twice is harmless."""
    return Json({"message": "Key revoked.", "key": wire.key(tenants.revoke_key(key_id))})
