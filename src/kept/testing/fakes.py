"""Stand-ins for what a test must hold still: time, ids, embeddings; and builders of stored values.

Everything here gives the same answer on every run and every machine.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from kept.domain.history import Operation, Revision, apply, blank, difference, to_changes
from kept.domain.jobs import Job
from kept.domain.memory import Episode, MemoryRecord, Message, State, text_hash
from kept.domain.scope import Scope
from kept.domain.spending import Usage
from kept.domain.text import count_tokens
from kept.ports import EmbedderIdentity, EmbeddingRequest, IndexEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from kept.domain.history import Op
    from kept.ports import Log, Transaction

START: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""Noon of a day that is easy to count from."""

SCOPE: Final = Scope(project="default", user_id="alice")
"""Where builders put a memory unless told otherwise."""

IDENTITY: Final = "fake:32:l2"
"""The index identity under which builders make entries; `FakeEmbedder`'s own."""

_WORD: Final = re.compile(r"\w+")


class FixedClock:
    """A clock that stands still, or moves by `tick` at every look.

    Attributes:
        now: What the next look gives; assign to set it.
    """

    def __init__(self, now: datetime = START, *, tick: timedelta = timedelta(0)) -> None:
        self.now = now
        self._tick = tick

    def __call__(self) -> datetime:
        """The present; afterwards time has moved by one tick."""
        seen = self.now
        self.now += self._tick
        return seen

    def advance(self, by: timedelta) -> None:
        """Move time."""
        self.now += by


class SequentialIds:
    """UUIDs that count from one, in order as text too.

    Args:
        series: Sets two sequences apart, below 2**32.
    """

    def __init__(self, series: int = 0) -> None:
        self._series = series
        self._numbers: Iterator[int] = itertools.count(1)

    def __call__(self) -> str:
        """The next id."""
        return f"{self._series:08x}-0000-4000-8000-{next(self._numbers):012x}"


class FakeEmbedder:
    """A bag of words, hashed into a few dimensions: texts that share words are near each other, nothing else is.

    Args:
        dimensions: Length of a vector; fewer mean more accidental nearness.
        model: Name in the identity, to stand for a change of embedder.
    """

    def __init__(self, dimensions: int = 32, *, model: str = "fake") -> None:
        self.identity = EmbedderIdentity(model=model, dimensions=dimensions)

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit rows, `(n, dimensions)` float32; a text without a word gives a zero row."""
        import numpy as np

        counts = np.zeros((len(texts), self.identity.dimensions), dtype=np.float32)
        for row, text in zip(counts, texts, strict=True):
            for word in _WORD.findall(text.casefold()):
                digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
                place = int.from_bytes(digest, "little")
                row[(place >> 1) % self.identity.dimensions] += 1.0 if place & 1 else -1.0
        lengths = np.sqrt((counts * counts).sum(axis=1, keepdims=True))
        vectors: NDArray[np.float32] = np.divide(counts, lengths, out=counts, where=lengths > 0)
        return vectors

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The same vector as for a document, `(dimensions,)` float32."""
        vector: NDArray[np.float32] = self.embed_documents([text])[0]
        return vector


class FakePaidEmbedder:
    """A `FakeEmbedder` that costs something: each call is a request, and so is the first look at the identity.

    Tokens are counted by `domain.text.count_tokens`, and each costs a micro-dollar.

    Attributes:
        name: As of its port.
        failures: What the next requests fail with, in order; shared with all that are `heard_by` somebody.
    """

    name = "fake:paid"

    def __init__(self, dimensions: int = 32) -> None:
        self.failures: list[Exception] = []
        self._words = FakeEmbedder(dimensions)
        self._looks: list[str] = []
        self._listener: Callable[[EmbeddingRequest], None] = lambda _: None

    @property
    def identity(self) -> EmbedderIdentity:
        """As of `FakeEmbedder`, after one request."""
        if not self._looks:
            self._request(["memory"])
            self._looks.append("memory")
        return self._words.identity

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As of `FakeEmbedder`."""
        assert self.identity
        return self._request(texts)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """As of `FakeEmbedder`."""
        vector: NDArray[np.float32] = self.embed_documents([text])[0]
        return vector

    def price(self, usage: Usage) -> int:
        """A micro-dollar for each token."""
        return usage.tokens

    def heard_by(self, listener: Callable[[EmbeddingRequest], None]) -> Self:
        """The same with a listener of its own."""
        heard = copy(self)
        heard._listener = listener  # noqa: SLF001 - its own copy
        return heard

    def _request(self, texts: Sequence[str]) -> NDArray[np.float32]:
        expected = Usage(input_tokens=sum(map(count_tokens, texts)))
        if self.failures:
            error = self.failures.pop(0)
            self._listener(EmbeddingRequest(expected=expected, error=error))
            raise error
        self._listener(EmbeddingRequest(expected=expected, usage=expected))
        return self._words.embed_documents(texts)


def record(text: str = "Alice likes tea.", **fields: Any) -> MemoryRecord:
    """A memory with plausible values in every required field.

    Args:
        text: Its text; the hash follows.
        fields: Any field of `MemoryRecord`, to replace the default.
    """
    defaults: dict[str, Any] = {
        "id": "00000000-0000-4000-8000-000000000001",
        "key": 1,
        "seq": 1,
        "scope": SCOPE,
        "hash": text_hash(text),
        "created_at": START,
        "updated_at": START,
        "recorded_at": START,
    }
    return MemoryRecord(text=text, **(defaults | fields))


def revision(memory: MemoryRecord, **fields: Any) -> Revision:
    """The revision that adds `memory`.

    Args:
        memory: What it sets.
        fields: Any field of `Revision`, to replace the default.
    """
    defaults: dict[str, Any] = {
        "seq": memory.seq,
        "memory_id": memory.id,
        "op": "add",
        "operation_id": "operation-1",
        "recorded_at": memory.recorded_at,
        "changes": to_changes(memory),
    }
    return Revision(**(defaults | fields))


def entry(text: str) -> IndexEntry:
    """An index entry that depends on the text, with blobs of a plausible form (nothing reads them)."""
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return IndexEntry(embedding=digest, terms=digest[:8], entities=digest[:4], flags=len(text))


def job(number: int = 1, **fields: Any) -> Job:
    """A job that waits, with plausible values in every required field.

    Args:
        number: Sets its id, and when it came: so many seconds after `START`.
        fields: Any field of `Job`, to replace the default.
    """
    came = START + timedelta(seconds=number)
    defaults: dict[str, Any] = {"id": f"job-{number}", "scope": SCOPE, "kind": "ADD"}
    times = dict.fromkeys(("created_at", "updated_at", "run_after"), came)
    return Job(**(defaults | times | fields))


class Scribe:
    """Writes to a log what the engine would, one operation a call, without the engine's rules.

    Args:
        log: Where to.
        clock: When; each call looks once.
        series: Sets the ids of two scribes on one log apart.
        identity: Under which index entries are made.
    """

    def __init__(
        self,
        log: Log,
        *,
        clock: FixedClock | None = None,
        series: int = 0,
        identity: str = IDENTITY,
    ) -> None:
        self.log = log
        self.clock = clock or FixedClock(tick=timedelta(seconds=1))
        self._ids = SequentialIds(series)
        self._identity = identity

    def add(
        self,
        text: str = "Alice likes tea.",
        *,
        scope: Scope = SCOPE,
        source: Message | None = None,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> MemoryRecord:
        """Store a memory.

        Args:
            text: Its text.
            scope: Whose it is.
            source: Kept as the only message of an episode, from which the memory then comes.
            idempotency_key: Of the operation.
            fields: Any other field of `MemoryRecord`.
        """
        now = self.clock()
        with self.log.write() as transaction:
            operation = self.operation("add", scope.project, now, idempotency_key=idempotency_key)
            transaction.put_operation(operation)
            if source is not None:
                fields |= {"episode_id": self._put_episode(transaction, scope, now, source), "position": 0}
            return self.put(transaction, operation, text, scope=scope, **fields)

    def put(
        self,
        transaction: Transaction,
        operation: Operation,
        text: str,
        *,
        scope: Scope = SCOPE,
        indexed: bool = True,
        **fields: Any,
    ) -> MemoryRecord:
        """Append a new memory to an open write, as part of `operation`."""
        seq = transaction.next_seq()
        times = dict.fromkeys(("created_at", "updated_at", "recorded_at"), operation.recorded_at)
        values: dict[str, Any] = {"id": self._ids(), "key": seq, "seq": seq, "scope": scope} | times
        added = record(text, **(values | fields))
        first = revision(added, operation_id=operation.id, recorded_at=operation.recorded_at)
        transaction.append([first], [added], [entry(text) if indexed else None], identity=self._identity)
        return added

    def revise(
        self, memory: MemoryRecord, op: Op, *, kind: str | None = None, undoes: str | None = None, **fields: Any
    ) -> MemoryRecord:
        """Change fields of a memory.

        Args:
            memory: Which; its stored state is read again.
            op: Why.
            kind: Of the operation, if it is not called as the revision is.
            undoes: The operation that this one takes back.
            fields: New values of fields of `MemoryRecord`.
        """
        now = self.clock()
        with self.log.write() as transaction:
            operation = self.operation(kind or op, memory.project, now, undoes=undoes)
            transaction.put_operation(operation)
            return self.change(transaction, operation, memory, op, **fields)

    def change(
        self, transaction: Transaction, operation: Operation, memory: MemoryRecord, op: Op, **fields: Any
    ) -> MemoryRecord:
        """Append a change to an open write, as part of `operation`."""
        before = _stored(transaction, memory)
        now = operation.recorded_at
        if "text" in fields:
            fields["hash"] = text_hash(fields["text"])
        changes = difference(before, replace(before, updated_at=now, **fields))
        change = Revision(
            seq=transaction.next_seq(),
            memory_id=before.id,
            op=op,
            operation_id=operation.id,
            recorded_at=now,
            changes=changes,
        )
        after = apply(before, change)
        made = entry(after.text) if "text" in fields else None
        transaction.append([change], [after], [made], identity=self._identity)
        return after

    def update(self, memory: MemoryRecord, text: str, **fields: Any) -> MemoryRecord:
        """Change its text."""
        return self.revise(memory, "update", text=text, **fields)

    def set_state(self, memory: MemoryRecord, state: State, *, undoes: str | None = None) -> MemoryRecord:
        """Supersede, invalidate, delete or restore it."""
        ops: dict[State, Op] = {
            "active": "restore",
            "superseded": "supersede",
            "invalidated": "invalidate",
            "deleted": "delete",
        }
        return self.revise(memory, ops[state], kind="undo" if undoes else None, undoes=undoes, state=state)

    def supersede(self, memory: MemoryRecord, text: str) -> tuple[MemoryRecord, MemoryRecord]:
        """Replace it by a new memory, in one operation: the old one, closed, and the new one."""
        now = self.clock()
        with self.log.write() as transaction:
            operation = self.operation("add", memory.project, now)
            transaction.put_operation(operation)
            new = self.put(transaction, operation, text, scope=memory.scope, supersedes=(memory.id,))
            closed: dict[str, Any] = {"state": "superseded", "valid_to": now, "superseded_by": new.id}
            return self.change(transaction, operation, memory, "supersede", **closed), new

    def erase(self, *memories: MemoryRecord) -> list[MemoryRecord]:
        """Erase memories of one project, in one operation: their tombstones."""
        now = self.clock()
        with self.log.write() as transaction:
            operation = self.operation("erase", memories[0].project, now)
            transaction.put_operation(operation)
            return self.bury(transaction, operation, *memories)

    def bury(self, transaction: Transaction, operation: Operation, *memories: MemoryRecord) -> list[MemoryRecord]:
        """Erase memories in an open write, as part of `operation`: their tombstones."""
        last = [erasure(memory, seq=transaction.next_seq(), operation=operation) for memory in memories]
        tombstones = [apply(memory, revision) for memory, revision in zip(memories, last, strict=True)]
        transaction.erase(last, tombstones)
        return tombstones

    def operation(self, kind: str, project: str, recorded_at: datetime, **fields: Any) -> Operation:
        """An operation with the next id."""
        values: dict[str, Any] = {"actor": "alice", "connector": "sdk"} | fields
        return Operation(id=self._ids(), project=project, kind=kind, recorded_at=recorded_at, **values)

    def _put_episode(self, transaction: Transaction, scope: Scope, now: datetime, *messages: Message) -> str:
        episode = Episode(id=self._ids(), scope=scope, connector="sdk", recorded_at=now, messages=messages)
        transaction.put_episode(episode)
        return episode.id


def erasure(memory: MemoryRecord, *, seq: int, operation: Operation) -> Revision:
    """The revision that erases `memory`."""
    changes = to_changes(memory) | {"state": "erased"}
    last = revision(memory, seq=seq, op="erase", operation_id=operation.id, changes=changes)
    return blank(replace(last, recorded_at=operation.recorded_at))


def _stored(transaction: Transaction, memory: MemoryRecord) -> MemoryRecord:
    found = transaction.find(memory.project, memory.id)
    assert found is not None, f"memory {memory.id} is not stored"
    return found
