"""Webhooks: a project's owner names an address, and what happens in the project is posted there.

What happened with memories is read from the log behind a cursor, so that no change of any door is missed, and none is told twice by us
(a receiver sees a delivery again only when its answer was lost). A delivery holds ids; what it says is read when it is sent.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final
from urllib.parse import urlsplit

from kept.domain.history import Revision
from kept.domain.jobs import Job, pause_before_retry
from kept.domain.scope import Scope
from kept.domain.webhooks import EVENT_TYPES, MEMORY_EVENTS, events_of, memory_details, signature
from kept.engine.access import ProjectAccess
from kept.engine.keys import parse_name
from kept.engine.platform import Platform
from kept.errors import InvalidInputError, NotFoundError
from kept.ports import Entry, JobListing, Sender

WEBHOOK: Final = "webhook"
CURSOR: Final = "cursor"
MAX_WEBHOOKS: Final = 50
"""Every change becomes a job for each of them."""
MAX_URL: Final = 2_048
"""Characters; longer ones fail at some proxies and servers."""
RELAYED: Final = 1_000
"""Revisions read at a time."""
MAX_ATTEMPTS: Final = 8
"""1 s, 4 s, 16 s, … up to an hour between them: nearly an hour and a half in all."""
GIVEN_UP_AFTER: Final = timedelta(days=3)
"""A webhook to which nothing could be delivered for so long is switched off."""
LONGEST_REST: Final = timedelta(minutes=5)
_OK: Final = range(200, 300)
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address and what it is told.

    Attributes:
        secret: Signs deliveries; shown once.
        failing_since: When the first delivery failed after the last that did not.
        reason: Why it was switched off, if it was not by its owner.
    """

    id: str
    project: str
    name: str
    url: str
    event_types: tuple[str, ...]
    is_active: bool
    secret: str
    owner: str
    failing_since: datetime | None
    reason: str | None
    created_at: datetime
    updated_at: datetime


class Webhooks:
    """The webhooks of a project; its owner's matter.

    Args:
        access: The project.
        sender: Says which addresses are refused.
    """

    def __init__(self, access: ProjectAccess, sender: Sender) -> None:
        self._access = access
        self._platform = access.platform
        self._sender = sender

    @property
    def project_name(self) -> str:
        """What their project is called."""
        from kept.engine.tenancy import find_project

        return find_project(self._platform, self._access.project).name

    def all(self) -> list[Webhook]:
        """Oldest first."""
        with self._access.noted("webhook.list", "OWNER"):
            return webhooks_of(self._platform, self._access.project)

    def create(self, *, name: object, url: object, event_types: object) -> Webhook:
        """Tell an address from now on.

        Raises:
            InvalidInputError: A name, address or event type that cannot be used.
        """
        with self._access.noted("webhook.create", "OWNER"):
            project = self._access.project
            if len(webhooks_of(self._platform, project)) >= MAX_WEBHOOKS:
                raise InvalidInputError(f"A project has at most {MAX_WEBHOOKS} webhooks.")
            data = {
                "name": parse_name(name),
                "url": self._url(url),
                "event_types": list(_event_types(event_types)),
                "is_active": True,
                "secret": f"whsec_{secrets.token_urlsafe(_SECRET_BYTES)}",
                "owner": self._access.principal.name,
            }
            begin(self._platform, project)
            entry = self._platform.entry(WEBHOOK, f"wh_{secrets.token_hex(8)}", project, data)
            self._platform.registry.add(entry)
            return _to_webhook(entry)

    def get(self, webhook_id: str) -> Webhook:
        """One of them.

        Raises:
            NotFoundError: The project has none of this id.
        """
        with self._access.noted("webhook.get", "OWNER", webhook_id=webhook_id):
            return self._own(webhook_id)

    def update(
        self,
        webhook_id: str,
        *,
        name: object = None,
        url: object = None,
        event_types: object = None,
        is_active: object = None,
    ) -> Webhook:
        """Set what is given; switching on forgets earlier failures."""
        with self._access.noted("webhook.update", "OWNER", webhook_id=webhook_id):
            self._own(webhook_id)
            data: dict[str, Any] = {}
            if name is not None:
                data["name"] = parse_name(name)
            if url is not None:
                data["url"] = self._url(url)
            if event_types is not None:
                data["event_types"] = list(_event_types(event_types))
            if is_active is not None:
                data |= {"is_active": bool(is_active), "failing_since": None, "reason": None}
            self._platform.registry.revise(WEBHOOK, webhook_id, data, self._platform.clock())
            return self._own(webhook_id)

    def remove(self, webhook_id: str) -> None:
        """Tell it nothing more."""
        with self._access.noted("webhook.remove", "OWNER", webhook_id=webhook_id):
            self._own(webhook_id)
            self._platform.registry.remove(WEBHOOK, webhook_id)

    def deliveries(self, webhook_id: str, *, limit: int = 100, offset: int = 0) -> tuple[Sequence[Job], int]:
        """What was posted, or is to be, newest first; and how many there are."""
        with self._access.noted("webhook.deliveries", "OWNER", webhook_id=webhook_id):
            self._own(webhook_id)
            listing = JobListing(project=self._access.project, kinds=["DELIVERY"], subject=webhook_id)
            jobs = self._platform.jobs
            return jobs.page(listing, limit=limit, offset=offset), jobs.count(listing)

    def _own(self, webhook_id: str) -> Webhook:
        entry = self._platform.registry.find(WEBHOOK, webhook_id)
        if entry is None or entry.owner != self._access.project:
            raise NotFoundError("There is no such webhook.")
        return _to_webhook(entry)

    def _url(self, url: object) -> str:
        checked = _url(url)
        self._sender.check(checked)
        return checked


def webhooks_of(platform: Platform, project: str) -> list[Webhook]:
    """A project's webhooks, oldest first."""
    return [_to_webhook(entry) for entry in platform.registry.entries(WEBHOOK, project)]


# --- from the log to deliveries ---


def begin(platform: Platform, project: str) -> None:
    """See to it that a project's changes from now on are told."""
    if platform.registry.find(CURSOR, _cursor(project)) is None:
        data = {"seq": platform.service.head()}
        platform.registry.put(platform.entry(CURSOR, _cursor(project), project, data))


def relay(platform: Platform) -> bool:
    """Make deliveries of what the log says since the last time; whether there is more."""
    return sum(_relay_project(platform, project, webhooks) for project, webhooks in _listening(platform).items()) > 0


def lag(platform: Platform) -> int:
    """How many changes webhooks are still to be told of; of one project at most 1,000 are counted."""
    return sum(len(_untold(platform, project)) for project in _listening(platform))


def _listening(platform: Platform) -> dict[str, list[Webhook]]:
    """The webhooks of each project that has some."""
    found: dict[str, list[Webhook]] = {}
    for entry in platform.registry.entries(WEBHOOK):
        found.setdefault(entry.owner, []).append(_to_webhook(entry))
    return found


def _untold(platform: Platform, project: str) -> list[Revision]:
    cursor = platform.registry.find(CURSOR, _cursor(project))
    after = cursor.data["seq"] if cursor else platform.service.head()
    return list(islice(platform.service.changes(project, after), RELAYED))


def _relay_project(platform: Platform, project: str, webhooks: Sequence[Webhook]) -> bool:
    revisions = _untold(platform, project)
    if not revisions:
        return False
    now = platform.clock()
    jobs = [
        _delivery(platform, webhook, event, {"memory_id": revision.memory_id}, f"{revision.seq}", now)
        for revision in revisions
        for event in events_of(revision)
        for webhook in webhooks
        if webhook.is_active and event in webhook.event_types and webhook.created_at <= revision.recorded_at
    ]
    if jobs:
        platform.jobs.put_many(jobs)
    platform.registry.put(platform.entry(CURSOR, _cursor(project), project, {"seq": revisions[-1].seq}))
    return len(revisions) == RELAYED


def job_events(platform: Platform, job: Job) -> None:
    """Make deliveries of how an add ended."""
    outcome = {"SUCCEEDED": "ingest_job_completed", "FAILED": "ingest_job_failed"}.get(job.status)
    if job.kind != "ADD" or outcome is None:
        return
    now = platform.clock()
    jobs = [
        _delivery(platform, webhook, outcome, {"event_id": job.id, "status": job.status}, job.id, now)
        for webhook in webhooks_of(platform, job.scope.project)
        if webhook.is_active and outcome in webhook.event_types
    ]
    if jobs:
        platform.jobs.put_many(jobs)


def _delivery(
    platform: Platform, webhook: Webhook, event: str, about: Mapping[str, Any], source: str, now: datetime
) -> Job:
    return Job(
        id=platform.ids(),
        scope=Scope(project=webhook.project),
        kind="DELIVERY",
        payload={"event_type": event, **about},
        subject=webhook.id,
        actor="webhooks",
        connector="worker",
        idempotency_key=f"{webhook.id}:{event}:{source}",
        created_at=now,
        updated_at=now,
        run_after=now,
    )


# --- sending ---


class Deliveries:
    """Sends what is to be delivered. An address that fails is left alone for a while, whatever waits for it."""

    def __init__(self, platform: Platform, sender: Sender) -> None:
        self._platform = platform
        self._sender = sender
        self._resting: dict[str, tuple[int, datetime]] = {}
        self._mutex = threading.Lock()

    def deliver(self, job: Job) -> Job:
        """The job after its delivery was tried."""
        entry = self._platform.registry.find(WEBHOOK, str(job.subject))
        now = self._platform.clock()
        if entry is None or not entry.data["is_active"]:
            return self._ended(job, "FAILED", "The webhook was removed or switched off.", None)
        webhook = _to_webhook(entry)
        if (until := self._resting_until(webhook.id)) > now:
            return replace(job, status="PENDING", attempts=job.attempts - 1, run_after=until, updated_at=now)
        try:
            status = self._sender.post(webhook.url, *self._written(job, webhook))
        except OSError as error:
            return self._missed(job, webhook, f"{type(error).__name__}: {error}"[:300], None)
        if status not in _OK:
            return self._missed(job, webhook, f"The receiver answered {status}.", status)
        self._recovered(webhook)
        return self._ended(job, "SUCCEEDED", None, status)

    def _written(self, job: Job, webhook: Webhook) -> tuple[bytes, dict[str, str]]:
        """Body and headers."""
        event = job.payload["event_type"]
        if event in MEMORY_EVENTS:
            memory_id = job.payload["memory_id"]
            record = self._platform.service.find_many(webhook.project, [memory_id]).get(memory_id)
            details = memory_details(event, memory_id, record)
        else:
            details = {"event": event, "event_id": job.payload["event_id"], "status": job.payload["status"]}
        body = json.dumps({"event_details": details}, ensure_ascii=False).encode("utf-8", "replace")
        at = int(self._platform.clock().timestamp())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "kept-webhooks",
            "Kept-Event": event,
            "Kept-Delivery": job.id,
            "Kept-Signature": signature(webhook.secret, body, at),
        }
        return body, headers

    def _resting_until(self, webhook_id: str) -> datetime:
        with self._mutex:
            return self._resting.get(webhook_id, (0, datetime.min.replace(tzinfo=self._platform.clock().tzinfo)))[1]

    def _missed(self, job: Job, webhook: Webhook, why: str, status: int | None) -> Job:
        now = self._platform.clock()
        with self._mutex:
            failures = self._resting.get(webhook.id, (0, now))[0] + 1
            self._resting[webhook.id] = failures, now + min(pause_before_retry(failures), LONGEST_REST)
        since = webhook.failing_since or now
        data: dict[str, Any] = {"failing_since": since.isoformat()}
        if now - since >= GIVEN_UP_AFTER:
            data |= {
                "is_active": False,
                "reason": f"Nothing could be delivered since {since:%Y-%m-%d %H:%M} UTC. {why}",
            }
        if webhook.failing_since is None or "is_active" in data:
            self._platform.registry.revise(WEBHOOK, webhook.id, data, now)
        if job.attempts >= MAX_ATTEMPTS:
            return self._ended(job, "FAILED", why, status)
        return replace(
            job,
            status="PENDING",
            error=why,
            results=[{"status": status}],
            updated_at=now,
            run_after=now + pause_before_retry(job.attempts),
        )

    def _recovered(self, webhook: Webhook) -> None:
        with self._mutex:
            self._resting.pop(webhook.id, None)
        if webhook.failing_since is not None:
            self._platform.registry.revise(WEBHOOK, webhook.id, {"failing_since": None}, self._platform.clock())

    def _ended(self, job: Job, status: Any, error: str | None, answered: int | None) -> Job:
        now = self._platform.clock()
        return replace(
            job, status=status, error=error, results=[{"status": answered}], updated_at=now, completed_at=now
        )


def _cursor(project: str) -> str:
    return f"webhooks/{project}"


def _url(url: object) -> str:
    try:
        parts = urlsplit(url) if isinstance(url, str) and len(url) <= MAX_URL and url.isprintable() else None
        known = parts is not None and parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1)
    except ValueError:
        known = False
    if not known or parts is None or " " in str(url):
        raise InvalidInputError(f"url must be an http or https address of at most {MAX_URL:,} characters.")
    if parts.username or parts.password:
        raise InvalidInputError("url must hold no name and password; deliveries are signed instead.")
    return str(url)


def _event_types(raw: object) -> tuple[str, ...]:
    named = raw if isinstance(raw, (list, tuple)) else None
    if not named or any(name not in EVENT_TYPES for name in named):
        raise InvalidInputError(f"event_types must be a list of one or more of {', '.join(EVENT_TYPES)}.")
    return tuple(dict.fromkeys(named))


def _to_webhook(entry: Entry) -> Webhook:
    data = entry.data
    since = data.get("failing_since")
    return Webhook(
        id=entry.id,
        project=entry.owner,
        name=data["name"],
        url=data["url"],
        event_types=tuple(data["event_types"]),
        is_active=data["is_active"],
        secret=data["secret"],
        owner=data["owner"],
        failing_since=datetime.fromisoformat(since) if since else None,
        reason=data.get("reason"),
        created_at=entry.created_at,
        updated_at=entry.updated_at,
    )
