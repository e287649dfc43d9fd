"""What is told at a start: to a session, to one that goes on, and to a subagent."""

from __future__ import annotations

from typing import Final

from kept.claude_code import brief
from kept.claude_code.event import Event
from kept.claude_code.hooks import Answer, Hooks, Place, context, given
from kept.claude_code.session import Session
from kept.claude_code.showing import Block

SUBAGENT_TOKENS: Final = 300
"""Most tokens that a subagent is told: it works on one thing."""


def session_start(hooks: Hooks, event: Event, session: Session, place: Place) -> Answer:
    """The brief. After a compaction what was injected before may come again."""
    if event.text("source") == "compact":
        session.compact()
    itself = "" if session.compacted else session.id
    return given(event, session, composed(hooks, place, place.settings.brief_tokens, without=itself))


def subagent_start(hooks: Hooks, event: Event, session: Session, place: Place) -> Answer | None:
    """What was decided and agreed on, for an agent that sees nothing of the session."""
    if not event.agent_type:
        return None
    lasting = hooks.memories.recent(place.owner, brief.LOOKED_AT, lasting=True)
    block = brief.conventions(lasting, min(SUBAGENT_TOKENS, place.settings.brief_tokens))
    session.give(block.shown, in_sight=False)
    return context(event, block.text) if block.shown else None


def composed(hooks: Hooks, place: Place, tokens: int, *, without: str = "") -> Block:
    """The brief, without what one session said that still has it before it."""
    return brief.compose(
        place.owner,
        place.repository,
        hooks.memories.recent(place.owner, brief.LOOKED_AT),
        hooks.memories.recent(place.owner, brief.LOOKED_AT, lasting=True),
        count=hooks.memories.count(place.owner),
        budget_tokens=tokens,
        now=hooks.now(),
        session_id=without,
        instructions=place.settings.instructions,
        notice=place.notice,
    )
