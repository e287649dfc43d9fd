"""Retention rules of a project."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from kept.engine.retention import MATCHES, Retention
from kept.rest.answers import Json
from kept.rest.asking import Access, Body, Name, entering
from kept.sdk import wire

router = APIRouter(tags=["retention"], default_response_class=Json)


class RuleBody(Body):
    """What a rule names, and how long it keeps it."""

    category: Any = None
    tag: Any = Field(default=None, description="A memory's `metadata.tag`, or one of its `metadata.tags`.")
    connector: Any = Field(default=None, description="Through what it came, such as `rest` or `claude-code`.")
    memory_type: Any = Field(default=None, description="`message`, `statement`, `fact` or `code`.")
    days: Any = Field(description="A whole number from 1, or `forever`.")
    project_id: str | None = Field(default=None, description="Of which project; of the asking key's when not given.")


@router.get("/v1/retention/", summary="List the retention rules")
def rules(access: Access) -> Json:
    """Oldest first, each with how many memories it would expire now."""
    retention = Retention(access)
    aged = retention.preview()
    return Json({"results": [wire.rule(rule) | {"due": aged.get(rule.id, 0)} for rule in retention.rules()]})


@router.post("/v1/retention/", status_code=201, summary="Keep a retention rule")
def put(access: Access, body: RuleBody) -> Json:
    """One that names the same is replaced; of several that name a memory the longest counts."""
    named = {name: value for name in MATCHES if (value := getattr(body, name)) is not None}
    return Json(wire.rule(Retention(entering(access, body.project_id)).put(named, body.days)), status_code=201)


@router.delete("/v1/retention/{rule_id}/", summary="Remove a retention rule")
def remove(access: Access, rule_id: Name) -> Json:
    """What it expired stays expired; `undo` brings it back."""
    Retention(access).remove(rule_id)
    return Json({"message": "Retention rule removed."})


@router.post("/v1/retention/enforce/", summary="Enforce the retention rules now")
def enforce(access: Access) -> Json:
    """As the worker does each hour; every expiry is in the log."""
    return Json({"message": "Retention rules enforced.", "expired": Retention(access).enforce()})
