"""The client's own memory files, and what happens when something writes there.

They lie in `~/.claude/projects/PROJECT/memory/`, and the client tells the model to write to them. `mirror` reads what was written; `redirect`
denies the write and names the tool to use instead, so that there is one memory and not two.
"""

from __future__ import annotations

import re
from typing import Final

from kept.claude_code.event import Event

WRITERS: Final = frozenset({"Write", "Edit", "MultiEdit", "NotebookEdit"})
SHELLS: Final = frozenset({"Bash", "PowerShell"})
REASON: Final = (
    "This project keeps its memory in Kept, so nothing was written to the file. The tool add_memory of the server kept stores the same "
    "statement, and it can be searched, corrected and undone there."
)
_PLACE: Final = re.compile(r"[\\/]\.claude[\\/](?:.*[\\/])?(?:memory[\\/]|MEMORY\.md)", re.IGNORECASE)
_WRITES: Final = re.compile(
    r">|\b(?:tee|cp|mv|install|sed\s+-i|truncate|rm|Set-Content|Add-Content|Out-File|Copy-Item|Move-Item)\b"
)


def is_native(path: str) -> bool:
    """Whether a path is one of the client's own memory files."""
    return _PLACE.search(path) is not None


def is_written(event: Event) -> bool:
    """Whether a tool call writes to them. A shell command that names one of them and can write counts."""
    tool = event.text("tool_name")
    if tool in WRITERS:
        return is_native(event.file_path)
    command = event.mapping("tool_input").get("command")
    return tool in SHELLS and isinstance(command, str) and is_native(command) and _WRITES.search(command) is not None


def denial() -> dict[str, object]:
    """The answer that turns a write away."""
    return {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": REASON,
        }
    }
