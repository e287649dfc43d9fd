"""Writes leave threads to whoever reads.

Each request that works in a thread holds one of a few. Writes wait for the store, which another process or a large erase may hold for
a minute; however many they are, searches and lists go on meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from kept.rest.limits import class_of

AT_ONCE: Final = 30
"""Of the 40 threads that work for requests. More would not make writes quicker: all of them go to the disk together."""
ELSEWHERE: Final = "/mcp"
"""Below it are reads and writes alike; its calls have threads of their own."""


class Writes:
    """Lets so many requests that write in at once, first come, first served; the others wait without a thread.

    Args:
        app: What answers.
        at_once: How many.
    """

    def __init__(self, app: ASGIApp, at_once: int = AT_ONCE) -> None:
        self._app = app
        self._free = asyncio.Semaphore(at_once)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if not _writes(scope):
            await self._app(scope, receive, send)
            return
        async with self._free:
            await self._app(scope, receive, send)


def _writes(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] == "GET" or scope["path"].startswith(ELSEWHERE):
        return False
    return class_of(scope["method"], scope["path"]) != "read"
