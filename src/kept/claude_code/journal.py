"""The log of hooks that `KEPT_DEBUG=1` asks for: which came, how long it took, what it answered. Never a text."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from kept.domain.text import count_tokens

FILE: Final = "hooks.log"
MOST_BYTES: Final = 5_000_000
"""A log that is larger begins anew: some twenty thousand hooks."""
_PLAIN: Final = ("hook_event_name", "source", "trigger", "reason", "tool_name", "agent_type", "session_id", "prompt_id")
"""Fields that say what happened without saying what was said."""


class Journal:
    """Appends one line of JSON for each hook.

    Args:
        folder: Where the log is.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def note(self, fields: Mapping[str, Any], answer: Mapping[str, Any], took_s: float) -> None:
        """What came (names and lengths), what went (its size), how long it took. A log that cannot be written is none."""
        told = json.dumps(answer, ensure_ascii=False)
        line = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            **{name: fields[name] for name in _PLAIN if fields.get(name)},
            "came": {name: len(str(value)) for name, value in fields.items() if name not in _PLAIN},
            "went": {"characters": len(told), "tokens": count_tokens(told), "kind": _kind(answer)},
            "ms": round(took_s * 1000, 1),
        }
        with suppress(OSError, TypeError, ValueError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._path.exists() and self._path.stat().st_size > MOST_BYTES:
                self._path.unlink()
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _kind(answer: Mapping[str, Any]) -> str:
    """What sort of answer it is."""
    specific = answer.get("hookSpecificOutput")
    if isinstance(specific, Mapping):
        return next((name for name in specific if name != "hookEventName"), "nothing")
    return next(iter(answer), "nothing")
