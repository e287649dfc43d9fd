"""Counters that the processes of one server share, in memory of a fixed size.

The library that knows the limits (`limits`) counts in one process's memory, or in a service of its own. These counters lie in a
mapping that forked processes have in common, so whoever forks makes them first.
"""

from __future__ import annotations

import mmap
import multiprocessing
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final

from limits.storage import Storage

SLOTS: Final = 131_072
"""Twice the addresses that are told apart (`limits.COUNTERS`), which leaves room for as many keys: 3 MiB, of which the system gives
what is written to."""
PROBED: Final = 16
"""Slots in which a counter may lie. Where all are taken, the one that ends first gives way."""
PATIENCE_S: Final = 0.1
"""How long a process waits for its turn: some ten thousand times what counting takes. Then the one that has it was killed."""
_SLOT: Final = struct.Struct("=qqd")
"""Whose it is, its count, and when it ends in seconds since 1970."""
_Slot = tuple[int, int, float]


class SharedCounters(Storage):
    """Counts for this process, and for those that it forks. Safe for threads."""

    STORAGE_SCHEME: ClassVar[list[str] | None] = ["kept-shared"]  # type: ignore[misc]

    def __init__(self, slots: int = SLOTS) -> None:
        super().__init__()
        self._slots = slots
        self._memory = mmap.mmap(-1, slots * _SLOT.size)
        self._mutex = _shared_lock()

    @property
    def base_exceptions(self) -> type[Exception]:
        """What can go wrong: nothing that has a name."""
        return OSError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a counter, which ends so many seconds after its first: its count."""
        who, now = _number(key), time.time()
        with self._turn():
            place = self._place(who, now)
            owner, count, end = self._read(place)
            count, end = (count + amount, end) if owner == who and end > now else (amount, now + expiry)
            self._write(place, (who, count, end))
        return count

    def get(self, key: str) -> int:
        """A counter's count; 0 when it has ended."""
        found = self._find(key)
        return found[1] if found else 0

    def get_expiry(self, key: str) -> float:
        """When a counter ends, in seconds since 1970; now, when it has."""
        found = self._find(key)
        return found[2] if found else time.time()

    def check(self) -> bool:
        """Whether it can be used: always."""
        return True

    def reset(self) -> int:
        """End all counters: how many there were."""
        now = time.time()
        with self._turn():
            found = sum(self._read(place)[2] > now for place in range(self._slots))
            self._memory[:] = bytes(len(self._memory))
        return found

    def clear(self, key: str) -> None:
        """End one counter."""
        who, now = _number(key), time.time()
        with self._turn():
            place = self._place(who, now)
            if self._read(place)[0] == who:
                self._write(place, (0, 0, 0.0))

    def _find(self, key: str) -> _Slot | None:
        who, now = _number(key), time.time()
        with self._turn():
            found = self._read(self._place(who, now))
        return found if found[0] == who and found[2] > now else None

    def _place(self, who: int, now: float) -> int:
        """Where a counter lies, or may begin."""
        places = [(who + step) % self._slots for step in range(PROBED)]
        ends: list[float] = []
        for place in places:
            owner, _, end = self._read(place)
            if owner == who and end > now:
                return place
            ends.append(end)
        return places[ends.index(min(ends))]

    def _read(self, place: int) -> _Slot:
        return _SLOT.unpack_from(self._memory, place * _SLOT.size)

    def _write(self, place: int, slot: _Slot) -> None:
        _SLOT.pack_into(self._memory, place * _SLOT.size, *slot)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        held = self._mutex.acquire(timeout=PATIENCE_S)
        try:
            yield
        finally:
            if held:
                self._mutex.release()


def _shared_lock() -> Any:
    """A lock that forked processes share; where the system has none, one for this process's threads: a hit may then be lost between two."""
    # Of the kind that forks share, whichever way of starting processes this Python prefers.
    kind = "fork" if "fork" in multiprocessing.get_all_start_methods() else None
    try:
        return multiprocessing.get_context(kind).Lock()
    except (ImportError, OSError):  # no semaphores, or nowhere to keep them
        return threading.Lock()


def _number(key: str) -> int:
    """The same in all processes, since they are forks of one; nobody outside can choose it (`object.__hash__`, PYTHONHASHSEED)."""
    return hash(key) or 1
