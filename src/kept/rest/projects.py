"""Projects, their settings and their members."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import Field

from kept.rest.answers import Json
from kept.rest.asking import Body, Name, Tenants
from kept.rest.organisations import MemberBody
from kept.sdk import wire

router = APIRouter(tags=["projects"], default_response_class=Json)

_PROJECTS: Final = "/api/v1/orgs/organizations/{org_id}/projects/"
_PROJECT: Final = _PROJECTS + "{project_id}/"


class NewProject(Body):
    """What to call it, and what it is for."""

    name: Any = None
    description: Any = None


class ProjectBody(Body):
    """What to set; what is not given, or null, stays."""

    name: Any = None
    description: Any = None
    custom_instructions: Any = Field(default=None, description="For whoever extracts memories: a text, or its lines.")
    agent_custom_instructions: Any = Field(default=None, description="The same, for memories of agents.")
    includes: Any = Field(default=None, description="What a language model that reads should look for.")
    excludes: Any = Field(default=None, description="What it should leave out.")
    custom_categories: Any = Field(
        default=None, description="`[{name: description}]` or names; an empty list goes back to the defaults."
    )
    multilingual: Any = None
    decay: Any = None
    memory_depth: Any = None
    usecase: Any = None
    enable_graph: Any = None
    version: Any = None
    spending: Any = Field(
        default=None,
        description='What language models may cost it in a day: `{"daily_tokens": 100000, "daily_usd": 1.5}`, narrower '
        "than the server's own limits; an empty object lifts its own.",
    )


@router.get(_PROJECTS, summary="List projects")
def list_(tenants: Tenants, org_id: Name) -> Json:
    """One's own; all of the organisation for an administrator."""
    return Json([wire.project(found, (), role=tenants.role) for found in tenants.projects(org_id)])


@router.post(_PROJECTS, summary="Make a project")
def create(tenants: Tenants, org_id: Name, body: NewProject) -> Json:
    """Needs an administrator's key. The `api_key` of its owner is shown this once."""
    made, secret = tenants.create_project(org_id, body.name, body.description)
    return Json({"message": "Project created successfully.", "project_id": made.id, "api_key": secret})


@router.get(_PROJECT, summary="Read a project")
def get(tenants: Tenants, org_id: Name, project_id: Name) -> Json:
    """All of it, whatever `fields` are asked for; 404 for others' as for none."""
    found, members = tenants.project(org_id, project_id), tenants.members_if_visible(org_id, project_id)
    return Json(wire.project(found, members, role=tenants.role))


@router.patch(_PROJECT, summary="Change a project")
def update(tenants: Tenants, org_id: Name, project_id: Name, body: ProjectBody) -> Json:
    """Set what is given; needs an owner's key."""
    tenants.update_project(org_id, project_id, body.model_dump())
    return Json({"message": "Project updated successfully"})


@router.delete(_PROJECT, summary="Delete a project")
def delete(tenants: Tenants, org_id: Name, project_id: Name) -> Json:
    """Its keys end at once, its memories are hidden, what was configured in it goes. Needs an owner's key."""
    event_id = tenants.delete_project(org_id, project_id)
    return Json({"message": "Project deleted successfully.", "event_id": event_id})


@router.get(_PROJECT + "members/", summary="List a project's members")
def members(tenants: Tenants, org_id: Name, project_id: Name) -> Json:
    """Oldest first."""
    return Json({"members": [wire.member(member) for member in tenants.members(org_id, project_id)]})


@router.post(_PROJECT + "members/", summary="Add somebody to a project")
def add_member(tenants: Tenants, org_id: Name, project_id: Name, body: MemberBody) -> Json:
    """Needs an owner's key."""
    tenants.put_member(org_id, project_id, body.email, body.role, new=True)
    return Json({"message": "User added to the project."})


@router.put(_PROJECT + "members/", summary="Change a role in a project")
def update_member(tenants: Tenants, org_id: Name, project_id: Name, body: MemberBody) -> Json:
    """Their keys follow at once. Needs an owner's key."""
    tenants.put_member(org_id, project_id, body.email, body.role)
    return Json({"message": "User role updated successfully."})


@router.delete(_PROJECT + "members/", summary="Remove somebody from a project")
def remove_member(
    tenants: Tenants,
    org_id: Name,
    project_id: Name,
    email: Annotated[str, Query(description="Their e-mail address.")] = "",
) -> Json:
    """Their keys end at once. Needs an owner's key."""
    tenants.remove_member(org_id, project_id, email)
    return Json({"message": "User removed from the project."})
