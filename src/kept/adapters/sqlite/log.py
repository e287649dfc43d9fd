"""The log on one SQLite file.

One connection writes, under a lock; readers take connections from a pool. What a transaction wrote is on disk when its
block ends, and its own reads see it before.
"""

from __future__ import annotations

import json
import os
import sqlite3
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from kept.adapters.sqlite import rows
from kept.adapters.sqlite.conditions import inside, listed
from kept.adapters.sqlite.connections import create_private, prepare, waiting
from kept.adapters.sqlite.control import blank_jobs_of, blank_jobs_under
from kept.adapters.sqlite.failures import decoded, is_busy, translated
from kept.adapters.sqlite.graph import forget_in_graph
from kept.adapters.sqlite.pool import Pool
from kept.adapters.sqlite.queries import queries
from kept.domain.filters import matches
from kept.domain.history import Operation, Revision, blank, checksum, encode_changes, to_microseconds
from kept.domain.memory import Episode, MemoryRecord
from kept.domain.scope import Scope
from kept.errors import ConflictError, NotFoundError, StoreBusyError, StoreError, StoreReadOnlyError
from kept.ports import (
    EntitySummary,
    Finding,
    IndexEntry,
    Listing,
    Partition,
    PartitionRow,
    Progress,
    Statistics,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")

DEFAULT_BUSY_TIMEOUT_S: Final = 60.0
"""How long a write waits for other processes. Eight processes importing at once need some seconds; a minute says that
somebody holds the file."""

_LAST_SEQ: Final = (1 << 63) - 1
_SCRUB_WAIT_MS: Final = 1000
"""How long a scrub waits for others to end their reads: reads take milliseconds, longer ones are worth another try."""
_KNOWN_PARTITIONS: Final = 10_000
"""Partitions whose ids are remembered, some 4 MB: each search begins with one."""
_BACKUP_PAGES: Final = 1000
"""Pages copied between two progress reports, some 4 MB."""


class SqliteReader:
    """Reads over whatever connection `_connection` lends."""

    def __init__(self, path: Path, borrow: Callable[[], Any]) -> None:
        self._path = path
        self._borrow = borrow

    def find(self, project: str, memory_id: str) -> MemoryRecord | None:
        return self._value(rows.to_memory, "find", {"project": project, "id": memory_id})

    def find_many(self, project: str, memory_ids: Collection[str]) -> dict[str, MemoryRecord]:
        found = self._in("SELECT * FROM memory WHERE project = ? AND id IN ({})", memory_ids, project)
        return {memory.id: memory for memory in self._values(rows.to_memory, found)}

    def ids_with_prefix(self, project: str, prefix: str, *, limit: int = 2) -> list[str]:
        parameters = {"project": project, "prefix": prefix, "limit": limit}
        return [row[0] for row in self._named("ids_with_prefix", parameters)]

    def by_keys(self, keys: Sequence[int]) -> dict[int, MemoryRecord]:
        found = self._in("SELECT * FROM memory WHERE key IN ({})", [int(key) for key in keys])
        return {memory.key: memory for memory in self._values(rows.to_memory, found)}

    def find_repeat(self, project: str, repeat_keys: Collection[str]) -> dict[str, MemoryRecord]:
        sql = "SELECT * FROM memory WHERE project = ? AND repeat_key IN ({})"
        found: dict[str, sqlite3.Row] = {}
        for row in self._in(sql, repeat_keys, project):
            known = found.get(row["repeat_key"])
            if known is None or row["key"] < known["key"]:
                found[row["repeat_key"]] = row
        return dict(zip(found, self._values(rows.to_memory, found.values()), strict=True))

    def page(self, listing: Listing, *, limit: int, offset: int = 0) -> list[MemoryRecord]:
        sql, parameters, rest = listed(listing)
        if rest is not None:
            return list(islice(self.scan(listing), offset, offset + limit))
        found = self._all(f"{_ordered(sql, listing)} LIMIT ? OFFSET ?", [*parameters, limit, offset])
        return list(self._values(rows.to_memory, found))

    def scan(self, listing: Listing) -> Iterator[MemoryRecord]:
        sql, parameters, rest = listed(listing)
        for record in self._stream(rows.to_memory, _ordered(sql, listing), parameters):
            if rest is None or matches(rest, record):
                yield record

    def count(self, listing: Listing) -> int:
        sql, parameters, rest = listed(listing)
        if rest is None:
            return int(self._all(f"SELECT count(*) FROM memory WHERE {sql}", parameters)[0][0])
        found = self._stream(rows.to_memory, f"SELECT * FROM memory WHERE {sql}", parameters)
        return sum(matches(rest, record) for record in found)

    def matching_keys(self, listing: Listing, partition: int) -> NDArray[np.int64]:
        import numpy as np

        sql, parameters, rest = listed(listing)
        selected = f"FROM memory WHERE partition = ? AND {sql} ORDER BY key"
        if rest is None:
            keys = self._stream(lambda row: row[0], f"SELECT key {selected}", [partition, *parameters])
            return np.fromiter(keys, dtype=np.int64)
        records = self._stream(rows.to_memory, f"SELECT * {selected}", [partition, *parameters])
        return np.fromiter((record.key for record in records if matches(rest, record)), dtype=np.int64)

    def entity_summaries(self, project: str) -> list[EntitySummary]:
        return list(self._values(rows.to_entity_summary, self._named("entity_summaries", {"project": project})))

    def partitions(self, project: str, user_ids: Collection[str | None] | None = None) -> list[Partition]:
        if user_ids is None:
            found = self._named("partitions", {"project": project})
        else:
            lookups = ({"project": project, "user_id": user_id} for user_id in user_ids)
            found = [row for lookup in lookups if (row := self._one("find_partition", lookup))]
        return [Partition(id=row["id"], project=row["project"], user_id=row["user_id"]) for row in found]

    def partition_rows(self, partition: int, after: int, identity: str) -> Iterator[PartitionRow]:
        parameters = {"partition": partition, "after": after, "identity": identity}
        # Plain tuples: a partition of a million rows is read at once.
        return self._stream(rows.to_partition_row, queries()["partition_rows"], parameters, plain=True)

    def head(self) -> int:
        return int(self._named("head", {})[0][0])

    def revisions(
        self, project: str, *, memory_id: str | None = None, after: int = 0, upto: int | None = None
    ) -> Iterator[Revision]:
        name = "revisions" if memory_id is None else "revisions_of_memory"
        parameters = {
            "project": project,
            "memory_id": memory_id,
            "after": after,
            "upto": _LAST_SEQ if upto is None else upto,
        }
        return self._stream(rows.to_revision, queries()[name], parameters)

    def page_revisions(self, listing: Listing, *, limit: int, offset: int = 0) -> list[Revision]:
        sql, parameters = self._revisions_of(listing)
        found = self._all(
            "SELECT r.seq, r.memory_id, r.op, o.id AS operation_id, r.recorded_at, r.changes, r.checksum "
            f"FROM revision AS r JOIN operation AS o ON o.key = r.operation WHERE {sql} ORDER BY r.seq DESC LIMIT ? OFFSET ?",
            [*parameters, limit, offset],
        )
        return list(self._values(rows.to_revision, found))

    def count_revisions(self, listing: Listing) -> int:
        sql, parameters = self._revisions_of(listing)
        return int(self._all(f"SELECT count(*) FROM revision AS r WHERE {sql}", parameters)[0][0])

    def _revisions_of(self, listing: Listing) -> tuple[str, list[Any]]:
        """Revisions of a listing's memories as a condition, and its parameters."""
        sql, parameters, rest = listed(listing)
        ids_listed = f"SELECT id FROM memory WHERE {sql}"
        if rest is not None:
            ids = [record.id for record in self.scan(listing)]
            ids_listed, parameters = "SELECT value FROM json_each(?)", [json.dumps(ids)]
        return f"r.project = ? AND r.memory_id IN ({ids_listed})", [listing.scope.project, *parameters]

    def seq_at(self, project: str, moment: datetime) -> int:
        return int(self._named("seq_at", {"project": project, "moment": to_microseconds(moment)})[0][0])

    def operation(self, project: str, operation_id: str) -> Operation | None:
        return self._value(rows.to_operation, "operation", {"project": project, "id": operation_id})

    def operation_revisions(self, project: str, operation_id: str) -> list[Revision]:
        found = self._named("revisions_of_operation", {"project": project, "id": operation_id})
        return list(self._values(rows.to_revision, found))

    def find_idempotent(self, project: str, idempotency_key: str) -> Operation | None:
        parameters = {"project": project, "idempotency_key": idempotency_key}
        return self._value(rows.to_operation, "operation_by_idempotency_key", parameters)

    def taken_back(self, project: str, operation_ids: Collection[str]) -> set[str]:
        which = {"project": project, "ids": json.dumps(list(operation_ids))}
        return {row["undoes"] for row in self._named("taken_back", which)}

    def last_undoable(self, project: str, scope: Scope) -> Operation | None:
        parameters = {"project": project} | {
            name: getattr(scope, name) for name in ("user_id", "agent_id", "app_id", "run_id")
        }
        return self._value(rows.to_operation, "last_undoable", parameters)

    def operations(self, project: str, *, limit: int = 100, before: str | None = None) -> list[Operation]:
        parameters = {"project": project, "limit": limit, "before": before}
        return list(self._values(rows.to_operation, self._named("operations", parameters)))

    def episode(self, project: str, episode_id: str) -> Episode | None:
        row = self._one("episode", {"project": project, "id": episode_id})
        if row is None:
            return None
        messages = self._named("messages", {"episode": row["key"]})
        return next(self._values(lambda found: rows.to_episode(found, messages), [row]))

    def made_of_episode(self, scope: Scope, episode_id: str) -> list[MemoryRecord]:
        parameters = {"episode_id": episode_id, "project": scope.project, "user_id": scope.user_id}
        return list(self._values(rows.to_memory, self._named("made_of_episode", parameters)))

    def index_identities(self, partition: int) -> set[str]:
        return {str(row[0]) for row in self._named("index_identities", {"partition": partition})}

    def known_sources(self, scope: Scope, source_ids: Collection[str]) -> set[str]:
        partition = self._one("find_partition", {"project": scope.project, "user_id": scope.user_id})
        if partition is None:
            return set()
        sql = "SELECT source_id FROM message WHERE partition = ? AND source_id IN ({})"
        return {row[0] for row in self._in(sql, source_ids, partition["id"])}

    def statistics(self, project: str | None = None) -> Statistics:
        counts = {row["state"]: row["memories"] for row in self._named("state_counts", {"project": project})}
        totals = self._named("totals", {"project": project})[0]
        sizes = (self._path.with_name(self._path.name + suffix) for suffix in ("", "-wal"))
        size_bytes = sum(path.stat().st_size for path in sizes if path.exists())
        return Statistics(memories=counts, size_bytes=size_bytes, **{name: totals[name] for name in totals.keys()})  # noqa: SIM118 - a row, not a mapping

    def all_projects(self) -> list[str]:
        return [row[0] for row in self._named("projects", {})]

    def _values(self, decode: Callable[[Any], T], found: Iterable[Any]) -> Iterator[T]:
        return decoded(str(self._path), decode, found)

    def _value(self, decode: Callable[[Any], T], name: str, parameters: Mapping[str, Any]) -> T | None:
        return next(self._values(decode, self._named(name, parameters)), None)

    def _named(self, name: str, parameters: Mapping[str, Any]) -> list[sqlite3.Row]:
        return self._all(queries()[name], parameters)

    def _one(self, name: str, parameters: Mapping[str, Any]) -> sqlite3.Row | None:
        found = self._named(name, parameters)
        return found[0] if found else None

    def _all(self, sql: str, parameters: Mapping[str, Any] | Sequence[Any]) -> list[sqlite3.Row]:
        with translated(str(self._path)), self._borrow() as connection:
            found: list[sqlite3.Row] = connection.execute(sql, parameters).fetchall()
            return found

    def _stream(
        self,
        decode: Callable[[Any], T],
        sql: str,
        parameters: Mapping[str, Any] | Sequence[Any],
        *,
        plain: bool = False,
    ) -> Iterator[T]:
        """Rows as values, one at a time; its cursor ends with it, whoever still holds the frame of a failure."""
        with translated(str(self._path)), self._borrow() as connection:
            cursor = connection.cursor()
            if plain:
                cursor.row_factory = None
            try:
                yield from self._values(decode, cursor.execute(sql, parameters))
            finally:
                with suppress(sqlite3.ProgrammingError):  # the log was closed before a read that was given up
                    cursor.close()

    def _in(self, sql: str, values: Collection[Any], *before: object) -> list[sqlite3.Row]:
        """One statement however many values there are, so that the answer is of one committed state."""
        listed = json.dumps(list(values))
        return self._all(sql.format("SELECT value FROM json_each(?)"), [*before, listed])


class SqliteTransaction(SqliteReader):
    """One write. Lives inside `SqliteLog.write`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        @contextmanager
        def lend() -> Iterator[sqlite3.Connection]:
            yield connection

        super().__init__(path, lend)
        self._connection = connection
        self._seq = int(self._named("last_reserved", {})[0][0])
        self._partition_ids: dict[tuple[str, str | None], int] = {}
        self._operation_keys: dict[str, int] = {}

    def next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def put_operation(self, operation: Operation) -> None:
        key = operation.idempotency_key
        if key is not None and self.find_idempotent(operation.project, key):
            raise ConflictError(f"The idempotency key {key!r} was used before.")
        parameters = {name: getattr(operation, name) for name in operation.__slots__}
        parameters["recorded_at"] = to_microseconds(operation.recorded_at)
        cursor = self._connection.execute(queries()["insert_operation"], parameters)
        self._operation_keys[operation.id] = int(cursor.lastrowid or 0)

    def put_episode(self, episode: Episode) -> None:
        partition = self._partition(episode.scope)
        parameters = {
            "id": episode.id,
            "partition": partition,
            "agent_id": episode.scope.agent_id,
            "app_id": episode.scope.app_id,
            "run_id": episode.scope.run_id,
            "connector": episode.connector,
            "recorded_at": to_microseconds(episode.recorded_at),
        }
        key = int(self._connection.execute(queries()["insert_episode"], parameters).lastrowid or 0)
        self._many(
            "insert_message",
            (rows.message_row(message, n, key, partition) for n, message in enumerate(episode.messages)),
        )

    def append(
        self,
        revisions: Sequence[Revision],
        records: Sequence[MemoryRecord],
        entries: Sequence[IndexEntry | None],
        *,
        identity: str,
    ) -> None:
        self._append_log(revisions, records)
        self.put_entries(
            {record.key: entry for record, entry in zip(records, entries, strict=True) if entry}, identity=identity
        )

    def put_entries(self, entries: Mapping[int, IndexEntry], *, identity: str) -> None:
        if not entries:
            return
        self._connection.execute(queries()["insert_identity"], {"name": identity})
        identity_id = self._named("find_identity", {"name": identity})[0][0]
        self._many(
            "upsert_entry",
            (
                (key, identity_id, entry.flags, entry.entities, entry.terms, entry.embedding, entry.dates)
                for key, entry in entries.items()
            ),
        )

    def drop_orphan_entries(self) -> int:
        orphans = [(row["key"],) for row in self._named("orphan_entries", {})]
        self._many("delete_entry", orphans)
        return len(orphans)

    def put_records(self, records: Sequence[MemoryRecord]) -> None:
        self._many("upsert_memory", (rows.memory_row(record, self._partition(record.scope)) for record in records))

    def erase(self, revisions: Sequence[Revision], records: Sequence[MemoryRecord]) -> None:
        self._connection.execute(queries()["upkeep_is_due"])
        for revision, record in zip(revisions, records, strict=True):
            before = self.find(record.project, record.id)
            if before is None:
                raise NotFoundError(f"No memory {record.id} in project {record.project!r}.")
            name = "blank_message" if before.source_positions else "blank_episode"
            for position in before.source_positions or (None,):
                place = {
                    "episode_id": before.episode_id,
                    "position": position,
                    "project": before.project,
                    "user_id": before.user_id,
                }
                self._connection.execute(queries()[name], place)
            blank_jobs_of(self._connection, record.project, record.id)
            self._blank_repeats(before)
            self._blank_revisions(record)
            self._connection.execute(queries()["delete_entry"], (record.key,))
            found = {"project": record.project, "memory_id": record.id}
            self._connection.execute(queries()["forget_touches"], found)
            forget_in_graph(self._connection, record.key, self._partition(record.scope))
            self._append_log([revision], [record])

    def forget_sources(self, scope: Scope) -> int:
        self._connection.execute(queries()["upkeep_is_due"])
        blank_jobs_under(self._connection, scope)
        condition, parameters = inside(scope)
        episodes = f"SELECT key FROM episode WHERE {condition}"
        sql = f"UPDATE message SET content = '', name = NULL WHERE episode IN ({episodes}) AND content != ''"
        return self._connection.execute(sql, parameters).rowcount

    def _append_log(self, revisions: Sequence[Revision], records: Sequence[MemoryRecord]) -> None:
        pairs = list(zip(revisions, records, strict=True))
        self._many(
            "insert_revision",
            (rows.revision_row(revision, self._operation_key(revision), record.project) for revision, record in pairs),
        )
        self.put_records(records)

    def _blank_repeats(self, memory: MemoryRecord) -> None:
        """The messages that only repeated the memory: each reinforcement names its own."""
        for revision in list(self.revisions(memory.project, memory_id=memory.id)):
            if source := revision.changes.get("source"):
                place = {"project": memory.project, "user_id": memory.user_id}
                place |= {"episode_id": source[0], "position": source[1]}
                self._connection.execute(queries()["blank_message"], place)

    def _blank_revisions(self, record: MemoryRecord) -> None:
        for revision in list(self.revisions(record.project, memory_id=record.id)):
            blanked = blank(revision)
            encoded = encode_changes(blanked.changes)
            parameters = {"seq": blanked.seq, "changes": encoded, "checksum": checksum(blanked, encoded)}
            self._connection.execute(queries()["blank_revision"], parameters)

    def _operation_key(self, revision: Revision) -> int:
        known = self._operation_keys.get(revision.operation_id)
        if known is None:
            row = self._one("operation_key", {"id": revision.operation_id})
            if row is None:
                raise StoreError(f"Revision {revision.seq} belongs to an operation that was not recorded.")
            known = self._operation_keys[revision.operation_id] = int(row["key"])
        return known

    def _partition(self, scope: Scope) -> int:
        owner = (scope.project, scope.user_id)
        known = self._partition_ids.get(owner)
        if known is None:
            parameters = {"project": scope.project, "user_id": scope.user_id}
            row = self._one("find_partition", parameters)
            known = int(
                row["id"] if row else self._connection.execute(queries()["insert_partition"], parameters).lastrowid or 0
            )
            self._partition_ids[owner] = known
        return known

    def _many(self, name: str, parameters: Iterable[tuple[Any, ...]]) -> None:
        self._connection.executemany(queries()[name], parameters)


class SqliteLog(SqliteReader):
    """The log port on one SQLite file; safe for threads and for many processes at once.

    Args:
        path: The file; created with its folder when missing.
        busy_timeout_s: How long a write waits for other processes before `StoreBusyError`.

    Raises:
        StoreError: The file is not usable; which of its kinds says why. It is left as it was.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float = DEFAULT_BUSY_TIMEOUT_S) -> None:
        prepare(path, busy_timeout_s=busy_timeout_s)
        self._busy_timeout_s = busy_timeout_s
        self._pool = Pool(path, busy_timeout_s=busy_timeout_s)
        super().__init__(path, self._pool.reader)
        self._partitions: dict[tuple[str, str | None], Partition] = {}  # once committed they never change
        weakref.finalize(self, self._pool.end)
        with suppress(StoreReadOnlyError, StoreBusyError):
            self._finish_scrub()

    @property
    def pool(self) -> Pool:
        """Its connections, for what else is kept in the same file."""
        return self._pool

    @contextmanager
    def write(self) -> Iterator[SqliteTransaction]:
        with self._pool.transaction() as connection:
            yield SqliteTransaction(self._path, connection)

    def version(self) -> tuple[int, int]:
        with translated(str(self._path)):
            return self._pool.version()

    def partitions(self, project: str, user_ids: Collection[str | None] | None = None) -> list[Partition]:
        if user_ids is None:
            return super().partitions(project)
        missing = [user_id for user_id in user_ids if (project, user_id) not in self._partitions]
        if missing:
            if len(self._partitions) > _KNOWN_PARTITIONS:
                self._partitions.clear()
            found = super().partitions(project, missing)
            self._partitions.update({(project, partition.user_id): partition for partition in found})
        known = (self._partitions.get((project, user_id)) for user_id in user_ids)
        return [partition for partition in known if partition is not None]

    def scrub(self) -> bool:
        if not self._named("upkeep_due", {}):
            return True
        with (
            translated(str(self._path)),
            self._pool.writer() as connection,
            waiting(connection, _SCRUB_WAIT_MS, usually_s=self._busy_timeout_s),
        ):
            clean = _empty_wal(connection) and _rewrite(connection) and _empty_wal(connection)
            if clean:
                connection.execute(queries()["upkeep_done"])
            return clean

    def _finish_scrub(self) -> None:
        """Do what an erase could not: another process was reading, or this one was killed. A damaged file stays as it is."""
        if self._named("upkeep_due", {}):
            checked = self._all("PRAGMA quick_check(1)", ())
            if [row[0] for row in checked] == ["ok"]:
                self.scrub()

    def verify(self) -> Iterator[Finding]:
        with translated(str(self._path)), self._pool.reader() as connection:
            for row in connection.execute("PRAGMA integrity_check"):
                if row[0] != "ok":
                    yield Finding(check="structure", where=str(self._path), detail=str(row[0]))
            for row in connection.execute(queries()["all_revisions"]):
                if not rows.is_unchanged(row):
                    detail = "its checksum does not agree with its content"
                    yield Finding(check="checksum", where=f"revision {row['seq']}", detail=detail)
            for row in connection.execute(queries()["orphan_entries"]):
                detail = "an index entry without a memory; `kept rebuild` removes it"
                yield Finding(check="index", where=f"entry {row['key']}", detail=detail)
            for row in connection.execute(queries()["memories_without_revision"]):
                detail = "its last revision is missing from the log"
                yield Finding(check="log", where=f"memory {row['id']}", detail=detail)
            for row in connection.execute(queries()["revisions_without_memory"]):
                detail = "the log knows it, the current state does not"
                yield Finding(check="log", where=f"memory {row['memory_id']}", detail=detail)

    def backup(self, target: Path, progress: Progress | None = None) -> None:
        if target.exists():
            raise ConflictError(f"{target} exists already; a backup never overwrites. Name a new file.")

        def report(_status: int, remaining: int, total: int) -> None:
            if progress:
                progress(total - remaining, total)

        partial = target.with_name(f".{target.name}.{os.getpid()}.partial")  # half a copy is not taken for a whole one
        try:
            create_private(partial)
        except OSError as error:
            raise StoreReadOnlyError(f"The backup {target} cannot be written: {error.strerror}.") from error
        with translated(str(target)), self._pool.reader() as connection, _one_state(connection):
            try:
                with closing(sqlite3.connect(partial)) as copy:
                    connection.backup(copy, pages=_BACKUP_PAGES, progress=report)
                with partial.open("rb+") as file:
                    os.fsync(file.fileno())
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)

    def close(self) -> None:
        self._pool.close()


@contextmanager
def _one_state(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the present state for reading. Without it a backup starts again at each write of another connection."""
    connection.execute("BEGIN")
    try:
        connection.execute(queries()["head"]).fetchone()
        yield
    finally:
        connection.execute("ROLLBACK")


def _empty_wal(connection: sqlite3.Connection) -> bool:
    """Bring the write-ahead log into the file and cut it to nothing; False when somebody still reads from it."""
    return not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]


def _rewrite(connection: sqlite3.Connection) -> bool:
    """Write the file anew from its rows.

    `secure_delete` overwrites what is deleted, but when a page is split or merged, SQLite leaves copies of the rows that
    moved in the unused part of the page (held by a test). Only a new file is free of them.
    """
    try:
        connection.execute("VACUUM")
    except sqlite3.OperationalError as error:
        if is_busy(error):
            return False
        raise
    return True


def _ordered(sql: str, listing: Listing) -> str:
    order = "DESC" if listing.newest_first else "ASC"
    return f"SELECT * FROM memory WHERE {sql} ORDER BY created_at {order}, key {order}"
