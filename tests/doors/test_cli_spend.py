"""`kept spend`: what language models cost, and what is left of the limits."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from kept import bootstrap
from kept.bootstrap import build_platform
from kept.cli.app import cli
from kept.errors import ModelAnswerError
from kept.ports import Prompt
from kept.settings import Settings
from kept.testing.models import ScriptedModel

PROMPT = Prompt(instructions="Say what it is.", content="Tea.", schema={}, max_output_tokens=50)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs `kept spend` in a store of the test's own, with these words and variables."""
    for name, value in (("DATABASE", tmp_path / "kept.db"), ("CONFIG", tmp_path / "kept.toml"), ("USER_ID", "ana")):
        monkeypatch.setenv(f"KEPT_{name}", str(value))

    def run(*words, **variables):
        result = CliRunner().invoke(cli, ["spend", *words], env=variables)
        assert result.exit_code == 0, result.stderr
        return result

    return run


@pytest.fixture
def ask(run, tmp_path, monkeypatch):
    """Asks a model in the same store; what it answers, or why it fails, and its price."""
    del run

    def ask(answer, *, project="default", price=1_000.0):
        model = ScriptedModel([answer], price_per_million=price)
        with monkeypatch.context() as patched:
            patched.setattr(bootstrap, "build_models", lambda _: {"extraction": model})
            platform = build_platform(Settings.load(config=tmp_path / "none.toml"))
        try:
            return platform.models.ask("extraction", PROMPT, project=project).usage
        except ModelAnswerError:
            return None
        finally:
            platform.close()

    return ask


def test_it_is_a_table_with_a_total_and_what_is_left(run, ask):
    usage = ask({"it": "tea"})
    head, day, total, _, *limits = run().stdout.splitlines()
    assert head.split() == ["day", "calls", "tokens", "in", "tokens", "out", "cached", "USD"]
    figures = ["1", str(usage.input_tokens), str(usage.output_tokens), "0", f"{usage.tokens / 1_000:.4f}"]
    assert (day.split()[1:], total.split()) == (figures, ["total", *figures])
    left = f"{2_000_000 - usage.tokens:,} tokens of 2,000,000 tokens left today for the whole store"
    assert f"llm_daily_tokens  {left}" in limits
    assert "llm_job_tokens    200,000 tokens for each job" in limits


def test_columns_stand_under_their_heads(run, ask):
    ask({"it": "tea"})
    lines = run("--by", "model").stdout.split("\n\n")[0].splitlines()
    assert len({len(line) for line in lines}) == 1


def test_json_has_the_same_in_the_shape_of_the_server(run, ask):
    usage = ask({"it": "tea"})
    found = json.loads(run("--by", "model", "--json").stdout)
    assert [row["name"] for row in found["results"]] == ["scripted:model"]
    assert found["total"]["usd"] == usage.tokens / 1_000
    assert {limit["name"] for limit in found["limits"]} == {"llm_job_tokens", "llm_daily_tokens", "llm_daily_usd"}


def test_nothing_spent_is_said_as_such(run):
    assert run("--days", "1").stdout.splitlines()[1].split() == ["total", "0", "0", "0", "0", "0.0000"]


def test_what_is_not_known_is_said_beside_the_table(run, ask):
    ask({}, price=None)
    ask(ModelAnswerError("Half.", input_tokens=1, output_tokens=1), price=0.0)
    notes = run().stderr.splitlines()
    assert notes == [
        "1 call to models without a known price: counted in tokens, not in dollars.",
        "1 call gave nothing that could be used.",
    ]


def test_by_project_all_of_them_are_shown_and_else_the_one(run, ask):
    ask({})
    ask({}, project="shop")
    assert [line.split()[0] for line in run("--by", "project").stdout.splitlines()[1:4]] == ["default", "shop", "total"]
    assert json.loads(run("--project", "shop", "--json").stdout)["total"]["calls"] == 1


def test_only_limits_that_are_set_are_shown(run):
    found = run(KEPT_LLM_DAILY_TOKENS="none", KEPT_LLM_DAILY_USD="0.5", KEPT_LLM_JOB_TOKENS="none").stdout
    assert "0.5000 USD of 0.5000 USD left today for the whole store" in found
    assert "tokens of" not in found
