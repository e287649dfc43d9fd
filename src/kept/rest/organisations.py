"""Organisations and their members."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from kept.rest.answers import Json
from kept.rest.asking import Body, Name, Tenants
from kept.sdk import wire

router = APIRouter(tags=["organisations"], default_response_class=Json)


class OrganisationBody(Body):
    """What to call it."""

    name: Any = None


class MemberBody(Body):
    """Somebody, and what they may do."""

    email: Any = Field(default=None, description="Their e-mail address.")
    role: Any = Field(default="READER", description="`READER` or `OWNER`.")


@router.get("/api/v1/orgs/organizations/", summary="List organisations")
def list_(tenants: Tenants) -> Json:
    """One's own; all for an administrator."""
    owns = tenants.is_administrator
    return Json([wire.organisation(found, is_owner=owns) for found in tenants.organisations()])


@router.post("/api/v1/orgs/organizations/", status_code=201, summary="Make an organisation")
def create(tenants: Tenants, body: OrganisationBody) -> Json:
    """Needs an administrator's key."""
    made = tenants.create_organisation(body.name)
    return Json({"message": "Organization created successfully.", "org_id": made.id}, status_code=201)


@router.get("/api/v1/orgs/organizations/{org_id}/", summary="Read an organisation")
def get(tenants: Tenants, org_id: Name) -> Json:
    """What is known of it; 404 for others' as for none."""
    return Json(wire.organisation(tenants.organisation(org_id), is_owner=tenants.is_administrator))


@router.delete("/api/v1/orgs/organizations/{org_id}/", summary="Delete an organisation")
def delete(tenants: Tenants, org_id: Name) -> Json:
    """Needs an administrator's key, and that its projects were deleted."""
    tenants.delete_organisation(org_id)
    return Json({"message": "Organization deleted successfully."})


@router.get("/api/v1/orgs/organizations/{org_id}/members/", summary="List an organisation's members")
def members(tenants: Tenants, org_id: Name) -> Json:
    """Oldest first."""
    return Json({"members": [wire.member(member) for member in tenants.members(org_id)]})


@router.post("/api/v1/orgs/organizations/{org_id}/members/", status_code=201, summary="Add somebody to an organisation")
def add_member(tenants: Tenants, org_id: Name, body: MemberBody) -> Json:
    """Needs an administrator's key."""
    tenants.put_member(org_id, None, body.email, body.role, new=True)
    return Json({"message": "User added to the organization."}, status_code=201)


@router.put("/api/v1/orgs/organizations/{org_id}/members/", summary="Change a role in an organisation")
def update_member(tenants: Tenants, org_id: Name, body: MemberBody) -> Json:
    """Needs an administrator's key."""
    tenants.put_member(org_id, None, body.email, body.role)
    return Json({"message": "User role updated successfully."})


@router.delete("/api/v1/orgs/organizations/{org_id}/members/", summary="Remove somebody from an organisation")
def remove_member(tenants: Tenants, org_id: Name, body: MemberBody) -> Json:
    """And from its projects, where their keys end. Needs an administrator's key."""
    tenants.remove_member(org_id, None, body.email)
    return Json({"message": "User removed from the organization."})
