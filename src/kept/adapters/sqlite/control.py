"""Registry, jobs and audit on the log's own SQLite file: what is erased in the one is erased in the others at once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from kept.adapters.sqlite.batching import GroupCommit
from kept.adapters.sqlite.failures import translated
from kept.adapters.sqlite.pool import Pool
from kept.adapters.sqlite.queries import queries
from kept.domain.history import from_microseconds, to_microseconds
from kept.domain.jobs import Job, JobKind
from kept.domain.scope import ENTITY_IDS, Scope
from kept.errors import ConflictError
from kept.ports import AuditEntry, AuditListing, Backlog, Entry, JobListing

_BLANKED: Final = "Its content was erased before it was done."
_LIKE_SPECIAL: Final = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_"})


class _OnLog:
    """Reads and writes over a log's connections."""

    def __init__(self, pool: Pool, path: Path, commits: GroupCommit) -> None:
        self._pool = pool
        self._path = str(path)
        self._commits = commits

    def _all(self, sql: str, parameters: Mapping[str, Any] | Sequence[Any] = ()) -> list[sqlite3.Row]:
        with translated(self._path), self._pool.reader() as connection:
            found: list[sqlite3.Row] = connection.execute(sql, parameters).fetchall()
            return found

    def _named(self, name: str, parameters: Mapping[str, Any]) -> list[sqlite3.Row]:
        return self._all(queries()[name], parameters)

    def _write(self, name: str, parameters: Mapping[str, Any]) -> int:
        """Run one statement; how many rows it changed."""
        return self._commits.run(lambda connection: connection.execute(queries()[name], parameters).rowcount)


class SqliteRegistry(_OnLog):
    """The registry port."""

    def add(self, entry: Entry) -> None:
        try:
            self._write("insert_entry_of_registry", _entry_row(entry))
        except ConflictError:
            raise ConflictError(f"There is already {_with_article(entry.kind)} {entry.id}.") from None

    def put(self, entry: Entry) -> None:
        self._write("put_entry_of_registry", _entry_row(entry))

    def find(self, kind: str, entry_id: str) -> Entry | None:
        found = self._named("find_entry_of_registry", {"kind": kind, "id": entry_id})
        return _to_entry(found[0]) if found else None

    def entries(self, kind: str, owner: str | None = None) -> list[Entry]:
        return [_to_entry(row) for row in self._named("entries_of_registry", {"kind": kind, "owner": owner})]

    def revise(self, kind: str, entry_id: str, data: Mapping[str, Any], at: datetime) -> bool:
        name = {"kind": kind, "id": entry_id}

        def change(connection: sqlite3.Connection) -> bool:
            row = connection.execute(queries()["find_entry_of_registry"], name).fetchone()
            if row is None:
                return False
            revised = json.loads(row["data"]) | dict(data)
            fields = name | {"data": _json(revised), "updated_at": to_microseconds(at)}
            connection.execute(queries()["set_entry_of_registry"], fields)
            return True

        return self._commits.run(change)

    def remove(self, kind: str, entry_id: str) -> bool:
        return self._write("remove_entry_of_registry", {"kind": kind, "id": entry_id}) > 0


class SqliteJobs(_OnLog):
    """The jobs port."""

    def put(self, job: Job) -> Job:
        return self._commits.run(lambda connection: _put_job(connection, job))

    def put_many(self, jobs: Sequence[Job]) -> None:
        self._commits.run(lambda connection: [_put_job(connection, job) for job in jobs])

    def find(self, project: str, job_id: str) -> Job | None:
        found = self._named("find_job", {"project": project, "id": job_id})
        return _to_job(found[0]) if found else None

    def page(self, listing: JobListing, *, limit: int, offset: int = 0) -> list[Job]:
        sql, parameters = _jobs_where(listing)
        found = self._all(f"SELECT * FROM job WHERE {sql} ORDER BY key DESC LIMIT ? OFFSET ?", [*parameters, limit, offset])
        return [_to_job(row) for row in found]

    def count(self, listing: JobListing) -> int:
        sql, parameters = _jobs_where(listing)
        return int(self._all(f"SELECT count(*) FROM job WHERE {sql}", parameters)[0][0])

    def claim(self, kinds: Collection[JobKind], lease: str, *, now: datetime, until: datetime, limit: int) -> list[Job]:
        due = {"kinds": _json(list(kinds)), "now": to_microseconds(now), "limit": limit}
        if not self._named("due_jobs", due):  # a look that writes nothing: workers look often
            return []
        held = {"lease": lease, "now": to_microseconds(now), "until": to_microseconds(until)}

        def take(connection: sqlite3.Connection) -> list[Job]:
            keys = [row[0] for row in connection.execute(queries()["due_jobs"], due).fetchall()]
            for key in keys:
                connection.execute(queries()["claim_job"], held | {"key": key})
            return [_to_job(connection.execute(queries()["job_by_key"], {"key": key}).fetchone()) for key in keys]

        return self._commits.run(take)

    def extend(self, job_ids: Collection[str], lease: str, until: datetime) -> None:
        rows = [{"id": job_id, "lease": lease, "until": to_microseconds(until)} for job_id in job_ids]
        self._commits.run(lambda connection: connection.executemany(queries()["extend_job"], rows))

    def finish(self, jobs: Sequence[Job]) -> list[str]:
        return self._commits.run(lambda connection: [job.id for job in jobs if _finish_job(connection, job)])

    def blank(self, scope: Scope) -> int:
        def forget(connection: sqlite3.Connection) -> int:
            connection.execute(queries()["upkeep_is_due"])
            return blank_jobs(connection, scope)

        return self._commits.run(forget)

    def purge(self, before: datetime, kinds: Collection[JobKind] | None = None) -> int:
        which = {"before": to_microseconds(before), "kinds": None if kinds is None else _json(list(kinds))}

        def remove(connection: sqlite3.Connection) -> int:
            connection.execute(queries()["purge_job_memories"], which)
            return connection.execute(queries()["purge_jobs"], which).rowcount

        return self._commits.run(remove)

    def backlog(self, kinds: Collection[JobKind], now: datetime) -> Backlog:
        row = self._named("backlog", {"kinds": _json(list(kinds)), "now": to_microseconds(now)})[0]
        return Backlog(waiting=row["waiting"], oldest=_moment(row["oldest"]))


class SqliteAudit(_OnLog):
    """The audit port."""

    def append(self, entries: Sequence[AuditEntry]) -> None:
        rows = [
            (
                to_microseconds(entry.at),
                entry.project,
                entry.actor,
                entry.key_id,
                entry.connector,
                entry.action,
                entry.target,
                entry.outcome,
                entry.count,
                entry.request_id,
            )
            for entry in entries
        ]
        self._commits.run(lambda connection: connection.executemany(queries()["insert_audit"], rows))

    def page(self, listing: AuditListing, *, limit: int, offset: int = 0) -> list[AuditEntry]:
        sql, parameters = _audit_where(listing)
        found = self._all(f"SELECT * FROM audit WHERE {sql} ORDER BY key DESC LIMIT ? OFFSET ?", [*parameters, limit, offset])
        return [_to_audit(row) for row in found]

    def scan(self, listing: AuditListing) -> Iterator[AuditEntry]:
        sql, parameters = _audit_where(listing)
        with translated(self._path), self._pool.reader() as connection:
            yield from map(_to_audit, connection.execute(f"SELECT * FROM audit WHERE {sql} ORDER BY key", parameters))

    def count(self, listing: AuditListing) -> int:
        sql, parameters = _audit_where(listing)
        return int(self._all(f"SELECT count(*) FROM audit WHERE {sql}", parameters)[0][0])

    def purge(self, before: datetime) -> int:
        return self._write("purge_audit", {"before": to_microseconds(before)})


def open_control(pool: Pool, path: Path) -> tuple[SqliteRegistry, SqliteJobs, SqliteAudit]:
    """Registry, jobs and audit over the connections of a log, in the same file."""
    commits = GroupCommit(pool, str(path))
    return SqliteRegistry(pool, path, commits), SqliteJobs(pool, path, commits), SqliteAudit(pool, path, commits)


def blank_jobs(connection: sqlite3.Connection, scope: Scope) -> int:
    """Forget what jobs under a scope hold; those that wait end as failed. Inside the caller's transaction."""
    conditions, parameters = ["project = ?"], [scope.project]
    for name, value in scope.ids.items():
        conditions.append(f"{name} = ?")
        parameters.append(value)
    inside = " AND ".join(conditions)
    connection.execute(
        f"UPDATE job SET status = 'FAILED', error = ?, completed_at = updated_at, lease = NULL "
        f"WHERE status IN ('PENDING', 'RUNNING') AND kind = 'ADD' AND {inside}",
        [_BLANKED, *parameters],
    )
    sql = f"UPDATE job SET payload = '{{}}', content = NULL WHERE {inside} AND status IN ('SUCCEEDED', 'FAILED')"
    return connection.execute(sql, parameters).rowcount


def _put_job(connection: sqlite3.Connection, job: Job) -> Job:
    cursor = connection.execute(queries()["insert_job"], _job_row(job))
    if not cursor.rowcount:
        names = {"project": job.scope.project, "kind": job.kind, "idempotency_key": job.idempotency_key}
        return _to_job(connection.execute(queries()["job_by_idempotency_key"], names).fetchone())
    _name_memories(connection, int(cursor.lastrowid or 0), job)
    return job


def _finish_job(connection: sqlite3.Connection, job: Job) -> bool:
    found = connection.execute(queries()["finish_job"], _job_row(job)).fetchone()
    if found is None:
        return False
    _name_memories(connection, found["key"], job)
    return True


def _name_memories(connection: sqlite3.Connection, key: int, job: Job) -> None:
    connection.executemany(queries()["insert_job_memory"], [(memory_id, key) for memory_id in job.memory_ids])


def _jobs_where(listing: JobListing) -> tuple[str, list[Any]]:
    conditions, parameters = ["project = ?"], [listing.project]
    for name in ("subject", *ENTITY_IDS):
        if (value := getattr(listing, name)) is not None:
            conditions.append(f"{name} = ?")
            parameters.append(value)
    members = {"kind": listing.kinds, "status": listing.statuses, **listing.bound}
    for name, values in members.items():
        if values is not None:
            conditions.append(f"{name} IN (SELECT value FROM json_each(?))")
            parameters.append(_json(list(values)))
    return _between(conditions, parameters, "created_at", listing.after, listing.before)


def _audit_where(listing: AuditListing) -> tuple[str, list[Any]]:
    conditions, parameters = ["project = ?"], [listing.project]
    for name in ("actor", "key_id", "outcome"):
        if (value := getattr(listing, name)) is not None:
            conditions.append(f"{name} = ?")
            parameters.append(value)
    if listing.action is not None:
        conditions.append("action LIKE ? ESCAPE '\\'")
        parameters.append(listing.action.translate(_LIKE_SPECIAL) + "%")
    if listing.target is not None:
        conditions.append("instr(' ' || target || ' ', ?) > 0")
        parameters.append(f" {listing.target} ")
    return _between(conditions, parameters, "at", listing.after, listing.before)


def _between(
    conditions: list[str], parameters: list[Any], column: str, after: datetime | None, before: datetime | None
) -> tuple[str, list[Any]]:
    for sign, moment in ((">=", after), ("<", before)):
        if moment is not None:
            conditions.append(f"{column} {sign} ?")
            parameters.append(to_microseconds(moment))
    return " AND ".join(conditions), parameters


def _entry_row(entry: Entry) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "id": entry.id,
        "owner": entry.owner,
        "created_at": to_microseconds(entry.created_at),
        "updated_at": to_microseconds(entry.updated_at),
        "data": _json(dict(entry.data)),
    }


def _to_entry(row: sqlite3.Row) -> Entry:
    return Entry(
        kind=row["kind"],
        id=row["id"],
        owner=row["owner"],
        data=json.loads(row["data"]),
        created_at=from_microseconds(row["created_at"]),
        updated_at=from_microseconds(row["updated_at"]),
    )


_JOB_TIMES: Final = ("created_at", "updated_at", "run_after", "started_at", "completed_at", "lease_until")
_JOB_PLAIN: Final = (
    "id",
    "kind",
    "status",
    "subject",
    "actor",
    "connector",
    "idempotency_key",
    "attempts",
    "lease",
    "error",
    "content",
)


def _job_row(job: Job) -> dict[str, Any]:
    row = {name: getattr(job, name) for name in _JOB_PLAIN}
    row |= {name: getattr(job.scope, name) for name in ("project", *ENTITY_IDS)}
    for name in _JOB_TIMES:
        moment = getattr(job, name)
        row[name] = None if moment is None else to_microseconds(moment)
    return row | {"payload": _json(dict(job.payload)), "results": _json([dict(result) for result in job.results])}


def _to_job(row: sqlite3.Row) -> Job:
    return Job(
        scope=Scope(**{name: row[name] for name in ("project", *ENTITY_IDS)}),
        payload=json.loads(row["payload"]),
        results=json.loads(row["results"]),
        **{name: row[name] for name in _JOB_PLAIN},
        **{name: _moment(row[name]) for name in _JOB_TIMES},
    )


def _to_audit(row: sqlite3.Row) -> AuditEntry:
    names = ("project", "actor", "key_id", "connector", "action", "target", "outcome", "count", "request_id")
    return AuditEntry(at=from_microseconds(row["at"]), **{name: row[name] for name in names})


def _moment(value: int | None) -> datetime | None:
    return None if value is None else from_microseconds(value)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _with_article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
