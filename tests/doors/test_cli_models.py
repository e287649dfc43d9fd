"""`kept models`: which language model does what, where its key comes from, and whether it answers."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from kept.cli.app import cli
from kept.engine.service import Service
from kept.testing.providers import Answer, Failure, ScriptedProvider

READY = Answer({"ready": True}, input_tokens=60, output_tokens=10)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a command with these words and variables, in a store of the test's own."""
    monkeypatch.setenv("KEPT_DATABASE", str(tmp_path / "kept.db"))
    monkeypatch.setenv("KEPT_CONFIG", str(tmp_path / "kept.toml"))
    return lambda *words, command="models", **variables: CliRunner().invoke(cli, [command, *words], env=variables)


def document(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)["models"]


def test_without_a_model_it_says_what_to_set(run):
    """Rules do the work; the exit code is 0."""
    result = run()
    assert result.exit_code == 0
    assert "KEPT_LLM" in result.stderr
    assert document(run("--json")) == []


def test_each_model_is_shown_with_its_tasks_its_key_and_its_price(run):
    """The key by the name of its variable alone."""
    result = run(KEPT_LLM="openai:gpt-5-mini", KEPT_LLM_SUMMARY="ollama:qwen3", OPENAI_API_KEY="sk-hidden")
    assert result.exit_code == 0
    for shown in ("openai:gpt-5-mini", "ollama:qwen3", "OPENAI_API_KEY", "0.25 USD", "none is needed", "nothing"):
        assert shown in result.stdout
    assert "hidden" not in result.output


def test_a_program_gets_the_same(run):
    """Prices in micro-dollars for a million tokens; null where none is known."""
    (shown,) = document(run("--json", KEPT_LLM_EXTRACTION="openai:my-own", KEPT_LLM_BASE_URL="http://127.0.0.1:9/v1"))
    assert shown == {
        "model": "openai:my-own",
        "tasks": ["extraction"],
        "key": "none is sent",
        "problem": "",
        "address": "http://127.0.0.1:9/v1",
        "input_price": None,
        "output_price": None,
        "tried": None,
    }


def test_a_key_that_is_missing_is_said_with_what_to_set(run):
    """And is no reason to fail: nothing was asked."""
    result = run(KEPT_LLM="anthropic:claude-haiku-4-5")
    assert result.exit_code == 0
    assert "set KEPT_ANTHROPIC_TOKEN or ANTHROPIC_API_KEY" in result.stdout


def test_the_use_of_another_programs_sign_in_comes_with_a_word_on_its_terms(run, tmp_path):
    """They are the user's to know."""
    variables = {"KEPT_CLAUDE_CODE_SIGN_IN": "true", "CLAUDE_CONFIG_DIR": str(tmp_path)}
    (tmp_path / ".credentials.json").write_text(json.dumps({"claudeAiOauth": {"accessToken": "sk-ant-oat-hidden"}}))
    result = run(KEPT_LLM="anthropic:claude-haiku-4-5", **variables)
    assert "Anthropic's terms" in result.stderr
    assert "hidden" not in result.output


@pytest.mark.usefixtures("scripted_models")
def test_each_model_is_asked_once_when_that_is_wanted(run):
    """What came is told, with its cost, which is in the ledger."""
    with ScriptedProvider(lambda _: READY) as provider:
        variables = {
            "KEPT_LLM": "openai-chat:gpt-5-mini",
            "OPENAI_API_KEY": "sk",
            "OPENAI_BASE_URL": f"{provider.url}/v1",
        }
        (shown,) = document(run("--try", "--json", **variables))
        assert "answered in" in run("--try", **variables).stdout
    assert len(provider.requests) == 2
    tried = shown["tried"]
    assert (tried["input_tokens"], tried["output_tokens"], tried["micros"]) == (60, 10, 35)
    spent = run("--json", command="spend", **variables)
    assert json.loads(spent.stdout)["total"]["calls"] == 2


@pytest.mark.usefixtures("scripted_models")
def test_a_model_that_does_not_answer_is_said_and_is_the_exit_code(run):
    """The others are asked all the same."""
    with ScriptedProvider([Failure(529), READY]) as provider:
        result = run(
            "--try",
            KEPT_LLM="openai-chat:gpt-5-mini",
            KEPT_LLM_SUMMARY="openai-chat:gpt-5-nano",
            OPENAI_API_KEY="sk",
            OPENAI_BASE_URL=f"{provider.url}/v1",
        )
    assert result.exit_code == 1
    assert "is not available" in result.stdout
    assert "answered in" in result.stdout
    assert len(provider.requests) == 2


@pytest.mark.parametrize(
    ("variables", "status", "said"),
    [
        ({}, "ok", "rules do all the work"),
        ({"KEPT_LLM": "ollama:qwen3"}, "ok", "ollama:qwen3"),
        ({"KEPT_LLM": "openai:gpt-5"}, "warn", "set OPENAI_API_KEY or KEPT_LLM_API_KEY"),
        ({"KEPT_LLM": "nobody:gpt-5"}, "FAIL", "llm is 'nobody:gpt-5', of an unknown provider"),
        (
            {"KEPT_LLM": "typesafe:jev"},
            "FAIL",
            "typesafe:jev', of a provider that Kept does not ask: its models decide",
        ),
        ({"KEPT_LLM": "gateway/openai:gpt-5"}, "FAIL", "name its model as openai-chat:MODEL"),
        ({"KEPT_LLM_SUMMARY": "gpt-5"}, "FAIL", "llm_summary is 'gpt-5', of an unknown provider"),
    ],
)
def test_the_doctor_sees_models_and_asks_none(run, variables, status, said):
    """A key that is missing is a warning: what is added is kept all the same."""
    checks = json.loads(run("--json", command="doctor", **variables).stdout)["checks"]
    (check,) = [check for check in checks if check["name"] == "models"]
    assert check["status"] == status
    assert said in check["detail"] + check["advice"]


@pytest.mark.parametrize("variables", [{"KEPT_LLM": "nobody:gpt-5"}, {"KEPT_LLM": "openai:gpt-5"}])
def test_a_store_is_not_at_fault_for_a_model(run, variables):
    """The round trip takes none."""
    checks = json.loads(run("--json", command="doctor", **variables).stdout)["checks"]
    assert [check["status"] for check in checks if check["name"] == "round trip"] == ["ok"]


@pytest.mark.usefixtures("scripted_models")
def test_a_server_of_ones_own_asks_for_its_own_key(run):
    """The provider's is never shown to it, so setting that would be of no use."""
    with ScriptedProvider([Failure(401)]) as provider:
        result = run("--try", KEPT_LLM="openai-chat:my-model", KEPT_LLM_BASE_URL=f"{provider.url}/v1")
    assert "set KEPT_LLM_API_KEY." in result.stdout
    assert "OPENAI_API_KEY" not in result.stdout


@pytest.mark.usefixtures("scripted_models")
def test_what_waits_after_a_refused_key_is_read_when_somebody_asks_for_it(run):
    """Nobody waits an hour for the next try after setting it right."""
    fact = Answer({"f": [{"t": "The user lives in Rome.", "s": [1], "k": "profile", "c": 0.9}]})
    with ScriptedProvider([Failure(401), fact]) as provider:
        server = {"KEPT_LLM": "openai-chat:my-model", "KEPT_LLM_BASE_URL": f"{provider.url}/v1"}
        assert "Not read by the language model yet" in run("I live in Rome.", command="add", **server).stderr
        assert run(command="understand", **server).stdout.startswith("1 part read: 1 new fact.\n")
        assert run(command="understand", **server).output == "There is nothing to read.\n"


@pytest.mark.usefixtures("scripted_models")
@pytest.mark.parametrize(("model", "usd"), [("gpt-5-mini", 35e-6), ("my-model", None)])
def test_a_program_is_told_what_reading_cost_in_numbers(run, model, usd):
    """Null where no price is known."""
    read = Answer({"f": []}, input_tokens=60, output_tokens=10)
    with ScriptedProvider([Failure(401), read]) as provider:
        server = {"KEPT_LLM": f"openai-chat:{model}", "KEPT_LLM_BASE_URL": f"{provider.url}/v1"}
        run("I live in Rome.", command="add", **server)
        found = json.loads(run("--json", command="understand", **server).stdout)
    assert found["spent"] == {"tokens": 70, "usd": usd}
    assert (found["parts"], found["retried"]) == (1, 0)


@pytest.mark.usefixtures("scripted_models")
def test_where_nobody_listens_is_said_in_words(run):
    with ScriptedProvider([]) as provider:
        nowhere = f"{provider.url}/v1"
    result = run("--try", KEPT_LLM="openai-chat:my-model", KEPT_LLM_BASE_URL=nowhere)
    assert "is not available (no connection)." in result.stdout


def test_an_import_for_a_model_that_is_not_there_stores_nothing(run, tmp_path):
    """What is imported is put before a model then or never."""
    notes = tmp_path / "notes.md"
    notes.write_text("# Home\n\nMira lives in Porto.\n", encoding="utf-8")
    result = run("--understand", str(notes), command="import")
    assert result.exit_code == 1
    assert "No language model is configured" in result.stderr
    assert run(command="list").stdout == ""


def test_what_was_stored_is_shown_before_the_model_is_waited_for(run, monkeypatch):
    """So that somebody who waits no longer knows its id."""

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Service, "understand", interrupt)
    result = run("I live in Rome.", command="add")
    assert result.exit_code == 130
    assert result.stdout.startswith("added  ")


@pytest.fixture
def without_the_extra(monkeypatch):
    """As where `kept[llm]` is not installed."""
    monkeypatch.setattr("kept.adapters.models.connection.find_spec", lambda _: None)


@pytest.mark.usefixtures("without_the_extra")
@pytest.mark.parametrize("command", [("list",), ("search", "x"), ("stats",), ("keys", "list"), ("undo", "--list")])
def test_what_asks_no_model_needs_none_that_can_be_opened(command, run):
    done = run(*command[1:], command=command[0], KEPT_LLM="openai:gpt-5-mini")
    assert done.exit_code in {0, 3}
    assert "kept[llm]" not in done.output


@pytest.mark.usefixtures("without_the_extra")
def test_an_add_is_stored_and_says_why_no_model_read_it(run):
    done = run("Releases go out on Tuesdays.", command="add", KEPT_LLM="openai:gpt-5-mini")
    assert "added" in done.stdout
    assert "kept[llm]" in done.stderr


@pytest.mark.usefixtures("without_the_extra")
def test_a_server_does_not_start_with_a_model_that_cannot_be_opened(run):
    done = run("--port", "0", command="serve", KEPT_LLM="openai:gpt-5-mini")
    assert done.exit_code == 1
    assert "kept[llm]" in done.stderr
