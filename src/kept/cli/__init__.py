"""The command line: each command parses, makes one call of the service, and renders. `main` is the entry point."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run `kept` with the process's arguments and exit with its code."""
    from kept.cli.app import cli

    cli.main(prog_name="kept")
