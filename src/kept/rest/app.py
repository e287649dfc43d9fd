"""The app: routes, errors, limits and what runs beside them, over one platform."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from anyio import to_thread
from fastapi import FastAPI

from kept import __version__
from kept.bootstrap import build_sender, build_worker
from kept.engine.keys import Keys
from kept.engine.platform import Platform
from kept.rest import (
    audit,
    entities,
    events,
    exports,
    keys,
    memories,
    organisations,
    oss,
    profiles,
    projects,
    retention,
    webhooks,
)
from kept.rest.answers import answer_errors
from kept.rest.frontier import Frontier
from kept.rest.limits import LimitHeaders, RateLimits
from kept.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_BYTES_PER_MB = 1_000_000

DESCRIPTION = """\
The memory of AI agents. The routes are those of Mem0's platform, so that its released clients work with another `host`;
what Kept adds stands under names of its own. Every answer is JSON, every error has the shape
`{"error", "detail", "message", "code", "request_id"}`. Authenticate with `Authorization: Token KEY` (or `Bearer`), or `X-API-Key`.
"""

ROUTERS = (
    events.router,  # before memories: /v1/memories/events/ is no memory's id
    memories.router,
    entities.router,  # after memories: /v1/memories/{type}/{name}/ takes what is none of their routes
    exports.router,
    profiles.router,
    keys.router,
    organisations.router,
    projects.router,
    webhooks.router,
    retention.router,
    audit.router,
    oss.router,
)


def create_app(platform: Platform, settings: Settings) -> FastAPI:
    """The app over a platform, which it closes at its end."""
    app = FastAPI(
        title="Kept",
        version=__version__,
        description=DESCRIPTION,
        lifespan=_lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.state.platform = platform
    app.state.settings = settings
    app.state.keys = Keys(platform)
    app.state.limits = RateLimits(settings)
    app.state.sender = build_sender(settings)
    app.state.worker = build_worker(settings, platform)
    for router in ROUTERS:
        app.include_router(router)
    answer_errors(app)
    return app


def served(app: FastAPI) -> ASGIApp:
    """The app behind what every request passes first."""
    settings: Settings = app.state.settings
    limited = LimitHeaders(app, app.state.limits)
    return Frontier(limited, max_body_bytes=settings.max_body_mb * _BYTES_PER_MB)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.worker.start()
    try:
        yield
    finally:
        await to_thread.run_sync(app.state.worker.stop)
        await to_thread.run_sync(app.state.platform.close)
