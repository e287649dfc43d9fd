"""Asking a language model under which of a project's categories facts belong: all facts of one reading at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kept.domain.categories import Category
from kept.domain.support import plain
from kept.engine.categories import MOST
from kept.engine.extraction import described
from kept.engine.prompts import instructions
from kept.engine.showing import one_line
from kept.ports import Prompt

FACT_CHARACTERS: Final = 400
"""Of a fact that is shown: what two sentences are about shows in their beginning."""
LEAST_OUTPUT_TOKENS: Final = 200
"""A model's spacing, and what it says around an answer."""
FACT_OUTPUT_TOKENS: Final = 60
"""An entry with three names of a few words each."""
_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "g": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"n": {"type": "integer"}, "g": {"type": "array", "items": {"type": "string"}}},
                "required": ["n", "g"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["g"],
    "additionalProperties": False,
}


def prompt(texts: Sequence[str], categories: Sequence[Category]) -> Prompt:
    """The question about some facts, which are named by their number from 1."""
    return Prompt(
        instructions=f"{instructions('categories.md')}\n\nThe categories: {described(categories)}",
        content="\n".join(f"{number}: {one_line(text, FACT_CHARACTERS)}" for number, text in enumerate(texts, 1)),
        schema=_SCHEMA,
        max_output_tokens=LEAST_OUTPUT_TOKENS + FACT_OUTPUT_TOKENS * len(texts),
    )


def read(answer: Mapping[str, Any], count: int, categories: Sequence[Category]) -> list[tuple[str, ...]]:
    """The categories of each of so many facts, best first, at most `MOST`; empty where none of the list was chosen.

    Numbers that stand for no fact are left out, and of two entries for one the last is taken.
    """
    names = {plain(category.name): category.name for category in categories}
    found: list[tuple[str, ...]] = [()] * count
    for entry in answer["g"]:
        chosen = dict.fromkeys(names[name] for name in map(plain, entry["g"]) if name in names)
        if 1 <= entry["n"] <= count:
            found[entry["n"] - 1] = tuple(chosen)[:MOST]
    return found
