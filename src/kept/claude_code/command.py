"""The hooks that are commands, because the client calls them before a server can be called: a session's start.

On the path of every session, so nothing is imported that reading a brief does not need.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from kept.claude_code.tool import open_tool, settings_loader

EVENTS: Final = {"session-start": "SessionStart"}
"""By their word on the command line."""
MOST_BYTES: Final = 10_000_000
"""Of an event: far more than any holds."""


def run(event: str, **given: Any) -> None:
    """Read an event as JSON on standard input and print the answer as JSON.

    Args:
        event: One of `EVENTS`.
        given: Settings that win over all others.
    """
    answer = open_tool(settings_loader(**given)).answer(_event(EVENTS[event]))
    sys.stdout.write(json.dumps(answer) + "\n")  # ASCII, so that any encoding of the terminal can carry it


def _event(name: str) -> dict[str, Any]:
    """The event on standard input; what cannot be read is taken as a plain start in this folder."""
    try:
        found = json.loads(sys.stdin.buffer.read(MOST_BYTES).decode("utf-8", "replace"))
    except (ValueError, RecursionError, OSError):
        found = None
    return {"cwd": _folder(), **(found if isinstance(found, dict) else {}), "hook_event_name": name}


def _folder() -> str:
    try:
        return str(Path.cwd())
    except OSError:
        return "."  # it was removed under us
