"""The connections of one log: lent to readers, held by one writer, closed when nobody will use them again.

A SQLite connection must not be carried over a fork (https://www.sqlite.org/howtocorrupt.html, section 2.6): a child that
opens the file beside an inherited connection takes no locks of its own. So what is idle is closed before a fork, and what
was in use then belongs to the parent: the child neither uses nor closes it.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final

from kept.adapters.sqlite.connections import connect, waiting
from kept.adapters.sqlite.failures import is_busy, translated
from kept.errors import StoreBusyError, StoreError

_LOOK_MS: Final = 3
"""How long SQLite itself waits for another process's write: it looks again after 1 ms, and after 2 more."""


class _Connections:
    """Those of one process. A child has locks of its own: who held the parent's is not there to let go."""

    __slots__ = ("idle", "lent", "lock", "watch_lock", "watcher", "write_lock", "writer")

    def __init__(self) -> None:
        self.lock = threading.RLock()  # the garbage collector may end a read while this thread holds it
        self.write_lock = threading.Lock()
        self.watch_lock = threading.Lock()
        self.idle: list[sqlite3.Connection] = []
        self.lent: set[sqlite3.Connection] = set()
        self.writer: sqlite3.Connection | None = None
        self.watcher: _Watcher | None = None


class Pool:
    """Opens connections when they are needed; safe for threads, and for processes that fork.

    Args:
        path: The file, already prepared.
        busy_timeout_s: How long a statement waits for other processes.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._file = _identity_of(path)
        self._by_process: dict[int, _Connections] = {}
        self._closed = False
        _rest_before_forks()
        _POOLS.add(self)

    @contextmanager
    def reader(self) -> Iterator[sqlite3.Connection]:
        """A connection that only reads, for the length of the block."""
        own = self._own()
        with own.lock:
            self._require_open()
            connection = own.idle.pop() if own.idle else None
        connection = connection or self._open(writable=False)
        with own.lock:
            own.lent.add(connection)
        try:
            yield connection
        finally:
            with own.lock:
                own.lent.discard(connection)
                keep = not self._closed or own is not self._own()  # a parent's is not for its child to close
                if keep:
                    own.idle.append(connection)
            if not keep:
                _close_reader(connection)

    @contextmanager
    def writer(self, *, wait_s: float | None = None) -> Iterator[sqlite3.Connection]:
        """The one connection that writes, for the length of the block; other threads wait, unless for so long at most.

        Raises:
            StoreBusyError: Another thread had it for longer.
        """
        own = self._own()
        with own.write_lock if wait_s is None else self._held(own.write_lock, wait_s):
            self._require_open()
            if own.writer is None:
                own.writer = self._open(writable=True)
            if own.writer.in_transaction:
                own.writer.rollback()  # an interrupt came between the beginning of a write and its block
            yield own.writer

    @contextmanager
    def _held(self, lock: threading.Lock, wait_s: float) -> Iterator[None]:
        if not lock.acquire(timeout=wait_s):
            raise StoreBusyError(f"The store {self._path} is written by another thread for long; nothing was written.")
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def transaction(self, *, wait_s: float | None = None) -> Iterator[sqlite3.Connection]:
        """One atomic write: committed and on disk when the block ends, undone when it raises.

        Args:
            wait_s: How long to wait at most for other threads, and then for other processes; else as long as it takes for the
                ones, and as long as usual for the others.

        Raises:
            StoreError: The store cannot be written, or is another file than it was; nothing was written.
        """
        process = os.getpid()
        with translated(str(self._path)), self.writer(wait_s=wait_s) as connection:
            self._require_file()
            try:
                self._begin(connection, self._busy_timeout_s if wait_s is None else wait_s)
                yield connection
                self._require_process(process)
                connection.execute("COMMIT")
            except BaseException:
                if os.getpid() == process and connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _begin(self, connection: sqlite3.Connection, wait_s: float) -> None:
        """Begin a write when no other process writes.

        SQLite alone would look again after ever longer pauses, up to a tenth of a second, in which others begin: two processes
        that write without pause then mostly sleep (`benchmarks/serve.py --processes 2 --phases add`).
        """
        until = time.monotonic() + wait_s
        with waiting(connection, _LOOK_MS, usually_s=self._busy_timeout_s):
            while True:
                try:
                    connection.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError as error:
                    if not is_busy(error) or time.monotonic() >= until:
                        raise
                else:
                    return

    def version(self) -> tuple[int, int]:
        """Equal to an earlier one only if nothing was committed in between, by whichever connection of whichever process."""
        own = self._own()
        with own.watch_lock:
            self._require_open()
            if own.watcher is None:
                own.watcher = _Watcher(self._open(writable=False))
            return own.watcher.version()

    def close(self) -> None:
        """Close what is idle and interrupt what is lent, which is closed when it is given back; waits for a write to end.

        Closing a connection under a thread that reads from it would end the process.
        """
        own = self._own()
        with own.lock:
            self._closed = True
            connections, own.idle = own.idle, []
            for lent in own.lent:
                lent.interrupt()
        for connection in connections:
            connection.close()
        with own.write_lock:
            _close_writer(own)
        with own.watch_lock:
            _close_watcher(own)

    def rest(self) -> None:
        """Close what is not in use, without waiting; the next read or write opens it anew."""
        own = self._own()
        with own.lock:
            idle, own.idle = own.idle, []
        for connection in idle:
            connection.close()
        for lock, close in ((own.write_lock, _close_writer), (own.watch_lock, _close_watcher)):
            if lock.acquire(blocking=False):
                try:
                    close(own)
                finally:
                    lock.release()

    def end(self) -> None:
        """Close what is not in use, for good: nobody can ask for it again. What is lent follows when it is given back."""
        with self._own().lock:
            self._closed = True
        self.rest()
        _INHERITED.extend(found for process, found in self._by_process.items() if process != os.getpid())

    def _own(self) -> _Connections:
        process = os.getpid()
        return self._by_process.get(process) or self._by_process.setdefault(process, _Connections())

    def _open(self, *, writable: bool) -> sqlite3.Connection:
        return connect(self._path, busy_timeout_s=self._busy_timeout_s, writable=writable)

    def _require_open(self) -> None:
        if self._closed:
            raise StoreError(f"The store {self._path} was closed.")

    def _require_file(self) -> None:
        """What is written to a file that was deleted or replaced meanwhile would be lost when the pool is closed."""
        if _identity_of(self._path) != self._file:
            raise StoreError(
                f"The store {self._path} was deleted or replaced while it was open; nothing was written. Open it again."
            )

    def _require_process(self, process: int) -> None:
        if os.getpid() != process:
            raise StoreError(f"A write to the store {self._path} does not go over a fork; begin one in the child.")


def _identity_of(path: Path) -> tuple[int, int] | None:
    """Which file stands at a path now; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _close_reader(connection: sqlite3.Connection) -> None:
    """Close one that may be the last of its file, which then brings the write-ahead log in and removes it."""
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA query_only = OFF")
    connection.close()


def _close_writer(own: _Connections) -> None:
    if own.writer is not None:
        own.writer.close()
        own.writer = None


def _close_watcher(own: _Connections) -> None:
    if own.watcher is not None:
        own.watcher.connection.close()
        own.watcher = None


class _Watcher:
    """A connection that only looks whether others committed. What it says can be compared with what it said before."""

    _numbers = itertools.count()

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._number = next(self._numbers)  # a child goes on counting where its parent was

    def version(self) -> tuple[int, int]:
        """`data_version` (https://www.sqlite.org/pragma.html#pragma_data_version) and whose it is."""
        return self._number, self.connection.execute("PRAGMA data_version").fetchone()[0]


_POOLS: Final[weakref.WeakSet[Pool]] = weakref.WeakSet()
_INHERITED: Final[list[_Connections]] = []
"""In a child: connections of its parent, kept because dropping the last reference would close them."""


@cache
def _rest_before_forks() -> None:
    """Have all pools rest before each fork of this process (Windows has none)."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_rest_all)


def _rest_all() -> None:
    for pool in list(_POOLS):
        pool.rest()
