"""The hidden tool of `kept mcp` through which the client calls the hooks: not listed, called all the same."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kept.claude_code.hooks import Hooks
from kept.claude_code.journal import Journal
from kept.claude_code.marks import Marks
from kept.claude_code.memories import LocalMemories, Memories
from kept.settings import Settings, data_folder

if TYPE_CHECKING:
    from kept.engine.service import Service
    from kept.ports import Log
    from kept.sdk.client import MemoryClient

NAME: Final = "hook"
"""The tool's name in the plugin's hooks."""
FOLDER: Final = "claude-code"
"""In the platform's data folder: what outlives a process of a session."""
SILENT: Final = frozenset({"PreCompact"})
"""Events whose answer is pasted into a prompt whatever it is, so it must be no text at all."""

LoadSettings = Callable[[Path | None], Settings]


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
        answer = self.answer(arguments)
        if not self._caught_up:
            self._caught_up = True
            self.hooks.catch_up(arguments)
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
        """Keep what open turns hold."""
        self.hooks.close()


def local_tool(
    open_log: Callable[[], Log], open_service: Callable[[], Service], load_settings: LoadSettings
) -> HookTool:
    """The tool over the store on this machine.

    Args:
        open_log: Gives the log, always the same; called when it is first needed.
        open_service: The same of the service. The start of a session needs none.
        load_settings: Gives the settings with those of a repository's file, or without (None).
    """
    return _tool(LocalMemories(open_log, open_service, lambda: datetime.now(UTC).date()), load_settings)


def remote_tool(client: MemoryClient, load_settings: LoadSettings) -> HookTool:
    """The tool over a server's memories."""
    from kept.claude_code.remote import RemoteMemories

    return _tool(RemoteMemories(client), load_settings)


def _tool(memories: Memories, load_settings: LoadSettings) -> HookTool:
    folder = data_folder() / FOLDER
    return HookTool(
        Hooks(memories, load_settings, Marks(folder)), Journal(folder) if _wants_log(load_settings) else None
    )


def _wants_log(load_settings: LoadSettings) -> bool:
    from kept.errors import KeptError

    try:
        return load_settings(None).debug
    except KeptError:
        return False
