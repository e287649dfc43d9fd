"""Opening a SQLite file as Kept's, without harm to what is not.

A file is looked at read-only before anything is written to it: a foreign database, a damaged one, or one of a newer
Kept is refused as it is.
"""

from __future__ import annotations

import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from kept.adapters.sql import register_functions
from kept.adapters.sqlite.failures import is_busy, translated
from kept.adapters.sqlite.queries import migrations, schema_version
from kept.errors import SchemaVersionError, StoreCorruptError, StoreReadOnlyError

APPLICATION_ID: Final = 0x4B455054
"""`KEPT` in ASCII, in the file's header, so that no other program's database is taken for ours."""

_HEADER: Final = b"SQLite format 3\x00"
_WRITE_CACHE_KIB: Final = 16384
"""Pages of a bulk import that wait in memory; the default of 2 MB spills in the middle of one."""
_CHECKPOINT_PAGES: Final = 4000
"""Some 16 MB of write-ahead log between checkpoints: a bulk import pays for fewer of them."""
_OWNER_ONLY: Final = 0o600
_MS_PER_S: Final = 1_000
_SWITCH_PAUSE_S: Final = 0.01
"""Between attempts to switch a new file to WAL, for which SQLite does not use its busy handler."""


def connect(path: Path, *, busy_timeout_s: float, writable: bool) -> sqlite3.Connection:
    """Open a connection with the pragmas that the promises need.

    Args:
        path: The file, already prepared by `prepare`.
        busy_timeout_s: How long a statement waits for other processes.
        writable: False for a connection that only reads.
    """
    connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
    try:
        _configure(connection, writable=writable)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def waiting(connection: sqlite3.Connection, wait_ms: int, *, usually_s: float) -> Iterator[None]:
    """Let statements wait that long for other processes, and as long as usual again after the block."""
    connection.execute(f"PRAGMA busy_timeout = {wait_ms}")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA busy_timeout = {round(usually_s * _MS_PER_S)}")


def _configure(connection: sqlite3.Connection, *, writable: bool) -> None:
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA trusted_schema = OFF")
    if writable:
        connection.execute("PRAGMA synchronous = FULL")  # committed means on disk
        connection.execute("PRAGMA secure_delete = ON")  # freed bytes are overwritten: erased means gone
        connection.execute(f"PRAGMA cache_size = -{_WRITE_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    else:
        connection.execute("PRAGMA query_only = ON")
    register_functions(connection)


def prepare(path: Path, *, busy_timeout_s: float) -> None:
    """Make sure that `path` is a Kept database of this schema: create it, migrate it, or refuse it untouched.

    Raises:
        StoreCorruptError: It is no SQLite database, another program's, or truncated.
        SchemaVersionError: It was written by a newer Kept.
        StoreReadOnlyError: It does not exist and cannot be created, or needs a migration and cannot be written.
    """
    if version_of(path, busy_timeout_s=busy_timeout_s) == schema_version():
        return
    _create(path)
    with translated(str(path)), closing(connect(path, busy_timeout_s=busy_timeout_s, writable=True)) as connection:
        _use_wal(connection, busy_timeout_s)
        migrate(connection)


def version_of(path: Path, *, busy_timeout_s: float) -> int:
    """The schema version of a Kept database, 0 where there is nothing yet; it is only read.

    Raises:
        StoreCorruptError: As `prepare`.
        SchemaVersionError: As `prepare`.
        StoreReadOnlyError: It cannot be read.
    """
    with translated(str(path)):
        return _inspect(path, busy_timeout_s) if _has_content(path) else 0


def create_private(path: Path) -> None:
    """An empty file that only its owner can read, unless it exists.

    Raises:
        OSError: It cannot be made.
    """
    path.touch(mode=_OWNER_ONLY, exist_ok=True)


def _create(path: Path) -> None:
    """A new file is its owner's alone; what SQLite puts beside it takes over the mode. One that exists keeps its own."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreReadOnlyError(f"The folder {path.parent} cannot be created: {error.strerror}.") from error
    try:
        create_private(path)
    except OSError as error:
        raise StoreReadOnlyError(f"The store {path} cannot be written: {error.strerror}.") from error


def migrate(connection: sqlite3.Connection, *, upto: int | None = None) -> None:
    """Apply the migrations that are missing, each whole or not at all; safe when two processes start at once."""
    for number, script in migrations():
        if upto is not None and number > upto:
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            if _pragma(connection, "user_version") < number:
                for statement in _statements(script):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def _has_content(path: Path) -> bool:
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreReadOnlyError(f"The store {path} cannot be read: {error.strerror}.") from error
    if stat.S_ISDIR(found.st_mode):
        raise StoreReadOnlyError(f"{path} is a folder; name a file in it, for example {path / 'kept.db'}.")
    return found.st_size > 0


def _inspect(path: Path, busy_timeout_s: float) -> int:
    """The schema version of an existing file, 0 for an empty database; nothing is written."""
    try:
        with path.open("rb") as file:
            header = file.read(len(_HEADER))
    except OSError as error:
        raise StoreReadOnlyError(f"The store {path} cannot be read: {error.strerror}.") from error
    if header != _HEADER:
        raise StoreCorruptError(f"{path} is not a Kept database (no SQLite header); it was left as it was.")
    pending = _wal_has_content(path)
    # Without a write-ahead log the file is the whole truth, and `immutable` keeps SQLite from making files beside it.
    address = f"file:{quote(str(path.absolute()))}?mode=ro{'' if pending else '&immutable=1'}"
    with closing(sqlite3.connect(address, uri=True, timeout=busy_timeout_s)) as connection:
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        application, version = _pragma(connection, "application_id"), _pragma(connection, "user_version")
        if tables and application != APPLICATION_ID:
            raise StoreCorruptError(f"{path} is another program's SQLite database; it was left as it was.")
        if version > schema_version():
            raise SchemaVersionError(
                f"{path} has schema {version}, this Kept knows {schema_version()}; it was left as it was. "
                "Upgrade Kept to open it."
            )
        if not pending:  # else pages may still be in the write-ahead log
            _check_length(path, connection)
    return version


def _wal_has_content(path: Path) -> bool:
    log = path.with_name(path.name + "-wal")
    return log.exists() and log.stat().st_size > 0


def _check_length(path: Path, connection: sqlite3.Connection) -> None:
    """A file shorter than its own page count was truncated; SQLite itself notices only when it needs a missing page."""
    expected = _pragma(connection, "page_count") * _pragma(connection, "page_size")
    actual = path.stat().st_size
    if actual < expected:
        raise StoreCorruptError(
            f"{path} is truncated: {actual} of {expected} bytes; it was left as it was. Restore a backup."
        )


def _use_wal(connection: sqlite3.Connection, busy_timeout_s: float) -> None:
    deadline = time.monotonic() + busy_timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(_SWITCH_PAUSE_S)
        else:
            return


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _statements(script: str) -> list[str]:
    """The statements of a migration. `executescript` would commit the transaction that makes it whole."""
    found, pending = [], ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            found.append(pending)
            pending = ""
    return found
