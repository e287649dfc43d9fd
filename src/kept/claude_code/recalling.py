"""Memories for a prompt, a file or an error: few, in time, and none that the model has before it already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kept.claude_code import documents
from kept.claude_code.event import Event
from kept.claude_code.hooks import Answer, Hooks, Place, given
from kept.claude_code.memories import Owner, Remembered
from kept.claude_code.patience import within
from kept.claude_code.session import Session
from kept.claude_code.showing import Block
from kept.domain.redaction import redact

CANDIDATES: Final = 60
"""Hits that are looked at: the user's other repositories and the session's own words are among them and are left out."""
MOST_FOR_PROMPT: Final = 8
"""Memories for one prompt: more of them are no longer the ones that matter."""
MOST_FOR_TOOL: Final = 4
TOOL_TOKENS: Final = 250
"""For one file or one error, of which a turn has many; never more than a prompt's own budget."""
TOOL_SHARE: Final = 0.5
"""Of a prompt's patience, what a tool call waits for what is known of its file or error: a turn has many of them."""
MOST_AT_ONCE: Final = 4
"""Searches: the client's tools run side by side, but a store that hangs must not collect threads."""
_MS: Final = 1000


def for_prompt(
    hooks: Hooks, event: Event, session: Session, place: Place, query: str, *, share: float = 1.0
) -> Answer | None:
    """What matters for a prompt. What does not come in time, as at the first prompt of a process, is owed to the turn.

    Args:
        hooks: The hooks.
        event: The prompt's; or of a tool in its turn, for what is owed.
        session: The session.
        place: Where it works.
        query: What to look for.
        share: Of the time that the settings allow a prompt.
    """
    settings = place.settings
    found = _found(hooks, place, query, share)
    session.owed = query if found is None else ""
    wanted = [memory for memory in found or () if _is_wanted(memory, session, place, query)]
    return _shown(event, session, place, wanted, tokens=settings.recall_tokens, most=MOST_FOR_PROMPT)


def owed(hooks: Hooks, event: Event, session: Session, place: Place) -> Answer | None:
    """What a prompt was not given in time, at a tool of its turn."""
    return for_prompt(hooks, event, session, place, session.owed, share=TOOL_SHARE) if session.owed else None


def for_tool(
    hooks: Hooks,
    event: Event,
    session: Session,
    place: Place,
    query: str,
    admits: Callable[[Remembered], bool] = lambda _: True,
) -> Answer | None:
    """What is known of a tool's file or error.

    Args:
        hooks: The hooks.
        event: The tool's.
        session: The session.
        place: Where it works.
        query: What to look for.
        admits: What must hold of a memory besides.
    """
    found = _found(hooks, place, query, TOOL_SHARE)
    wanted = [memory for memory in found or () if _is_wanted(memory, session, place, query) and admits(memory)]
    tokens = min(TOOL_TOKENS, place.settings.recall_tokens)
    return _shown(event, session, place, wanted, tokens=tokens, most=MOST_FOR_TOOL)


def _found(hooks: Hooks, place: Place, query: str, share: float) -> list[Remembered] | None:
    """Hits; None where they do not come in time, or too many earlier searches still run."""
    if hooks.rests:
        return []
    if hooks.searching >= MOST_AT_ONCE:
        return None
    least = min(place.settings.recall_threshold, place.settings.recall_threshold_elsewhere)
    try:
        return within(share * place.settings.recall_ms / _MS, lambda: _searched(hooks, place.owner, query, least))
    except TimeoutError:
        return None


def _searched(hooks: Hooks, owner: Owner, query: str, threshold: float) -> list[Remembered]:
    shown = redact(query).text  # a server sees the query, and a prompt can hold a secret
    with hooks.counted_search():
        return hooks.memories.search(owner, shown, limit=CANDIDATES, threshold=threshold) if shown.strip() else []


def _is_wanted(memory: Remembered, session: Session, place: Place, query: str) -> bool:
    """Whether it says something that the model has not before it, and enough of it."""
    own = memory.app_id in {None, place.owner.app_id}
    least = place.settings.recall_threshold if own else place.settings.recall_threshold_elsewhere
    loaded = own and memory.metadata.get("document") in documents.LOADED
    seen = loaded or memory.id in session.given or (memory.run_id == session.id and not session.compacted)
    asks = memory.text.rstrip().endswith("?") or memory.text == query
    return memory.score >= least and memory.own_words and not seen and not asks


def _shown(
    event: Event, session: Session, place: Place, memories: list[Remembered], *, tokens: int, most: int
) -> Answer | None:
    block = Block(tokens)
    block.show(memories, most=most, app_id=place.owner.app_id)
    return given(event, session, block) if block.shown else None
