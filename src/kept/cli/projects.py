"""`kept projects`: the projects of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kept.cli import render
from kept.cli.invocation import Invocation, pass_invocation, require_project
from kept.cli.options import TEXT, command, group
from kept.cli.safe_text import one_line
from kept.domain.scope import DEFAULT_ORGANISATION

if TYPE_CHECKING:
    from kept.engine.access import ProjectAccess
    from kept.engine.tenancy import Project, Tenancy


@command("list", examples=["kept projects list", "kept projects list --organisation org_0123456789abcdef"])
@click.option("--organisation", type=TEXT, default=DEFAULT_ORGANISATION, show_default=True, help="Whose projects.")
@pass_invocation
def list_(invocation: Invocation, /, organisation: str) -> None:
    """List the projects of an organisation: those made by name, then oldest first."""
    with invocation.access(known=False) as access:
        found = _of(access).projects(organisation)
    if invocation.as_json:
        render.emit([_shape(project) for project in found])
        return
    for project in found:
        named = "" if project.name == project.id else f"  {one_line(project.name)}"
        render.say(f"{one_line(project.id)}{named}")


@command(
    "create", examples=["kept projects create shop", 'kept projects create shop --description "The shop\'s agents"']
)
@click.argument("name", type=TEXT)
@click.option("--description", type=TEXT, help="What it is for.")
@click.option("--organisation", type=TEXT, default=DEFAULT_ORGANISATION, show_default=True, help="Whose project it is.")
@pass_invocation
def create(invocation: Invocation, /, name: str, description: str | None, organisation: str) -> None:
    """Make a project for the server; the key of its owner is printed this once."""
    with invocation.access(makes=True, known=False) as access:
        made, secret = _of(access).create_project(organisation, name, description)
    if invocation.as_json:
        render.emit(_shape(made) | {"api_key": secret})
    else:
        render.say(f"{made.id}  {one_line(made.name)}\nThe key of its owner, shown this once: {secret}")
        render.note(f"Name it by its id from now on: --project {made.id}")


@command("show", examples=["kept projects show proj_0123456789abcdef", "kept projects show default --json"])
@click.argument("project_id", metavar="ID", type=TEXT)
@pass_invocation
def show(invocation: Invocation, /, project_id: str) -> None:
    """Show a project: its settings, its members, and how much is in it."""
    with invocation.access(known=False) as access:
        require_project(access.platform, project_id)
        tenants = _of(access)
        found, members = tenants.project(None, project_id), tenants.members(None, project_id)
        memories = sum(access.platform.service.statistics(found.id).memories.values())
    if invocation.as_json:
        render.emit(_shape(found) | {"members": [f"{member.email}" for member in members], "memories": memories})
        return
    rows = [("project", found.id), ("organisation", found.organisation), ("name", found.name)]
    rows += [(name, str(value)) for name, value in found.settings.items() if value not in (None, False)]
    rows += [("members", ", ".join(f"{member.email} ({member.role})" for member in members))]
    rows += [("memories", f"{memories:,}"), ("created", render.moment(found.created_at))]
    render.say("\n".join(render.fields(rows)))


@command("delete", examples=["kept projects delete proj_0123456789abcdef"])
@click.argument("project_id", metavar="ID", type=TEXT)
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_invocation
def delete(invocation: Invocation, /, project_id: str, yes: bool) -> None:
    """Delete a project: end its keys, hide its memories, forget what was configured in it."""
    from kept.bootstrap import build_worker

    with invocation.access(known=False) as access:
        require_project(access.platform, project_id)
        tenants = _of(access)
        found = tenants.project(None, project_id)
        if not yes:
            click.confirm(
                f"Delete project {one_line(found.name)} ({one_line(found.id)}) with its keys?", abort=True, err=True
            )
        event_id = tenants.delete_project(None, project_id)
        build_worker(invocation.settings, access.platform).run_due("writes")
    if invocation.as_json:
        render.emit({"project_id": project_id, "event_id": event_id})
    else:
        render.say(f"deleted {one_line(project_id)}")


def _of(access: ProjectAccess) -> Tenancy:
    from kept.engine.keys import Keys
    from kept.engine.tenancy import Tenancy

    return Tenancy(access, Keys(access.platform))


def _shape(project: Project) -> dict[str, object]:
    from kept.sdk import wire

    return wire.project(project, (), role="ADMIN")


projects = group("projects", "Make, show and delete projects.", [list_, create, show, delete])
