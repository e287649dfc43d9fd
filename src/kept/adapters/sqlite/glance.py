"""A glance at a store: how many memories a scope has and the newest of them, by nothing but the standard library.

A coding session waits for this at each start, and importing what writes a store takes longer than all that is read here. It follows the
log's own lists (a test compares the two), and whatever is not plain, a new file, another schema, a lock, is left to the log.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

SCHEMAS: Final = frozenset({1, 2, 3, 4})
"""Versions in which the columns read here mean what they mean now."""
COLUMNS: Final = "id, text, speaker, created_at, app_id, run_id, metadata"
"""In the order of a row's values."""
BUSY_S: Final = 1.0
"""How long a reader waits for a checkpoint that holds the file."""

Row = tuple[str, str, str | None, int, str | None, str | None, str | None]
"""Values of `COLUMNS`: the time in microseconds since 1970 UTC, the metadata as JSON."""

_LISTED: Final = (
    "FROM memory WHERE project = :project AND app_id = :app_id AND state = 'active'"
    " AND (expires_on IS NULL OR expires_on >= :today)"
)
_OF_USER: Final = (
    " AND user_id = :user_id AND partition = (SELECT id FROM partition WHERE project = :project AND user_id = :user_id)"
)


class Glance:
    """The current memories of one application.

    Args:
        path: The store's file.
        project: The project.
        user_id: Whose; None means everybody's.
        app_id: The application.
        today: ISO 8601; what expired before is left out.
    """

    def __init__(self, path: Path, *, project: str, user_id: str | None, app_id: str, today: str) -> None:
        self._path = path
        self._address = f"file:{quote(path.absolute().as_posix())}?mode=ro"
        self._listed = _LISTED + (_OF_USER if user_id is not None else "")
        self._values = {"project": project, "user_id": user_id, "app_id": app_id, "today": today}

    def count(self) -> int | None:
        """How many there are; None when the store has to be opened by the log."""
        found = self._read(f"SELECT count(*) {self._listed}")
        return None if found is None else sum(int(row[0]) for row in found)

    def newest(self, limit: int, *, lasting: bool = False) -> Sequence[Row] | None:
        """The newest, newest first; with `lasting` only those that never expire. None as above."""
        never = " AND expires_on IS NULL" if lasting else ""
        return self._read(f"SELECT {COLUMNS} {self._listed}{never} ORDER BY created_at DESC, key DESC LIMIT {limit:d}")

    def _read(self, statement: str) -> list[Row] | None:
        if not self._path.exists():
            return []
        try:
            with closing(sqlite3.connect(self._address, uri=True, timeout=BUSY_S)) as connection:
                if connection.execute("PRAGMA user_version").fetchone()[0] not in SCHEMAS:
                    return None
                return connection.execute(statement, self._values).fetchall()
        except sqlite3.Error:
            return None
