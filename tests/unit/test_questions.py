"""What a question asks for, by its form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.questions import asks_for_several, asks_how_many


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
    ],
)
def test_a_list_a_count_and_what_is_shared_are_several_things(question):
    """The plural, the perfect and "both" say so."""
    assert asks_for_several(question)


@pytest.mark.parametrize(
    "question",
    [
        "What did Mira read on Friday?",
        "Where does Tom live?",
        "When did we release 2.3?",
        "What is the status of the release?",
        "What does this do?",
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


@given(st.text(max_size=400))
def test_any_text_has_a_form(text):
    """Whatever is asked."""
    assert asks_for_several(text) in (True, False)
    assert asks_how_many(text) <= asks_for_several(text) or "how much" in text.lower()
