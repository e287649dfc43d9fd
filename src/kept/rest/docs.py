"""The description of the routes: what FastAPI reads from them, and what holds for all of them or cannot be read.

Answers are made of plain dictionaries (`kept.sdk.wire`), so their shapes are told here; tests hold the description to the answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute

from kept.rest.examples import BODIES

Schema = dict[str, Any]

_SECURITY: Final[Schema] = {
    "Token": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`Token KEY`, as Mem0's clients send it.",
    },
    "Bearer": {"type": "http", "scheme": "bearer"},
    "Key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_OPEN: Final = ("operation_healthz", "operation_readyz", "operation_metrics")
"""What needs no key (measurements: from this machine)."""

# --- what can go wrong ---

_ERRORS: Final = {
    400: "Something in the request cannot be used; the message says what would be right.",
    401: "The key is missing, unknown, expired or revoked.",
    403: "The key may not do this.",
    404: "There is no such thing in this project.",
    409: "It contradicts what is stored.",
    413: "The body is too long.",
    415: "The body is no JSON, or is compressed.",
    429: "Too many requests with this key; `Retry-After` says when to come back.",
    500: "Something went wrong inside; the server's log has it under the `request_id`.",
    503: "The store is busy or cannot be used; nothing was changed.",
}
_WITHOUT_KEY: Final = (500,)
_WITH_KEY: Final = (400, 401, 403, 404, 429, 500, 503)
_WITH_BODY: Final = (413, 415)
_CHANGING: Final = (409,)

# --- the shapes of answers ---

_TEXT: Final[Schema] = {"type": "string"}
_NUMBER: Final[Schema] = {"type": "integer"}
_SHARE: Final[Schema] = {"type": "number", "minimum": 0, "maximum": 1}
_YES: Final[Schema] = {"type": "boolean"}
_TEXTS: Final[Schema] = {"type": "array", "items": _TEXT}
_ANY: Final[Schema] = {"type": "object"}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _time(about: str) -> Schema:
    return {"type": "string", "format": "date-time", "description": about}


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(name: str) -> Schema:
    return {"type": "array", "items": _ref(name)}


def _page(name: str) -> Schema:
    """Mem0's envelope of a page."""
    return _object(
        count=_NUMBER | {"description": "Of all pages."},
        next=_or_null(_TEXT) | {"description": "Address of the page after this one."},
        previous=_or_null(_TEXT),
        results=_list(name),
    )


def _object(*optional: str, **properties: Schema) -> Schema:
    """An object with these properties, all of them there save the optional ones."""
    needed = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties} | ({"required": needed} if needed else {})


_SAID: Final = _object(message=_TEXT)
_QUEUED: Final = _object(message=_TEXT, event_id=_TEXT, status=_TEXT)
_BRIEF: Final[Schema] = {
    "id": _TEXT,
    "memory": _TEXT | {"description": "What is remembered."},
    "hash": _TEXT,
    "user_id": _or_null(_TEXT),
    "agent_id": _or_null(_TEXT),
    "app_id": _or_null(_TEXT),
    "run_id": _or_null(_TEXT),
    "metadata": _or_null(_ANY),
    "categories": _or_null(_TEXTS),
    "created_at": _time("When it was said."),
    "updated_at": _time("When it was changed last."),
    "expiration_date": _or_null(_TEXT) | {"description": "Last day on which it is found."},
    "state": _TEXT | {"description": "`active`, `superseded`, `invalidated` or `deleted`."},
    "replaced_by": _or_null(_TEXT) | {"description": "The memory that took its place."},
}
_ENTITY: Final[Schema] = {
    "name": _TEXT,
    "kind": _or_null(_TEXT)
    | {"description": "What it is, where that is known: a person, a place, a path, a package, …"},
    "mentions": _NUMBER | {"description": "Memories that mention it."},
    "first_seen": _time("When the oldest of them was said."),
    "last_seen": _time("When the newest was."),
    "relations": {"type": "array", "items": {"$ref": "#/components/schemas/Tie"}},
}
_OF_ONE: Final = ("aliases", "mentioned_with", "memory_ids")
"""What is told of an entity that was asked for alone."""
_MONEY: Final[Schema] = {"type": "number", "description": "In US dollars."}
_SPENT: Final[Schema] = {
    "calls": _NUMBER,
    "input_tokens": _NUMBER,
    "output_tokens": _NUMBER,
    "cached_tokens": _NUMBER | {"description": "Of those read, from the provider's cache."},
    "usd": _MONEY,
    "unpriced": _NUMBER | {"description": "Calls without a known price."},
    "unsettled": _NUMBER
    | {"description": "Calls that are not over, or nobody knows how they ended: counted as reserved."},
    "failed": _NUMBER | {"description": "Calls that gave nothing that could be used."},
}
_SHAPES: Final[Mapping[str, Schema]] = {
    "Error": _object(
        error=_TEXT,
        detail=_TEXT | {"description": "The same as `error`."},
        message=_TEXT | {"description": "The same as `error`."},
        code=_TEXT | {"description": "What went wrong, for programs: it stays when the message gets better words."},
        request_id=_TEXT | {"description": "By which the server's log knows the request."},
    ),
    # `fields` leaves out all but the id
    "Memory": _object(
        *(name for name in _BRIEF if name != "id"),
        "immutable",
        "valid_from",
        "valid_to",
        "recorded_at",
        "entities",
        "relations",
        **_BRIEF,
        immutable=_YES,
        valid_from=_or_null(_time("Since when it is true.")),
        valid_to=_or_null(_time("Until when it was true.")),
        recorded_at=_or_null(_time("When it was stored.")),
        entities={"type": "array", "items": _object(name=_TEXT, kind=_TEXT)},
        relations={"type": "array", "items": _object(source=_TEXT, relationship=_TEXT, target=_TEXT)},
    ),
    "Hit": _object(
        *(name for name in _BRIEF if name != "id"),
        "score",
        "score_breakdown",
        **_BRIEF,
        score=_SHARE | {"description": "How well it fits, higher is better."},
        score_breakdown=_ANY,
    ),
    "Occurrence": _object(
        *(name for name in _BRIEF if name != "id"),
        "score",
        **_BRIEF,
        score=_SHARE | {"description": "How well it fits, higher is better."},
        start=_TEXT | {"description": "Its first day."},
        end=_TEXT | {"description": "The day after its last."},
        known=_TEXT
        | {"description": "How the days are known: `said` in the text, `valid` since then, or only `told` then."},
        upcoming=_YES,
    ),
    "Tie": _object(
        "created_at",
        "valid_from",
        "valid_to",
        "state",
        source=_TEXT,
        relationship=_TEXT | {"description": "`mentioned_with`: in one memory together, and no more is known."},
        target=_TEXT,
        memories=_NUMBER | {"description": "How many memories say so."},
        memory_ids=_TEXTS | {"description": "The newest of them."},
        created_at=_time("When the newest was said."),
        valid_from=_time("Since when it is true."),
        valid_to=_time("Until when it was true."),
        state=_TEXT | {"description": "Of what no longer holds."},
    ),
    "EntityFound": _object(
        *_OF_ONE,
        "distance",
        **_ENTITY,
        distance=_NUMBER | {"description": "Of a neighbour: how many steps it is away."},
        aliases=_TEXTS | {"description": "What was merged into it."},
        mentioned_with={"type": "array", "items": _object(name=_TEXT, kind=_or_null(_TEXT), memories=_NUMBER)},
        memory_ids=_TEXTS | {"description": "The newest that mention it."},
    ),
    "Path": _object(length=_NUMBER, relations=_list("Tie")),
    "Likeness": _object(into=_TEXT, names=_TEXTS, why=_TEXT | {"description": "By which rule."}),
    "Step": _object(
        id=_TEXT,
        memory_id=_TEXT,
        old_memory=_or_null(_TEXT),
        new_memory=_or_null(_TEXT),
        event=_TEXT | {"description": "`ADD`, `UPDATE`, `DELETE`, …"},
        created_at=_time("When the memory was said."),
        updated_at=_time("When this step was made."),
        is_deleted=_YES,
        actor_id=_or_null(_TEXT),
        seq=_NUMBER,
        operation_id=_TEXT,
        why=_or_null(_ANY) | {"description": "Why a fact of a model or a proposal was stored so; null of other steps."},
    ),
    "Event": _object(
        "spending",
        "passed_over",
        "extractions",
        "dropped",
        "refused",
        id=_TEXT,
        event_type=_TEXT,
        status=_TEXT | {"description": "`PENDING`, `RUNNING`, `SUCCEEDED` or `FAILED`."},
        payload=_ANY,
        results={"type": "array", "items": _ANY},
        latency=_or_null({"type": "number", "description": "In milliseconds."}),
        error=_or_null(_TEXT),
        created_at=_time("When it was asked for."),
        completed_at=_or_null(_time("When it was done.")),
        spending=_ref("Spent") | {"description": "What models cost for it, if one was asked."},
        passed_over=_NUMBER | {"description": "Of a deletion: how many immutable memories stayed."},
        extractions={
            "type": "array",
            "description": "Of an addition: the events in which a language model reads it.",
            "items": _object(event_id=_TEXT),
        },
        dropped={"type": "object", "description": "Of a reading: how many facts or details were not taken, by reason."},
        refused=_TEXTS | {"description": "Of a reading: codes of what could not be done."},
    ),
    "Change": _object(
        message=_TEXT,
        operation_id=_or_null(_TEXT) | {"description": "By which `undo` takes it back."},
        results={"type": "array", "items": _ANY},
    ),
    "Erasure": _object(message=_TEXT, erased=_TEXTS, messages=_NUMBER, scrubbed=_YES),
    "Entity": _object(
        id=_TEXT,
        name=_TEXT,
        type=_TEXT | {"description": "`user`, `agent`, `app` or `run`."},
        metadata=_or_null(_ANY),
        created_at=_or_null(_TEXT),
        updated_at=_or_null(_TEXT),
        total_memories=_NUMBER,
    ),
    "Key": _object(
        id=_TEXT,
        name=_TEXT,
        prefix=_TEXT | {"description": "How the secret begins."},
        role=_TEXT,
        project_id=_or_null(_TEXT),
        bound=_ANY,
        expires_at=_or_null(_TEXT),
        revoked_at=_or_null(_TEXT),
        last_used_at=_or_null(_TEXT),
    ),
    "Link": _object(
        id=_TEXT, name=_TEXT, methods=_TEXTS, expires_at=_or_null(_TEXT), revoked_at=_or_null(_TEXT), bound=_ANY
    ),
    "Organisation": _object(org_id=_TEXT, name=_TEXT, created_at=_or_null(_TEXT), is_owner=_YES),
    "Project": _object(
        project_id=_TEXT, org_id=_TEXT, name=_TEXT, custom_instructions=_or_null(_TEXT), members=_list("Member")
    ),
    "Member": _object(email=_TEXT, role=_TEXT, username=_TEXT, created_at=_or_null(_TEXT)),
    "Webhook": _object(
        webhook_id=_TEXT,
        name=_or_null(_TEXT),
        url=_TEXT,
        event_types=_TEXTS,
        is_active=_YES,
        project=_TEXT | {"description": "The project's name."},
        project_id=_TEXT,
    ),
    "Delivery": _object(
        id=_TEXT,
        event_type=_or_null(_TEXT),
        status=_TEXT,
        attempts=_NUMBER,
        answered=_or_null(_NUMBER) | {"description": "The status that the receiver answered last."},
        error=_or_null(_TEXT),
    ),
    "Rule": _object(id=_TEXT, days={"anyOf": [_NUMBER, {"const": "forever"}]}, created_at=_TEXT),
    "Proposal": _object(
        id=_TEXT,
        kind=_TEXT | {"description": "`merge`, `supersede`, `generalise` or `forget`."},
        status=_TEXT | {"description": "`pending`, `accepted`, `declined` or `stale`."},
        why=_TEXT,
        text=_or_null(_TEXT) | {"description": "Of a generalisation."},
        closes={"type": "array", "items": _ANY, "description": "Memories that would be closed or hidden."},
        keeps=_or_null(_ANY) | {"description": "The memory that stays in their place."},
        sources={"type": "array", "items": _ANY, "description": "Memories that the text follows from."},
        diff=_TEXTS | {"description": "A line for each memory: `-` goes, `+` comes, a blank stays."},
        created_at=_time("When it was made."),
        operation_id=_or_null(_TEXT) | {"description": "Of an accepted one, by which `undo` takes it back."},
        memory_id=_or_null(_TEXT) | {"description": "Of an accepted one, the memory that was made."},
    ),
    "Spent": _object(**_SPENT),
    "SpentOn": _object(name=_or_null(_TEXT) | {"description": "Of the day, task, …; null for no job."}, **_SPENT),
    "Limit": _object(
        name=_TEXT | {"description": "Of the setting that sets it."},
        per=_TEXT | {"description": "`job`, `project_day` or `day` (of the whole server)."},
        tokens=_or_null(_NUMBER),
        usd=_or_null(_MONEY),
        left_tokens=_or_null(_NUMBER) | {"description": "Today; of a limit of jobs all of it."},
        left_usd=_or_null(_MONEY),
    ),
    "Audited": _object(
        at=_time("When."), project_id=_TEXT, actor=_TEXT, key_id=_or_null(_TEXT), action=_TEXT, outcome=_TEXT
    ),
}
"""What clients may rely on; an answer may hold more."""
_ADDRESS: Final = _object(url=_TEXT | {"description": "Where it is used, shown this once."})
_SETTINGS: Final = _object(enabled=_YES, capabilities=_ANY, entities=_ANY)
_CONFLICTS: Final[Schema] = {
    "type": "array",
    "description": "Known memories that it likely contradicts; nothing is done about it.",
    "items": _object("relationship", id=_TEXT, memory=_TEXT, why=_TEXT, newer=_TEXT, relationship=_TEXT),
}
_STORED: Final = _object(
    "id", "memory", "conflicts", event=_TEXT, id=_TEXT, memory=_or_null(_TEXT), conflicts=_CONFLICTS
)
_ADDED: Final = _object(
    "results",
    "superseded",
    "operation_id",
    message=_TEXT,
    event_id=_TEXT,
    status=_TEXT,
    results={"type": "array", "items": _STORED},
    superseded=_TEXTS,
    operation_id=_or_null(_TEXT),
)
_DESCRIBED: Final = _object(id=_NUMBER, name=_or_null(_TEXT), metadata=_ANY)
_DONE: Final = _object(
    "event_id", "status", "passed_over", message=_TEXT, event_id=_TEXT, status=_TEXT, passed_over=_NUMBER
)
_HITS: Final = _object(results=_list("Hit"))

_ANSWERS: Final[Mapping[str, Schema]] = {
    "audit_list": _page("Audited"),
    "entities_delete": _QUEUED,
    "entities_delete_numbered": _QUEUED,
    "entities_describe_agent": _DESCRIBED,
    "entities_describe_app": _DESCRIBED,
    "entities_describe_run": _DESCRIBED,
    "entities_describe_user": _DESCRIBED,
    "entities_filters": _object(event_type=_TEXTS, categories=_TEXTS, users=_TEXTS, parameters=_TEXTS),
    "entities_get": _list("Entity"),
    "entities_list": _page("Entity"),
    "entities_memories": _page("Memory"),
    "entities_stats": _object(total_memories=_NUMBER, total_add_events=_NUMBER, total_retrieval_events=_NUMBER),
    "events_get": _ref("Event"),
    "events_list": _page("Event"),
    "events_steps": _page("Step"),
    "exports_create": _object(message=_TEXT, id=_TEXT, status=_TEXT),
    "exports_get": {"description": "The object made, in the form of the schema that was asked for."},
    "exports_state": _ref("Event"),
    "exports_summarise": {
        "type": "array",
        "items": _object(summary=_TEXT, memory_ids=_TEXTS, total_memories=_NUMBER, by=_TEXT, note=_or_null(_TEXT)),
    },
    "graph_entity": _ref("EntityFound"),
    "graph_likenesses": _object(results=_list("Likeness")),
    "graph_merge": _ref("EntityFound"),
    "graph_neighbours": _object(results=_list("EntityFound")),
    "graph_paths": _object(results=_list("Path")),
    "graph_search": _object(results=_list("EntityFound")),
    "graph_split": _object(message=_TEXT, names=_TEXTS),
    "keys_create": {"allOf": [_ref("Key"), _object(api_key=_TEXT | {"description": "The secret, shown this once."})]},
    "keys_get": _ref("Key"),
    "keys_list": _object(results=_list("Key")),
    "keys_ping": _object(status=_TEXT, org_id=_TEXT, project_id=_TEXT, user_email=_or_null(_TEXT)),
    "keys_revoke": _object(message=_TEXT),
    "links_change": _ref("Link"),
    "links_create": {"allOf": [_ref("Link"), _ADDRESS]},
    "links_get": _ref("Link"),
    "links_list": _page("Link"),
    "links_revoke": _object(message=_TEXT, link=_ref("Link")),
    "links_rotate": {"allOf": [_ref("Link"), _ADDRESS]},
    "memories_add": _ADDED,
    "memories_add_v1": {"description": "An array of what was stored or is acknowledged; in an object for `v1.1`."},
    "memories_batch_delete": _object(message=_TEXT, operation_id=_or_null(_TEXT)),
    "memories_batch_update": _object(message=_TEXT, operation_id=_or_null(_TEXT)),
    "memories_context": _object(
        text=_TEXT, ids=_TEXTS, tokens=_NUMBER, budget_tokens=_NUMBER, omitted=_NUMBER, collapsed=_NUMBER
    ),
    "memories_delete": _object("cascade_count", message=_TEXT, operation_id=_or_null(_TEXT), cascade_count=_NUMBER),
    "memories_delete_all": _QUEUED,
    "memories_erase": _ref("Erasure"),
    "memories_erase_all": _ref("Erasure"),
    "memories_feedback": _object(id=_TEXT, feedback=_or_null(_TEXT), feedback_reason=_or_null(_TEXT)),
    "memories_get": _ref("Memory"),
    "memories_history": _list("Step"),
    "memories_invalidate": _ref("Change"),
    "memories_list": _page("Memory"),
    "memories_list_v1": {"anyOf": [_list("Memory"), _page("Memory")]},
    "memories_list_v2": _list("Memory"),
    "memories_restore": _ref("Change"),
    "memories_search": _HITS,
    "memories_search_v1": {"anyOf": [_list("Hit"), _HITS]},
    "memories_search_v2": _list("Hit"),
    "memories_timeline": _object(results=_list("Occurrence")),
    "memories_undo": _ref("Change"),
    "memories_update": _ref("Memory"),
    "operation_healthz": _object(status=_TEXT),
    "operation_readyz": _object(
        "lanes", "projections", "log", status=_TEXT, reasons=_TEXTS, lanes=_ANY, projections=_ANY, log=_ANY
    ),
    "organisations_add_member": _SAID,
    "organisations_create": _object(message=_TEXT, org_id=_TEXT),
    "organisations_delete": _SAID,
    "organisations_get": _ref("Organisation"),
    "organisations_list": _list("Organisation"),
    "organisations_members": _object(members=_list("Member")),
    "organisations_remove_member": _SAID,
    "organisations_update_member": _SAID,
    "profiles_ask": _object(job_id=_TEXT, status=_TEXT, status_url=_TEXT, operation=_TEXT, replayed=_YES),
    "profiles_get": _object(
        profile=_ANY, status=_TEXT, entity_type=_TEXT, entity_id=_TEXT, by=_or_null(_TEXT), note=_or_null(_TEXT)
    ),
    "profiles_run": _object(job=_object(id=_TEXT, status=_TEXT, total=_NUMBER, completed=_NUMBER)),
    "profiles_set_settings": _SETTINGS,
    "profiles_settings": _SETTINGS,
    "projects_add_member": _SAID,
    "projects_create": _object(message=_TEXT, project_id=_TEXT, api_key=_TEXT),
    "projects_delete": _object("event_id", message=_TEXT, event_id=_or_null(_TEXT)),
    "projects_get": _ref("Project"),
    "projects_list": _list("Project"),
    "projects_members": _object(members=_list("Member")),
    "projects_remove_member": _SAID,
    "projects_update": _SAID,
    "projects_update_member": _SAID,
    "proposals_accept": _ref("Proposal"),
    "proposals_decline": _ref("Proposal"),
    "proposals_get": _ref("Proposal"),
    "proposals_list": _page("Proposal"),
    "proposals_make": _object(results=_list("Proposal"), note=_or_null(_TEXT)),
    "retention_enforce": _object(message=_TEXT, expired=_NUMBER),
    "retention_put": _ref("Rule"),
    "retention_remove": _SAID,
    "retention_rules": _object(results=_list("Rule")),
    "self_hosted_mem0_add": _object(results={"type": "array", "items": _ANY}),
    "self_hosted_mem0_configure": _object(version=_TEXT, vector_store=_ANY),
    "self_hosted_mem0_delete": _SAID,
    "self_hosted_mem0_delete_all": _DONE,
    "self_hosted_mem0_delete_entity": _DONE,
    "self_hosted_mem0_entities": {"type": "array", "items": _object(id=_TEXT, type=_TEXT, total_memories=_NUMBER)},
    "self_hosted_mem0_get": _or_null(_object(id=_TEXT, memory=_TEXT)),
    "self_hosted_mem0_history": {"type": "array", "items": _object(id=_TEXT, memory_id=_TEXT, event=_TEXT)},
    "self_hosted_mem0_list": _object(results={"type": "array", "items": _object(id=_TEXT, memory=_TEXT)}),
    "self_hosted_mem0_reset": _DONE,
    "self_hosted_mem0_search": _object(
        results={"type": "array", "items": _object(id=_TEXT, memory=_TEXT, score=_SHARE)}
    ),
    "self_hosted_mem0_update": _SAID,
    "spending_get": _object(by=_TEXT, results=_list("SpentOn"), total=_ref("Spent"), limits=_list("Limit")),
    "webhooks_create": {
        "allOf": [_ref("Webhook"), _object(secret=_TEXT | {"description": "Signs deliveries; shown this once."})]
    },
    "webhooks_deliveries": _page("Delivery"),
    "webhooks_list": _list("Webhook"),
    "webhooks_remove": _SAID,
    "webhooks_update": _object(message=_TEXT, webhook=_ref("Webhook")),
}
_FILES: Final = {
    "audit_export": ("application/x-ndjson",),
    "exports_content": ("application/json", "application/x-ndjson", "text/csv", "text/markdown"),
    "operation_metrics": ("text/plain",),
}
"""What is answered as a text, in which forms."""
_LATER: Final = {
    "exports_get": "It is not made yet.",
    "self_hosted_mem0_delete_all": "It takes long, and goes on.",
    "self_hosted_mem0_delete_entity": "It takes long, and goes on.",
    "self_hosted_mem0_reset": "It takes long, and goes on.",
}
"""What is answered 202 at times."""

_OTHER_ERRORS: Final[Mapping[str, Schema]] = {
    "memories_list_v1": {
        "400": {"description": _ERRORS[400], "content": _json({"anyOf": [_ref("Error"), _TEXTS]})},
    },
    "operation_readyz": {
        "503": {"description": "Not ready, with the reasons.", "content": _json(_ANSWERS["operation_readyz"])},
    },
}
"""Errors of another shape: Mem0's client looks for an array where ids are missing."""

# --- words for what has the same meaning everywhere ---

_WORDS: Final = {
    "Idempotency-Key": "A second request with the same key is answered as the first one, and does nothing more.",
    "action": "What was done, or its beginning: `memory`, `memory.search`.",
    "actor": "Who.",
    "after": "At or after this time.",
    "agent_id": "Of which agent.",
    "app_id": "Of which application.",
    "as_of": "What was known then: a time, or a position of the log.",
    "at": "From when on; now, when it is not given.",
    "before": "Before this time.",
    "budget_tokens": "How long it may get, in tokens.",
    "categories": "Names of categories.",
    "category": "The category that a memory is in.",
    "custom_categories": "Categories for this request: `[{name: description}]`, or names.",
    "custom_instructions": "For whoever extracts memories.",
    "decay": "Whether memories that no search finds rank lower in time.",
    "delete_linked": "Also those that it superseded.",
    "description": "What it is for.",
    "email": "An e-mail address.",
    "enable_graph": "Kept for Mem0's clients.",
    "enabled": "Whether profiles are made.",
    "end_date": "Said at or before this time.",
    "entity_id": "Its name, percent-encoded.",
    "entity_type": "`user`, `agent`, `app` or `run`.",
    "event_id": "The id that the acknowledgement gave.",
    "expiration_date": "Last day on which it is found, `YYYY-MM-DD`.",
    "explain": "Add each part of the score.",
    "export_id": "The id that the acknowledgement gave.",
    "export_instructions": "Kept with the export.",
    "feedback_reason": "Why.",
    "fields": "Names of the fields wanted.",
    "filters": "Mem0's filter grammar.",
    "immutable": "Whether it can never be changed, only deleted.",
    "infer": "Whether statements are taken from the messages, else each is stored verbatim.",
    "is_active": "Whether it is told anything.",
    "job_id": "The id that the acknowledgement gave.",
    "key_id": "The public id of a key.",
    "keywords": "Only memories whose text contains this.",
    "latest_only": "Only facts that still hold.",
    "limit": "How many at most.",
    "link_id": "The link's id.",
    "memories": "What to change, or delete.",
    "memory_depth": "Kept for Mem0's clients.",
    "memory_export_id": "The id that the acknowledgement gave; else the newest one of the filters.",
    "memory_id": "The memory's id.",
    "metadata": "An object of your own.",
    "multilingual": "Kept for Mem0's clients: memories are always in the language of what was said.",
    "name": "Its name; in a path percent-encoded.",
    "org_id": "The organisation's id.",
    "outcome": "`ok`, or what went wrong.",
    "output_format": "`v1.1` wraps a v1 answer in an object.",
    "page": "Which page, from 1.",
    "page_size": "Rows of a page.",
    "project_id": "The project's id.",
    "proposal_id": "The proposal's id.",
    "query": "A question, or a few words.",
    "reference_date": "What relative dates in the query count from.",
    "rerank": "Whether to order the best hits once more, where a reranker is set up.",
    "rule_id": "The rule's id.",
    "run_id": "Of which session.",
    "show_expired": "Also what has expired.",
    "start_date": "Said at or after this time.",
    "target": "A `name=value` of what it was done to.",
    "text": "What is remembered.",
    "threshold": "Least score of a hit, from 0 to 1.",
    "timestamp": "When it was said: seconds since 1970, or ISO 8601.",
    "top_k": "How many at most, best or newest first.",
    "usecase": "Kept for Mem0's clients.",
    "user_id": "Whose memories.",
    "version": "Taken and ignored, as Mem0's clients send it.",
    "webhook_id": "The webhook's id.",
}
_PROJECT: Final[Schema] = {
    "name": "project_id",
    "in": "query",
    "required": False,
    "schema": _TEXT,
    "description": "With an administrator's key: the project to work in.",
}


def operation_id(route: APIRoute) -> str:
    """The tag and the name of a route: it stays when its path gets a new version."""
    return re.sub(r"\W+", "_", "_".join([*map(str, route.tags[:1]), route.name.strip("_")]).lower())


def describe(app: FastAPI) -> None:
    """Complete the app's description of itself. It is made when it is first asked for."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(made())
        return made()

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to change it


def _complete(description: dict[str, Any]) -> None:
    components = description.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's, whose place the one shape takes
        schemas.pop(name, None)
    for schema in schemas.values():
        _put_words(schema.get("properties", {}))
    schemas |= _SHAPES
    components["securitySchemes"] = _SECURITY
    for methods in description["paths"].values():
        for method, operation in methods.items():
            _complete_operation(method, operation)


def _put_words(properties: dict[str, Schema]) -> None:
    for name, schema in properties.items():
        if "description" not in schema and name in _WORDS:
            schema["description"] = _WORDS[name]


def _complete_operation(method: str, operation: dict[str, Any]) -> None:
    name = operation["operationId"]
    parameters = operation.setdefault("parameters", [])
    _put_words({parameter["name"]: parameter for parameter in parameters})
    if name not in _OPEN:
        operation["security"] = [{scheme: []} for scheme in _SECURITY]
        if not any(parameter["name"] == "project_id" for parameter in parameters):
            parameters.append(_PROJECT)
    if name in BODIES:
        operation["requestBody"]["content"]["application/json"]["example"] = BODIES[name]
    responses = operation["responses"]
    responses.pop("422", None)
    status = next(iter(responses))
    if name in _ANSWERS:
        responses[status] |= {"description": "Done.", "content": _json(_ANSWERS[name])}
    if name in _FILES:
        responses[status] = {"description": "The text.", "content": {form: {} for form in _FILES[name]}}
    if name in _LATER:
        responses["202"] = {"description": _LATER[name], "content": _json(_QUEUED | {"required": ["message"]})}
    responses |= _OTHER_ERRORS.get(name, {})
    for code in _codes(method, operation):
        responses.setdefault(str(code), {"description": _ERRORS[code], "content": _json(_ref("Error"))})


def _codes(method: str, operation: Mapping[str, Any]) -> list[int]:
    """What can go wrong with an operation."""
    codes = list(_WITHOUT_KEY if operation["operationId"] in _OPEN[:2] else _WITH_KEY)
    if method != "get":
        codes += _CHANGING
    if "requestBody" in operation:
        codes += _WITH_BODY
    return sorted(codes)
