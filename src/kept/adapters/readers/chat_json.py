"""Reads chats in JSON: a list of messages, conversations that hold such lists, or JSON lines of either.

A message is `{"role": …, "content": …}`, as OpenAI's and Anthropic's APIs take it, optionally with `name` and a time
(`timestamp`, `created_at`, `time` or `date`). A conversation is `{"messages": […]}`, optionally with an `id`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from kept.adapters.readers.decoding import parse_json, read_lines, read_text
from kept.adapters.readers.source_ids import SourceIds
from kept.domain.memory import Message
from kept.domain.temporal import parse_when
from kept.errors import InvalidInputError
from kept.ports import ReadSession

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

_SUFFIXES: Final = frozenset({".json", ".jsonl", ".ndjson"})
_KEYS: Final = re.compile(r'"(?:role|content|messages)"\s*:')

ROLES: Final = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "function": "tool",
}
"""Words for the four roles: OpenAI's, Anthropic's, Google's and LangChain's."""

_TIME_KEYS: Final = ("timestamp", "created_at", "time", "date")
_ID_KEYS: Final = ("id", "conversation_id", "session_id", "run_id")

_TEXT_PARTS: Final = frozenset({"text", "input_text", "output_text"})
_SILENT_PARTS: Final = frozenset({"tool_use", "tool_result", "tool_call", "thinking", "redacted_thinking", "reasoning"})
"""Parts that nobody said."""
_PART_NAMES: Final = {
    "image_url": "image",
    "input_image": "image",
    "input_audio": "audio",
    "input_file": "file",
    "document": "file",
}

MESSAGES_A_PART: Final = 1000
"""JSON lines of messages are handed on in sessions of this size, so that a file larger than memory can be read."""


@dataclass(slots=True)
class ChatJsonReader:
    """Reads chats in JSON.

    Attributes:
        warnings: Always empty: what this reader does not understand is an error.
    """

    warnings: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The format's name."""
        return "chat-json"

    def accepts(self, path: Path, head: str) -> bool:
        """Whether it is JSON with a chat's keys, or an empty file named like JSON."""
        start = head.lstrip()[:1]
        if not start:
            return path.suffix.lower() in _SUFFIXES
        return start in "[{" and _KEYS.search(head) is not None

    def read(self, path: Path) -> Iterator[ReadSession]:
        """One session per conversation that says something, with the conversation's id as `run_id`.

        Messages outside a conversation are one session, in parts of at most 1,000 when they are JSON lines. A message's
        `source_id` is a hash of the conversation's id, role, name, content, time, and ordinal among identical ones.

        Raises:
            NotFoundError: There is no such file.
            InvalidInputError: It is not JSON, or a value is no message; names the file and the line or element.
        """
        chat = _Chat(path)
        if _is_lines(path):
            yield from _in_lines(chat)
        elif (text := read_text(path)).strip():
            yield from _in_document(chat, parse_json(text, path))


@dataclass(slots=True)
class _Chat:
    """One file being read."""

    path: Path
    ids: SourceIds = field(default_factory=SourceIds)

    def conversation(self, value: Mapping[str, Any], place: str) -> Iterator[ReadSession]:
        """The conversation as one session; none when it says nothing."""
        identifier = _conversation_id(value)
        listed = value["messages"]
        if not isinstance(listed, list):
            raise InvalidInputError(f"{place}: messages must be a list, not {_kind(listed)}.")
        found = [self.message(item, f"{place}, messages[{i}]", identifier) for i, item in enumerate(listed)]
        messages = tuple(message for message in found if message)
        if messages:
            yield ReadSession(run_id=identifier or None, messages=messages)

    def message(self, value: Any, place: str, conversation: str = "") -> Message | None:
        """The message, or None when it holds no words (a tool call, an empty text).

        Raises:
            InvalidInputError: It is no message, its role is unknown, or its time cannot be read.
        """
        if not isinstance(value, dict):
            raise InvalidInputError(f"{place}: a message is an object with role and content, not {_kind(value)}.")
        role = _role(value, place)
        if "content" not in value and not value.get("tool_calls"):
            raise InvalidInputError(f"{place}: the message has no content.")
        content = _content(value.get("content"), place)
        if not content.strip():
            return None
        name = value.get("name")
        if name is not None and not isinstance(name, str):
            raise InvalidInputError(f"{place}: name must be a string, not {_kind(name)}.")
        at = _time(value, place)
        source_id = self.ids.next(conversation, role, name, content, at.isoformat() if at else None)
        return Message(role=role, content=content, name=name or None, at=at, source_id=source_id)


def _is_lines(path: Path) -> bool:
    """Whether the first line is a JSON object by itself; a formatted document's first line is not."""
    for _, line in read_lines(path):
        if line.isspace():
            continue
        text = line.strip()
        return text.startswith("{") and text.endswith("}") and _is_json(text, path)
    return False


def _is_json(text: str, path: Path) -> bool:
    try:
        parse_json(text, path)
    except InvalidInputError:
        return False
    return True


def _in_lines(chat: _Chat) -> Iterator[ReadSession]:
    """Sessions of JSON lines; messages that follow each other are one, handed on in parts."""
    waiting: list[Message] = []
    for number, line in read_lines(chat.path):
        if line.isspace():
            continue
        place = f"{chat.path}:{number}"
        value = parse_json(line, chat.path, number)
        if _is_conversation(value):
            yield from _part(waiting)
            yield from chat.conversation(value, place)
        elif message := chat.message(value, place):
            waiting.append(message)
            if len(waiting) == MESSAGES_A_PART:
                yield from _part(waiting)
    yield from _part(waiting)


def _part(waiting: list[Message]) -> Iterator[ReadSession]:
    """The waiting messages as a session, and nothing waiting any more."""
    if waiting:
        yield ReadSession(messages=tuple(waiting))
        waiting.clear()


def _in_document(chat: _Chat, value: Any) -> Iterator[ReadSession]:
    """Sessions of one JSON value: a conversation, a list of conversations, or a list of messages."""
    if _is_conversation(value):
        yield from chat.conversation(value, str(chat.path))
    elif not isinstance(value, list):
        raise InvalidInputError(
            f"{chat.path}: a chat is a list of messages or {{'messages': […]}}, not {_kind(value)}."
        )
    elif any(map(_is_conversation, value)):
        for i, item in enumerate(value):
            if not _is_conversation(item):
                raise InvalidInputError(
                    f"{chat.path}, [{i}]: not a conversation, as its neighbours are (no 'messages')."
                )
            yield from chat.conversation(item, f"{chat.path}, [{i}]")
    else:
        found = [chat.message(item, f"{chat.path}, [{i}]") for i, item in enumerate(value)]
        if messages := tuple(message for message in found if message):
            yield ReadSession(messages=messages)


def _is_conversation(value: Any) -> bool:
    return isinstance(value, dict) and "messages" in value


def _conversation_id(value: Mapping[str, Any]) -> str:
    for key in _ID_KEYS:
        identifier = value.get(key)
        if isinstance(identifier, str) or (isinstance(identifier, int) and not isinstance(identifier, bool)):
            return str(identifier).strip()
    return ""


def _role(value: Mapping[str, Any], place: str) -> str:
    given = value.get("role")
    if not isinstance(given, str):
        raise InvalidInputError(f"{place}: the message has no role; use one of: {', '.join(ROLES)}.")
    role = ROLES.get(given.strip().lower())
    if role is None:
        raise InvalidInputError(f"{place}: unknown role {given[:40]!r}; use one of: {', '.join(ROLES)}.")
    return role


def _content(content: Any, place: str) -> str:
    """The words of a content: a string, or parts of which the texts are joined and the others noted (`[image]`)."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise InvalidInputError(f"{place}: content must be a string or a list of parts, not {_kind(content)}.")
    return "\n".join(filter(None, (_part_text(part, place) for part in content)))


def _part_text(part: Any, place: str) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(kind, str):
        raise InvalidInputError(f"{place}: a part of the content is a string or an object with a type.")
    if kind in _TEXT_PARTS:
        text = part.get("text")
        if not isinstance(text, str):
            raise InvalidInputError(f"{place}: a part of type {kind} has no text.")
        return text
    return "" if kind in _SILENT_PARTS else f"[{_PART_NAMES.get(kind, kind)}]"


def _time(value: Mapping[str, Any], place: str) -> datetime | None:
    """The first time that is given.

    Raises:
        InvalidInputError: It is none.
    """
    for key in _TIME_KEYS:
        given = value.get(key)
        if given is None:
            continue
        try:
            return parse_when(given)
        except InvalidInputError as error:
            raise InvalidInputError(f"{place}: {key}: {error}") from error
    return None


def _kind(value: Any) -> str:
    """The JSON name of a value's type."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
