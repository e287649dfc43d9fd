"""MCP over HTTP: who may come in, as whom, with which tools. What is said inside is in `mcp_transport` and `kept.mcp`.

`/mcp` is for keys and for tokens of an OAuth authority, `/mcp/{token}` for managed links. Every request stands alone and shows who it is
from, so that what has ended ends at its next request, and what is going on then is cut off at that second.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import anyio
from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from kept.domain.access import Principal, Role
from kept.engine.access import ProjectAccess
from kept.engine.keys import Keys
from kept.engine.links import DENIED, Link, LinkDoor
from kept.engine.platform import Platform
from kept.errors import AuthenticationError, ForbiddenError
from kept.mcp.local import LocalBackend
from kept.mcp.server import Server
from kept.mcp.tools import EVERYDAY, Method, Tool, select
from kept.rest import inventory
from kept.rest.answers import Json, failure
from kept.rest.asking import base_of, secret_of
from kept.rest.limits import RateLimits
from kept.rest.links import PATH
from kept.rest.oauth import SCOPES, Authority
from kept.settings import Settings

if TYPE_CHECKING:
    from kept.rest.mcp_transport import Transport

logger = logging.getLogger("kept.rest")

METADATA: Final = "/.well-known/oauth-protected-resource"
CONNECTOR: Final = "mcp"
OPEN_AFTER_S: Final = 2.0
"""After a start that nobody followed with a request: late enough to be in no start's way."""
BROKEN: Final = "MCP cannot be served here; the server's log says why. The REST routes are not affected."
_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
_NEEDED: Final[Mapping[Method, Role]] = {"read": "READER", "write": "WRITER", "custom": "OWNER"}
"""The role that tools of a method take."""
_SCOPES: Final[Mapping[Method, str]] = {"read": "memories:read", "write": "memories:write", "custom": "admin"}
"""The scope that gives this role."""


@dataclass(frozen=True, slots=True)
class Seat:
    """What one request may use.

    Attributes:
        server: The tools, over the memories that it may see.
        until: When that ends; None is never.
        tools_only: Whether it has no prompts and resources.
    """

    server: Server
    until: datetime | None = None
    tools_only: bool = False


class McpDoor:
    """The routes, and what runs for them.

    Args:
        app: The REST app.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._platform: Platform = app.state.platform
        self._settings: Settings = app.state.settings
        self._keys: Keys = app.state.keys
        self._links = LinkDoor(self._platform)
        self._limits: RateLimits = app.state.limits
        self._authority = Authority.of(self._settings)
        self._transport: Transport | None = None
        self._wanted = anyio.Event()
        self._ready = anyio.Event()

    def routes(self) -> list[Route]:
        """What the app serves for MCP."""
        return [
            Route(PATH, _Endpoint(self, self._by_key)),
            Route(f"{PATH}/{{token}}", _Endpoint(self, self._by_link)),
            Route(METADATA, self._metadata, methods=["GET"]),
            Route(f"{METADATA}{PATH}", self._metadata, methods=["GET"]),
        ]

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Serve for the length of the block. The SDK takes seconds to import, so that is done after the start; requests wait for it."""
        stop = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._serve, stop)
            try:
                yield
            finally:
                stop.set()
                self._wanted.set()

    async def _serve(self, stop: anyio.Event) -> None:
        with anyio.move_on_after(OPEN_AFTER_S):
            await self._wanted.wait()
        if stop.is_set():
            return
        try:
            transport = await anyio.to_thread.run_sync(partial(_open_transport, self._settings))
            async with transport.run():
                self._transport = transport
                self._ready.set()
                await stop.wait()
        except Exception:  # the library is damaged, say: all else goes on being served
            logger.exception("MCP cannot be served")
            self._transport = None
            self._ready.set()

    async def answer(self, seat: Seat, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request that was let in to the protocol, for as long as it may go on."""
        self._wanted.set()
        await self._ready.wait()
        transport = self._transport
        if transport is None:
            await failure(Request(scope), 503, BROKEN, "unavailable")(scope, receive, send)
            return
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        left = None if seat.until is None else (seat.until - self._platform.clock()).total_seconds()
        with anyio.move_on_after(left) as span, suppress(ClientDisconnect):
            await transport.serve(seat, scope, receive, sending)
        if span.cancelled_caught and not begun:
            await failure(Request(scope), 404, DENIED, "not-found")(scope, receive, send)

    # --- who comes in ---

    def refusal(self, request: Request) -> Json | None:
        """Why a request is turned away whoever it is from; None when it is not.

        A page in a browser must not reach a server on this machine through a name that its owner made point here.
        """
        if request.method != "POST":
            headers = {"Allow": "POST"}
            return failure(
                request, 405, "MCP is spoken by POST here; there is no stream to GET.", "method-not-allowed", headers
            )
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        own = self._own_hosts()
        if own is not None and _name(host) not in own:
            return failure(request, 421, "This server does not go by that name; see public_url.", "misdirected")
        if origin is not None and not self._is_own_origin(origin):
            return failure(
                request, 403, "Pages of that origin may not use this server; see allowed_origins.", "forbidden"
            )
        return None

    def _own_hosts(self) -> frozenset[str] | None:
        """Names that the server goes by; None when it cannot know them (it listens to others, under whatever name they use)."""
        public = urlsplit(self._settings.public_url or "").hostname
        if public is None and not self._is_local():
            return None
        return frozenset({*_LOOPBACK, self._settings.host, *([public] if public else [])})

    def _is_own_origin(self, origin: str) -> bool:
        public = self._settings.public_url
        allowed = {*self._settings.allowed_origins, *([_origin_of(public)] if public else [])}
        return origin in allowed or (
            self._is_local() and urlsplit(origin).hostname in {"localhost", "127.0.0.1", "::1"}
        )

    def _is_local(self) -> bool:
        return self._settings.host.startswith(("127.", "::1", "localhost"))

    async def _by_key(self, request: Request) -> Seat:
        """The seat of a key, or of a token of the OAuth authority."""
        secret = secret_of(request.headers) or ""
        if self._authority is not None and self._authority.issued(secret):
            principal, until = await self._by_token(self._authority, request, secret)
        else:
            principal, until = self._admitted(request), None
        words = [word for word in request.query_params.get("tools", "").split(",") if word]
        offered = select(words, partial(inventory.tools, self._app)) if words else EVERYDAY
        tools = [tool for tool in offered if principal.may(_NEEDED[tool.method])]
        if until is not None:
            self._require_scope(request, [tool for tool in offered if tool not in tools])
        return Seat(self._server(request, principal, tools), until)

    def _admitted(self, request: Request) -> Principal:
        return self._limits.admit(
            request, partial(self._keys.recognise, connector=CONNECTOR), secret_of(request.headers)
        )

    async def _by_token(self, authority: Authority, request: Request, token: str) -> tuple[Principal, datetime]:
        """Who asks with a token; counted like who asks with a key. The authority is asked beside, for it may be slow."""
        try:
            principal, until = await anyio.to_thread.run_sync(authority.recognise, token)
        except AuthenticationError as error:
            self._limits.admit(request, partial(_raise, error), token)
            raise
        return self._limits.admit(request, lambda _: principal, token), until

    def _require_scope(self, request: Request, beyond: list[Tool]) -> None:
        """Refuse a call of a tool that a token of more scope could call, so that the client knows to ask for one.

        Raises:
            ForbiddenError: It is one.
        """
        wanted = request.headers.get("mcp-name")
        for tool in beyond:
            if tool.name == wanted:
                raise ForbiddenError(f"{tool.name} takes the scope {_SCOPES[tool.method]}.")

    async def _by_link(self, request: Request) -> Seat:
        """The seat of a managed link: its tools and nothing else."""
        link = self._links.recognise(request.path_params["token"])
        if link.require_api_token_auth:
            principal = self._admitted(request)
            if link.project != principal.project and not principal.may("ADMIN"):
                raise ForbiddenError("This link belongs to another project than the key.")
        self._limits.count_link(link)
        return Seat(
            self._server(request, link.principal(), self._tools_of(link), tools_only=True), link.expires_at, True
        )

    def _tools_of(self, link: Link) -> list[Tool]:
        offered = EVERYDAY if not link.tags and "custom" not in link.methods else self._everything()
        return [
            tool
            for tool in offered
            if tool.method in link.methods and (not link.tags or set(tool.tags) & set(link.tags))
        ]

    def _everything(self) -> tuple[Tool, ...]:
        return (*EVERYDAY, *inventory.tools(self._app))

    def _server(self, request: Request, principal: Principal, tools: list[Tool], *, tools_only: bool = False) -> Server:
        request.scope["kept.principal"] = principal
        access = ProjectAccess(self._platform, principal, request.scope.get("kept.request_id"))
        backend = LocalBackend(access)
        return Server(tools, lambda: backend, tools_only=tools_only)

    # --- what is told besides ---

    def challenge(self, request: Request, error: AuthenticationError) -> Json:
        """The answer to who shows no key or token that is known."""
        challenge = "Bearer"
        if self._authority is not None:
            challenge += f" {self._pointers(request, SCOPES[:2])}"
        return failure(request, 401, str(error), error.code, {"WWW-Authenticate": challenge})

    def too_little(self, request: Request, error: ForbiddenError) -> Json:
        """The answer to who may not do that; a token's holder is told which scopes there are."""
        if self._authority is None or not self._authority.issued(secret_of(request.headers) or ""):
            return failure(request, 403, str(error), error.code)
        challenge = f'Bearer error="insufficient_scope", {self._pointers(request, SCOPES)}'
        return failure(request, 403, str(error), error.code, {"WWW-Authenticate": challenge})

    def _pointers(self, request: Request, scopes: Sequence[str]) -> str:
        return f'resource_metadata="{base_of(request)}{METADATA}{PATH}", scope="{" ".join(scopes)}"'

    async def _metadata(self, request: Request) -> Json:
        """RFC 9728: which authority issues tokens for this server."""
        issuers = {"authorization_servers": [self._authority.issuer]} if self._authority is not None else {}
        return Json(
            {
                "resource": f"{base_of(request)}{PATH}",
                **issuers,
                "scopes_supported": list(SCOPES),
                "bearer_methods_supported": ["header"],
                "resource_name": "Kept",
            }
        )


class _Endpoint:
    """Lets a request in, or says why not."""

    def __init__(self, door: McpDoor, admit: Callable[[Request], Awaitable[Seat]]) -> None:
        self._door = door
        self._admit = admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        request = Request(scope, receive)
        refused = self._door.refusal(request)
        if refused is None:
            try:
                seat = await self._admit(request)
            except AuthenticationError as error:
                refused = self._door.challenge(request, error)
            except ForbiddenError as error:
                refused = self._door.too_little(request, error)
        if refused is not None:
            await refused(scope, receive, send)
            return
        await self._door.answer(seat, scope, receive, send)


def _open_transport(settings: Settings) -> Transport:
    from kept.rest.mcp_transport import Transport

    return Transport(max_body_bytes=settings.max_body_bytes)


def _raise(error: Exception, _: str | None) -> Principal:
    raise error


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    return host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
