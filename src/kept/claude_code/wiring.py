"""How the client is wired to Kept: the hooks it calls and the server it starts. The plugin's files say the same, held to it by a test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

TOOL: Final = "hook"
"""The hidden tool through which the client calls its hooks."""
SERVER: Final = "kept"
"""The server's name in a client's configuration."""
PLUGIN_SERVER: Final = "plugin:kept:kept"
"""The client's name of the plugin's own server."""
SUMMARY: Final = "A brief when a session starts, a few memories for each prompt, what was said kept when a turn ends."

_ALWAYS: Final = ("hook_event_name", "session_id", "cwd", "transcript_path")
_OF_TOOL: Final = ("prompt_id", "tool_name", "tool_input", "agent_id", "agent_type")
_OF_AGENT: Final = ("prompt_id", "agent_id", "agent_type")
_WATCHED: Final = "Write|Edit|MultiEdit|NotebookEdit|Bash|PowerShell"

_START_S: Final = 10
_PROMPT_S: Final = 2
_STORE_S: Final = 5
_END_S: Final = 1
"""Time-outs in seconds. They cover the wait for the server's start, too, so that a slow one holds nothing for long."""

_CALLS: Final[Sequence[tuple[str, str | None, int, tuple[str, ...]]]] = (
    ("SessionStart", "compact|clear", _STORE_S, ("source",)),
    ("UserPromptSubmit", None, _PROMPT_S, ("prompt_id", "prompt")),
    ("PreToolUse", f"Read|{_WATCHED}", _PROMPT_S, _OF_TOOL),
    ("PreToolUse", "mcp__(plugin_kept_)?kept__add_memor(y|ies)", _PROMPT_S, _OF_TOOL),
    ("PostToolUse", _WATCHED, _PROMPT_S, (*_OF_TOOL, "tool_response")),
    ("PostToolUse", "mcp__(plugin_kept_)?kept__.*", _PROMPT_S, (*_OF_TOOL, "tool_response")),
    ("PostToolUseFailure", "Bash|PowerShell", _PROMPT_S, (*_OF_TOOL, "error", "is_interrupt")),
    ("Stop", None, _STORE_S, ("prompt_id", "last_assistant_message")),
    ("SubagentStart", None, _PROMPT_S, _OF_AGENT),
    ("SubagentStop", None, _STORE_S, (*_OF_AGENT, "last_assistant_message")),
    ("PreCompact", None, _STORE_S, ("prompt_id", "trigger")),
    ("PostCompact", None, _STORE_S, ("prompt_id", "trigger", "compact_summary")),
    ("SessionEnd", "clear", _END_S, ("reason",)),
)
"""Hooks that are calls of the hidden tool: event, matcher, time-out, and what of the input is passed on."""


def hooks(server: str, command: str = "kept") -> dict[str, list[dict[str, Any]]]:
    """The hooks as a plugin or settings file holds them.

    Args:
        server: The client's name of the server.
        command: How `kept` is started.
    """
    start = {"type": "command", "command": command, "args": ["hook", "session-start"], "timeout": _START_S}
    found: dict[str, list[dict[str, Any]]] = {"SessionStart": [{"matcher": "startup|resume|fork", "hooks": [start]}]}
    for event, matcher, timeout, names in _CALLS:
        call = {
            "type": "mcp_tool",
            "server": server,
            "tool": TOOL,
            "timeout": timeout,
            "input": {name: f"${{{name}}}" for name in (*_ALWAYS, *names)},
        }
        found.setdefault(event, []).append(({"matcher": matcher} if matcher else {}) | {"hooks": [call]})
    return found


def is_ours(hook: object) -> bool:
    """Whether a hook in a settings file is one of these."""
    if not isinstance(hook, dict):
        return False
    if hook.get("type") == "mcp_tool":
        return hook.get("server") == SERVER and hook.get("tool") == TOOL
    return hook.get("type") == "command" and hook.get("args") == ["hook", "session-start"]


def server(command: str = "kept") -> dict[str, Any]:
    """The server as a configuration holds it."""
    return {"type": "stdio", "command": command, "args": ["mcp"]}
