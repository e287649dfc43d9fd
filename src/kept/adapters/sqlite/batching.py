"""Many small writes in one transaction: a commit costs a sync of the disk, however much is in it."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from kept.adapters.sqlite.failures import translated
from kept.adapters.sqlite.pool import Pool
from kept.errors import StoreError

T = TypeVar("T")

_UNKNOWN: Final = "A write to the store {} was interrupted at its very end; look again whether it is there."


class _Ticket(Generic[T]):
    """One write that waits, and what became of it."""

    __slots__ = ("done", "error", "value", "work")

    def __init__(self, work: Callable[[sqlite3.Connection], T]) -> None:
        self.work = work
        self.done = False
        self.value: T | None = None
        self.error: Exception | None = None

    def run(self, connection: sqlite3.Connection) -> None:
        """Do it inside the others' transaction; a failure takes back this one alone."""
        self.error = None
        connection.execute("SAVEPOINT one")
        try:
            self.value = self.work(connection)
        except Exception as error:
            if not connection.in_transaction:  # some errors end the whole transaction; then nobody's write is kept
                raise
            self.error = error  # it is raised again for whoever asked
            connection.execute("ROLLBACK TO one")
        connection.execute("RELEASE one")


class _Queue:
    """The writes that wait in one process. A child has its own: who held the parent's locks is not there to let go."""

    __slots__ = ("leading", "mutex", "waiting")

    def __init__(self) -> None:
        self.waiting: list[_Ticket[Any]] = []
        self.mutex = threading.Lock()
        self.leading = threading.Lock()

    def join(self, *tickets: _Ticket[Any]) -> None:
        with self.mutex:
            self.waiting.extend(tickets)

    def leave(self, ticket: _Ticket[Any]) -> None:
        with self.mutex:
            if ticket in self.waiting:
                self.waiting.remove(ticket)

    def take(self) -> list[_Ticket[Any]]:
        with self.mutex:
            tickets, self.waiting = self.waiting, []
            return tickets


class GroupCommit:
    """Runs writes of many threads, each of which waits until its own is on disk.

    Whoever comes first writes for all who came meanwhile, so that a hundred threads need two or three commits, not a
    hundred, and one thread waits for nobody.

    Args:
        pool: The connections.
        path: The file's name, for errors.
    """

    def __init__(self, pool: Pool, path: str) -> None:
        self._pool = pool
        self._path = path
        self._queues: dict[int, _Queue] = {}

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on the writing connection, inside a transaction that is on disk when this returns.

        Raises:
            StoreError: The store cannot be written; nothing of it was kept.
        """
        ticket, queue = _Ticket(work), self._queue()
        queue.join(ticket)
        try:
            with queue.leading:
                if not ticket.done:
                    self._write_all(queue, ticket)
        finally:
            queue.leave(ticket)  # it is still there when an interrupt ended the wait
        if ticket.error is not None:
            with translated(self._path):
                raise ticket.error
        return ticket.value  # type: ignore[return-value]

    def _queue(self) -> _Queue:
        process = os.getpid()
        return self._queues.get(process) or self._queues.setdefault(process, _Queue())

    def _write_all(self, queue: _Queue, own: _Ticket[Any]) -> None:
        tickets = queue.take()
        others = [ticket for ticket in tickets if ticket is not own]
        ended = False
        try:
            with self._pool.transaction() as connection:
                for ticket in tickets:
                    ticket.run(connection)
                ended = True
        except Exception as error:  # noqa: BLE001 - each of them raises it again
            for ticket in tickets:
                ticket.error = ticket.error or error
        except BaseException:  # an interrupt is this thread's alone
            if not ended:
                queue.join(*others)  # nothing was kept, so that the next of them can begin anew
                tickets = [own]
            for ticket in others:
                ticket.error = StoreError(_UNKNOWN.format(self._path)) if ended else None
            raise
        finally:
            for ticket in tickets:
                ticket.done = True
