"""What a language model did with what was said, as each door tells it."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from click.testing import CliRunner

from kept import Memory, bootstrap
from kept.cli.app import cli
from kept.domain.access import Principal
from kept.engine import understanding
from kept.engine.access import ProjectAccess
from kept.errors import ConfigurationError, InvalidInputError, ModelUnavailableError
from kept.mcp.call import Call
from kept.mcp.local import LocalBackend
from kept.mcp.tools import EVERYDAY
from kept.testing.fakes import FixedClock
from kept.testing.models import ScriptedModel

HOME = {"t": "Ana lives in Berlin.", "s": [1], "k": "profile", "c": 0.9}
PARIS = {"t": "Ana lives in Paris.", "s": [1], "k": "profile", "c": 0.9}
"""Nobody says it."""
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


# --- what waits ---

DOWN = ModelUnavailableError("The model is down.")


@pytest.fixture
def clock(monkeypatch):
    """The time of everything that is opened."""
    clock = FixedClock()
    monkeypatch.setattr(bootstrap, "_now", clock)
    return clock


def test_what_a_model_was_down_for_is_read_after_a_later_add(script, store_path, clock):
    """In the background: nobody waits for it but the end of the program."""
    script(DOWN, [], [HOME])
    with Memory(store_path) as memory:
        [failed] = memory.add(ana("I live in Berlin."), user_id="ana")["extractions"]
        assert failed["error"] == "The model is down."
        clock.advance(timedelta(minutes=1))
        memory.add(ana("I like tea."), user_id="ana")
    with Memory(store_path) as memory:
        assert "Ana lives in Berlin." in [one["memory"] for one in memory.get_all(user_id="ana")["results"]]


@pytest.mark.usefixtures("clock")
def test_what_is_not_due_starts_nothing(script, store_path):
    """No thread, no call."""
    model = script(DOWN, [])
    with Memory(store_path) as memory:
        memory.add(ana("I live in Berlin."), user_id="ana")
        memory.add(ana("I like tea."), user_id="ana")
    assert len(model.prompts) == 2


def test_whoever_closes_gives_back_what_is_read_in_the_background(script, store_path, clock, monkeypatch):
    """After a moment; it waits for whoever comes next, as if it had not been begun."""
    script()
    asked, told = threading.Event(), threading.Event()
    answers = iter([DOWN, {"f": []}])

    def slow(_):
        if (answer := next(answers, None)) is None:
            asked.set()
            told.wait(10)
            return {"f": []}
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(bootstrap, "build_models", lambda _: {"extraction": ScriptedModel(slow)})
    monkeypatch.setattr(understanding, "END_S", 0.0)
    memory = Memory(store_path)
    memory.add(ana("I live in Berlin."), user_id="ana")
    clock.advance(timedelta(minutes=1))
    memory.add(ana("I like tea."), user_id="ana")
    thread = memory.service.understanding._background
    assert asked.wait(10)
    memory.close()
    told.set()
    thread.join(10)
    script([HOME])
    with Memory(store_path) as memory:
        assert memory.understand()["added"] == 1


@pytest.mark.usefixtures("clock")
def test_what_waits_is_read_when_that_is_asked_for(script, store_path):
    """Without waiting for its next try; what is not taken is told with its reason."""
    script(DOWN, [HOME, PARIS])
    with Memory(store_path) as memory:
        memory.add(ana("I live in Berlin."), user_id="ana")
        done = memory.understand()
        assert done.pop("spent")["tokens"] > 0
        assert done == {
            "parts": 1,
            "failed": 0,
            "added": 1,
            "reinforced": 0,
            "superseded": 0,
            "dropped": {"not in the text": 1},
            "refused": [],
            "waiting": 0,
            "errors": [],
            "retried": 0,
        }


@pytest.mark.usefixtures("clock")
def test_a_limited_number_of_parts_is_read(script, store_path):
    script(DOWN, DOWN, [], [])
    with Memory(store_path) as memory:
        memory.add(ana("I live in Berlin."), user_id="ana")
        memory.add(ana("I like tea."), user_id="ana")
        assert (memory.understand(1)["waiting"], memory.understand(5)["waiting"]) == (1, 0)
        with pytest.raises(InvalidInputError, match="parts"):
            memory.understand(0)


def test_without_a_model_nothing_can_be_read(store_path):
    with Memory(store_path) as memory, pytest.raises(ConfigurationError, match="No language model is configured"):
        memory.understand()


@pytest.mark.usefixtures("clock")
def test_the_command_says_what_waits_and_what_reads_it(script, run):
    """It ends at once, so that nothing goes on by itself."""
    script(DOWN, [HOME])
    said = run("add", "I live in Berlin.")
    assert "The model is down." in said.stderr
    assert "1 part waiting for the language model; `kept understand` reads it" in said.stderr
    assert "waiting" not in run("add", "I live in Berlin.", "--verbatim", "--user", "ben").stdout
    assert "1 part read" in run("understand").stdout


def test_the_answer_to_an_add_says_what_was_dropped_and_why(script, store_path):
    script([HOME, PARIS])
    with Memory(store_path) as memory:
        [part] = memory.add(ana("I live in Berlin."), user_id="ana")["extractions"]
    assert (part["dropped"], part["refused"]) == ({"not in the text": 1}, [])


def test_the_commands_say_what_was_dropped_and_why(script, run):
    """As they read it."""
    script([HOME, PARIS], DOWN, [PARIS, PARIS])
    assert "Dropped: 1 not in the text." in run("add", "I live in Berlin.", "--speaker", "Ana").stdout
    run("add", "I like tea.", "--speaker", "Ana")
    assert "Dropped: 2 not in the text." in run("understand").stdout


def test_an_event_shows_what_it_cost_and_what_was_dropped(script, run, document):
    """To people and to programs, as REST does."""
    script([HOME, PARIS])
    run("add", "I live in Berlin.", "--speaker", "Ana")
    [event] = document("events", "list", "--type", "EXTRACT")["results"]
    assert event["spending"]["calls"] == 1
    assert document("events", "show", event["id"]) == event
    said = run("events", "show", event["id"]).stdout
    assert "Dropped: 1 not in the text." in said
    assert f"{event['spending']['input_tokens'] + event['spending']['output_tokens']:,} tokens" in said
    assert "DROPPED" not in said
    assert "Ana lives in Berlin." in said


# --- likely conflicts ---


@pytest.fixture
def acknowledged(make_api):
    """A server without a model, a project on it, and what has a text acknowledged and stored there: its event."""
    api = make_api()
    tenant = api.make_project()

    def say(text, *, key=None, **more):
        said = {"messages": ana(text), "user_id": "ana", **more}
        event_id = api.answer("POST", "/v3/memories/add/", key or tenant.key, json=said)["event_id"]
        api.work()
        api.platform.service.project_graph()
        return api.get(f"/v1/event/{event_id}/", key or tenant.key)

    return api, tenant, say


def conflicts(event):
    return [[one["memory"] for one in result.get("conflicts", [])] for result in event["results"]]


def test_the_event_of_an_add_names_likely_conflicts(acknowledged):
    """As the direct answer does, in REST and the tool."""
    api, tenant, say = acknowledged
    assert conflicts(say("I live in Lisbon.")) == [[]]
    event = say("I live in Porto now.")
    assert conflicts(event) == [["I live in Lisbon."]]
    [conflict] = event["results"][0]["conflicts"]
    assert set(conflict) >= {"id", "memory", "why", "newer"}
    assert conflicts(call_tool(api, tenant, "get_event_status", event_id=event["id"])) == [["I live in Lisbon."]]


def test_a_conflict_that_was_settled_is_not_named_any_more(acknowledged):
    api, tenant, say = acknowledged
    say("I live in Lisbon.")
    event = say("I live in Porto now.")
    api.answer("POST", f"/v1/memories/{event['results'][0]['conflicts'][0]['id']}/invalidate/", tenant.key)
    assert conflicts(api.get(f"/v1/event/{event['id']}/", tenant.key)) == [[]]


def test_a_bound_key_is_told_of_no_conflict_with_what_it_may_not_see(acknowledged):
    """The owner is."""
    api, tenant, say = acknowledged
    say("I live in Lisbon.", run_id="monday")
    bound = tenant.make_key(bound={"run_id": ["tuesday"]})
    event = say("I live in Porto now.", run_id="tuesday", key=bound)
    assert conflicts(event) == [[]]
    assert conflicts(api.get(f"/v1/event/{event['id']}/", tenant.key)) == [["I live in Lisbon."]]
