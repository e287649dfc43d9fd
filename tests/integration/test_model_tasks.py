"""What a language model does besides reading: categories, summaries and profiles; and what happens where it fails."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from itertools import count
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.adapters.embedders.wordllama import WordLlamaEmbedder
from kept.adapters.extractors.rules import RuleExtractor
from kept.adapters.inmemory import InMemoryLog
from kept.adapters.inmemory_control import InMemoryJobs, InMemoryRegistry
from kept.adapters.inmemory_ledger import InMemoryLedger
from kept.adapters.models import Access, open_model
from kept.domain.scope import Scope
from kept.domain.spending import SpendingLimit, SpendingListing
from kept.domain.support import Source, Sources
from kept.engine.categories import PROJECT, Categories
from kept.engine.filling import asked, held
from kept.engine.models import Models
from kept.engine.profiles import Profiles, make
from kept.engine.service import Service
from kept.engine.summary import NOTHING_LEFT, ONLY_READS, RETRY_AFTER, RULES, summary
from kept.engine.understanding import Reading
from kept.errors import ConfigurationError, ModelAnswerError, ModelUnavailableError
from kept.ports import Entry, JobListing, Prompt
from kept.testing.fakes import FixedClock
from kept.testing.models import ScriptedModel
from kept.testing.providers import Answer, ScriptedProvider

WRITER = "scripted:writer"
NUMBERS = count()


@pytest.fixture
def hire(platform):
    """Gives the platform a model that does a task: `hire("summary", [answer, …])`."""

    def hire(task: str, answers: Any, *, limits: Any = (), name: str = WRITER) -> ScriptedModel:
        model = ScriptedModel(answers, name=name)
        ledger = platform.models._ledger
        models = Models({task: model}, ledger, clock=platform.clock, ids=platform.ids, limits=limits)
        object.__setattr__(platform, "models", models)
        return model

    return hire


@pytest.fixture
def mira(say):
    """What is known of Mira: ids by what is said."""
    said = {
        "home": "My name is Mira and I live in Lisbon with my two daughters",
        "work": "I work as a nurse at the children's hospital",
        "seat": "I prefer window seats and hate early flights",
        "goats": "I have 41 goats since 2019-05-02",
    }
    return dict(zip(said, say(*said.values(), user_id="mira"), strict=True))


def number(prompt, words):
    """The number under which a statement is shown that contains some words."""
    return next(int(line.split()[0]) for line in prompt.content.splitlines() if words in line)


def written(*sentences):
    """An answer: sentences, each with words of the statements that it points at."""
    return lambda prompt: {
        "s": [{"t": text, "n": [number(prompt, words) for words in cited]} for text, *cited in sentences]
    }


# --- summaries ---


def test_a_summary_is_what_the_model_writes_of_the_statements(access, hire, mira):
    model = hire(
        "summary", written(("Mira is a nurse at the children's hospital.", "nurse"), ("She lives in Lisbon.", "Lisbon"))
    )
    found = summary(access, ids={"user_id": "mira"})
    assert found.text == "Mira is a nurse at the children's hospital.\nShe lives in Lisbon."
    assert (found.by, found.note, found.total) == (WRITER, None, 4)
    assert found.memory_ids == (mira["work"], mira["home"])
    (prompt,) = model.prompts
    assert "I prefer window seats" in prompt.content


def test_sentences_that_their_statements_do_not_say_are_left_out(access, hire, mira):
    """Other names, other numbers, what only another statement says, statements that were not shown, none at all."""
    hire(
        "summary",
        lambda prompt: {
            "s": [
                {"t": "Mira lives in Lisbon.", "n": [number(prompt, "Lisbon"), 99]},
                {"t": "Mira lives in Porto.", "n": [number(prompt, "Lisbon")]},
                {"t": "She has 42 goats.", "n": [number(prompt, "goats")]},
                {"t": "She has 41 goats.", "n": [number(prompt, "nurse")]},
                {"t": "She works as a nurse.", "n": [99, 0, -1]},
                {"t": "She works as a nurse.", "n": []},
                {"t": " ", "n": [1]},
            ]
        },
    )
    found = summary(access, ids={"user_id": "mira"})
    assert (found.text, found.memory_ids) == ("Mira lives in Lisbon.", (mira["home"],))


@pytest.mark.usefixtures("mira")
def test_a_summary_stays_under_its_budget(access, hire):
    sentence = "Mira prefers window seats and hates early flights, window seats, window seats and window seats"
    hire("summary", written((sentence, "window"), (sentence + " again.", "window"), ("Mira is a nurse.", "nurse")))
    found = summary(access, ids={"user_id": "mira"}, budget_tokens=60)
    assert found.text == f"{sentence}\nMira is a nurse."


@pytest.mark.usefixtures("mira")
def test_where_nothing_is_left_the_rules_write_and_the_model_is_not_asked_again(access, hire):
    model = hire("summary", written(("Mira was born in Vienna.", "Lisbon")))
    for _ in range(2):
        found = summary(access, ids={"user_id": "mira"})
        assert (found.by, found.note) == (RULES, NOTHING_LEFT)
        assert "- I work as a nurse at the children's hospital" in found.text.splitlines()
    assert len(model.prompts) == 1


@pytest.mark.usefixtures("mira")
def test_the_same_statements_are_summed_up_once(access, hire, say):
    """And anew when one was changed, one came, or a text of another length is asked for, of which there are few."""
    model = hire("summary", written(("Mira is a nurse.", "nurse")))
    first = summary(access, ids={"user_id": "mira"})
    assert summary(access, ids={"user_id": "mira"}) == first
    assert len(model.prompts) == 1
    for budget_tokens in (100, 101, 150, 199):
        summary(access, ids={"user_id": "mira"}, budget_tokens=budget_tokens)
    assert len(model.prompts) == 2
    (tea,) = say("I drink tea", user_id="mira")
    summary(access, ids={"user_id": "mira"})
    access.update(tea, text="I drink coffee")
    summary(access, ids={"user_id": "mira"})
    assert len(model.prompts) == 4


@pytest.mark.usefixtures("mira")
def test_of_two_who_ask_at_once_one_waits_for_what_is_written_for_the_other(access, hire):
    both = Barrier(2)

    def answer(prompt):
        with suppress(BrokenBarrierError):
            both.wait(timeout=0.2)
        return written(("Mira is a nurse.", "nurse"))(prompt)

    model = hire("summary", answer)
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda user: summary(access, ids={"user_id": user}), ["mira", "mira"]))
    assert [one.text for one in found] == ["Mira is a nurse."] * 2
    assert len(model.prompts) == 1


@pytest.mark.usefixtures("mira")
def test_of_nobody_known_and_for_no_room_nothing_is_asked(access, hire):
    model = hire("summary", [])
    assert summary(access, ids={"user_id": "ghost"}).text == ""
    assert summary(access, ids={"user_id": "mira"}, budget_tokens=20).by == RULES
    assert model.prompts == []


@pytest.mark.usefixtures("mira")
@pytest.mark.parametrize(
    "error",
    [ModelUnavailableError("It is down."), ModelAnswerError("It was cut off.")],
)
def test_a_model_that_fails_leaves_it_to_the_rules_says_why_and_is_asked_again_later(access, clock_of, hire, error):
    clock = clock_of(access.platform)
    hire("summary", [error, {"s": [{"t": "Mira is a nurse at the hospital.", "n": [1, 2, 3, 4]}]}])
    found = summary(access, ids={"user_id": "mira"})
    assert (found.by, found.note) == (RULES, str(error))
    assert "window seats" in found.text
    assert summary(access, ids={"user_id": "mira"}) == found
    clock.advance(RETRY_AFTER)
    assert summary(access, ids={"user_id": "mira"}).by == WRITER


@pytest.mark.usefixtures("mira")
def test_a_model_that_is_set_up_badly_is_asked_again_at_once(access, hire):
    """Whoever has set it right wants to see that it is."""
    hire(
        "summary",
        [ConfigurationError("No key."), {"s": [{"t": "Mira is a nurse at the hospital.", "n": [1, 2, 3, 4]}]}],
    )
    assert summary(access, ids={"user_id": "mira"}).note == "No key."
    assert summary(access, ids={"user_id": "mira"}).by == WRITER


@pytest.mark.usefixtures("mira")
def test_a_reached_limit_leaves_it_to_the_rules(access, hire):
    model = hire("summary", [], limits=[SpendingLimit(name="a day", per="day", tokens=1)])
    found = summary(access, ids={"user_id": "mira"})
    assert found.by == RULES
    assert "limit" in (found.note or "")
    assert model.prompts == []


def test_an_erase_takes_the_text_that_was_written_of_a_memory(access, hire, mira):
    """Also where only the model saw it; what is left is summed up anew."""
    model = hire("summary", written(("Mira is a nurse.", "nurse")))
    summary(access, ids={"user_id": "mira"})
    access.erase([mira["seat"]])
    (job,) = access.platform.jobs.page(JobListing(project="default", kinds=["SUMMARY"]), limit=10)
    assert (job.content, job.idempotency_key) == (None, None)
    assert summary(access, ids={"user_id": "mira"}).by == WRITER
    assert "window" not in model.prompts[-1].content


def test_what_was_erased_while_the_model_wrote_is_in_no_job(access, hire, mira):
    def answer(prompt):
        access.erase([mira["work"]])
        return written(("Mira is a nurse.", "nurse"))(prompt)

    hire("summary", answer)
    found = summary(access, ids={"user_id": "mira"})
    assert found.by == RULES
    (job,) = access.platform.jobs.page(JobListing(project="default", kinds=["SUMMARY"]), limit=10)
    assert job.content is None


@pytest.mark.usefixtures("mira")
def test_what_it_cost_is_known_under_its_task(access, hire):
    hire("summary", written(("Mira is a nurse.", "nurse")))
    summary(access, ids={"user_id": "mira"})
    spent = access.platform.models.spent(SpendingListing(project="default"), "task")
    assert spent["summary"].calls == 1


def test_a_bound_key_is_told_of_its_own_users_alone(enter, hire, say):
    model = hire("summary", written(("Bob likes tea.", "tea")))
    say("I like coffee", user_id="alice")
    say("I am Bob and I like tea", user_id="bob")
    bob = enter(role="WRITER", bound={"user_id": ("bob",)})
    assert summary(bob).text == "Bob likes tea."
    assert "coffee" not in model.prompts[0].content


@pytest.mark.usefixtures("mira")
def test_a_key_that_only_reads_starts_no_model_whatever_it_asks_for(enter, hire):
    """It is given what was written for others before; else the rules write, and say why."""
    model = hire("summary", written(("Mira is a nurse.", "nurse")))
    reader = enter(role="READER")
    for budget_tokens in range(100, 400, 50):
        found = summary(reader, ids={"user_id": "mira"}, budget_tokens=budget_tokens)
        assert (found.by, found.note) == (RULES, ONLY_READS)
        assert "window seats" in found.text
    assert model.prompts == []
    assert summary(enter(role="WRITER"), ids={"user_id": "mira"}).by == WRITER
    found = summary(reader, ids={"user_id": "mira"})
    assert (found.by, found.note, found.text) == (WRITER, None, "Mira is a nurse.")
    assert len(model.prompts) == 1


# --- profiles ---


FORM = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "first name"},
        "about": {"type": "string", "description": "who the person is"},
        "goats": {"type": "integer", "description": "how many goats"},
        "since": {"type": "string", "format": "date", "description": "since when there are goats"},
        "nurse": {"type": "boolean", "description": "whether a nurse"},
        "seat": {"enum": ["window", "aisle"], "description": "preferred seat"},
        "homes": {
            "type": "array",
            "description": "where they live",
            "items": {"type": "object", "properties": {"city": {"type": ["string", "null"]}}},
        },
    },
}


def profile(access, schema=FORM, **settings):
    """Mira's profile, made anew."""
    profiles = Profiles(access)
    profiles.set(user={"schema": schema, **settings})
    profiles.trigger("mira", f"key-of-{next(NUMBERS):08}")
    now = access.platform.clock()
    claimed = access.platform.jobs.claim(["PROFILE"], "test", now=now, until=now.replace(year=now.year + 1), limit=9)
    access.platform.jobs.finish([make(access.platform, job) for job in claimed])
    return profiles.get("mira")


@pytest.mark.usefixtures("mira")
def test_a_profile_is_filled_by_the_model_with_what_the_statements_say(access, hire):
    filled = {
        "name": "Mira",
        "about": "Mira is a nurse at the children's hospital. She lives in Lisbon with two daughters.",
        "goats": 41,
        "since": "2019-05-02",
        "seat": "window",
        "homes": [{"city": "Lisbon"}],
    }
    model = hire("summary", [filled])
    found = profile(access, custom_instructions="Leave out what is about health.")
    assert found.content == {**filled, "nurse": None}
    assert (found.status, found.by, found.note) == ("succeeded", WRITER, None)
    (prompt,) = model.prompts
    assert "Leave out what is about health." in prompt.instructions
    assert "I have 41 goats" in prompt.content


@pytest.mark.usefixtures("mira")
def test_what_the_statements_do_not_say_is_null_in_a_profile(access, hire):
    """Sentence by sentence, value by value; a truth value, which no words show; what the schema has no place for."""
    hire(
        "summary",
        [
            {
                "name": "Clara",
                "about": "She works as a nurse. She was born in Vienna.",
                "goats": 42,
                "since": "2019-05-03",
                "nurse": True,
                "seat": "middle",
                "homes": [{"city": "Porto"}, {"city": "Lisbon"}, {"city": None}],
                "admin": "Mira",
            }
        ],
    )
    assert profile(access).content == {
        "name": None,
        "about": "She works as a nurse.",
        "goats": None,
        "since": None,
        "nurse": None,
        "seat": None,
        "homes": [{"city": "Lisbon"}],
    }


@pytest.mark.usefixtures("mira")
@pytest.mark.parametrize(
    "answer", [{}, {"about": "Born in Vienna."}, {"about": 7, "goats": "many", "homes": "Lisbon", "since": ["x"]}]
)
def test_a_profile_of_which_nothing_is_said_is_filled_by_rule(access, hire, answer):
    hire("summary", [answer])
    found = profile(access)
    assert (found.status, found.by, found.note) == ("succeeded", RULES, NOTHING_LEFT)
    assert found.content["goats"] == 41


def test_a_profile_of_the_same_statements_is_not_paid_for_twice(access, hire, mira):
    """Until one of them changes, or what was made of them was erased."""
    model = hire("summary", lambda _: {"about": "I work as a nurse at the children's hospital"})
    first, again = profile(access), profile(access)
    assert (again.content, again.by) == (first.content, WRITER)
    assert len(model.prompts) == 1
    access.erase([mira["seat"]])
    assert profile(access).by == WRITER
    assert len(model.prompts) == 2


@pytest.mark.usefixtures("mira")
@pytest.mark.parametrize("error", [ModelUnavailableError("It is down."), ConfigurationError("No key.")])
def test_a_model_that_fails_leaves_a_profile_to_the_rules(access, hire, error):
    hire("summary", [error])
    found = profile(access)
    assert (found.status, found.by, found.note) == ("succeeded", RULES, str(error))
    assert found.content["goats"] == 41


@pytest.mark.usefixtures("mira")
def test_a_reached_limit_leaves_a_profile_to_the_rules(access, hire):
    hire("summary", [], limits=[SpendingLimit(name="a day", per="day", tokens=1)])
    assert profile(access).by == RULES


def test_a_model_gets_no_form_of_who_is_hardly_known(access, hire, say):
    model = hire("summary", [])
    say("hello there", user_id="mira")
    assert profile(access).status == "insufficient_data"
    assert model.prompts == []


def test_an_erase_takes_a_profile_of_a_memory_that_the_model_was_shown(access, hire, mira):
    hire("summary", [{"name": "Mira"}])
    assert profile(access).content["name"] == "Mira"
    access.erase([mira["seat"]])
    assert Profiles(access).get("mira").content == {}


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["Mira", "window", 41])
ANSWERS = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*FORM["properties"], "city"]), inner)
)


def leaves(value):
    """All that is filled in, at any depth."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [leaf for part in inside for leaf in leaves(part)] if isinstance(value, dict | list) else [value]


@given(answer=ANSWERS)
def test_whatever_is_answered_a_form_keeps_its_shape_and_holds_what_was_said_alone(answer):
    """Also of an answer in another form altogether."""
    told = Sources([Source(text="I have 41 goats and window seats", speaker="Mira", at=FixedClock()())])
    filled = held(FORM, answer, told)
    assert filled.keys() == FORM["properties"].keys()
    assert all(row.keys() == {"city"} for row in filled["homes"])
    for leaf in leaves(filled):
        assert leaf is None or (told.number_follows(leaf) if isinstance(leaf, int) else told.hold(leaf))


@pytest.mark.usefixtures("scripted_models")
@pytest.mark.parametrize("spec", ["anthropic:claude-haiku-4-5", "openai-chat:gpt-4o", "google:gemini-2.5-flash"])
def test_any_part_of_a_form_may_be_left_empty_by_a_model_of_any_provider(spec):
    """Each has its own dialect of schemas."""
    empty = {"name": None, "goats": 41, "seat": "window", "nurse": None, "homes": [{"city": None}, None]}
    path = "/v1" if spec.startswith("openai") else ""
    prompt = Prompt(instructions="Fill it.", content="1 Mira", schema=asked(FORM), max_output_tokens=400)
    for answer in (empty, dict.fromkeys(FORM["properties"])):
        with ScriptedProvider([Answer(answer)]) as provider:
            access = Access(key=lambda: "sk-key", advice="", base_url=provider.url + path)
            assert open_model(spec, access, timeout_s=10).ask(prompt).value == answer
            assert "preferred seat" in json.dumps(provider.requests[0].body)


# --- categories ---

HOME = {"t": "Ana lives in Berlin.", "s": [1], "k": "profile", "c": 0.9}
TEA = {"t": "Ana likes green tea.", "s": [1], "k": "preference", "c": 0.9}
SAID = "I live in Berlin and I like green tea."
OWN = [{"places": "where somebody is"}, {"drinks": "what somebody drinks"}, {"tools": ""}, {"people": ""}]


@cache
def embedder():
    """One for all tests."""
    return WordLlamaEmbedder()


class Reader:
    """A store that is read by one model, and whose facts are sorted by another."""

    def __init__(self, facts, sorted_, *, sorter="scripted:sorter", own=OWN):
        numbers = count()
        ids = lambda: str(uuid.uuid5(uuid.NAMESPACE_OID, f"{next(numbers)}"))  # noqa: E731
        log, clock, registry = InMemoryLog(), FixedClock(), InMemoryRegistry()
        if own:
            now = clock()
            data = {"custom_categories": own}
            registry.add(Entry(kind=PROJECT, id="default", owner="default", data=data, created_at=now, updated_at=now))
        self.reader = ScriptedModel([{"f": facts}], name="scripted:reader")
        self.sorter = ScriptedModel(sorted_, name=sorter)
        self.ledger = InMemoryLedger()
        models = Models({"extraction": self.reader, "categories": self.sorter}, self.ledger, clock=clock, ids=ids)
        categories = Categories(embedder(), registry)
        jobs = InMemoryJobs(log)
        reading = Reading(jobs=jobs, models=models, settings_of=lambda _: {}, categories=categories)
        self.service = Service(
            log=log, embedder=embedder(), extractor=RuleExtractor(), clock=clock, ids=ids, reading=reading
        )

    def read(self):
        """The facts' categories by their text, and the job."""
        ana = Scope(user_id="ana")
        result = self.service.add(ana, [{"role": "user", "name": "Ana", "content": SAID}], awaited=True)
        [part] = self.service.understand(ana, result)
        records, _ = self.service.list(ana)
        return {record.text: record.categories for record in records if record.kind == "fact"}, part.job


def test_facts_are_sorted_in_one_call_by_the_model_for_categories():
    store = Reader([HOME, TEA], [{"g": [{"n": 2, "g": ["drinks"]}, {"n": 1, "g": ["Places", "people"]}]}])
    found, job = store.read()
    assert found == {"Ana lives in Berlin.": ("places", "people"), "Ana likes green tea.": ("drinks",)}
    assert job.status == "SUCCEEDED"
    (prompt,) = store.sorter.prompts
    assert prompt.content == "1: Ana lives in Berlin.\n2: Ana likes green tea."
    assert "places (where somebody is)" in prompt.instructions
    assert "where somebody is" not in store.reader.prompts[0].instructions
    assert store.ledger.totals(SpendingListing(project="default"), "task")["categories"].calls == 1


def test_of_a_sorting_only_the_projects_categories_are_taken_and_three_at_most():
    many = {"n": 1, "g": ["secrets", "tools", "people", "tools", "drinks", "places"]}
    store = Reader([HOME], [{"g": [many, {"n": 0, "g": ["tools"]}, {"n": 2, "g": ["tools"]}]}])
    found, _ = store.read()
    assert found == {"Ana lives in Berlin.": ("tools", "people", "drinks")}


@pytest.mark.parametrize("failed", [ModelUnavailableError(), ModelAnswerError(), ConfigurationError("No key.")])
def test_where_sorting_fails_the_facts_are_stored_and_sorted_by_rule(failed):
    store = Reader([TEA], [failed], own=None)
    found, job = store.read()
    assert found == {"Ana likes green tea.": ("food",)}
    assert job.status == "SUCCEEDED"
    assert {"event": "REFUSED", "reason": f"categories: {failed.code}"} in job.results


def test_nothing_is_sorted_where_there_are_no_facts():
    store = Reader([], [])
    assert store.read()[0] == {}
    assert store.sorter.prompts == []


def test_the_model_that_reads_sorts_by_itself():
    """One call where one model does both."""
    store = Reader([HOME | {"g": ["places"]}], [], sorter="scripted:reader")
    assert store.read()[0] == {"Ana lives in Berlin.": ("places",)}
    assert store.sorter.prompts == []
