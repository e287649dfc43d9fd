"""`kept webhooks`: who is told of what happens in a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kept.cli import render
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import TEXT, command, group
from kept.cli.safe_text import one_line

if TYPE_CHECKING:
    from kept.engine.access import ProjectAccess
    from kept.engine.webhooks import Webhooks

_ALL = "memory_add, memory_update, memory_delete, memory_categorize, ingest_job_completed, ingest_job_failed"


@command("list", examples=["kept webhooks list", "kept webhooks list --project proj_0123456789abcdef --json"])
@pass_invocation
def list_(invocation: Invocation, /) -> None:
    """List a project's webhooks, oldest first."""
    with invocation.access() as access:
        own = _of(invocation, access)
        found, project = own.all(), own.project_name
    if invocation.as_json:
        from kept.sdk import wire

        render.emit([wire.webhook(webhook, project) for webhook in found])
        return
    for webhook in found:
        state = "on" if webhook.is_active else f"off: {one_line(webhook.reason or 'switched off')}"
        render.say(
            f"{webhook.id}  {one_line(webhook.name)}  {webhook.url}  {', '.join(webhook.event_types)}  [{state}]"
        )
    if not found:
        render.note("This project has no webhooks; make one with `kept webhooks create`.")


@command("create", examples=["kept webhooks create --name ci --url https://ci.example.com/kept --event memory_add"])
@click.option("--name", type=TEXT, required=True, help="What to call it.")
@click.option("--url", type=TEXT, required=True, help="Where to post, http or https.")
@click.option("--event", "events", type=TEXT, multiple=True, help=f"What to tell; repeat it. Default: all of {_ALL}.")
@pass_invocation
def create(invocation: Invocation, /, name: str, url: str, events: tuple[str, ...]) -> None:
    """Tell an address of what happens from now on.

    A running `kept serve` posts. The secret that signs deliveries is printed this once.
    """
    with invocation.access(makes=True) as access:
        own = _of(invocation, access)
        project = own.project_name
        made = own.create(name=name, url=url, event_types=list(events) or _ALL.split(", "))
    if invocation.as_json:
        from kept.sdk import wire

        render.emit(wire.webhook(made, project) | {"secret": made.secret})
    else:
        render.say(f"made {made.id}\nIt signs with this secret, shown this once: {made.secret}")


@command("remove", examples=["kept webhooks remove wh_0123456789abcdef"])
@click.argument("webhook_id", type=TEXT)
@pass_invocation
def remove(invocation: Invocation, /, webhook_id: str) -> None:
    """Tell an address nothing more."""
    with invocation.access() as access:
        _of(invocation, access).remove(webhook_id)
    _done(invocation, {"webhook_id": webhook_id}, f"removed {webhook_id}")


@command("enable", examples=["kept webhooks enable wh_0123456789abcdef"])
@click.argument("webhook_id", type=TEXT)
@pass_invocation
def enable(invocation: Invocation, /, webhook_id: str) -> None:
    """Switch one on again that was switched off because nothing could be delivered."""
    with invocation.access() as access:
        _of(invocation, access).update(webhook_id, is_active=True)
    _done(invocation, {"webhook_id": webhook_id}, f"{webhook_id} is on")


@command("deliveries", examples=["kept webhooks deliveries wh_0123456789abcdef --limit 20"])
@click.argument("webhook_id", type=TEXT)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most.")
@pass_invocation
def deliveries(invocation: Invocation, /, webhook_id: str, limit: int) -> None:
    """What was posted, or is to be, newest first."""
    with invocation.access() as access:
        found, _ = _of(invocation, access).deliveries(webhook_id, limit=limit)
    if invocation.as_json:
        from kept.sdk import wire

        render.emit([wire.delivery(job) for job in found])
        return
    for job in found:
        tried = f"{job.attempts} tried"
        what = f"{job.created_at:%Y-%m-%d %H:%M:%S}  {job.payload.get('event_type')}  {job.status.lower()}  {tried}"
        render.say(what + (f"  {one_line(job.error)}" if job.error else ""))


def _of(invocation: Invocation, access: ProjectAccess) -> Webhooks:
    from kept.bootstrap import build_sender
    from kept.engine.webhooks import Webhooks

    return Webhooks(access, build_sender(invocation.settings))


def _done(invocation: Invocation, shape: dict[str, Any], words: str) -> None:
    if invocation.as_json:
        render.emit(shape)
    else:
        render.say(words)


webhooks = group(
    "webhooks", "Tell addresses of what happens in a project.", [list_, create, deliveries, enable, remove]
)
