"""What every request passes first: its id, one form of its path, limits to its size, and a line in the log.

Mem0's clients percent-encode names in paths without exception (`a/b` arrives as `a%2Fb`), some join host and path with two
slashes, and none follows redirects. So paths are matched as they were sent, in either slash form.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from typing import Final

from fastapi import HTTPException, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kept.rest.answers import failure, http_error

logger = logging.getLogger("kept.rest")

SLASHED: Final = ("/v1/", "/v2/", "/v3/", "/api/")
"""Below these every path ends in a slash, everywhere else in none."""
MAX_REQUEST_ID: Final = 64
"""Characters that are taken over from a caller; a UUID has 36."""
MAX_HEAD_BYTES: Final = 64 * 1024
"""Longest address and headers together; what usual servers and proxies take is between 8 and 64 KB."""
HEADER: Final = b"x-request-id"
UNMATCHED: Final = "unmatched"
"""The route of what matched none: a path itself may hold anything, and would make endless series of measurements."""

Observe = Callable[[str, str, int, float], None]


class Frontier:
    """The outermost part of the server.

    Args:
        app: What answers.
        max_body_bytes: Longest body taken.
        observe: Told of each answer: method, route, status, seconds.
    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int, observe: Observe) -> None:
        self._app = app
        self._max_body = max_body_bytes
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        scope["path"] = canonical_path(scope.get("raw_path") or scope["path"].encode("utf-8", "surrogatepass"))
        request_id = scope["kept.request_id"] = _request_id(scope)
        answered: int | None = None

        async def sending(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = message["status"]
                message["headers"] = [*message.get("headers", ()), (HEADER, request_id.encode())]
            await send(message)

        try:
            if refusal := self._refusal(scope):
                await (await http_error(Request(scope), refusal))(scope, receive, sending)
            else:
                await self._app(scope, self._bounded(receive), sending)
        except asyncio.CancelledError:  # the server ends, and has waited as long as it does
            if answered is None:
                await failure(Request(scope), 503, "The server is ending; try again.", "too-busy")(
                    scope, receive, sending
                )
            raise
        finally:
            self._report(scope, answered or 500, time.perf_counter() - began)

    def _refusal(self, scope: Scope) -> HTTPException | None:
        """Why the request is not taken, where its head says enough."""
        size = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        for name, value in scope["headers"]:
            size += len(name) + len(value)
            if name == b"content-length" and value.isdigit() and int(value[:20]) > self._max_body:
                return self._too_long()
            if name == b"content-encoding" and value.lower() not in {b"", b"identity"}:
                return HTTPException(415, "Compressed bodies are not taken; send the body without Content-Encoding.")
        if size > MAX_HEAD_BYTES:
            return HTTPException(
                431, f"Address and headers are longer than the {MAX_HEAD_BYTES:,} bytes that are taken."
            )
        return None

    def _bounded(self, receive: Receive) -> Receive:
        """`receive`, which refuses a body that turns out longer than the limit."""
        received = 0

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body:
                raise self._too_long()
            return message

        return bounded

    def _too_long(self) -> HTTPException:
        return HTTPException(413, f"The body is longer than the {self._max_body:,} bytes that are taken.")

    def _report(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", UNMATCHED)
        self._observe(scope["method"], route, status, seconds)
        if logger.isEnabledFor(logging.INFO):
            line = {
                "request_id": scope["kept.request_id"],
                "method": scope["method"],
                "route": route,
                "status": status,
                "ms": round(seconds * 1_000, 2),
                "key_id": getattr(scope.get("kept.principal"), "key_id", None),
            }
            logger.info("request", extra={"kept": line})


def canonical_path(raw: bytes) -> str:
    """The path as it was sent, percent-encoding kept, in the slash form under which its route is known."""
    path = "/" + raw.partition(b"?")[0].decode("latin-1").lstrip("/")
    if path.startswith(SLASHED):
        return path if path.endswith("/") else path + "/"
    return path.rstrip("/") or "/"


def _request_id(scope: Scope) -> str:
    """The caller's own, when it can be put into a log line; else a new one."""
    for name, value in scope["headers"]:
        if name == HEADER and 0 < len(value) <= MAX_REQUEST_ID and value.isascii():
            given = str(value.decode("ascii"))
            if given.replace("-", "").replace("_", "").isalnum():
                return given
    return uuid.uuid4().hex
