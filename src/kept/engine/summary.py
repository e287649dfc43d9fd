"""The strongest statements: what stands for a whole where no language model writes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kept.domain.memory import MemoryRecord
from kept.domain.scope import Scope
from kept.domain.text import count_tokens
from kept.engine.access import ProjectAccess

BUDGET_TOKENS: Final = 400
CONSIDERED: Final = 5_000
"""The newest memories among which the strongest are chosen."""
_AGAINST: Final = frozenset({"NEGATIVE", "VERY_NEGATIVE"})
_UNSAYING: Final = frozenset({"misc"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The strongest statements of a scope.

    Attributes:
        total: Memories that there are.
    """

    text: str
    memory_ids: tuple[str, ...]
    total: int


def summary(
    access: ProjectAccess,
    *,
    ids: Mapping[str, object] | None = None,
    filters: Mapping[str, Any] | None = None,
    budget_tokens: int = BUDGET_TOKENS,
) -> Summary:
    """The strongest statements that fit a budget, of a scope or (naming nobody) of all that the principal may see."""
    with access.noted("memory.summary") as note:
        scope, condition = access.within(ids or {}, filters or None)
        if scope.is_bare and condition is None:
            scope = Scope.everything(access.project)
        note.target |= scope.ids
        records, total = access.platform.service.list(scope, filters=condition, limit=CONSIDERED, latest_only=True)
        chosen = fitting(strongest(records), budget_tokens)
        note.count = len(chosen)
        return Summary(
            text="\n".join(f"- {record.text}" for record in chosen),
            memory_ids=tuple(record.id for record in chosen),
            total=total,
        )


def strongest(records: Sequence[MemoryRecord]) -> list[MemoryRecord]:
    """Memories by how much they are worth saying: judged well, said by a person, repeated, of a known subject, new."""
    return sorted((record for record in records if record.feedback not in _AGAINST), key=_strength, reverse=True)


def _strength(record: MemoryRecord) -> tuple[bool, bool, int, bool, float]:
    return (
        record.feedback == "POSITIVE",
        record.role != "assistant" and record.kind != "code",
        record.reinforced,
        bool(set(record.categories) - _UNSAYING),
        record.created_at.timestamp(),
    )


def fitting(records: Sequence[MemoryRecord], budget_tokens: int) -> list[MemoryRecord]:
    """The first of these that fit a budget together, in their order."""
    chosen, left = [], budget_tokens
    for record in records:
        cost = count_tokens(f"- {record.text}\n")
        if cost <= left:
            chosen.append(record)
            left -= cost
    return chosen
