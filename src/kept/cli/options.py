"""What commands share: the options that every command takes, types of values, and how a command shows its examples."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import click

from kept.cli.invocation import Invocation

STDIN: Final = "-"
NONE: Final = "none"
"""As a date: clear it."""

Returning = Callable[..., Any]


class KeptCommand(click.Command):
    """A command with examples below its options."""

    examples: Sequence[str] = ()

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, one on a line."""
        super().format_epilog(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                formatter.write_text("\b\n" + "\n".join(self.examples))


class Topic(click.Group):
    """Commands about one thing, each listed with the whole of its first sentence."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click's, which shortens sentences that do not fit on the rest of a line."""
        found = [(name, command) for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))]
        with formatter.section("Commands"):
            formatter.write_dl([(name, made.get_short_help_str(limit=len(made.help or ""))) for name, made in found])


def command(
    name: str, *, examples: Sequence[str], scoped: bool = False, across_users: bool = False, shared: bool = True
) -> Callable[[Returning], KeptCommand]:
    """Make a function a command.

    Args:
        name: As typed.
        examples: Whole command lines.
        scoped: Whether it takes --agent, --app and --run.
        across_users: Whether it takes --all-users.
        shared: Whether it takes --database, --project, --user and --json.
    """

    def make(function: Returning) -> KeptCommand:
        made = click.command(name, cls=KeptCommand)(function)
        made.examples = tuple(examples)
        made.params += [*(_scope_options() if scoped else ()), *(_all_users() if across_users else ())]
        made.params += shared_options() if shared else []
        return made

    return make


def group(name: str, about: str, commands: Sequence[KeptCommand]) -> click.Group:
    """Commands about one thing, under its name: `kept keys create`."""
    return Topic(name, help=about, commands=list(commands), context_settings={"max_content_width": 100})


def shared_options() -> list[click.Parameter]:
    """The options that stand before or after the command; the one after it wins."""
    return [
        _kept("--database", metavar="URL", help="The store: a file, sqlite:///FILE or memory:// (KEPT_DATABASE)."),
        _kept("--project", metavar="NAME", help="The project; nothing crosses it (KEPT_PROJECT)."),
        _kept("--user", metavar="ID", help="Whose memories (KEPT_USER_ID; else your login name)."),
        _kept("--json", "as_json", is_flag=True, help="One JSON document on stdout, errors as JSON on stderr."),
    ]


def _scope_options() -> list[click.Parameter]:
    return [
        _kept("--agent", metavar="ID", help="Which agent's memories."),
        _kept("--app", metavar="ID", help="Which application's memories."),
        _kept("--run", "--session", "run", metavar="ID", help="Which session's memories."),
    ]


def _all_users() -> list[click.Parameter]:
    return [_kept("--all-users", is_flag=True, help="Of every user of the project, instead of one.")]


def _kept(*names: str, **attributes: Any) -> click.Option:
    """An option whose value goes to the invocation instead of the command's function."""
    if not attributes.get("is_flag"):
        attributes["type"] = TEXT if names[0] != "--database" else str
    return click.Option(list(names), expose_value=False, callback=_keep, **attributes)


def _keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    invocation = ctx.ensure_object(Invocation)
    if value not in (None, False) and parameter.name:
        setattr(invocation, parameter.name, value)


# --- values ------------------------------------------------------------------------------------------------------


def text(value: str) -> str:
    """A text. Bytes that are no text in the terminal's encoding become replacement characters."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def json_object(value: str) -> dict[str, Any]:
    """The JSON object that an argument holds."""
    try:
        found = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f'it is not JSON ({error}); write for example \'{{"role": "user"}}\'.') from error
    if not isinstance(found, dict):
        raise click.BadParameter("it must be a JSON object, in braces.")
    return found


TEXT: Final = click.types.FuncParamType(text)
JSON_OBJECT: Final = click.types.FuncParamType(json_object)


def key_values(ctx: click.Context, parameter: click.Parameter, pairs: Sequence[str]) -> dict[str, Any] | None:
    """KEY=VALUE pairs as a mapping; a value that is JSON is taken as such, any other as a text. None without pairs."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise click.BadParameter(f"{pair[:80]!r} is not KEY=VALUE.", ctx, parameter)
        found[key.strip()] = _json_or_text(value)
    return found or None


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def text_of(words: Sequence[str]) -> str:
    """The words as one text; a single `-` is the standard input, as UTF-8."""
    if tuple(words) != (STDIN,):
        return " ".join(words)
    return sys.stdin.buffer.read().decode("utf-8-sig", "replace")


def filter_option(function: Returning) -> Returning:
    """--filter."""
    return click.option(
        "--filter", "filters", type=JSON_OBJECT, metavar="JSON", help="Only what matches this filter (a JSON object)."
    )(function)
