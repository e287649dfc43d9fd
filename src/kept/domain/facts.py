"""What may become a memory of what a language model answered. Pure.

The model proposes; nothing of its answer is believed that the turns it cites do not say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from kept.domain.memory import Draft

Reason = Literal[
    "not a fact",
    "blank",
    "too long",
    "no source turn",
    "system turn",
    "unknown type",
    "not in the text",
    "duplicate",
    "bad confidence",
    "bad date",
    "unknown category",
    "invented id",
    "entity not in the text",
    "relation not in the text",
]
"""Why something was dropped. From `bad confidence` on it is a detail, and the fact is kept without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A fact that a model proposes.

    Attributes:
        draft: Of kind `fact`, with its speaker, type, confidence, times, entities, relations, categories and positions.
        same_as: Id of a memory that says the same.
        refines: Id of a memory that it says more exactly.
        contradicts: Ids of memories that cannot be true together with it.
    """

    draft: Draft
    same_as: str | None = None
    refines: str | None = None
    contradicts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What was taken from one answer.

    Attributes:
        proposals: In the order of the answer.
        dropped: How many facts, or details of facts, were not taken, by reason.
    """

    proposals: Sequence[Proposal] = ()
    dropped: Mapping[Reason, int] = field(default_factory=dict)
