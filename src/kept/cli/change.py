"""`kept update`, `invalidate`, `feedback`, `undo` and `restore`: changes that can all be taken back."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from kept.cli import render
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import NONE, TEXT, command, key_values, text_of
from kept.cli.safe_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kept.domain.memory import MemoryRecord
    from kept.engine.maintain import Change

OPERATIONS = 20
"""A screenful."""
SHOWN = 10
"""Memories of an operation that are shown: half a screenful, of an import's hundreds."""
OWNERS = 3
"""Users of an operation that are named."""
BEGINNING = 60
"""Characters of a text that tell which it is."""


@command(
    "update",
    examples=[
        'kept update 3fa8c1d2 "Releases go out on Mondays"',
        "kept update 3fa8c1d2 --metadata priority=1 --expires 2026-12-31",
        "kept update 3fa8c1d2 --valid-to none",
    ],
)
@click.argument("memory_id", metavar="ID", type=TEXT)
@click.argument("text", nargs=-1, type=TEXT)
@click.option(
    "--metadata", multiple=True, type=TEXT, metavar="KEY=VALUE", callback=key_values, help="Merged, key by key."
)
@click.option(
    "--category", "categories", multiple=True, type=TEXT, metavar="NAME", help="Replaces them; may be repeated."
)
@click.option("--at", "timestamp", type=TEXT, metavar="TIME", help="When it was said.")
@click.option("--expires", "expiration_date", type=TEXT, metavar="DAY", help="Last day on which it is found, or none.")
@click.option("--valid-from", type=TEXT, metavar="TIME", help="First moment at which it is true, or none.")
@click.option("--valid-to", type=TEXT, metavar="TIME", help="First moment at which it is no longer true, or none.")
@pass_invocation
def update(
    invocation: Invocation, /, memory_id: str, text: tuple[str, ...], categories: tuple[str, ...], **given: Any
) -> None:
    """Change the text of a memory, or what is known about it."""
    dates = {name: given.pop(name) for name in ("expiration_date", "valid_from", "valid_to")}
    cleared = {name: None if value.lower() == NONE else value for name, value in dates.items() if value is not None}
    with invocation.service() as service:
        done = service.update(
            invocation.project_name,
            memory_id,
            text=text_of(text) if text else None,
            categories=categories or None,
            by=invocation.by,
            **given,
            **cleared,
        )
    _finish(invocation, "updated", "Memory updated successfully!", done)


@command("invalidate", examples=["kept invalidate 3fa8c1d2", "kept invalidate 3fa8c1d2 --at 2026-03-15"])
@click.argument("memory_id", metavar="ID", type=TEXT)
@click.option("--at", type=TEXT, metavar="TIME", help="Since when it is no longer true. Default: now.")
@pass_invocation
def invalidate(invocation: Invocation, /, memory_id: str, at: str | None) -> None:
    """Say that a memory is no longer true.

    It stays, marked, below what still holds.
    """
    with invocation.service() as service:
        done = service.invalidate(invocation.project_name, memory_id, at=at, by=invocation.by)
    _finish(invocation, "invalidated", "Memory invalidated.", done)


@command("feedback", examples=["kept feedback 3fa8c1d2 positive", "kept feedback 3fa8c1d2 none"])
@click.argument("memory_id", metavar="ID", type=TEXT)
@click.argument("verdict", type=click.Choice(["positive", "negative", "very_negative", NONE], case_sensitive=False))
@pass_invocation
def feedback(invocation: Invocation, /, memory_id: str, verdict: str) -> None:
    """Keep a verdict on a memory, for later rankings.

    The verdict none clears it.
    """
    value = None if verdict == NONE else verdict
    with invocation.service() as service:
        done = service.feedback(invocation.project_name, memory_id, value, by=invocation.by)
    _finish(invocation, "feedback kept for", "Feedback kept.", done)


@command(
    "undo",
    scoped=True,
    across_users=True,
    examples=["kept undo", "kept undo --list", "kept undo 0d9b8a6e"],
)
@click.argument("operation", required=False, type=TEXT)
@click.option("--list", "listing", is_flag=True, help="Show the project's latest operations instead, newest first.")
@click.option("--limit", type=int, help=f"With --list: at most so many.  [default: {OPERATIONS}]")
@pass_invocation
def undo(invocation: Invocation, /, operation: str | None, listing: bool, limit: int | None) -> None:
    """Take back an operation: the given one, or the user's last.

    A whole operation is taken back at once: all that an add stored, all that a delete hid. So is an undo, by its id. An
    erase cannot be undone. OPERATION may be shortened to six characters or more.
    """
    if listing:
        if operation is not None:
            raise click.UsageError("--list shows operations and undoes none; leave out OPERATION.")
        _list_operations(invocation, OPERATIONS if limit is None else limit)
        return
    if limit is not None:
        raise click.UsageError("--limit goes with --list; one operation is undone at a time.")
    with invocation.service() as service:
        undone, done = service.undo(invocation.scope(), operation, by=invocation.by)
    if invocation.as_json:
        from kept.sdk import shapes

        render.emit(shapes.change(f"Undone: {undone.kind}.", done) | {"undone": shapes.operation(undone)})
        return
    when = render.moment(undone.recorded_at)
    render.say(f"undone: the {undone.kind} of {when}, {render.counted(len(done.memories), 'memory')}.")
    for row in render.memory_rows(done.memories[:SHOWN], columns=render.width()):
        render.say(row)
    if len(done.memories) > SHOWN:
        render.say(f"and {len(done.memories) - SHOWN:,} more")
    if done.operation_id and undone.kind != "undo":
        render.note(f"Take it back with: kept undo {done.operation_id}")


def _list_operations(invocation: Invocation, limit: int) -> None:
    from kept.sdk import shapes

    with invocation.service() as service:
        found = service.operations(invocation.project_name, limit=limit)
        if invocation.as_json:
            render.emit({"results": [shapes.operation(done) for done in found]})
            return
        for done in found:
            touched = service.touched(invocation.project_name, done.id)
            undoes = f"  takes back {render.short(done.undoes)}" if done.undoes else ""
            head = f"{render.short(done.id)}  {render.moment(done.recorded_at)}  {done.kind}{undoes}"
            render.say("  ".join([head, *_said_of(touched)]))


def _said_of(touched: Sequence[MemoryRecord]) -> Iterator[str]:
    """How many memories an operation changed, whose they are, and how the first one begins."""
    yield render.counted(len(touched), "memory")
    if touched:
        owners = dict.fromkeys(one_line(record.scope.user_id or "nobody in particular") for record in touched)
        yield f"of {', '.join(islice(owners, OWNERS))}{', …' if len(owners) > OWNERS else ''}"
        text = one_line(touched[0].text)
        yield text if len(text) <= BEGINNING else f"{text[: BEGINNING - 1]}…"


@command("restore", examples=["kept restore 3fa8c1d2", "kept restore 3fa8c1d2 --revision 17"])
@click.argument("memory_id", metavar="ID", type=TEXT)
@click.option("--revision", type=int, metavar="SEQ", help="As it was at this revision (see `kept history`).")
@pass_invocation
def restore(invocation: Invocation, /, memory_id: str, revision: int | None) -> None:
    """Bring a memory back as it was.

    As it was before it was deleted or closed; or, with --revision, at a revision that `kept history` shows.
    """
    with invocation.service() as service:
        whole = service.whole_id(invocation.project_name, memory_id)
        found = service.find_many(invocation.project_name, {whole}).get(whole)
        if revision is None and found is not None and found.state == "active":
            raise click.UsageError(
                f"Memory {memory_id} is neither deleted nor closed; go back to a revision of `kept history {memory_id}` with --revision."
            )
        done = service.restore(invocation.project_name, memory_id, seq=revision, by=invocation.by)
    _finish(invocation, "restored", "Memory restored.", done)


def _finish(invocation: Invocation, verb: str, message: str, done: Change) -> None:
    if invocation.as_json:
        from kept.sdk import shapes

        render.emit(shapes.change(message, done))
    else:
        render.changed(verb, done)
