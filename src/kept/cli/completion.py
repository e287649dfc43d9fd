"""`kept completion`: the script by which a shell completes commands and options."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

from kept.cli import render
from kept.cli.options import command

VARIABLE: Final = "_KEPT_COMPLETE"
"""By which the script asks the program for completions; click's convention."""

INSTALL: Final = {
    "bash": "kept completion bash > ~/.local/share/bash-completion/completions/kept",
    "zsh": 'kept completion zsh > "${fpath[1]}/_kept"    (then start a new shell)',
    "fish": "kept completion fish > ~/.config/fish/completions/kept.fish",
}
"""How to install the script for good, by shell."""


@command("completion", shared=False, examples=list(INSTALL.values()))
@click.argument("shell", type=click.Choice(list(INSTALL)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    A comment at its end says how to install it.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.ClickException(f"This version of click has no completion for {shell}.")
    made = kind(ctx.find_root().command, {}, "kept", VARIABLE)
    script = made.source_template % made.source_vars()
    render.say(f"{script.rstrip()}\n\n# Install it once: {INSTALL[shell]}")
