"""`kept timeline`: what happened when, in order."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from kept.cli import render
from kept.cli.failures import NOTHING_FOUND
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import TEXT, command, filter_option, text_of

if TYPE_CHECKING:
    from kept.engine.timeline import Occurrence

TOP_K = 20
"""A screenful."""


@command(
    "timeline",
    scoped=True,
    across_users=True,
    examples=[
        "kept timeline dentist",
        'kept timeline "what did we try before the outage"',
        "kept timeline upcoming trips",
    ],
)
@click.argument("query", nargs=-1, required=True, type=TEXT)
@click.option("--top-k", type=int, default=TOP_K, show_default=True, help="The best matches, at most so many.")
@click.option("--threshold", type=float, help="Leave out matches that score lower, from 0 to 1; else 0.3.")
@filter_option
@click.option("--reference-date", type=TEXT, metavar="TIME", help='What is past, and what "last week" counts from.')
@click.option("--latest-only", is_flag=True, help="Only facts that still hold.")
@pass_invocation
@click.pass_context
def timeline(
    ctx: click.Context, invocation: Invocation, /, query: tuple[str, ...], threshold: float | None, **given: Any
) -> None:
    """Show what happened when, in order.

    Oldest first; a question for the latest has the newest first. Each row has the id, the days, the speaker and the
    text. Exits with 3 when nothing is found.
    """
    least: dict[str, Any] = {} if threshold is None else {"threshold": threshold}
    with invocation.service() as service:
        happened = service.timeline(invocation.scope(), text_of(query), **given, **least)
    if invocation.as_json:
        from kept.sdk import shapes

        render.emit({"results": [shapes.occurrence(one) for one in happened]})
    elif happened:
        spans = [_span(one) for one in happened]
        room = max(map(len, spans))
        days = [span.ljust(room) for span in spans]
        records = [one.memory for one in happened]
        render.say("\n".join(render.memory_rows(records, days=days, columns=render.width())))
    else:
        render.note("Nothing was found.")
    if not happened:
        ctx.exit(NOTHING_FOUND)


def _span(one: Occurrence) -> str:
    """The day, or the first and the last."""
    last = max(one.start, one.end - timedelta(days=1))
    return f"{one.start}" if last == one.start else f"{one.start} to {last}"
