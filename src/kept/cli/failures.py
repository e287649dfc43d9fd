"""What went wrong, as one line on stderr (with --json: one JSON object) and an exit code. Never a traceback unasked."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from typing import TYPE_CHECKING, Final

import click

from kept.cli.safe_text import one_line
from kept.errors import InvalidInputError, KeptError, NotFoundError, StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

OK: Final = 0
ERROR: Final = 1
USAGE: Final = 2
NOTHING_FOUND: Final = 3
STORE: Final = 4
UNSOUND: Final = 5
INTERRUPTED: Final = 130
CLOSED_PIPE: Final = 141

EXIT_CODES: Final = {
    OK: "done",
    ERROR: "it could not be done; the message says why",
    USAGE: "the command, an option or a value cannot be used",
    NOTHING_FOUND: "nothing was found: no hit for a search, no memory or operation under an id",
    STORE: "the store cannot be used: not there, busy, full, read-only, damaged, or written by a newer Kept",
    UNSOUND: "`verify` found something",
    INTERRUPTED: "interrupted (128 + SIGINT, as shells count)",
    CLOSED_PIPE: "the reader of the output went away, as in `kept list | head -1` (128 + SIGPIPE, as shells count)",
}
"""The exit codes and what each means."""

_INTERRUPTED: Final = (INTERRUPTED, "interrupted", "Interrupted. What was finished before is stored.")
_NOT_CONFIRMED: Final = (
    ERROR,
    "not-confirmed",
    "It was not confirmed, so nothing was changed; --yes confirms beforehand.",
)
_UNEXPECTED: Final = "unexpected"
_KINDS: Final = ((StoreError, STORE), (NotFoundError, NOTHING_FOUND), (InvalidInputError, USAGE), (KeptError, ERROR))


def report(error: BaseException, *, as_json: bool) -> int:
    """Say what went wrong, and what to do; the exit code."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return USAGE
    exit_code, code, message = _described(error)
    if code == _UNEXPECTED:
        message = _unexpected(error, message)
    message = one_line(message)
    if as_json:
        click.echo(json.dumps({"error": {"code": code, "message": message}}), err=True)
    else:
        click.echo(f"kept: error: {message}", err=True)
    return exit_code


def _described(error: BaseException) -> tuple[int, str, str]:
    """Exit code, stable code and message."""
    if isinstance(error, KeptError):
        return next(code for kind, code in _KINDS if isinstance(error, kind)), error.code, str(error)
    if isinstance(error, click.exceptions.Abort):
        cause = error.__cause__ or error.__context__
        if error.__cause__ is None and cause is not None:
            click.echo(err=True)  # a question stands there without an answer
        return _INTERRUPTED if isinstance(cause, KeyboardInterrupt) else _NOT_CONFIRMED
    if isinstance(error, KeyboardInterrupt):
        return _INTERRUPTED
    if isinstance(error, click.ClickException):
        return _of_click(error)
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return ERROR, "system", f"{place}{error.strerror}."
    return ERROR, _UNEXPECTED, f"{type(error).__name__}: {error}"


def _of_click(error: click.ClickException) -> tuple[int, str, str]:
    if not isinstance(error, click.UsageError):
        return ERROR, "error", error.format_message()
    message = error.format_message().rstrip(".")
    end = "" if message.endswith(("?", ")")) else "."
    hint = f" See `{error.ctx.command_path} --help`." if error.ctx else ""
    return USAGE, "usage", f"{message}{end}{hint}"


def _unexpected(error: BaseException, message: str) -> str:
    from kept.settings import wants_debug

    if wants_debug():
        import traceback

        traceback.print_exception(error)
        return f"Unexpected {message}"
    return f"Unexpected {message} (KEPT_DEBUG=1 shows where)"


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether --json was given, also where the arguments as a whole cannot be parsed."""
    words = list(arguments)
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def is_closed_pipe(error: OSError) -> bool:
    """Whether the reader of our output went away. Windows says "invalid argument" then."""
    return error.errno == errno.EPIPE or (sys.platform == "win32" and error.errno == errno.EINVAL)


def silence_stdout() -> None:
    """Send what is still buffered nowhere, so that the interpreter does not complain at exit."""
    try:
        descriptor = sys.stdout.fileno()
    except (io.UnsupportedOperation, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def make_stdout_total() -> None:
    """What the terminal's or pipe's encoding lacks is written as an escape, not raised."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
