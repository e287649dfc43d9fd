"""Resolution: what becomes of a fact that somebody proposes, beside what is stored.

A language model only proposes. Here it is decided, by rules that nothing in a text can talk out of: what was said earlier closes
nothing that was said later, the word of an assistant, a tool or a document nothing that a person said, a guess nothing at all, and
nothing is closed by a fact about something else. What is refused stays a plain addition, and the reason is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from kept.domain.facts import UNCONFIRMED
from kept.domain.history import permits
from kept.domain.memory import CURRENT, Draft, MemoryRecord

Verdict = Literal["same", "refines", "contradicts"]
"""How a new fact stands to a stored one: says the same; says it more exactly; or cannot be true at the same time."""

SAME_SIMILARITY: Final = 0.4
"""Least cosine similarity of two texts that say the same, as the default embedder sees them: of the pairs in
`tests/integration/test_resolution.py` 17 of 18 paraphrases reach it, and one of 12 that say different things of one person."""
RELATED_SIMILARITY: Final = 0.2
"""The same for a text that replaces another and shares nobody else with it: 13 of 14 of those pairs reach it."""
_SHORTEST_ENTITY: Final = 2
"""Characters: a single letter is shared by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """That a proposed fact stands in some way to a stored memory.

    Attributes:
        similarity: Cosine similarity of the two texts, in [-1, 1].
    """

    target: MemoryRecord
    verdict: Verdict
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a proposed fact.

    Attributes:
        draft: The fact with what it supersedes or repeats, and in `why` on what grounds.
        refused: Claims that were not followed, each with the reason.
    """

    draft: Draft
    refused: tuple[tuple[Claim, str], ...] = ()


def decide(draft: Draft, claims: Sequence[Claim], *, by: str) -> Decision:
    """What becomes of a proposed fact.

    Args:
        draft: The fact; `created_at` is set.
        claims: What was claimed about it, in any order.
        by: Who claimed it: a model's name.

    Returns:
        One decision: it repeats one memory, or supersedes some, or neither. A fact that was true before what it contradicts
        is stored as closed at the moment from which the other holds.
    """
    judged = [(claim, _refusal(draft, claim)) for claim in claims]
    refused = tuple((claim, reason) for claim, reason in judged if reason is not None)
    followed = [claim for claim, reason in judged if reason is None]
    why: dict[str, Any] = {"by": by}
    if refused:
        why["refused"] = [
            {"memory_id": claim.target.id, "verdict": claim.verdict, "reason": reason} for claim, reason in refused
        ]
    same = [claim for claim in followed if claim.verdict == "same"]
    if same:
        best = max(same, key=lambda claim: (claim.similarity, claim.target.key))
        return Decision(draft=replace(draft, repeats=best.target.id, why=why | _reason(best)), refused=refused)
    later = [claim for claim in followed if said(claim.target) > _told(draft)]
    if later:
        draft = _closed(draft, later)
        why |= {"closed_by": [claim.target.id for claim in later]}
    earlier = [claim for claim in followed if claim not in later]
    if earlier:
        why |= {"supersedes": [_reason(claim) for claim in earlier]}
        closed = dict.fromkeys((*draft.supersedes, *(claim.target.id for claim in earlier)))
        draft = replace(draft, supersedes=tuple(closed))
    return Decision(draft=replace(draft, why=why), refused=refused)


def said(record: MemoryRecord) -> datetime:
    """Since when a memory holds, as far as anybody said."""
    return record.valid_from or record.created_at


def _told(draft: Draft) -> datetime:
    told = draft.valid_from or draft.created_at
    assert told is not None  # noqa: S101 - whoever proposes a fact says when it was told
    return told


def _refusal(draft: Draft, claim: Claim) -> str | None:
    """Why a claim is not followed; None when it is."""
    target = claim.target
    if target.state != CURRENT:
        return "closed already"
    if claim.verdict == "same":
        return None if claim.similarity >= SAME_SIMILARITY else "too little alike"
    return _may_not_close(draft, claim)


def _may_not_close(draft: Draft, claim: Claim) -> str | None:
    """Why a fact does not close a stored one; None when it does."""
    target = claim.target
    if not permits(target, "supersede"):
        return "immutable"
    if not is_as_good(draft, target):
        return "no person's word against a person's"
    if draft.confidence is not None and draft.confidence <= UNCONFIRMED:
        return "not sure enough"
    if claim.similarity < RELATED_SIMILARITY and not _share_entity(draft, target):
        return "about something else"
    return None


def is_as_good(draft: Draft, target: MemoryRecord) -> bool:
    """Whether a fact's word can stand against a memory's: against a person's no machine's, and no document's."""
    return draft.role == "user" or target.role != "user"


def _share_entity(draft: Draft, target: MemoryRecord) -> bool:
    """Whether both name a thing or person other than who speaks, who is in everything that is said of them."""
    speakers = {name.casefold() for name in (draft.speaker, target.speaker, target.user_id) if name}
    own = {entity.key for entity in draft.entity_refs or () if len(entity.key) >= _SHORTEST_ENTITY}
    return not (own - speakers).isdisjoint(target.entities)


def _closed(draft: Draft, later: Sequence[Claim]) -> Draft:
    """A fact that held until the first of these came."""
    first = min((claim.target for claim in later), key=said)
    end = said(first)
    return replace(draft, valid_to=min(draft.valid_to, end) if draft.valid_to else end, superseded_by=first.id)


def _reason(claim: Claim) -> dict[str, Any]:
    return {"memory_id": claim.target.id, "verdict": claim.verdict, "similarity": round(claim.similarity, 3)}
