"""Import and export: sessions and finished memories in, lines out. Importing the same thing twice adds nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from kept.domain.exporting import export_header, export_line, from_export, to_export, to_markdown
from kept.domain.history import Operation, Revision, to_changes
from kept.domain.memory import HIDDEN_STATES, MemoryRecord, text_hash
from kept.domain.scope import Scope
from kept.engine import intake
from kept.engine.indexing import Indexer
from kept.engine.ingest import BATCH_DRAFTS, AddRequest, AddResult, Ingest
from kept.engine.maintain import By
from kept.errors import InvalidInputError
from kept.ports import Clock, Ids, IndexEntry, Listing, Log, Progress, ReadSession

FORMS: Final = ("jsonl", "markdown")
Add = Callable[[AddRequest], AddResult]
"""Stores a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did.

    Attributes:
        sessions: How many were read.
        added: New memories.
        reinforced: Statements that were known already.
        skipped: Messages and memories that an earlier import brought.
        operation_ids: For `undo`, in order.
        extractions: Jobs in which a language model reads what was brought.
    """

    sessions: int = 0
    added: int = 0
    reinforced: int = 0
    skipped: int = 0
    operation_ids: tuple[str, ...] = ()
    extractions: tuple[str, ...] = ()

    def plus(self, other: ImportReport) -> ImportReport:
        """Both together."""
        return ImportReport(
            sessions=self.sessions + other.sessions,
            added=self.added + other.added,
            reinforced=self.reinforced + other.reinforced,
            skipped=self.skipped + other.skipped,
            operation_ids=self.operation_ids + other.operation_ids,
            extractions=self.extractions + other.extractions,
        )


class Transfer:
    """Moves many memories at once."""

    def __init__(self, log: Log, ingest: Ingest, indexer: Indexer, clock: Clock, ids: Ids) -> None:
        self._log = log
        self._ingest = ingest
        self._indexer = indexer
        self._clock = clock
        self._ids = ids

    def bring(
        self,
        scope: Scope,
        sessions: Sequence[ReadSession],
        *,
        infer: bool,
        by: By,
        progress: Progress | None = None,
        add: Add | None = None,
    ) -> ImportReport:
        """Store sessions under `scope`; each part of one is its own operation, so an interrupted import can go on.

        Args:
            scope: Where.
            sessions: What a reader found.
            infer: Whether messages are made into statements.
            by: Who asks.
            progress: Told of each session.
            add: Stores a request; None does so without more.
        """
        report, add = ImportReport(), add or self._ingest.add
        for number, session in enumerate(sessions):
            report = report.plus(replace(self._session(scope, session, infer=infer, by=by, add=add), sessions=1))
            if progress:
                progress(number + 1, len(sessions))
        return report

    def lines(self, listing: Listing, form: str) -> Iterator[str]:
        """An export in one of `FORMS`, line by line, without line ends."""
        if form == "markdown":
            yield from to_markdown(self._log.scan(listing))
            return
        yield export_line(export_header(exported_at=self._clock())).rstrip("\n")
        for record in self._log.scan(listing):
            yield export_line(to_export(record)).rstrip("\n")

    def _session(self, scope: Scope, session: ReadSession, *, infer: bool, by: By, add: Add) -> ImportReport:
        report = ImportReport()
        for start in range(0, len(session.records), BATCH_DRAFTS):
            report = report.plus(self._records(scope, session.records[start : start + BATCH_DRAFTS], by))
        owner = replace(scope, run_id=scope.run_id or session.run_id, app_id=scope.app_id or session.app_id)
        messages = intake.parse_messages(session.messages) if session.messages else []
        for start in range(0, len(messages), BATCH_DRAFTS):
            request = AddRequest(
                scope=owner,
                messages=messages[start : start + BATCH_DRAFTS],
                infer=infer,
                metadata=intake.parse_metadata(session.metadata),
                actor=by.actor,
                connector=by.connector,
            )
            result = add(request)
            events = [stored.event for stored in result.stored]
            report = report.plus(
                ImportReport(
                    added=events.count("ADD"),
                    reinforced=events.count("REINFORCE"),
                    skipped=result.skipped_messages,
                    operation_ids=(result.operation_id,) if result.operation_id else (),
                    extractions=result.extractions,
                )
            )
        return report

    def _records(self, scope: Scope, exported: Sequence[Mapping[str, Any]], by: By) -> ImportReport:
        """Memories of an earlier export, under their own ids and times; one whose id is known (or erased) is skipped."""
        operation = Operation(
            id=self._ids(),
            project=scope.project,
            kind="import",
            actor=by.actor,
            connector=by.connector,
            recorded_at=self._clock(),
        )
        wanted = {}
        for mapping in exported:
            fields = from_export(intake.parse_json(mapping, "memory"))
            if fields.get("state") not in HIDDEN_STATES:
                wanted[fields.pop("id")] = fields
        known = self._log.find_many(scope.project, set(wanted))
        drafted = [
            self._draft(scope, memory_id, fields, operation)
            for memory_id, fields in wanted.items()
            if memory_id not in known
        ]
        entries = self._indexer.entries(
            [record.text for record in drafted],
            [record.entity_refs for record in drafted],
            [record.created_at for record in drafted],
            project=scope.project,
        )
        added = self._append(operation, drafted, entries) if drafted else 0
        operation_ids = (operation.id,) if added else ()
        return ImportReport(added=added, skipped=len(exported) - added, operation_ids=operation_ids)

    def _append(self, operation: Operation, drafted: Sequence[MemoryRecord], entries: Sequence[IndexEntry]) -> int:
        """Write the memories that no other import brought meanwhile; how many."""
        with self._log.write() as transaction:
            known = transaction.find_many(operation.project, [record.id for record in drafted])
            fresh = [pair for pair in zip(drafted, entries, strict=True) if pair[0].id not in known]
            if not fresh:
                return 0
            transaction.put_operation(operation)
            records = []
            for record, _ in fresh:
                seq = transaction.next_seq()
                records.append(replace(record, key=seq, seq=seq))
            revisions = [_added(record, operation) for record in records]
            transaction.append(revisions, records, [entry for _, entry in fresh], identity=self._indexer.identity)
        return len(records)

    def _draft(self, scope: Scope, memory_id: str, fields: dict[str, Any], operation: Operation) -> MemoryRecord:
        """A record as exported: its own ids unless the import names others; text and metadata pass the same checks."""
        stored = fields.pop("scope")
        owner = Scope(project=scope.project, **{**stored.ids, **scope.ids})
        owner.require_writable()
        text = intake.parse_text(fields.pop("text"), f"memory {memory_id}").strip()
        if not text:
            raise InvalidInputError(f"Memory {memory_id} of the export has no text.")
        metadata = intake.parse_metadata(fields.pop("metadata", None), f"memory {memory_id}: metadata")
        return MemoryRecord(
            id=memory_id,
            key=0,
            seq=0,
            scope=owner,
            text=text,
            metadata=metadata,
            **(fields | {"hash": text_hash(text), "recorded_at": operation.recorded_at}),
        )


def _added(record: MemoryRecord, operation: Operation) -> Revision:
    return Revision(
        seq=record.seq,
        memory_id=record.id,
        op="add",
        operation_id=operation.id,
        recorded_at=operation.recorded_at,
        changes=to_changes(record),
    )
