"""The memories a session reads and writes: the store on this machine, or a server's.

Both answer with the same values. A session's memories are one user's, under its repository's name as `app_id` and its own id as
`run_id`; what the user keeps elsewhere is found too, and marked by whoever shows it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

CONNECTOR: Final = "claude-code"
MATCHES: Final = ("full_text", "coverage", "rarest", "answers", "entity", "date", "speaker")
"""Parts of a score that say something of the memory itself, not of what stands beside it."""
LEAST_DENSE: Final = 0.3
"""The part `dense` (1.2 times a cosine) from which a memory without a common word speaks of the same thing."""
MOST_OF_A_DOCUMENT: Final = 10_000
"""Passages of one document: a file of the largest size read has some thousand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose memories a session's are.

    Attributes:
        project: Kept's project; nothing crosses it.
        user_id: The user.
        app_id: The repository's name.
        shared: Whether what other users stored for the repository is read too.
    """

    project: str
    user_id: str
    app_id: str
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A memory as a session sees it.

    Attributes:
        closed: Whether it is no longer true.
        own_words: Whether it was found for what it says itself; a neighbour of such a one was not.
    """

    id: str
    text: str
    created_at: datetime
    speaker: str | None = None
    app_id: str | None = None
    run_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    closed: bool = False
    score: float = 0.0
    own_words: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """What is to be stored by one call, secrets taken out already. Plain values, so that it can wait in a file.

    Attributes:
        key: The same words of the same turn have the same one, so that they are stored once.
        messages: Role and content of each.
        facts: Finished statements, stored as they are.
        speaker: Whose they are.
        expires_on: Last day on which it is found, ISO 8601; None means for ever.
        infer: Whether messages are made into statements.
    """

    key: str
    project: str
    user_id: str
    app_id: str
    run_id: str | None = None
    agent_id: str | None = None
    messages: tuple[tuple[str, str], ...] = ()
    facts: tuple[str, ...] = ()
    speaker: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    expires_on: str | None = None
    infer: bool = True

    def to_json(self) -> dict[str, Any]:
        """As an object of plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Capture:
        """What `to_json` gave."""
        messages = tuple((role, content) for role, content in given["messages"])
        return cls(**{**given, "messages": messages, "facts": tuple(given["facts"])})

    @property
    def said(self) -> list[dict[str, str]]:
        """The messages as the service takes them."""
        return [{"role": role, "content": content} for role, content in self.messages]

    @property
    def finished(self) -> list[dict[str, str]]:
        """The facts as the service takes them."""
        return [{"text": fact} | ({"role": self.speaker} if self.speaker else {}) for fact in self.facts]

    @property
    def ids(self) -> dict[str, str]:
        """Under which ids it is stored."""
        named = {"user_id": self.user_id, "app_id": self.app_id, "run_id": self.run_id, "agent_id": self.agent_id}
        return {name: value for name, value in named.items() if value}


class Memories(Protocol):
    """What a session needs of a store. Any call may fail with a `KeptError`."""

    def count(self, owner: Owner) -> int:
        """How many memories the repository has."""

    def recent(self, owner: Owner, limit: int, *, lasting: bool = False) -> list[Remembered]:
        """The repository's memories that hold now, newest first; with `lasting` only those that never expire."""

    def search(self, owner: Owner, query: str, *, limit: int, threshold: float) -> list[Remembered]:
        """The user's memories that matter for a query, of every repository, best first."""

    def store(self, captures: Sequence[Capture]) -> list[str]:
        """Store; ids of what is new or was repeated. What was stored under the same key before is not stored again."""

    def of_document(self, owner: Owner, document: str) -> list[Remembered]:
        """What was read from a document of this name."""

    def forget(self, owner: Owner, memory_ids: Collection[str]) -> None:
        """Hide memories; `undo` brings them back."""


def best_first(found: Iterable[Remembered]) -> list[Remembered]:
    """Hits of several searches by falling score, each memory once, with its best score."""
    best: dict[str, Remembered] = {}
    for memory in sorted(found, key=lambda memory: memory.score, reverse=True):
        best.setdefault(memory.id, memory)
    return list(best.values())


def speaks_for_itself(parts: Mapping[str, float]) -> bool:
    """Whether the parts of a score say something of the memory itself. Without parts: it is given the benefit of the doubt."""
    return not parts or any(parts.get(name, 0) > 0 for name in MATCHES) or parts.get("dense", 0) >= LEAST_DENSE
