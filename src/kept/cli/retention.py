"""`kept retention`: how long memories of a kind are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kept.cli import render
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import TEXT, command, group
from kept.cli.safe_text import one_line

if TYPE_CHECKING:
    from kept.engine.retention import Rule


@command("list", examples=["kept retention list"])
@pass_invocation
def list_(invocation: Invocation, /) -> None:
    """List a project's rules, each with how many memories it would expire now."""
    from kept.engine.retention import Retention

    with invocation.access() as access:
        rules, due = Retention(access).rules(), Retention(access).preview()
    if invocation.as_json:
        from kept.sdk import wire

        render.emit([wire.rule(rule) | {"due": due.get(rule.id, 0)} for rule in rules])
        return
    for rule in rules:
        render.say(f"{rule.id}  {_said(rule)}  [{due.get(rule.id, 0)} due]")
    if not rules:
        render.note("This project has no rules; everything is kept. Make one with `kept retention set`.")


@command("set", examples=["kept retention set --category misc --days 30", "kept retention set --tag legal --forever"])
@click.option("--category", type=TEXT, help="Memories of this category.")
@click.option("--tag", type=TEXT, help="Memories whose metadata has this `tag`, or has it among its `tags`.")
@click.option("--connector", type=TEXT, help="Memories that came through this, such as rest or claude-code.")
@click.option("--type", "memory_type", type=TEXT, help="Memories of this type: message, statement, fact, code.")
@click.option("--days", type=click.IntRange(1), help="Keep them for so many days.")
@click.option("--forever", is_flag=True, help="Keep them for ever, whatever shorter rules say.")
@pass_invocation
def set_(invocation: Invocation, /, days: int | None, forever: bool, **match: str | None) -> None:
    """Keep what is named for some days, or for ever.

    Without a name it is about all memories. Of the rules that name a memory the longest counts. A running `kept serve` enforces them
    each hour, `kept retention enforce` now.
    """
    from kept.engine.retention import Retention

    if (days is None) != forever:
        raise click.UsageError("Give either --days or --forever.")
    with invocation.access(makes=True) as access:
        rule = Retention(access).put({name: value for name, value in match.items() if value is not None}, days)
    _show(invocation, rule, f"{rule.id}  {_said(rule)}")


@command("remove", examples=["kept retention remove rule_0123456789abcdef"])
@click.argument("rule_id", type=TEXT)
@pass_invocation
def remove(invocation: Invocation, /, rule_id: str) -> None:
    """Remove a rule; what it expired stays expired."""
    from kept.engine.retention import Retention

    with invocation.access() as access:
        Retention(access).remove(rule_id)
    if invocation.as_json:
        render.emit({"id": rule_id})
    else:
        render.say(f"removed {rule_id}")


@command("enforce", examples=["kept retention enforce"])
@pass_invocation
def enforce(invocation: Invocation, /) -> None:
    """Expire now what the rules say.

    It is hidden from search and lists, and still there by id; `kept undo` takes it back.
    """
    from kept.engine.retention import Retention

    with invocation.access() as access:
        expired = Retention(access).enforce()
    if invocation.as_json:
        render.emit({"expired": expired})
    else:
        render.say(f"expired {render.counted(expired, 'memory')}")


def _show(invocation: Invocation, rule: Rule, words: str) -> None:
    if invocation.as_json:
        from kept.sdk import wire

        render.emit(wire.rule(rule))
    else:
        render.say(words)


def _said(rule: Rule) -> str:
    named = ", ".join(f"{name} {one_line(value)}" for name, value in rule.match.items()) or "everything"
    return f"{named}: {'for ever' if rule.days is None else f'{rule.days} days'}"


retention = group("retention", "Say how long memories are kept.", [list_, set_, remove, enforce])
