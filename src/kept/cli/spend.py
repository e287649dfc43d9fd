"""`kept spend`: what models cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import click

from kept.cli import render
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import command
from kept.cli.safe_text import columns, one_line, padded
from kept.domain.spending import MICROS_PER_DOLLAR, SPENDING_GROUPS, SPENDING_TASKS, as_dollars

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kept.domain.spending import SpendingLimit, SpendingTotal, Standing
    from kept.engine.spending import Report

DAYS: Final = 30
"""A month, as invoices are."""
_HEADS: Final = ("calls", "tokens in", "tokens out", "cached", "USD")
_GAP: Final = "  "


@command("spend", examples=["kept spend", "kept spend --by model --days 7", "kept spend --by project --json"])
@click.option(
    "--by", type=click.Choice(SPENDING_GROUPS), default="day", show_default=True, help="What it is summed by."
)
@click.option(
    "--days", type=click.IntRange(1), default=DAYS, show_default=True, help="Of so many days, today included."
)
@click.option("--task", type=click.Choice(SPENDING_TASKS), help="Only for this task.")
@pass_invocation
def spend(invocation: Invocation, /, by: str, days: int, task: str | None) -> None:
    """Show what models cost, and what is left.

    Of the project, and how much of each limit is left today. Days are those of UTC. By project it shows all projects. The
    requests of an embedder at a provider are the task `embedding`.
    """
    from kept.engine.spending import Spending

    first = datetime.now(UTC).date() - timedelta(days=days - 1)
    with invocation.access(known=False) as access:
        report = Spending(access).report(by, task=task, first=first)
    if invocation.as_json:
        from kept.sdk import wire

        render.emit(wire.spending(report))
        return
    for line in (*_table(report), *_limits(report.standings)):
        render.say(line)
    for line in _notes(report.total):
        render.note(line)


def _table(report: Report) -> Iterator[str]:
    """A row for each name, and one for all together."""
    rows: list[tuple[str, ...]] = [(report.by, *_HEADS)]
    rows += [(one_line(name) or "none", *_figures(found)) for name, found in report.totals.items()]
    rows += [("total", *_figures(report.total))]
    rooms = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    for name, *figures in rows:
        shown = [figure.rjust(room) for figure, room in zip(figures, rooms[1:], strict=True)]
        yield _GAP.join([padded(name, rooms[0]), *shown])


def _figures(found: SpendingTotal) -> tuple[str, ...]:
    usage = found.usage
    counts = (found.calls, usage.input_tokens, usage.output_tokens, usage.cached_tokens)
    return (*(f"{count:,}" for count in counts), f"{found.micros / MICROS_PER_DOLLAR:,.4f}")


def _limits(standings: Sequence[Standing]) -> Iterator[str]:
    if standings:
        yield ""
        yield from render.fields((one.limit.name, _standing(one)) for one in standings)


def _standing(found: Standing) -> str:
    if found.spent is None:
        return f"{_amount(found.limit)} for each job"
    whose = "the project" if found.limit.per == "project_day" else "the whole store"
    return f"{_amount(found.left)} of {_amount(found.limit)} left today for {whose}"


def _amount(limit: SpendingLimit) -> str:
    return f"{limit.tokens:,} tokens" if limit.tokens is not None else as_dollars(limit.micros or 0)


def _notes(found: SpendingTotal) -> Iterator[str]:
    if found.unpriced:
        yield f"{render.counted(found.unpriced, 'call')} to models without a known price: counted in tokens, not in dollars."
    if found.unsettled:
        yield f"{render.counted(found.unsettled, 'call')} of which nobody knows the end: counted as all that was reserved."
    if found.failed:
        yield f"{render.counted(found.failed, 'call')} gave nothing that could be used."
