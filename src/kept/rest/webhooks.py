"""Webhooks of a project."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field

from kept.domain.webhooks import EVENT_TYPES
from kept.engine.webhooks import Webhooks
from kept.rest.answers import Json
from kept.rest.asking import Access, Body, Name, PageNumber, PageSize, entering, page_of
from kept.sdk import wire

router = APIRouter(tags=["webhooks"], default_response_class=Json)


class WebhookBody(Body):
    """An address and what it is told."""

    url: Any = Field(default=None, description="http or https.")
    name: Any = None
    event_types: Any = Field(default=None, description=f"One or more of {', '.join(EVENT_TYPES)}.")
    is_active: Any = None


@router.get("/api/v1/webhooks/projects/{project_id}/", summary="List webhooks")
def list_(request: Request, access: Access, project_id: Name) -> Json:
    """Oldest first, without their secrets."""
    webhooks = _of(request, access, project_id)
    return Json([wire.webhook(found, webhooks.project_name) for found in webhooks.all()])


@router.post("/api/v1/webhooks/projects/{project_id}/", status_code=201, summary="Make a webhook")
def create(request: Request, access: Access, project_id: Name, body: WebhookBody) -> Json:
    """Tell an address of what happens from now on. The `secret` that signs deliveries is shown this once."""
    webhooks = _of(request, access, project_id)
    made = webhooks.create(name=body.name, url=body.url, event_types=body.event_types)
    return Json(wire.webhook(made, webhooks.project_name) | {"secret": made.secret}, status_code=201)


@router.put("/api/v1/webhooks/{webhook_id}/", summary="Change a webhook")
def update(request: Request, access: Access, webhook_id: Name, body: WebhookBody) -> Json:
    """Set what is given; `is_active=true` switches one on that was switched off."""
    webhooks = Webhooks(access, request.app.state.sender)
    changed = webhooks.update(
        webhook_id, name=body.name, url=body.url, event_types=body.event_types, is_active=body.is_active
    )
    return Json({"message": "Webhook updated successfully", "webhook": wire.webhook(changed, webhooks.project_name)})


@router.delete("/api/v1/webhooks/{webhook_id}/", summary="Remove a webhook")
def remove(request: Request, access: Access, webhook_id: Name) -> Json:
    """Tell it nothing more."""
    Webhooks(access, request.app.state.sender).remove(webhook_id)
    return Json({"message": "Webhook deleted successfully"})


@router.get("/api/v1/webhooks/{webhook_id}/deliveries/", summary="Deliveries of a webhook")
def deliveries(
    request: Request, access: Access, webhook_id: Name, page: PageNumber = None, page_size: PageSize = None
) -> Json:
    """What was posted, or is to be: how often it was tried and what came back."""
    which = page_of(request, page, page_size)
    webhooks = Webhooks(access, request.app.state.sender)
    jobs, total = webhooks.deliveries(webhook_id, limit=which.page_size, offset=which.offset)
    which.require_some(total)
    return Json(wire.page([wire.delivery(job) for job in jobs], total, **which.links(total)))


def _of(request: Request, access: Access, project_id: str) -> Webhooks:
    return Webhooks(entering(access, project_id), request.app.state.sender)
