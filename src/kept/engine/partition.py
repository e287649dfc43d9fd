"""The resident partition: one owner's memories as arrays, kept fresh by the cursor.

A projection of the log like any other: `refresh` applies the rows that changed since the cursor, applying them twice
changes nothing, and dropping the partition loses nothing. Its rows are *slots*; a memory whose text changed leaves its
slot dead and takes a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from kept.domain import ranking
from kept.domain.entities import KnownNames
from kept.domain.lexicon import HASH_BYTES, SPAN_BYTES, layout_fault, posting_type
from kept.domain.memory import HIDDEN_STATES
from kept.engine.growth import grown
from kept.engine.postings import Postings, distinct, occurrences
from kept.engine.vectors import Vectors
from kept.errors import StoreCorruptError
from kept.ports import IndexEntry, PartitionRow

BATCH_ROWS: Final = 20_000
"""Rows turned into arrays at a time: some 20 MB of blobs while a large partition loads."""

NOWHERE: Final = -1
"""As a neighbour: there is none."""

REACH: Final = len(ranking.NEIGHBOUR_DECAY)
"""Neighbours on either side whose words count for a memory."""

PREVIOUS, NEXT = 0, REACH
"""Places of the nearest neighbours in a row of column `around`."""

FOREVER: Final = np.iinfo(np.int64).max
"""As `valid_to` or `expires_on`: never."""

_RELINK_SESSIONS: Final = 32
"""Above so many touched sessions, one sort of everything is cheaper than a scan for each."""

_COMPLETED_SLOTS: Final = 2_048
"""Of a partition, up to which all are computed though only some are needed: it takes some 2 ms, once."""

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
    "session_number": np.int32,
    "speaker": np.int64,
    "created_at": np.int64,
    "valid_from": np.int64,
    "valid_to": np.int64,
    "expires_on": np.int64,
    "flags": np.uint8,
    "around": (np.int32, (2 * REACH,)),
    "mean_norm": np.float32,
    "first_chunk": np.int32,
    "first_term": np.int64,
    "opening": np.int32,
    "specific": np.float32,
    "length": np.int32,
    "shortness": np.float32,
    "standing": (np.float32, (len(ranking.STANDING),)),
}

_FEEDBACK: Final = {None: 0, "POSITIVE": 1, "NEGATIVE": -1, "VERY_NEGATIVE": -2}
GENERIC_USERS: Final = frozenset({"user", "human"})
"""Speakers that stand for the user of a chat with an assistant. A person who is named speaks for themselves."""


GENERIC_SPEAKERS: Final = GENERIC_USERS | {"assistant", "ai", "bot", "model", "system", "tool", "document"}
"""Speakers that are no name: a query about "the user" or "a document" does not ask for them."""


class ResidentPartition:
    """One partition's rows in memory.

    Columns are read by name, each `(slots,)`. But `around` is `(slots, 2 * REACH)`: the slots of a memory's neighbours in its
    session, nearest first, those said before it and then those said after it. `mean_norm` is read by `mean_norms`.

    Attributes:
        cursor: The last `seq` applied.
        speakers: Names of speakers in the partition, by the code in column `speaker`.
        waiting: Rows without an index entry (they wait for a rebuild).
        live: Slots in use.
        live_length: Terms in all live memories.
        live_chunks: Chunks of all live memories.
        chunks: Chunks of all slots.
        sessions: Numbers in use in column `session_number`.
    """

    def __init__(self, dimensions: int) -> None:
        self.cursor = 0
        self.slots = 0
        self.postings = Postings()
        self.vectors = Vectors(dimensions)
        self.speakers: dict[int, str] = {}
        self.waiting = 0
        self.live = 0
        self.live_length = 0
        self.live_chunks = 0
        self.chunks = 0
        self.sessions = 0
        self._columns = {name: np.zeros(0, dtype) for name, dtype in _COLUMNS.items()}
        self._in_use = self._columns
        self._chunk_slot = np.zeros(0, np.int32)
        self._chunk_length = np.zeros(0, np.uint16)
        self._terms = np.zeros(0, np.uint32)
        self._terms_size = 0
        self._dead_terms = np.zeros(0, np.uint32)
        self._entities = Postings()
        self._spans = np.zeros((0, 3), np.int32)
        self._span_count = 0
        self._names: tuple[int, KnownNames] | None = None
        self._asked: set[str] = set()

    def column(self, name: str) -> NDArray[Any]:
        """A column, one row a slot; a view that the next refresh may leave behind."""
        return self._in_use[name]

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
        chunks = self._chunk_slot.nbytes + self._chunk_length.nbytes + self._terms.nbytes + self._spans.nbytes
        return columns + chunks + self.postings.size_bytes + self._entities.size_bytes + self.vectors.size_bytes

    @property
    def is_sparse(self) -> bool:
        """Whether most slots are dead, so that loading anew saves memory and time."""
        return self.slots > _SPARSE_SLOTS and self.live * 2 < self.slots

    def known_names(self, user_id: str | None) -> KnownNames:
        """The names that a query may use for somebody: speakers and the partition's user, generic ones left out."""
        if self._names is None or self._names[0] != len(self.speakers):
            names = [*self.speakers.values(), *([user_id] if user_id else [])]
            named = KnownNames(name for name in names if name.lower() not in GENERIC_SPEAKERS)
            self._names = len(self.speakers), named
        return self._names[1]

    @property
    def spans(self) -> NDArray[np.int32]:
        """The days that texts speak of, `(spans, 3)`: slot, first and last proleptic day number."""
        return self._spans[: self._span_count]

    def opening_terms(self, slots: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        """The distinct terms of each slot's first chunk: places among `slots`, rising, and a term for each.

        The first chunk is all of a chat message, and bounds what a long document costs.
        """
        sizes = self.column("opening").take(slots).astype(np.int64)
        owner = np.arange(len(slots)).repeat(sizes)
        before = self.column("first_term").take(slots) - (sizes.cumsum() - sizes)
        return owner, self._terms.take(before.take(owner) + np.arange(len(owner)))

    def held_by(self, terms: NDArray[np.uint32]) -> NDArray[np.int64]:
        """How many chunks of live memories hold each term."""
        return self.postings.count(terms) - occurrences(self._dead_terms, terms)

    def rarity(self, terms: NDArray[np.uint32]) -> NDArray[np.float32]:
        """How telling each term is, by the chunks that hold it."""
        return ranking.inverse_document_frequency(self.live_chunks, self.held_by(terms))

    def specific(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        """How rare each memory's opening terms are in the mean, see `ranking.specific`; kept until the next refresh."""
        known = self.column("specific")
        unknown = self._unknown("specific", slots)
        if len(unknown):
            owner, hashes = self.opening_terms(unknown)
            terms, place = distinct(hashes)
            counts = np.bincount(owner, minlength=len(unknown))
            sums = np.bincount(owner, self.rarity(terms)[place], len(unknown))
            known[unknown] = ranking.specific(sums, counts)
        return known.take(slots)

    def mean_norms(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        """Length of the sum of each memory's embedding and `NEIGHBOUR_SHARE` of its neighbours', kept once it was asked for.

        Computed for all when a partition is loaded, it would cost a million memories seconds.
        """
        norms = self.column("mean_norm")
        unknown = self._unknown("mean_norm", slots)
        if len(unknown):
            mean = self.vectors.at(unknown)
            for place in (PREVIOUS, NEXT):
                neighbours = self.column("around")[unknown, place]
                linked = neighbours != NOWHERE
                mean[linked] += np.float32(ranking.NEIGHBOUR_SHARE) * self.vectors.at(neighbours[linked])
            norms[unknown] = np.linalg.norm(mean, axis=1)
        return norms.take(slots)

    def _unknown(self, name: str, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of these slots those whose value is not computed yet; of a small partition all such, the second time since a refresh.

        Where each search follows an add, only what it needs is computed; where several do, soon nothing is.
        """
        values = self.column(name)
        unknown: NDArray[np.int64] = slots[np.isnan(values.take(slots))]
        if len(unknown) and name in self._asked and self.slots <= _COMPLETED_SLOTS:
            unknown = np.isnan(values).nonzero()[0]
        self._asked.add(name)
        return unknown

    def refresh(self, rows: Iterable[PartitionRow]) -> None:
        """Apply rows that changed, by rising `seq`. Rows at or before the cursor change nothing.

        Raises:
            StoreCorruptError: An index entry has a blob of a wrong length; the batch of its row was not applied.
        """
        self._asked.clear()
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
        self._count()

    def _count(self) -> None:
        self.column("specific")[:] = np.nan  # rarity depends on all memories
        live = self.column("live")
        self.live = int(np.count_nonzero(live))
        self.live_length = int(self.column("length")[live].sum())
        self.live_chunks = int(np.count_nonzero(live[self.chunk_slot]))

    def slots_of(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Live slots of the given keys, in no order; keys without one are left out."""
        return np.flatnonzero(self.column("live") & np.isin(self.column("key"), keys))

    def _apply(self, rows: Sequence[PartitionRow], *, collect: bool) -> set[int]:
        """Apply one batch; the sessions it touched, when asked to collect them."""
        visible = [row for row in rows if row.state not in HIDDEN_STATES]
        indexed = [row for row in visible if row.entry is not None]
        self._check(indexed)
        stale = self._retire([row.key for row in rows if row.seq != row.key])
        self.waiting += len(visible) - len(indexed)
        if indexed:
            self._append(indexed)
        self.cursor = rows[-1].seq  # last: a batch that failed is not taken for applied
        if not collect:
            return set()
        return stale | {code(row.session) for row in indexed}

    def _check(self, rows: Sequence[PartitionRow]) -> None:
        """Refuse entries that are not laid out as `domain.lexicon` says, before anything of the batch is applied."""
        dimensions = self.vectors.dimensions
        for row in rows:
            entry = cast("IndexEntry", row.entry)
            if fault := layout_fault(entry.embedding, entry.terms, entry.entities, entry.dates, dimensions):
                raise StoreCorruptError(
                    f"The index entry of the memory with key {row.key} is damaged: {fault}. Run `kept rebuild` "
                    "(Memory.rebuild) to make the index again from the log."
                )

    def _retire(self, revised: Sequence[int]) -> set[int]:
        """Free the slots of memories that were revised; their sessions. A memory's first revision is its key."""
        if not self.slots or not revised:
            return set()
        slots = self.slots_of(np.array(revised, np.int64))
        self._columns["live"][slots] = False
        self._bury(slots)
        return set(self.column("session")[slots].tolist())

    def _bury(self, slots: NDArray[np.int64]) -> None:
        """Take the terms of retired slots out of what `held_by` counts."""
        starts = np.append(self.column("first_term"), self._terms_size)
        terms = (self._terms[starts[slot] : starts[slot + 1]] for slot in slots.tolist())
        self._dead_terms = np.sort(np.concatenate((self._dead_terms, *terms)))

    def _append(self, rows: Sequence[PartitionRow]) -> None:
        first, count = self.slots, len(rows)
        self._reserve(first + count)
        span = slice(first, first + count)
        columns = dict(zip(PartitionRow._fields, zip(*rows, strict=True), strict=True))
        embeddings, terms, entities, flags, dates = zip(*columns["entry"], strict=True)
        for name, values in self._values(columns).items():
            self._columns[name][span] = values
        self._columns["flags"][span] = flags
        self.vectors.append(embeddings)
        distinct = self._append_terms(terms, first)
        sizes = np.fromiter(map(len, entities), np.int64, count) // HASH_BYTES
        self._columns["shortness"][span] = ranking.shortness(self._columns["length"][span])
        self._columns["standing"][span] = ranking.standing(
            length=self._columns["length"][span],
            distinct=distinct,
            flags=self._columns["flags"][span],
            entities=sizes,
            by_user=np.array([name is None or name.lower() in GENERIC_USERS for name in columns["speaker"]]),
            feedback=np.array([_FEEDBACK.get(verdict, 0) for verdict in columns["feedback"]], np.int8),
        )
        hashes = np.frombuffer(b"".join(entities), "<u4")
        self._append_spans(dates, first)
        owners = np.repeat(np.arange(first, first + count, dtype=np.int32), sizes)
        self._entities.append(hashes, owners, np.ones(len(hashes), np.uint8))
        self.slots = first + count
        self._in_use = {name: column[: self.slots] for name, column in self._columns.items()}

    def _values(self, columns: Mapping[str, tuple[Any, ...]]) -> dict[str, Any]:
        speakers = list(map(code, columns["speaker"]))
        self.speakers |= {known: name for known, name in zip(speakers, columns["speaker"], strict=True) if name}
        since = zip(columns["valid_from"], columns["created_at"], strict=True)
        return {
            "key": columns["key"],
            "state": [ACTIVE if state == "active" else CLOSED for state in columns["state"]],
            "live": True,
            "agent": list(map(code, columns["agent_id"])),
            "app": list(map(code, columns["app_id"])),
            "run": list(map(code, columns["run_id"])),
            "session": list(map(code, columns["session"])),
            "speaker": speakers,
            "created_at": columns["created_at"],
            "valid_from": [created if start is None else start for start, created in since],
            "valid_to": [FOREVER if end is None else end for end in columns["valid_to"]],
            "expires_on": [FOREVER if day is None else day for day in columns["expires_on"]],
            "around": NOWHERE,
            "session_number": NOWHERE,
            "mean_norm": np.nan,
            "specific": np.nan,
        }

    def _append_terms(self, blobs: Sequence[bytes], first_slot: int) -> NDArray[np.int64]:
        """Number the chunks of the new slots on and hand their postings over; how many distinct terms each slot has."""
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
        self.chunks += total
        self._columns["first_term"][slots] = self._terms_size + np.cumsum(sizes) - sizes
        self._columns["opening"][slots] = np.bincount(owner[chunk == 0], minlength=len(blobs))
        self._terms = grown(self._terms, self._terms_size + len(postings))
        self._terms[self._terms_size : self._terms_size + len(postings)] = postings["term"]
        self._terms_size += len(postings)
        self.postings.append(postings["term"].copy(), numbers, tf.copy())
        return sizes

    def _append_spans(self, blobs: Sequence[bytes], first_slot: int) -> None:
        sizes = np.fromiter(map(len, blobs), np.int64, len(blobs)) // SPAN_BYTES
        span = slice(self._span_count, self._span_count + int(sizes.sum()))
        self._spans = grown(self._spans, span.stop)
        self._spans[span, 0] = np.repeat(np.arange(first_slot, first_slot + len(blobs)), sizes)
        self._spans[span, 1:] = np.frombuffer(b"".join(blobs), "<i4").reshape(-1, 2)
        self._span_count = span.stop

    def _reserve(self, slots: int) -> None:
        for name, column in self._columns.items():
            self._columns[name] = grown(column, slots)

    def _relink_all(self) -> None:
        self.column("around")[:] = NOWHERE
        slots = np.flatnonzero(self.column("live"))
        known, numbers = np.unique(self.column("session")[slots], return_inverse=True)
        self.column("session_number")[slots] = numbers
        self.sessions = len(known)
        self._link(slots)

    def _relink(self, session: int) -> None:
        slots = np.flatnonzero(self.column("live") & (self.column("session") == session))
        self.column("around")[slots] = NOWHERE
        number = int(self.column("session_number")[slots].max(initial=NOWHERE))
        if number == NOWHERE:
            number, self.sessions = self.sessions, self.sessions + 1
        self.column("session_number")[slots] = number
        self._link(slots)

    def _link(self, slots: NDArray[np.int64]) -> None:
        """Make neighbours of those that share a session."""
        session, created, key = (self.column(name)[slots] for name in ("session", "created_at", "key"))
        order = np.lexsort((key, created, session))
        slots, session = slots[order], session[order]
        around = self.column("around")
        for step in range(1, REACH + 1):
            together = session[:-step] == session[step:]
            earlier, later = slots[:-step][together], slots[step:][together]
            around[later, PREVIOUS + step - 1] = earlier
            around[earlier, NEXT + step - 1] = later
        self.column("mean_norm")[slots] = np.nan


def code(text: str | None) -> int:
    """A text as a number that is equal for equal texts within this process; 0 for none."""
    return 0 if text is None else hash(text)
