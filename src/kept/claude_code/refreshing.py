"""Beside a session, while nobody waits: what waits is stored, documents that changed are read, what was missed is filled in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kept.claude_code import brief, capture, documents, prompts, transcripts
from kept.claude_code.event import Event
from kept.claude_code.hooks import Hooks, Place
from kept.claude_code.keeping import circumstances
from kept.claude_code.session import Session
from kept.domain.text import normalise
from kept.errors import KeptError


def catch_up(hooks: Hooks, event: Event) -> None:
    """What a process does once: load what a search needs, store what waits, read documents, fill in."""
    _beside(hooks, event, _load, _store_waiting, _read_documents, _fill_in)


def refresh(hooks: Hooks, event: Event) -> None:
    """Read documents that changed."""
    _beside(hooks, event, _read_documents)


def _beside(hooks: Hooks, event: Event, *steps: Callable[[Hooks, Event, Place], None]) -> None:
    def run() -> None:
        try:
            place = hooks.place(event)
            for step in steps:
                step(hooks, event, place)
        except (KeptError, OSError):
            return  # the next event that needs the store says so; each step is made again by the next process

    if not hooks.rests:
        hooks.start(run)


def _load(hooks: Hooks, event: Event, place: Place) -> None:
    del event
    hooks.memories.search(place.owner, place.owner.app_id, limit=1, threshold=1.0)


def _store_waiting(hooks: Hooks, event: Event, place: Place) -> None:
    del event, place
    for path, waiting in hooks.marks.waiting():
        hooks.memories.store([waiting])
        path.unlink(missing_ok=True)
    hooks.marks.tidy()


def _read_documents(hooks: Hooks, event: Event, place: Place) -> None:
    if not place.settings.capture:
        return
    found = list(documents.rules_of(place.repository.root))
    folder = documents.native_folder(event.text("transcript_path"))
    if folder is not None and place.settings.native_memory == "mirror":
        found += documents.native_of(folder)
    wanted = [document for document in found if not capture.is_ignored(document.name, place.settings.ignore)]
    documents.refresh(hooks.memories, place.owner, wanted, hooks.digests)


def _fill_in(hooks: Hooks, event: Event, place: Place) -> None:
    """Store what the user said in turns that never ended, of a session that goes on: its client was killed."""
    if not place.settings.capture or not event.text("transcript_path"):
        return
    session = Session.opened(event.session_id, hooks.marks)
    recent = hooks.memories.recent(place.owner, brief.LOOKED_AT)
    known = {normalise(memory.text) for memory in recent if memory.run_id == session.id}
    said = transcripts.user_said(Path(event.text("transcript_path")))
    earlier = [prompts.stated(text) for text in said if not _is_same(text, event.text("prompt"))]
    told = circumstances(hooks, event, session, place)
    hooks.memories.store(capture.missing(told, earlier, known, session.echoes))


def _is_same(written: str, prompt: str) -> bool:
    """Whether a message of the transcript is the prompt that has just come: the client may write it with what it attached."""
    one, other = normalise(written), normalise(prompt)
    return bool(other) and (one in other or other in one)
