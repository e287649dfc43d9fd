"""The partitions in memory: loaded on first use, refreshed before a search when a memory changed, dropped by least recent use."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Final

from kept.engine.indexing import Indexer
from kept.engine.ingest import BATCH_DRAFTS
from kept.engine.partition import ResidentPartition
from kept.ports import Log

DEFAULT_BUDGET_BYTES: Final = 1_000_000_000
"""Room for one partition of a million memories (some 500 MB) and many small ones."""


class _Place:
    """A partition and the lock under which it is refreshed and read."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.partition: ResidentPartition | None = None
        self.version: Hashable = None
        self.head = -1
        self.size_bytes = 0


class Residents:
    """The embedded index of a whole store.

    Args:
        log: What the partitions project.
        indexer: Its identity says which index entries are theirs.
        budget_bytes: The partitions that were not used for the longest time are dropped above it; the one in use never.
    """

    def __init__(self, log: Log, indexer: Indexer, *, budget_bytes: int = DEFAULT_BUDGET_BYTES) -> None:
        self._log = log
        self._indexer = indexer  # its identity is asked late: an embedder at a provider must be reached for it
        self._budget_bytes = budget_bytes
        self._lock = threading.Lock()
        self._places: OrderedDict[int, _Place] = OrderedDict()
        self._head: tuple[Hashable, int] = None, -1

    @property
    def size_bytes(self) -> int:
        """Memory held by all partitions."""
        with self._lock:
            return sum(place.size_bytes for place in self._places.values())

    @contextmanager
    def fresh(self, partition_id: int) -> Iterator[ResidentPartition]:
        """Lend a partition that has every committed revision applied; nobody else changes it meanwhile."""
        with self._lock:
            place = self._places.setdefault(partition_id, _Place())
            self._places.move_to_end(partition_id)
        with place.lock:
            # Both before the rows are read: what is committed meanwhile is looked for next time.
            version = self._log.version()
            head = place.head if place.version == version else self._head_at(version)
            partition = place.partition
            if partition is None or place.head != head or (partition.waiting and place.version != version):
                partition = self._refresh(place, partition_id)
            place.version, place.head = version, head
            yield partition

    def _head_at(self, version: Hashable) -> int:
        """Where the log ended at that version or later: most that is committed under reads (an audit, jobs) moves no memory."""
        with self._lock:
            if self._head[0] != version:
                self._head = version, self._log.head()
            return self._head[1]

    def rows(self, partition_id: int) -> int | None:
        """How many memories a search of the partition looks at; None where it would have to be loaded, or waited for."""
        place = self._places.get(partition_id)
        if place is None or place.partition is None or place.lock.locked():
            return None
        return place.partition.slots

    def forget(self) -> None:
        """Drop every partition; the next search loads what it needs."""
        with self._lock:
            self._places.clear()

    def _refresh(self, place: _Place, partition_id: int) -> ResidentPartition:
        known = place.partition, place.partition.cursor if place.partition else 0
        # Taken away while it changes: one that an interrupt or a damaged row left half refreshed is never used again.
        partition, place.partition = place.partition, None
        place.partition = partition = self._refreshed(partition_id, partition)
        if (partition, partition.cursor) != known:
            place.size_bytes = partition.size_bytes
            self._shrink(partition_id)
        return partition

    def _refreshed(self, partition_id: int, partition: ResidentPartition | None) -> ResidentPartition:
        if partition is None:
            partition = ResidentPartition(self._indexer.dimensions)
        rows = self._log.partition_rows(partition_id, partition.cursor, self._indexer.identity)
        if partition.cursor == 0:
            partition.refresh(rows)
            again = bool(partition.waiting) and self._index_again(partition_id)
            return self._refreshed(partition_id, None) if again else partition
        changed = list(rows)
        if any(row.state == "erased" for row in changed) or partition.is_sparse or partition.waiting:
            # What was erased leaves memory too, a partition that is mostly dead slots is made anew, and rows that wait
            # for an index get one without a new place in the log.
            return self._refreshed(partition_id, None)
        if changed:
            partition.refresh(changed)
        return partition

    def _index_again(self, partition_id: int) -> bool:
        """Index what an earlier Kept indexed with the same embedder; whether there was any.

        That needs nobody's decision, as another embedder does, and takes some 200 µs a memory, once.
        """
        if not any(map(self._indexer.is_earlier, self._log.index_identities(partition_id))):
            return False
        rows = self._log.partition_rows(partition_id, 0, self._indexer.identity)
        waiting = iter([row.key for row in rows if row.entry is None])
        written = 0
        while keys := list(islice(waiting, BATCH_DRAFTS)):
            found = [record for record in self._log.by_keys(keys).values() if record.state != "erased"]
            entries = self._indexer.entries(
                [record.text for record in found],
                [record.entity_refs for record in found],
                [record.created_at for record in found],
                project=found[0].project,
            )
            with self._log.write() as transaction:
                now = transaction.by_keys([record.key for record in found])
                fresh = {
                    record.key: entry
                    for record, entry in zip(found, entries, strict=True)
                    if now[record.key].seq == record.seq  # else whoever changed it indexed it
                }
                transaction.put_entries(fresh, identity=self._indexer.identity_of(fresh.values()))
            written += len(fresh)
        return written > 0

    def _shrink(self, in_use: int) -> None:
        with self._lock:
            excess = sum(place.size_bytes for place in self._places.values()) - self._budget_bytes
            for partition_id in list(self._places):
                if excess <= 0:
                    return
                if partition_id != in_use:
                    excess -= self._places.pop(partition_id).size_bytes
