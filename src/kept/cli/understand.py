"""`kept understand`: has a language model read what waits for it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from kept.cli import render
from kept.cli.failures import ERROR
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import command
from kept.cli.safe_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kept.domain.jobs import Job
    from kept.domain.spending import SpendingTotal
    from kept.engine.understanding import CaughtUp


@command("understand", examples=["kept understand", "kept understand --parts 20 --json"])
@click.option("--parts", type=click.IntRange(1), metavar="N", help="Read at most so many parts of conversations.")
@pass_invocation
@click.pass_context
def understand(ctx: click.Context, invocation: Invocation, /, parts: int | None) -> None:
    """Have the language model read what waits for it.

    What is added is read at once; something waits after `kept import --understand`, where the model was down, or where a
    limit of spending was reached. What failed is tried again now, whenever its next try would be, and also when it had
    none left. Interrupt it at any time: what was read stays read. The exit code is 1 if a part failed.
    """
    from kept.sdk import shapes

    with invocation.service() as service, render.progress("reading") as advance:
        done = service.catch_up(parts, advance)
    if invocation.as_json:
        render.emit(shapes.caught_up(done))
    else:
        _show(done)
    if any(job.error for job in done.ended):
        ctx.exit(ERROR)


def _show(done: CaughtUp) -> None:
    from kept.sdk import shapes

    if done.retried:
        render.note(f"{render.counted(done.retried, 'part')} that had failed for good: tried again.")
    for error, times in Counter(job.error for job in done.ended if job.error).items():
        render.note(f"{render.counted(times, 'part')} not read: {one_line(error)}")
    if not done.ended:
        render.say("There is nothing to read.")
    else:
        counts = shapes.counts(done.ended)
        closed = f", {render.counted(counts['superseded'], 'memory')} closed" if counts["superseded"] else ""
        render.say(
            f"{render.counted(counts['parts'], 'part')} read: {render.counted(counts['added'], 'new fact')}{closed}."
        )
        for line in not_taken(done.ended):
            render.say(line)
        render.say(f"It took {cost(done.spent)}.")
    if waiting := done.left.waiting:
        render.note(f"{render.counted(waiting, 'part')} still waiting; `kept events list --type EXTRACT` says why.")


def cost(spent: SpendingTotal) -> str:
    """Tokens and money, in words."""
    from kept.domain.spending import as_dollars

    unpriced = " and what has no known price" if spent.unpriced else ""
    return f"{spent.usage.tokens:,} tokens and cost {as_dollars(spent.micros)}{unpriced}"


def not_taken(jobs: Sequence[Job]) -> Iterator[str]:
    """What readings did not take, a line for each kind; none where they took everything."""
    from kept.sdk import shapes

    missed = shapes.not_taken(jobs)
    if missed["dropped"]:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in missed["dropped"].items())
        yield f"Dropped: {reasons}."
    if missed["refused"]:
        yield f"Not stored: {', '.join(map(one_line, dict.fromkeys(missed['refused'])))}."
