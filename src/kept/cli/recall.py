"""`kept search`, `context`, `list`, `show`, `history` and `entities`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kept.cli import render
from kept.cli.failures import NOTHING_FOUND
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import TEXT, command, filter_option, text_of
from kept.cli.safe_text import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kept.domain.memory import MemoryRecord
    from kept.engine.maintain import Step

SEARCH_TOP_K = 10
"""A screenful."""
LIST_LIMIT = 50
"""Two screenfuls."""


@command(
    "search",
    scoped=True,
    across_users=True,
    examples=[
        "kept search which Postgres version did we choose",
        'kept search "what did Nora say about her knee" --explain --top-k 3',
        'kept search coffee --filter \'{"categories": {"contains": "food"}}\'',
        'kept search "where do we go in May" --as-of 2026-03-01',
    ],
)
@click.argument("query", nargs=-1, required=True, type=TEXT)
@click.option("--top-k", type=int, default=SEARCH_TOP_K, show_default=True, help="At most so many hits.")
@click.option("--threshold", type=float, help="Leave out hits that score lower, from 0 to 1.")
@filter_option
@click.option("--explain", is_flag=True, help="Show what each part of a score added.")
@click.option("--as-of", type=TEXT, metavar="TIME|SEQ", help="As the memory knew it then: a time or a seq of the log.")
@click.option("--valid-as-of", type=TEXT, metavar="TIME", help="What was true in the world then.")
@click.option("--reference-date", type=TEXT, metavar="TIME", help='What "yesterday" in the query counts from.')
@click.option("--show-expired", is_flag=True, help="Also memories after their last day.")
@click.option("--latest-only", is_flag=True, help="Only facts that still hold.")
@pass_invocation
@click.pass_context
def search(
    ctx: click.Context,
    invocation: Invocation,
    /,
    query: tuple[str, ...],
    explain: bool,
    as_of: str | None,
    **given: Any,
) -> None:
    """Find the memories that matter for a question, best first.

    Each row has the score (from 0 to 1), the id, the day, the speaker and the text; a fact that no longer holds says
    so. Exits with 3 when nothing is found.
    """
    with invocation.service() as service:
        hits = service.search(invocation.scope(), text_of(query), as_of=_position(as_of), **given)
    if invocation.as_json:
        from kept.sdk import shapes

        render.emit({"results": [shapes.hit(found, explain=explain) for found in hits]})
    else:
        columns = render.width()
        records, scores = [hit.memory for hit in hits], [hit.score for hit in hits]
        rows = render.memory_rows(records, scores=scores, columns=columns)
        if explain:
            rows = [f"{row}\n{render.explanation(hit, columns)}" for row, hit in zip(rows, hits, strict=True)]
        if rows:
            render.say("\n".join(rows))
    if not hits:
        if not invocation.as_json:
            render.note("Nothing was found.")
        ctx.exit(NOTHING_FOUND)


def _position(as_of: str | None) -> int | str | None:
    """Digits are a position in the log (or seconds since 1970); anything else is a time."""
    return int(as_of) if as_of is not None and as_of.isascii() and as_of.isdigit() else as_of


@command(
    "context",
    scoped=True,
    across_users=True,
    examples=["kept context what do I need to know about the trip --budget 400", "kept context - < prompt.txt"],
)
@click.argument("query", nargs=-1, required=True, type=TEXT)
@click.option("--budget", type=int, metavar="TOKENS", help="Upper bound of the block (KEPT_BUDGET_TOKENS; else 1000).")
@filter_option
@click.option("--threshold", type=float, help="Leave out memories that score lower, from 0 to 1.")
@click.option("--reference-date", type=TEXT, metavar="TIME", help='What "yesterday" in the query counts from.')
@click.option("--latest-only", is_flag=True, help="Only facts that still hold.")
@pass_invocation
def context(invocation: Invocation, /, query: tuple[str, ...], budget: int | None, **given: Any) -> None:
    """Print a block of memories for a prompt, under a token budget.

    The block goes to stdout, the tokens used to stderr. It is empty, and the exit code 0, when nothing is found.
    """
    with invocation.service() as service:
        wanted = invocation.settings.budget_tokens if budget is None else budget
        packed = service.context(invocation.scope(), text_of(query), budget_tokens=wanted, **given)
    if invocation.as_json:
        from kept.sdk import shapes

        render.emit(shapes.context(packed))
        return
    if packed.text:
        render.say(printable(packed.text))
    left_out = f", {packed.omitted} left out for want of room" if packed.omitted else ""
    render.note(
        f"{packed.tokens:,} of {packed.budget_tokens:,} tokens, {render.counted(len(packed.ids), 'memory')}{left_out}."
    )


@command(
    "list",
    scoped=True,
    across_users=True,
    examples=["kept list --limit 20", "kept list --all-users --oldest-first --json | jq -r '.results[].memory'"],
)
@click.option("--limit", type=int, default=LIST_LIMIT, show_default=True, help="At most so many.")
@click.option("--offset", type=int, default=0, show_default=True, help="Leave out so many first.")
@click.option("--oldest-first", is_flag=True, help="Turn the order round; newest first otherwise.")
@filter_option
@click.option("--show-expired", is_flag=True, help="Also memories after their last day.")
@click.option("--latest-only", is_flag=True, help="Only facts that still hold.")
@pass_invocation
def list_(invocation: Invocation, /, oldest_first: bool, **given: Any) -> None:
    """List memories by when they were said, newest first."""
    with invocation.service() as service:
        records, total = service.list(invocation.scope(), newest_first=not oldest_first, **given)
    if invocation.as_json:
        from kept.sdk import shapes

        render.emit({"results": [shapes.memory(record) for record in records], "total": total})
        return
    if records:
        render.say("\n".join(render.memory_rows(records, columns=render.width())))
    last = given["offset"] + len(records)
    if not total and (given["filters"] or given["latest_only"]):
        render.note(f"No memory of {invocation.whose} matches.")
    elif not total:
        render.note(f"There are no memories of {invocation.whose}.")
    elif not given["limit"]:
        render.note(f"{render.counted(total, 'memory')} in all.")
    elif last < total:
        render.note(f"{len(records):,} of {total:,}; the next ones: --offset {last}")


@command("show", examples=["kept show 3fa8c1d2", "kept show 3fa8c1d2 --json"])
@click.argument("memory_id", metavar="ID", type=TEXT)
@pass_invocation
def show(invocation: Invocation, /, memory_id: str) -> None:
    """Show all about one memory.

    Deleted and expired ones are shown, too. ID may be shortened to six characters or more. Exits with 3 when there is
    no such memory.
    """
    with invocation.service() as service:
        record = service.get(invocation.project_name, memory_id)
        source = service.source(invocation.project_name, record.id)
    if invocation.as_json:
        from kept.sdk import shapes

        render.emit(shapes.memory(record) | ({"source": source.content} if source else {}))
        return
    columns = render.width()
    render.say(printable(record.text))
    render.say("")
    render.say("\n".join(render.fields(_details(record), columns=columns)))
    if source and source.content.strip() != record.text:
        render.say(f"\ntaken from:\n{printable(source.content)}")


def _details(record: MemoryRecord) -> Iterator[tuple[str, str]]:
    """What is known beside the text, by name."""
    yield "id", record.id
    yield "kind", record.kind
    yield "state", record.state
    yield "speaker", record.speaker or ""
    yield "role", record.role or ""
    yield "project", record.project
    yield from record.scope.ids.items()
    yield "said", render.moment(record.created_at)
    yield "recorded", render.moment(record.recorded_at)
    yield "updated", render.moment(record.updated_at)
    yield "true from", render.moment(record.valid_from)
    yield "true until", render.moment(record.valid_to)
    yield "expires after", str(record.expires_on or "")
    yield "supersedes", ", ".join(map(render.short, record.supersedes))
    yield "superseded by", render.short(record.superseded_by or "")
    yield "entities", ", ".join(f"{one_line(entity.name)} ({entity.kind})" for entity in record.entity_refs)
    yield "relations", "; ".join(f"{r.source} {r.relationship} {r.target}" for r in record.relations)
    yield "categories", ", ".join(record.categories)
    yield "metadata", render.json_text(dict(record.metadata)) if record.metadata else ""
    yield "repeated", f"{record.reinforced} times" if record.reinforced else ""
    yield "feedback", record.feedback or ""
    yield "immutable", "yes" if record.immutable else ""
    yield "connector", record.connector
    message = "" if record.position is None else f", message {record.position + 1}"
    yield "episode", f"{record.episode_id}{message}" if record.episode_id else ""


@command("history", examples=["kept history 3fa8c1d2"])
@click.argument("memory_id", metavar="ID", type=TEXT)
@pass_invocation
def history(invocation: Invocation, /, memory_id: str) -> None:
    """Show each change of a memory: when, who, and what.

    Oldest first. The first column is the revision, for `kept restore --revision`.
    """
    from kept.sdk import shapes

    with invocation.service() as service:
        steps = service.history(invocation.project_name, memory_id)
    if invocation.as_json:
        render.emit({"results": [shapes.step(step) for step in steps]})
        return
    for step in steps:
        who = " ".join(filter(None, (step.operation.actor, f"({step.operation.connector})"))) if step.operation else ""
        head = f"{step.revision.seq:>6}  {render.moment(step.revision.recorded_at)}  {step.revision.op}"
        render.say(click.style(head, bold=True) + (f"  by {one_line(who)}" if who else ""))
        for name, change in _differences(step):
            render.say(f"        {name}: {change}")
        if (why := shapes.why(step.revision)) is not None:
            render.say(f"        why: {_value(why)}")


_UNTOLD = frozenset({"updated_at", "hash", "entities"})
"""Follows from the rest."""


def _differences(step: Step) -> Iterator[tuple[str, str]]:
    """What a revision changed, by name: the new value, after the old one where there was one."""
    from kept.sdk import shapes

    if step.before is None:
        yield "memory", one_line(step.after.text)
        return
    if step.after.state == "erased":
        return
    before, after = shapes.memory(step.before), shapes.memory(step.after)
    for name in dict.fromkeys([*before, *after]):
        if name not in _UNTOLD and before.get(name) != after.get(name):
            yield name, f"{_value(before.get(name))} → {_value(after.get(name))}"


def _value(value: object) -> str:
    if value is None:
        return "none"
    return one_line(value) if isinstance(value, str) else render.json_text(value)


@command("entities", examples=["kept entities", "kept entities --json"])
@pass_invocation
def entities(invocation: Invocation, /) -> None:
    """List the users, agents, apps and runs of the project.

    Each with how many memories are stored under it, and when the last one was.
    """
    with invocation.service() as service:
        found = service.entities(invocation.project_name)
    if invocation.as_json:
        from kept.sdk import shapes

        render.emit(shapes.entities(found))
        return
    if not found:
        render.note(f"There are no memories in project {invocation.settings.project}.")
    counts = [f"{entity.memories:,}" for entity in found]
    room = max(map(len, counts), default=0)
    for entity, count in zip(found, counts, strict=True):
        render.say(f"{entity.type:<5}  {count:>{room}}  {entity.updated_at.date()}  {one_line(entity.name)}")
