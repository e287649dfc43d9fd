"""The memories of a session in the store on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kept.adapters.sqlite.glance import Glance, Row
from kept.claude_code.memories import (
    CONNECTOR,
    MOST_OF_A_DOCUMENT,
    Capture,
    Owner,
    Remembered,
    best_first,
    speaks_for_itself,
)
from kept.domain.scope import Scope

if TYPE_CHECKING:
    from kept.domain.memory import MemoryRecord
    from kept.engine.retrieve import Hit
    from kept.engine.service import Service

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class LocalMemories:
    """The store on this machine.

    Counts and lists are a glance at the file where that is possible: the start of a session waits for them.

    Args:
        path: The store's file; None when it has none.
        open_service: Gives the service when it is first needed; always the same.
        today: Gives the present day.
    """

    def __init__(self, path: Path | None, open_service: Callable[[], Service], today: Callable[[], date]) -> None:
        self._path = path
        self._open_service = open_service
        self._today = today

    def count(self, owner: Owner) -> int:
        """How many memories the repository has."""
        glance = self._glance(owner)
        seen = None if glance is None else glance.count()
        return self._open_service().list(_scope(owner), limit=0, latest_only=True)[1] if seen is None else seen

    def recent(self, owner: Owner, limit: int, *, lasting: bool = False) -> list[Remembered]:
        """The repository's memories that hold now, newest first; with `lasting` only those that never expire."""
        glance = self._glance(owner)
        seen = None if glance is None else glance.newest(limit, lasting=lasting)
        if seen is not None:
            return list(map(_seen, seen))
        filters = {"expires_on": None} if lasting else None
        records, _ = self._open_service().list(_scope(owner), filters=filters, limit=limit, latest_only=True)
        return list(map(_to_remembered, records))

    def search(self, owner: Owner, query: str, *, limit: int, threshold: float) -> list[Remembered]:
        """The user's memories that matter for a query, of every repository, best first."""
        scopes = [Scope(project=owner.project, user_id=owner.user_id)]
        if owner.shared:
            scopes.append(Scope(project=owner.project, app_id=owner.app_id))
        service = self._open_service()
        return best_first(
            _found(hit) for scope in scopes for hit in service.search(scope, query, top_k=limit, threshold=threshold)
        )

    def store(self, captures: Sequence[Capture]) -> list[str]:
        """Store; ids of what is new or was repeated."""
        from kept.engine.maintain import By

        service = self._open_service()
        requests = [
            service.request(
                Scope.of(project=capture.project, **capture.ids),
                capture.said,
                facts=capture.finished,
                infer=capture.infer,
                metadata=capture.metadata,
                expiration_date=capture.expires_on,
                idempotency_key=capture.key,
                by=By(actor=capture.user_id, connector=CONNECTOR),
            )
            for capture in captures
        ]
        ids: list[str] = []
        for answer in service.add_many(requests):
            if isinstance(answer, Exception):
                raise answer
            ids += [stored.memory.id for stored in answer.stored]
        service.read_in_background()
        return ids

    def of_document(self, owner: Owner, document: str) -> list[Remembered]:
        """What was read from a document of this name."""
        scope = Scope(project=owner.project, user_id=owner.user_id, app_id=owner.app_id)
        wanted = {"metadata": {"document": document}}
        records, _ = self._open_service().list(scope, filters=wanted, limit=MOST_OF_A_DOCUMENT, latest_only=True)
        return [_to_remembered(record) for record in records]

    def forget(self, owner: Owner, memory_ids: Collection[str]) -> None:
        """Hide memories; `undo` brings them back."""
        from kept.engine.maintain import By

        by = By(actor=owner.user_id, connector=CONNECTOR)
        self._open_service().delete(owner.project, list(memory_ids), by=by)

    def _glance(self, owner: Owner) -> Glance | None:
        if self._path is None:
            return None
        user_id = None if owner.shared else owner.user_id
        today = self._today().isoformat()
        return Glance(self._path, project=owner.project, user_id=user_id, app_id=owner.app_id, today=today)


def _scope(owner: Owner) -> Scope:
    """The scope of a repository's memories."""
    return Scope(project=owner.project, user_id=None if owner.shared else owner.user_id, app_id=owner.app_id)


def _seen(row: Row) -> Remembered:
    """A row of a glance as a session sees it."""
    memory_id, text, speaker, created_at, app_id, run_id, metadata = row
    return Remembered(
        id=memory_id,
        text=text,
        created_at=_EPOCH + timedelta(microseconds=created_at),
        speaker=speaker,
        app_id=app_id,
        run_id=run_id,
        metadata=json.loads(metadata) if metadata else {},
    )


def _to_remembered(record: MemoryRecord) -> Remembered:
    """A stored memory as a session sees it."""
    return Remembered(
        id=record.id,
        text=record.text,
        created_at=record.created_at,
        speaker=record.speaker,
        app_id=record.app_id,
        run_id=record.run_id,
        metadata=record.metadata,
        closed=record.is_closed,
    )


def _found(hit: Hit) -> Remembered:
    return replace(_to_remembered(hit.memory), score=hit.score, own_words=speaks_for_itself(hit.parts))
