"""`kept audit`: who read or changed what."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from typing import Any

import click

from kept.cli import render
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import TEXT, command, group
from kept.cli.safe_text import one_line

LIST_LIMIT = 50
"""Two screenfuls."""


def _criteria(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that choose entries."""
    for option in reversed(
        [
            click.option("--actor", type=TEXT, help="Only by this key, link or person."),
            click.option("--key", "key_id", type=TEXT, metavar="ID", help="Only with this key."),
            click.option("--action", type=TEXT, help="Only what begins so: memory, memory.search, key.make."),
            click.option("--target", type=TEXT, metavar="NAME=VALUE", help="Only about this, such as user_id=alice."),
            click.option("--outcome", type=TEXT, help="Only what ended so: ok, or an error's code such as forbidden."),
            click.option("--since", "after", type=TEXT, metavar="TIME", help="At or after this time."),
            click.option("--until", "before", type=TEXT, metavar="TIME", help="Before this time."),
        ]
    ):
        function = option(function)
    return function


@command("list", examples=["kept audit list --since 2026-11-01", "kept audit list --action key --outcome forbidden"])
@_criteria
@click.option("--limit", type=click.IntRange(1), default=LIST_LIMIT, show_default=True, help="At most so many.")
@pass_invocation
def list_(invocation: Invocation, /, limit: int, **given: str | None) -> None:
    """List who read or changed what in a project, newest first."""
    from kept.engine.auditing import Auditing

    with invocation.access(known=False) as access:
        found, total = Auditing(access).page(limit=limit, **_read(given))
    if invocation.as_json:
        from kept.sdk import wire

        render.emit({"count": total, "results": [wire.audited(entry) for entry in found]})
        return
    for entry in found:
        said = [entry.action, one_line(entry.target), "" if entry.outcome == "ok" else entry.outcome]
        render.say(
            f"{render.moment(entry.at)}  {one_line(entry.actor)} ({entry.connector})  {'  '.join(filter(None, said))}"
        )
    if len(found) < total:
        render.note(f"{len(found):,} of {total:,}; --limit shows more, `kept audit export` all.")
    if not total:
        render.note("There are no such entries.")


@command("export", examples=["kept audit export > audit.jsonl", "kept audit export --format csv --since 2026-01-01"])
@_criteria
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True, help="Form.")
@pass_invocation
def export(invocation: Invocation, /, form: str, **given: str | None) -> None:
    """Print all entries, newest first: JSON lines, or a table for spreadsheets."""
    from kept.engine.auditing import Auditing
    from kept.engine.exports import safe_cell
    from kept.sdk import wire

    with invocation.access(known=False) as access:
        entries = (wire.audited(entry) for entry in Auditing(access).export(**_read(given)))
        if form == "jsonl":
            for entry in entries:
                click.echo(render.json_text(entry))
            return
        table = csv.writer(sys.stdout)
        for number, entry in enumerate(entries):
            if not number:
                table.writerow(entry)
            table.writerow([safe_cell(value) for value in entry.values()])


def _read(given: dict[str, str | None]) -> dict[str, Any]:
    """What was given, times as times."""
    from kept.domain.temporal import parse_when

    times = {name: parse_when(value) for name in ("after", "before") if (value := given[name]) is not None}
    return {name: value for name, value in given.items() if value is not None} | times


audit = group("audit", "See who read or changed what.", [list_, export])
