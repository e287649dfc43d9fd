"""`kept add`."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kept.cli import render
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import TEXT, command, key_values, text_of
from kept.cli.safe_text import one_line
from kept.cli.understand import not_taken

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kept.engine.conflicts import Conflict
    from kept.engine.ingest import AddResult
    from kept.engine.retrieve import Hit
    from kept.engine.service import Service
    from kept.engine.understanding import Understood

RELATED = 3
"""Close memories shown for each new one; as the SDK."""


@command(
    "add",
    scoped=True,
    examples=[
        "kept add I prefer TypeScript over JavaScript",
        "git log -1 --format=%B | kept add - --session release-2",
        "kept add --file messages.json --metadata project=shop --metadata priority=2",
        'kept add "Nora lives in Halle now" --supersedes 3fa8c1d2 --speaker Nora',
    ],
)
@click.argument("text", nargs=-1, type=TEXT)
@click.option(
    "--file",
    "path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Messages as JSON: a text, a message, or a list of them.",
)
@click.option("--at", type=TEXT, metavar="TIME", help="When it was said, ISO 8601 or seconds since 1970. Default: now.")
@click.option("--speaker", type=TEXT, metavar="NAME", help="Who said it.")
@click.option("--role", type=TEXT, help="user, assistant, system, tool or document. Default: user.")
@click.option("--verbatim", is_flag=True, help="Store the text whole instead of its statements.")
@click.option(
    "--metadata",
    multiple=True,
    type=TEXT,
    metavar="KEY=VALUE",
    callback=key_values,
    help="Kept with each memory; the value may be JSON. May be repeated.",
)
@click.option(
    "--category", "categories", multiple=True, type=TEXT, metavar="NAME", help="Put on each memory. May be repeated."
)
@click.option("--expires", type=TEXT, metavar="DAY", help="Last day on which it is found.")
@click.option(
    "--supersedes", multiple=True, type=TEXT, metavar="ID", help="A memory that the text replaces; it is closed."
)
@click.option("--immutable", is_flag=True, help="Refuse later changes.")
@click.option("--custom-instructions", type=TEXT, metavar="TEXT", help="What a language model should keep to.")
@click.option("--agent-custom-instructions", type=TEXT, metavar="TEXT", help="The same for what an assistant said.")
@click.option("--includes", type=TEXT, metavar="TOPICS", help="What a language model should look for.")
@click.option("--excludes", type=TEXT, metavar="TOPICS", help="What it should leave out.")
@click.option(
    "--custom-category",
    "custom_categories",
    multiple=True,
    type=TEXT,
    metavar="NAME=DESCRIPTION",
    callback=key_values,
    help="What it sorts facts under. May be repeated.",
)
@click.option("--idempotency-key", type=TEXT, metavar="KEY", help="A second call with the same key stores nothing.")
@pass_invocation
def add(invocation: Invocation, /, **given: Any) -> None:
    """Remember a text, a message, or a file of messages.

    Prints what was stored, what was known already, and which existing memories are close to each new one. TEXT may be
    several words; a single - reads the standard input.
    """
    from kept.engine.pending import KEPT_OPTIONS

    with invocation.service(makes=True) as service:
        scope, content = invocation.scope(), _content(service, invocation, given)
        result = service.add(
            scope,
            infer=not given["verbatim"],
            timestamp=given["at"],
            expiration_date=given["expires"],
            metadata=given["metadata"],
            categories=given["categories"] or None,
            immutable=given["immutable"],
            idempotency_key=given["idempotency_key"],
            awaited=True,
            wishes={name: given[name] for name in KEPT_OPTIONS},
            by=invocation.by,
            **content,
        )
        related, conflicts = service.beside(result, limit=RELATED)
        if not invocation.as_json:
            _show_stored(result, related, conflicts)  # before the model, which may take a minute, is asked
        with render.progress("reading") if result.extractions else nullcontext():
            understood = service.understand(scope, result)
        waiting = service.understanding.waiting().waiting if service.understanding else 0
    if invocation.as_json:
        from kept.sdk import shapes

        render.emit(shapes.added(result, related, understood, conflicts))
        return
    _show_done(result, understood, hints=bool(conflicts))
    if not result.stored:
        render.note(_why_nothing(content))
    if waiting:
        it = "it" if waiting == 1 else "them"
        render.note(f"{render.counted(waiting, 'part')} waiting for the language model; `kept understand` reads {it}.")


def _content(service: Service, invocation: Invocation, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is to be stored: `messages`, or, where the text replaces memories, `facts`."""
    if given["path"] is not None:
        if given["text"] or given["supersedes"] or given["speaker"] or given["role"]:
            raise click.UsageError("--file stands alone: no TEXT, --speaker, --role or --supersedes beside it.")
        return {"messages": _read(given["path"])}
    if not given["text"]:
        raise click.UsageError("Give a text, - for the standard input, or --file.")
    _require_role(given["role"])
    text = text_of(given["text"])
    if given["supersedes"]:
        if not text.strip():
            raise click.UsageError("TEXT is blank; say what replaces the memory, or close it: kept invalidate ID")
        replaced = [service.whole_id(invocation.project_name, memory_id) for memory_id in given["supersedes"]]
        fact = {"text": text, "supersedes": replaced, "speaker": given["speaker"], "role": given["role"]}
        return {"facts": [fact]}
    return {"messages": [{"role": given["role"], "content": text, "name": given["speaker"]}]}


def _require_role(role: str | None) -> None:
    from kept.engine.intake import ROLES

    if role is not None and role.strip().lower() not in ROLES:
        raise click.BadParameter(f"{role[:40]!r} is none of {', '.join(ROLES)}.", param_hint="--role")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"{path} is not JSON in UTF-8: {error}.", param_hint="--file") from error


def _show_stored(
    result: AddResult, related: Mapping[str, Sequence[Hit]], conflicts: Mapping[str, Sequence[Conflict]]
) -> None:
    """Each memory, with those that are close to it and those that it likely contradicts."""
    for stored in result.stored:
        verb = "added" if stored.event == "ADD" else "known"
        rows = render.memory_rows([stored.memory], columns=None)
        render.say(f"{click.style(verb, bold=True)}  {rows[0]}")
        for close in related.get(stored.memory.id, ()):
            row = render.memory_rows([close.memory], scores=[close.score])[0]
            render.say(f"       close to: {row}")
        for conflict in conflicts.get(stored.memory.id, ()):
            row = render.memory_rows([conflict.memory], columns=None)[0]
            render.say(f"       likely contradicts ({conflict.why}): {row}")


def _show_done(result: AddResult, understood: Sequence[Understood], *, hints: bool) -> None:
    """What a language model made of it, what was closed, and what may be done about it."""
    for part in understood:
        _show_understood(part)
    for memory_id in result.superseded:
        render.say(f"closed {render.short(memory_id)}")
    if hints:
        render.note("If one no longer holds: kept invalidate ID")
    if result.replayed:
        render.note("The same idempotency key was used before; this is what was stored then.")
    if result.stored and result.operation_id and not result.replayed:
        render.note(f"Take it back with: kept undo {result.operation_id}")


def _why_nothing(content: Mapping[str, Any]) -> str:
    """Why there is nothing to store: what was said beside a secret is too little, or it was no statement."""
    from kept.domain.redaction import redact

    if found := redact(json.dumps(content, ensure_ascii=False)).found:
        return (
            f"Nothing was stored: it says nothing beside a secret ({', '.join(found)}), and secrets are never stored "
            "(--verbatim stores the text with a mark in the secret's place)."
        )
    return "Nothing was stored: there is no statement in it (--verbatim stores the text whole)."


def _show_understood(part: Understood) -> None:
    """The facts that a language model found, and what it closed; or why it did not."""
    for row in render.memory_rows(part.facts, columns=None):
        render.say(f"{click.style('fact', bold=True)}   {row}")
    for entry in part.job.results:
        if entry["event"] == "SUPERSEDE":
            render.say(f"closed {render.short(str(entry['id']))}")
    for line in not_taken([part.job]):
        render.say(line)
    if part.job.error:
        render.note(f"Not read by the language model yet: {one_line(part.job.error)}")
