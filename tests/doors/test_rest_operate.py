"""What tells how the server is: alive, ready, its measurements; and the ids by which its log knows requests."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

ELSEWHERE = "203.0.113.9"
"""An address for documentation (RFC 5737)."""


def measured(api, key: str | None = None, **more) -> dict[tuple[str, ...], float]:
    """Every measurement, by its name and the values of its labels."""
    answer = api.ask("GET", "/metrics", key=key, **more)
    assert answer.status_code == 200, answer.text
    families = text_string_to_metric_families(answer.text)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def working(make_api):
    """A server whose worker runs."""
    api = make_api()
    api.app.state.worker.start()
    yield api
    api.app.state.worker.stop()


def test_being_alive_is_told_to_anyone(api):
    answer = api.ask("GET", "/healthz", host=ELSEWHERE)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_readiness_names_each_lane_and_how_far_behind_it_is(working):
    answer = working.ask("GET", "/readyz", host=ELSEWHERE)
    assert answer.status_code == 200
    state = answer.json()
    assert (state["status"], state["reasons"]) == ("ready", [])
    assert {"writes", "making", "webhooks", "graph", "upkeep", "deliveries"} <= set(state["lanes"])
    assert all(lane["alive"] for lane in state["lanes"].values())
    assert state["projections"] == {"webhooks": {"lag": 0}, "graph": {"lag": 0}}
    assert state["log"] == {"readable": True, "writable": True, "head": working.platform.service.head()}


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_may_ask_for_the_head_alone(working, path):
    answer = working.ask("HEAD", path, host=ELSEWHERE)
    assert (answer.status_code, answer.text) == (200, "")


def test_a_server_whose_worker_rests_is_not_ready_and_says_so(api):
    answer = api.ask("GET", "/readyz")
    assert answer.status_code == 503
    assert "The worker's lane writes does not run." in answer.json()["reasons"]


def test_a_server_whose_store_is_held_by_others_is_not_ready(make_api, tmp_path):
    api = make_api(busy_timeout_s=0.05)
    other = sqlite3.connect(tmp_path / "kept-0.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        answer = api.ask("GET", "/readyz")
    finally:
        other.close()
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["The store cannot be used (store-busy)."])
    assert answer.json()["log"] == {"readable": True, "writable": False, "head": 0}


def test_many_who_ask_whether_a_held_store_is_ready_take_one_thread(make_api, tmp_path):
    api = make_api(busy_timeout_s=1)
    other = sqlite3.connect(tmp_path / "kept-0.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    api.ask("GET", "/healthz")
    before = threading.active_count()
    with ThreadPoolExecutor(10) as pool:
        answers = [pool.submit(api.ask, "GET", "/readyz") for _ in range(10)]
        wait_for(lambda: threading.active_count() > before + 10)
        most = threading.active_count()
        assert {answer.result().status_code for answer in answers} == {503}
    other.close()
    assert most <= before + 10 + 1


def test_what_waits_is_counted_until_it_is_done(make_api):
    api = make_api()
    tenant = api.make_project()
    api.answer("POST", "/v3/memories/add/", tenant.key, json={"messages": "I like tea.", "user_id": "alice"})
    wait_for(lambda: measured(api)["kept_backlog_oldest_seconds", "writes"] > 0)
    waiting = measured(api)
    assert (waiting["kept_backlog_jobs", "writes"], waiting.get(("kept_memories", "active"))) == (1, None)
    api.work()
    done = measured(api)
    assert (done["kept_backlog_jobs", "writes"], done["kept_memories", "active"]) == (0, 1)


def test_requests_are_counted_by_route_and_timed(make_api):
    api = make_api()
    tenant = api.make_project()
    before = measured(api)
    for name in ("one", "two"):
        api.get(f"/v1/stats/?name={name}", tenant.key)
    api.ask("GET", "/v1/stats/")
    api.ask("GET", "/no/such/route/one")
    api.ask("GET", "/no/such/route/two")
    after = measured(api)
    assert after["kept_requests_total", "GET", "/v1/stats/", "200"] == 2
    assert after["kept_requests_total", "GET", "/v1/stats/", "401"] == 1
    assert after["kept_requests_total", "GET", "unmatched", "404"] == 2
    assert after["kept_request_seconds_count", "/v1/stats/"] == 3
    assert ("kept_requests_total", "GET", "/v1/stats/", "200") not in before


def test_searches_and_the_audit_are_measured(make_api):
    api = make_api()
    tenant = api.make_project()
    tenant.say("I like tea.")
    asked = {"query": "tea", "filters": {"user_id": "alice"}}
    api.answer("POST", "/v3/memories/search/", tenant.key, json=asked)
    found = measured(api)
    assert found["kept_actions_total", "memory.search", "ok"] == 1
    assert found["kept_audit_lost_total",] == 0
    assert found["kept_resident_bytes",] > 0
    assert found["kept_store_bytes",] > 0
    assert found["kept_store_up",] == 1


def test_measurements_of_one_app_are_not_those_of_another(make_api):
    one, other = make_api(), make_api()
    one.ask("GET", "/healthz")
    assert ("kept_requests_total", "GET", "/healthz", "200") not in measured(other)


def test_measurements_are_for_this_machine_and_for_administrators(api, tenant):
    assert api.ask("GET", "/metrics", host="127.0.0.1").status_code == 200
    assert api.ask("GET", "/metrics", host="::1").status_code == 200
    assert api.ask("GET", "/metrics", host=ELSEWHERE).status_code == 401
    assert api.ask("GET", "/metrics", host=ELSEWHERE, key=tenant.key).status_code == 403
    assert measured(api, api.admin, host=ELSEWHERE)


def test_measurements_carry_nothing_of_what_is_remembered_or_asked(api, tenant):
    tenant.say("The canary sings.", user_id="canary-user")
    api.ask("GET", "/v1/memories/canary-id/", key=tenant.key)
    api.ask("GET", "/canary-path", key="canary-key")
    assert "canary" not in api.ask("GET", "/metrics").text


@pytest.mark.parametrize("given", ["a-request_7", "x" * 64])
def test_a_request_keeps_the_id_that_its_caller_gave_it(api, given):
    answer = api.ask("GET", "/v1/ping/", headers={"X-Request-ID": given})
    assert (answer.headers["x-request-id"], answer.json()["request_id"]) == (given, given)


@pytest.mark.parametrize("given", ["two words", 'a"b', "x" * 65, "{}", "a;b"])
def test_an_id_that_could_break_a_log_line_is_replaced(api, given):
    answer = api.ask("GET", "/v1/ping/", headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] != given
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


def test_every_request_has_one_line_in_the_log_with_its_route_and_not_its_path(api, tenant, caplog):
    caplog.set_level("INFO", logger="kept.rest")
    api.ask("GET", "/v1/memories/canary/", key=tenant.key, headers={"X-Request-ID": "known"})
    lines = [record.kept for record in caplog.records if record.getMessage() == "request"]
    assert [(line["request_id"], line["route"], line["status"]) for line in lines] == [
        ("known", "/v1/memories/{memory_id}/", 400)
    ]
    assert "canary" not in json.dumps(lines)


def test_every_measurement_is_in_the_guide(make_api):
    guide = (Path(__file__).parents[2] / "docs" / "how-to" / "serve.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`(kept_[a-z_]+)`", guide))
    families = text_string_to_metric_families(make_api().ask("GET", "/metrics").text)
    names = {family.name for family in families if family.name.startswith("kept_")}
    assert names == {name.removesuffix("_total") for name in documented}
