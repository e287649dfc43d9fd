"""`kept hook`: what a coding client calls while no server of ours is there yet to be called."""

from __future__ import annotations

import click

from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import command


@command("hook", examples=["kept hook session-start < event.json"])
@click.argument("event", type=click.Choice(["session-start"]))
@pass_invocation
def hook(invocation: Invocation, /, event: str) -> None:
    """Answer a coding client's hook.

    The client calls this, not a person.

    Reads the event as JSON on standard input and prints the answer as JSON. It never fails: a session starts without its
    memory rather than not at all, and its user is told why.
    """
    from kept.claude_code.command import run

    run(event, database=invocation.database, project=invocation.project, user_id=invocation.user)
