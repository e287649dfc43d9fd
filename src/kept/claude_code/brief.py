"""What a session is told when it starts: whose memory this is, what is still open, what was decided, what was done lately."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from kept.claude_code.kinds import LASTING, Kind, kind_of
from kept.claude_code.memories import Owner, Remembered
from kept.claude_code.repository import Repository
from kept.claude_code.showing import Block, shortened

LOOKED_AT: Final = 200
"""Newest memories a brief is chosen from, and as many of those that never expire: some weeks of work on one repository."""
OPEN_DAYS: Final = 30
"""Open work that nobody spoke of for longer is no news."""
MOST_OPEN: Final = 6
MOST_LASTING: Final = 10
MOST_SESSIONS: Final = 3
"""Of each section, so that none fills the brief alone."""
_SUMMARY_TYPES: Final = frozenset({"compact_summary", "session_summary"})


def compose(
    owner: Owner,
    repository: Repository,
    recent: Sequence[Remembered],
    lasting: Sequence[Remembered],
    *,
    count: int,
    budget_tokens: int,
    now: datetime,
    session_id: str = "",
    instructions: str | None = None,
    notice: str | None = None,
) -> Block:
    """The brief.

    Args:
        owner: Whose memories.
        repository: Where the session works.
        recent: The newest memories, newest first.
        lasting: The newest of those that never expire, newest first.
        count: How many there are in all.
        budget_tokens: Upper bound of its tokens.
        now: The present.
        session_id: The session that starts; of itself it is told nothing.
        instructions: What the repository's `.kept.toml` says about its memory.
        notice: What the user should know about the memory itself.
    """
    block = Block(budget_tokens)
    branch = f", branch {repository.branch}" if repository.branch else ""
    counted = "1 memory" if count == 1 else f"{count:,} memories"
    block.say(f"Kept, the memory of this project: user {owner.user_id}, project {owner.app_id}{branch}, {counted}.")
    if notice:
        block.say(notice)
    if instructions:
        block.say(f"About its memory the project says: {shortened(instructions)}")
    others = _of_others(recent, session_id)
    since = now - timedelta(days=OPEN_DAYS)
    still_open = (memory for memory in others if memory.created_at >= since and _kind(memory) == "open")
    block.show(_once(still_open), heading="Open work:", most=MOST_OPEN)
    block.show(_agreed(_of_others(lasting, session_id)), heading="Decisions and conventions:", most=MOST_LASTING)
    shown = {memory.id for memory in block.shown}
    openings = [memory for memory in _openings(others) if memory.id not in shown]
    block.show(openings, heading="Recent sessions:", most=MOST_SESSIONS)
    return block


def conventions(lasting: Sequence[Remembered], budget_tokens: int) -> Block:
    """What a subagent is told: what was decided and agreed on, nothing of the session."""
    block = Block(budget_tokens)
    block.show(_agreed(lasting), heading="Decisions and conventions of this project:", most=MOST_LASTING)
    return block


def _of_others(memories: Iterable[Remembered], session_id: str) -> list[Remembered]:
    """Without what one session said, if it is named."""
    return [memory for memory in memories if not session_id or memory.run_id != session_id]


def _agreed(memories: Iterable[Remembered]) -> Iterator[Remembered]:
    """Decisions, conventions and what to avoid; not of documents, which the client reads, too, and which can fill any brief."""
    return _once(memory for memory in memories if "document" not in memory.metadata and _kind(memory) in LASTING)


def _kind(memory: Remembered) -> Kind | None:
    return kind_of(memory.text, memory.metadata)


def _openings(memories: Sequence[Remembered]) -> list[Remembered]:
    """Of each session, newest first, what tells most about it: its summary, else what the user said first."""
    sessions: dict[str, Remembered] = {}
    for memory in memories:
        if memory.run_id is None:
            continue
        known = sessions.get(memory.run_id)
        if known is None or (not _is_summary(known) and (_is_summary(memory) or _opens(memory, known))):
            sessions[memory.run_id] = memory
    return list(sessions.values())


def _is_summary(memory: Remembered) -> bool:
    return memory.metadata.get("type") in _SUMMARY_TYPES


def _opens(memory: Remembered, known: Remembered) -> bool:
    """Whether it tells better how a session began: memories come newest first, and the user knows what it was for."""
    return memory.speaker == "user" or known.speaker != "user"


def _once(memories: Iterable[Remembered]) -> Iterator[Remembered]:
    """Without those that are worded like one before. Lazy: what has no room is not even sorted."""
    said: set[str] = set()
    for memory in memories:
        wording = shortened(memory.text).casefold()
        if wording not in said:
            said.add(wording)
            yield memory
