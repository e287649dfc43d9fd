"""`kept events`: work that the server acknowledged, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kept.cli import render
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import TEXT, command, group
from kept.cli.safe_text import one_line, padded
from kept.cli.understand import cost, not_taken
from kept.domain.jobs import EVENT_KINDS, STATUSES

if TYPE_CHECKING:
    from kept.domain.jobs import Job

LIST_LIMIT = 50
"""Two screenfuls."""


@command("list", examples=["kept events list", "kept events list --status failed --since 2026-11-01"])
@click.option("--type", "kind", type=click.Choice(EVENT_KINDS, case_sensitive=False), help="Only of this kind.")
@click.option("--status", type=click.Choice(STATUSES, case_sensitive=False), help="Only in this state.")
@click.option("--since", type=TEXT, metavar="TIME", help="Asked for at or after this time.")
@click.option("--until", type=TEXT, metavar="TIME", help="Asked for before this time.")
@click.option("--limit", type=click.IntRange(1), default=LIST_LIMIT, show_default=True, help="At most so many.")
@pass_invocation
def list_(
    invocation: Invocation,
    /,
    kind: Any,
    status: Any,
    since: str | None,
    until: str | None,
    limit: int,
) -> None:
    """List a project's events, newest first; with --user those about this user."""
    from kept.domain.temporal import parse_when
    from kept.engine.spending import spent_on

    with invocation.access() as access:
        found, total = access.events(
            kinds=None if kind is None else [kind],
            statuses=None if status is None else [status],
            ids=None if invocation.user is None else {"user_id": invocation.user},
            after=None if since is None else parse_when(since),
            before=None if until is None else parse_when(until),
            limit=limit,
        )
        memories = access.memories_of(found) if invocation.as_json else {}
        spent = spent_on(access, found) if invocation.as_json else {}
    if invocation.as_json:
        from kept.sdk import wire

        render.emit({"count": total, "results": [wire.event(job, memories, spent) for job in found]})
        return
    for job in found:
        render.say(_row(job))
    if len(found) < total:
        render.note(f"{len(found):,} of {total:,}; --limit shows more.")
    if not total:
        render.note("There are no such events.")


@command("show", examples=["kept events show 5a0f4d1c-2a66-4c0e-8a3e-1d0c6f0b7e21"])
@click.argument("event_id", metavar="ID", type=TEXT)
@pass_invocation
def show(invocation: Invocation, /, event_id: str) -> None:
    """Show an event: what was asked for, what came of it, and what a language model cost for it."""
    from kept.engine.spending import spent_on

    with invocation.access() as access:
        job = access.event(event_id)
        memories, spent = access.memories_of([job]), spent_on(access, [job])
        conflicts = access.conflicts_after(job, memories)
    if invocation.as_json:
        from kept.sdk import wire

        render.emit(wire.event(job, memories, spent, conflicts))
        return
    rows = [("event", job.id), ("type", job.kind), ("status", job.status), ("asked by", job.actor or "")]
    rows += [(name.removesuffix("_id"), value) for name, value in job.scope.ids.items()]
    rows += [("asked", render.moment(job.created_at)), ("begun", render.moment(job.started_at))]
    rows += [("done", render.moment(job.completed_at)), ("attempts", str(job.attempts)), ("error", job.error or "")]
    rows += [("cost", cost(one)) for one in spent.values()]
    render.say("\n".join(render.fields(rows)))
    for result in job.results:
        if "id" in result:
            record = memories.get(str(result["id"]))
            shown = one_line(record.text) if record else ""
            render.say(f"  {result.get('event')}  {render.short(str(result['id']))}  {shown}".rstrip())
            for conflict in conflicts.get(str(result["id"]), ()):
                row = render.memory_rows([conflict.memory], columns=None)[0]
                render.say(f"       likely contradicts ({conflict.why}): {row}")
        elif "event_id" in result:
            render.say(f"  {result.get('event')}  {result['event_id']}")
        elif "count" in result:
            render.say(f"  {result.get('event')}  {result['count']:,} in all")
    for line in not_taken([job]):
        render.say(f"  {line}")


def _row(job: Job) -> str:
    about = ", ".join(f"{name.removesuffix('_id')} {one_line(value)}" for name, value in job.scope.ids.items())
    said = [about or "the whole project", *([one_line(job.error)] if job.error else [])]
    kind, status = padded(job.kind, max(map(len, EVENT_KINDS))), padded(job.status, max(map(len, STATUSES)))
    return f"{job.id}  {render.moment(job.created_at)}  {kind}  {status}  {'; '.join(said)}"


events = group("events", "See what the server acknowledged, and what came of it.", [list_, show])
