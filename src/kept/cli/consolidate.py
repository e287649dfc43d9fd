"""`kept consolidate` and `kept proposals`: what could be said in fewer memories, for you to decide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from kept.cli import render
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import TEXT, command, group
from kept.cli.safe_text import one_line
from kept.domain.ids import SHORT_ID

if TYPE_CHECKING:
    from kept.engine.proposals import Proposal

LIST_LIMIT = 20
"""A screenful."""
_MARK = 2
"""Characters that say what becomes of a line."""
STATUSES = ("pending", "accepted", "declined", "stale", "all")


@command(
    "consolidate",
    examples=["kept consolidate", "kept consolidate --dry-run", "kept consolidate --all-users --limit 200"],
    scoped=True,
    across_users=True,
)
@click.option("--limit", type=click.IntRange(1), help="At most so many proposals.  [default: 50]")
@click.option("--dry-run", is_flag=True, help="Show what would be proposed; keep nothing, ask no language model.")
@pass_invocation
def consolidate(invocation: Invocation, /, limit: int | None, dry_run: bool) -> None:
    """Propose what could be said in fewer memories.

    Merges, conflicts, generalisations and what is of no use any more become proposals; nothing changes until you accept one. What was proposed before does not come again.
    """
    from kept.engine.proposals import MOST_MADE

    with invocation.service() as service:
        made = service.proposals.make(invocation.scope(), by=invocation.by, limit=limit or MOST_MADE, dry_run=dry_run)
        _, waiting = service.proposals.page(invocation.scope(), limit=0)
    if invocation.as_json:
        render.emit({"results": _shapes(made.proposals), "note": made.note})
        return
    if made.note:
        render.note(f"A language model was not asked about everything: {one_line(made.note)}")
    _show(made.proposals)
    if not made.proposals:
        render.note("There is nothing new to propose.")
    elif not dry_run:
        render.note("Decide with: kept proposals accept ID, or decline ID.")
    if before := waiting - (0 if dry_run else len(made.proposals)):
        render.note(f"{render.counted(before, 'proposal')} from before not decided yet: kept proposals list")


@command(
    "list",
    examples=["kept proposals list", "kept proposals list --status accepted --all-users"],
    scoped=True,
    across_users=True,
)
@click.option("--status", type=click.Choice(STATUSES), default="pending", show_default=True, help="Which of them.")
@click.option("--limit", type=click.IntRange(1), default=LIST_LIMIT, show_default=True, help="At most so many.")
@pass_invocation
def list_(invocation: Invocation, /, status: str, limit: int) -> None:
    """List proposals, newest first, with what would be different."""
    from kept.engine.proposing import parse_status

    with invocation.service() as service:
        found, total = service.proposals.page(invocation.scope(), parse_status(status), limit=limit)
    if invocation.as_json:
        render.emit({"results": _shapes(found), "total": total})
        return
    _show(found)
    if not found:
        render.note("There are no proposals." if status == "all" else f"There are no {status} proposals.")
    if len(found) < total:
        render.note(f"{len(found):,} of {total:,}; --limit shows more.")


@command("show", examples=["kept proposals show 0123abcd"])
@click.argument("proposal_id", metavar="ID", type=TEXT)
@pass_invocation
def show(invocation: Invocation, /, proposal_id: str) -> None:
    """Show a proposal: why it was made, and what would be different."""
    with invocation.service() as service:
        found = service.proposals.get(invocation.project_name, proposal_id)
    if invocation.as_json:
        from kept.sdk import shapes

        render.emit(shapes.proposal(found))
        return
    rows = [("proposal", found.id), ("status", found.status), ("kind", found.kind), ("why", found.why)]
    rows += [("made", render.moment(found.created_at)), ("operation", found.operation_id or "")]
    rows += [("stored", found.made or "")]
    render.say("\n".join([*render.fields(rows), "", *map(_coloured, found.diff)]))


@command(
    "accept",
    examples=["kept proposals accept 0123abcd", 'kept proposals accept 0123abcd --text "Ana lives in Lisbon."'],
)
@click.argument("proposal_id", metavar="ID", type=TEXT)
@click.option("--text", type=TEXT, help="Another text than the proposed one, or in place of all that is merged.")
@click.option("--edit", is_flag=True, help="Write that text in your editor.")
@pass_invocation
def accept(invocation: Invocation, /, proposal_id: str, text: str | None, edit: bool) -> None:
    """Make the change. It is one operation, which `kept undo` takes back; the originals stay."""
    if edit and text is not None:
        raise click.UsageError("--text and --edit exclude each other.")
    with invocation.service() as service:
        project = invocation.project_name
        if edit:
            text = _edited(service.proposals.get(project, proposal_id))
        found = service.proposals.accept(project, proposal_id, text=text, by=invocation.by)
    _decided(invocation, found)
    if found.operation_id and not invocation.as_json:
        render.note(f"Take it back with: kept undo {found.operation_id}")


@command("decline", examples=["kept proposals decline 0123abcd"])
@click.argument("proposal_id", metavar="ID", type=TEXT)
@pass_invocation
def decline(invocation: Invocation, /, proposal_id: str) -> None:
    """Leave everything as it is. It is not proposed again."""
    with invocation.service() as service:
        found = service.proposals.decline(invocation.project_name, proposal_id)
    _decided(invocation, found)


def _edited(found: Proposal) -> str:
    """What the editor gives back."""
    stays = found.text or (found.keeps.text if found.keeps else "")
    text = click.edit(stays)
    if text is None:
        raise click.UsageError("The text was not saved; nothing changed.")
    return text


def _decided(invocation: Invocation, found: Proposal) -> None:
    if invocation.as_json:
        from kept.sdk import shapes

        render.emit(shapes.proposal(found))
    else:
        render.say(f"{found.status.capitalize()} {click.style(found.id[:SHORT_ID], fg='cyan')}")


def _shapes(found: Sequence[Proposal]) -> list[dict[str, Any]]:
    from kept.sdk import shapes

    return [shapes.proposal(one) for one in found]


def _show(found: Sequence[Proposal]) -> None:
    for one in found:
        decided = "" if one.status == "pending" else f"  ({one.status})"
        head = f"{click.style(one.id[:SHORT_ID], fg='cyan')}  {one.kind}  {one.why}{decided}"
        render.say("\n".join([head, *(f"  {_coloured(line)}" for line in one.diff)]))


def _coloured(line: str) -> str:
    shown = line[:_MARK] + one_line(line[_MARK:])
    colour = {"-": "red", "+": "green"}.get(line[:1])
    return click.style(shown, fg=colour) if colour else shown


proposals = group("proposals", "Decide what consolidation proposes.", [list_, show, accept, decline])
