"""The command line: each command parses, makes one call of the service, and renders. `main` is the entry point."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run `kept` with the process's arguments and exit with its code."""
    if sys.argv[1:] == [
        "hook",
        "session-start",
    ]:  # on the path of every session: parsing it would take longer than answering
        from kept.claude_code.command import run

        run("session-start")
        return
    if sys.argv[1:2] == ["mcp"]:
        from kept.cli import mcp_start

        if (options := mcp_start.plain_options(sys.argv[2:])) is not None:
            mcp_start.run(**options)
    from kept.cli.app import cli

    cli.main(prog_name="kept")
