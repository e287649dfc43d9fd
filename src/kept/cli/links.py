"""`kept links`: addresses of the server for agents, with some tools, for some time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kept.cli import render
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import NONE, TEXT, command, group, shared_options
from kept.cli.safe_text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from kept.engine.links import Link

METHODS = ("read", "write", "custom")


def _what_it_carries(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of what a link carries."""
    for option in reversed(
        (
            click.option("--methods", type=TEXT, metavar="LIST", help="What its tools may do: read, write, custom."),
            click.option("--tags", type=TEXT, metavar="LIST", help="Only tools with one of these tags."),
            click.option("--user", "user_id", type=TEXT, multiple=True, help="A user it cannot step out of; repeat."),
            click.option("--agent", "agent_id", type=TEXT, multiple=True, help="The same, of agents."),
            click.option("--app", "app_id", type=TEXT, multiple=True, help="The same, of applications."),
            click.option("--run", "run_id", type=TEXT, multiple=True, help="The same, of sessions."),
            click.option(
                "--require-key/--no-key",
                "require_api_token_auth",
                default=None,
                help="Whether who uses it must show a key besides.",
            ),
            click.option("--expires", "expires_at", type=TEXT, metavar="TIME", help=f"When it ends; {NONE}: never."),
            click.option("--rate", "rate_limit", type=TEXT, metavar="N", help=f"Calls a minute; {NONE}: no limit."),
        )
    ):
        function = option(function)
    return function


@command("list", examples=["kept links list", "kept links list --json"])
@pass_invocation
def list_(invocation: Invocation, /) -> None:
    """List a project's links, oldest first. Their addresses are kept nowhere."""
    from kept.engine.links import Links

    with invocation.access() as access:
        found = Links(access).all()
    if invocation.as_json:
        from kept.sdk import wire

        render.emit([wire.link(link) for link in found])
        return
    for link in found:
        render.say(_row(link))
    if not found:
        render.note("This project has no links; make one with `kept links create`.")


@command(
    "create",
    shared=False,
    examples=[
        "kept links create --name assistant --methods read,write --user mira",
        "kept links create --name audit --methods read --tags memories,events --user user123 --expires 2027-12-31T23:59:59Z",
    ],
)
@click.option("--name", type=TEXT, required=True, help="What it is for; the log and the audit show it.")
@_what_it_carries
@pass_invocation
def create(invocation: Invocation, /, name: str, **carried: Any) -> None:
    """Make a link; its address is printed this once. Whoever holds it may use it."""
    from kept.engine.links import Links

    with invocation.access(makes=True) as access:
        link, token = Links(access).make(name=name, **_given(carried))
    _show(invocation, link, token)


@command("change", shared=False, examples=["kept links change lnk_0123456789abcdef --tags events --expires none"])
@click.argument("link_id", type=TEXT)
@click.option("--name", type=TEXT, help="What it is for.")
@_what_it_carries
@pass_invocation
def change(invocation: Invocation, /, link_id: str, name: str | None, **carried: Any) -> None:
    """Change what is given; a running server follows from the next request on."""
    from kept.engine.links import Links

    given = _given(carried) | ({"name": name} if name is not None else {})
    with invocation.access() as access:
        link = Links(access).change(link_id, **given)
    _show(invocation, link)


@command("rotate", examples=["kept links rotate lnk_0123456789abcdef"])
@click.argument("link_id", type=TEXT)
@pass_invocation
def rotate(invocation: Invocation, /, link_id: str) -> None:
    """Give a link another address, printed this once; the one before is of no use from now on."""
    from kept.engine.links import Links

    with invocation.access() as access:
        link, token = Links(access).rotate(link_id)
    _show(invocation, link, token)


@command("revoke", examples=["kept links revoke lnk_0123456789abcdef"])
@click.argument("link_id", type=TEXT)
@pass_invocation
def revoke(invocation: Invocation, /, link_id: str) -> None:
    """End a link now; a running server refuses it from its next request on."""
    from kept.engine.links import Links

    with invocation.access() as access:
        link = Links(access).revoke(link_id)
    _show(invocation, link)


for _command in (create, change):
    _command.params += [option for option in shared_options() if option.name != "user"]


def _given(carried: dict[str, Any]) -> dict[str, Any]:
    """What the options say, in the words of the links; `none` takes an end or a limit away."""
    ids = ("user_id", "agent_id", "app_id", "run_id")
    bound = {name: list(carried[name]) for name in ids if carried[name]}
    given = {name: value for name, value in carried.items() if name not in ids and value is not None}
    for name in ("expires_at", "rate_limit"):
        if given.get(name) == NONE:
            given[name] = None
    if given.get("rate_limit") is not None:
        if not given["rate_limit"].isdecimal():
            raise click.BadParameter(f"it must be a number of calls a minute, or {NONE}.", param_hint="--rate")
        given["rate_limit"] = int(given["rate_limit"])
    return given | ({"bound": bound} if bound else {})


def _show(invocation: Invocation, link: Link, token: str | None = None) -> None:
    """A link, and its address where it has a new one."""
    url = None if token is None else f"{invocation.settings.own_url}/mcp/{token}"
    if invocation.as_json:
        from kept.sdk import wire

        render.emit(wire.link(link) | ({"url": url} if url else {}))
        return
    render.say(_row(link))
    if url is not None:
        render.say(f"Its address, shown this once: {url}")


def _row(link: Link) -> str:
    tags = f" of {', '.join(map(one_line, link.tags))}" if link.tags else ""
    bound = [f"{name} {', '.join(map(one_line, values))}" for name, values in link.bound.items()]
    key = ["with a key"] if link.require_api_token_auth else []
    limit = [f"{link.rate_limit} calls a minute"] if link.rate_limit else []
    said = [f"{', '.join(link.methods)}{tags}", *bound, *key, *limit, *render.lifetime(link)]
    return f"{link.id}  {one_line(link.name)}  [{'; '.join(said)}]"


links = group("links", "Give agents addresses with some tools.", [list_, create, change, rotate, revoke])
