"""What every request passes first: its id, one form of its path, a limit to its body, and a line in the log.

Mem0's clients percent-encode names in paths without exception (`a/b` arrives as `a%2Fb`), some join host and path with two
slashes, and none follows redirects. So paths are matched as they were sent, in either slash form.
"""

from __future__ import annotations

import logging
import time
import uuid
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("kept.rest")

SLASHED: Final = ("/v1/", "/v2/", "/v3/", "/api/")
"""Below these every path ends in a slash, everywhere else in none."""
MAX_REQUEST_ID: Final = 64
HEADER: Final = b"x-request-id"


class Frontier:
    """The outermost part of the server.

    Args:
        app: What answers.
        max_body_bytes: Longest body taken.
        observe: Told of each answer: method, route, status, seconds.
    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int, observe: Any = None) -> None:
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
        answered = 500

        async def sending(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = message["status"]
                message["headers"] = [*message.get("headers", ()), (HEADER, request_id.encode())]
            await send(message)

        try:
            await self._app(scope, self._bounded(scope, receive), sending)
        finally:
            self._report(scope, answered, time.perf_counter() - began)

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        """`receive`, which refuses a body over the limit, announced or not."""
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        received = int(announced) if announced.isdigit() else 0
        refused = HTTPException(413, f"The body is longer than the {self._max_body:,} bytes that are taken.")
        too_long = received > self._max_body
        received = 0

        async def bounded() -> Message:
            nonlocal received
            if too_long:
                raise refused
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body:
                raise refused
            return message

        return bounded

    def _report(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        if self._observe is not None:
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
