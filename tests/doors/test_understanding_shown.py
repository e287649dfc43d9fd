"""What a language model did with what was said, as each door tells it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from kept import Memory, bootstrap
from kept.cli.app import cli
from kept.domain.access import Principal
from kept.engine.access import ProjectAccess
from kept.errors import ConfigurationError, InvalidInputError
from kept.mcp.call import Call
from kept.mcp.local import LocalBackend
from kept.mcp.tools import EVERYDAY
from kept.testing.models import ScriptedModel

HOME = {"t": "Ana lives in Berlin.", "s": [1], "k": "profile", "c": 0.9}
MOVED = {"t": "Ana lives in Hamburg.", "s": [1], "k": "profile", "c": 0.9, "contradicts": ["m1"]}


def ana(text):
    """A message of hers."""
    return [{"role": "user", "name": "Ana", "content": text}]


@pytest.fixture
def script(monkeypatch):
    """Gives the doors a language model that answers so, one reading after the other."""

    def script(*answers, tasks=("extraction",)):
        model = ScriptedModel([one if isinstance(one, Exception) else {"f": one} for one in answers])
        monkeypatch.setattr(bootstrap, "build_models", lambda _: dict.fromkeys(tasks, model))
        monkeypatch.setenv("KEPT_LLM", "openai:gpt-5-mini")  # who reads at all; what it says is the script's
        return model

    return script


@pytest.fixture
def run(store_path, monkeypatch):
    """Runs a command line in the store of `Memory(store_path)`, as ana."""
    monkeypatch.setenv("KEPT_DATABASE", str(store_path))
    monkeypatch.setenv("KEPT_CONFIG", str(store_path.with_name("kept.toml")))
    monkeypatch.setenv("KEPT_USER_ID", "ana")
    return lambda *words, **more: CliRunner().invoke(cli, list(words), **more)


@pytest.fixture
def document(run):
    """Runs a command line with --json: what it prints."""
    return lambda *words: json.loads(run(*words, "--json").stdout)


# --- why ---


@pytest.fixture
def moved(script, store_path):
    """Ids of a fact that a model closed, and of the one that took its place."""
    script([HOME], [MOVED])
    with Memory(store_path) as memory:
        old = memory.add(ana("I live in Berlin."), user_id="ana")["results"][-1]["id"]
        return old, memory.add(ana("I live in Hamburg now."), user_id="ana")["results"][1]["id"]


def test_the_history_tells_why_a_fact_closed_another(moved, store_path):
    """Who proposed it, and on what grounds; ids, no text."""
    old, new = moved
    with Memory(store_path) as memory:
        why = memory.history(new)[0]["why"]
    assert why["by"] == "scripted:model"
    assert ("contradicts", old) in {(one["verdict"], one["memory_id"]) for one in why["supersedes"]}


def test_what_somebody_asked_for_has_no_why(store_path):
    with Memory(store_path) as memory:
        [step] = memory.history(memory.add("I live in Rome.", user_id="ana")["results"][0]["id"])
    assert step["why"] is None


def test_the_command_tells_why(moved, run, document):
    old, new = moved
    assert "why: " in run("history", new).stdout
    assert old in run("history", new).stdout
    assert document("history", new)["results"][0]["why"]["by"] == "scripted:model"


@pytest.fixture
def serve(script, make_api):
    """Gives a server whose model follows a script: a project on it, and what has a text read there."""

    def serve(*answers, **settings):
        script(*answers)
        api = make_api(llm="openai:gpt-5-mini", **settings)
        tenant = api.make_project()

        def say(text, **more):
            said = {"messages": ana(text), "user_id": "ana", **more}
            event_id = api.answer("POST", "/v3/memories/add/", tenant.key, json=said)["event_id"]
            api.work()
            api.app.state.worker.run_due("reading-0")
            return api.get(f"/v1/event/{event_id}/", tenant.key)

        return api, tenant, say

    return serve


def facts(api, tenant):
    """Of the server, oldest first."""
    found = api.get("/memories", tenant.key, user_id="ana")["results"]
    return [one for one in reversed(found) if one["kind"] == "fact"]


def call_tool(api, tenant, name, **arguments):
    """What a tool answers on the server's project."""
    tool = next(one for one in EVERYDAY if one.name == name)
    access = ProjectAccess(api.platform, Principal(project=tenant.id))
    return tool.run(LocalBackend(access), arguments, Call())


def test_rest_and_mcp_tell_why(serve):
    """All of REST's histories, and the tool."""
    api, tenant, say = serve([HOME])
    say("I live in Berlin.")
    [fact] = facts(api, tenant)
    for path in (f"/v1/memories/{fact['id']}/history/", f"/memories/{fact['id']}/history"):
        assert api.get(path, tenant.key)[0]["why"]["by"] == "scripted:model"
    [step] = call_tool(api, tenant, "get_memory_history", memory_id=fact["id"])["results"]
    assert step["why"]["by"] == "scripted:model"


# --- what it keeps to ---

LLM = {"provider": "openai", "config": {"model": "gpt-5-mini", "api_key": "sk-a"}}
WISHES = {
    "custom_instructions": "Keep what people eat.",
    "agent_custom_instructions": "Take no advice.",
    "includes": "food and drink",
    "excludes": "prices",
    "custom_categories": [{"diet": "what somebody does not eat"}],
}
SAID = ("Keep what people eat.", "Take no advice.", "food and drink", "prices", "diet")


def test_a_configuration_may_say_what_a_model_keeps_to(script, store_path):
    model = script([])
    config = {"llm": LLM, "vector_store": {"provider": "sqlite", "config": {"path": str(store_path)}}, **WISHES}
    with Memory.from_config(config) as memory:
        memory.add(ana("I eat no fish."), user_id="ana")
    [prompt] = model.prompts
    assert [words for words in SAID if words not in prompt.instructions] == []


def test_a_call_says_what_a_model_keeps_to_in_its_place(script, store_path, monkeypatch):
    model = script([])
    monkeypatch.setenv("KEPT_INCLUDES", "politics")
    with Memory(store_path) as memory:
        asked = {"prompt" if name == "custom_instructions" else name: wish for name, wish in WISHES.items()}
        memory.add(ana("I eat no fish."), user_id="ana", **asked)
    [prompt] = model.prompts
    assert [words for words in SAID if words not in prompt.instructions] == []
    assert "politics" not in prompt.instructions


def test_the_command_says_what_a_model_keeps_to(script, run):
    model = script([])
    words = ["--custom-category", "diet=what somebody does not eat"]
    for name in ("custom_instructions", "agent_custom_instructions", "includes", "excludes"):
        words += [f"--{name.replace('_', '-')}", WISHES[name]]
    assert run("add", "I eat no fish.", *words).exit_code == 0
    [prompt] = model.prompts
    assert [words for words in SAID if words not in prompt.instructions] == []


def test_categories_that_cannot_be_used_are_refused_when_they_are_given(script, store_path):
    """Not when they are read, when nobody waits for an answer."""
    script()
    with Memory(store_path) as memory:
        with pytest.raises(InvalidInputError, match="description"):
            memory.add("I eat no fish.", user_id="ana", custom_categories=["diet"])
        assert memory.get_all(user_id="ana")["total"] == 0


@pytest.mark.parametrize("name", WISHES)
def test_wishes_without_a_model_are_refused_by_name(name):
    """A setting that is silently ignored is a promise that is silently broken."""
    with pytest.raises(ConfigurationError, match=f"'{name}'.*none is used"):
        Memory.from_config({name: WISHES[name]})


# --- categories ---


def test_facts_are_sorted_on_this_machine_too(script, store_path):
    """By the reader's word, as far as it is on the list; without one by rule."""
    script([HOME | {"g": ["travel", "bogus"]}, {"t": "Ana likes rowing.", "s": [1], "k": "preference", "c": 0.9}])
    with Memory(store_path) as memory:
        memory.add(ana("I live in Berlin and I like rowing, a sport."), user_id="ana")
        found = {one["memory"]: one.get("categories") for one in memory.get_all(user_id="ana")["results"]}
    assert found["Ana lives in Berlin."] == ["travel"]
    assert found["Ana likes rowing."]


def test_a_model_of_their_own_sorts_facts_on_this_machine(script, store_path, monkeypatch):
    """As `kept models` says that it does."""
    script()
    sorter = ScriptedModel([{"g": [{"n": 1, "g": ["travel"]}]}], name="scripted:sorter")
    reader = ScriptedModel([{"f": [HOME]}])
    monkeypatch.setattr(bootstrap, "build_models", lambda _: {"extraction": reader, "categories": sorter})
    with Memory(store_path) as memory:
        [*_, fact] = memory.add(ana("I live in Berlin."), user_id="ana")["results"]
        assert memory.get(fact["id"])["categories"] == ["travel"]


def test_a_project_of_a_server_says_what_its_model_keeps_to(serve):
    """In the configuration's place; and says it when it is asked."""
    api, tenant, say = serve([], includes="politics")
    api.answer("PATCH", tenant.path, tenant.key, json=WISHES)
    shown = api.get(tenant.path, tenant.key)
    assert {name: shown[name] for name in WISHES} == WISHES
    say("I eat no fish.")
    [prompt] = bootstrap.build_models(None)["extraction"].prompts
    assert [words for words in SAID if words not in prompt.instructions] == []
    assert "politics" not in prompt.instructions
