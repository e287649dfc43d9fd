"""Rate limits: how many requests of each class a key may make (off until the settings name one), and how many calls a link.

The server never retries and never queues for the caller: over the limit the answer is 429, with how long to wait.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Final, Literal

from fastapi import Request
from limits import RateLimitItem, RateLimitItemPerMinute, parse, parse_many
from limits.strategies import FixedWindowRateLimiter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kept.domain.access import Principal
from kept.engine.links import Link
from kept.errors import AuthenticationError, ConfigurationError, RateLimitError
from kept.rest.counters import SharedCounters
from kept.settings import Settings

RouteClass = Literal["read", "write", "admin"]
CLASSES: Final[tuple[RouteClass, ...]] = ("read", "write", "admin")

WRONG_KEYS: Final = parse("60/minute")
"""From one address, where anything is limited: more than people mistype, far less than guessing takes."""
COUNTERS: Final = 65_536
"""Of wrong keys; addresses that share one are limited together."""
KNOWN_FOR: Final = parse("1/day")
"""How long is remembered that a key was right."""
_ADMIN: Final = ("/api/", "/v1/keys/", "/v1/audit/", "/v1/retention/", "/v1/mcp-links/")
_READING: Final = (
    "/search/",
    "/search",
    "/context/",
    "/timeline/",
    "/summary/",
    "/exports/get/",
    "/v2/memories/",
    "/v3/memories/",
)
"""Ends of paths that are read by POST."""


class RateLimits:
    """Counts requests by key and class, and wrong keys by the address they come from, for all processes that are forked after it was made.

    What is counted takes bounded memory: there are so many keys, and addresses share a fixed number of counters.

    Raises:
        ConfigurationError: A setting that is no limit.
    """

    def __init__(self, settings: Settings) -> None:
        given = {name: getattr(settings, f"rate_limit_{name}") for name in CLASSES}
        self._items: dict[RouteClass, RateLimitItem] = {
            name: _parsed(name, text) for name, text in given.items() if text is not None
        }
        self._windows = FixedWindowRateLimiter(SharedCounters())

    @property
    def on(self) -> bool:
        """Whether anything is limited."""
        return bool(self._items)

    def admit(self, request: Request, recognise: Callable[[str | None], Principal], secret: str | None) -> Principal:
        """Who asks with a key; counted against the key, or, when it is none, against the address.

        An address that tried too many wrong keys is refused whatever it shows, save a key that was right before: others may stand
        behind the same address.

        Raises:
            AuthenticationError: It is no key.
            RateLimitError: One request or one wrong key too many.
        """
        if not self._items:
            return recognise(secret)
        where = counter_of(request.client.host if request.client else "")
        if self._windows.get_window_stats(WRONG_KEYS, where).remaining <= 0 and not self._was_right(secret):
            wait = self._wait_s(WRONG_KEYS, where)
            message = f"Too many wrong keys came from this address; the next one is looked at in {wait} s."
            raise RateLimitError(message, retry_after_s=wait)
        try:
            principal = recognise(secret)
        except AuthenticationError:
            self._windows.hit(WRONG_KEYS, where)
            raise
        self._windows.hit(KNOWN_FOR, _key(secret))
        self.count(request, principal)
        return principal

    def count(self, request: Request, principal: Principal) -> None:
        """Count a request of whoever was recognised.

        Raises:
            RateLimitError: It is one too many.
        """
        kind = class_of(request.method, request.scope["path"])
        item = self._items.get(kind)
        who = principal.key_id or principal.name
        request.scope["kept.limited"] = (kind, who)
        if item is not None and not self._windows.hit(item, who, kind):
            wait = self._wait_s(item, who, kind)
            message = f"This key may make {item} {kind} requests; the next one in {wait} s."
            raise RateLimitError(message, retry_after_s=wait)

    def count_link(self, link: Link) -> None:
        """Count a call through a managed link, against the link's own limit.

        Raises:
            RateLimitError: It is one too many.
        """
        if link.rate_limit is None:
            return
        item = RateLimitItemPerMinute(link.rate_limit)
        if not self._windows.hit(item, link.id):
            wait = self._wait_s(item, link.id)
            message = f"This link may make {link.rate_limit} calls a minute; the next one in {wait} s."
            raise RateLimitError(message, retry_after_s=wait)

    def headers(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """What an answer says about the limit: of the key's class, or of the class that its route would be in.

        Of a class without a limit it tells of the first that has one: every answer says something while anything is limited.
        """
        kind, who = scope.get("kept.limited") or (class_of(scope["method"], scope["path"]), None)
        return self._headers(kind, who)

    def headers_of_no_request(self) -> list[tuple[bytes, bytes]]:
        """What is said about limits to what is no HTTP, or never came whole."""
        return self._headers(CLASSES[0], None) if self.on else []

    def _headers(self, kind: RouteClass, who: str | None) -> list[tuple[bytes, bytes]]:
        if kind not in self._items:
            kind = next(iter(self._items))
        item = self._items[kind]
        remaining, wait = item.amount, 0
        if who is not None:
            remaining = self._windows.get_window_stats(item, who, kind).remaining
            wait = self._wait_s(item, who, kind)
        values = {"limit": item.amount, "remaining": max(remaining, 0), "reset": wait}
        return [
            (f"{prefix}ratelimit-{name}".encode(), str(value).encode())
            for prefix in ("", "x-")
            for name, value in values.items()
        ]

    def _was_right(self, secret: str | None) -> bool:
        return self._windows.get_window_stats(KNOWN_FOR, _key(secret)).remaining <= 0

    def _wait_s(self, item: RateLimitItem, *who: str) -> int:
        return max(math.ceil(self._windows.get_window_stats(item, *who).reset_time - time.time()), 1)


def _key(secret: str | None) -> str:
    """Names a key among the counters, of which nobody can read it."""
    return f"key/{hash(secret)}"


def counter_of(host: str) -> str:
    """Which counter an address falls to: of IPv6, whose users have whole networks, the network's."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        network = host
    else:
        network = str(address) if address.version == 4 else str(ip_network((int(address), 64), strict=False))  # noqa: PLR2004
    return str(hash(network) % COUNTERS)


class LimitHeaders:
    """Adds the limit's headers to every answer, where a limit is on."""

    def __init__(self, app: ASGIApp, limits: RateLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or not self._limits.on:
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._limits.headers(scope)]
            await send(message)

        await self._app(scope, receive, sending)


def class_of(method: str, path: str) -> RouteClass:
    """Which limit a request counts against."""
    if path.startswith(_ADMIN):
        return "admin"
    return "read" if method in {"GET", "HEAD", "OPTIONS"} or (method == "POST" and path.endswith(_READING)) else "write"


def _parsed(name: str, text: str) -> RateLimitItem:
    try:
        items = parse_many(text)
    except ValueError:
        items = []
    if len(items) != 1 or items[0].amount < 1:
        raise ConfigurationError(f"rate_limit_{name} is {text!r}; write one limit from 1, for example 600/minute.")
    return items[0]
