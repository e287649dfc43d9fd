"""Understanding under attack: by what others say, by a model that lies, and by whoever calls again and again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kept import bootstrap
from kept.domain.scope import Scope
from kept.errors import ModelUnavailableError
from kept.ports import JobListing
from kept.settings import Settings
from kept.testing.models import ScriptedModel

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
            settings = Settings.load(environ=environ, config=folder / "none.toml", database=str(folder / "kept.db"))
            self.platform = bootstrap.build_platform(settings)
        self.service = self.platform.service

    def say(self, *texts, scope=ANA, read=True):
        """Add what Ana says, `text` or `(role, text)`, and have it read."""
        turns = [("user", text) if isinstance(text, str) else text for text in texts]
        named = [{"role": role, "content": text} | ({"name": "Ana"} if role == "user" else {}) for role, text in turns]
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


# --- erasure ---


@pytest.mark.parametrize("judge", [None, never], ids=["stored", "answered, not stored"])
def test_a_fact_of_what_was_only_said_again_is_erased_with_the_first_saying(opened, judge):
    """The statement is stored once, with the first message; the fact comes from the second."""
    replies = [{"f": []}, {"f": []}, {"f": [fact(f"Ana lives in {CANARY}."), fact("Ana likes green tea.", 2)]}]
    answers = iter(replies)
    store = opened(lambda _: next(answers), judge)
    [first] = store.say(f"I live in {CANARY}.")
    store.say("Ana likes green tea a lot.")
    store.say(f"I live in {CANARY}.", "I like green tea.")
    store.service.erase("default", [first.id])
    assert not any(CANARY in text for text in store.texts())
    assert store.files_with(CANARY) == []


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
