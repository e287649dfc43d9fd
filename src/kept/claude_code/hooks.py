"""The frame around each hook of a session: an event in, the client's answer out.

Nothing here raises, and nothing waits without a limit. Answers state facts; none ever allows a tool call, and only the guard of the
client's own memory, where it is asked for, denies one. What answers an event is imported when it comes: a session's start is a process of
its own, and must not pay for the rest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from kept.claude_code.event import Event
from kept.claude_code.marks import Marks
from kept.claude_code.memories import Memories, Owner
from kept.claude_code.patience import beside
from kept.claude_code.repository import Repository, find_repository
from kept.claude_code.session import Session
from kept.errors import ConfigurationError, KeptError
from kept.settings import TEAM_FILE, Settings

if TYPE_CHECKING:
    from kept.claude_code.showing import Block

Answer: TypeAlias = dict[str, Any]
Handler: TypeAlias = "Callable[[Hooks, Event, Session, Place], Answer | None]"
LoadSettings: TypeAlias = Callable[[Path | None], Settings]

REST_S: Final = 30.0
"""How long a store that failed is left alone: a prompt must not wait for it each time."""
MOST_SESSIONS: Final = 64
"""Sessions one process keeps in mind: `/clear` begins a new one in the same process."""
HANDLERS: Final[Mapping[str, str]] = {
    "SessionStart": "starts:session_start",
    "SubagentStart": "starts:subagent_start",
    "UserPromptSubmit": "turns:prompt",
    "Stop": "turns:stop",
    "SubagentStop": "turns:subagent_stop",
    "PreCompact": "turns:before_compaction",
    "PostCompact": "turns:after_compaction",
    "SessionEnd": "turns:session_end",
    "PreToolUse": "tools:before_tool",
    "PostToolUse": "tools:after_tool",
    "PostToolUseFailure": "tools:after_failure",
}
"""What answers an event, by the client's name of it."""
_SPOKEN_TO_USER: Final = frozenset({"UserPromptSubmit", "SessionStart", "Stop"})
"""Events whose answer can carry a line for the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an event happened, and what holds there.

    Attributes:
        notice: What is wrong with the repository's settings, which are left out then.
    """

    owner: Owner
    repository: Repository
    settings: Settings
    notice: str | None = None


@dataclass(slots=True)
class Hooks:
    """The hooks of the sessions that one process serves. Several may come at once.

    Args:
        open_memories: Gives where memories are, when they are first needed; asked again as long as it fails.
        load_settings: Gives the settings with those of a repository's file (or without: None).
        marks: What outlives the process.
        now: The present.
        start: Starts work that nobody waits for.

    Attributes:
        searching: How many searches are running, among them those that nobody waits for any more.
        digests: Of documents that this process read, by repository and name.
    """

    open_memories: Callable[[], Memories]
    load_settings: LoadSettings
    marks: Marks
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    start: Callable[[Callable[[], object]], object] = beside
    searching: int = 0
    digests: dict[tuple[str, str], str] = field(default_factory=dict)
    _memories: Memories | None = None
    _sessions: dict[str, Session] = field(default_factory=dict)
    _resting_until: float = 0.0
    _mutex: threading.RLock = field(default_factory=threading.RLock)

    @property
    def memories(self) -> Memories:
        """Where memories are.

        Raises:
            KeptError: It cannot be opened.
        """
        with self._mutex:
            if self._memories is None:
                self._memories = self.open_memories()
            return self._memories

    @property
    def rests(self) -> bool:
        """Whether the store failed just now and is left alone."""
        return time.monotonic() < self._resting_until

    def handle(self, fields: Mapping[str, Any]) -> Answer:
        """The answer to an event; an empty one says nothing.

        Args:
            fields: The client's names and values, as of `Event`.
        """
        event = Event(fields)
        if event.name not in HANDLERS:
            return {}
        session = self._session(event.session_id)
        session.last = fields
        try:
            return _handler(event.name)(self, event, session, self.place(event)) or {}
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the memory, the session goes on
            return self._notice(event, session, error)

    def place(self, event: Event) -> Place:
        """Where an event happened.

        Raises:
            ConfigurationError: The user's own settings cannot be used.
        """
        repository = find_repository(Path(event.text("cwd") or "."))
        notice = None
        try:
            settings = self.load_settings(repository.root / TEAM_FILE)
        except ConfigurationError as error:
            settings = self.load_settings(None)
            notice = f"The repository's settings are not used: {error}"
        owner = Owner(
            project=settings.project,
            user_id=settings.user_id,
            app_id=settings.app_id or repository.name,
            shared=settings.recall_shared,
        )
        return Place(owner=owner, repository=repository, settings=settings, notice=notice)

    @contextmanager
    def counted_search(self) -> Iterator[None]:
        """Counts a search while it runs."""
        with self._mutex:
            self.searching += 1
        try:
            yield
        finally:
            with self._mutex:
                self.searching -= 1

    def prepare(self) -> None:
        """Import what answers all events."""
        for name in HANDLERS:
            _handler(name)

    def close(self) -> None:
        """Keep what open turns hold, when the process ends before they do."""
        for session in list(self._sessions.values()):
            if session.prompts and session.last is not None:
                self.handle({**session.last, "hook_event_name": "SessionEnd"})

    def _session(self, session_id: str) -> Session:
        with self._mutex:
            session = self._sessions.get(session_id)
            if session is None:
                while len(self._sessions) >= MOST_SESSIONS:
                    del self._sessions[next(iter(self._sessions))]
                session = self._sessions[session_id] = Session.opened(session_id, self.marks)
            return session

    def _notice(self, event: Event, session: Session, error: Exception) -> Answer:
        """Leave the store alone for a while, and say so once in a session."""
        self._resting_until = time.monotonic() + REST_S
        if session.noticed or event.name not in _SPOKEN_TO_USER:
            return {}
        session.notice()
        what = str(error) if isinstance(error, KeptError) else type(error).__name__
        return {"systemMessage": f"Kept cannot use its memory now, and the session goes on without it: {what}"}


def context(event: Event, text: str) -> Answer:
    """The answer that puts a text before the model."""
    return {"hookSpecificOutput": {"hookEventName": event.name, "additionalContext": text}}


def given(event: Event, session: Session, block: Block) -> Answer:
    """The answer that puts a block before the model; what is in it is noted."""
    session.give(block.shown)
    return context(event, block.text) if block.text else {}


def _handler(name: str) -> Handler:
    module, _, function = HANDLERS[name].partition(":")
    found: Handler = getattr(import_module(f"kept.claude_code.{module}"), function)
    return found
