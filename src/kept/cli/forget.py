"""`kept delete` and `retain`, which hide and can be undone, and `kept erase`, which cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kept.cli import render
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import TEXT, command, filter_option

if TYPE_CHECKING:
    from kept.engine.service import Service

_ERASE = "erase"
"""What a person types to confirm an erase: a word, so that no habit of pressing y answers."""


@command(
    "delete",
    scoped=True,
    across_users=True,
    examples=["kept delete 3fa8c1d2 9c07e551", "kept delete --all --session scratch", "kept delete --all --yes"],
)
@click.argument("memory_ids", metavar="[ID]...", nargs=-1, type=TEXT)
@click.option("--all", "everything", is_flag=True, help="All memories of the user instead; asks first.")
@filter_option
@click.option("--linked", is_flag=True, help="Also the older memories that these superseded.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_invocation
def delete(
    invocation: Invocation,
    /,
    memory_ids: tuple[str, ...],
    everything: bool,
    filters: dict[str, Any] | None,
    linked: bool,
    yes: bool,
) -> None:
    """Hide memories; they can be brought back.

    `kept undo` and `kept restore` do that. --all asks first.
    """
    _either(memory_ids, everything, filters)
    with invocation.service() as service:
        if everything:
            if not yes:
                _confirm_delete(invocation, service, filters)
            with render.progress("deleting") as advance:
                done = service.delete_all(invocation.scope(), filters=filters, by=invocation.by, progress=advance)
        else:
            done = service.delete(invocation.project_name, memory_ids, linked=linked, by=invocation.by)
    if invocation.as_json:
        from kept.sdk import shapes

        render.emit(shapes.change("Memories deleted successfully!", done))
    else:
        render.changed("deleted", done)


@command(
    "erase",
    scoped=True,
    across_users=True,
    examples=["kept erase 3fa8c1d2", "kept erase --all --user ana", "kept erase --all --run scratch --yes"],
)
@click.argument("memory_ids", metavar="[ID]...", nargs=-1, type=TEXT)
@click.option(
    "--all", "everything", is_flag=True, help="All memories of the user instead, and the messages they came from."
)
@filter_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_invocation
def erase(
    invocation: Invocation,
    /,
    memory_ids: tuple[str, ...],
    everything: bool,
    filters: dict[str, Any] | None,
    yes: bool,
) -> None:
    """Remove memories for good; this cannot be undone.

    Text, history, source and index are cleared. Asks for the word "erase" to be typed. Of each memory its id remains,
    so that a later import does not bring it back.
    """
    _either(memory_ids, everything, filters)
    with invocation.service() as service:
        if not yes:
            _confirm_erase(invocation, memory_ids, filters)
        if everything:
            done = service.erase_all(invocation.scope(), filters=filters, by=invocation.by)
        else:
            done = service.erase(invocation.project_name, memory_ids, by=invocation.by)
    if invocation.as_json:
        from kept.sdk import shapes

        render.emit(shapes.erasure(done))
        return
    if not done.memory_ids and memory_ids:
        render.say("Nothing was left to erase: it was erased before.")
        return
    messages = f" and {render.counted(done.messages, 'source message')}" if done.messages else ""
    render.say(f"erased {render.counted(len(done.memory_ids), 'memory')}{messages} for good.")
    if not done.scrubbed:
        render.note(
            "Another process still reads an older state of the file; `kept verify` clears the last bytes once it ended."
        )


@command(
    "retain",
    scoped=True,
    across_users=True,
    examples=["kept retain --days 365", "kept retain --days 30 --agent support-bot"],
)
@click.option("--days", type=int, required=True, help="Keep what was said in the last so many days.")
@filter_option
@pass_invocation
def retain(invocation: Invocation, /, days: int, filters: dict[str, Any] | None) -> None:
    """Expire what was said longer ago than some days.

    It is hidden from search and lists, and still there by id; `kept undo` takes it back.
    """
    with invocation.service() as service:
        done = service.retain(invocation.scope(), days, filters=filters, by=invocation.by)
    if invocation.as_json:
        from kept.sdk import shapes

        render.emit(shapes.change("Memories expired.", done))
    else:
        render.changed("expired", done)


def _either(memory_ids: tuple[str, ...], everything: bool, filters: dict[str, Any] | None) -> None:
    if bool(memory_ids) == everything:
        raise click.UsageError("Give either ids or --all.")
    if filters is not None and not everything:
        raise click.UsageError("--filter goes with --all.")


def _confirm_delete(invocation: Invocation, service: Service, filters: dict[str, Any] | None) -> None:
    """Ask, with the number of memories in question; not about none."""
    _, total = service.list(invocation.scope(), filters=filters, limit=0, show_expired=True)
    if total:
        question = f"Delete {render.counted(total, 'memory')} of {invocation.whose}? (`kept undo` brings them back)"
        click.confirm(question, abort=True, err=True)


def _confirm_erase(invocation: Invocation, memory_ids: tuple[str, ...], filters: dict[str, Any] | None) -> None:
    if memory_ids:
        what = render.counted(len(memory_ids), "memory")
    else:
        what = "All that matches the filter" if filters else "Every memory, and every message it came from,"
        what += f" of {invocation.whose}"
    render.note(
        f"{what} will be ERASED for good: text, history, source and index.\n"
        "This CANNOT be undone, neither by `kept undo` nor by `kept restore`."
    )
    click.prompt(f'Type "{_ERASE}" to go on', err=True, value_proc=_exactly_erase, default="", show_default=False)


def _exactly_erase(answer: str) -> str:
    if answer.strip().lower() != _ERASE:
        raise click.Abort
    return answer
