"""The ledger on the log's own SQLite file: room is looked for and taken in one write, which other processes wait for."""
# ruff: noqa: S608 - only constant fragments are joined; every value is a parameter

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from kept.adapters.sqlite.batching import GroupCommit
from kept.adapters.sqlite.control import OnLog
from kept.adapters.sqlite.failures import decoded
from kept.adapters.sqlite.pool import Pool
from kept.adapters.sqlite.queries import queries
from kept.domain.history import from_microseconds, to_microseconds
from kept.domain.spending import ModelCall, SpendingGroup, SpendingLimit, SpendingListing, SpendingTotal, Usage
from kept.errors import ConflictError

_NAMES: Final[Mapping[SpendingGroup, str]] = {
    "day": "date(at / 1000000, 'unixepoch')",
    "project": "project",
    "task": "task",
    "model": "model",
    "job": "coalesce(job_id, '')",
}
"""What gives a call's name in a group; `at` is in microseconds."""
RECORD_WAIT_S: Final = 0.1
"""How long a call that is over waits for those who write the store: several of their usual writes. A search waits for it."""
_CONDITIONS: Final[Mapping[str, str]] = {
    "project": "project = :project",
    "task": "task = :task",
    "job_ids": "job_id IN (SELECT value FROM json_each(:job_ids))",
    "after": "at >= :after",
    "before": "at < :before",
}


class SqliteLedger(OnLog):
    """The ledger port."""

    def reserve(self, call: ModelCall, limits: Sequence[SpendingLimit]) -> None:
        bounds = [(limit, limit.counts(call.project, call.at, call.job_id)) for limit in limits if limit.is_set]

        def take(connection: sqlite3.Connection) -> None:
            spent = cache(partial(_spent, connection))  # limits of tokens and of dollars bound the same calls
            for limit, bounded in bounds:
                if bounded is not None:
                    limit.require_room(spent(bounded), call)
            connection.execute(queries()["insert_model_call"], _row(call))

        try:
            self._commits.run(take)
        except ConflictError:
            raise _known_already(call) from None

    def record(self, call: ModelCall) -> None:
        try:
            with self._pool.transaction(wait_s=RECORD_WAIT_S) as connection:  # not with others, who may wait for longer
                connection.execute(queries()["insert_model_call"], _row(call))
        except ConflictError:
            raise _known_already(call) from None

    def settle(self, call: ModelCall) -> None:
        self._write("settle_model_call", _row(call))

    def release(self, call_id: str) -> None:
        self._write("release_model_call", {"id": call_id})

    def answered(self, project: str, digest: str) -> ModelCall | None:
        found = self._named("answered_model_call", {"project": project, "digest": digest})
        return next(decoded(self._path, _to_call, found), None)

    def page(self, listing: SpendingListing, *, limit: int, offset: int = 0) -> list[ModelCall]:
        sql, parameters = _where(listing)
        page = parameters | {"limit": limit, "offset": offset}
        found = self._all(f"SELECT * FROM model_call WHERE {sql} ORDER BY key DESC LIMIT :limit OFFSET :offset", page)
        return list(decoded(self._path, _to_call, found))

    def totals(self, listing: SpendingListing, by: SpendingGroup) -> dict[str, SpendingTotal]:
        sql, parameters = _where(listing)
        found = self._all(
            f"SELECT {_NAMES[by]} AS name, {queries()['spending']} WHERE {sql} GROUP BY name ORDER BY name", parameters
        )
        return {row["name"]: _to_total(row) for row in found}

    def purge(self, before: datetime) -> int:
        return self._write("purge_model_calls", {"before": to_microseconds(before)})


def open_ledger(pool: Pool, path: Path) -> SqliteLedger:
    """The ledger over the connections of a log, in the same file."""
    return SqliteLedger(pool, path, GroupCommit(pool, str(path)))


def _known_already(call: ModelCall) -> ConflictError:
    return ConflictError(f"There is already a call {call.id}.")


def _spent(connection: sqlite3.Connection, listing: SpendingListing) -> SpendingTotal:
    sql, parameters = _where(listing)
    return _to_total(connection.execute(f"SELECT {queries()['spending']} WHERE {sql}", parameters).fetchone())


def _where(listing: SpendingListing) -> tuple[str, dict[str, Any]]:
    values: dict[str, Any] = {
        "project": listing.project,
        "task": listing.task,
        "job_ids": None if listing.job_ids is None else json.dumps(list(listing.job_ids)),
        "after": None if listing.after is None else to_microseconds(listing.after),
        "before": None if listing.before is None else to_microseconds(listing.before),
    }
    parameters = {name: value for name, value in values.items() if value is not None}
    return " AND ".join(_CONDITIONS[name] for name in parameters) or "TRUE", parameters


def _row(call: ModelCall) -> dict[str, Any]:
    usage = call.usage
    return {
        "id": call.id,
        "at": to_microseconds(call.at),
        "project": call.project,
        "task": call.task,
        "model": call.model,
        "job_id": call.job_id,
        "digest": call.digest,
        "reserved_input": call.reserved.input_tokens,
        "reserved_output": call.reserved.output_tokens,
        "reserved_micros": call.reserved_micros,
        "input_tokens": None if usage is None else usage.input_tokens,
        "output_tokens": None if usage is None else usage.output_tokens,
        "cached_tokens": None if usage is None else usage.cached_tokens,
        "micros": call.micros,
        "outcome": call.outcome,
    }


def _to_call(row: sqlite3.Row) -> ModelCall:
    names = ("id", "project", "task", "model", "job_id", "digest", "reserved_micros", "micros", "outcome")
    return ModelCall(
        at=from_microseconds(row["at"]),
        reserved=Usage(input_tokens=row["reserved_input"], output_tokens=row["reserved_output"]),
        usage=None if row["input_tokens"] is None else _to_usage(row),
        **{name: row[name] for name in names},
    )


def _to_total(row: sqlite3.Row) -> SpendingTotal:
    names = ("calls", "micros", "unpriced", "unsettled", "failed")
    return SpendingTotal(usage=_to_usage(row), **{name: row[name] for name in names})


def _to_usage(row: sqlite3.Row) -> Usage:
    return Usage(**{name: row[name] for name in ("input_tokens", "output_tokens", "cached_tokens")})
