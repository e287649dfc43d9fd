"""What a language model is asked about a part of a conversation, and what is taken from its answer.

The instructions are short, since every part pays for them. What others wrote stands between tags that nothing in it can close, and what is
believed of the answer is decided by `domain.facts`, not by the instructions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from kept.domain import facts
from kept.domain.attachments import shown
from kept.domain.categories import DEFAULTS, Category
from kept.domain.facts import MAX_NEAR, Proposal, Read
from kept.domain.memory import Attachment, MemoryRecord, Message, speaker_of
from kept.domain.parts import Part, parts
from kept.domain.support import WEEKDAYS
from kept.domain.text import count_tokens
from kept.engine.prompts import instructions
from kept.engine.showing import NAME_CHARACTERS, one_line
from kept.ports import Prompt

__all__ = ["Part", "Proposal", "Read", "Wishes", "described", "parts", "prompt", "read"]

MAX_WISH_CHARACTERS: Final = 2_000
"""Of each wish: some 400 tokens, which every part pays for."""
MAX_DESCRIPTION_CHARACTERS: Final = 120
"""Of a category: what tells it from the others."""
NEAR_CHARACTERS: Final = 160
"""Of a stored memory that is shown: 19 of 20 statements in LoCoMo dev are shorter."""
LEAST_OUTPUT_TOKENS: Final = 1_024
"""Room for an answer of some ten facts, or for what a model thinks before a short one."""
_LEAST: Final[Mapping[str, Any]] = {"type": "object", "properties": {"f": {"type": "array"}}, "required": ["f"]}
"""One bad fact does not spoil the others: `domain.facts` looks at each."""
_TAG: Final = re.compile(r"<(?=\s*/?\s*(?:memories|earlier|turns)\b)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a project, or a call in its place, asks of the extraction. They choose among facts; none can lower what a fact must meet.

    Attributes:
        instructions: What to take and how to put it.
        agent_instructions: The same for what the assistant said.
        includes: Topics to keep to.
        excludes: Topics to leave out.
        categories: What facts are sorted under.
    """

    instructions: str | None = None
    agent_instructions: str | None = None
    includes: str | None = None
    excludes: str | None = None
    categories: Sequence[Category] = ()


def prompt(
    part: Part,
    *,
    near: Sequence[MemoryRecord] = (),
    wishes: Wishes | None = None,
    reference: datetime,
    attachments: Sequence[Attachment] = (),
) -> Prompt:
    """What the model is asked about a part.

    Args:
        part: What is to be read.
        near: Stored memories about the same things, nearest first; the first `MAX_NEAR` are shown.
        wishes: What the project asks for.
        reference: When turns without a time of their own were said.
        attachments: Of the part's turns, as far as the model can read them.
    """
    wishes = wishes or Wishes()
    content = "\n".join(
        [
            *_fenced("memories", map(_memory, range(1, MAX_NEAR + 1), near)),
            *_conversation(part, reference),
        ]
    )
    return Prompt(
        instructions="\n".join(
            [instructions("extraction.md"), *([instructions("near.md")] if near else []), *_wishes(wishes)]
        ),
        content=content,
        schema=facts.schema(near=bool(near), categories=bool(wishes.categories)),
        least=_LEAST,
        max_output_tokens=LEAST_OUTPUT_TOKENS + sum(count_tokens(message.content) for _, message in part.messages),
        attachments=tuple(attachments),
    )


def read(
    answer: Mapping[str, Any],
    part: Part,
    *,
    near: Sequence[MemoryRecord] = (),
    reference: datetime,
    wishes: Wishes | None = None,
    attachments: Sequence[Attachment] = (),
) -> Read:
    """What is taken from an answer to `prompt`, which was given the same (see `domain.facts.read`)."""
    categories = [category.name for category in wishes.categories] if wishes else []
    seen = shown(attachments, answer)
    return facts.read(answer, part, near=near, reference=reference, categories=categories, shown=seen)


# --- instructions ---


def _wishes(wishes: Wishes) -> Iterator[str]:
    """The wishes as orders below ours, those that there are."""
    listed = [
        ("Wishes of those who run this memory:", wishes.instructions),
        ("Their wishes for what the assistant says:", wishes.agent_instructions),
        ("Take only what is about:", wishes.includes),
        ("Take nothing that is about:", wishes.excludes),
    ]
    for heading, wish in listed:
        if wish and wish.strip():
            yield f"{heading} {wish.strip()[:MAX_WISH_CHARACTERS]}"
    if wishes.categories:
        yield f"g: those of these categories that fit: {described(wishes.categories)}"


def described(categories: Sequence[Category]) -> str:
    """Names of categories, with what they mean where that is not known anyway and not too long."""
    whole = "; ".join(
        category.name
        if category in DEFAULTS or not category.description
        else f"{category.name} ({category.description[:MAX_DESCRIPTION_CHARACTERS]})"
        for category in categories
    )
    return whole if len(whole) <= MAX_WISH_CHARACTERS else "; ".join(category.name for category in categories)


# --- content ---


def _fenced(tag: str, lines: Iterable[str]) -> list[str]:
    """Lines that others wrote between tags that none of them can close; nothing where there are none."""
    inside = list(lines)
    return [f"<{tag}>", *inside, f"</{tag}>"] if inside else []


def _quoted(text: str) -> str:
    """What others wrote, so that it ends no tag and begins no line: further lines are indented."""
    return "\n ".join(_TAG.sub("&lt;", text.strip()).splitlines())


def _name(speaker: str | None) -> str:
    return one_line(_quoted(speaker or "user"), NAME_CHARACTERS)


def _said(message: Message) -> str:
    return f"{_name(speaker_of(message.role, message.name))}: {_quoted(message.content)}"


def _memory(number: int, record: MemoryRecord) -> str:
    return f"m{number} {_name(record.speaker)}: {one_line(_quoted(record.text), NEAR_CHARACTERS)}"


def _conversation(part: Part, reference: datetime) -> Iterator[str]:
    """The turns, each stretch of them below what was said just before it."""
    first = 1
    for before, stretch in part.stretches():
        yield from _fenced("earlier", map(_said, before))
        yield from _fenced("turns", _turns(stretch, first, reference))
        first += len(stretch)


def _turns(messages: Sequence[Message], first: int, reference: datetime) -> Iterator[str]:
    """The numbered turns, each day with its date."""
    day = None
    for number, message in enumerate(messages, start=first):
        at = message.at or reference
        if at.date() != day:
            day = at.date()
            yield f"# {WEEKDAYS[at.weekday()]} {at:%Y-%m-%d %H:%M}"
        yield f"{number} {_said(message)}"
