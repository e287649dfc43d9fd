"""Understanding under attack: by what others say, by a model that lies, and by whoever calls again and again."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kept import bootstrap
from kept.adapters.models import Access, open_model
from kept.adapters.models.access import claude_code_token
from kept.domain import facts
from kept.domain.access import Principal
from kept.domain.facts import MAX_FACTS
from kept.domain.memory import Message
from kept.domain.parts import Part
from kept.domain.scope import Scope
from kept.domain.support import Source, Sources
from kept.engine.understanding import Reading
from kept.errors import ConfigurationError, KeptError, ModelUnavailableError
from kept.ports import JobListing, Prompt
from kept.settings import Settings
from kept.testing.fakes import FixedClock
from kept.testing.models import ScriptedModel
from kept.testing.providers import Answer, Raw, ScriptedProvider

pytestmark = pytest.mark.usefixtures("scripted_models")

CANARY = "Zanzibarcanary"
ANA = Scope(user_id="ana")
READER, JUDGE = "scripted:reader", "scripted:judge"


def fact(text, *turns, **more):
    return {"t": text, "s": list(turns or [1]), "k": "profile", "c": 0.9} | more


def never(_):
    raise ModelUnavailableError("The model is down.")


class Store:
    """A store on disk whose language model follows a script."""

    def __init__(self, folder, answers, judge=None):
        self.folder = folder
        self.model = ScriptedModel(answers, name=READER)
        models = {"extraction": self.model} | ({"contradiction": ScriptedModel(judge, name=JUDGE)} if judge else {})
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(bootstrap, "build_models", lambda _: models)
            environ = {"KEPT_LLM": "openai:scripted"}
            database = str(folder / "kept.db")
            self.settings = Settings.load(environ=environ, config=folder / "none.toml", database=database)
            self.platform = bootstrap.build_platform(self.settings)
        self.service = self.platform.service

    def say(self, *texts, scope=ANA, read=True):
        """Add what Ana says, `text`, `(role, text)` or `(role, text, name)`, and have it read."""
        turns = [("user", text, "Ana") if isinstance(text, str) else (*text, None)[:3] for text in texts]
        named = [{"role": role, "content": text} | ({"name": name} if name else {}) for role, text, name in turns]
        result = self.service.add(scope, named)
        if read:
            self.read_due()
        return [stored.memory for stored in result.stored]

    def read_due(self):
        while self.service.understanding.run_due():
            continue

    def texts(self, **options):
        return {record.text for record in self.service.list(Scope(user_id="*"), **options)[0]}

    def facts(self):
        return [record for record in self.service.list(Scope(user_id="*"))[0] if record.kind == "fact"]

    def jobs(self):
        return self.platform.jobs.page(JobListing(project="default"), limit=100)

    def files_with(self, words):
        """Names of the store's files that hold some words, once it is closed."""
        self.platform.close()
        return [path.name for path in self.folder.rglob("*") if path.is_file() and words.encode() in path.read_bytes()]


@pytest.fixture
def opened(tmp_path):
    """Opens a store with a script: `opened(answers, judge=…)`."""
    stores = []

    def opened(answers, judge=None):
        stores.append(Store(tmp_path, answers, judge))
        return stores[-1]

    yield opened
    for store in stores:
        store.platform.close()


# --- scopes ---


@pytest.mark.parametrize(
    "scope",
    [Scope(agent_id="bot", run_id="r1"), Scope(run_id="r1"), Scope(user_id="bob", run_id="r1")],
    ids=["an agent", "nobody", "another user"],
)
def test_a_session_of_the_same_name_is_no_window_into_what_another_said(opened, scope):
    """Names of sessions are chosen by callers: 1, main, default."""
    store = opened(lambda _: {"f": []})
    store.say("My salary is 90210 dollars a year.", scope=Scope(user_id="ana", agent_id="bot", run_id="r1"))
    store.say("We talk about a salary.", scope=scope)
    assert "90210" in store.model.prompts[0].content
    assert "90210" not in store.model.prompts[1].content


def test_an_own_earlier_turn_of_the_session_is_still_shown(opened):
    store = opened(lambda _: {"f": []})
    scope = replace(ANA, run_id="r1")
    store.say("My sister is called Mira.", scope=scope)
    store.say("She lives in Lisbon.", scope=scope)
    assert "Mira" in store.model.prompts[1].content


@pytest.mark.parametrize("at_once", [True, False], ids=["stored at once", "stored by the worker"])
def test_a_model_sees_and_closes_for_a_bound_key_only_what_the_key_may_see(opened, at_once):
    """The owner of such a key could have it told otherwise, by wishes of its own, and by "I moved"."""
    moved = fact("Ana lives in Hamburg.", contradicts=["m1", "m2", "m3"])
    store = opened(lambda prompt: {"f": [moved if "Hamburg" in prompt.content else fact("Ana lives in Berlin.")]})
    store.say("I live in Berlin.", scope=replace(ANA, agent_id="doctor"))
    key = Principal(project="default", name="shop", role="WRITER", key_id="k", bound={"agent_id": ("shop",)})
    said = [{"role": "user", "name": "Ana", "content": "I live in Hamburg."}]
    store.platform.access(key).add({"user_id": "ana"}, said, at_once=at_once)
    bootstrap.build_worker(store.settings, store.platform).run_due("writes")
    store.read_due()
    assert "Hamburg" in store.model.prompts[-1].content
    assert "Berlin" not in store.model.prompts[-1].content
    assert {one.state for one in store.service.list(Scope(user_id="*"))[0]} == {"active"}


# --- what may close a memory ---


@pytest.mark.parametrize("role", ["assistant", "tool", "document"])
def test_nothing_but_a_persons_word_closes_what_a_person_said(opened, role):
    """A page that an agent has fetched may say anything of its user."""
    moved = fact("Ana lives in the city of Hamburg.", contradicts=["m1"])
    answers = iter([{"f": [fact("Ana lives in Berlin.")]}, {"f": [moved]}])
    store = opened(lambda _: next(answers))
    store.say("I live in Berlin, near the river.")
    store.say((role, "Ana lives in the lovely city of Hamburg."))
    assert [one.state for one in store.facts() if "Berlin" in one.text] == ["active"]


@pytest.mark.parametrize("role", ["assistant", "tool"])
def test_a_machines_guess_closes_not_even_another_machines(opened, role):
    """However sure the model says it is."""
    answers = iter(
        [{"f": [fact("The API runs on port 8080.")]}, {"f": [fact("The API runs on port 9090.", contradicts=["m1"])]}]
    )
    store = opened(lambda _: next(answers))
    store.say((role, "The API runs on port 8080."))
    store.say((role, "The API may run on port 9090."))
    assert {one.state for one in store.service.list(ANA)[0]} == {"active"}


def test_an_assistants_word_takes_no_persons_statement_along(opened):
    """What an assistant made of both their words can be closed by an assistant's word that somebody confirmed; what she said stays."""
    nearby, moved = "Ana lives in Berlin near Tegel.", "Ana lives in Hamburg, says Ravi."
    answers = iter([{"f": [fact(nearby, 1, 2)]}, {"f": [fact(moved, 1, 2, contradicts=["m1"])]}])
    store = opened(lambda _: next(answers))
    store.say("I live in Berlin, near the airport.", ("assistant", "So you live near Tegel."))
    store.say(("assistant", moved, "Ravi"), ("user", "Agreed, please note that.", "Bob"))
    states = {one.text: one.state for one in store.service.list(ANA)[0]}
    assert states[nearby] == "superseded"
    assert states["I live in Berlin, near the airport."] == "active"


# --- erasure ---


@pytest.mark.parametrize("judge", [None, never], ids=["stored", "answered, not stored"])
def test_a_fact_of_what_was_only_said_again_is_erased_with_the_first_saying(opened, judge):
    """The statement is stored once, with the first message; the fact comes from another, which says more and so is read too."""
    replies = [{"f": []}, {"f": []}, {"f": [fact(f"Ana lives in {CANARY}."), fact("Ana likes green tea.", 2)]}]
    answers = iter(replies)
    store = opened(lambda _: next(answers), judge)
    [first] = store.say(f"I live in {CANARY}.")
    store.say("Ana likes green tea a lot.")
    store.say(f"I live in {CANARY}. Rowing keeps me fit.", "I like green tea.")
    store.service.erase("default", [first.id])
    assert not any(CANARY in text for text in store.texts())
    assert store.files_with(CANARY) == []


@pytest.mark.parametrize("hidden", [False, True], ids=["current", "deleted"])
def test_the_first_saying_is_erased_with_a_fact_of_what_was_only_said_again(opened, hidden):
    """Also one that was deleted since; what else was said twice stays."""
    facts = [fact(f"Ana lives in {CANARY}.", 2), fact("Ana likes green tea.", 3)]
    answers = iter([{"f": []}, {"f": []}, {"f": facts}])
    store = opened(lambda _: next(answers))
    [first] = store.say(f"I live in {CANARY}.")
    store.say("I like green tea.")
    store.say("I play the cello.", f"I live in {CANARY}. Rowing keeps me fit.", "I like green tea. My dog is Rex.")
    home = next(one for one in store.facts() if CANARY in one.text)
    if hidden:
        store.service.delete("default", [first.id])
    store.service.erase("default", [home.id])
    assert {"I like green tea.", "Ana likes green tea."} <= store.texts()
    assert store.files_with(CANARY) == []


def test_the_first_saying_is_closed_with_a_fact_of_what_was_only_said_again(opened):
    """Else it would go on saying what no longer holds."""
    moved = fact("Ana lives in Lisbon.", contradicts=["m2"])
    answers = iter([{"f": []}, {"f": [fact("Ana lives in Berlin.", 2)]}, {"f": [moved]}])
    store = opened(lambda _: next(answers))
    store.say("I live in Berlin.")
    store.say("I like green tea.", "I live in Berlin. I play the cello.")
    store.say("I live in Lisbon now.")
    states = {one.text: one.state for one in store.service.list(ANA)[0]}
    assert {states["I live in Berlin."], states["Ana lives in Berlin."]} == {"superseded"}
    assert states["I like green tea."] == "active"


def test_what_a_model_quoted_of_a_memory_nearby_does_not_outlive_it(opened):
    """It would be dropped from the facts, but the answer waits whole while another model is down."""
    quoted = {"f": [fact(f"Ana lives in {CANARY}."), fact("Ana lives near the river in Berlin now.")]}
    answers = iter([{"f": []}, quoted])
    store = opened(lambda _: next(answers), never)
    [near] = store.say(f"Ana and I live in {CANARY}, near the river in Berlin.")
    store.say("Ana: I live near the river in Berlin now.")
    assert [bool(job.content) for job in store.jobs() if job.status == "PENDING"] == [True]
    store.service.erase("default", [near.id])
    assert store.files_with(CANARY) == []


def test_what_was_deleted_is_not_read_where_it_was_said_again(opened):
    store = opened(lambda _: {"f": []})
    [first] = store.say("I live in Berlin, near the river.")
    store.say("I live in Berlin, near the river.", "I like green tea.", read=False)
    store.service.delete("default", [first.id])
    store.read_due()
    assert "tea" in store.model.prompts[-1].content
    assert "Berlin" not in store.model.prompts[-1].content


# --- money ---


def test_the_same_words_are_read_once_more_after_their_fact_was_deleted_and_not_each_time(opened):
    store = opened(lambda _: {"f": [fact("Ana lives in Berlin.")]})
    store.say("I live in Berlin, near the river.")
    store.service.delete("default", [store.facts()[0].id])
    for _ in range(4):
        store.say("I live in Berlin, near the river.")
    assert len(store.model.prompts) == 2
    assert len(store.facts()) == 1


@pytest.mark.parametrize("taken_away", ["delete", "erase"])
def test_an_add_that_is_asked_for_again_is_answered_as_before_whatever_became_of_its_facts(opened, taken_away):
    """A client that lost the answer comes back; the same episode is not read twice, nor is it an error."""
    store = opened(lambda _: {"f": [fact("Ana lives in Berlin.")]})

    def add():
        said = [{"role": "user", "name": "Ana", "content": "I live in Berlin, near the river."}]
        result = store.service.add(ANA, said, idempotency_key="first")
        store.read_due()
        return result

    add()
    getattr(store.service, taken_away)("default", [store.facts()[0].id])
    assert add().replayed
    assert len(store.model.prompts) == 1


# --- what a provider sends ---

PATHS = {
    "anthropic:claude-haiku-4-5": "",
    "openai:gpt-5-mini": "/v1",
    "openai-chat:gpt-4o": "/v1",
    "ollama:qwen3": "/v1",
}
INTEGER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.fixture
def asked():
    """Asks a model for a number, at a provider with one reply: `asked(spec, reply)`."""

    def asked(spec, reply):
        with ScriptedProvider([reply]) as provider:
            access = Access(key=lambda: "sk-key", base_url=provider.url + PATHS[spec])
            prompt = Prompt(instructions="How many?", content="Three.", schema=INTEGER, max_output_tokens=100)
            return open_model(spec, access, timeout_s=10).ask(prompt)

    return asked


def test_a_whole_number_is_one_however_it_is_written(asked):
    """JSON schema calls 1.0 an integer; as the number of a statement it must be one."""
    value = asked("openai-chat:gpt-4o", Answer({"n": 1.0})).value
    assert (value, type(value["n"])) == ({"n": 1}, int)


@pytest.mark.parametrize("spec", PATHS)
def test_no_provider_counts_without_end(asked, spec):
    """What no store can hold would lose an answer that is paid for."""
    assert asked(spec, Answer({"n": 1}, input_tokens=10, output_tokens=10**30)).usage.output_tokens <= 10**9


@pytest.mark.parametrize("code", ["prompt was: Three.", "sk-KEY", "Three. " * 20])
def test_a_code_that_is_none_is_not_repeated(asked, code):
    """What a provider sends back may quote what it was sent, or the key."""
    said = {"error": {"message": "no", "type": code, "code": code}}
    body = f"data: {json.dumps(said)}\n\n".encode()
    with pytest.raises(KeptError) as raised:
        asked("openai-chat:gpt-4o", Raw(body, "text/event-stream"))
    assert code not in str(raised.value)


@pytest.mark.parametrize("number", [1e30, -1e17, float("nan"), "soon", None])
def test_a_time_of_expiry_that_is_none_does_not_keep_a_sign_in_from_being_used(tmp_path, number):
    path = tmp_path / "credentials.json"
    path.write_text(json.dumps({"claudeAiOauth": {"accessToken": "token", "expiresAt": number}}))
    assert claude_code_token(path, FixedClock()) == "token"


def test_a_number_of_any_size_can_be_looked_up():
    sources = Sources([Source(text="I have 3 cats.", speaker="Ana", at=datetime(2026, 1, 1, tzinfo=UTC))])
    assert sources.number_follows(3.0)
    assert not sources.number_follows(10**400)


# --- what takes long ---


def test_an_answer_without_end_takes_no_hours():
    """Each fact is checked and stored by itself: ten thousand of them would take this machine minutes."""
    part = Part(messages=[(0, Message(role="user", content="I like tea.", name="Ana"))])
    many = [fact(f"Ana likes tea{'.' * number}") for number in range(10_000)]
    found = facts.read({"f": many}, part, near=[], reference=datetime(2026, 1, 1, tzinfo=UTC))
    assert len(found.proposals) <= MAX_FACTS
    assert found.dropped["too many"] == len(many) - MAX_FACTS


@pytest.mark.parametrize(("patience_s", "minutes"), [(60, 5), (600, 40), (1e12, 24 * 60)])
def test_a_job_is_held_for_as_long_as_its_models_may_take(patience_s, minutes):
    """Else another process would ask for the same again while the first one waits."""
    reading = Reading(jobs=None, models=None, settings_of=None, patience_s=patience_s)
    assert reading.lease == timedelta(minutes=minutes)


@pytest.mark.parametrize("port", ["99999", "0", "x"])
def test_an_address_with_a_port_that_is_none_is_refused_at_once(tmp_path, port):
    environ = {"KEPT_LLM_BASE_URL": f"http://127.0.0.1:{port}/v1"}
    with pytest.raises(ConfigurationError, match="KEPT_LLM_BASE_URL"):
        Settings.load(environ=environ, config=tmp_path / "none.toml", database="memory://")


def test_what_a_worker_has_in_hand_when_it_must_stop_is_given_back(opened):
    """Else it would wait for its lease to run out, as after a crash."""
    asked, answered = threading.Event(), threading.Event()

    def slowly(_):
        asked.set()
        answered.wait(30)
        return {"f": [fact("Ana lives in Berlin.")]}

    store = opened(slowly)
    store.say("I live in Berlin, near the river.", read=False)
    worker = bootstrap.build_worker(store.settings, store.platform)
    worker.start()
    assert asked.wait(30)
    worker.stop(grace_s=0)
    [job] = store.jobs()
    assert (job.status, job.attempts, job.lease) == ("PENDING", 0, None)
    answered.set()
    worker.stop()
    store.read_due()
    assert len(store.facts()) == 1


# --- invention ---


@pytest.mark.parametrize(
    ("said", "claimed", "is_said"),
    [
        ("I have cats.", "Ana has seven cats.", False),
        ("I pay for the house.", "Ana pays five million dollars for the house.", False),
        ("I have 7 cats.", "Ana has seven cats.", True),
        ("I have seven cats.", "Ana has 7 cats.", True),
        ("I prefer this editor.", "This is the one editor that Ana prefers.", True),
    ],
)
def test_a_number_in_words_must_be_said_like_one_in_digits(said, claimed, is_said):
    sources = Sources([Source(text=said, speaker="Ana", at=datetime(2026, 1, 1, tzinfo=UTC))])
    assert sources.support(claimed) == is_said
