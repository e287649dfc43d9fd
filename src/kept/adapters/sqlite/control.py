"""Registry, jobs and audit on the log's own SQLite file: what is erased in the one is erased in the others at once."""
# ruff: noqa: S608 - only constant fragments are joined; every value is a parameter

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from kept.adapters.sqlite.batching import GroupCommit
from kept.adapters.sqlite.failures import decoded, translated
from kept.adapters.sqlite.pool import Pool
from kept.adapters.sqlite.queries import queries
from kept.domain.history import from_microseconds, to_microseconds
from kept.domain.jobs import DELETIONS, ERASED, OPEN, Job, JobKind
from kept.domain.scope import ANY, ENTITY_IDS, Scope
from kept.domain.text import clean
from kept.errors import ConflictError
from kept.ports import AuditEntry, AuditListing, Backlog, Entry, JobListing


class OnLog:
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


class SqliteRegistry(OnLog):
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
        return next(decoded(self._path, _to_entry, found), None)

    def entries(self, kind: str, owner: str | None = None) -> list[Entry]:
        name = "entries_of_registry" if owner is None else "entries_of_owner"
        return list(decoded(self._path, _to_entry, self._named(name, {"kind": kind, "owner": owner})))

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


class SqliteJobs(OnLog):
    """The jobs port."""

    def put(self, job: Job) -> Job:
        kept = self._commits.run(lambda connection: _read_job(connection, _put_job(connection, job)))
        return next(decoded(self._path, _to_job, [kept]))

    def put_many(self, jobs: Sequence[Job]) -> None:
        self._commits.run(lambda connection: [_put_job(connection, job) for job in jobs])

    def find(self, project: str, job_id: str) -> Job | None:
        found = self._all(_jobs("id = :id AND project = :project"), {"id": job_id, "project": project})
        return next(decoded(self._path, _to_job, found), None)

    def find_by_key(self, project: str, kind: JobKind, idempotency_key: str) -> Job | None:
        asked = {"project": project, "kind": kind, "idempotency_key": idempotency_key}
        found = self._all(_jobs(" AND ".join(f"{name} = :{name}" for name in asked)), asked)
        return next(decoded(self._path, _to_job, found), None)

    def page(self, listing: JobListing, *, limit: int, offset: int = 0) -> list[Job]:
        sql, parameters = _jobs_where(listing)
        found = self._all(_jobs(f"{sql} ORDER BY key DESC LIMIT ? OFFSET ?"), [*parameters, limit, offset])
        return list(decoded(self._path, _to_job, found))

    def count(self, listing: JobListing) -> int:
        sql, parameters = _jobs_where(listing)
        return int(self._all(f"SELECT count(*) FROM job WHERE {sql}", parameters)[0][0])

    def claim(self, kinds: Collection[JobKind], lease: str, *, now: datetime, until: datetime, limit: int) -> list[Job]:
        due = {"kinds": _json(sorted(set(kinds))), "now": to_microseconds(now), "limit": limit}
        if not self._named("due_jobs", due):  # a look that writes nothing: workers look often
            return []
        held = {"lease": lease, "now": to_microseconds(now), "until": to_microseconds(until)}

        def take(connection: sqlite3.Connection) -> list[sqlite3.Row]:
            keys = [row[0] for row in connection.execute(queries()["due_jobs"], due).fetchall()]
            return [_read_job(connection, key) for key in keys if _claim_job(connection, held | {"key": key})]

        return list(decoded(self._path, _to_job, self._commits.run(take)))

    def hold(self, project: str, job_id: str, lease: str, *, now: datetime, until: datetime) -> Job | None:
        due = {"project": project, "id": job_id, "now": to_microseconds(now)}
        held = {"lease": lease, "now": to_microseconds(now), "until": to_microseconds(until)}

        def take(connection: sqlite3.Connection) -> list[sqlite3.Row]:
            keys = [row[0] for row in connection.execute(queries()["due_job"], due).fetchall()]
            return [_read_job(connection, key) for key in keys if _claim_job(connection, held | {"key": key})]

        return next(decoded(self._path, _to_job, self._commits.run(take)), None)

    def hasten(self, kinds: Collection[JobKind], now: datetime, *, up_to: int | None = None) -> int:
        return self._make_due("hasten_jobs", kinds, now, up_to)

    def revive(self, kinds: Collection[JobKind], now: datetime, *, up_to: int | None = None) -> int:
        return self._make_due("revive_jobs", kinds, now, up_to)

    def _make_due(self, query: str, kinds: Collection[JobKind], now: datetime, up_to: int | None) -> int:
        which = {"kinds": _json(list(kinds)), "now": to_microseconds(now), "up_to": up_to}
        return self._commits.run(lambda connection: connection.execute(queries()[query], which).rowcount)

    def reopen(self, job: Job, results: Sequence[Mapping[str, Any]], now: datetime) -> bool:
        which = _job_row(job) | {"results": _json(list(results)), "now": to_microseconds(now)}
        return self._commits.run(lambda connection: connection.execute(queries()["reopen_job"], which).rowcount > 0)

    def extend(self, job_ids: Collection[str], lease: str, until: datetime) -> None:
        rows = [{"id": job_id, "lease": lease, "until": to_microseconds(until)} for job_id in job_ids]
        self._commits.run(lambda connection: connection.executemany(queries()["extend_job"], rows))

    def finish(self, jobs: Sequence[Job]) -> list[str]:
        return self._commits.run(lambda connection: [job.id for job in jobs if _finish_job(connection, job)])

    def blank(self, scope: Scope) -> int:
        def forget(connection: sqlite3.Connection) -> int:
            connection.execute(queries()["upkeep_is_due"])
            return blank_jobs_under(connection, scope)

        return self._commits.run(forget)

    def purge(self, before: datetime, kinds: Collection[JobKind] | None = None) -> int:
        which = {"before": to_microseconds(before), "kinds": None if kinds is None else _json(list(kinds))}

        def remove(connection: sqlite3.Connection) -> int:
            connection.execute(queries()["purge_digests"], which)
            connection.execute(queries()["purge_job_memories"], which)
            return connection.execute(queries()["purge_jobs"], which).rowcount

        return self._commits.run(remove)

    def backlog(self, kinds: Collection[JobKind], now: datetime) -> Backlog:
        row = self._named("backlog", {"kinds": _json(list(kinds)), "now": to_microseconds(now)})[0]
        return Backlog(waiting=row["waiting"], oldest=_moment(row["oldest"]))


class SqliteAudit(OnLog):
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
        found = self._all(
            f"SELECT * FROM audit WHERE {sql} ORDER BY key DESC LIMIT ? OFFSET ?", [*parameters, limit, offset]
        )
        return list(decoded(self._path, _to_audit, found))

    def scan(self, listing: AuditListing) -> Iterator[AuditEntry]:
        sql, parameters = _audit_where(listing)
        with translated(self._path), self._pool.reader() as connection:
            cursor = connection.execute(f"SELECT * FROM audit WHERE {sql} ORDER BY key", parameters)
            try:
                yield from decoded(self._path, _to_audit, cursor)
            finally:
                with suppress(sqlite3.ProgrammingError):  # the store was closed before a scan that was given up
                    cursor.close()

    def count(self, listing: AuditListing) -> int:
        sql, parameters = _audit_where(listing)
        return int(self._all(f"SELECT count(*) FROM audit WHERE {sql}", parameters)[0][0])

    def purge(self, before: datetime) -> int:
        return self._write("purge_audit", {"before": to_microseconds(before)})


def open_control(pool: Pool, path: Path) -> tuple[SqliteRegistry, SqliteJobs, SqliteAudit]:
    """Registry, jobs and audit over the connections of a log, in the same file."""
    commits = GroupCommit(pool, str(path))
    return SqliteRegistry(pool, path, commits), SqliteJobs(pool, path, commits), SqliteAudit(pool, path, commits)


def blank_jobs_under(connection: sqlite3.Connection, scope: Scope) -> int:
    """Forget what jobs under a scope hold, inside the caller's transaction; how many there were."""
    conditions, parameters = ["project = :project"], {"project": scope.project}
    for name, value in scope.ids.items():
        conditions.append(f"{name} IS NOT NULL" if value == ANY else f"{name} = :{name}")
        parameters[name] = value
    return _blank_jobs(connection, " AND ".join(conditions), parameters)


def blank_jobs_of(connection: sqlite3.Connection, project: str, memory_id: str) -> int:
    """Forget what jobs hold that speak of a memory, inside the caller's transaction; how many there were."""
    return _blank_jobs(connection, queries()["are_of_memory"], {"project": project, "memory_id": memory_id})


def _blank_jobs(connection: sqlite3.Connection, which: str, parameters: Mapping[str, Any]) -> int:
    connection.execute(f"{queries()['forget_digests']} (SELECT id FROM job WHERE {which})", parameters)
    rule = {"erased": ERASED, "deletions": _json(sorted(DELETIONS))}
    return connection.execute(f"{queries()['blank_jobs']} AND {which}", {**parameters, **rule}).rowcount


def _put_job(connection: sqlite3.Connection, job: Job) -> int:
    """Keep a job unless its idempotency key was used; the key of it, or of the earlier one."""
    row = _job_row(job)
    cursor = connection.execute(queries()["insert_job"], row)
    if not cursor.rowcount:
        return int(connection.execute(queries()["job_by_idempotency_key"], row).fetchone()["key"])
    key = int(cursor.lastrowid or 0)
    _name_memories(connection, key, job)
    return key


def _claim_job(connection: sqlite3.Connection, held: Mapping[str, Any]) -> bool:
    claimed = connection.execute(queries()["claim_job"], held).fetchone()
    if claimed is None:
        return False
    if claimed["subject"] is not None:
        connection.execute(queries()["end_other_claims"], {"subject": claimed["subject"], "key": held["key"]})
    return True


def _finish_job(connection: sqlite3.Connection, job: Job) -> bool:
    found = connection.execute(queries()["finish_job"], _job_row(job)).fetchone()
    if found is None:
        return False
    _name_memories(connection, found["key"], job)
    return True


def _name_memories(connection: sqlite3.Connection, key: int, job: Job) -> None:
    """Keep whose text stands in a job, which is blank when one of them was erased meanwhile."""
    if job.memory_ids:
        connection.executemany(queries()["insert_job_memory"], [(memory_id, key) for memory_id in job.memory_ids])
        if _blank_jobs(connection, queries()["is_of_erased"], {"key": key}):
            connection.execute(queries()["upkeep_is_due"])


def _read_job(connection: sqlite3.Connection, key: int) -> sqlite3.Row:
    found: sqlite3.Row = connection.execute(_jobs("key = :key"), {"key": key}).fetchone()
    return found


def _jobs(which: str) -> str:
    return f"{queries()['jobs']} WHERE {which}"


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
    if listing.statuses is not None and OPEN.issuperset(listing.statuses):
        conditions.append("due IS NOT NULL")  # as the index of the few that are not done asks
    return _between(conditions, parameters, "created_at", listing.after, listing.before)


def _audit_where(listing: AuditListing) -> tuple[str, list[Any]]:
    conditions = ["project = ?"]
    parameters: list[Any] = [listing.project]
    for name in ("actor", "key_id", "outcome"):
        if (value := getattr(listing, name)) is not None:
            conditions.append(f"{name} = ?")
            parameters.append(value)
    if listing.action is not None:
        conditions.append("substr(action, 1, ?) = ?")
        parameters += [len(listing.action), listing.action]
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


def _job_row(job: Job) -> dict[str, Any]:
    return {
        **{name: getattr(job.scope, name) for name in ("project", *ENTITY_IDS)},
        "id": job.id,
        "kind": job.kind,
        "status": job.status,
        "subject": job.subject,
        "actor": job.actor,
        "connector": job.connector,
        "idempotency_key": job.idempotency_key,
        "attempts": job.attempts,
        "error": job.error,
        "created_at": to_microseconds(job.created_at),
        "updated_at": to_microseconds(job.updated_at),
        "run_after": to_microseconds(job.run_after),
        "started_at": _stored(job.started_at),
        "completed_at": _stored(job.completed_at),
        "lease": job.lease,
        "lease_until": _stored(job.lease_until),
        "payload": _json(dict(job.payload)),
        "results": _json([dict(result) for result in job.results]),
        "content": job.content,
    }


def _to_job(row: sqlite3.Row) -> Job:
    return Job(
        scope=Scope(**{name: row[name] for name in ("project", *ENTITY_IDS)}),
        id=row["id"],
        kind=row["kind"],
        status=row["status"],
        subject=row["subject"],
        actor=row["actor"],
        connector=row["connector"],
        idempotency_key=row["idempotency_key"],
        attempts=row["attempts"],
        error=row["error"],
        created_at=from_microseconds(row["created_at"]),
        updated_at=from_microseconds(row["updated_at"]),
        run_after=from_microseconds(row["run_after"]),
        started_at=_moment(row["started_at"]),
        completed_at=_moment(row["completed_at"]),
        lease=row["lease"],
        lease_until=_moment(row["lease_until"]),
        payload=json.loads(row["payload"]),
        results=tuple(json.loads(row["results"])),
        content=row["content"],
        memory_ids=tuple(sorted(json.loads(row["memory_ids"]))),
    )


def _to_audit(row: sqlite3.Row) -> AuditEntry:
    names = ("project", "actor", "key_id", "connector", "action", "target", "outcome", "count", "request_id")
    return AuditEntry(at=from_microseconds(row["at"]), **{name: row[name] for name in names})


def _moment(value: int | None) -> datetime | None:
    return None if value is None else from_microseconds(value)


def _stored(moment: datetime | None) -> int | None:
    return None if moment is None else to_microseconds(moment)


def _json(value: object) -> str:
    """JSON as the file can hold it: half a surrogate pair, which JSON may have and UTF-8 may not, is replaced."""
    return clean(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _with_article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
