"""Maintain: change, close, hide, bring back, erase; and prove that the store is what it says.

Everything but an erase is a revision that can be taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, NamedTuple, get_args

from kept.domain.entities import entity_refs
from kept.domain.filters import parse_filter
from kept.domain.history import (
    NOT_UNDOABLE,
    Op,
    Operation,
    Revision,
    apply,
    difference,
    fold,
    permits,
    to_microseconds,
)
from kept.domain.ids import WHOLE_ID
from kept.domain.lexicon import is_finite, layout_fault
from kept.domain.memory import CLOSED_STATES, DERIVED_FROM, MemoryRecord, State, first_person, text_hash
from kept.domain.scope import Scope
from kept.domain.text import hashed_terms
from kept.engine.echoes import echoes
from kept.engine.indexing import Indexer
from kept.engine.intake import parse_metadata
from kept.errors import ConflictError, InvalidInputError, NotFoundError
from kept.ports import Clock, Finding, Ids, IndexEntry, Listing, Log, LogReader, PartitionRow, Progress, Transaction

ALL_STATES: Final[tuple[State, ...]] = get_args(State)
BATCH_RECORDS: Final = 1_000
"""Memories rewritten in one transaction of a long maintenance call, so that others get their turn."""

MIN_SHORT_ID: Final = 6
"""Characters of the shortest beginning that is looked up: fewer are of too many."""
LATEST: Final = 10_000
"""Operations among which a short id is looked for; of those before them, the whole id is asked for."""
PAGE_OPERATIONS: Final = 100
"""Operations read at a time while looking for the one that took another back; mostly it is among the newest."""

_IS_DERIVED: Final = parse_filter({f"metadata.{DERIVED_FROM}": "*"}, "any")
_NOT_ERASED: Final[tuple[State, ...]] = tuple(state for state in ALL_STATES if state != "erased")

_VOLATILE: Final = ("seq", "updated_at")
"""Fields that differ after a change was made and taken back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a memory's history: the revision, and the memory before and after it (None before its first)."""

    revision: Revision
    operation: Operation | None
    before: MemoryRecord | None
    after: MemoryRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a maintenance call did.

    Attributes:
        operation_id: For `undo`; None when nothing had to change.
        memories: Each changed memory as it is now.
        passed_over: How many more were meant and stay as they are, because they are immutable.
    """

    operation_id: str | None
    memories: tuple[MemoryRecord, ...] = ()
    passed_over: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What an erase did.

    Attributes:
        memory_ids: Whose content is gone; the ids stay as tombstones.
        messages: Source messages blanked besides those of the memories.
        scrubbed: Whether the files are clean already. False while another process reads an older state; the next erase,
            verify, opening or closing of the store finishes the work.
    """

    memory_ids: tuple[str, ...] = ()
    messages: int = 0
    scrubbed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who asks, through which connector."""

    actor: str | None = None
    connector: str = "sdk"


def _echoes(log: LogReader, record: MemoryRecord) -> list[str]:
    """Ids of what was made of the same words: of a fact the statements, of a statement the facts, that share a word with it."""
    words = set(hashed_terms(record.text))
    return [other.id for other in echoes(log, record) if not words.isdisjoint(hashed_terms(other.text))]


def _derived(log: LogReader, records: Sequence[MemoryRecord]) -> list[str]:
    """Ids of what was made of any of these by consolidation, or has a name from one: the words of an erased memory do not live on there."""
    ids = {record.id for record in records}
    found: list[str] = []
    for owner in {Scope(project=record.project, user_id=record.user_id) for record in records}:
        listing = Listing(scope=owner, condition=_IS_DERIVED, states=_NOT_ERASED)
        found += [one.id for one in log.scan(listing) if not ids.isdisjoint(one.derived_from)]
    return found


class _Indexed(NamedTuple):
    """What `verify` needs of an index entry, so that a whole project's fit in memory: not the embeddings.

    Attributes:
        terms: The postings.
        fault: What is wrong with the blobs, None when nothing is.
    """

    terms: bytes
    fault: str | None


class Maintain:
    """Changes to what is stored."""

    def __init__(self, log: Log, indexer: Indexer, clock: Clock, ids: Ids) -> None:
        self._log = log
        self._indexer = indexer
        self._clock = clock
        self._ids = ids

    # --- reading the past ---

    def get(self, project: str, memory_id: str) -> MemoryRecord:
        """A memory in any state but erased.

        Raises:
            NotFoundError: The project has none under this id, or it was erased.
        """
        record = self._log.find(project, memory_id)
        if record is None:
            raise NotFoundError(f"There is no memory {memory_id}.")
        if record.state == "erased":
            raise NotFoundError(f"Memory {memory_id} was erased; nothing of it is left.")
        return record

    def history(self, project: str, memory_id: str) -> list[Step]:
        """Each revision of a memory, oldest first; of an erased one, that and when.

        Raises:
            NotFoundError: The project has none under this id.
        """
        if self._log.find(project, memory_id) is None:
            raise NotFoundError(f"There is no memory {memory_id}.")
        steps: list[Step] = []
        before: MemoryRecord | None = None
        for revision in self._log.revisions(project, memory_id=memory_id):
            after = apply(before, revision)
            operation = self._log.operation(project, revision.operation_id)
            steps.append(Step(revision=revision, operation=operation, before=before, after=after))
            before = after
        return steps

    def as_of(self, project: str, memory_id: str, seq: int) -> MemoryRecord | None:
        """The memory as the log had it at `seq`; None when it did not exist yet."""
        return fold(self._log.revisions(project, memory_id=memory_id, upto=seq))

    # --- changing ---

    def update(self, project: str, memory_id: str, fields: Mapping[str, Any], by: By) -> Change:
        """Set fields of a memory; a new text is indexed anew, its entities and relations are found again, metadata is merged.

        Raises:
            InvalidInputError: It would end before it begins, or its metadata would be too large.
            NotFoundError: No such memory, or it was deleted or erased.
            ConflictError: It is immutable.
        """
        record = self._updatable(project, memory_id)
        changed = _update_of(record, fields)
        return self._revise(project, "update", "update", [record], lambda _: changed, by)

    def update_many(self, project: str, updates: Mapping[str, Mapping[str, Any]], by: By) -> Change:
        """Set fields of several memories, by their ids, in one operation: of all of them or of none.

        Raises:
            KeptError: As of `update`; it names the memory.
        """
        records, changed = [], {}
        for memory_id, fields in updates.items():
            with about(memory_id):
                records.append(self._updatable(project, memory_id))
                changed[memory_id] = _update_of(records[-1], fields)
        return self._revise(project, "update", "update", records, lambda record: changed[record.id], by)

    def _updatable(self, project: str, memory_id: str) -> MemoryRecord:
        record = self._changeable(project, memory_id, "update")
        if record.state == "deleted":
            raise NotFoundError(f"Memory {memory_id} was deleted; restore it before changing it.")
        return record

    def invalidate(self, project: str, memory_id: str, at: datetime | None, by: By) -> Change:
        """Say that a memory is no longer true, from `at` on (None: now).

        Raises:
            NotFoundError: No such memory.
            ConflictError: It is immutable, or was closed before.
        """
        record = self._changeable(project, memory_id, "invalidate")
        if record.state != "active":
            raise ConflictError(f"Memory {memory_id} is {record.state} already.")
        fields = {"state": "invalidated", "valid_to": at or self._clock()}
        return self._revise(project, "invalidate", "invalidate", [record], lambda _: fields, by)

    def supersede(
        self, project: str, memory_ids: Sequence[str], kept_id: str, by: By, *, from_then: bool = False
    ) -> Change:
        """Let one memory stand for others, in one operation: they are superseded by it, and linked both ways.

        Args:
            project: The boundary.
            memory_ids: The others; they are current.
            kept_id: What stays.
            by: Who asks.
            from_then: Whether they held only until it did; else they said the same, and it counts as said as often as all of them.

        Raises:
            NotFoundError: One of them does not exist.
            ConflictError: One of the others is immutable, or one of them is not current.
        """
        kept = self._current(project, kept_id, "reinforce")
        others = [self._current(project, memory_id, "supersede") for memory_id in dict.fromkeys(memory_ids)]
        closed: dict[str, Any] = {"state": "superseded", "superseded_by": kept.id}
        ends = kept.valid_from or kept.created_at
        planned = [
            (one, replace(one, **closed, valid_to=min(one.valid_to or ends, ends) if from_then else one.valid_to))
            for one in others
        ]
        said = 0 if from_then else sum(1 + one.reinforced for one in others)
        links = tuple(dict.fromkeys((*kept.supersedes, *(one.id for one in others))))
        planned.append((kept, replace(kept, supersedes=links, reinforced=kept.reinforced + said)))
        ops: list[Op] = ["supersede" for _ in others]
        operation = self._operation(project, "supersede", by)
        with self._log.write() as transaction:
            _require_unchanged(transaction, planned)
            return self._append(transaction, operation, [*ops, "reinforce"], planned, [None] * len(planned))

    def feedback(self, project: str, memory_id: str, value: str | None, by: By) -> Change:
        """Keep a person's verdict on a memory; later rankings use it."""
        record = self.get(project, memory_id)
        return self._revise(project, "feedback", "feedback", [record], lambda _: {"feedback": value}, by)

    def delete(self, project: str, memory_ids: Sequence[str], by: By, *, linked: bool = False) -> Change:
        """Hide memories; each can be restored.

        Args:
            project: The boundary.
            memory_ids: Which.
            by: Who asks.
            linked: Also the older memories that these superseded, and those that they superseded.

        Raises:
            NotFoundError: One of them does not exist or is deleted; nothing was changed.
            ConflictError: One of them is immutable; nothing was changed.
        """
        records = [self._changeable(project, memory_id, "delete") for memory_id in dict.fromkeys(memory_ids)]
        for record in records:
            if record.state == "deleted":
                raise NotFoundError(f"Memory {record.id} was deleted before.")
        if linked:
            records += self._linked(project, records)
        return self._revise(project, "delete", "delete", records, lambda _: {"state": "deleted"}, by)

    def delete_all(
        self, listing: Listing, by: By, progress: Progress | None = None, *, immutable_too: bool = False
    ) -> Change:
        """Hide all that a listing holds, in one operation that one undo takes back.

        Args:
            listing: Which.
            by: Who asks.
            progress: Told how many there are.
            immutable_too: Whether immutable ones go with the others; else they are passed over.
        """
        if progress:
            progress(0, self._log.count(listing))
        deleted = {"state": "deleted"}
        return self._revise_all(listing, "delete", "delete", deleted, by, immutable_too=immutable_too)

    def retain(self, listing: Listing, days: int, by: By) -> Change:
        """Expire what was said more than `days` days ago: hidden from search and lists, still there by id.

        Immutable memories are excepted. Facts without an end of their own keep their validity; each expiry is in the log and can be undone.
        """
        limit = self._clock() - timedelta(days=days)
        yesterday = self._clock().date() - timedelta(days=1)
        return self._revise_all(listing, "retain", "expire", {"expires_on": yesterday}, by, before=limit)

    # --- taking back ---

    def undo(self, scope: Scope, operation_id: str | None, by: By) -> tuple[Operation, Change]:
        """Take back a whole operation: the given one, or the newest in `scope` that was not taken back.

        An undo is taken back by its id; then what it had taken back holds again.

        Raises:
            NotFoundError: There is nothing to undo, or no such operation.
            ConflictError: It was taken back before, cannot be, reaches outside the scope, or something changed the same
                memories since.
        """
        operation = self._undoable(scope, operation_id)
        project = scope.project
        changed: dict[str, list[Revision]] = {}
        for revision in self._log.operation_revisions(project, operation.id):
            changed.setdefault(revision.memory_id, []).append(revision)
        records, fields = [], {}
        for memory_id, current in self._inside(scope, operation, list(changed)).items():
            revisions = changed[memory_id]
            before = self.as_of(project, memory_id, revisions[0].seq - 1)
            after = self.as_of(project, memory_id, revisions[-1].seq)
            if after is None or _content(after) != _content(current):
                raise ConflictError(
                    f"Operation {operation.id} cannot be undone: memory {memory_id} was changed since. "
                    "Undo the later operation first, or restore the memory to the revision you want."
                )
            records.append(current)
            fields[memory_id] = {"state": "deleted"} if before is None else _content(before)
        return operation, self._revise(
            project, "undo", "restore", records, lambda record: fields[record.id], by, undoes=operation.id
        )

    def restore(self, project: str, memory_id: str, seq: int | None, by: By) -> Change:
        """Bring a memory back as it was: at revision `seq`, or (None) before it was deleted or closed.

        Raises:
            NotFoundError: No such memory or revision.
            ConflictError: It was erased; or it is neither deleted nor closed and no revision was named; or it is immutable
                and the revision would hide it.
        """
        record = self._log.find(project, memory_id)
        if record is None:
            raise NotFoundError(f"There is no memory {memory_id}.")
        if record.state == "erased":
            raise ConflictError(f"Memory {memory_id} was erased; nothing of it is left to restore.")
        earlier = self._earlier(record, seq)
        _require(record, "delete" if earlier.state == "deleted" else "restore")
        return self._revise(project, "restore", "restore", [record], lambda _: _content(earlier), by)

    def _earlier(self, record: MemoryRecord, seq: int | None) -> MemoryRecord:
        states = {step.revision.seq: step.after for step in self.history(record.project, record.id)}
        if seq is not None:
            if seq not in states:
                known = ", ".join(map(str, states))
                raise NotFoundError(f"Memory {record.id} has no revision {seq}; it has {known}.")
            return states[seq]
        if record.state == "active":
            raise ConflictError(f"Memory {record.id} is current; name the revision of its history to go back to.")
        wanted = ALL_STATES[:1] if record.state in CLOSED_STATES else ("active", *CLOSED_STATES)
        earlier = next((state for state in reversed(states.values()) if state.state in wanted), None)
        if earlier is None:
            raise ConflictError(
                f"Memory {record.id} was {record.state} when it was stored; there is nothing to go back to."
            )
        return earlier

    def _undoable(self, scope: Scope, operation_id: str | None) -> Operation:
        if operation_id is None:
            operation = self._log.last_undoable(scope.project, scope)
            if operation is None:
                raise NotFoundError("There is nothing to undo here.")
            return operation
        operation = self._log.operation(scope.project, self._whole_operation_id(scope.project, operation_id))
        if operation is None:
            raise NotFoundError(f"There is no operation {operation_id}.")
        self._require_undoable(operation)
        later = self._undo_of(operation)
        if later is not None:
            raise ConflictError(f"Operation {operation_id} was undone before, by operation {later.id}.")
        return operation

    def _whole_operation_id(self, project: str, given: str) -> str:
        """The id of an operation that this one is, or begins unambiguously among the latest.

        Raises:
            NotFoundError: Several begin so.
        """
        short = given.strip().lower()
        if not MIN_SHORT_ID <= len(short) < WHOLE_ID:
            return given
        found = [done.id for done in self._log.operations(project, limit=LATEST) if done.id.startswith(short)]
        if len(found) > 1:
            raise NotFoundError(f"Several operations begin with {short}; give more of the id.")
        return found[0] if found else given

    def _require_undoable(self, operation: Operation) -> None:
        """An undo can be taken back, once: whoever wants what it had taken back to be gone again undoes that again."""
        if operation.kind not in NOT_UNDOABLE:
            return
        undone = self._log.operation(operation.project, operation.undoes) if operation.undoes else None
        if undone is None:
            raise ConflictError(f"Operation {operation.id} cannot be undone: its kind is {operation.kind}.")
        if undone.undoes:
            raise ConflictError(
                f"Operation {operation.id} took an undo back and cannot be undone itself; undo operation {undone.undoes} again."
            )

    def _undo_of(self, operation: Operation) -> Operation | None:
        """The operation that took this one back, and was not taken back itself; it can only be a later one."""
        before: str | None = None
        undone: set[str | None] = set()
        while page := self._log.operations(operation.project, limit=PAGE_OPERATIONS, before=before):
            for later in page:
                if later.id == operation.id:
                    return None
                if later.undoes == operation.id and later.id not in undone:
                    return later
                undone.add(later.undoes)
            before = page[-1].id
        return None

    def _inside(self, scope: Scope, operation: Operation, memory_ids: Sequence[str]) -> dict[str, MemoryRecord]:
        """The memories that an operation changed, erased ones left out; all of them lie inside `scope`."""
        found = self._log.find_many(scope.project, memory_ids)
        present = {memory_id: found[memory_id] for memory_id in memory_ids if memory_id in found}
        present = {memory_id: record for memory_id, record in present.items() if record.state != "erased"}
        outside = sum(not scope.admits(record.scope) for record in present.values())
        if outside == len(present) and not scope.is_bare:  # also where all were erased: nobody can say whose they were
            raise NotFoundError(f"There is no operation {operation.id} in this scope.")
        if outside:
            raise ConflictError(
                f"Operation {operation.id} also changed {outside} memories outside this scope. Undo it by its id under "
                "a scope that holds them all, or without one."
            )
        return present

    # --- erasing ---

    def erase(self, project: str, memory_ids: Sequence[str], by: By) -> Erasure:
        """Remove the content of memories for good: from the log, the index, the sources and the files' free space.

        The message that a memory was taken from is blanked whole. Memories made of other sentences of it stay; a fact and the
        statements of the same words go together.

        Raises:
            NotFoundError: One of them does not exist; nothing was erased.
        """

        def chosen(transaction: Transaction) -> Iterator[str]:
            for memory_id in dict.fromkeys(memory_ids):
                record = transaction.find(project, memory_id)
                same_words = () if record is None else _echoes(transaction, record)
                yield memory_id
                yield from same_words

        return self._erase(project, chosen, None, by)

    def erase_all(self, listing: Listing, by: By, *, sources: Scope | None = None) -> Erasure:
        """Erase all that a listing holds and, given `sources`, every message of that scope's episodes."""
        return self._erase(
            listing.scope.project,
            # Listed inside the write: what is added before it is erased with its source, what comes after keeps both.
            lambda transaction: [record.id for record in transaction.scan(listing)],
            sources,
            by,
        )

    def _erase(
        self, project: str, memory_ids: Callable[[Transaction], Iterable[str]], sources: Scope | None, by: By
    ) -> Erasure:
        operation = self._operation(project, "erase", by)
        erased, messages = [], 0
        with self._log.write() as transaction:
            transaction.put_operation(operation)
            waiting = list(memory_ids(transaction))
            while waiting:
                records = [self._erasable(transaction, project, memory_id) for memory_id in waiting]
                present = [record for record in records if record.state != "erased"]
                for record in present:
                    self._erase_one(transaction, operation, record)
                erased += [record.id for record in present]
                waiting = _derived(transaction, present)
            if sources is not None:
                messages = transaction.forget_sources(sources)
        return Erasure(memory_ids=tuple(erased), messages=messages, scrubbed=self._log.scrub())

    def _erasable(self, transaction: Transaction, project: str, memory_id: str) -> MemoryRecord:
        record = transaction.find(project, memory_id)
        if record is None:
            raise NotFoundError(f"There is no memory {memory_id}; nothing was erased.")
        return record

    def _erase_one(self, transaction: Transaction, operation: Operation, record: MemoryRecord) -> None:
        revision = Revision(
            seq=transaction.next_seq(),
            memory_id=record.id,
            op="erase",
            operation_id=operation.id,
            recorded_at=operation.recorded_at,
            changes={
                "project": record.project,
                **record.scope.ids,
                "created_at": to_microseconds(record.created_at),
                "recorded_at": to_microseconds(record.recorded_at),
                "connector": record.connector,
            },
        )
        transaction.erase([revision], [apply(record, revision)])

    # --- proving and repairing ---

    def verify(self, project: str | None = None, progress: Progress | None = None) -> Iterator[Finding]:
        """Check that log, current state, hashes and index agree; yields what does not, nothing when all is well."""
        yield from self._log.verify()
        done = 0
        total = sum(self._log.statistics(project).memories.values())
        for name in self._log.all_projects() if project is None else [project]:
            entries = self._indexed(name)
            for record in self._log.scan(Listing(scope=Scope(project=name), states=ALL_STATES)):
                if any(self._check(record, entries.get(record.key))):
                    yield from self._check_alone(record)
                done += 1
                if progress:
                    progress(done, total)

    def _indexed(self, project: str) -> dict[int, _Indexed | None]:
        """What is indexed, by key."""
        return {
            row.key: self._seen(row)
            for partition in self._log.partitions(project)
            for row in self._log.partition_rows(partition.id, 0, self._indexer.identity)
        }

    def _check_alone(self, record: MemoryRecord) -> list[Finding]:
        """Findings of reads between which the memory did not change: a write in their midst looks like damage."""
        while True:
            before = self._log.find(record.project, record.id) or record
            found = list(self._check(before, self._entry(before)))
            after = self._log.find(record.project, record.id) or record
            if before.seq == after.seq:
                return found

    def _entry(self, record: MemoryRecord) -> _Indexed | None:
        """What is indexed of one memory."""
        for partition in self._log.partitions(record.project, {record.user_id}):
            for row in self._log.partition_rows(partition.id, record.seq - 1, self._indexer.identity):
                if row.key == record.key:
                    return self._seen(row)
        return None

    def _seen(self, row: PartitionRow) -> _Indexed | None:
        if row.entry is None:
            return None
        entry = row.entry
        dimensions = self._indexer.dimensions
        fault = layout_fault(entry.embedding, entry.terms, entry.entities, entry.dates, dimensions)
        if fault is None and not is_finite(entry.embedding):
            fault = "its embedding holds a value that is no finite number"
        return _Indexed(entry.terms, fault)

    def _check(self, record: MemoryRecord, entry: _Indexed | None) -> Iterator[Finding]:
        where = f"memory {record.id}"
        folded = fold(self._log.revisions(record.project, memory_id=record.id))
        if folded != record:
            detail = "its current state is not the fold of its revisions; `kept rebuild` repairs it"
            yield Finding(check="fold", where=where, detail=detail)
        if record.state == "erased":
            if entry is not None or record.text:
                yield Finding(check="erase", where=where, detail="content of an erased memory is left")
            return
        if record.hash != text_hash(record.text):
            yield Finding(check="hash", where=where, detail="its hash does not agree with its text")
        if fault := self._index_fault(record, entry):
            yield Finding(check="index", where=where, detail=fault)

    def _index_fault(self, record: MemoryRecord, entry: _Indexed | None) -> str | None:
        if entry is None:
            return f"it has no index entry of {self._indexer.identity}; `kept rebuild` makes one"
        if entry.fault:
            return f"its index entry is damaged: {entry.fault}; `kept rebuild` makes it anew"
        if entry.terms != self._indexer.terms(record.text):
            return "its index entry was made from another text; `kept rebuild` makes it anew"
        return None

    def rebuild(self, project: str | None = None, progress: Progress | None = None) -> int:
        """Make current state and index again from the log; how many memories it wrote.

        Reading and writing go on meanwhile; a memory that changes during the rebuild keeps its newer state.
        """
        written = 0
        with self._log.write() as transaction:
            transaction.drop_orphan_entries()
        for name in self._log.all_projects() if project is None else [project]:
            seen = iter(list(self._memory_ids(name)))
            while batch := list(islice(seen, BATCH_RECORDS)):
                written += self._rebuild_batch(name, batch)
                if progress:
                    progress(written, None)
        return written

    def _memory_ids(self, project: str) -> dict[str, None]:
        return dict.fromkeys(revision.memory_id for revision in self._log.revisions(project) if revision.op == "add")

    def _rebuild_batch(self, project: str, memory_ids: Sequence[str]) -> int:
        """Write these memories again; how many. What is slow happens before the write, so that others get their turn."""
        written = 0
        waiting = list(memory_ids)
        while waiting:
            folded = (fold(self._log.revisions(project, memory_id=memory_id)) for memory_id in waiting)
            records = [record for record in folded if record is not None]
            present = [record for record in records if record.state != "erased"]
            entries = self._indexer.entries(
                [record.text for record in present],
                [record.entity_refs for record in present],
                [record.created_at for record in present],
                project=project,
            )
            indexed = {record.key: entry for record, entry in zip(present, entries, strict=True)}
            with self._log.write() as transaction:
                waiting = [record.id for record in records if _was_revised(transaction, record)]
                changed = set(waiting)
                unchanged = [record for record in records if record.id not in changed]
                transaction.put_records(unchanged)
                fresh = {record.key: indexed[record.key] for record in unchanged if record.key in indexed}
                transaction.put_entries(fresh, identity=self._indexer.identity_of(fresh.values()))
            written += len(unchanged)
        return written

    # --- the one way to write ---

    def _current(self, project: str, memory_id: str, op: Op) -> MemoryRecord:
        record = self._changeable(project, memory_id, op)
        if record.state != "active":
            raise ConflictError(f"Memory {memory_id} is {record.state} already.")
        return record

    def _changeable(self, project: str, memory_id: str, op: Op) -> MemoryRecord:
        record = self.get(project, memory_id)
        _require(record, op)
        return record

    def _linked(self, project: str, records: Sequence[MemoryRecord]) -> list[MemoryRecord]:
        """The chain of older memories behind `records`, of the same user: an import may name anybody's."""
        seen, users = {record.id for record in records}, {record.user_id for record in records}
        found: list[MemoryRecord] = []
        waiting = [older for record in records for older in record.supersedes]
        while waiting:
            memory_id = waiting.pop()
            if memory_id in seen:
                continue
            seen.add(memory_id)
            record = self._log.find(project, memory_id)
            if record is None or record.user_id not in users or record.state in {"deleted", "erased"}:
                continue
            if permits(record, "delete"):
                found.append(record)
                waiting += record.supersedes
        return found

    def _operation(self, project: str, kind: str, by: By, undoes: str | None = None) -> Operation:
        return Operation(
            id=self._ids(),
            project=project,
            kind=kind,
            actor=by.actor,
            connector=by.connector,
            recorded_at=self._clock(),
            undoes=undoes,
        )

    def _revise(
        self,
        project: str,
        kind: str,
        op: Op,
        records: Sequence[MemoryRecord],
        fields: Callable[[MemoryRecord], Mapping[str, Any]],
        by: By,
        undoes: str | None = None,
    ) -> Change:
        """Append one revision to each record that the fields change. What changed since it was read is refused."""
        operation = self._operation(project, kind, by, undoes)
        planned = _planned(records, fields)
        if not planned:
            return Change(operation_id=None, memories=tuple(records))
        entries = self._new_entries(planned)
        with self._log.write() as transaction:
            _require_unchanged(transaction, planned)
            return self._append(transaction, operation, [op] * len(planned), planned, entries)

    def _revise_all(
        self,
        listing: Listing,
        kind: str,
        op: Op,
        fields: Mapping[str, Any],
        by: By,
        *,
        before: datetime | None = None,
        immutable_too: bool = False,
    ) -> Change:
        """Set the fields of each memory that a listing holds, was said `before`, and permits it; never those of a text.

        Listed inside the write, so that a change by somebody else meanwhile is built upon instead of refused.
        """
        operation = self._operation(listing.scope.project, kind, by)
        with self._log.write() as transaction:
            meant = [one for one in transaction.scan(listing) if before is None or one.created_at < before]
            records = [record for record in meant if immutable_too or permits(record, op)]
            passed_over = len(meant) - len(records)
            if planned := _planned(records, lambda _: fields):
                entries = [None] * len(planned)
                done = self._append(transaction, operation, [op] * len(planned), planned, entries)
                return replace(done, passed_over=passed_over)
        return Change(operation_id=None, memories=tuple(records), passed_over=passed_over)

    def _append(
        self,
        transaction: Transaction,
        operation: Operation,
        ops: Sequence[Op],
        planned: Sequence[tuple[MemoryRecord, MemoryRecord]],
        entries: Sequence[IndexEntry | None],
    ) -> Change:
        transaction.put_operation(operation)
        revisions = [
            self._revision(transaction, operation, op, before, after)
            for op, (before, after) in zip(ops, planned, strict=True)
        ]
        results = [apply(before, revision) for (before, _), revision in zip(planned, revisions, strict=True)]
        transaction.append(revisions, results, entries, identity=self._indexer.identity_of(entries))
        return Change(operation_id=operation.id, memories=tuple(results))

    def _revision(
        self, transaction: Transaction, operation: Operation, op: Op, before: MemoryRecord, after: MemoryRecord
    ) -> Revision:
        revised = replace(after, updated_at=operation.recorded_at)
        if op == "restore" and after.state == "deleted":
            op = "delete"
        return Revision(
            seq=transaction.next_seq(),
            memory_id=before.id,
            op=op,
            operation_id=operation.id,
            recorded_at=operation.recorded_at,
            changes=difference(before, revised),
        )

    def _new_entries(self, planned: Sequence[tuple[MemoryRecord, MemoryRecord]]) -> list[IndexEntry | None]:
        """Entries where the text, its entities or the day it was said changed, None elsewhere."""
        changed = [number for number, (before, after) in enumerate(planned) if _indexed(before) != _indexed(after)]
        after = [planned[number][1] for number in changed]
        project = planned[0][0].project
        made = self._indexer.entries(
            [record.text for record in after],
            [record.entity_refs for record in after],
            [record.created_at for record in after],
            project=project,
        )
        entries: list[IndexEntry | None] = [None] * len(planned)
        for number, entry in zip(changed, made, strict=True):
            entries[number] = entry
        return entries


@contextmanager
def about(memory_id: str) -> Iterator[None]:
    """Let what cannot be used say of which memory it is, where several are changed together.

    Raises:
        InvalidInputError: What was raised inside.
    """
    try:
        yield
    except InvalidInputError as error:
        raise type(error)(f"Memory {memory_id}: {error}") from error


def _update_of(record: MemoryRecord, fields: Mapping[str, Any]) -> dict[str, Any]:
    """All that changes in a memory when these fields do."""
    changed = dict(fields)
    if "metadata" in changed:
        changed["metadata"] = parse_metadata({**record.metadata, **changed["metadata"]})
    _check_validity(replace(record, **changed))
    if "text" in changed:
        changed["hash"] = text_hash(changed["text"])
        changed.setdefault("entity_refs", entity_refs(changed["text"]))
        from kept.domain.relations import relations

        speaker = first_person(record.scope, record.role, record.speaker)
        changed.setdefault("relations", relations(changed["text"], speaker=speaker))
    return changed


def _require(record: MemoryRecord, op: Op) -> None:
    if not permits(record, op):
        raise ConflictError(f"Memory {record.id} is immutable.")


def _require_unchanged(transaction: Transaction, planned: Sequence[tuple[MemoryRecord, MemoryRecord]]) -> None:
    """Refuse to write over what changed since it was read."""
    present = transaction.find_many(planned[0][0].project, [before.id for before, _ in planned])
    for before, _ in planned:
        if present[before.id].seq != before.seq:
            raise ConflictError(f"Memory {before.id} was changed by somebody else just now. Try again.")


def _was_revised(transaction: Transaction, record: MemoryRecord) -> bool:
    """Whether the log has a later revision of the memory than the one that this state was folded to."""
    return any(transaction.revisions(record.project, memory_id=record.id, after=record.seq))


def _planned(
    records: Iterable[MemoryRecord], fields: Callable[[MemoryRecord], Mapping[str, Any]]
) -> list[tuple[MemoryRecord, MemoryRecord]]:
    """Each record that the fields change, before and after."""
    planned = [(record, replace(record, **fields(record))) for record in records]
    return [(before, after) for before, after in planned if _content(before) != _content(after)]


def _check_validity(record: MemoryRecord) -> None:
    if record.valid_from and record.valid_to and record.valid_to <= record.valid_from:
        raise InvalidInputError(f"valid_to {record.valid_to.isoformat()} is not after valid_from.")


def _content(record: MemoryRecord) -> dict[str, Any]:
    """A memory's fields but those that change with every revision, and but its identity."""
    skipped = {*_VOLATILE, "id", "key", "scope"}
    return {name: getattr(record, name) for name in record.__slots__ if name not in skipped}


def _indexed(record: MemoryRecord) -> tuple[object, ...]:
    """What an index entry is made of."""
    return record.text, record.entity_refs, record.created_at
