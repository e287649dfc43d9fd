"""What webhooks are told of, and how a delivery is signed. Pure rules."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final

from kept.domain.history import Revision
from kept.domain.memory import MemoryRecord

MEMORY_EVENTS: Final = ("memory_add", "memory_update", "memory_delete", "memory_categorize")
JOB_EVENTS: Final = (
    "ingest_job_completed",
    "ingest_job_partially_completed",
    "ingest_job_failed",
    "ingest_job_cancelled",
)
EVENT_TYPES: Final = (*MEMORY_EVENTS, *JOB_EVENTS)
"""As on Mem0's platform."""

_OF_OPERATION: Final[Mapping[str, str]] = {
    "add": "memory_add",
    "update": "memory_update",
    "supersede": "memory_update",
    "invalidate": "memory_update",
    "restore": "memory_update",
    "delete": "memory_delete",
    "expire": "memory_delete",
    "erase": "memory_delete",
}
"""A repeat and a verdict change nothing that was said, and tell nobody."""
_WORDS: Final = {"memory_add": "ADD", "memory_update": "UPDATE", "memory_delete": "DELETE"}


def events_of(revision: Revision) -> list[str]:
    """What a revision is to those who listen."""
    event = _OF_OPERATION.get(revision.op)
    if event is None:
        return []
    categorised = revision.op in {"add", "update"} and bool(revision.changes.get("categories"))
    return [event, "memory_categorize"] if categorised else [event]


def memory_details(event: str, memory_id: str, record: MemoryRecord | None) -> dict[str, Any]:
    """What a delivery says of a memory: as it is now; of one that was erased, its id alone."""
    if event == "memory_categorize":
        categories = list(record.categories) if record else []
        return {"event": "CATEGORIZE", "memory_id": memory_id, "categories": categories}
    gone = record is None or record.state == "erased" or event == "memory_delete"
    text = None if gone or record is None else record.text
    return {"id": memory_id, "data": {"memory": text}, "event": _WORDS[event]}


def signature(secret: str, body: bytes, at: int) -> str:
    """The header by which a receiver knows who sent a body, and when (seconds since 1970): HMAC-SHA256 of `t.body`."""
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={signed}"
