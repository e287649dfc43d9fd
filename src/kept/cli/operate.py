"""`kept stats`, `verify` and `rebuild`."""

from __future__ import annotations

import click

from kept.cli import render
from kept.cli.failures import UNSOUND
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import command
from kept.cli.safe_text import one_line


@command("stats", examples=["kept stats", "kept stats --project shop --json"])
@pass_invocation
def stats(invocation: Invocation, /) -> None:
    """Count what the project holds; show the size of the store."""
    with invocation.service() as service:
        found = service.statistics(invocation.project_name)
    if invocation.as_json:
        from kept.sdk import shapes

        render.emit(shapes.statistics(found))
        return
    total = sum(found.memories.values())
    rows = [("project", invocation.settings.project), ("memories", f"{total:,}")]
    rows += [(f"  {state}", f"{count:,}") for state, count in found.memories.items()]
    rows += [
        (name, f"{getattr(found, name):,}") for name in ("users", "episodes", "messages", "operations", "revisions")
    ]
    rows += [("size", render.size(found.size_bytes)), ("store", invocation.settings.database)]
    render.say("\n".join(render.fields(rows)))


@command("verify", examples=["kept verify", "kept verify --json"])
@pass_invocation
@click.pass_context
def verify(ctx: click.Context, invocation: Invocation, /) -> None:
    """Check that the whole store agrees with itself.

    Log, current state, hashes, checksums and index are compared. Exits with 5 when something is found.
    """
    with invocation.service() as service, render.progress("verifying") as advance:
        findings = list(service.verify(progress=advance))
    if invocation.as_json:
        shape = [{"check": found.check, "where": found.where, "detail": found.detail} for found in findings]
        render.emit({"ok": not findings, "findings": shape})
    else:
        for found in findings:
            render.say(f"{found.check}: {one_line(found.where)}: {one_line(found.detail)}")
        render.say(f"{render.counted(len(findings), 'finding')}." if findings else "All is well.")
    if findings:
        ctx.exit(UNSOUND)


@command("rebuild", examples=["kept rebuild", "KEPT_EMBEDDER=minilm kept rebuild"])
@pass_invocation
def rebuild(invocation: Invocation, /) -> None:
    """Make current state and index again from the log.

    Of the whole store. Needed after a change of embedder, and to repair what `kept verify` found.
    """
    with invocation.service() as service:
        total = sum(service.statistics().memories.values())
        with render.progress("rebuilding", total) as advance:
            written = service.rebuild(progress=advance)
    if invocation.as_json:
        render.emit({"memories": written})
    else:
        render.say(f"{render.counted(written, 'memory')} made again.")
