"""API keys: made, shown once, stored as a hash, recognised, revoked.

A key is 256 random bits; its SHA-256 is what is stored (a slow hash protects guessable passwords, which these are not).
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

from kept.domain.access import ROLES, Principal, Role
from kept.domain.scope import DEFAULT_ORGANISATION, DEFAULT_PROJECT, ENTITY_IDS, Scope
from kept.domain.temporal import parse_when
from kept.engine.platform import Platform
from kept.errors import AuthenticationError, ConfigurationError, ConflictError, InvalidInputError, NotFoundError
from kept.ports import Entry

KEY: Final = "key"
MEMBER: Final = "member"
PREFIX: Final = "kept_"
KEY_BYTES: Final = 32
MIN_GIVEN_KEY: Final = 16
"""Characters of a key that an administrator chose: shorter ones can be guessed."""
MAX_NAME: Final = 200
RECENT_KEYS: Final = 10_000
"""Keys kept in memory between two requests (some 10 MB); beyond that all are read again."""
LAST_USED_STEP: Final = timedelta(minutes=1)
"""How exact `last_used_at` is: a write for each request would cost more than the request."""
DENIED: Final = "The API key is missing, unknown, expired or revoked."


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A stored key, without its secret.

    Attributes:
        prefix: How the secret begins, to recognise it by.
        project: The only project it works in; None for an administrator's key.
        bound: Ids that it cannot step out of.
        member: Whose role it follows, if it is a member's.
    """

    id: str
    name: str
    prefix: str
    role: Role
    project: str | None
    organisation: str
    bound: Mapping[str, tuple[str, ...]]
    member: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class _Known(NamedTuple):
    """A key as it was read."""

    version: Hashable
    entry: Entry
    key: ApiKey
    role: Role


class Keys:
    """The keys of a platform. Who may make which is the caller's matter (see `engine.tenancy`)."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._registry = platform.registry
        self._uses = Uses(platform)
        self._recent: dict[str, _Known] = {}

    def any_usable(self) -> bool:
        """Whether anybody could ask: a key was made, and neither revoked nor ended."""
        now = self._platform.clock()
        return any(not _has_ended(_to_key(entry), now) for entry in self._registry.entries(KEY))

    def make(
        self,
        *,
        name: object,
        role: object = "WRITER",
        project: str | None = DEFAULT_PROJECT,
        organisation: str = DEFAULT_ORGANISATION,
        bound: Mapping[str, object] | None = None,
        member: str | None = None,
        expires_at: object = None,
        secret: str | None = None,
    ) -> tuple[ApiKey, str]:
        """Make a key; the secret is returned this once.

        Raises:
            InvalidInputError: A role, id, date or name that cannot be used.
            ConflictError: A given secret that is in use.
        """
        secret = secret or PREFIX + secrets.token_urlsafe(KEY_BYTES)
        if len(secret) < MIN_GIVEN_KEY or not secret.isascii() or not secret.isprintable() or " " in secret:
            raise InvalidInputError(
                f"A key must have at least {MIN_GIVEN_KEY} printable ASCII characters and no blank."
            )
        limits = bound_of(bound or {})
        data = {
            "id": f"key_{secrets.token_hex(8)}",
            "name": parse_name(name),
            "prefix": secret[: len(PREFIX) + 4] if secret.startswith(PREFIX) else secret[:4],
            "role": _role(role, project, limits),
            "organisation": organisation,
            "bound": {id_name: list(values) for id_name, values in limits.items()},
            "member": member,
            "expires_at": expiry_of(expires_at, self._platform.clock()),
        }
        entry = self._platform.entry(KEY, hash_of(secret), project or "", data)
        try:
            self._registry.add(entry)
        except ConflictError as error:
            raise ConflictError("This key is in use already; choose another.") from error
        return _to_key(entry), secret

    def ensure_admin(self, secret: str) -> list[ApiKey]:
        """Make this the key of an administrator, unless it is one already.

        Returns:
            Of a new one: the other administrators' keys, which go on being valid.

        Raises:
            ConfigurationError: It was revoked, or is another kind of key.
        """
        entry = self._registry.find(KEY, hash_of(secret))
        if entry is None:
            now = self._platform.clock()
            others = [key for key in self.all("") if not _has_ended(key, now)]
            self.make(name="admin", role="ADMIN", project=None, secret=secret)
            return others
        if (key := _to_key(entry)).revoked_at or key.role != "ADMIN":
            state = "was revoked" if key.revoked_at else f"has the role {key.role}"
            raise ConfigurationError(
                f"KEPT_API_KEY is the key {key.name!r}, which {state}; give an administrator's, or a new one."
            )
        return []

    def recognise(self, secret: str | None, *, connector: str) -> Principal:
        """Who asks with this key.

        Raises:
            AuthenticationError: It is none, or no longer one; the message is the same in every case.
        """
        known = self._known(hash_of(secret)) if secret else None
        if known is None:
            raise AuthenticationError(DENIED)
        key, now = known.key, self._platform.clock()
        if _has_ended(key, now):
            raise AuthenticationError(DENIED)
        self._uses.note(known.entry, now)
        return Principal(
            project=key.project or DEFAULT_PROJECT,
            organisation=key.organisation,
            name=key.name,
            key_id=key.id,
            role=known.role,
            bound=key.bound,
            member=key.member,
            connector=connector,
        )

    def all(self, project: str | None = None) -> list[ApiKey]:
        """Keys of a project (None: all; empty: administrators'), oldest first, revoked ones included."""
        self._platform.trail.flush()
        return [_to_key(entry) for entry in self._registry.entries(KEY, project)]

    def find(self, key_id: str) -> ApiKey:
        """A key by its public id.

        Raises:
            NotFoundError: There is none.
        """
        self._platform.trail.flush()
        return _to_key(self._entry(key_id))

    def revoke(self, key_id: str) -> ApiKey:
        """End a key now. Revoking twice is harmless."""
        entry, now = self._entry(key_id), self._platform.clock()
        if not entry.data.get("revoked_at"):
            self._registry.revise(KEY, entry.id, {"revoked_at": now.isoformat()}, now)
        return self.find(key_id)

    def revoke_all(self, project: str) -> None:
        """End all keys of a project."""
        for key in self.all(project):
            self.revoke(key.id)

    def _entry(self, key_id: str) -> Entry:
        for entry in self._registry.entries(KEY):
            if entry.data.get("id") == key_id:
                return entry
        raise NotFoundError(f"There is no key {key_id[:40]!r}; list them with `kept keys list`.")

    def _known(self, digest: str) -> _Known | None:
        """The key of a hash; kept as long as nothing at all was committed since it was read."""
        version = self._platform.service.version()
        known = self._recent.get(digest)
        if known is not None and known.version == version:
            return known
        entry = self._registry.find(KEY, digest)
        key = _to_key(entry) if entry else None
        role = self._role_of(key) if key else None
        if entry is None or key is None or role is None:
            return None
        if len(self._recent) >= RECENT_KEYS:
            self._recent.clear()
        self._recent[digest] = known = _Known(version, entry, key, role)
        return known

    def _role_of(self, key: ApiKey) -> Role | None:
        """The key's role; a member's key never has a higher one than the member has now, and none when it is no member."""
        if key.member is None:
            return key.role
        member = self._registry.find(MEMBER, member_id(key.project or "", key.member))
        if member is None:
            return None
        return min(key.role, member.data["role"], key=ROLES.index)


class Uses:
    """When keys or links were used last, to the minute; written beside the audit, so that no request waits for it.

    Args:
        platform: Whose.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._known: dict[str, datetime] = {}
        self._mutex = threading.Lock()

    def note(self, entry: Entry, now: datetime) -> None:
        """One was used now."""
        with self._mutex:
            known = self._known.get(entry.id) or moment_of(entry.data.get("last_used_at"))
            if known is not None and now - known < LAST_USED_STEP:
                return
            self._known[entry.id] = now
        used = {"last_used_at": now.isoformat()}
        self._platform.trail.mark(partial(self._platform.registry.revise, entry.kind, entry.id, used, entry.updated_at))


def member_id(owner: str, email: str) -> str:
    """The registry id of a member of a project or an organisation."""
    return f"{owner}/{email.strip().lower()}"


def hash_of(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def parse_name(name: object) -> str:
    """A name that people give to a key, a link, a webhook, a project or an organisation.

    Raises:
        InvalidInputError: It is none.
    """
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise InvalidInputError(f"A name must be a text of 1 to {MAX_NAME} printable characters.")
    return name.strip()


def _has_ended(key: ApiKey, now: datetime) -> bool:
    return key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now)


def _role(role: object, project: str | None, bound: Mapping[str, object]) -> str:
    """The role, when it goes together with what the key is bound to."""
    wanted = str(role).upper()
    if wanted not in ROLES:
        raise InvalidInputError(f"role is {str(role)[:40]!r}; it must be one of {', '.join(ROLES)}.")
    if (wanted == "ADMIN") != (project is None):
        raise InvalidInputError("An ADMIN key belongs to no project, and every other key to one.")
    if bound and wanted not in {"READER", "WRITER"}:
        raise InvalidInputError("A key that is bound to certain ids can be READER or WRITER only.")
    return wanted


def bound_of(raw: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """Ids that a key or a link cannot step out of.

    Raises:
        InvalidInputError: Other names, or no ids.
    """
    unknown = set(raw) - set(ENTITY_IDS)
    if unknown:
        raise InvalidInputError(f"A key can be bound to {', '.join(ENTITY_IDS)}, not to {', '.join(sorted(unknown))}.")
    bound = {}
    for name, values in raw.items():
        given = values if isinstance(values, (list, tuple, set, frozenset)) else [values]
        ids = [Scope.of(**{name: value}).ids.get(name) for value in given]
        if not ids or None in ids or "*" in ids:
            raise InvalidInputError(f"{name} must be one or more ids, without '*'.")
        bound[name] = tuple(dict.fromkeys(str(value) for value in ids))
    return bound


def expiry_of(value: object, now: datetime) -> str | None:
    """When a key or a link ends, as it is stored.

    Raises:
        InvalidInputError: No time, or one that is past.
    """
    if value is None:
        return None
    moment = parse_when(value)
    if moment <= now:
        raise InvalidInputError("expires_at is past; give a time to come.")
    return moment.isoformat()


def moment_of(value: object) -> datetime | None:
    """A stored time."""
    return None if value is None else datetime.fromisoformat(str(value))


def _to_key(entry: Entry) -> ApiKey:
    data: Mapping[str, Any] = entry.data
    return ApiKey(
        id=data["id"],
        name=data["name"],
        prefix=data["prefix"],
        role=data["role"],
        project=entry.owner or None,
        organisation=data["organisation"],
        bound={name: tuple(values) for name, values in data["bound"].items()},
        member=data["member"],
        created_at=entry.created_at,
        expires_at=moment_of(data.get("expires_at")),
        revoked_at=moment_of(data.get("revoked_at")),
        last_used_at=moment_of(data.get("last_used_at")),
    )
