"""The hidden tool of `kept mcp` through which the client calls the hooks: not listed, called all the same."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kept.claude_code.event import Event
from kept.claude_code.hooks import Hooks, LoadSettings
from kept.claude_code.journal import Journal
from kept.claude_code.marks import Marks
from kept.claude_code.memories import Memories
from kept.settings import Settings, data_folder

if TYPE_CHECKING:
    from kept.engine.service import Service

FOLDER: Final = "claude-code"
"""In the platform's data folder: what outlives a process of a session."""
SILENT: Final = frozenset({"PreCompact", "PostCompact"})
"""Events whose answer is pasted into a prompt, or shown, whatever it is; so it must be no text at all."""
REMOTE_S: Final = 2.0
"""How long a server's answer may take: the hooks have two to five seconds in all."""


class HookTool:
    """Answers hook calls, and writes the log of them.

    Args:
        hooks: What answers them.
        journal: Where each is noted; None notes none.
    """

    def __init__(self, hooks: Hooks, journal: Journal | None = None) -> None:
        self.hooks = hooks
        self._journal = journal
        self._caught_up = False

    def __call__(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """A tool's result, never an error: the client would show it to the user at each prompt."""
        from kept.claude_code import refreshing

        answer = self.answer(arguments)
        if not self._caught_up:
            self._caught_up = True
            refreshing.catch_up(self.hooks, Event(arguments))
        silent = arguments.get("hook_event_name") in SILENT
        return {"content": [{"type": "text", "text": "" if silent else json.dumps(answer, ensure_ascii=False)}]}

    def answer(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The client's answer to an event."""
        started = time.perf_counter()
        answer = self.hooks.handle(fields)
        if self._journal is not None:
            self._journal.note(fields, answer, time.perf_counter() - started)
        return answer

    def close(self) -> None:
        """Keep what open turns hold. For a server whose client is gone."""
        self.hooks.close()


def settings_loader(**given: Any) -> LoadSettings:
    """Loads the settings with a repository's file and what the caller passed."""

    def load(team: Path | None) -> Settings:
        return Settings.load(team=team, **given)

    return load


def open_tool(load_settings: LoadSettings, open_service: Callable[[], Service] | None = None) -> HookTool:
    """The tool. Nothing is opened before it is needed, so that what cannot be opened costs a session nothing but a notice.

    Args:
        load_settings: Gives the settings with those of a repository's file, or without (None).
        open_service: Gives the service of the process, where it has one already.
    """
    folder = data_folder() / FOLDER

    def open_memories() -> Memories:
        return _memories(load_settings(None), open_service)

    hooks = Hooks(open_memories, load_settings, Marks(folder))
    if open_service is not None:
        hooks.prepare()  # a server has time for that before the first prompt comes; a command has not
    return HookTool(hooks, Journal(folder) if _wants_log(load_settings) else None)


def _memories(settings: Settings, open_service: Callable[[], Service] | None) -> Memories:
    """A server's memories where the settings name one, else the store's."""
    if settings.url is not None:
        from kept.claude_code.remote import RemoteMemories
        from kept.sdk.client import MemoryClient

        return RemoteMemories(MemoryClient(settings.api_key, settings.url, timeout_s=REMOTE_S, retries=0))
    from kept import bootstrap
    from kept.claude_code.local import LocalMemories

    return LocalMemories(
        bootstrap.store_file(settings.database),
        open_service or cache(lambda: bootstrap.build(settings)),
        lambda: datetime.now(UTC).date(),
    )


def _wants_log(load_settings: LoadSettings) -> bool:
    from kept.errors import KeptError

    try:
        return load_settings(None).debug
    except KeptError:
        return False
