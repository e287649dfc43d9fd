"""Categories: Mem0's fifteen or a project's own, given without a language model."""

from __future__ import annotations

import pytest

from kept.domain.categories import DEFAULTS, parse_categories_setting
from kept.errors import InvalidInputError

HELD_OUT = """
My middle name is Louise | personal_details
I am left-handed and 180 cm tall | personal_details
We moved to a flat in Hamburg | personal_details milestones
My uncle taught me to fish | family hobbies
The twins have their own room now | family
My cousin visits us at Easter | family
I manage a team of eight people | professional_details
My contract ends in December | professional_details
She applied for a position at the ministry | professional_details
I lift weights on Mondays | sports health
He cycled from Paris to Nice | sports travel
Our volleyball club needs a trainer | sports
The train to Prague leaves at seven | travel
We camped in Norway for two weeks | travel
My passport expires next year | travel
I hate coriander | food user_preferences
The restaurant around the corner serves great ramen | food
Breakfast is the most important meal to me | food
My piano teacher is strict | music
I collect vinyl records from the sixties | music hobbies
The orchestra plays Mahler tonight | music entertainment
I was diagnosed with asthma as a child | health
My therapist suggested daily walks | health
The doctor told me to avoid salt | health food
The frontend is written in React | technology
We store sessions in Redis | technology
My phone runs out of battery quickly | technology
Our CI takes twenty minutes | technology
I knit scarves for my friends | hobbies
He spends his evenings on crossword puzzles | hobbies
I always wear a hat | fashion
These jeans are too tight | fashion
We saw the musical on Broadway | entertainment music
My favourite author is Ursula Le Guin | entertainment
I binge-watched the whole show | entertainment
They celebrated their tenth anniversary | milestones
My grandfather died last autumn | family milestones
I would rather have the window open | user_preferences
Do not use emojis when you answer | user_preferences
I like my coffee black | food user_preferences
The door was closed | misc
It rained all afternoon | misc
That is a good question | misc
There are five of them | misc
"""
"""Sentences with every category that is right for them; nothing was chosen by them."""


def test_three_of_four_sentences_are_sorted_right(platform):
    """Nobody should build on more without a language model."""
    pairs = [line.split(" | ") for line in HELD_OUT.strip().splitlines()]
    found = [platform.categories.sort_text("default", text) for text, _ in pairs]
    right = [categories[0] in labels.split() for categories, (_, labels) in zip(found, pairs, strict=True)]
    assert sum(right) / len(right) >= 0.75


def test_there_are_mem0s_fifteen():
    assert len(DEFAULTS) == 15
    assert {"personal_details", "user_preferences", "misc"} <= {category.name for category in DEFAULTS}


def test_what_is_added_is_sorted_and_found_by_its_category(access):
    access.add({"user_id": "alice"}, ["I am allergic to peanuts", "We deploy the server on Tuesdays"], infer=False)
    found, _ = access.memories(filters={"AND": [{"user_id": "alice"}, {"categories": {"in": ["health"]}}]})
    assert [record.text for record in found] == ["I am allergic to peanuts"]


def test_given_categories_are_kept(access):
    _, result = access.add({"user_id": "alice"}, ["I like tea"], infer=False, categories=["mine"])
    assert result.stored[0].memory.categories == ("mine",)


def test_a_call_may_bring_categories_of_its_own(access):
    own = [{"billing": "invoices, payments, refunds, subscriptions"}, {"shipping": "parcels, delivery, tracking"}]
    _, result = access.add({"user_id": "alice"}, ["My parcel was never delivered"], infer=False, custom_categories=own)
    assert result.stored[0].memory.categories == ("shipping",)


def test_a_project_may_have_categories_of_its_own(access, platform):
    data = {"custom_categories": [{"billing": "invoices, payments, refunds"}]}
    platform.registry.put(platform.entry("project", "default", "default", data))
    _, result = access.add({"user_id": "alice"}, ["The refund for my invoice is missing", "Rain"], infer=False)
    assert [stored.memory.categories for stored in result.stored] == [("billing",), ()]


@pytest.mark.parametrize("own", ["billing", ["billing"], [{"billing": ""}], [{"": "x"}], [{"x" * 101: "y"}], 7])
def test_a_call_must_describe_its_categories(access, own):
    """Before anything is acknowledged."""
    with pytest.raises(InvalidInputError, match=r"(?i)categor"):
        access.add({"user_id": "alice"}, ["I like tea"], custom_categories=own)
    assert access.events()[1] == 0


def test_a_setting_may_name_known_ones_alone():
    assert parse_categories_setting(["food", {"billing": "invoices"}])[0] == next(
        c for c in DEFAULTS if c.name == "food"
    )


def test_a_memory_that_was_sorted_by_us_is_sorted_anew_when_its_text_changes(access):
    _, result = access.add({"user_id": "alice"}, ["I am allergic to peanuts"], infer=False)
    done = access.update(result.stored[0].memory.id, text="I play the guitar in a band")
    assert done.memories[0].categories == ("music",)
