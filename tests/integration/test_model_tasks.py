"""What a language model does besides reading: categories, summaries and profiles; and what happens where it fails."""

from __future__ import annotations

from typing import Any

import pytest

from kept.domain.spending import SpendingLimit, SpendingListing
from kept.engine.models import Models
from kept.engine.summary import NOTHING_LEFT, RULES, summary
from kept.errors import ConfigurationError, ModelAnswerError, ModelUnavailableError
from kept.ports import JobListing
from kept.testing.models import ScriptedModel

WRITER = "scripted:writer"


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
    found = summary(access, ids={"user_id": "mira"}, budget_tokens=35)
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
    """And anew when one was changed, one came, or another length is asked for."""
    model = hire("summary", written(("Mira is a nurse.", "nurse")))
    first = summary(access, ids={"user_id": "mira"})
    assert summary(access, ids={"user_id": "mira"}) == first
    assert len(model.prompts) == 1
    summary(access, ids={"user_id": "mira"}, budget_tokens=100)
    assert len(model.prompts) == 2
    (tea,) = say("I drink tea", user_id="mira")
    summary(access, ids={"user_id": "mira"})
    access.update(tea, text="I drink coffee")
    summary(access, ids={"user_id": "mira"})
    assert len(model.prompts) == 4


@pytest.mark.usefixtures("mira")
def test_of_nobody_known_and_for_no_room_nothing_is_asked(access, hire):
    model = hire("summary", [])
    assert summary(access, ids={"user_id": "ghost"}).text == ""
    assert summary(access, ids={"user_id": "mira"}, budget_tokens=20).by == RULES
    assert model.prompts == []


@pytest.mark.usefixtures("mira")
@pytest.mark.parametrize(
    "error",
    [ModelUnavailableError("It is down."), ModelAnswerError("It was cut off."), ConfigurationError("No key.")],
)
def test_a_model_that_fails_leaves_it_to_the_rules_says_why_and_is_asked_again(access, hire, error):
    hire("summary", [error, {"s": [{"t": "Mira is a nurse at the hospital.", "n": [1, 2, 3, 4]}]}])
    found = summary(access, ids={"user_id": "mira"})
    assert (found.by, found.note) == (RULES, str(error))
    assert "window seats" in found.text
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
    bob = enter(role="READER", bound={"user_id": ("bob",)})
    assert summary(bob).text == "Bob likes tea."
    assert "coffee" not in model.prompts[0].content
