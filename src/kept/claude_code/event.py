"""A hook's input as it arrives: from a command as JSON, from a tool call with every value as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_TRUE: Final = frozenset({"true", "1"})


@dataclass(frozen=True, slots=True)
class Event:
    """One hook call.

    Attributes:
        fields: The client's own names and values. Any may be missing: versions differ.
    """

    fields: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Which event it is, such as `UserPromptSubmit`."""
        return self.text("hook_event_name")

    @property
    def session_id(self) -> str:
        """The session's id as the event says it: the server's environment is wrong after a resume."""
        return self.text("session_id")

    @property
    def agent_type(self) -> str:
        """What kind of subagent it comes from; empty for the session itself."""
        return self.text("agent_type")

    @property
    def file_path(self) -> str:
        """The file that a tool reads or writes; empty for other tools."""
        given = self.mapping("tool_input")
        found = given.get("file_path") or given.get("notebook_path")
        return found if isinstance(found, str) else ""

    def text(self, name: str) -> str:
        """A field as text; empty when it is missing or no text."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""

    def mapping(self, name: str) -> Mapping[str, Any]:
        """A field that is an object, or the JSON text of one; empty when it is neither."""
        value = self.fields.get(name)
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                return {}
        return value if isinstance(value, Mapping) else {}

    def flag(self, name: str) -> bool:
        """A field that is true or false."""
        value = self.fields.get(name)
        return value is True or (isinstance(value, str) and value.lower() in _TRUE)
