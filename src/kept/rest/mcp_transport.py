"""The official SDK's streamable HTTP, with the methods of `kept.mcp` inside. Importing it takes seconds, so that is done late."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import mcp_types
from anyio import CapacityLimiter, from_thread, to_thread
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server as Sdk
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from kept.mcp import server as protocol
from kept.mcp.backend import Json
from kept.mcp.call import Call, CancelledError, InputRequiredError
from kept.mcp.guide import INSTRUCTIONS
from kept.mcp.server import ProtocolError

if TYPE_CHECKING:
    from kept.rest.mcp import Seat

SEAT: Final = "kept.mcp"
"""Where a request carries what it may use."""
_OF_TOOLS: Final = ("tools/list", "tools/call")
_OTHERS: Final = (
    "prompts/list",
    "prompts/get",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "completion/complete",
)
THREADS: Final = 40
"""As many calls at once as there are threads for other requests, who are not to wait for them."""
Handler = Callable[[ServerRequestContext[Any, Any], Any], Awaitable[Json]]


class Transport:
    """Answers requests that were let in. No session is kept: each request shows anew what it may.

    Args:
        max_body_bytes: Longest body taken.
    """

    def __init__(self, *, max_body_bytes: int) -> None:
        threads = CapacityLimiter(THREADS)
        self._whole = _manager((*_OF_TOOLS, *_OTHERS), max_body_bytes, threads)
        self._tools_only = _manager(_OF_TOOLS, max_body_bytes, threads)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Serve for the length of the block."""
        async with AsyncExitStack() as stack:
            for manager in (self._whole, self._tools_only):
                await stack.enter_async_context(manager.run())
            yield

    async def serve(self, seat: Seat, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request from a seat."""
        scope[SEAT] = seat
        manager = self._tools_only if seat.tools_only else self._whole
        await manager.handle_request(scope, receive, send)


def _manager(methods: tuple[str, ...], max_body_bytes: int, threads: CapacityLimiter) -> StreamableHTTPSessionManager:
    sdk: Sdk[Any] = Sdk(
        protocol.INFO["name"],
        version=protocol.INFO["version"],
        title=protocol.INFO["title"],
        instructions=INSTRUCTIONS,
    )
    for method in methods:
        sdk.add_request_handler(method, mcp_types.RequestParams, _handler(method, threads))
    return StreamableHTTPSessionManager(sdk, stateless=True, max_request_body_size=max_body_bytes)


def _handler(method: str, threads: CapacityLimiter) -> Handler:
    async def handle(context: ServerRequestContext[Any, Request], params: Any) -> Json:
        del params  # typed and cut down; ours checks them whole
        assert context.request is not None  # noqa: S101 - over HTTP there always is one
        seat: Seat = context.request.scope[SEAT]
        given = dict(context.params or {})
        modern = context.protocol_version in protocol.MODERN
        meta = given.get("_meta")
        capabilities = meta.get(protocol.CAPABILITIES_KEY) if modern and isinstance(meta, dict) else None

        def report(done: float, total: float | None, message: str | None) -> None:
            from_thread.run(context.session.report_progress, done, total, message)

        call = Call(capabilities=capabilities, params=given, modern=modern, report=report)
        try:
            answer = partial(seat.server.handle, method, given, call)
            result: Json = await to_thread.run_sync(answer, abandon_on_cancel=True, limiter=threads)
        except InputRequiredError as error:
            return protocol.input_required(error)
        except ProtocolError as error:
            raise MCPError(error.code, str(error), error.data) from error
        except CancelledError as error:
            raise MCPError(protocol.INTERNAL_ERROR, "Cancelled.") from error
        finally:
            call.cancel()
        return protocol.enveloped(result) if modern else protocol.plain(result)

    return handle
