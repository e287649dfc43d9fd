"""Before and after the client's tools: what is known of a file or an error, which files a turn touched, and the guard."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from kept.adapters.readers.claude_code import failure_text
from kept.claude_code import capture, native, recalling
from kept.claude_code.event import Event
from kept.claude_code.hooks import Answer, Hooks, Place
from kept.claude_code.keeping import circumstances
from kept.claude_code.memories import Remembered
from kept.claude_code.refreshing import refresh
from kept.claude_code.session import Session

_ERROR_LINE: Final = re.compile(
    r"^.*(?:\b\w*(?:Error|Exception)\b|\berror(?:\[\w+\])?:|\bfatal:|\bpanic(?:ked)?\b|\bFAILED\b|Traceback \(most recent).*$",
    re.MULTILINE,
)
_LOOKED_AT: Final = 20_000
"""Characters of a tool's output that are looked at, from its end: the client cuts longer ones itself."""
_QUERY: Final = 600
"""Characters of an error that are looked for: about what a screen shows of it."""
_OWN: Final = re.compile(r"mcp__(?:plugin_\w+_)?kept__(\w+)")
_ADDS: Final = frozenset({"add_memory", "add_memories"})
_SAID: Final = frozenset({"memory", "text", "content"})
"""Keys under which the memory tools' arguments and results have statements."""
_MOST_HEARD: Final = 200
"""Statements of one result that are noted: two pages of a list."""


def before_tool(hooks: Hooks, event: Event, session: Session, place: Place) -> Answer | None:
    """The guard; what a call to add a memory leaves out; what is known of a file that is about to be read."""
    if place.settings.native_memory == "redirect" and native.is_written(event) and not hooks.rests:
        return native.denial()
    if _own_tool(event) in _ADDS:
        return _completed(hooks, event, session, place)
    if late := recalling.owed(hooks, event, session, place):
        return late
    if event.text("tool_name") == "Read" and event.file_path:
        return _known_of_file(hooks, event, session, place)
    return None


def after_tool(hooks: Hooks, event: Event, session: Session, place: Place) -> Answer | None:
    """Notes what the model stored or found, and files that changed; and what was learned about an error that a command shows."""
    tool = event.text("tool_name")
    if _own_tool(event):
        said = (*_statements(event.fields.get("tool_input")), *_statements(event.fields.get("tool_response")))
        session.hear(list(dict.fromkeys(said))[:_MOST_HEARD])
    if tool in native.WRITERS and event.file_path:
        if native.is_native(event.file_path):
            refresh(hooks, event)
        else:
            session.files[place.repository.relative(event.file_path)] = None
    if tool not in native.SHELLS:
        return None
    shown = event.mapping("tool_response")
    query = _error_in("\n".join(str(shown.get(name) or "") for name in ("stdout", "stderr")))
    return recalling.for_tool(hooks, event, session, place, query) if query else None


def after_failure(hooks: Hooks, event: Event, session: Session, place: Place) -> Answer | None:
    """Notes that a command failed; and what was learned about its error before."""
    if event.flag("is_interrupt"):
        return None
    error = event.text("error")
    command = event.mapping("tool_input").get("command")
    failure = failure_text(command, error) if isinstance(command, str) else ""
    if failure and failure not in session.failures and len(session.failures) < capture.MOST_FAILURES:
        session.failures.append(failure)
    query = _error_in(error) or error[-_LOOKED_AT:].strip()[:_QUERY]
    return recalling.for_tool(hooks, event, session, place, query) if query else None


def _known_of_file(hooks: Hooks, event: Event, session: Session, place: Place) -> Answer | None:
    path = place.repository.relative(event.file_path)
    if path in session.read or capture.is_ignored(path, place.settings.ignore):
        return None
    session.read.add(path)
    name = re.split(r"[\\/]", path)[-1]

    def speaks_of_it(memory: Remembered) -> bool:
        files = memory.metadata.get("files")
        return name in memory.text or (isinstance(files, list) and path in files)

    return recalling.for_tool(hooks, event, session, place, path, speaks_of_it)


def _completed(hooks: Hooks, event: Event, session: Session, place: Place) -> Answer:
    """The call with the scope and the circumstances it left out. Whether it may run stays the user's decision."""
    wanted = dict(event.mapping("tool_input"))
    metadata = wanted.get("metadata")
    told = circumstances(hooks, event, session, place).metadata
    wanted["metadata"] = {**told, **metadata} if isinstance(metadata, Mapping) else told
    wanted.setdefault("app_id", place.owner.app_id)
    return {"hookSpecificOutput": {"hookEventName": event.name, "updatedInput": wanted}}


def _own_tool(event: Event) -> str:
    """Which of Kept's own tools it is; empty for another one."""
    match = _OWN.fullmatch(event.text("tool_name"))
    return match[1] if match else ""


def _statements(value: Any) -> Iterator[str]:
    """The statements in a memory tool's arguments or result, which is JSON inside of text."""
    waiting: list[Any] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str) and _is_json(item):
            with suppress(ValueError, RecursionError):
                waiting.append(json.loads(item))
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, Mapping):
            yield from (text for name in _SAID if isinstance(text := item.get(name), str) and not _is_json(text))
            waiting += item.values()


def _is_json(text: str) -> bool:
    return text.lstrip()[:1] in {"{", "["}


def _error_in(output: str) -> str:
    """The lines of an output that name an error; empty when none does."""
    lines = dict.fromkeys(line.strip() for line in _ERROR_LINE.findall(output[-_LOOKED_AT:]))
    return " ".join(lines)[-_QUERY:]
