"""Managed links: addresses of the MCP server that carry some tools, for some time, for whoever holds them.

An address holds 256 random bits, of which only the hash is stored. Whoever shows one that never was, has ended or was revoked is told
the same in every case.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from kept.domain.access import Principal, Role
from kept.engine.access import ProjectAccess
from kept.engine.keys import Uses, bound_of, expiry_of, hash_of, moment_of, parse_name
from kept.engine.platform import Platform
from kept.engine.tenancy import LINK
from kept.errors import InvalidInputError, NotFoundError
from kept.ports import Entry

METHODS: Final = ("read", "write", "custom")
PREFIX: Final = "lnk_"
ID_BYTES: Final = 8
SECRET_BYTES: Final = 32
MAX_RATE: Final = 1_000_000
"""Calls a minute; more is no limit."""
CONNECTOR: Final = "link"
DENIED: Final = "There is nothing at this address, or no longer."
CHANGEABLE: Final = ("name", "methods", "tags", "bound", "require_api_token_auth", "expires_at", "rate_limit")
OF_MEMORIES: Final = frozenset({"memories", "entities", "events", "graph", "history", "context"})
"""Tags of tools about memories themselves; even to read about anything else takes the role of an owner."""
TAGS: Final = OF_MEMORIES | {
    "audit",
    "exports",
    "keys",
    "links",
    "organisations",
    "profiles",
    "projects",
    "proposals",
    "retention",
    "spending",
    "webhooks",
}
"""All tags that tools have; a test holds them to the tools."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A stored link, without its secret.

    Attributes:
        methods: What its tools may do: `read`, `write`, `custom`.
        tags: Its tools have one of these; none: of any.
        bound: Ids that it cannot step out of.
        require_api_token_auth: Whether whoever uses it must show a key of its project besides.
        rate_limit: Calls that may be made in a minute; None limits none.
    """

    id: str
    name: str
    project: str
    organisation: str
    methods: tuple[str, ...]
    tags: tuple[str, ...]
    bound: Mapping[str, tuple[str, ...]]
    require_api_token_auth: bool
    rate_limit: int | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def has_ended(self, now: datetime) -> bool:
        """Whether it is of no use any more."""
        return self.revoked_at is not None or (self.expires_at is not None and self.expires_at <= now)

    @property
    def role(self) -> Role:
        """What its tools may do, in a principal's terms. Who is bound to certain ids runs no project."""
        manages = "custom" in self.methods or not OF_MEMORIES.issuperset(self.tags)
        if manages and not self.bound:
            return "OWNER"
        return "READER" if self.methods == ("read",) else "WRITER"

    def principal(self) -> Principal:
        """Who asks through it."""
        return Principal(
            project=self.project,
            organisation=self.organisation,
            name=self.name,
            key_id=self.id,
            role=self.role,
            bound=self.bound,
            connector=CONNECTOR,
        )


class Links:
    """The links of a project, for its owner."""

    def __init__(self, access: ProjectAccess) -> None:
        self._access = access
        self._platform = access.platform
        self._registry = access.platform.registry

    def all(self) -> list[Link]:
        """Oldest first, ended ones included."""
        with self._access.noted("link.list", "OWNER"):
            self._platform.trail.flush()
            return [_to_link(entry) for entry in self._registry.entries(LINK, self._access.project)]

    def get(self, link_id: str) -> Link:
        """A link by its id.

        Raises:
            NotFoundError: The project has none of this id.
        """
        with self._access.noted("link.get", "OWNER", link_id=link_id):
            self._platform.trail.flush()
            return _to_link(self._entry(link_id))

    def make(self, *, name: object, **given: Any) -> tuple[Link, str]:
        """Make a link; its token is returned this once.

        Args:
            name: What it is for.
            given: Of `CHANGEABLE`; what is not given is: methods `read`, all tags, no bounds, no key, no end, no limit.

        Raises:
            InvalidInputError: Something that cannot be used.
        """
        with self._access.noted("link.create", "OWNER") as note:
            link_id = f"{PREFIX}{secrets.token_hex(ID_BYTES)}"
            token, digest = _new_token(link_id)
            note.target |= {"link_id": link_id}
            data = {
                **self._checked(
                    {"methods": ("read",), "tags": (), "bound": {}, "require_api_token_auth": False, **given}
                ),
                "name": parse_name(name),
                "organisation": self._access.principal.organisation,
                "created_by": self._access.principal.name,
                "hash": digest,
            }
            entry = self._platform.entry(LINK, link_id, self._access.project, data)
            self._registry.add(entry)
            return _to_link(entry), token

    def change(self, link_id: str, **given: Any) -> Link:
        """Change what is given, of `CHANGEABLE`; None takes an end or a limit away.

        Raises:
            InvalidInputError: Nothing is given, or something that cannot be used.
            NotFoundError: The project has none of this id.
        """
        with self._access.noted("link.update", "OWNER", link_id=link_id):
            if not given:
                raise InvalidInputError(f"Nothing to change: give {', '.join(CHANGEABLE)}.")
            return self._revised(link_id, self._checked(given))

    def rotate(self, link_id: str) -> tuple[Link, str]:
        """Give a link another token; the one before is of no use from now on.

        Raises:
            NotFoundError: The project has none of this id.
        """
        with self._access.noted("link.rotate", "OWNER", link_id=link_id):
            token, digest = _new_token(self._entry(link_id).id)
            return self._revised(link_id, {"hash": digest}), token

    def revoke(self, link_id: str) -> Link:
        """End a link now. Revoking twice is harmless.

        Raises:
            NotFoundError: The project has none of this id.
        """
        with self._access.noted("link.revoke", "OWNER", link_id=link_id):
            ended = self._entry(link_id).data.get("revoked_at") or self._platform.clock().isoformat()
            return self._revised(link_id, {"revoked_at": ended})

    def _entry(self, link_id: str) -> Entry:
        entry = self._registry.find(LINK, link_id)
        if entry is None or entry.owner != self._access.project:
            raise NotFoundError(f"This project has no link {link_id[:40]!r}.")
        return entry

    def _revised(self, link_id: str, data: Mapping[str, Any]) -> Link:
        self._registry.revise(LINK, self._entry(link_id).id, data, self._platform.clock())
        return _to_link(self._entry(link_id))

    def _checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(given) - set(CHANGEABLE))
        if unknown:
            raise InvalidInputError(f"A link has no {unknown[0]!r}; it has {', '.join(CHANGEABLE)}.")
        checks: dict[str, Callable[[Any], object]] = {
            "name": parse_name,
            "methods": _methods,
            "tags": _tags,
            "bound": lambda raw: {name: list(ids) for name, ids in bound_of(raw or {}).items()},
            "require_api_token_auth": bool,
            "expires_at": lambda raw: expiry_of(raw, self._platform.clock()),
            "rate_limit": _rate,
        }
        return {name: checks[name](value) for name, value in given.items()}


class LinkDoor:
    """Recognises the tokens of links.

    Args:
        platform: Whose links.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._uses = Uses(platform)

    def recognise(self, token: str) -> Link:
        """The link of a token.

        Raises:
            NotFoundError: It is none, or no longer one; the message is the same in every case.
        """
        link_id, _, _ = token.partition(".")
        entry = self._platform.registry.find(LINK, link_id)
        known = entry.data["hash"] if entry is not None else ""
        now = self._platform.clock()
        if not hmac.compare_digest(hash_of(token), known) or entry is None or _to_link(entry).has_ended(now):
            raise NotFoundError(DENIED)
        self._uses.note(entry, now)
        return _to_link(entry)


def _new_token(link_id: str) -> tuple[str, str]:
    """A token, and its hash. It begins with the link's id, by which it is looked up; the rest is the secret."""
    token = f"{link_id}.{secrets.token_urlsafe(SECRET_BYTES)}"
    return token, hash_of(token)


def _methods(raw: object) -> list[str]:
    wanted = _texts(raw, "methods")
    unknown = [method for method in wanted if method not in METHODS]
    if unknown or not wanted:
        raise InvalidInputError(f"methods must be one or more of {', '.join(METHODS)}.")
    return wanted


def _tags(raw: object) -> list[str]:
    wanted = _texts(raw, "tags")
    unknown = [tag for tag in wanted if tag not in TAGS]
    if unknown:
        raise InvalidInputError(f"No tool has the tag {unknown[0][:40]!r}; there are {', '.join(sorted(TAGS))}.")
    return wanted


def _texts(raw: object, name: str) -> list[str]:
    """A list of texts, or one text with commas; without repeats."""
    listed = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(listed, Sequence) or not all(isinstance(one, str) for one in listed):
        raise InvalidInputError(f"{name} must be a list of texts.")
    return list(dict.fromkeys(one.strip() for one in listed if one.strip()))


def _rate(raw: object) -> int | None:
    if raw is None:
        return None
    if isinstance(raw, bool) or not isinstance(raw, int) or not 1 <= raw <= MAX_RATE:
        raise InvalidInputError(f"rate_limit is {str(raw)[:40]!r}; it must be a number of calls a minute, from 1.")
    return raw


def _to_link(entry: Entry) -> Link:
    data: Mapping[str, Any] = entry.data
    return Link(
        id=entry.id,
        name=data["name"],
        project=entry.owner,
        organisation=data["organisation"],
        methods=tuple(data["methods"]),
        tags=tuple(data["tags"]),
        bound={name: tuple(values) for name, values in data["bound"].items()},
        require_api_token_auth=data["require_api_token_auth"],
        rate_limit=data.get("rate_limit"),
        created_by=data["created_by"],
        created_at=entry.created_at,
        expires_at=moment_of(data.get("expires_at")),
        revoked_at=moment_of(data.get("revoked_at")),
        last_used_at=moment_of(data.get("last_used_at")),
    )
