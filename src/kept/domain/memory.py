"""The values Kept stores: a memory, the episode it came from, and what ties them together.

All values are frozen. Times are aware and UTC; intervals are half-open: `valid_to` is the first moment at which a
fact no longer holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Literal, get_args

from kept.domain.digest import digest
from kept.domain.scope import Scope
from kept.domain.text import normalise

State = Literal["active", "superseded", "invalidated", "deleted", "erased"]
"""`superseded`: replaced by a newer memory. `invalidated`: no longer true, nothing replaced it. `deleted`: hidden,
can be restored. `erased`: its content is gone for good, only the id remains."""

CURRENT: Final[State] = "active"
CLOSED_STATES: Final[frozenset[State]] = frozenset({"superseded", "invalidated"})
"""Facts that were true once: found, but below current ones, and marked."""
HIDDEN_STATES: Final[frozenset[State]] = frozenset({"deleted", "erased"})
"""Never found; a deleted one is still there by id."""

DERIVED_FROM: Final = "derived_from"
"""The key of the metadata under which a memory that was made of others, or has a name from them, says which, so that an erase of one
reaches it."""

SOURCE_ROLES: Final = frozenset({"system"})
"""Kept in the episode, never made into memories: instructions to a model, not something anybody said."""

Kind = Literal["message", "statement", "fact", "code"]
"""`message`: stored verbatim. `statement` and `code`: taken from a message by rule. `fact`: handed over finished, or
distilled by a language model."""

FactType = Literal["preference", "decision", "convention", "task", "event", "profile", "procedure"]
"""What sort of fact a memory is, where whoever made it said so."""
FACT_TYPES: Final[tuple[FactType, ...]] = get_args(FactType)

AttachmentKind = Literal["image", "document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """An image or document that came with a message. Its content is never stored, but for the time until it was read.

    Attributes:
        url: Where it is: `https://…`, or `data:…` with its content.
    """

    kind: AttachmentKind
    url: str

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Attachment:
        """As `to_json` wrote it."""
        return cls(kind=value["kind"], url=value["url"])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, for the job that reads it."""
        return {"kind": self.kind, "url": self.url}


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityRef:
    """An entity that a memory mentions.

    Attributes:
        name: As written.
        kind: What sort of thing it is (see `domain.entities`), or the caller's own word.
        key: Normalised form by which mentions are joined.
    """

    name: str
    kind: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A typed edge between two entities, stated by one memory (Mem0's triple)."""

    source: str
    relationship: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of an episode, as received (secrets already redacted).

    Attributes:
        role: `user`, `assistant`, `system` or `tool`.
        name: The speaker's own name, when the caller gave one.
        at: When it was said, when the caller knew.
        source_id: The caller's or the importer's id of the message, by which a second import is recognised.
        attachments: Images and documents that came with it; the content refers to them. Never part of a stored episode.
    """

    role: str
    content: str
    name: str | None = None
    at: datetime | None = None
    source_id: str | None = None
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """The messages of one call, kept as the source of the memories made from them."""

    id: str
    scope: Scope
    connector: str
    recorded_at: datetime
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryRecord:
    """A memory in its current (or some past) state.

    Attributes:
        key: The store's own integer handle: the `seq` of the memory's first revision. Never reused.
        seq: The revision that produced this state.
        hash: MD5 of the text, as in Mem0; recomputed by `verify`.
        speaker: Who said it: a person's name, or the role when no name is known.
        position: Index of the source message in its episode; None for what was handed over without one.
        created_at: When it was said (or happened to be told); callers may backdate it.
        recorded_at: When this store learned it.
        valid_from: First moment at which it is true in the world; None means since `created_at`.
        valid_to: First moment at which it is no longer true; None means it still is.
        expires_on: Last day (UTC) on which it is found; None means for ever.
        reinforced: How many exact repeats were received after the first.
        feedback: `POSITIVE`, `NEGATIVE`, `VERY_NEGATIVE` or None.
        type: What sort of fact it is; None where nobody said.
        confidence: How sure whoever made it was, in [0, 1]; None where nobody said.
        positions: Indexes of all its source messages in its episode, where it came from several; `position` is the first.
    """

    id: str
    key: int
    seq: int
    scope: Scope
    state: State = CURRENT
    text: str = ""
    hash: str = ""
    kind: Kind = "statement"
    speaker: str | None = None
    role: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    entity_refs: tuple[EntityRef, ...] = ()
    relations: tuple[Relation, ...] = ()
    created_at: datetime
    updated_at: datetime
    recorded_at: datetime
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    expires_on: date | None = None
    superseded_by: str | None = None
    supersedes: tuple[str, ...] = ()
    episode_id: str | None = None
    position: int | None = None
    connector: str = "sdk"
    reinforced: int = 0
    immutable: bool = False
    feedback: str | None = None
    type: FactType | None = None
    confidence: float | None = None
    positions: tuple[int, ...] = ()

    @property
    def project(self) -> str:
        """The project the memory belongs to; nothing ever crosses it."""
        return self.scope.project

    @property
    def user_id(self) -> str | None:
        """Of the scope."""
        return self.scope.user_id

    @property
    def agent_id(self) -> str | None:
        """Of the scope."""
        return self.scope.agent_id

    @property
    def app_id(self) -> str | None:
        """Of the scope."""
        return self.scope.app_id

    @property
    def run_id(self) -> str | None:
        """Of the scope."""
        return self.scope.run_id

    @property
    def entities(self) -> tuple[str, ...]:
        """Keys of the entities mentioned, for filters."""
        return tuple(entity.key for entity in self.entity_refs)

    @property
    def source_positions(self) -> tuple[int, ...]:
        """Indexes of its source messages in its episode, rising; none where it came from no single ones."""
        return tuple(sorted({*self.positions, *(() if self.position is None else (self.position,))}))

    @property
    def derived_from(self) -> frozenset[str]:
        """Ids of the memories that it was made of by consolidation, or has a name from."""
        named = self.metadata.get(DERIVED_FROM)
        return frozenset(one for one in named if isinstance(one, str)) if isinstance(named, list) else frozenset()

    @property
    def session(self) -> str:
        """What its neighbours share with it: the run, else the call it was stored by."""
        return self.scope.run_id or self.episode_id or self.id

    @property
    def is_closed(self) -> bool:
        """Whether it was true once but no longer is."""
        return self.state in CLOSED_STATES

    def is_expired(self, today: date) -> bool:
        """Whether its last day has passed: found through `expires_on` itself, hidden from the day after."""
        return self.expires_on is not None and self.expires_on < today


def text_hash(text: str) -> str:
    """MD5 of the text, hexadecimal: Mem0's `hash` field. An identity, not a protection."""
    return hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def repeat_key(scope: Scope, speaker: str | None, text: str) -> str:
    """What makes two memories exact repeats: the same scope, the same speaker, the same text but for white space."""
    parts = [scope.project, *(getattr(scope, name) or "" for name in ("user_id", "agent_id", "app_id", "run_id"))]
    parts += [speaker or "", normalise(text)]
    return digest("\x1f".join(parts))


def speaker_of(role: str | None, name: str | None) -> str | None:
    """The name under which a statement is attributed: the person's, else the role."""
    return name or role


def are_echoes(one: MemoryRecord, other: MemoryRecord) -> bool:
    """Whether one is a fact and the other, which is none, was taken from a message that the fact points at too."""
    return (
        one.episode_id is not None
        and one.episode_id == other.episode_id
        and (one.kind == "fact") != (other.kind == "fact")
        and not set(one.source_positions).isdisjoint(other.source_positions)
    )


def first_person(scope: Scope, role: str | None, speaker: str | None) -> str | None:
    """Whom "I" means in what somebody said: who has a name, else the user; nobody where an assistant or a tool speaks."""
    if speaker is not None and speaker != role:
        return speaker
    return scope.user_id or role if role in {None, "user"} else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A memory about to be stored: what extraction, a caller or an importer hands to the engine.

    `None` in a field means "the engine's default" (the message's time, no validity, the rules' entities).

    Attributes:
        episode_id: The source, where it is an episode that was stored before.
        repeats: An existing memory that says the same: it is reinforced, and nothing new is stored.
        superseded_by: An existing memory that has replaced it already: it is stored as closed.
        why: How it was decided what becomes of it, for the log; plain JSON, without anybody's words.
    """

    text: str
    kind: Kind = "statement"
    role: str | None = None
    speaker: str | None = None
    created_at: datetime | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    expires_on: date | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    entity_refs: tuple[EntityRef, ...] | None = None
    relations: tuple[Relation, ...] = ()
    supersedes: Sequence[str] = ()
    position: int | None = None
    immutable: bool = False
    type: FactType | None = None
    confidence: float | None = None
    positions: tuple[int, ...] = ()
    episode_id: str | None = None
    repeats: str | None = None
    superseded_by: str | None = None
    why: Mapping[str, Any] = field(default_factory=dict)
