"""What language models cost, over REST: of whom, by what, and how much is left."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kept import bootstrap
from kept.errors import SpendingLimitError
from kept.ports import Prompt
from kept.testing.fakes import FakePaidEmbedder
from kept.testing.models import ScriptedModel

PROMPT = Prompt(instructions="Say what it is.", content="Tea.", schema={}, max_output_tokens=50)


@pytest.fixture
def served(make_api, monkeypatch):
    """A server with a scripted model, and limits."""
    model = ScriptedModel(lambda _: {"it": "tea"}, price_per_million=2.0)
    monkeypatch.setattr(bootstrap, "build_models", lambda _: {"extraction": model, "summary": model})
    return make_api(llm_project_daily_tokens=10_000, llm_daily_usd=1.0)


@pytest.fixture
def ask(served):
    """Asks the model for a project; what it cost in tokens."""

    def ask(tenant, task="extraction", **options):
        answer = served.platform.models.ask(task, PROMPT, project=tenant.id, **options)
        return answer.usage.tokens

    return ask


def measured(api):
    """Every measurement, by its name and the values of its labels, sorted."""
    families = text_string_to_metric_families(api.ask("GET", "/metrics").text)
    return {(one.name, *sorted(one.labels.values())): one.value for family in families for one in family.samples}


def test_a_project_is_told_what_it_spent_and_nothing_of_others(served, ask):
    one, other = served.make_project("one"), served.make_project("other")
    tokens = ask(one) + ask(one, "summary")
    ask(other)
    found = served.get("/v1/spending/", one.key)
    assert found["by"] == "day"
    assert found["results"] == [{"name": found["results"][0]["name"], **found["total"]}]
    assert found["total"] == {
        "calls": 2,
        "input_tokens": tokens - found["total"]["output_tokens"],
        "output_tokens": found["total"]["output_tokens"],
        "cached_tokens": 0,
        "usd": 2 * tokens / 1_000_000,
        "unpriced": 0,
        "unsettled": 0,
        "failed": 0,
    }
    assert [row["name"] for row in served.get("/v1/spending/", one.key, by="task")["results"]] == [
        "extraction",
        "summary",
    ]
    assert [row["name"] for row in served.get("/v1/spending/", one.key, by="project")["results"]] == [one.id]
    assert served.get("/v1/spending/", one.key, by="job")["results"][0]["name"] is None


def test_a_project_is_told_what_is_left_of_its_limits(served, ask):
    """Of the whole server's only an administrator, who sees all projects."""
    tenant = served.make_project()
    served.answer("PATCH", tenant.path, tenant.key, json={"spending": {"daily_usd": 0.5}})
    tokens = ask(tenant)
    limits = {limit["name"]: limit for limit in served.get("/v1/spending/", tenant.key)["limits"]}
    assert list(limits) == ["spending.daily_usd", "llm_job_tokens", "llm_project_daily_tokens"]
    assert limits["llm_project_daily_tokens"] == {
        "name": "llm_project_daily_tokens",
        "per": "project_day",
        "tokens": 10_000,
        "usd": None,
        "left_tokens": 10_000 - tokens,
        "left_usd": None,
    }
    assert limits["spending.daily_usd"]["left_usd"] == 0.5 - 2 * tokens / 1_000_000
    assert limits["llm_job_tokens"]["left_tokens"] == limits["llm_job_tokens"]["tokens"]
    whole = served.get("/v1/spending/", served.admin, by="project")
    assert [row["name"] for row in whole["results"]] == [tenant.id]
    assert [limit["name"] for limit in whole["limits"]][-2:] == ["llm_daily_tokens", "llm_daily_usd"]


def test_it_is_narrowed_by_task_and_days(served, ask):
    tenant = served.make_project()
    ask(tenant)
    ask(tenant, "summary")
    today = served.get("/v1/spending/", tenant.key)["results"][0]["name"]

    def calls(**query):
        return served.get("/v1/spending/", tenant.key, **query)["total"]["calls"]

    assert calls(task="summary") == 1
    assert calls(start_date=today, end_date=today) == 2
    assert calls(end_date="2026-01-01") == calls(start_date="2999-01-01") == 0


@pytest.mark.parametrize("query", [{"by": "user"}, {"task": "singing"}, {"start_date": "soon"}, {"event_id": "5"}])
def test_what_cannot_be_asked_for_is_said(served, query):
    assert served.ask("GET", "/v1/spending/", key=served.admin, params=query).status_code == 400


def test_a_reader_may_see_it_and_a_bound_key_may_not(served):
    """It tells of everybody in the project."""
    tenant = served.make_project()
    assert served.ask("GET", "/v1/spending/", key=tenant.make_key(role="READER")).status_code == 200
    bound = tenant.make_key(bound={"user_id": "alice"})
    assert served.ask("GET", "/v1/spending/", key=bound).status_code == 403


def test_an_event_says_what_it_cost(served, ask):
    """One for which no model was asked says nothing."""
    tenant = served.make_project()
    said = {"messages": "I like tea", "user_id": "alice"}
    asked, silent = (served.answer("POST", "/v3/memories/add/", tenant.key, json=said)["event_id"] for _ in range(2))
    tokens = ask(tenant, job_id=asked)
    found = served.get(f"/v1/event/{asked}/", tenant.key)["spending"]
    assert (found["calls"], found["input_tokens"] + found["output_tokens"]) == (1, tokens)
    assert "spending" not in served.get(f"/v1/event/{silent}/", tenant.key)
    listed = served.get("/v1/events/", tenant.key)["results"]
    assert {event["id"]: event.get("spending") for event in listed} == {asked: found, silent: None}
    assert served.get("/v1/spending/", tenant.key, event_id=asked)["total"] == found


def test_measurements_count_calls_tokens_money_and_limits_that_were_reached(served, ask):
    tokens = ask(served.make_project())
    poor = served.make_project()
    served.answer("PATCH", poor.path, poor.key, json={"spending": {"daily_tokens": 1}})
    with pytest.raises(SpendingLimitError) as refused:
        ask(poor)
    found = measured(served)
    ended = ("answered", "extraction", "scripted:model")
    assert found["kept_model_calls_total", *ended] == 1
    read, written = (found[f"kept_model_{kind}_tokens_total", *ended] for kind in ("input", "output"))
    assert (read + written, found["kept_model_microdollars_total", *ended]) == (tokens, 2 * tokens)
    assert found["kept_model_limits_reached_total", refused.value.limit] == 1


def test_what_an_embedder_at_a_provider_costs_is_spending_too(make_api, monkeypatch):
    """By its task, of its project; of an event where it was asked for that alone; in the measurements."""
    monkeypatch.setattr(bootstrap, "build_embedder", lambda _: FakePaidEmbedder())
    api = make_api(embedder="openai:text-embedding-3-small")
    one, other = api.make_project("one"), api.make_project("other")
    said = {"messages": "I like tea", "user_id": "alice"}
    added = api.answer("POST", "/v3/memories/add/", one.key, json=said)["event_id"]
    api.work()
    for tenant in (one, other):
        api.answer("POST", "/v3/memories/search/", tenant.key, json={"query": "tea", "filters": {"user_id": "alice"}})
    (task,) = api.get("/v1/spending/", one.key, by="task", task="embedding")["results"]
    assert (task["name"], task["failed"], task["output_tokens"]) == ("embedding", 0, 0)
    assert task["usd"] == task["input_tokens"] / 1_000_000 > 0
    assert api.get("/v1/spending/", one.key, by="task", task="extraction")["results"] == []
    event = api.get(f"/v1/event/{added}/", one.key)["spending"]
    assert 0 < event["calls"] <= task["calls"]
    assert event == api.get("/v1/spending/", one.key, event_id=added)["total"]
    mine = sum(found.calls for found in api.platform.models.tallies.values())
    assert measured(api)["kept_model_calls_total", "answered", "embedding", "fake:paid"] == mine >= task["calls"]
