"""`kept connect` and `kept disconnect`: write another program's configuration, after showing what will change."""

from __future__ import annotations

import difflib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from kept.cli import render
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kept.claude_code.clients import Client, Part

NAMES: Final = ("claude-code", "claude-desktop", "cursor", "codex", "vscode")
"""Programs that can be connected; `kept.claude_code.clients` knows how."""
_SHOWN: Final = {"+": "green", "-": "red", "@": "cyan"}


@command("connect", examples=["kept connect claude-code", "kept connect cursor --yes", "kept connect codex --dry-run"])
@click.argument("client", type=click.Choice(NAMES))
@click.option("--dry-run", is_flag=True, help="Show the change, and make none.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_invocation
def connect(invocation: Invocation, /, client: str, *, dry_run: bool, yes: bool) -> None:
    """Let a program use Kept.

    Shows what changes in the program's own configuration, asks, and writes it. `kept disconnect` takes it out again; the rest
    of the file stays as it is.
    """
    _change(invocation, client, connecting=True, dry_run=dry_run, yes=yes)


@command("disconnect", examples=["kept disconnect claude-code", "kept disconnect cursor --yes"])
@click.argument("client", type=click.Choice(NAMES))
@click.option("--dry-run", is_flag=True, help="Show the change, and make none.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_invocation
def disconnect(invocation: Invocation, /, client: str, *, dry_run: bool, yes: bool) -> None:
    """Take Kept out of a program's configuration.

    Memories stay where they are.
    """
    _change(invocation, client, connecting=False, dry_run=dry_run, yes=yes)


def _change(invocation: Invocation, name: str, *, connecting: bool, dry_run: bool, yes: bool) -> None:
    from kept.claude_code.clients import CLIENTS, kept_command

    client = CLIENTS[name]
    changes = list(_changes(client.parts(kept_command()), connecting=connecting))
    if invocation.as_json:
        _require_decision(dry_run=dry_run, yes=yes)
    else:
        _show(client, changes, connecting=connecting)
    done = bool(changes) and not dry_run
    if done:
        if not yes:
            click.confirm("Write this?", abort=True)
        for path, _, after in changes:
            _write(path, after)
    if invocation.as_json:
        files = [{"path": str(path), "before": before, "after": after} for path, before, after in changes]
        render.emit({"client": name, "changed": done, "files": files})
    elif done:
        render.say(f"Done. {client.restart}")


def _require_decision(*, dry_run: bool, yes: bool) -> None:
    if not (dry_run or yes):
        raise click.UsageError("--json asks nothing; say --yes or --dry-run.")


def _changes(parts: list[Part], *, connecting: bool) -> Iterator[tuple[Path, str, str]]:
    """Files that would change, with their text before and after."""
    for part in parts:
        before = _text(part.path)
        after = (part.connect if connecting else part.disconnect)(before, part.path)
        if after != before:
            yield part.path, before, after


def _show(client: Client, changes: list[tuple[Path, str, str]], *, connecting: bool) -> None:
    if not changes:
        render.say(f"{client.title} {'uses Kept already' if connecting else 'does not use Kept'}; nothing changes.")
    for path, before, after in changes:
        lines = difflib.unified_diff(before.splitlines(), after.splitlines(), str(path), str(path), lineterm="", n=2)
        for line in lines:
            render.say(click.style(line, fg=_SHOWN.get(line[:1])))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ""


def _write(path: Path, text: str) -> None:
    """Replace a file at once, so that no reader sees half of it; a link stays a link."""
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.kept")
    unfinished.write_text(text, encoding="utf-8", newline="")
    if target.exists():
        shutil.copymode(target, unfinished)
    unfinished.replace(target)
