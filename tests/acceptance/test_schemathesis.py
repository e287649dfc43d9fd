"""Requests made up from the description, sound ones and broken ones: none brings the server down, all are answered as described."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.types import ASGIApp, Receive, Scope, Send

from kept.bootstrap import build_platform
from kept.engine.keys import Keys
from kept.rest.app import create_app, served
from kept.settings import Settings

EXAMPLES = settings.default.max_examples // 25
"""Of each operation, sound and broken ones each: what all of them together can take within a minute."""
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ERROR = {"error", "detail", "message", "code", "request_id"}


class Requests:
    """The app, whose life is the fixture's: the client that schemathesis makes for each description would end it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._app(scope, receive, send)
            return
        for stage in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{stage}.complete"})


@pytest.fixture(scope="module")
def served_app(tmp_path_factory) -> Iterator[tuple]:
    """A server's app with its worker, and an administrator's key."""
    folder = tmp_path_factory.mktemp("schemathesis")
    settings_ = Settings.load(environ={}, config=folder / "none.toml", database=str(folder / "kept.db"))
    platform = build_platform(settings_)
    app = create_app(platform, settings_)
    app.state.worker.start()
    yield Requests(served(app)), Keys(platform).make(name="admin", role="ADMIN", project=None)[1]
    app.state.worker.stop()
    platform.close()


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_made_up_request_is_answered_as_described(served_app, mode):
    app, key = served_app
    for found in schemathesis.openapi.from_asgi("/openapi.json", app).get_all_operations():
        hold_to_description(found.ok().as_strategy(generation_mode=mode), key)


def hold_to_description(requests, key: str) -> None:
    """Send requests to one operation, and look at what comes back."""

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(requests)
    def is_answered_as_described(case):
        answer = case.call(headers={"Authorization": f"Token {key}"})
        case.validate_response(answer, checks=CHECKS)
        assert answer.content
        if answer.status_code >= 400 and isinstance(answer.json(), dict):
            assert set(answer.json()) == ERROR

    with suppress(Unsatisfiable):  # of a request that nothing in could be wrong, no broken one can be made
        is_answered_as_described()
