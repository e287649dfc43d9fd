"""Extraction without an LLM: a message's statements, cleaned, attributed and dated, by the rules of the domain."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kept.domain.memory import SOURCE_ROLES, Draft, Message, speaker_of
from kept.domain.statements import Statement, statements
from kept.domain.temporal import resolve_dates


class RuleExtractor:
    """The default extractor: no model, no network, some 100 µs a message."""

    def extract(self, messages: Sequence[Message], reference: datetime) -> list[Draft]:
        """Drafts in the order they were said (see `ports.Extractor`)."""
        return [
            _draft(statement, message, position, message.at or reference)
            for position, message in enumerate(messages)
            if message.role not in SOURCE_ROLES
            for statement in statements(message.content)
        ]


def _draft(statement: Statement, message: Message, position: int, said_at: datetime) -> Draft:
    dates = [
        {"from": span.start.isoformat(), "to": span.end.isoformat(), "text": span.text, "granularity": span.granularity}
        for span in resolve_dates(statement.text, said_at)
    ]
    return Draft(
        text=statement.text,
        kind="code" if statement.kind in {"code", "command"} else "statement",
        role=message.role,
        speaker=speaker_of(message.role, message.name),
        created_at=message.at or said_at,
        metadata={"dates": dates} if dates else {},
        position=position,
    )
