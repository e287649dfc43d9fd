"""`kept graph`: entities and what connects them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from kept.cli import render
from kept.cli.failures import NOTHING_FOUND
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import TEXT, command, filter_option, group
from kept.cli.safe_text import one_line

if TYPE_CHECKING:
    from kept.domain.graph import Node
    from kept.engine.graph import Tie

SEARCH_LIMIT = 10
NEIGHBOURS = 20
"""A screenful."""


def _asking(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every question."""
    then = click.option("--valid-as-of", type=TEXT, metavar="TIME", help="What was true in the world then.")
    return then(filter_option(function))


@command("search", scoped=True, across_users=True, examples=["kept graph search postgres", "kept graph search"])
@click.argument("query", nargs=-1, type=TEXT)
@click.option("--limit", type=int, default=SEARCH_LIMIT, show_default=True, help="At most so many entities.")
@_asking
@pass_invocation
@click.pass_context
def search(ctx: click.Context, invocation: Invocation, /, query: tuple[str, ...], filters: Any, **given: Any) -> None:
    """Find entities by words of their names, each with its relations.

    Without words those mentioned most. Exits with 3 when nothing is found.
    """
    with invocation.service() as service:
        found = service.graph.search(service.listing(invocation.scope(), filters), " ".join(query), **given)
    if invocation.as_json:
        from kept.sdk import graph_shapes

        render.emit(graph_shapes.search(found))
    for hit in found if not invocation.as_json else ():
        render.say(_entity_row(hit.node))
        _show_ties(hit.ties)
    if not found:
        if not invocation.as_json:
            render.note("Nothing was found.")
        ctx.exit(NOTHING_FOUND)


@command("entity", scoped=True, across_users=True, examples=["kept graph entity Nora", "kept graph entity src/app.py"])
@click.argument("name", type=TEXT)
@_asking
@pass_invocation
def entity(invocation: Invocation, /, name: str, filters: Any, **given: Any) -> None:
    """Show an entity: its aliases, its relations, and what it is mentioned with."""
    with invocation.service() as service:
        found = service.graph.entity(service.listing(invocation.scope(), filters), name, **given)
    if invocation.as_json:
        from kept.sdk import graph_shapes

        render.emit(graph_shapes.entity(found))
        return
    render.say(_entity_row(found.node))
    if found.node.aliases:
        render.say(f"  also: {one_line(', '.join(found.node.aliases))}")
    _show_ties((*found.outgoing, *found.incoming))
    if found.together:
        together = ", ".join(f"{other.name} ({count})" for other, count in found.together)
        render.say(f"  mentioned with: {one_line(together)}")


@command(
    "neighbours",
    scoped=True,
    across_users=True,
    examples=["kept graph neighbours Nora", "kept graph neighbours Postgres --depth 2 --relationship uses"],
)
@click.argument("name", type=TEXT)
@click.option("--depth", type=int, default=1, show_default=True, help="In at most so many steps, from 1 to 3.")
@click.option("--relationship", type=TEXT, help="Only by this one, such as uses or mentioned_with.")
@click.option("--limit", type=int, default=NEIGHBOURS, show_default=True, help="At most so many entities.")
@_asking
@pass_invocation
def neighbours(invocation: Invocation, /, name: str, filters: Any, **given: Any) -> None:
    """List the entities around one, nearest first."""
    with invocation.service() as service:
        listing = service.listing(invocation.scope(), filters)
        found = service.graph.neighbours(listing, name, **given)
        alone = None if found else service.graph.entity(listing, name, valid_as_of=given["valid_as_of"]).node
    if invocation.as_json:
        from kept.sdk import graph_shapes

        render.emit(graph_shapes.neighbours(found))
        return
    if alone is not None:
        by = " by this relationship" if given["relationship"] else ""
        render.say(_entity_row(alone))
        render.note(f"Nothing relates to it{by}.")
    for neighbour in found:
        render.say(f"{neighbour.distance}  {_entity_row(neighbour.node)}")
        _show_ties(neighbour.ties)


@command(
    "paths",
    scoped=True,
    across_users=True,
    examples=["kept graph paths Nora Postgres", "kept graph paths Nora Postgres --max-length 2"],
)
@click.argument("source", type=TEXT)
@click.argument("target", type=TEXT)
@click.option("--max-length", type=int, default=4, show_default=True, help="In at most so many steps, from 1 to 4.")
@click.option("--limit", type=int, default=3, show_default=True, help="At most so many paths.")
@_asking
@pass_invocation
@click.pass_context
def paths(ctx: click.Context, invocation: Invocation, /, source: str, target: str, filters: Any, **given: Any) -> None:
    """Show how two entities belong together, step by step.

    Exits with 3 when no path is that short.
    """
    with invocation.service() as service:
        found = service.graph.paths(service.listing(invocation.scope(), filters), source, target, **given)
    if invocation.as_json:
        from kept.sdk import graph_shapes

        render.emit(graph_shapes.paths(found))
    for path in found if not invocation.as_json else ():
        render.say(render.counted(len(path), "step"))
        _show_ties(path)
    if not found:
        if not invocation.as_json:
            render.note(f"There is no path of at most {render.counted(given['max_length'], 'step')}.")
        ctx.exit(NOTHING_FOUND)


@command(
    "merge",
    scoped=True,
    examples=["kept graph merge PostgreSQL Postgres pg", "kept graph merge 'Nora Smith' Nora"],
)
@click.argument("into", type=TEXT)
@click.argument("names", nargs=-1, required=True, type=TEXT)
@pass_invocation
def merge(invocation: Invocation, /, into: str, names: tuple[str, ...]) -> None:
    """Make entities one, under the first name; `kept graph split` takes it back."""
    with invocation.service() as service:
        found = service.graph.merge(service.listing(invocation.scope()), into, names)
    if invocation.as_json:
        from kept.sdk import graph_shapes

        render.emit(graph_shapes.entity(found))
        return
    render.say(f"merged  {_entity_row(found.node)}; also: {one_line(', '.join(found.node.aliases))}")


@command("split", scoped=True, examples=["kept graph split Postgres"])
@click.argument("names", nargs=-1, required=True, type=TEXT)
@pass_invocation
def split(invocation: Invocation, /, names: tuple[str, ...]) -> None:
    """Make aliases entities of their own again."""
    with invocation.service() as service:
        gone = service.graph.split(service.listing(invocation.scope()), names)
    if invocation.as_json:
        from kept.sdk import graph_shapes

        render.emit(graph_shapes.split(gone))
        return
    render.say(f"split  {one_line(', '.join(gone))}")


@command("likenesses", scoped=True, across_users=True, examples=["kept graph likenesses"])
@click.option("--limit", type=int, default=NEIGHBOURS, show_default=True, help="At most so many pairs.")
@pass_invocation
def likenesses(invocation: Invocation, /, limit: int) -> None:
    """List entities that are likely one under two names; nothing is merged by itself."""
    with invocation.service() as service:
        found = service.graph.likenesses(service.listing(invocation.scope()), limit=limit)
    if invocation.as_json:
        from kept.sdk import graph_shapes

        render.emit(graph_shapes.likenesses(found))
        return
    for pair in found:
        render.say(f"{one_line(pair.one.name)}, {one_line(pair.other.name)}: {pair.why}")
    if not found:
        render.note("No two entities look like one under two names.")


def _entity_row(node: Node) -> str:
    kind = f" ({one_line(node.kind)})" if node.kind else ""
    name = click.style(one_line(node.name), bold=True)
    return f"{name}{kind}  {render.counted(node.mentions, 'memory')}, last {render.moment(node.last_seen)}"


def _show_ties(ties: Iterable[Tie]) -> None:
    for tie in ties:
        triple = one_line(f"{tie.source} {tie.relationship} {tie.target}")
        until = f" until {render.moment(tie.valid_to)}" if tie.valid_to else ""
        closed = f"  [{tie.state}{until}]" if tie.state != "active" or until else ""
        source = f"  {render.short(tie.memory_ids[0])}" if tie.memory_ids else ""
        more = f" and {tie.memories - 1:,} more" if tie.memories > 1 and source else ""
        render.say(f"  {triple}{closed}{source}{more}")


graph = group(
    "graph",
    "Ask what is known of entities and what connects them.",
    [search, entity, neighbours, paths, merge, split, likenesses],
)
