"""What a question asks for, by its form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.questions import anchor, asks_for_several, asks_how_many, time_intent


@pytest.mark.parametrize(
    "question",
    [
        "Which books has Mira read?",
        "What books does Mira own?",
        "What activities with her children does Mira enjoy?",
        "What has Tom cooked?",
        "What are Mira's hobbies?",
        "How many cats does Tom have?",
        "How often does Tom swim?",
        "What kinds of tea do they sell?",
        "In what ways did the team save time?",
        "Where have Mira and Tom travelled?",
        "What do both Mira and Tom like?",
        "What does Mira do to relax?",
        "What do Tom's children like?",
        "What do I like to eat?",
        "What is Mira allergic to?",
    ],
)
def test_a_list_a_count_and_what_is_shared_are_several_things(question):
    """The plural, the perfect, "both" and what somebody does in general say so."""
    assert asks_for_several(question)


@pytest.mark.parametrize(
    "question",
    [
        "What did Mira read on Friday?",
        "Where does Tom live?",
        "When did we release 2.3?",
        "What is the status of the release?",
        "What does this do?",
        "What do we do now?",
        "What does Mira want to do after the talk?",
        "What is Mira's dog called?",
        "What is the talk on Friday about?",
        "What has to be done?",
        "Which branch is deployed?",
        "Why is the build red?",
        "",
    ],
)
def test_one_thing_is_not_several(question):
    """A singular noun, an event, a word that only ends like a plural."""
    assert not asks_for_several(question)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How many cats does Tom have?", True),
        ("how much memory did it take", True),
        ("How often?", True),
        ("How does it work?", False),
        ("Show many cats", False),
    ],
)
def test_a_number_is_asked_for_by_how_many(question, expected):
    """Much and often count as well."""
    assert asks_how_many(question) is expected


@pytest.mark.parametrize(
    ("question", "intent"),
    [
        ("Where does Mira live now?", "now"),
        ("Which database do we currently use?", "now"),
        ("Is the build still red?", "now"),
        ("What was the last release?", "latest"),
        ("Who changed the limit most recently?", "latest"),
        ("What did Tom say last week?", None),
        ("What is his last name?", None),
        ("Which piece won first place?", None),
        ("When was the first release?", "earliest"),
        ("What did we originally plan?", "earliest"),
        ("Which trips are coming up?", "upcoming"),
        ("When is the next release?", "upcoming"),
        ("Who sits next to Tom?", None),
        ("What did we try before the outage?", "before"),
        ("What changed after 3 May?", "after"),
        ("What is new since the last release?", "after"),
        ("How long after the move did Mira find work?", None),
        ("How many days before the launch did we freeze?", None),
        ("How long ago was the last release?", "latest"),
        ("Where does Mira live?", None),
        ("", None),
    ],
)
def test_a_question_says_which_part_of_a_history_it_is_about(question, intent):
    """If it does."""
    assert time_intent(question) == intent


@pytest.mark.parametrize(
    ("question", "counts_from"),
    [
        ("What did we try before the outage?", "the outage"),
        ("What changed after 3 May 2025?", "3 May 2025"),
        ("What changed since Zoë joined.", "Zoë joined"),
        ("After the move to Berlin, where did Mira work?", "the move to Berlin"),
        ("How long after the move did Mira find work?", ""),
        ("İİİİ what came after the outage?", "the outage"),
        ("Where does Mira live?", ""),
        ("Before?", ""),
    ],
)
def test_before_and_after_name_what_they_count_from(question, counts_from):
    """In the question's own words."""
    assert anchor(question) == counts_from


@given(st.text(max_size=400))
def test_any_text_has_a_form(text):
    """Whatever is asked."""
    assert asks_for_several(text) in (True, False)
    assert asks_how_many(text) <= asks_for_several(text) or "how much" in text.lower()
