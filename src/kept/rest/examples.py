"""A body for each operation that takes one: what the docs page sends when somebody tries it out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_WHO: Final = {"user_id": "alice"}
_ID: Final = "0b9de4f6-0a51-4c1e-9a39-2f6d6c1f7e10"
_SAID: Final = [{"role": "user", "content": "I prefer dark mode, and I live in Lisbon."}]
_ADDED: Final = {"messages": _SAID, **_WHO}
_ASKED: Final = {"query": "Where does Alice live?", "filters": _WHO}
_MEMBER: Final = {"email": "ada@example.com", "role": "READER"}
_WEBHOOK: Final = {"name": "notes", "url": "https://example.com/hook", "event_types": ["memory_add"]}
_LINK: Final = {"name": "notes", "methods": ["read"], **_WHO}

BODIES: Final[Mapping[str, Any]] = {
    "memories_search": _ASKED | {"top_k": 5},
    "memories_add": _ADDED,
    "memories_add_v1": _ADDED,
    "memories_search_v2": _ASKED,
    "memories_search_v1": {"query": "Where does Alice live?", **_WHO},
    "memories_list": {"filters": _WHO},
    "memories_list_v2": {"filters": _WHO},
    "memories_update": {"text": "Alice lives in Porto."},
    "memories_restore": {},
    "memories_invalidate": {"at": "2026-05-01"},
    "memories_batch_update": {"memories": [{"memory_id": _ID, "text": "Alice lives in Porto."}]},
    "memories_batch_delete": {"memories": [{"memory_id": _ID}]},
    "memories_feedback": {"memory_id": _ID, "feedback": "POSITIVE"},
    "memories_context": _ASKED | {"budget_tokens": 500},
    "memories_undo": _WHO,
    "memories_erase_all": {"user_id": "somebody who left"},
    "memories_timeline": {"query": "Where did Alice live before Lisbon?", "filters": _WHO},
    "entities_describe_user": _WHO | {"name": "Alice", "metadata": {"team": "search"}},
    "entities_describe_agent": {"agent_id": "reviewer"},
    "entities_describe_app": {"app_id": "shop"},
    "entities_describe_run": {"run_id": "2026-05-01"},
    "graph_merge": {"into": "Postgres", "names": ["PostgreSQL"], **_WHO},
    "graph_split": {"names": ["PostgreSQL"], **_WHO},
    "exports_create": {"format": "jsonl", "filters": _WHO},
    "exports_get": {"filters": _WHO},
    "exports_summarise": {"filters": _WHO},
    "profiles_set_settings": {"enabled": True},
    "profiles_ask": {"operation": "trigger", "entity_type": "user", "entity_id": "alice"},
    "keys_create": {"name": "shop", "role": "WRITER", **_WHO},
    "organisations_create": {"name": "Example"},
    "organisations_add_member": _MEMBER,
    "organisations_update_member": _MEMBER,
    "organisations_remove_member": {"email": _MEMBER["email"]},
    "projects_create": {"name": "shop"},
    "projects_update": {"custom_instructions": "Keep what is said of food.", "decay": True},
    "projects_add_member": _MEMBER,
    "projects_update_member": _MEMBER,
    "webhooks_create": _WEBHOOK,
    "webhooks_update": _WEBHOOK | {"is_active": False},
    "retention_put": {"category": "misc", "days": 90},
    "proposals_make": _WHO,
    "proposals_accept": {"text": "Alice likes tea, green tea above all."},
    "links_create": _LINK,
    "links_change": _LINK | {"rate_limit": 60},
    "self_hosted_mem0_add": _ADDED,
    "self_hosted_mem0_update": {"text": "Alice lives in Porto."},
    "self_hosted_mem0_search": _ASKED,
}
"""By operation id. Ids and names in them are made up: what names a thing that is not there is answered with 404."""
