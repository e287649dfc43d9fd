"""`kept hook`: what a coding client calls while no server of ours is there yet to be called."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import click

from kept.cli import render
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import command

EVENTS: Final = {"session-start": "SessionStart"}
"""Hooks that are commands, by their word here: all others are calls to the running `kept mcp`."""
MOST_BYTES: Final = 10_000_000
"""Of an event: far more than a prompt of a megabyte needs."""


@command("hook", examples=["kept hook session-start < event.json"])
@click.argument("event", type=click.Choice(list(EVENTS)))
@pass_invocation
def hook(invocation: Invocation, /, event: str) -> None:
    """Answer a coding client's hook; the client calls this, not a person.

    Reads the event as JSON on standard input and prints the answer as JSON. It never fails: a session starts without its
    memory rather than not at all, and its user is told why.
    """
    from kept.claude_code.tool import open_tool, settings_loader

    load = settings_loader(database=invocation.database, project=invocation.project, user_id=invocation.user)
    render.say(json.dumps(open_tool(load).answer(_event(EVENTS[event]))))


def _event(name: str) -> dict[str, Any]:
    """The event on standard input; what cannot be read is taken as a plain start in this folder."""
    try:
        found = json.loads(sys.stdin.buffer.read(MOST_BYTES).decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        found = None
    return {"cwd": str(Path.cwd()), **(found if isinstance(found, dict) else {}), "hook_event_name": name}
