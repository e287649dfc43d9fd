"""Many small writes in one transaction: a commit costs a sync of the disk, however much is in it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from kept.adapters.sqlite.failures import translated
from kept.adapters.sqlite.pool import Pool

T = TypeVar("T")


class _Ticket(Generic[T]):
    """One write that waits, and what became of it."""

    __slots__ = ("done", "error", "value", "work")

    def __init__(self, work: Callable[[sqlite3.Connection], T]) -> None:
        self.work = work
        self.done = False
        self.value: T | None = None
        self.error: BaseException | None = None

    def run(self, connection: sqlite3.Connection) -> None:
        """Do it inside the others' transaction; a failure takes back this one alone."""
        connection.execute("SAVEPOINT one")
        try:
            self.value, self.error = self.work(connection), None
            connection.execute("RELEASE one")
        except BaseException as error:  # noqa: BLE001 - it is raised again for whoever asked
            self.error = error
            if connection.in_transaction:  # some errors end the whole transaction; then nobody's write is kept
                connection.execute("ROLLBACK TO one")
                connection.execute("RELEASE one")


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
        self._waiting: list[_Ticket[Any]] = []
        self._mutex = threading.Lock()
        self._leading = threading.Lock()

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on the writing connection, inside a transaction that is on disk when this returns.

        Raises:
            StoreError: The store cannot be written; nothing of it was kept.
        """
        ticket = _Ticket(work)
        with self._mutex:
            self._waiting.append(ticket)
        with self._leading:
            if not ticket.done:
                self._write_all()
        with translated(self._path):
            if ticket.error is not None:
                raise ticket.error
        return ticket.value  # type: ignore[return-value]

    def _write_all(self) -> None:
        with self._mutex:
            tickets, self._waiting = self._waiting, []
        try:
            with self._pool.writer() as connection:
                _in_one_transaction(connection, tickets)
        except BaseException as error:
            for ticket in tickets:
                ticket.error = ticket.error or error
            raise
        finally:
            for ticket in tickets:
                ticket.done = True


def _in_one_transaction(connection: sqlite3.Connection, tickets: list[_Ticket[Any]]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for ticket in tickets:
            ticket.run(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
