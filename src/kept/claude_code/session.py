"""What one process knows of a session: the turn that is open, and what was injected so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kept.claude_code.echoes import Echoes, fingerprint
from kept.claude_code.marks import Marks
from kept.claude_code.memories import Remembered


@dataclass(slots=True)
class Session:
    """A session, as far as this process has seen it.

    Attributes:
        id: The client's id.
        prompts: What the user said in the turn and is not stored yet.
        failures: Commands that failed in it, with their errors.
        files: Files touched in it, in order.
        prompt_id: The turn's id.
        owed: What was looked for at its prompt and not found in time.
        echoes: What was injected, so that it is not captured.
        given: Ids of the memories that the model still has before it.
        read: Files for which it was told what is known.
        compacted: Whether the session's own beginning is out of the model's sight.
        noticed: Whether the user was told that the memory cannot be used.
        last: The latest event, which says where the session works.
    """

    id: str
    marks: Marks
    prompts: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    files: dict[str, None] = field(default_factory=dict)
    prompt_id: str = ""
    owed: str = ""
    echoes: Echoes = field(default_factory=Echoes)
    given: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    compacted: bool = False
    noticed: bool = False
    last: Mapping[str, Any] | None = None

    @classmethod
    def opened(cls, session_id: str, marks: Marks) -> Session:
        """The session with what other processes injected into it: its start is one."""
        session = cls(session_id, marks)
        for mark in marks.of(session_id):
            if mark.compacted:
                session._lose_sight()
            session.echoes.add(mark.given)
            session.given |= set(mark.ids)
            session.noticed |= mark.noticed
        return session

    def give(self, memories: Sequence[Remembered], *, in_sight: bool = True) -> None:
        """Note what is injected now; without `in_sight` into a subagent, whose report may repeat it."""
        ids = [memory.id for memory in memories] if in_sight else []
        self.given |= set(ids)
        self.hear([memory.text for memory in memories], ids)

    def hear(self, texts: Sequence[str], ids: Sequence[str] = ()) -> None:
        """Note texts that are memories already, so that saying them again stores nothing."""
        if texts:
            fingerprints = [fingerprint(text) for text in texts]
            self.echoes.add(fingerprints)
            self.marks.inject(self.id, fingerprints, ids)

    def notice(self) -> None:
        """Note that the user was told that the memory cannot be used."""
        self.noticed = True
        self.marks.notice(self.id)

    def compact(self) -> None:
        """After a compaction: what was injected before is no longer before the model, and may be given again."""
        self._lose_sight()
        self.marks.compact(self.id)

    def _lose_sight(self) -> None:
        self.given.clear()
        self.read.clear()
        self.compacted = True

    def end_turn(self) -> tuple[list[str], list[str]]:
        """Prompts and failures of the turn that ends; the next begins with none, and has touched no file."""
        ended = self.prompts, self.failures
        self.prompts, self.failures, self.files, self.owed = [], [], {}, ""
        return ended
