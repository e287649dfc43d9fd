"""The resident partition: one owner's memories as arrays, kept fresh by the cursor.

A projection of the log like any other: `refresh` applies the rows that changed since the cursor, applying them twice
changes nothing, and dropping the partition loses nothing. Its rows are *slots*; a memory whose text changed leaves its
slot dead and takes a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kept.domain.entities import KnownNames
from kept.domain.lexicon import posting_type
from kept.domain.memory import HIDDEN_STATES
from kept.engine.growth import grown
from kept.engine.postings import Postings
from kept.engine.vectors import Vectors
from kept.ports import PartitionRow

BATCH_ROWS: Final = 20_000
"""Rows turned into arrays at a time: some 20 MB of blobs while a large partition loads."""

NOWHERE: Final = -1
"""As a neighbour: there is none."""

FOREVER: Final = np.iinfo(np.int64).max
"""As `valid_to` or `expires_on`: never."""

_RELINK_SESSIONS: Final = 32
"""Above so many touched sessions, one sort of everything is cheaper than a scan for each."""

_SPARSE_SLOTS: Final = 1_024
"""Below so many slots, dead ones cost nothing worth the reload."""

ACTIVE, CLOSED = np.uint8(0), np.uint8(1)

_COLUMNS: Final[dict[str, Any]] = {
    "key": np.int64,
    "state": np.uint8,
    "live": np.bool_,
    "agent": np.int64,
    "app": np.int64,
    "run": np.int64,
    "session": np.int64,
    "speaker": np.int64,
    "user": np.bool_,
    "created_at": np.int64,
    "valid_from": np.int64,
    "valid_to": np.int64,
    "expires_on": np.int64,
    "feedback": np.int8,
    "flags": np.uint8,
    "previous": np.int32,
    "next": np.int32,
    "first_chunk": np.int32,
    "length": np.int32,
    "distinct": np.int32,
}

_FEEDBACK: Final = {None: 0, "POSITIVE": 1, "NEGATIVE": -1, "VERY_NEGATIVE": -2}
GENERIC_USERS: Final = frozenset({"user", "human"})
"""Speakers that stand for the user of a chat with an assistant. A person who is named speaks for themselves."""


GENERIC_SPEAKERS: Final = GENERIC_USERS | {"assistant", "ai", "bot", "model", "system", "tool", "document"}
"""Speakers that are no name: a query about "the user" or "a document" does not ask for them."""


class ResidentPartition:
    """One partition's rows in memory.

    Columns are read as attributes of `columns` by name, each `(slots,)`; `previous` and `next` hold the slots of a
    memory's neighbours in its session, in the order they were said.

    Attributes:
        cursor: The last `seq` applied.
        speakers: Names of speakers in the partition, by the code in column `speaker`.
        waiting: Rows without an index entry (they wait for a rebuild).
    """

    def __init__(self, dimensions: int) -> None:
        self.cursor = 0
        self.slots = 0
        self.postings = Postings()
        self.vectors = Vectors(dimensions)
        self.speakers: dict[int, str] = {}
        self.waiting = 0
        self.chunks = 0
        self._columns = {name: np.zeros(0, dtype) for name, dtype in _COLUMNS.items()}
        self._chunk_slot = np.zeros(0, np.int32)
        self._chunk_length = np.zeros(0, np.uint16)
        self._entities = Postings()
        self._names: tuple[int, KnownNames] | None = None

    def column(self, name: str) -> NDArray[Any]:
        """A column, `(slots,)`; a view that the next refresh may leave behind."""
        return self._columns[name][: self.slots]

    @property
    def live_length(self) -> int:
        """Terms in all live memories."""
        return int(self.column("length")[self.column("live")].sum())

    @property
    def live_chunks(self) -> int:
        """Chunks of all live memories."""
        return int(self.column("live")[self.chunk_slot].sum())

    @property
    def chunk_slot(self) -> NDArray[np.int32]:
        """The slot of each chunk, rising."""
        return self._chunk_slot[: self.chunks]

    @property
    def chunk_length(self) -> NDArray[np.uint16]:
        """Terms in each chunk."""
        return self._chunk_length[: self.chunks]

    @property
    def entities(self) -> Postings:
        """Hashed entity key → slots (as chunk numbers)."""
        return self._entities

    @property
    def size_bytes(self) -> int:
        """Memory held by the arrays."""
        columns = sum(column.nbytes for column in self._columns.values())
        chunks = self._chunk_slot.nbytes + self._chunk_length.nbytes
        return columns + chunks + self.postings.size_bytes + self._entities.size_bytes + self.vectors.size_bytes

    @property
    def is_sparse(self) -> bool:
        """Whether most slots are dead, so that loading anew saves memory and time."""
        return self.slots > _SPARSE_SLOTS and int(self.column("live").sum()) * 2 < self.slots

    def known_names(self, user_id: str | None) -> KnownNames:
        """The names that a query may use for somebody: speakers and the partition's user, generic ones left out."""
        if self._names is None or self._names[0] != len(self.speakers):
            names = [*self.speakers.values(), *([user_id] if user_id else [])]
            named = KnownNames(name for name in names if name.lower() not in GENERIC_SPEAKERS)
            self._names = len(self.speakers), named
        return self._names[1]

    def refresh(self, rows: Iterable[PartitionRow]) -> None:
        """Apply rows that changed, by rising `seq`. Rows at or before the cursor change nothing."""
        waiting = iter(rows)
        touched: set[int] = set()
        whole = self.slots == 0
        while batch := list(islice(waiting, BATCH_ROWS)):
            fresh = [row for row in batch if row.seq > self.cursor]
            if fresh:
                touched |= self._apply(fresh, collect=not whole)
        if whole or len(touched) > _RELINK_SESSIONS:
            self._relink_all()
        else:
            for session in touched:
                self._relink(session)

    def slots_of(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Live slots of the given keys, in no order; keys without one are left out."""
        return np.flatnonzero(self.column("live") & np.isin(self.column("key"), keys))

    def _apply(self, rows: Sequence[PartitionRow], *, collect: bool) -> set[int]:
        """Apply one batch; the sessions it touched, when asked to collect them."""
        self.cursor = rows[-1].seq
        stale = self._retire([row.key for row in rows if row.seq != row.key])
        visible = [row for row in rows if row.state not in HIDDEN_STATES]
        indexed = [row for row in visible if row.entry is not None]
        self.waiting += len(visible) - len(indexed)
        if indexed:
            self._append(indexed)
        if not collect:
            return set()
        return stale | {code(row.session) for row in indexed}

    def _retire(self, revised: Sequence[int]) -> set[int]:
        """Free the slots of memories that were revised; their sessions. A memory's first revision is its key."""
        if not self.slots or not revised:
            return set()
        slots = self.slots_of(np.array(revised, np.int64))
        self._columns["live"][slots] = False
        return set(self.column("session")[slots].tolist())

    def _append(self, rows: Sequence[PartitionRow]) -> None:
        first, count = self.slots, len(rows)
        self._reserve(first + count)
        span = slice(first, first + count)
        for name, values in self._values(rows).items():
            self._columns[name][span] = values
        entries = [row.entry for row in rows if row.entry is not None]
        self.vectors.append([entry.embedding for entry in entries])
        self._append_terms([entry.terms for entry in entries], first)
        sizes = np.fromiter((len(entry.entities) // 4 for entry in entries), np.int64, count)
        hashes = np.frombuffer(b"".join(entry.entities for entry in entries), "<u4")
        owners = np.repeat(np.arange(first, first + count, dtype=np.int32), sizes)
        self._entities.append(hashes, owners, np.ones(len(hashes), np.uint8))
        self.slots = first + count

    def _values(self, rows: Sequence[PartitionRow]) -> dict[str, Any]:
        for row in rows:
            if row.speaker:
                self.speakers.setdefault(code(row.speaker), row.speaker)
        return {
            "key": [row.key for row in rows],
            "state": [ACTIVE if row.state == "active" else CLOSED for row in rows],
            "live": True,
            "agent": [code(row.agent_id) for row in rows],
            "app": [code(row.app_id) for row in rows],
            "run": [code(row.run_id) for row in rows],
            "session": [code(row.session) for row in rows],
            "speaker": [code(row.speaker) for row in rows],
            "user": [(row.speaker or "user").lower() in GENERIC_USERS for row in rows],
            "created_at": [row.created_at for row in rows],
            "valid_from": [row.created_at if row.valid_from is None else row.valid_from for row in rows],
            "valid_to": [FOREVER if row.valid_to is None else row.valid_to for row in rows],
            "expires_on": [FOREVER if row.expires_on is None else row.expires_on for row in rows],
            "feedback": [_FEEDBACK.get(row.feedback, 0) for row in rows],
            "flags": [row.entry.flags if row.entry else 0 for row in rows],
            "previous": NOWHERE,
            "next": NOWHERE,
        }

    def _append_terms(self, blobs: Sequence[bytes], first_slot: int) -> None:
        """Number the chunks of the new slots on and hand their postings over."""
        postings = np.frombuffer(b"".join(blobs), posting_type())
        sizes = np.fromiter((len(blob) // posting_type().itemsize for blob in blobs), np.int64, len(blobs))
        owner = np.repeat(np.arange(len(blobs)), sizes)
        chunk, tf = postings["chunk"].astype(np.int64), postings["tf"]
        counts = np.ones(len(blobs), np.int64)  # every memory has one chunk, even when no term is in it
        np.maximum.at(counts, owner, chunk + 1)
        first_chunk = self.chunks + np.cumsum(counts) - counts
        numbers = (first_chunk[owner] + chunk).astype(np.int32)
        total = int(counts.sum())
        self._chunk_slot = grown(self._chunk_slot, self.chunks + total)
        self._chunk_length = grown(self._chunk_length, self.chunks + total)
        span = slice(self.chunks, self.chunks + total)
        self._chunk_slot[span] = np.repeat(np.arange(first_slot, first_slot + len(blobs)), counts)
        lengths = np.bincount(numbers - self.chunks, weights=tf, minlength=total)
        self._chunk_length[span] = np.minimum(lengths, np.iinfo(np.uint16).max)
        slots = slice(first_slot, first_slot + len(blobs))
        self._columns["first_chunk"][slots] = first_chunk
        self._columns["length"][slots] = np.bincount(owner, weights=tf, minlength=len(blobs))
        self._columns["distinct"][slots] = sizes
        self.chunks += total
        self.postings.append(postings["term"].copy(), numbers, tf.copy())

    def _reserve(self, slots: int) -> None:
        for name, column in self._columns.items():
            self._columns[name] = grown(column, slots)

    def _relink_all(self) -> None:
        self._columns["previous"][: self.slots] = NOWHERE
        self._columns["next"][: self.slots] = NOWHERE
        live = np.flatnonzero(self.column("live"))
        session, created, key = (self.column(name)[live] for name in ("session", "created_at", "key"))
        order = live[np.lexsort((key, created, session))]
        sessions = self.column("session")[order]
        self._link(order[:-1], order[1:], sessions[:-1] == sessions[1:])

    def _relink(self, session: int) -> None:
        slots = np.flatnonzero(self.column("live") & (self.column("session") == session))
        order = slots[np.lexsort((self.column("key")[slots], self.column("created_at")[slots]))]
        self._columns["previous"][order] = NOWHERE
        self._columns["next"][order] = NOWHERE
        self._link(order[:-1], order[1:], np.ones(max(len(order) - 1, 0), np.bool_))

    def _link(self, left: NDArray[np.int64], right: NDArray[np.int64], together: NDArray[np.bool_]) -> None:
        self._columns["next"][left[together]] = right[together]
        self._columns["previous"][right[together]] = left[together]


def code(text: str | None) -> int:
    """A text as a number that is equal for equal texts within this process; 0 for none."""
    return 0 if text is None else hash(text)
