"""The reference of the command line as Markdown, made from the commands themselves.

`python -m kept.cli.reference docs/reference/cli.md` writes it; a test compares the two.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Final

import click

from kept.cli.app import SECTIONS, cli
from kept.cli.failures import EXIT_CODES
from kept.cli.options import KeptCommand

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH: Final = 120
"""Columns of the page's paragraphs."""

_PREAMBLE: Final = """\
# The command line

This page is made from the program itself by `python -m kept.cli.reference docs/reference/cli.md`.

`kept` reads and writes the memories of one user of one project. Text for people is the default: aligned, dated in UTC,
wrapped only on a terminal, coloured only there and never when `NO_COLOR` is set. With `--json` exactly one JSON
document is printed on stdout, in the shapes of the Python SDK; `kept export` prints JSON lines. What is not the result
itself (hints, counts, progress) goes to stderr.

Wherever a memory's id is asked for, its beginning will do (an operation's is asked for whole): six characters or more, if they are unambiguous.
"""

_ERRORS: Final = """\
## Errors

An error is one line on stderr that says what to do, `kept: error: …`; with `--json` it is
`{"error": {"code": "…", "message": "…"}}` on stderr. A traceback is shown only for an unexpected error, and only when
`KEPT_DEBUG=1` is set.

| Exit code | Meaning |
| ---: | --- |
"""

_SHARED: Final = "These stand before the command or after it; the one after it wins."


def render() -> str:
    """The whole page."""
    root = click.Context(cli, info_name="kept")
    parts = [_PREAMBLE, f"## Options of every command\n\n{_SHARED}\n", _options_table(cli, root, shared=True)]
    parts.append(_ERRORS + "\n".join(f"| {code} | {_cell(meaning)} |" for code, meaning in EXIT_CODES.items()) + "\n")
    for title, names in SECTIONS.items():
        parts.append(f"## {title}\n")
        parts += [part for name in names for part in _command(root, name)]
    return "\n".join(parts)


def _command(root: click.Context, name: str) -> Iterator[str]:
    made = cli.get_command(root, name)
    if made is None:
        return
    yield from _described(made, click.Context(made, info_name=name, parent=root), "###")
    if isinstance(made, click.Group):
        outer = click.Context(made, info_name=name, parent=root)
        for inner_name, inner in made.commands.items():
            yield from _described(inner, click.Context(inner, info_name=inner_name, parent=outer), "####")


def _described(made: click.Command, ctx: click.Context, heading: str) -> Iterator[str]:
    usage = " ".join(made.collect_usage_pieces(ctx))
    yield f"{heading} {ctx.command_path}\n"
    yield f"```text\n{ctx.command_path} {usage}".rstrip() + "\n```\n"
    yield _paragraphs(made.help or "")
    if table := _options_table(made, ctx, shared=False):
        yield table
    if isinstance(made, KeptCommand):
        yield "```sh\n" + "\n".join(made.examples) + "\n```\n"


def _paragraphs(text: str) -> str:
    return (
        "".join(fill(paragraph, WIDTH) + "\n\n" for paragraph in inspect.cleandoc(text).split("\n\n")).rstrip("\n")
        + "\n"
    )


def _options_table(made: click.Command, ctx: click.Context, *, shared: bool) -> str:
    """A table of the options; for a command without those that every command has."""
    everywhere = {parameter.name for parameter in cli.params} if not shared else set()
    rows = [
        f"| {_cell(record[0], code=True)} | {_cell(record[1])} |"
        for parameter in made.params
        if isinstance(parameter, click.Option)
        and parameter.name not in everywhere
        and (record := parameter.get_help_record(ctx))
    ]
    return "\n".join(["| Option | Meaning |", "| --- | --- |", *rows]) + "\n" if rows else ""


def _cell(text: str, *, code: bool = False) -> str:
    escaped = text.replace("|", "\\|")
    return f"`{escaped}`" if code else escaped


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render(), encoding="utf-8", newline="\n")
