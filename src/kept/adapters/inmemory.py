"""The log in memory: the reference that says, in plain dictionaries and lists, what the log port means.

A write works on a copy of everything and puts it in place when it ends, so a read never sees half of one and a failed
one leaves nothing. Every value is copied on the way in and out, as a file would. For tests and for stores that need
not outlive their process; a write costs time in proportion to what is stored.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from kept.domain.filters import matches
from kept.domain.history import NOT_UNDOABLE, Operation, Revision, blank, to_microseconds
from kept.domain.jobs import Job, blanked
from kept.domain.memory import CURRENT, HIDDEN_STATES, Episode, MemoryRecord, repeat_key
from kept.domain.spending import ModelCall
from kept.errors import ConflictError, NotFoundError, StoreError
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
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from kept.domain.scope import Scope


@dataclass(slots=True)
class Contents:
    """Everything that is stored. Never changed once it is in place; a write changes a copy."""

    partitions: dict[tuple[str, str | None], Partition] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    revisions: list[Revision] = field(default_factory=list)
    memories: dict[int, MemoryRecord] = field(default_factory=dict)
    entries: dict[int, tuple[str, IndexEntry]] = field(default_factory=dict)
    episodes: dict[str, Episode] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    calls: dict[str, ModelCall] = field(default_factory=dict)

    def copy(self) -> Contents:
        return Contents(
            partitions=dict(self.partitions),
            operations=list(self.operations),
            revisions=list(self.revisions),
            memories=dict(self.memories),
            entries=dict(self.entries),
            episodes=dict(self.episodes),
            jobs=dict(self.jobs),
            calls=dict(self.calls),
        )

    def blank_jobs(self, jobs: Collection[Job]) -> None:
        """Forget what jobs hold, and what models were asked for them."""
        self.jobs.update({job.id: blanked(job) for job in jobs})
        self.forget_digests({job.id for job in jobs})

    def forget_digests(self, job_ids: Collection[str]) -> None:
        asked = [call for call in self.calls.values() if call.job_id in job_ids]
        self.calls.update({call.id: replace(call, digest=None) for call in asked})


class InMemoryReader:
    """Reads of one state of the contents."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents

    def find(self, project: str, memory_id: str) -> MemoryRecord | None:
        return self.find_many(project, [memory_id]).get(memory_id)

    def find_many(self, project: str, memory_ids: Collection[str]) -> dict[str, MemoryRecord]:
        wanted = set(memory_ids)
        return {memory.id: _own(memory) for memory in self._memories(project) if memory.id in wanted}

    def ids_with_prefix(self, project: str, prefix: str, *, limit: int = 2) -> list[str]:
        return sorted(memory.id for memory in self._memories(project) if memory.id.startswith(prefix))[:limit]

    def by_keys(self, keys: Sequence[int]) -> dict[int, MemoryRecord]:
        memories = self._readable().memories
        return {key: _own(memories[key]) for key in map(int, keys) if key in memories}

    def find_repeat(self, project: str, repeat_keys: Collection[str]) -> dict[str, MemoryRecord]:
        wanted = set(repeat_keys)
        found: dict[str, MemoryRecord] = {}
        for memory in sorted(self._memories(project), key=_key):
            own_key = repeat_key(memory.scope, memory.speaker, memory.text)
            if memory.state == CURRENT and own_key in wanted:
                found.setdefault(own_key, _own(memory))
        return found

    def page(self, listing: Listing, *, limit: int, offset: int = 0) -> list[MemoryRecord]:
        return list(islice(self.scan(listing), offset, offset + limit))

    def scan(self, listing: Listing) -> Iterator[MemoryRecord]:
        ordered = sorted(
            self._listed(listing), key=lambda memory: (memory.created_at, memory.key), reverse=listing.newest_first
        )
        return map(_own, ordered)

    def count(self, listing: Listing) -> int:
        return len(self._listed(listing))

    def matching_keys(self, listing: Listing, partition: int) -> NDArray[np.int64]:
        import numpy as np

        contents = self._readable()
        keys = [memory.key for memory in self._listed(listing) if _partition_of(contents, memory.scope) == partition]
        return np.array(sorted(keys), dtype=np.int64)

    def entity_summaries(self, project: str) -> list[EntitySummary]:
        grouped: dict[tuple[str, str], list[MemoryRecord]] = defaultdict(list)
        for memory in self._memories(project):
            if memory.state not in HIDDEN_STATES:
                for name, value in memory.scope.ids.items():
                    grouped[name.removesuffix("_id"), value].append(memory)
        return [
            EntitySummary(
                type=kind,  # type: ignore[arg-type]  # the names of a scope's ids without their ending
                name=name,
                memories=len(memories),
                created_at=min(memory.created_at for memory in memories),
                updated_at=max(memory.updated_at for memory in memories),
            )
            for (kind, name), memories in sorted(grouped.items())
        ]

    def partitions(self, project: str, user_ids: Collection[str | None] | None = None) -> list[Partition]:
        return [
            partition
            for partition in self._readable().partitions.values()
            if partition.project == project and (user_ids is None or partition.user_id in user_ids)
        ]

    def partition_rows(self, partition: int, after: int, identity: str) -> Iterator[PartitionRow]:
        contents = self._readable()
        for memory in sorted(contents.memories.values(), key=lambda memory: memory.seq):
            if memory.seq > after and _partition_of(contents, memory.scope) == partition:
                made_under, entry = contents.entries.get(memory.key, (None, None))
                yield _partition_row(memory, entry if made_under == identity else None)

    def index_identities(self, partition: int) -> set[str]:
        contents = self._readable()
        own = {
            memory.key for memory in contents.memories.values() if _partition_of(contents, memory.scope) == partition
        }
        return {made_under for key, (made_under, _) in contents.entries.items() if key in own}

    def head(self) -> int:
        return _last_seq(self._readable().revisions)

    def revisions(
        self, project: str, *, memory_id: str | None = None, after: int = 0, upto: int | None = None
    ) -> Iterator[Revision]:
        for revision in self._revisions(project):
            in_range = revision.seq > after and (upto is None or revision.seq <= upto)
            if in_range and memory_id in {None, revision.memory_id}:
                yield deepcopy(revision)

    def page_revisions(self, listing: Listing, *, limit: int, offset: int = 0) -> list[Revision]:
        return self._revisions_of(listing)[::-1][offset : offset + limit]

    def count_revisions(self, listing: Listing) -> int:
        return len(self._revisions_of(listing))

    def _revisions_of(self, listing: Listing) -> list[Revision]:
        listed = {memory.id for memory in self._listed(listing)}
        return [revision for revision in self.revisions(listing.scope.project) if revision.memory_id in listed]

    def seq_at(self, project: str, moment: datetime) -> int:
        return _last_seq(list(takewhile(lambda found: found.recorded_at <= moment, self._revisions(project))))

    def operation(self, project: str, operation_id: str) -> Operation | None:
        newest_first = reversed(self._operations(project))
        return next((found for found in newest_first if found.id == operation_id), None)

    def operation_revisions(self, project: str, operation_id: str) -> list[Revision]:
        return [revision for revision in self.revisions(project) if revision.operation_id == operation_id]

    def find_idempotent(self, project: str, idempotency_key: str) -> Operation | None:
        return next((found for found in self._operations(project) if found.idempotency_key == idempotency_key), None)

    def taken_back(self, project: str, operation_ids: Collection[str]) -> set[str]:
        return self._taken_back(project) & set(operation_ids)

    def last_undoable(self, project: str, scope: Scope) -> Operation | None:
        boundary = replace(scope, project=project)
        inside = {
            memory.id
            for memory in self._memories(project)
            if memory.state != "erased" and boundary.admits(memory.scope)
        }
        touching = {revision.operation_id for revision in self._revisions(project) if revision.memory_id in inside}
        taken_back = self._taken_back(project)
        return next(
            (
                operation
                for operation in reversed(self._operations(project))
                if operation.id in touching - taken_back and operation.kind not in NOT_UNDOABLE
            ),
            None,
        )

    def _taken_back(self, project: str) -> set[str]:
        undos = {found.id: found.undoes for found in self._operations(project) if found.undoes}
        return {undone for undo, undone in undos.items() if undo not in undos.values()}

    def operations(self, project: str, *, limit: int = 100, before: str | None = None) -> list[Operation]:
        newest_first = self._operations(project)[::-1]
        if before is not None:
            places = [place for place, operation in enumerate(newest_first) if operation.id == before]
            newest_first = newest_first[places[0] + 1 :] if places else []
        return newest_first[:limit]

    def episode(self, project: str, episode_id: str) -> Episode | None:
        episode = self._readable().episodes.get(episode_id)
        return episode if episode is not None and episode.scope.project == project else None

    def made_of_episode(self, scope: Scope, episode_id: str) -> list[MemoryRecord]:
        found = (record for record in self._memories(scope.project) if record.episode_id == episode_id)
        return sorted((record for record in found if record.user_id == scope.user_id), key=lambda record: record.key)

    def known_sources(self, scope: Scope, source_ids: Collection[str]) -> set[str]:
        stored = {
            message.source_id
            for episode in self._readable().episodes.values()
            if (episode.scope.project, episode.scope.user_id) == (scope.project, scope.user_id)
            for message in episode.messages
        }
        return set(source_ids) & stored

    def statistics(self, project: str | None = None) -> Statistics:
        contents = self._readable()
        memories = list(contents.memories.values()) if project is None else self._memories(project)
        episodes = [found for found in contents.episodes.values() if project in {None, found.scope.project}]
        states = [memory.state for memory in memories]
        return Statistics(
            memories={state: states.count(state) for state in set(states)},
            episodes=len(episodes),
            messages=sum(len(episode.messages) for episode in episodes),
            revisions=len(contents.revisions if project is None else self._revisions(project)),
            operations=len(contents.operations if project is None else self._operations(project)),
            users=len([1 for owner, user in contents.partitions if user is not None and project in {None, owner}]),
            head=self.head(),
        )

    def all_projects(self) -> list[str]:
        return sorted({memory.project for memory in self._readable().memories.values()})

    def _readable(self) -> Contents:
        return self._contents

    def _memories(self, project: str) -> list[MemoryRecord]:
        return [memory for memory in self._readable().memories.values() if memory.project == project]

    def _revisions(self, project: str) -> list[Revision]:
        contents = self._readable()
        own = {operation.id for operation in contents.operations if operation.project == project}
        return [found for found in contents.revisions if found.operation_id in own]

    def _operations(self, project: str) -> list[Operation]:
        return [operation for operation in self._readable().operations if operation.project == project]

    def _listed(self, listing: Listing) -> list[MemoryRecord]:
        return [memory for memory in self._readable().memories.values() if _is_listed(memory, listing)]


class InMemoryTransaction(InMemoryReader):
    """One write. Lives inside `InMemoryLog.write`."""

    def __init__(self, contents: Contents) -> None:
        super().__init__(contents)
        self._seq = _last_seq(contents.revisions)

    def next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def put_operation(self, operation: Operation) -> None:
        key = operation.idempotency_key
        if key is not None and self.find_idempotent(operation.project, key):
            raise ConflictError(f"The idempotency key {key!r} was used before.")
        if any(known.id == operation.id for known in self._contents.operations):
            raise ConflictError(f"The operation {operation.id} is recorded already.")
        self._contents.operations.append(operation)

    def put_episode(self, episode: Episode) -> None:
        if episode.id in self._contents.episodes:
            raise ConflictError(f"The episode {episode.id} is stored already.")
        self._partition(episode.scope)
        messages = tuple(replace(message, attachments=()) for message in episode.messages)
        self._contents.episodes[episode.id] = replace(episode, messages=messages)

    def append(
        self,
        revisions: Sequence[Revision],
        records: Sequence[MemoryRecord],
        entries: Sequence[IndexEntry | None],
        *,
        identity: str,
    ) -> None:
        self._append_log(revisions, records)
        made = zip(records, entries, strict=True)
        self.put_entries({record.key: entry for record, entry in made if entry is not None}, identity=identity)

    def drop_orphan_entries(self) -> int:
        visible = {memory.key for memory in self._contents.memories.values() if memory.state != "erased"}
        orphans = self._contents.entries.keys() - visible
        for key in orphans:
            del self._contents.entries[key]
        return len(orphans)

    def put_entries(self, entries: Mapping[int, IndexEntry], *, identity: str) -> None:
        self._contents.entries.update({key: (identity, entry) for key, entry in entries.items()})

    def put_records(self, records: Sequence[MemoryRecord]) -> None:
        for record in records:
            self._partition(record.scope)
            self._contents.memories[record.key] = _own(record)

    def erase(self, revisions: Sequence[Revision], records: Sequence[MemoryRecord]) -> None:
        for revision, record in zip(revisions, records, strict=True):
            before = self.find(record.project, record.id)
            if before is None:
                raise NotFoundError(f"No memory {record.id} in project {record.project!r}.")
            self._blank_messages(before)
            for change in self._revisions(record.project):
                if change.memory_id == record.id and (source := change.changes.get("source")):
                    self._blank_messages(replace(before, episode_id=source[0], position=source[1], positions=()))
            own = self._revisions(record.project)
            self._contents.revisions[:] = [
                blank(known) if known.memory_id == record.id and known in own else known
                for known in self._contents.revisions
            ]
            self._contents.entries.pop(record.key, None)
            self._contents.blank_jobs(self._jobs_of(record))
            self._append_log([revision], [record])

    def forget_sources(self, scope: Scope) -> int:
        inside = [episode for episode in self._contents.episodes.values() if scope.admits(episode.scope)]
        for episode in inside:
            self._blank(episode, None)
        self._contents.blank_jobs([job for job in self._contents.jobs.values() if scope.admits(job.scope)])
        return sum(1 for episode in inside for message in episode.messages if message.content)

    def _append_log(self, revisions: Sequence[Revision], records: Sequence[MemoryRecord]) -> None:
        for revision, record in zip(revisions, records, strict=True):
            if self.operation(record.project, revision.operation_id) is None:
                raise StoreError(f"Revision {revision.seq} belongs to an operation that was not recorded.")
            if revision.seq <= _last_seq(self._contents.revisions):
                raise ConflictError(f"Position {revision.seq} of the log is taken.")
            known = self.find(record.project, record.id)
            if known is not None and known.key != record.key:
                raise ConflictError(f"The id {record.id} belongs to another memory.")
            self._contents.revisions.append(deepcopy(revision))
            self.put_records([record])

    def _jobs_of(self, memory: MemoryRecord) -> list[Job]:
        """Those that name a memory, or whose id is the idempotency key of what stored or changed it."""
        changed_by = {found.operation_id for found in self._revisions(memory.project) if found.memory_id == memory.id}
        stored_by = {found.idempotency_key for found in self._operations(memory.project) if found.id in changed_by}
        jobs = [job for job in self._contents.jobs.values() if job.scope.project == memory.project]
        return [job for job in jobs if memory.id in job.memory_ids or job.id in stored_by]

    def _blank_messages(self, memory: MemoryRecord) -> None:
        """The message that a memory came from; all of its episode's when it came from no single one."""
        episode = self._contents.episodes.get(memory.episode_id or "")
        if episode is not None and (episode.scope.project, episode.scope.user_id) == (memory.project, memory.user_id):
            self._blank(episode, set(memory.source_positions) or None)

    def _blank(self, episode: Episode, positions: set[int] | None) -> None:
        """Some messages of an episode, or all of them."""
        self._contents.episodes[episode.id] = replace(
            episode,
            messages=tuple(
                replace(message, content="", name=None) if positions is None or place in positions else message
                for place, message in enumerate(episode.messages)
            ),
        )

    def _partition(self, scope: Scope) -> None:
        owner = (scope.project, scope.user_id)
        if owner not in self._contents.partitions:
            number = len(self._contents.partitions) + 1
            self._contents.partitions[owner] = Partition(id=number, project=scope.project, user_id=scope.user_id)


class InMemoryLog(InMemoryReader):
    """The log port without a file; safe for threads. What it holds is gone when it is closed."""

    def __init__(self) -> None:
        super().__init__(Contents())
        self._write_lock = threading.Lock()
        self._writes = 0
        self._closed = False

    @contextmanager
    def write(self) -> Iterator[InMemoryTransaction]:
        with self.changing() as contents:
            yield InMemoryTransaction(contents)

    @contextmanager
    def changing(self) -> Iterator[Contents]:
        """A copy of everything, which takes its place when the block ends: for what else is kept with the log."""
        with self._write_lock:
            changed = self._readable().copy()
            yield changed
            self._contents = changed
            self._writes += 1

    def version(self) -> int:
        return self._writes

    @property
    def contents(self) -> Contents:
        """Everything as it is now; not to be changed."""
        return self._readable()

    def scrub(self) -> bool:
        return True

    def verify(self) -> Iterator[Finding]:
        contents = self._readable()
        written = {(revision.memory_id, revision.seq) for revision in contents.revisions}
        for memory in contents.memories.values():
            if (memory.id, memory.seq) not in written:
                yield Finding(check="log", where=f"memory {memory.id}", detail="its last revision is missing")

    def backup(self, target: Path, progress: Progress | None = None) -> None:  # noqa: ARG002 - the port's signature
        raise StoreError(f"A store in memory cannot be copied to {target}; export it, or keep it in a file.")

    def close(self) -> None:
        self._closed = True

    def _readable(self) -> Contents:
        if self._closed:
            raise StoreError("The store in memory was closed.")
        return self._contents


def _own(memory: MemoryRecord) -> MemoryRecord:
    """A copy that shares nothing that can be changed."""
    return replace(memory, metadata=deepcopy(dict(memory.metadata)))


def _key(memory: MemoryRecord) -> int:
    return memory.key


def _last_seq(revisions: Sequence[Revision]) -> int:
    return revisions[-1].seq if revisions else 0


def _partition_of(contents: Contents, scope: Scope) -> int:
    return contents.partitions[scope.project, scope.user_id].id


def _is_listed(memory: MemoryRecord, listing: Listing) -> bool:
    if not listing.scope.admits(memory.scope) or memory.state not in listing.states:
        return False
    if listing.today is not None and memory.is_expired(listing.today):
        return False
    if listing.repeated and not memory.reinforced:
        return False
    return listing.condition is None or matches(listing.condition, memory)


def _partition_row(memory: MemoryRecord, entry: IndexEntry | None) -> PartitionRow:
    return PartitionRow(
        key=memory.key,
        seq=memory.seq,
        state=memory.state,
        agent_id=memory.agent_id,
        app_id=memory.app_id,
        run_id=memory.run_id,
        session=memory.session,
        speaker=memory.speaker,
        role=memory.role,
        created_at=to_microseconds(memory.created_at),
        valid_from=None if memory.valid_from is None else to_microseconds(memory.valid_from),
        valid_to=None if memory.valid_to is None else to_microseconds(memory.valid_to),
        expires_on=None if memory.expires_on is None else memory.expires_on.toordinal(),
        feedback=memory.feedback,
        reinforced=memory.reinforced,
        entry=entry,
    )
