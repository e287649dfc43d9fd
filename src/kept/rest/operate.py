"""What tells how the server is: alive, ready, and its measurements for Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from ipaddress import ip_address
from typing import Any, Final

from anyio import to_thread
from fastapi import APIRouter, Request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.responses import Response

from kept.engine import webhooks
from kept.engine.platform import Platform
from kept.engine.worker import LaneStatus, Worker, oldest_wait_s
from kept.errors import ForbiddenError, StoreError
from kept.rest.answers import Json
from kept.rest.asking import principal_of

router = APIRouter(tags=["operation"], default_response_class=Json)

CHECK_S: Final = 5.0
"""How long the store may take to let itself be read and written; probes usually wait between one and ten seconds."""
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds. A search takes some milliseconds, a write some tens of them."""


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", summary="Whether the server is alive")
async def healthz() -> Json:
    """It answers; nothing is looked at. No key is needed."""
    return Json({"status": "ok"})


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", summary="Whether the server can do its work")
async def readyz(request: Request) -> Json:
    """The log can be read and written and every lane of the worker runs; how far behind each is. No key is needed."""
    looks: Looks = request.app.state.looks
    state = await looks.look()
    return Json(state, status_code=503 if state["reasons"] else 200)


@router.get("/metrics", summary="Measurements", response_class=Response)
async def metrics(request: Request) -> Response:
    """In Prometheus's text form. From this machine without a key, from others with an administrator's."""
    if not _is_local(request) and not principal_of(request).may("ADMIN"):
        raise ForbiddenError("Measurements are for administrators' keys, and for this machine.")
    measured: Metrics = request.app.state.metrics
    return Response(await to_thread.run_sync(measured.text), media_type=CONTENT_TYPE_LATEST)


class Looks:
    """Looks at the store, once for all who ask at the same time: one look waits for a held store, however many ask without a key."""

    def __init__(self, platform: Platform, worker: Worker) -> None:
        self._state = partial(state_of, platform, worker)
        self._under_way: asyncio.Task[dict[str, Any]] | None = None

    async def look(self) -> dict[str, Any]:
        """The state of now, or that it could not be told in time."""
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.create_task(to_thread.run_sync(self._state, abandon_on_cancel=True))
        try:
            return await asyncio.wait_for(asyncio.shield(self._under_way), CHECK_S)
        except TimeoutError:
            return _state([f"The store did not answer within {CHECK_S:g} s."])


def state_of(platform: Platform, worker: Worker) -> dict[str, Any]:
    """The answer of `/readyz`: with reasons when the server is not ready."""
    log: dict[str, Any] = {"readable": False, "writable": False, "head": None}
    try:
        log |= {"head": platform.service.head(), "readable": True}
        platform.registry.remove("probe", "readyz")  # of nothing: only a writable store lets it begin
        log["writable"] = True
        lanes = worker.status()
        lags = {"webhooks": webhooks.lag(platform), "graph": platform.service.graph_lag}
    except StoreError as error:
        return _state([f"The store cannot be used ({error.code})."], log=log)
    now = platform.clock()
    return _state(
        [f"The worker's lane {lane.name} does not run." for lane in lanes if not lane.alive],
        lanes={
            lane.name: {
                "alive": lane.alive,
                "waiting": lane.backlog.waiting,
                "oldest_wait_s": round(oldest_wait_s(lane, now), 3),
            }
            for lane in lanes
        },
        log=log,
        projections={name: {"lag": lag} for name, lag in lags.items()},
    )


def _state(reasons: list[str], **more: Any) -> dict[str, Any]:
    return {"status": "not ready" if reasons else "ready", "reasons": reasons, **more}


def _is_local(request: Request) -> bool:
    """Whether the client is on this machine, as far as proxies that say whom they speak for let it be known."""
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False


class Metrics:
    """The measurements of one app, in a registry of its own."""

    def __init__(self, platform: Platform, worker: Worker) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._requests = Counter(
            "kept_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "kept_request_seconds", "Time to answer.", ["route"], buckets=_BUCKETS, registry=self._registry
        )
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        ProcessCollector(registry=self._registry)
        self._registry.register(_Stored(platform, worker))

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        answered = method, route, status
        if answered not in self._known:
            self._known[answered] = self._requests.labels(*answered), self._seconds.labels(route)
        requests, lasted = self._known[answered]
        requests.inc()
        lasted.observe(seconds)

    def text(self) -> bytes:
        """All measurements of now."""
        return generate_latest(self._registry)


class _Stored(Collector):
    """What the store and the worker say when they are asked."""

    def __init__(self, platform: Platform, worker: Worker) -> None:
        self._platform = platform
        self._worker = worker

    def collect(self) -> Iterable[GaugeMetricFamily | CounterMetricFamily]:
        """What this process knows; and what the store knows, unless it cannot be read."""
        trail = self._platform.trail
        actions = CounterMetricFamily("kept_actions", "What callers did.", labels=["action", "outcome"])
        for (action, outcome), count in sorted(trail.counts.copy().items()):
            actions.add_metric([action, outcome], count)
        yield actions
        yield _gauge(
            "kept_resident_bytes", "Memory held by resident partitions.", self._platform.service.resident_bytes
        )
        yield _gauge("kept_audit_waiting", "Audit entries not written yet.", trail.waiting)
        yield CounterMetricFamily("kept_audit_lost", "Audit entries that could not be kept.", trail.lost)
        yield from self._of_models()
        try:
            yield from self._of_store()
        except StoreError:
            yield _gauge("kept_store_up", "Whether the store could be read.", 0)
        else:
            yield _gauge("kept_store_up", "Whether the store could be read.", 1)

    def _of_models(self) -> list[CounterMetricFamily]:
        models, labels = self._platform.models, ["task", "model", "outcome"]
        calls = CounterMetricFamily(
            "kept_model_calls", "Calls of models, embedders at a provider included.", labels=labels
        )
        read = CounterMetricFamily("kept_model_input_tokens", "Tokens that they read.", labels=labels)
        written = CounterMetricFamily("kept_model_output_tokens", "Tokens that they wrote.", labels=labels)
        micros = CounterMetricFamily("kept_model_microdollars", "Micro-dollars, where a price is known.", labels=labels)
        for ended, spent in sorted(models.tallies.items()):
            calls.add_metric(ended, spent.calls)
            read.add_metric(ended, spent.usage.input_tokens)
            written.add_metric(ended, spent.usage.output_tokens)
            micros.add_metric(ended, spent.micros)
        reached = CounterMetricFamily("kept_model_limits_reached", "Calls that a limit refused.", labels=["limit"])
        for limit, count in sorted(models.refusals.items()):
            reached.add_metric([limit], count)
        return [calls, read, written, micros, reached]

    def _of_store(self) -> list[GaugeMetricFamily]:
        found = self._platform.service.statistics()
        memories = GaugeMetricFamily("kept_memories", "Memories stored.", labels=["state"])
        for state, count in found.memories.items():
            memories.add_metric([state], count)
        return [
            memories,
            _gauge("kept_store_bytes", "Size of the store.", found.size_bytes),
            _gauge("kept_log_position", "Revisions in the log.", found.head),
            _gauge("kept_webhooks_lag", "Changes that webhooks are still to be told of.", webhooks.lag(self._platform)),
            _gauge("kept_graph_lag", "Memories that the graph is still to follow.", self._platform.service.graph_lag),
            *self._of_lanes(self._worker.status()),
        ]

    def _of_lanes(self, lanes: list[LaneStatus]) -> list[GaugeMetricFamily]:
        now = self._platform.clock()
        alive = GaugeMetricFamily("kept_lane_alive", "Whether the worker's lane runs.", labels=["lane"])
        waiting = GaugeMetricFamily("kept_backlog_jobs", "Jobs not done yet.", labels=["lane"])
        oldest = GaugeMetricFamily("kept_backlog_oldest_seconds", "Wait of the oldest due job.", labels=["lane"])
        for lane in lanes:
            alive.add_metric([lane.name], lane.alive)
            waiting.add_metric([lane.name], lane.backlog.waiting)
            oldest.add_metric([lane.name], oldest_wait_s(lane, now))
        return [alive, waiting, oldest]


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, value=value)
