"""The audit's writer: what callers did is gathered and written together, so that no read waits for the disk, or for another writer.

Changes of memories are in the log the moment they are made, with their actor; an audit entry follows within a second and, of
a process that is killed, the last second of entries may be missing.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from kept.errors import StoreError
from kept.ports import Audit, AuditEntry

FLUSH_SECONDS: Final = 0.5
"""How long an entry waits for others at most."""
MAX_WAITING: Final = 100_000
"""Entries kept while the store cannot be written; beyond that the oldest half goes (some 40 MB)."""


class AuditTrail:
    """Gathers audit entries and writes them together.

    Args:
        audit: Where they go.

    Attributes:
        lost: Entries that could not be kept.
        counts: How often each action had each outcome, since the process began.
    """

    def __init__(self, audit: Audit) -> None:
        self.audit = audit
        self.lost = 0
        self.counts: Counter[tuple[str, str]] = Counter()
        self._waiting: list[AuditEntry] = []
        self._marks: list[Callable[[], object]] = []
        self._mutex = threading.Lock()
        self._writing = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """Entries that are not written yet."""
        return len(self._waiting)

    def note(self, entry: AuditEntry) -> None:
        """Keep an entry; it is written soon."""
        with self._mutex:
            self._waiting.append(entry)
            self.counts[entry.action, entry.outcome] += 1
            self._begin()
        if self._closed:
            self.flush()

    def mark(self, write: Callable[[], object]) -> None:
        """Write soon when a key or a link was used; of a store that cannot be written then, not at all."""
        with self._mutex:
            self._marks.append(write)
            self._begin()

    def flush(self) -> None:
        """Write what waits; entries that cannot be written now are kept for the next time.

        Whoever comes while another writes waits for it, and finds written what was noted before.
        """
        with self._writing:
            with self._mutex:
                entries, self._waiting = self._waiting, []
                marks, self._marks = self._marks, []
            if entries:
                self._write(entries)
            for write in marks:
                with suppress(StoreError):
                    write()

    def _write(self, entries: list[AuditEntry]) -> None:
        try:
            self.audit.append(entries)
        except StoreError:
            with self._mutex:
                kept = entries + self._waiting
                self._waiting = kept[-MAX_WAITING:]
                self.lost += len(kept) - len(self._waiting)

    def close(self) -> None:
        """Write what waits and stop. Closing twice is harmless."""
        self._closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def _begin(self) -> None:
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._run, name="kept-audit", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._wake.wait(FLUSH_SECONDS):
            self.flush()
