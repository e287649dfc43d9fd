"""`kept understand`: has a language model read what waits for it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from kept.cli import render
from kept.cli.failures import ERROR
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import command
from kept.cli.safe_text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kept.domain.jobs import Job
    from kept.domain.spending import SpendingTotal
    from kept.engine.service import Service
    from kept.engine.understanding import Understanding
    from kept.ports import Backlog, Progress


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
    with invocation.service() as service:
        reader = reader_of(service)
        begun = datetime.now(UTC)
        revived = reader.hasten()
        with render.progress("reading") as advance:
            ended = _read(reader, parts, advance)
        left, spent = reader.waiting(), reader.spent(since=begun)
    if invocation.as_json:
        render.emit(_shape(ended, left) | {"retried": revived, "spent": _cost(spent)})
    else:
        if revived:
            render.note(f"{render.counted(revived, 'part')} that had failed for good: tried again.")
        _show(ended, left, spent)
    if any(job.error for job in ended):
        ctx.exit(ERROR)


def reader_of(service: Service) -> Understanding:
    """What has a language model read.

    Raises:
        ClickException: None is configured for extraction.
    """
    if service.understanding is None:
        raise click.ClickException(
            "No language model is configured; set llm, such as KEPT_LLM=openai:gpt-5-mini (see `kept models`)."
        )
    return service.understanding


def _read(reader: Understanding, most: int | None, advance: Progress | None) -> list[Job]:
    ended: list[Job] = []
    while (most is None or len(ended) < most) and (done := reader.run_due()):
        ended += done
        if advance:
            advance(len(ended), len(ended) + reader.waiting().waiting)
    return ended


def _counts(ended: Sequence[Job]) -> dict[str, int]:
    events = Counter(str(entry["event"]) for job in ended for entry in job.results)
    return {
        "parts": sum(not job.error for job in ended),
        "failed": sum(bool(job.error) for job in ended),
        "added": events["ADD"] + events["UPDATE"],  # the latter stand in the place of the statements of their words
        "reinforced": events["REINFORCE"],
        "superseded": events["SUPERSEDE"],
    }


def _shape(ended: Sequence[Job], left: Backlog) -> dict[str, Any]:
    errors = [{"event_id": job.id, "status": job.status, "error": job.error} for job in ended if job.error]
    return _counts(ended) | {"waiting": left.waiting, "errors": errors}


def _cost(spent: SpendingTotal) -> dict[str, float | None]:
    """Dollars are unknown as soon as one call has no known price."""
    from kept.domain.spending import to_dollars

    return {"tokens": spent.usage.tokens, "usd": None if spent.unpriced else to_dollars(spent.micros)}


def _show(ended: Sequence[Job], left: Backlog, spent: SpendingTotal) -> None:
    counts = _counts(ended)
    for error, times in Counter(job.error for job in ended if job.error).items():
        render.note(f"{render.counted(times, 'part')} not read: {one_line(error)}")
    if not ended:
        render.say("There is nothing to read.")
    else:
        closed = f", {render.counted(counts['superseded'], 'memory')} closed" if counts["superseded"] else ""
        render.say(
            f"{render.counted(counts['parts'], 'part')} read: {render.counted(counts['added'], 'new fact')}{closed}."
        )
        unpriced = " and what has no known price" if spent.unpriced else ""
        from kept.domain.spending import as_dollars

        render.say(f"It took {spent.usage.tokens:,} tokens and cost {as_dollars(spent.micros)}{unpriced}.")
    if left.waiting:
        render.note(
            f"{render.counted(left.waiting, 'part')} still waiting; `kept events list --type EXTRACT` says why."
        )
