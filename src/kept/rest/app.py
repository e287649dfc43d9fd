"""The app: routes, errors, limits and what runs beside them, over one platform."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from anyio import to_thread
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from kept import __version__
from kept.bootstrap import build_sender, build_worker
from kept.engine.keys import Keys
from kept.engine.platform import Platform
from kept.rest import (
    audit,
    entities,
    events,
    exports,
    graph,
    keys,
    links,
    memories,
    operate,
    organisations,
    oss,
    profiles,
    projects,
    proposals,
    retention,
    spending,
    timeline,
    webhooks,
)
from kept.rest.answers import answer_errors
from kept.rest.docs import describe, operation_id
from kept.rest.frontier import Frontier
from kept.rest.limits import LimitHeaders, RateLimits
from kept.rest.mcp import McpDoor
from kept.rest.operate import Looks, Metrics
from kept.rest.turns import Turns
from kept.rest.writes import Writes
from kept.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

WORKER_GRACE_S: Final = 4.0
"""How long it waits for jobs; what is not done then is given back, and done after the next start."""
logger = logging.getLogger("kept.rest")

DESCRIPTION = """\
The memory of AI agents. The routes are those of Mem0's platform, so that its released clients work with another `host`;
what Kept adds stands under names of its own. Every answer is JSON, every error has the shape
`{"error", "detail", "message", "code", "request_id"}`. Authenticate with `Authorization: Token KEY` (or `Bearer`), or `X-API-Key`.
"""

ROUTERS = (
    memories.direct,
    events.router,  # before memories: /v1/memories/events/ is no memory's id
    memories.router,
    timeline.router,
    entities.router,  # after memories: /v1/memories/{type}/{name}/ takes what is none of their routes
    graph.router,
    exports.router,
    profiles.router,
    keys.router,
    organisations.router,
    projects.router,
    webhooks.router,
    retention.router,
    audit.router,
    spending.router,
    proposals.router,
    operate.router,
    links.router,
    oss.router,
)


def create_app(platform: Platform, settings: Settings, limits: RateLimits | None = None) -> FastAPI:
    """The app over a platform, which it closes at its end.

    Args:
        platform: What it serves.
        settings: How.
        limits: Those that it shares with other processes; otherwise its own.
    """
    app = FastAPIOffline(
        title="Kept",
        version=__version__,
        description=DESCRIPTION,
        lifespan=_lifespan,
        redirect_slashes=False,
        docs_url="/docs",
        redoc_url=None,
        openapi_url="/openapi.json",
        swagger_ui_parameters={"validatorUrl": None},  # which would send the description to a web site
        generate_unique_id_function=operation_id,
        strict_content_type=False,  # some clients send none; a key in a header keeps strangers' web pages out
    )
    app.state.platform = platform
    app.state.settings = settings
    app.state.keys = Keys(platform)
    app.state.limits = limits or RateLimits(settings)
    app.state.turns = Turns()
    app.state.sender = build_sender(settings)
    app.state.worker = build_worker(settings, platform)
    app.state.metrics = Metrics(platform, app.state.worker)
    app.state.looks = Looks(platform, app.state.worker)
    app.state.mcp = McpDoor(app)
    for router in ROUTERS:
        app.include_router(router)
    app.router.routes.extend(app.state.mcp.routes())
    answer_errors(app)
    describe(app)
    return app


def served(app: FastAPI) -> ASGIApp:
    """The app behind what every request passes first."""
    most = app.state.settings.max_body_bytes
    return LimitHeaders(Frontier(Writes(app), max_body_bytes=most, observe=app.state.metrics.observe), app.state.limits)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.worker.start()
    logger.info("started", extra={"kept": {"version": __version__}})
    try:
        async with app.state.mcp.run():
            yield
    finally:
        await to_thread.run_sync(app.state.worker.stop, WORKER_GRACE_S)
        await to_thread.run_sync(app.state.platform.close)
        logger.info("stopped")
