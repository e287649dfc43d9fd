"""The memories of a session on a server: `KEPT_URL` and `KEPT_API_KEY` instead of a store on this machine."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from kept.claude_code.memories import MOST_OF_A_DOCUMENT, Capture, Owner, Remembered, best_first, speaks_for_itself
from kept.domain.memory import CLOSED_STATES
from kept.domain.temporal import parse_when

if TYPE_CHECKING:
    from kept.sdk.client import MemoryClient

PAGE: Final = 200
"""Memories on a page, as many as the server gives."""


class RemoteMemories:
    """A server's memories, as far as its key lets a session use them. The server decides the project.

    Args:
        client: How it is reached.
    """

    def __init__(self, client: MemoryClient) -> None:
        self._client = client

    def count(self, owner: Owner) -> int:
        """How many memories the repository has."""
        return int(self._client.get_all(**_repository(owner), page=1, page_size=1, latest_only=True)["count"])

    def recent(self, owner: Owner, limit: int, *, lasting: bool = False) -> list[Remembered]:
        """The repository's memories that hold now, newest first; with `lasting` only those that never expire."""
        return self._pages(limit, **_repository(owner), filters={"expiration_date": None} if lasting else None)

    def search(self, owner: Owner, query: str, *, limit: int, threshold: float) -> list[Remembered]:
        """The user's memories that matter for a query, of every repository, best first."""
        scopes: list[dict[str, Any]] = [{"user_id": owner.user_id}]
        if owner.shared:
            scopes.append({"app_id": owner.app_id})
        answers = [
            self._client.search(query, **scope, top_k=limit, threshold=threshold, explain=True) for scope in scopes
        ]
        return best_first(_to_remembered(hit) for answer in answers for hit in answer["results"])

    def store(self, captures: Sequence[Capture]) -> list[str]:
        """Store; ids of what is stored already. Messages to be taken apart are acknowledged, and stored by the server's worker."""
        ids: list[str] = []
        for capture in captures:
            owner: dict[str, Any] = capture.ids
            answer = self._client.add(
                capture.said,
                **owner,
                facts=capture.finished or None,
                infer=capture.infer,
                metadata=dict(capture.metadata),
                expiration_date=capture.expires_on,
                idempotency_key=capture.key,
            )
            ids += [result["id"] for result in answer.get("results", []) if "id" in result]
        return ids

    def of_document(self, owner: Owner, document: str) -> list[Remembered]:
        """What was read from a document of this name."""
        scope: dict[str, Any] = {"user_id": owner.user_id, "app_id": owner.app_id}
        return self._pages(MOST_OF_A_DOCUMENT, **scope, filters={"metadata": {"document": document}})

    def forget(self, owner: Owner, memory_ids: Collection[str]) -> None:
        """Hide memories; `undo` brings them back."""
        del owner
        self._client.batch_delete(list(memory_ids))

    def _pages(self, limit: int, **asked: Any) -> list[Remembered]:
        found: list[Remembered] = []
        page = 1
        while len(found) < limit:
            answer = self._client.get_all(**asked, page=page, page_size=PAGE, latest_only=True)
            found += map(_to_remembered, answer["results"])
            if not answer.get("next"):
                break
            page += 1
        return found[:limit]


def _repository(owner: Owner) -> dict[str, Any]:
    return {"app_id": owner.app_id} | ({} if owner.shared else {"user_id": owner.user_id})


def _to_remembered(answer: Mapping[str, Any]) -> Remembered:
    return Remembered(
        id=answer["id"],
        text=answer["memory"],
        created_at=parse_when(answer["created_at"]),
        speaker=answer.get("actor_id") or answer.get("role"),
        app_id=answer.get("app_id"),
        run_id=answer.get("run_id"),
        metadata=answer.get("metadata") or {},
        closed=answer.get("state") in CLOSED_STATES,
        score=float(answer.get("score") or 0.0),
        own_words=speaks_for_itself(answer.get("score_breakdown") or {}),
    )
