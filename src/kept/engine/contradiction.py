"""Asking a language model how a new fact stands to what is stored: what the engine found near each other, judged once more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kept.domain.memory import Draft, MemoryRecord
from kept.domain.resolution import Verdict
from kept.engine.prompts import instructions
from kept.ports import Prompt

MAX_OUTPUT_TOKENS: Final = 400
"""Ten short verdicts, and room for a model's spacing."""
MAX_TEXT: Final = 400
"""Characters of a memory that are shown: what two sentences are about shows in their beginning."""
_VERDICTS: Final[Mapping[str, Verdict]] = {"same": "same", "refines": "refines", "contradicts": "contradicts"}
_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "v": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "m": {"type": "integer"},
                    "is": {"type": "string", "enum": [*_VERDICTS, "other"]},
                },
                "required": ["m", "is"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["v"],
    "additionalProperties": False,
}


def prompt(draft: Draft, near: Sequence[MemoryRecord]) -> Prompt:
    """The question about one fact and the memories near it, which are named by their number."""
    told = draft.valid_from or draft.created_at
    lines = [f"NEW{_day(told)}: {_line(draft.text)}"]
    lines += [
        f"m{number}{_day(record.valid_from or record.created_at)}: {_line(record.text)}"
        for number, record in enumerate(near, 1)
    ]
    return Prompt(
        instructions=instructions("contradiction.md"),
        content="\n".join(lines),
        schema=_SCHEMA,
        max_output_tokens=MAX_OUTPUT_TOKENS,
    )


def read(answer: Mapping[str, Any], near: Sequence[MemoryRecord]) -> dict[str, Verdict]:
    """Verdicts by memory id; numbers that stand for nothing are left out, and of two verdicts the last is taken."""
    found: dict[str, Verdict] = {}
    for entry in answer.get("v", ()):
        number, said = entry.get("m"), _VERDICTS.get(entry.get("is", ""))
        if said is not None and isinstance(number, int) and 1 <= number <= len(near):
            found[near[number - 1].id] = said
    return found


def _line(text: str) -> str:
    """On one line, so that no text can pretend to be another entry."""
    return " ".join(text.split())[:MAX_TEXT]


def _day(moment: Any) -> str:
    return "" if moment is None else f" ({moment.date().isoformat()})"
