"""`kept keys`: who may use the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kept.cli import render
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import TEXT, command, group, shared_options
from kept.cli.safe_text import one_line, padded

if TYPE_CHECKING:
    from kept.engine.access import ProjectAccess
    from kept.engine.keys import ApiKey
    from kept.engine.tenancy import Tenancy

ROLES = ("reader", "writer", "owner", "admin")


@command("list", examples=["kept keys list", "kept keys list --project proj_0123456789abcdef --json"])
@pass_invocation
def list_(invocation: Invocation, /) -> None:
    """List a project's keys, oldest first, after those of administrators. Their secrets are kept nowhere."""
    with invocation.access() as access:
        found = _of(access).keys()
    if invocation.as_json:
        from kept.sdk import wire

        render.emit([wire.key(key) for key in found])
        return
    for key in found:
        render.say(_row(key))
    if not found:
        render.note("This project has no keys; make one with `kept keys create`.")


@command(
    "create",
    shared=False,
    examples=[
        "kept keys create --name shop-backend --role writer --project proj_0123456789abcdef",
        "kept keys create --name alices-phone --user alice --read-only --expires 2027-01-01",
        "kept keys create --name ops --role admin",
    ],
)
@click.option("--name", type=TEXT, required=True, help="What it is for; the log and the audit show it.")
@click.option(
    "--role",
    type=click.Choice(ROLES, case_sensitive=False),
    help="reader, writer (the default), owner of the project, or admin of all projects.",
)
@click.option("--read-only", is_flag=True, help="The same as --role reader.")
@click.option("--user", "user_id", type=TEXT, multiple=True, help="A user it cannot step out of; repeat for several.")
@click.option("--agent", "agent_id", type=TEXT, multiple=True, help="The same, of agents.")
@click.option("--app", "app_id", type=TEXT, multiple=True, help="The same, of applications.")
@click.option("--run", "run_id", type=TEXT, multiple=True, help="The same, of sessions.")
@click.option("--member", type=TEXT, metavar="EMAIL", help="The member of the project whose role it follows.")
@click.option("--expires", "expires_at", type=TEXT, metavar="TIME", help="When it ends.")
@pass_invocation
def create(
    invocation: Invocation,
    /,
    name: str,
    role: str | None,
    read_only: bool,
    member: str | None,
    expires_at: str | None,
    **bound: tuple[str, ...],
) -> None:
    """Make a key for the server; its secret is printed this once."""
    if read_only and role not in {None, "reader"}:
        raise click.UsageError(f"--read-only and --role {role} exclude each other.")
    with invocation.access(makes=True) as access:
        made, secret = _of(access).make_key(
            name=name,
            role="READER" if read_only else (role or "writer").upper(),
            bound={id_name: list(values) for id_name, values in bound.items() if values},
            member=member,
            expires_at=expires_at,
        )
    if invocation.as_json:
        from kept.sdk import wire

        render.emit(wire.key(made) | {"api_key": secret})
    else:
        render.say(f"{_row(made)}\nThe key, shown this once: {secret}")


create.params += [option for option in shared_options() if option.name != "user"]


@command("revoke", examples=["kept keys revoke key_0123456789abcdef"])
@click.argument("key_id", type=TEXT)
@pass_invocation
def revoke(invocation: Invocation, /, key_id: str) -> None:
    """End a key now; a running server refuses it from its next request on."""
    with invocation.access() as access:
        ended = _of(access).revoke_key(key_id)
    if invocation.as_json:
        from kept.sdk import wire

        render.emit(wire.key(ended))
    else:
        render.say(_row(ended))


def _of(access: ProjectAccess) -> Tenancy:
    from kept.engine.keys import Keys
    from kept.engine.tenancy import Tenancy

    return Tenancy(access, Keys(access.platform))


def _row(key: ApiKey) -> str:
    where = "all projects" if key.project is None else f"project {one_line(key.project)}"
    bound = [f"{name} {', '.join(map(one_line, values))}" for name, values in key.bound.items()]
    said = [where, *bound, *([f"as {one_line(key.member)}"] if key.member else []), *render.lifetime(key)]
    return f"{key.id}  {padded(key.role, len('READER'))}  {one_line(key.prefix)}…  {one_line(key.name)}  [{'; '.join(said)}]"


keys = group("keys", "Say who may use the server.", [list_, create, revoke])
