"""Exports: asked for, made by the worker, fetched when ready.

What was made lies in the job, together with the ids of the memories in it, so that erasing one of them blanks it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, get_args

from kept.domain.filters import Filter, to_dict
from kept.domain.jobs import Job, succeeded
from kept.domain.memory import MemoryRecord
from kept.domain.scope import ENTITY_IDS, Scope
from kept.engine.access import ProjectAccess, require_named
from kept.engine.filling import Filling, check_schema, relevant
from kept.engine.pending import boundary_of
from kept.engine.platform import Platform
from kept.errors import ConflictError, InvalidInputError, NotFoundError
from kept.ports import JobListing

ExportForm = Literal["json", "jsonl", "csv", "markdown"]
FORMS: Final[tuple[ExportForm, ...]] = get_args(ExportForm)
MAX_MEMORIES: Final = 100_000
"""Of one export, which is held in memory and in one row (some 40 MB); `kept export` streams more."""
NONE_FOUND: Final = "No memory export request found"
_CSV_COLUMNS: Final = (
    "id",
    "memory",
    *ENTITY_IDS,
    "categories",
    "metadata",
    "created_at",
    "updated_at",
    "expiration_date",
    "state",
)
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings that a spreadsheet would run."""


class Exports:
    """The exports of a project, as a principal may have them."""

    def __init__(self, access: ProjectAccess) -> None:
        self._access = access
        self._jobs = access.platform.jobs

    def ask(
        self,
        *,
        ids: Mapping[str, object] | None = None,
        filters: Mapping[str, Any] | None = None,
        schema: object = None,
        form: str = "json",
        instructions: object = None,
    ) -> Job:
        """Acknowledge that memories are to be exported.

        Raises:
            InvalidInputError: A schema or form that cannot be used.
            ScopeError: Nobody is named.
        """
        with self._access.noted("export.create") as note:
            if form not in FORMS:
                raise InvalidInputError(f"There is no export format {form[:40]!r}; there are {', '.join(FORMS)}.")
            scope, condition = self._access.within(ids or {}, _without_empty(filters))
            require_named(scope, condition)
            note.target |= scope.ids
            payload: dict[str, Any] = {"format": form}
            if form == "json":
                payload["schema"] = check_schema(_read(schema))
            if isinstance(instructions, str):
                payload["export_instructions"] = instructions
            return self._access.acknowledge("EXPORT", scope, condition, payload)

    def find(
        self,
        export_id: str | None = None,
        *,
        ids: Mapping[str, object] | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> Job:
        """An export by its id; without one, the latest that was asked for with the same ids and filter.

        Raises:
            NotFoundError: There is none, or it is not the principal's to see.
        """
        with self._access.noted("export.get", export_id=export_id or "latest"):
            if export_id:
                job = self._jobs.find(self._access.project, export_id)
                if job is None or job.kind != "EXPORT" or not self._access.sees(job):
                    raise NotFoundError(NONE_FOUND)
                return job
            scope, condition = self._access.within(ids or {}, _without_empty(filters))
            for job in self._recent(scope):
                asked = job.payload.get("filters")
                if job.scope.ids == scope.ids and asked == (to_dict(condition) if condition is not None else None):
                    return job
            raise NotFoundError(NONE_FOUND)

    def _recent(self, scope: Scope) -> Sequence[Job]:
        listing = JobListing(project=scope.project, kinds=["EXPORT"], bound=self._access.principal.bound)
        return self._jobs.page(listing, limit=100)


def content_of(job: Job) -> str:
    """What was made.

    Raises:
        ConflictError: It is not made yet, could not be, or a memory in it was erased since.
    """
    if job.status == "FAILED":
        raise ConflictError(f"The export failed: {job.error}")
    if job.status != "SUCCEEDED":
        raise ConflictError("The export is not ready yet.")
    if job.content is None:
        raise ConflictError("A memory in this export was erased since, and the export with it. Ask for a new one.")
    return job.content


def make(platform: Platform, job: Job) -> Job:
    """The job with its export made. The worker calls it.

    Raises:
        KeptError: It cannot be made.
    """
    scope, condition = boundary_of(job)
    records, total = platform.service.list(
        scope, filters=condition, limit=MAX_MEMORIES, show_expired=True, newest_first=False
    )
    if total > MAX_MEMORIES:
        raise InvalidInputError(
            f"{total:,} memories; an export holds at most {MAX_MEMORIES:,}. Narrow the filter, or use `kept export`."
        )
    form: ExportForm = job.payload["format"]
    if form == "json":
        content, used = _by_schema(platform, scope, condition, records, job.payload["schema"])
    else:
        content, used = _text(platform, scope, condition, form, records), [record.id for record in records]
    results = [{"event": "EXPORT", "format": form, "memories": len(records)}]
    return succeeded(job, platform.clock(), results, content=content, memory_ids=used)


def _by_schema(
    platform: Platform,
    scope: Scope,
    condition: Filter | None,
    records: Sequence[MemoryRecord],
    schema: Mapping[str, Any],
) -> tuple[str, list[str]]:
    def find(about: str, limit: int) -> Sequence[MemoryRecord]:
        hits = platform.service.search(scope, about, filters=condition, top_k=limit, latest_only=True, explain=False)
        return relevant(hits)

    filling = Filling(find, records)
    filled = filling.fill(schema)
    return json.dumps(filled, ensure_ascii=False), list(filling.used)


def _text(
    platform: Platform, scope: Scope, condition: Filter | None, form: ExportForm, records: Sequence[MemoryRecord]
) -> str:
    if form == "csv":
        return _csv(records)
    return "".join(f"{line}\n" for line in platform.service.export(scope, filters=condition, form=form))


def _csv(records: Sequence[MemoryRecord]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(_CSV_COLUMNS)
    for record in records:
        cells = [
            record.id,
            record.text,
            *(getattr(record, name) for name in ENTITY_IDS),
            ", ".join(record.categories),
            json.dumps(dict(record.metadata), ensure_ascii=False) if record.metadata else "",
            record.created_at.isoformat(),
            record.updated_at.isoformat(),
            record.expires_on.isoformat() if record.expires_on else "",
            record.state,
        ]
        writer.writerow([safe_cell(cell) for cell in cells])
    return buffer.getvalue()


def safe_cell(value: object) -> str:
    """A cell that a spreadsheet shows and does not run."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _read(schema: object) -> object:
    """A schema, also as text (Mem0's type hint says `str`)."""
    if not isinstance(schema, str):
        return schema
    try:
        return json.loads(schema)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError("schema is not valid JSON; give a JSON schema of an object.") from error


def _without_empty(filters: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return filters or None
