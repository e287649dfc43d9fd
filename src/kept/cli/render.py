"""Values for people (text, aligned) and for programs (one JSON document)."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from kept.cli.safe_text import ELLIPSIS, cut, one_line, padded, printable, wrapped
from kept.cli.safe_text import columns as columns_of
from kept.domain.ids import SHORT_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from kept.domain.memory import MemoryRecord
    from kept.engine.keys import ApiKey
    from kept.engine.links import Link
    from kept.engine.maintain import Change
    from kept.engine.retrieve import Hit
    from kept.ports import Progress

_LEAST_TEXT: Final = 24
"""Columns below which a text stands under its row's head instead of beside it."""
_MOST_LINES: Final = 8
"""Lines of one memory in a list on a terminal; `kept show` prints it whole."""
_WIDEST_SPEAKER: Final = 12
_GAP: Final = "  "
_BAR: Final = 12
"""Columns of the longest bar of an explanation."""
_KIB: Final = 1024


# --- where it goes -----------------------------------------------------------------------------------------------


def width() -> int | None:
    """Columns of the terminal; None where the output goes elsewhere and nothing is to be wrapped."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def say(text: str) -> None:
    """Print a result for people."""
    click.echo(text, color=_color())


def note(text: str) -> None:
    """Say something beside the result, on stderr."""
    click.echo(text, err=True, color=_color())


def emit(shape: Any) -> None:
    """Print one JSON document: on one line for programs, indented on a terminal."""
    click.echo(json_text(shape, indent=2 if sys.stdout.isatty() else None))


def json_text(shape: Any, *, indent: int | None = None) -> str:
    """JSON; in ASCII where the output's encoding is not Unicode."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    return json.dumps(shape, ensure_ascii=not unicode, indent=indent)


def _color() -> bool | None:
    """False where the user wants none; None leaves it to whether the output is a terminal."""
    from kept.settings import wants_no_color

    return False if wants_no_color() else None


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Progress | None]:
    """A bar on stderr for a long call; None (nothing to report to) where that is no terminal.

    Args:
        label: What is going on.
        total: How many steps, where the call itself does not know.
    """
    if not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=total or 1, label=label, file=sys.stderr, color=_color()) as bar:

        def advance(done: int, of: int | None) -> None:
            bar.length = max(of or total or done, 1)
            bar.update(done - bar.pos)

        yield advance


# --- memories ----------------------------------------------------------------------------------------------------


def memory_rows(
    records: Sequence[MemoryRecord],
    *,
    scores: Sequence[float] | None = None,
    days: Sequence[str] | None = None,
    columns: int | None = None,
) -> list[str]:
    """One block of lines for each memory: score, short id, day, speaker, text, and what to know about it.

    Args:
        records: In the order to print.
        scores: One for each record.
        days: One for each record, of one width; None shows the day it was said.
        columns: Width to fit into; None puts each on one line.
    """
    speakers = [one_line(record.speaker or "") for record in records]
    room = min(max(map(columns_of, speakers), default=0), _WIDEST_SPEAKER)
    rows = []
    for number, record in enumerate(records):
        parts = [] if scores is None else [click.style(f"{scores[number]:.2f}", bold=True)]
        day = record.created_at.date().isoformat() if days is None else days[number]
        parts += [click.style(short(record.id), fg="cyan"), day]
        parts += [click.style(padded(speakers[number], room), fg="green")] if room else []
        rows.append(_row(_GAP.join(parts), _marked(record), columns))
    return rows


def _row(head: str, text: str, columns: int | None) -> str:
    """The head and, beside it or (where that is too narrow) below it, the text; a long one is cut on a terminal."""
    if columns is None:
        return f"{head}{_GAP}{text}"
    used = columns_of(click.unstyle(head)) + len(_GAP)
    below = columns - used < _LEAST_TEXT
    indent = len(_GAP) if below else used
    lines = wrapped(text, max(columns - indent, 1))
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], ELLIPSIS]
    if below:
        return "\n".join([head, *(" " * indent + line for line in lines)])
    return f"{head}{_GAP}" + ("\n" + " " * indent).join(lines)


def _marked(record: MemoryRecord) -> str:
    """The text on one line, with what a reader must know about it in brackets."""
    marks = "; ".join(_marks(record))
    return one_line(record.text) + (f" [{marks}]" if marks else "")


def _marks(record: MemoryRecord) -> Iterator[str]:
    if record.is_closed:
        since = f" since {record.valid_to.date()}" if record.valid_to else ""
        yield f"no longer true{since}: {record.state}"
    elif record.state != "active":
        yield record.state
    if record.expires_on:
        yield f"expires after {record.expires_on}"


def explanation(hit: Hit, columns: int | None) -> str:
    """The parts of a score as a table: what each added, a bar, and what it says; the largest first."""
    from kept.domain.ranking import FEATURES

    meanings = {feature.name: feature.meaning for feature in FEATURES}
    largest = max((abs(value) for value in hit.parts.values()), default=0) or 1
    name_room = max(map(len, hit.parts), default=0)
    lines = []
    for name, value in sorted(hit.parts.items(), key=lambda part: -abs(part[1])):
        bar = ("█" if value > 0 else "░") * max(round(abs(value) / largest * _BAR), 1)
        line = (
            f"      {padded(name, name_room)}{_GAP}{value:+6.2f}{_GAP}{padded(bar, _BAR)}{_GAP}{meanings.get(name, '')}"
        )
        lines.append((line if columns is None else cut(line, columns)).rstrip())
    return "\n".join(lines)


def changed(verb: str, done: Change) -> None:
    """Say what a change did and how to take it back."""
    if done.passed_over:
        note(f"{counted(done.passed_over, 'immutable memory')} stayed as before.")
    if done.operation_id is None:
        note("Nothing had to change.")
        return
    count = len(done.memories)
    if count == 1:
        record = done.memories[0]
        say(f"{verb} {click.style(short(record.id), fg='cyan')}{_GAP}{one_line(record.text)}")
    else:
        say(f"{verb} {counted(count, 'memory')}.")
    note(f"Take it back with: kept undo {done.operation_id}")


# --- small things ------------------------------------------------------------------------------------------------


def short(memory_id: str) -> str:
    """The first characters of an id."""
    return printable(memory_id[:SHORT_ID])


def moment(value: datetime | None) -> str:
    """A time to the minute, in UTC."""
    return "" if value is None else f"{value:%Y-%m-%d %H:%M} UTC"


def lifetime(found: ApiKey | Link) -> list[str]:
    """When a key or a link was used last, and when it ends or was revoked; what there is to say of it."""
    used = [f"last used {moment(found.last_used_at)}"] if found.last_used_at else []
    if found.revoked_at is not None:
        return [*used, f"revoked {moment(found.revoked_at)}"]
    return [*used, f"ends {moment(found.expires_at)}"] if found.expires_at else used


def counted(count: int, noun: str) -> str:
    """`1 memory`, `1,200 memories`."""
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun[:-1] + 'ies' if noun.endswith('y') else noun + 's'}"


def size(size_bytes: int) -> str:
    """Bytes in the largest binary unit that keeps them above 1."""
    value, unit = float(size_bytes), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < _KIB:
            break
        value, unit = value / _KIB, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def fields(pairs: Mapping[str, str] | Iterable[tuple[str, str]], *, columns: int | None = None) -> list[str]:
    """Names and values, aligned; empty values are left out."""
    shown = [(name, value) for name, value in dict(pairs).items() if value]
    room = max((len(name) for name, _ in shown), default=0)
    return [_row(click.style(padded(name, room), dim=True), printable(value), columns) for name, value in shown]
