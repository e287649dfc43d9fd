"""Each hook of a session: an event in, the client's answer out. Nothing here raises, and nothing waits without a limit.

Answers state facts; none ever allows a tool call, and only the guard of the native memory, when it is asked for, denies one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

from kept.adapters.readers.claude_code import failure_text
from kept.claude_code import brief, capture, documents, native, prompts, transcripts
from kept.claude_code.event import Event
from kept.claude_code.marks import Marks
from kept.claude_code.memories import Capture, Memories, Owner, Remembered
from kept.claude_code.patience import beside, within
from kept.claude_code.repository import Repository, find_repository
from kept.claude_code.session import Session
from kept.claude_code.showing import Block
from kept.domain.text import normalise
from kept.errors import ConfigurationError, KeptError
from kept.settings import TEAM_FILE, Settings

Answer: TypeAlias = dict[str, Any]

STORE_S: Final = 3.0
"""How long the end of a turn waits for the store; below the time-out of its hooks, so that what waits longer is kept in a file."""
SIDE_S: Final = 0.15
"""How long a tool call waits for what is known of its file or error: a person does not notice it."""
REST_S: Final = 30.0
"""How long a store that failed is left alone: a prompt must not wait for it each time."""
CANDIDATES: Final = 60
"""Hits that are looked at: the user's other repositories and the session's own words are among them and are left out."""
MOST_RECALLED: Final = 8
"""Memories for one prompt: more of them are no longer the ones that matter."""
MOST_BESIDE: Final = 4
"""Memories for one file or one error."""
SIDE_TOKENS: Final = 250
"""Most tokens of those, and at most the prompt's own budget."""
SUBAGENT_TOKENS: Final = 300
MOST_SESSIONS: Final = 64
"""Sessions one process keeps in mind: `/clear` begins a new one in the same process."""
_SCORED_LOWEST: Final = 0.01

_ERROR_LINE: Final = re.compile(
    r"^.*(?:\b\w*(?:Error|Exception)\b|\berror(?:\[\w+\])?:|\bfatal:|\bpanic(?:ked)?\b|\bFAILED\b|Traceback \(most recent).*$",
    re.MULTILINE,
)
_OWN_TOOL: Final = re.compile(r"mcp__(?:plugin_\w+_)?kept__(\w+)")
_ADDS: Final = frozenset({"add_memory", "add_memories"})
_SPOKEN_TO_USER: Final = frozenset({"UserPromptSubmit", "SessionStart", "Stop"})
"""Events whose answer can carry a line for the user."""
_QUERY_CHARACTERS: Final = 600
"""Of an error: about what a screen shows of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an event happened, and what holds there."""

    owner: Owner
    repository: Repository
    settings: Settings
    notice: str | None = None


@dataclass(slots=True)
class Hooks:
    """The hooks of the sessions that one process serves.

    Args:
        memories: Where memories are.
        load_settings: Gives the settings with those of a repository's file (or without: None).
        marks: What outlives the process.
        now: The present.
        start: Starts work that nobody waits for.
    """

    memories: Memories
    load_settings: Callable[[Path | None], Settings]
    marks: Marks
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    start: Callable[[Callable[[], object]], object] = beside
    _sessions: dict[str, Session] = field(default_factory=dict)
    _documents: documents.Documents = field(init=False)
    _resting_until: float = 0.0
    _busy: bool = False

    def __post_init__(self) -> None:
        self._documents = documents.Documents(self.memories)

    def handle(self, fields: Mapping[str, Any]) -> Answer:
        """The answer to an event; an empty one says nothing.

        Args:
            fields: The client's names and values, as of `Event`.
        """
        event = Event(fields)
        work = _HANDLERS.get(event.name)
        if work is None:
            return {}
        session = self._session(event.session_id)
        session.last = fields
        try:
            answer = work(self, event, session, self._place(event))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the memory, the session goes on
            return self._notice(event, session, error)
        return answer or {}

    # --- sessions ---

    def session_start(self, event: Event, session: Session, place: Place) -> Answer:
        """A brief; the same for all sources. After a compaction what was injected before may come again."""
        if event.text("source") == "compact":
            session.forget_sight()
        settings = place.settings
        block = brief.compose(
            place.owner,
            place.repository,
            self.memories.recent(place.owner, brief.LOOKED_AT),
            count=self.memories.count(place.owner),
            budget_tokens=settings.brief_tokens,
            now=self.now(),
            session_id=session.id if event.text("source") == "startup" else "",
            instructions=settings.instructions,
            notice=place.notice,
        )
        return self._given(event, session, block)

    def session_end(self, event: Event, session: Session, place: Place) -> None:
        """What the last turn left: a session that is cleared sees no further stop."""
        self._end_turn(event, session, place, said=[])

    # --- prompts ---

    def prompt(self, event: Event, session: Session, place: Place) -> Answer | None:
        """The few memories that a prompt needs; and what it asks to remember is stored at once."""
        text = event.text("prompt")
        session.prompt_id = event.text("prompt_id")
        asked = prompts.read(text)
        keeps = place.settings.capture and prompts.is_spoken(text)
        if keeps and asked.wish == "remember":
            told = self._remember(event, session, place, asked.query)
            if told is not None:
                return told
        if keeps:
            session.prompts.append(text)
        if asked.wish == "nothing":
            return None
        if asked.wish == "resume":
            block = self._resumed(session, place)
            if block.shown:
                return self._given(event, session, block)
        return self._recalled(
            event,
            session,
            place,
            asked.query,
            tokens=place.settings.recall_tokens,
            wait_s=place.settings.recall_ms / 1000,
        )

    def _remember(self, event: Event, session: Session, place: Place, text: str) -> Answer | None:
        wanted = capture.stated(self._circumstances(event, session, place), text, session.echoes)
        ids = self._store([wanted]) if wanted is not None else []
        if not ids:
            return None
        cited = ", ".join(f"[{memory_id[:8]}]" for memory_id in ids)
        return _context(
            event, f"Kept stored the user's statement word for word as memory {cited}; it needs no further call."
        )

    def _resumed(self, session: Session, place: Place) -> Block:
        return brief.compose(
            place.owner,
            place.repository,
            self.memories.recent(place.owner, brief.LOOKED_AT),
            count=self.memories.count(place.owner),
            budget_tokens=place.settings.recall_tokens,
            now=self.now(),
            session_id=session.id,
        )

    # --- tools ---

    def before_tool(self, event: Event, session: Session, place: Place) -> Answer | None:
        """What is known of a file that is about to be read; the guard; what a memory tool's call leaves out."""
        if place.settings.native_memory == "redirect" and native.is_written(event) and not self._rests:
            return native.denial()
        if own := _OWN_TOOL.fullmatch(event.text("tool_name")):
            return self._completed(event, session, place, own[1])
        if event.text("tool_name") == "Read" and event.file_path:
            return self._known_of_file(event, session, place)
        return None

    def after_tool(self, event: Event, session: Session, place: Place) -> Answer | None:
        """Notes files that changed; and what was learned before about an error that a command shows although it succeeded."""
        tool = event.text("tool_name")
        if tool in native.WRITERS and event.file_path:
            if native.is_native(event.file_path):
                self._mirror(event, place)
            else:
                session.files[place.repository.relative(event.file_path)] = None
            return None
        shown = event.mapping("tool_response")
        output = "\n".join(str(shown.get(name) or "") for name in ("stderr", "stdout"))
        return self._known_of_error(event, session, place, output) if tool in native.SHELLS else None

    def after_failure(self, event: Event, session: Session, place: Place) -> Answer | None:
        """What was learned about this error before; and that it happened."""
        command = event.mapping("tool_input").get("command")
        error = event.text("error")
        if event.flag("is_interrupt"):
            return None
        if isinstance(command, str) and len(session.failures) < capture.MOST_FAILURES:
            failure = failure_text(command, error)
            session.failures += [failure] if failure and failure not in session.failures else []
        return self._known_of_error(event, session, place, error, anyway=True)

    def _known_of_file(self, event: Event, session: Session, place: Place) -> Answer | None:
        path = place.repository.relative(event.file_path)
        if path in session.read or capture.is_ignored(path, place.settings.ignore):
            return None
        session.read.add(path)
        name = re.split(r"[\\/]", path)[-1]

        def speaks_of_it(memory: Remembered) -> bool:
            files = memory.metadata.get("files")
            return name in memory.text or (isinstance(files, list) and path in files)

        return self._recalled(
            event, session, place, f"{path} {name}", tokens=SIDE_TOKENS, wait_s=SIDE_S, admits=speaks_of_it
        )

    def _known_of_error(
        self, event: Event, session: Session, place: Place, output: str, *, anyway: bool = False
    ) -> Answer | None:
        lines = list(dict.fromkeys(line.strip() for line in _ERROR_LINE.findall(output)))
        query = " ".join(lines)[-_QUERY_CHARACTERS:] or (output.strip()[:_QUERY_CHARACTERS] if anyway else "")
        if not query:
            return None
        return self._recalled(event, session, place, query, tokens=SIDE_TOKENS, wait_s=SIDE_S)

    def _completed(self, event: Event, session: Session, place: Place, tool: str) -> Answer | None:
        """A memory call of the model's with the scope it left out. Whether it may run stays the user's decision."""
        given = dict(event.mapping("tool_input"))
        if tool not in _ADDS:
            return None
        metadata = given.get("metadata")
        told = self._circumstances(event, session, place).metadata
        given |= {"metadata": {**told, **metadata} if isinstance(metadata, Mapping) else told}
        given.setdefault("app_id", place.owner.app_id)
        return {"hookSpecificOutput": {"hookEventName": event.name, "updatedInput": given}}

    # --- ends ---

    def stop(self, event: Event, session: Session, place: Place) -> None:
        """The turn's exchange is kept."""
        self._end_turn(event, session, place, said=[("assistant", event.text("last_assistant_message"))])
        self._mirror(event, place)

    def subagent_start(self, event: Event, session: Session, place: Place) -> Answer | None:
        """What was decided and agreed on, for an agent that sees nothing of the session."""
        if not event.agent_type:
            return None
        recent = self.memories.recent(place.owner, brief.LOOKED_AT)
        block = brief.conventions(recent, min(SUBAGENT_TOKENS, place.settings.brief_tokens))
        session.give(block.shown, in_sight=False)
        return _context(event, block.text) if block.shown else None

    def subagent_stop(self, event: Event, session: Session, place: Place) -> None:
        """What a subagent reported is kept as its own; a compaction runs as an agent without a type, and is none."""
        if event.agent_type and place.settings.capture:
            said = [("assistant", event.text("last_assistant_message"))]
            told = self._circumstances(event, session, place)
            metadata = {"agent_type": event.agent_type}
            self._store(
                capture.said(told, event.name, said, session.echoes, metadata=metadata, agent_id=event.agent_type)
            )

    def before_compaction(self, event: Event, session: Session, place: Place) -> None:
        """The state before is kept."""
        if place.settings.capture:
            told = self._circumstances(event, session, place)
            state = capture.before_compaction(told, event.text("trigger"), session.prompts, session.echoes)
            self._store([state] if state is not None else [])

    def after_compaction(self, event: Event, session: Session, place: Place) -> None:
        """The summary is kept."""
        session.forget_sight()
        if place.settings.capture:
            told = self._circumstances(event, session, place)
            self._store(capture.after_compaction(told, event.text("compact_summary"), session.echoes))

    def _end_turn(self, event: Event, session: Session, place: Place, *, said: Sequence[tuple[str, str]]) -> None:
        told = self._circumstances(event, session, place)
        asked, failures, _ = session.end_turn()
        if not place.settings.capture:
            return
        messages = [("user", prompt) for prompt in asked] + [("tool", failure) for failure in failures]
        spoken = [(role, text) for role, text in (*messages, *said) if text.strip()]
        self._store(capture.said(told, event.name, spoken, session.echoes))

    def close(self) -> None:
        """Keep what open turns hold, when the process ends before they do."""
        for session in list(self._sessions.values()):
            if session.prompts and session.last is not None:
                self.handle({**session.last, "hook_event_name": "SessionEnd"})

    # --- what they share ---

    def _recalled(
        self,
        event: Event,
        session: Session,
        place: Place,
        query: str,
        *,
        tokens: int,
        wait_s: float,
        admits: Callable[[Remembered], bool] = lambda _: True,
    ) -> Answer | None:
        """Memories for a query, if they are found in time."""
        if self._rests or self._busy:
            return None
        least = min(place.settings.recall_threshold, place.settings.recall_threshold_elsewhere)
        try:
            found = within(wait_s, lambda: self._searched(place.owner, query, least))
        except TimeoutError:
            return None
        wanted = [memory for memory in found if self._is_wanted(memory, session, place, query) and admits(memory)]
        block = Block(min(tokens, place.settings.recall_tokens))
        most = MOST_RECALLED if event.name == "UserPromptSubmit" else MOST_BESIDE
        block.show(wanted, most=most, app_id=place.owner.app_id)
        return self._given(event, session, block) if block.shown else None

    def _searched(self, owner: Owner, query: str, threshold: float) -> list[Remembered]:
        self._busy = True
        try:
            return self.memories.search(owner, query, limit=CANDIDATES, threshold=max(threshold, _SCORED_LOWEST))
        finally:
            self._busy = False

    def _is_wanted(self, memory: Remembered, session: Session, place: Place, query: str) -> bool:
        """Whether it says something the model has not before it, and enough of it."""
        own = memory.app_id in {None, place.owner.app_id}
        least = place.settings.recall_threshold if own else place.settings.recall_threshold_elsewhere
        seen = memory.id in session.given or (memory.run_id == session.id and not session.compacted)
        asks = memory.text.rstrip().endswith("?") or memory.text == query
        return memory.score >= least and memory.own_words and not seen and not asks

    def _given(self, event: Event, session: Session, block: Block) -> Answer:
        session.give(block.shown)
        return _context(event, block.text) if block.text else {}

    def _store(self, captures: Sequence[Capture]) -> list[str]:
        """Store within the time there is; what cannot be stored now waits in a file.

        Raises:
            KeptError: It could not be stored now, and the user should hear of it.
        """
        if not captures:
            return []
        ids: list[str] | None = None
        try:
            ids = None if self._rests else within(STORE_S, lambda: self.memories.store(captures))
        except TimeoutError:
            ids = None
        finally:
            if ids is None:
                self._keep_waiting(captures)
        return ids or []

    def _keep_waiting(self, captures: Sequence[Capture]) -> None:
        for waiting in captures:
            self.marks.wait(waiting)

    def _session(self, session_id: str) -> Session:
        session = self._sessions.get(session_id)
        if session is None:
            while len(self._sessions) >= MOST_SESSIONS:
                del self._sessions[next(iter(self._sessions))]
            session = self._sessions[session_id] = Session.opened(session_id, self.marks)
        return session

    def _place(self, event: Event) -> Place:
        repository = find_repository(Path(event.text("cwd") or "."))
        notice = None
        try:
            settings = self.load_settings(repository.root / TEAM_FILE)
        except ConfigurationError as error:
            notice = f"The settings could not be used: {error}"
            settings = self.load_settings(None)
        owner = Owner(
            project=settings.project,
            user_id=settings.user_id,
            app_id=settings.app_id or repository.name,
            shared=settings.recall_shared,
        )
        return Place(owner=owner, repository=repository, settings=settings, notice=notice)

    def _circumstances(self, event: Event, session: Session, place: Place) -> capture.Circumstances:
        return capture.Circumstances(
            owner=place.owner,
            repository=place.repository,
            session_id=session.id,
            prompt_id=event.text("prompt_id") or session.prompt_id,
            cwd=event.text("cwd"),
            today=self.now().date(),
            retention_days=place.settings.retention_days,
            files=tuple(session.files),
            ignore=place.settings.ignore,
        )

    # --- beside the session ---

    def catch_up(self, fields: Mapping[str, Any]) -> None:
        """What a process does once, beside the session: store what waits, read documents that changed, load what a search needs."""
        event = Event(fields)
        self.start(lambda: self._catching_up(event))

    def _catching_up(self, event: Event) -> None:
        try:
            place = self._place(event)
            for path, waiting in self.marks.waiting():
                self.memories.store([waiting])
                path.unlink(missing_ok=True)
            self.memories.search(place.owner, place.owner.app_id, limit=1, threshold=1.0)
            self._documents.refresh(place.owner, self._readable(event, place))
            self._fill_in(event, place)
            self.marks.tidy()
        except (KeptError, OSError):
            return  # the next event that needs the store says so

    def _fill_in(self, event: Event, place: Place) -> None:
        """Store what the user said before in a session that goes on, where its turn never ended (the client was killed)."""
        if not place.settings.capture or not event.text("transcript_path"):
            return
        session = Session.opened(event.session_id, self.marks)
        told = self._circumstances(event, session, place)
        recent = self.memories.recent(place.owner, brief.LOOKED_AT)
        known = {normalise(memory.text) for memory in recent if memory.run_id == session.id}
        missing = [
            text for text in transcripts.user_said(Path(event.text("transcript_path"))) if text != event.text("prompt")
        ]
        self.memories.store(capture.missing(told, missing, known, session.echoes))

    def _mirror(self, event: Event, place: Place) -> None:
        """Read the client's own memory files, and rules that changed, beside the session."""
        if not self._rests:
            self.start(lambda: self._refreshed(event, place))

    def _refreshed(self, event: Event, place: Place) -> None:
        try:
            self._documents.refresh(place.owner, self._readable(event, place))
        except (KeptError, OSError):
            return  # they are read again at the end of the next turn

    def _readable(self, event: Event, place: Place) -> Iterable[documents.Document]:
        found = list(documents.rules_of(place.repository.root))
        folder = documents.native_folder(event.text("transcript_path"))
        if folder is not None and place.settings.native_memory == "mirror":
            found += documents.native_of(folder)
        return [document for document in found if not capture.is_ignored(document.name, place.settings.ignore)]

    # --- when the store fails ---

    @property
    def _rests(self) -> bool:
        return time.monotonic() < self._resting_until

    def _notice(self, event: Event, session: Session, error: Exception) -> Answer:
        """Leave the store alone for a while, and say so once in a session."""
        self._resting_until = time.monotonic() + REST_S
        if session.noticed or event.name not in _SPOKEN_TO_USER:
            return {}
        session.noticed = True
        what = str(error) if isinstance(error, KeptError) else type(error).__name__
        return {"systemMessage": f"Kept cannot use its memory now, and the session goes on without it: {what}"}


_HANDLERS: Final[Mapping[str, Callable[[Hooks, Event, Session, Place], Answer | None]]] = {
    "SessionStart": Hooks.session_start,
    "SessionEnd": Hooks.session_end,
    "UserPromptSubmit": Hooks.prompt,
    "PreToolUse": Hooks.before_tool,
    "PostToolUse": Hooks.after_tool,
    "PostToolUseFailure": Hooks.after_failure,
    "Stop": Hooks.stop,
    "SubagentStart": Hooks.subagent_start,
    "SubagentStop": Hooks.subagent_stop,
    "PreCompact": Hooks.before_compaction,
    "PostCompact": Hooks.after_compaction,
}
"""By the client's name of the event."""


def _context(event: Event, text: str) -> Answer:
    return {"hookSpecificOutput": {"hookEventName": event.name, "additionalContext": text}}
