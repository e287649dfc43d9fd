"""Asking a language model how new facts stand to what is stored: what the engine found near each other, judged once more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from kept.domain.memory import Draft, MemoryRecord
from kept.domain.resolution import Verdict
from kept.engine.prompts import instructions
from kept.engine.showing import one_line
from kept.ports import Prompt

LEAST_OUTPUT_TOKENS: Final = 200
"""A model's spacing, and what it says around an answer."""
FACT_OUTPUT_TOKENS: Final = 60
"""A fact stands in a relation to three memories at most, as a rule; each takes some 20 tokens."""
MAX_TEXT: Final = 400
"""Characters of a text that are shown: what two sentences are about shows in their beginning."""
_VERDICTS: Final[Mapping[str, Verdict]] = {"same": "same", "refines": "refines", "contradicts": "contradicts"}
_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "v": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "f": {"type": "integer"},
                    "m": {"type": "integer"},
                    "is": {"type": "string", "enum": list(_VERDICTS)},
                },
                "required": ["f", "m", "is"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["v"],
    "additionalProperties": False,
}


def prompt(drafts: Sequence[Draft], near: Sequence[MemoryRecord]) -> Prompt:
    """The question about all facts of one reading and the memories near them, which are named by their numbers from 1."""
    stored = [
        _line("m", *entry)
        for entry in enumerate(((record.valid_from or record.created_at, record.text) for record in near), 1)
    ]
    new = [
        _line("f", *entry)
        for entry in enumerate(((draft.valid_from or draft.created_at, draft.text) for draft in drafts), 1)
    ]
    return Prompt(
        instructions=instructions("contradiction.md"),
        content="\n".join([*stored, *new]),
        schema=_SCHEMA,
        max_output_tokens=LEAST_OUTPUT_TOKENS + FACT_OUTPUT_TOKENS * len(drafts),
    )


def read(answer: Mapping[str, Any], count: int, near: Sequence[MemoryRecord]) -> list[Mapping[str, Verdict]]:
    """For each of so many facts the verdicts by memory id.

    Numbers that stand for nothing are left out, and of two verdicts on one pair the last is taken.
    """
    found: list[dict[str, Verdict]] = [{} for _ in range(count)]
    for entry in answer["v"]:
        if 1 <= entry["f"] <= count and 1 <= entry["m"] <= len(near) and entry["is"] in _VERDICTS:
            found[entry["f"] - 1][near[entry["m"] - 1].id] = _VERDICTS[entry["is"]]
    return list(found)


def _line(letter: str, number: int, said: tuple[datetime | None, str]) -> str:
    moment, text = said
    day = "" if moment is None else f" ({moment.date().isoformat()})"
    return f"{letter}{number}{day}: {one_line(text, MAX_TEXT)}"
