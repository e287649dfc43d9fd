"""Extraction without an LLM: a message's statements, cleaned, attributed and dated, by the rules of the domain."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from kept.domain.memory import SOURCE_ROLES, Draft, Message, speaker_of
from kept.domain.small_talk import content_words, is_specific
from kept.domain.statements import Statement, Voice, statements
from kept.domain.temporal import dated

_MODELS: Final = frozenset({"assistant", "ai", "bot", "model", "chatbot"})
"""Names under which a language model speaks; an assistant with another name is taken for a person."""
_LEANING: Final = 4
"""Content words up to which an answer needs its question (`Two cups a day, never after noon.`)."""

_SUBJECTS: Final = frozenset({"i", "i'm", "i've", "we", "we're", "we've", "my", "our"})
"""With these an answer is a sentence of its own."""


class RuleExtractor:
    """The default extractor: no model, no network, some 150 µs a message of a chat."""

    def extract(self, messages: Sequence[Message], reference: datetime) -> list[Draft]:
        """Drafts in the order they were said (see `ports.Extractor`)."""
        lone = len(messages) == 1
        said = [
            [] if message.role in SOURCE_ROLES else statements(message.content, _voice(message), lone=lone)
            for message in messages
        ]
        return [
            _draft(statement, message, position, message.at or reference)
            for position, message in enumerate(messages)
            for statement in said[position]
            if statement.kind != "question" or _is_needed(statement, messages, said, position)
        ]


def _voice(message: Message) -> Voice:
    if message.role == "assistant":
        return "model" if (message.name or message.role).casefold() in _MODELS else "person"
    return "tool" if message.role == "tool" else "person"


def _is_needed(
    question: Statement, messages: Sequence[Message], said: Sequence[Sequence[Statement]], position: int
) -> bool:
    """Whether a question says something itself, or its answer, as far as there is one, needs it."""
    if _voice(messages[position]) == "person" and is_specific(question.text, content_words(question.text)[0]):
        return True
    answers = said[position + 1 : position + 2]
    return not answers or any(map(_leans, answers[0][:1]))


def _leans(answer: Statement) -> bool:
    words, content = content_words(answer.text)
    return content <= _LEANING and _SUBJECTS.isdisjoint(words)


def _draft(statement: Statement, message: Message, position: int, said_at: datetime) -> Draft:
    return Draft(
        text=statement.text,
        kind="code" if statement.kind in {"code", "command"} else "statement",
        role=message.role,
        speaker=statement.speaker or speaker_of(message.role, message.name),
        created_at=message.at or said_at,
        metadata=dated(statement.text, said_at),
        position=position,
    )
