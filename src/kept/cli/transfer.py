"""`kept import`, `export` and `backup`."""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from kept.cli import render
from kept.cli.failures import ERROR, STORE
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import command, filter_option
from kept.cli.safe_text import one_line, printable
from kept.errors import KeptError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from kept.domain.scope import Scope
    from kept.engine.service import Service
    from kept.engine.transfer import ImportReport
    from kept.ports import Progress, ReadSession

FORMATS: Final = ("kept-export", "claude-code", "chat-json", "markdown", "plain-text")
"""The readers' names, which a test compares with the readers; asking them would import them for `kept --help`."""
NAMED: Final = 3
"""Files passed over that are named: enough to see what kind they are of."""
BATCH_LINES: Final = 1_000
"""Lines of an export written at a time: some 500 KB."""


_OF_ONE_FILE: Final = (KeptError, OSError, OverflowError, MemoryError, RecursionError)
"""What a file can bring about by what it holds; the next one may still be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOutcome:
    """What became of one file.

    Attributes:
        read: `sessions`, `messages` and `memories` in the file.
        report: None for a dry run and where it failed.
        warnings: What the reader left out.
    """

    path: Path
    format: str | None = None
    read: tuple[int, int, int] = (0, 0, 0)
    report: ImportReport | None = None
    warnings: tuple[str, ...] = ()
    error: Exception | None = None


@command(
    "import",
    scoped=True,
    examples=[
        "kept import ~/.claude/projects",
        "kept import notes/ chat.json --dry-run",
        "kept import export.jsonl --format kept-export",
    ],
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Read every file as this. Default: by its name and content.",
)
@click.option("--verbatim", is_flag=True, help="Store messages whole instead of their statements.")
@click.option(
    "--understand", is_flag=True, help="Also put them before the language model; `kept understand` has them read."
)
@click.option("--dry-run", is_flag=True, help="Say what would be read, and store nothing.")
@pass_invocation
@click.pass_context
def import_(
    ctx: click.Context,
    invocation: Invocation,
    /,
    paths: tuple[Path, ...],
    form: str | None,
    verbatim: bool,
    understand: bool,
    dry_run: bool,
) -> None:
    """Import transcripts, chats, notes and exports.

    PATH is a file, or a folder with all below it but links that lead outside. The same file twice adds nothing. A file
    that cannot be read does not stop the others; the exit code is 1 then.
    """
    found = _files(paths)
    with nullcontext() if dry_run else invocation.service(makes=True) as service:
        if understand and service is not None:
            _ = service.reader  # what is stored now is not put before a model that is configured later
        how = {"infer": not verbatim, "understand": understand}
        outcomes = _import_all(invocation, service, list(found.files), form=form, how=how)
    outcomes = [*found.missing, *outcomes]
    if invocation.as_json:
        render.emit(_shape(outcomes, dry_run=dry_run) | _unread(found))
    else:
        _show_unread(found)
        _summary(outcomes, dry_run=dry_run)
    if errors := [outcome.error for outcome in outcomes if outcome.error]:
        ctx.exit(STORE if any(isinstance(error, StoreError) for error in errors) else ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What is at the paths.

    Attributes:
        files: To read, each once.
        missing: Paths where there is nothing.
        left_out: Links out of a folder.
        passed_over: Files of a folder that no reader knows.
    """

    files: dict[Path, None] = field(default_factory=dict)
    missing: list[FileOutcome] = field(default_factory=list)
    left_out: list[Path] = field(default_factory=list)
    passed_over: list[Path] = field(default_factory=list)


def _files(paths: Sequence[Path]) -> _Found:
    from kept.adapters.readers import discover

    found = _Found()
    for path in paths:
        try:
            found.files.update(dict.fromkeys(discover(path, found.left_out, found.passed_over)))
        except (KeptError, OSError) as error:
            found.missing.append(FileOutcome(path=path, error=error))
    return found


def _unread(found: _Found) -> dict[str, list[str]]:
    return {"left_out": [*map(str, found.left_out)], "passed_over": [*map(str, found.passed_over)]}


def _show_unread(found: _Found) -> None:
    """What of a folder is not read, and why."""
    for path in found.left_out:
        render.note(f"warning: {one_line(str(path))} is a link that leads outside the folder; it was left out.")
    if over := found.passed_over:
        named = ", ".join(one_line(str(path)) for path in over[:NAMED])
        more = ", …" if len(over) > NAMED else ""
        render.note(
            f"{render.counted(len(over), 'file')} passed over, in no known format: {named}{more} (--json lists all)."
        )


def _import_all(
    invocation: Invocation, service: Service | None, files: Sequence[Path], *, form: str | None, how: Mapping[str, bool]
) -> list[FileOutcome]:
    """Import the files one by one; without a service only read them. The bar counts files, or one file's sessions."""
    outcomes = []
    with render.progress("importing") as advance:
        for number, path in enumerate(files):
            inner = advance if len(files) == 1 else None
            outcomes.append(_import_one(invocation, service, path, form, how=how, advance=inner))
            if advance and len(files) > 1:
                advance(number + 1, len(files))
    return outcomes


def _import_one(
    invocation: Invocation,
    service: Service | None,
    path: Path,
    form: str | None,
    *,
    how: Mapping[str, bool],
    advance: Progress | None,
) -> FileOutcome:
    from kept.adapters.readers import open_reader
    from kept.engine.maintain import By

    try:
        reader = open_reader(form, path)
        sessions = list(reader.read(path))
    except _OF_ONE_FILE as error:
        return FileOutcome(path=path, error=error)
    report = None
    if service is not None:
        by = By(actor=invocation.settings.user_id, connector=reader.name)
        scope = _owner(invocation, sessions)  # outside: that nobody is named is not the file's fault
        try:
            placed = _placed(invocation, sessions)
            report = service.import_sessions(scope, placed, by=by, progress=advance, **how)
        except _OF_ONE_FILE as error:
            return FileOutcome(path=path, error=error)
    warnings = tuple(getattr(reader, "warnings", ()))
    return FileOutcome(path=path, format=reader.name, read=_counts(sessions), report=report, warnings=warnings)


def _owner(invocation: Invocation, sessions: Sequence[ReadSession]) -> Scope:
    """Whose the import becomes: of an export the users' it was made of, unless one is named here."""
    from kept.domain.scope import Scope

    if invocation.user is None and all(session.records and not session.messages for session in sessions):
        return Scope(project=invocation.project_name)
    return invocation.scope()


def _placed(invocation: Invocation, sessions: Sequence[ReadSession]) -> list[ReadSession]:
    """Coding sessions under the name of their repository, as the hooks keep what is said in it."""
    from kept.claude_code.naming import app_id_of
    from kept.settings import Settings

    def load(team: Path | None) -> Settings:
        return Settings.load(team=team, database=invocation.database, project=invocation.project)

    names = {session.folder: app_id_of(session.folder, load) for session in sessions if session.folder}
    return [replace(session, app_id=names.get(session.folder or "")) for session in sessions]


def _counts(sessions: Sequence[ReadSession]) -> tuple[int, int, int]:
    return len(sessions), sum(len(s.messages) for s in sessions), sum(len(s.records) for s in sessions)


def _total(outcomes: Iterable[FileOutcome]) -> dict[str, int]:
    reports = [outcome.report for outcome in outcomes if outcome.report]
    return {name: sum(getattr(report, name) for report in reports) for name in ("added", "reinforced", "skipped")}


def _shape(outcomes: Sequence[FileOutcome], *, dry_run: bool) -> dict[str, Any]:
    files = []
    for outcome in outcomes:
        shape: dict[str, Any] = {"path": str(outcome.path), "format": outcome.format}
        shape |= dict(zip(("sessions", "messages", "memories"), outcome.read, strict=True))
        if outcome.report:
            report = outcome.report
            shape |= {"added": report.added, "reinforced": report.reinforced, "skipped": report.skipped}
            shape["operation_ids"] = list(report.operation_ids)
        if outcome.warnings:
            shape["warnings"] = list(outcome.warnings)
        if outcome.error:
            code = outcome.error.code if isinstance(outcome.error, KeptError) else "system"
            shape["error"] = {"code": code, "message": _message(outcome.error)}
        files.append(shape)
    failed = sum(outcome.error is not None for outcome in outcomes)
    return {"dry_run": dry_run, "files": files, "total": {"files": len(files), "failed": failed, **_total(outcomes)}}


def _summary(outcomes: Sequence[FileOutcome], *, dry_run: bool) -> None:
    """A line for each file, then the total."""
    for outcome in outcomes:
        for warning in outcome.warnings:
            render.note(f"warning: {one_line(warning)}")
        if outcome.error:
            render.note(f"kept: error: {one_line(_reason(outcome))}")
        else:
            render.say(f"{printable(str(outcome.path))}  ({outcome.format})  {_said(outcome)}")
    read = [outcome for outcome in outcomes if not outcome.error]
    failed = f"; {render.counted(len(outcomes) - len(read), 'file')} failed" if len(read) < len(outcomes) else ""
    if not outcomes:
        render.note("There was no file to read.")
    elif dry_run:
        render.say(f"{render.counted(len(read), 'file')} would be read; nothing was stored{failed}.")
    else:
        total = _total(read)
        what = f"{render.counted(total['added'], 'new memory')}" if total["added"] else "nothing new"
        render.say(f"{render.counted(len(read), 'file')}: {what}{failed}.")
        if waiting := sum(len(outcome.report.extractions) for outcome in read if outcome.report):
            render.note(
                f"{render.counted(waiting, 'part')} waiting for the language model; have them read: kept understand"
            )


def _reason(outcome: FileOutcome) -> str:
    """The error with the file's name, once."""
    message, path = _message(outcome.error), str(outcome.path)
    return message if path in message else f"{path}: {message}"


def _message(error: Exception | None) -> str:
    """What the error says; Python's own say little or nothing about what to do."""
    if isinstance(error, (OverflowError, MemoryError, RecursionError)):
        return "holds more than can be read (a huge number, a huge text or very deep nesting). Split it."
    return str(error)


def _said(outcome: FileOutcome) -> str:
    sessions, messages, memories = outcome.read
    if outcome.report is None:
        counts = [(sessions, "session"), (messages, "message"), (memories, "memory")]
        return ", ".join(render.counted(count, noun) for count, noun in counts if count) or "nothing in it"
    report = outcome.report
    if not report.added and not report.reinforced:
        return "nothing new"
    known = f", {report.reinforced:,} known already" if report.reinforced else ""
    skipped = f", {report.skipped:,} imported before" if report.skipped else ""
    return f"{report.added:,} added{known}{skipped}"


@command(
    "export",
    scoped=True,
    across_users=True,
    examples=[
        "kept export --output memories.jsonl",
        "kept export --format markdown | less",
        "kept export --all-users --output everybody.jsonl --force",
    ],
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "markdown"]),
    default="jsonl",
    show_default=True,
    help="jsonl is whole and can be imported again; markdown is to read.",
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Default: stdout.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@filter_option
@pass_invocation
def export(
    invocation: Invocation, /, form: str, output: Path | None, force: bool, filters: dict[str, Any] | None
) -> None:
    """Write memories as JSON lines or Markdown.

    Expired and closed ones are included, deleted ones are not. JSON lines are one header and then one memory a line,
    with or without --json. A file appears whole or not at all, readable by you alone.
    """
    with invocation.service() as service:
        lines = service.export(invocation.scope(), filters=filters, form=form)
        if output is None:
            on_terminal = render.width() is not None
            _write(lines, lambda text: click.echo(printable(text) if on_terminal else text))
            return
        with _replacing(output, force=force) as file:
            written = _write(lines, lambda text: file.write(text + "\n"))
    if invocation.as_json:
        render.emit({"path": str(output), "lines": written})
    else:
        render.note(f"{render.counted(written, 'line')} in {printable(str(output))}.")


def _write(lines: Iterator[str], write: Callable[[str], object]) -> int:
    """Write the lines in batches; how many there were."""
    written = 0
    while batch := list(islice(lines, BATCH_LINES)):
        write("\n".join(batch))
        written += len(batch)
    return written


@contextmanager
def _replacing(target: Path, *, force: bool) -> Iterator[TextIO]:
    """A file that takes the target's place when the block ends, and leaves no trace when it raises."""
    if target.exists() and not force:
        raise click.ClickException(f"{target} exists already; --force replaces it.")
    if not target.parent.is_dir():
        raise click.ClickException(f"The folder {target.parent} does not exist.")
    import tempfile

    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@command("backup", examples=["kept backup kept-2026-03-02.db"])
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path))
@pass_invocation
def backup(invocation: Invocation, /, target: Path) -> None:
    """Copy the whole store to a new file.

    The copy is consistent, also while others go on writing. The copy is a store of its own: `kept --database FILE list`
    reads it.
    """
    with invocation.service() as service, render.progress("copying") as advance:
        service.backup(target, advance)
    size_bytes = target.stat().st_size
    if invocation.as_json:
        render.emit({"path": str(target), "size_bytes": size_bytes})
    else:
        render.say(f"{printable(str(target))}  {render.size(size_bytes)}")
