"""Storing what a session said: at once where that is possible, else in a file that waits for the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kept.claude_code.capture import Circumstances
from kept.claude_code.event import Event
from kept.claude_code.hooks import Hooks, Place
from kept.claude_code.memories import Capture
from kept.claude_code.patience import within
from kept.claude_code.session import Session

STORE_S: Final = 2.0
"""How long the end of a turn waits for the store: less than the time-out of its hooks."""
PROMPT_STORE_S: Final = 0.5
"""How long a prompt waits for what it asks to remember."""


def store(hooks: Hooks, captures: Sequence[Capture], *, wait_s: float = STORE_S) -> list[str]:
    """Store; ids of what is new or was repeated. None when it has to wait, in a file, for a store that is slow or rests.

    Raises:
        KeptError: The store failed; what was to be stored waits.
    """
    if not captures:
        return []
    ids: list[str] | None = None
    try:
        ids = None if hooks.rests else within(wait_s, lambda: hooks.memories.store(captures))
    except TimeoutError:
        ids = None
    finally:
        if ids is None:
            for capture in captures:
                hooks.marks.wait(capture)
    return ids or []


def circumstances(hooks: Hooks, event: Event, session: Session, place: Place) -> Circumstances:
    """Where and when the turn is."""
    return Circumstances(
        owner=place.owner,
        repository=place.repository,
        session_id=session.id,
        prompt_id=event.text("prompt_id") or session.prompt_id,
        cwd=event.text("cwd"),
        today=hooks.now().date(),
        retention_days=place.settings.retention_days,
        files=tuple(session.files),
        ignore=place.settings.ignore,
    )
