"""A turn from prompt to stop, and the compactions between turns."""

from __future__ import annotations

from collections.abc import Sequence

from kept.claude_code import capture, prompts, recalling
from kept.claude_code.event import Event
from kept.claude_code.hooks import Answer, Hooks, Place, context, given
from kept.claude_code.keeping import PROMPT_STORE_S, circumstances, store
from kept.claude_code.refreshing import refresh
from kept.claude_code.session import Session
from kept.claude_code.starts import composed
from kept.domain.ids import SHORT_ID


def prompt(hooks: Hooks, event: Event, session: Session, place: Place) -> Answer | None:
    """The few memories that a prompt needs; and what it asks to remember is stored at once."""
    text = event.text("prompt")
    session.prompt_id = event.text("prompt_id")
    asked = prompts.read(text)
    keeps = place.settings.capture and prompts.is_spoken(text)
    if keeps and asked.wish == "remember" and (told := _remembered(hooks, event, session, place, asked.query)):
        return told
    if keeps:
        session.prompts.append(text)
    if asked.wish == "nothing":
        return None
    if asked.wish == "resume":
        block = composed(hooks, place, place.settings.recall_tokens)
        if block.shown:
            return given(event, session, block)
    return recalling.for_prompt(hooks, event, session, place, asked.query)


def stop(hooks: Hooks, event: Event, session: Session, place: Place) -> None:
    """The turn's exchange is kept; then documents that the turn may have changed are read."""
    _end(hooks, event, session, place, [("assistant", event.text("last_assistant_message"))])
    refresh(hooks, event)


def session_end(hooks: Hooks, event: Event, session: Session, place: Place) -> None:
    """What the last turn left is kept: a session that is cleared sees no further stop."""
    _end(hooks, event, session, place, [])


def subagent_stop(hooks: Hooks, event: Event, session: Session, place: Place) -> None:
    """What a subagent reported is kept as its own. A compaction runs as an agent without a type, and is none."""
    if not event.agent_type or not place.settings.capture:
        return
    said = [("assistant", event.text("last_assistant_message"))]
    told = circumstances(hooks, event, session, place)
    agent = event.agent_type
    store(
        hooks,
        capture.said(told, event.name, said, session.echoes, metadata={"agent_type": agent}, agent_id=agent),
    )


def before_compaction(hooks: Hooks, event: Event, session: Session, place: Place) -> None:
    """The state before is kept."""
    if place.settings.capture:
        told = circumstances(hooks, event, session, place)
        state = capture.before_compaction(told, event.text("trigger"), session.prompts, session.echoes)
        store(hooks, [state] if state is not None else [])


def after_compaction(hooks: Hooks, event: Event, session: Session, place: Place) -> None:
    """The summary is kept."""
    if place.settings.capture:
        told = circumstances(hooks, event, session, place)
        store(hooks, capture.after_compaction(told, event.text("compact_summary"), session.echoes))


def _remembered(hooks: Hooks, event: Event, session: Session, place: Place, text: str) -> Answer | None:
    wanted = capture.stated(circumstances(hooks, event, session, place), text, session.echoes)
    ids = store(hooks, [wanted], wait_s=PROMPT_STORE_S) if wanted is not None else []
    if not ids:
        return None
    cited = ", ".join(f"[{memory_id[:SHORT_ID]}]" for memory_id in ids)
    return context(event, f"Kept stored the user's statement word for word as memory {cited}.")


def _end(hooks: Hooks, event: Event, session: Session, place: Place, said: Sequence[tuple[str, str]]) -> None:
    told = circumstances(hooks, event, session, place)
    asked, failures = session.end_turn()
    if place.settings.capture:
        messages = [*(("user", text) for text in asked), *(("tool", text) for text in failures), *said]
        store(hooks, capture.said(told, event.name, messages, session.echoes))
