"""When searches found memories, on the log's own SQLite file."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from kept.adapters.sqlite.batching import GroupCommit
from kept.adapters.sqlite.control import OnLog
from kept.adapters.sqlite.pool import Pool
from kept.domain.decay import MOST_TOUCHES, Touched
from kept.domain.history import from_microseconds, to_microseconds


class SqliteTouches(OnLog):
    """The touches port."""

    def touch(self, project: str, memory_ids: Collection[str], at: datetime) -> None:
        ids = json.dumps(list(memory_ids))
        self._write("touch", {"project": project, "ids": ids, "at": to_microseconds(at), "most": MOST_TOUCHES})

    def touched(self, project: str, memory_ids: Collection[str]) -> dict[str, Touched]:
        found = self._named("touched", {"project": project, "ids": json.dumps(list(memory_ids))})
        return {row["memory_id"]: Touched(at=from_microseconds(row["at"]), touches=row["touches"]) for row in found}


def open_touches(pool: Pool, path: Path) -> SqliteTouches:
    """Touches over the connections of a log, in the same file."""
    return SqliteTouches(pool, path, GroupCommit(pool, str(path)))
