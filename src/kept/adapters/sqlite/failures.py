"""SQLite's errors, translated once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from kept.adapters.sqlite.rows import UNREADABLE
from kept.errors import (
    ConflictError,
    InvalidInputError,
    StoreBusyError,
    StoreCorruptError,
    StoreError,
    StoreFullError,
    StoreReadOnlyError,
)

T = TypeVar("T")

_PRIMARY_CODE: Final = 0xFF
"""The low byte of an extended result code is the primary one (https://www.sqlite.org/rescode.html)."""

_KINDS: Final[dict[int, type[StoreError]]] = {
    sqlite3.SQLITE_BUSY: StoreBusyError,
    sqlite3.SQLITE_LOCKED: StoreBusyError,
    sqlite3.SQLITE_FULL: StoreFullError,
    sqlite3.SQLITE_READONLY: StoreReadOnlyError,
    sqlite3.SQLITE_CANTOPEN: StoreReadOnlyError,
    sqlite3.SQLITE_PERM: StoreReadOnlyError,
    sqlite3.SQLITE_AUTH: StoreReadOnlyError,
    sqlite3.SQLITE_CORRUPT: StoreCorruptError,
    sqlite3.SQLITE_NOTADB: StoreCorruptError,
}

_EXTENDED_KINDS: Final[dict[int, type[StoreError]]] = {
    sqlite3.SQLITE_IOERR_WRITE: StoreFullError,  # a quota or a limit on file size; SQLITE_FULL is a full device only
}

_UNDECODABLE: Final = "Could not decode"
"""How sqlite3 begins its error for text that is no UTF-8. It has no code, and goes on with the text itself."""

_ADVICE: Final[dict[type[StoreError], str]] = {
    StoreBusyError: "is held by another process; nothing was written. Try again, or raise KEPT_BUSY_TIMEOUT_S.",
    StoreFullError: "cannot grow: the disk (or its quota) is full; nothing was written. Free some space and try again.",
    StoreReadOnlyError: "cannot be opened for writing; check that the file and its folder exist and are writable.",
    StoreCorruptError: "is damaged or is not a Kept database; it was left as it was. Restore a backup, or look at it "
    "with `kept verify`.",
}


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turn sqlite3's errors inside the block into Kept's, with the file's name and what to do."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise ConflictError(f"The store {path} refused the write: {error}.") from error
    except sqlite3.Error as error:
        raise translate(error, path) from (None if _is_undecodable(error) else error)
    except UnicodeEncodeError:
        raise InvalidInputError("A text holds half a character (a surrogate without its other half).") from None


def translate(error: sqlite3.Error, path: str) -> StoreError:
    """The Kept error for one of sqlite3's."""
    if _is_undecodable(error):
        return StoreCorruptError(f"The store {path} {_ADVICE[StoreCorruptError]} (A text in it is no UTF-8.)")
    code = getattr(error, "sqlite_errorcode", 0)
    kind = _EXTENDED_KINDS.get(code) or _KINDS.get(code & _PRIMARY_CODE)
    if kind is None:
        return StoreError(f"The store {path} failed: {error}.")
    return kind(f"The store {path} {_ADVICE[kind]} (SQLite: {error})")


def is_busy(error: sqlite3.Error) -> bool:
    """Whether somebody else holds the lock that was needed."""
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE == sqlite3.SQLITE_BUSY


def _is_undecodable(error: sqlite3.Error) -> bool:
    return str(error).startswith(_UNDECODABLE)


def decoded(path: str, decode: Callable[[Any], T], found: Iterable[Any]) -> Iterator[T]:
    """Rows as values. One that cannot be read is damage, whatever Python calls it; its content is not repeated."""
    try:
        yield from map(decode, found)
    except UNREADABLE as error:
        raise StoreCorruptError(
            f"The store {path} holds a row that cannot be read ({type(error).__name__} in {decode.__name__}); "
            "it was left as it was. Restore a backup, or look at it with `kept verify`."
        ) from None
