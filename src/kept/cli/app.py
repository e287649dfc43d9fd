"""The group of all commands. A command's module is imported when it is asked for, and imports no engine itself."""

from __future__ import annotations

import sys
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import click

from kept import __version__
from kept.cli import failures
from kept.cli.options import shared_options

if TYPE_CHECKING:
    from collections.abc import Mapping

SECTIONS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "Remember": {
            "add": "kept.cli.remember:add",
            "import": "kept.cli.transfer:import_",
            "understand": "kept.cli.understand:understand",
        },
        "Recall": {
            "search": "kept.cli.recall:search",
            "timeline": "kept.cli.timeline:timeline",
            "context": "kept.cli.recall:context",
            "list": "kept.cli.recall:list_",
            "show": "kept.cli.recall:show",
            "history": "kept.cli.recall:history",
            "entities": "kept.cli.recall:entities",
            "graph": "kept.cli.graph:graph",
        },
        "Change": {
            "update": "kept.cli.change:update",
            "invalidate": "kept.cli.change:invalidate",
            "feedback": "kept.cli.change:feedback",
            "delete": "kept.cli.forget:delete",
            "undo": "kept.cli.change:undo",
            "restore": "kept.cli.change:restore",
            "retain": "kept.cli.forget:retain",
            "erase": "kept.cli.forget:erase",
        },
        "Move": {"export": "kept.cli.transfer:export", "backup": "kept.cli.transfer:backup"},
        "Serve": {
            "serve": "kept.cli.serve:serve",
            "keys": "kept.cli.keys:keys",
            "links": "kept.cli.links:links",
            "projects": "kept.cli.projects:projects",
            "events": "kept.cli.events:events",
            "webhooks": "kept.cli.webhooks:webhooks",
            "retention": "kept.cli.retention:retention",
            "audit": "kept.cli.audit:audit",
        },
        "Connect": {
            "mcp": "kept.cli.mcp:mcp",
            "connect": "kept.cli.connect:connect",
            "disconnect": "kept.cli.connect:disconnect",
            "hook": "kept.cli.hook:hook",
        },
        "Operate": {
            "stats": "kept.cli.operate:stats",
            "models": "kept.cli.models:models",
            "spend": "kept.cli.spend:spend",
            "verify": "kept.cli.operate:verify",
            "rebuild": "kept.cli.operate:rebuild",
            "consolidate": "kept.cli.consolidate:consolidate",
            "proposals": "kept.cli.consolidate:proposals",
            "doctor": "kept.cli.doctor:doctor",
            "demo": "kept.cli.demo:demo",
            "completion": "kept.cli.completion:completion",
        },
    }
)
"""Every command, by what it is for: its module and its name in it."""

_HOMES: Final = {name: home for commands in SECTIONS.values() for name, home in commands.items()}


class KeptGroup(click.Group):
    """Finds commands by name, shows them by section, and turns every failure into one line and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the sections."""
        del ctx
        return list(_HOMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name; its module is imported now."""
        del ctx
        if cmd_name not in _HOMES:
            return None
        module, _, name = _HOMES[cmd_name].partition(":")
        found: click.Command = getattr(import_module(module), name)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with the nearest names where there is no such command."""
        name = args[0]
        if name in _HOMES or name.startswith("-"):
            return super().resolve_command(ctx, args)
        from difflib import get_close_matches

        near = get_close_matches(name, _HOMES, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise click.UsageError(f"There is no command {name!r}.{hint}", ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One list for each section."""
        room = formatter.width - 6 - max(map(len, _HOMES))
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                found = [(name, self.get_command(ctx, name)) for name in commands]
                formatter.write_dl([(name, made.get_short_help_str(room)) for name, made in found if made], col_max=12)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a reader of our output that went away ends it quietly."""
        try:
            return super().invoke(ctx)
        except OSError as error:
            if not failures.is_closed_pipe(error):
                raise
            failures.silence_stdout()
            ctx.exit(failures.CLOSED_PIPE)

    def main(self, *args: Any, **extra: Any) -> Any:
        """As click's `main`; in standalone mode failures are reported our way."""
        if not extra.get("standalone_mode", True):
            return super().main(*args, **extra)
        words = extra.get("args", args[0] if args else None)
        as_json = failures.wants_json(sys.argv[1:] if words is None else words)
        failures.make_stdout_total()
        try:
            code = super().main(*args, **(extra | {"standalone_mode": False}))
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last place before a traceback
            code = failures.report(error, as_json=as_json)
        sys.exit(code if isinstance(code, int) else failures.OK)


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"kept {__version__}")
        ctx.exit()


@click.group(
    cls=KeptGroup,
    params=[
        *shared_options(),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_version,
            help="Show the version and exit.",
        ),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
def cli() -> None:
    """The memory of AI agents, in one file on this machine.

    Memories belong to a user (you, unless --user names another) in a project. Every change can be undone, but for an
    erase. Start with `kept demo`.
    """
