"""Profiles of users."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header
from pydantic import Field

from kept.engine.profiles import Profiles, Run
from kept.errors import InvalidInputError
from kept.rest.answers import Json
from kept.rest.asking import Access, Body, Name
from kept.sdk.shapes import iso

router = APIRouter(tags=["profiles"], default_response_class=Json)


class RunBody(Body):
    """Whose profiles to make."""

    operation: str = Field(default="trigger", description="`trigger` of one user, or `sample`.")
    entity_type: str = "user"
    entity_id: str | None = None
    limit: Any = Field(default=None, description="Of a sample: from 1 to 10 users.")


class SettingsBody(Body):
    """What to change in the settings."""

    enabled: Any = None
    entities: Any = Field(default=None, description='`{"user": {"schema"?, "custom_instructions"?}}`; null clears.')


@router.get("/v2/profiles/settings/", summary="Settings of profiles")
def settings(access: Access) -> Json:
    """Whether profiles are made, and by which schema."""
    return Json(_settings(Profiles(access).settings()))


@router.post("/v2/profiles/settings/", summary="Change the settings of profiles")
def set_settings(access: Access, body: SettingsBody) -> Json:
    """Set what is given; null clears a schema or instructions."""
    extra = set(body.model_extra or {}) & {"schema", "custom_instructions"}
    if extra:
        raise InvalidInputError(f"{', '.join(sorted(extra))} is unsupported here; put it into entities.user.")
    user = body.entities.get("user") if isinstance(body.entities, dict) else None
    if body.entities is not None and not isinstance(user, dict):
        raise InvalidInputError('entities must be {"user": {…}}.')
    return Json(_settings(Profiles(access).set(enabled=body.enabled, user=user)))


@router.post("/v2/profiles/jobs/", summary="Ask for profiles")
def ask(
    access: Access, body: RunBody, idempotency_key: Annotated[str | None, Header(alias="Idempotency-Key")] = None
) -> Json:
    """Of one user (`trigger`), or of those of whom most is known (`sample`). The same key gives the same run."""
    if body.entity_type != "user":
        raise InvalidInputError("Only users have profiles; entity_type must be user.")
    profiles = Profiles(access)
    if body.operation == "sample":
        run = profiles.sample(body.limit, idempotency_key)
    elif body.operation == "trigger" and body.entity_id:
        run = profiles.trigger(body.entity_id, idempotency_key)
    else:
        raise InvalidInputError("operation must be sample, or trigger with an entity_id.")
    return Json(_asked(run))


@router.get("/v2/profiles/jobs/{job_id}/", summary="State of a profile run")
def run(access: Access, job_id: Name) -> Json:
    """How many of its profiles are made."""
    return Json({"job": _run(Profiles(access).run(job_id))})


@router.get("/v2/entities/user/{entity_id}/profile/", summary="A user's profile")
def get(access: Access, entity_id: Name) -> Json:
    """From the user's strongest statements; `status` says what it is."""
    found = Profiles(access).get(entity_id)
    return Json(
        {
            "profile": dict(found.content) if found.status == "succeeded" else {},
            "status": found.status,
            "entity_type": "user",
            "entity_id": found.entity_id,
            "updated_at": iso(found.updated_at),
            "generation_count": found.generation_count,
            "by": found.by,
            "note": found.note,
        }
    )


def _settings(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "enabled": found["enabled"],
        "capabilities": {"operations": ["trigger", "sample"], "entity_types": ["user"], "extraction": "statements"},
        "entities": {"user": {"schema": found["schema"], "custom_instructions": found["custom_instructions"]}},
    }


def _asked(run: Run) -> dict[str, Any]:
    events = [job.id for job in run.jobs]
    shape: dict[str, Any] = {
        "job_id": run.id,
        "status": run.status,
        "status_url": f"/v2/profiles/jobs/{run.id}/",
        "operation": run.operation,
        "entity_type": "user",
        "entity_count_reserved": len(run.entity_ids),
        "event_id": events[0] if events else None,
        "replayed": run.replayed,
    }
    if run.operation == "sample":
        shape |= {"sampled": len(run.entity_ids), "entity_ids": list(run.entity_ids), "event_ids": events}
    return shape


def _run(run: Run) -> dict[str, Any]:
    states = [job.status for job in run.jobs]
    failed = states.count("FAILED")
    empty = sum(1 for job in run.jobs if job.status == "SUCCEEDED" and job.content is None)
    succeeded = states.count("SUCCEEDED") - empty
    return {
        "id": run.id,
        "operation": run.operation,
        "entity_type": "user",
        "status": run.status,
        "total": len(run.entity_ids),
        "completed": succeeded + failed + empty,
        "succeeded": succeeded,
        "failed": failed,
        "skipped": empty,
        "enumeration_complete": True,
    }
