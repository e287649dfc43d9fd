"""Categories: Mem0's fifteen or a project's own, given without a language model."""

from __future__ import annotations

import pytest

from kept import Memory
from kept.domain.categories import DEFAULTS, parse_categories_setting
from kept.errors import InvalidInputError

HELD_OUT = """
My legal first name is Theodora | personal_details
I grew up on a farm in Nebraska | personal_details
I celebrate my fortieth next Tuesday | personal_details milestones
We rent a two-room apartment near the station | personal_details
My eldest has started to drive | family
I care for my mum, who has dementia | family health
My fiancé and his brothers get along badly | family
Our cat needs an operation on her paw | family health
I was a paramedic before I went into politics | professional_details
My line manager retires in June | professional_details milestones
I'm finishing my dissertation on medieval trade | professional_details
The board wants to cut the marketing budget by a third | professional_details
My tennis elbow is back | sports health
I follow the Tour de France every year | sports user_preferences
She coaches the under-twelves on Saturdays | sports
We row on the river before sunrise | sports hobbies
We fly to Marrakesh over Easter | travel
I get upgraded to business class quite often | travel
He spent six months backpacking across South America | travel
Could you plan a weekend in Edinburgh for us? | travel
I put chilli on almost everything | food user_preferences
Shellfish gives me a rash | health food
We are having friends over for a barbecue | food
Oat milk tastes better than cow's milk | food user_preferences
I sing alto in our church choir | music hobbies
My first record was by Nirvana | music
I never learned to read sheet music | music
I was told to rest my wrist for six weeks | health
The pills make me drowsy in the morning | health
He has been in a wheelchair since the accident | health
Our service talks to Stripe through a queue | technology
Type hints are mandatory in this codebase | technology user_preferences
The screen of my tablet is cracked | technology
We keep feature flags in a YAML file | technology
I whittle spoons out of birch | hobbies
On Sundays I tinker with an old Vespa | hobbies technology
We go metal detecting on the beach | hobbies
I need something elegant for the opera | fashion music entertainment
Corduroy is coming back this autumn | fashion
We stayed up late to finish the crime drama | entertainment
I have read Dune four times | entertainment hobbies
My favourite comedian is touring again | entertainment user_preferences
Our twins were born in the spring of 2019 | milestones family
I got my first driving licence at thirty | milestones
We divorced amicably last year | milestones family
I'd like you to ask before you change any file | user_preferences technology
Use British spelling in everything you write for me | user_preferences
Late meetings are not for me | user_preferences professional_details
The heating comes on at six | misc
Nobody answered the door | misc
I see what you mean | misc
That was on Tuesday, I think | misc
"""
"""Indirect sentences with every category that is right for them. Nothing was chosen by them, and they are no examples."""

OWN = [
    {"billing": "invoices, payments, refunds, subscriptions and prices"},
    {"shipping": "parcels, delivery, tracking and addresses to send to"},
    {"account": "logging in, passwords, user names and profiles"},
    {"praise": "the customer is happy, thanks us or recommends us"},
]
HELD_OUT_OWN = """
I was charged twice this month | billing
Please send me the invoice again | billing
How much is the yearly subscription? | billing
My parcel was never delivered | shipping
The courier left the package with a neighbour | shipping
Where can I track my delivery? | shipping
I forgot my password | account
I can't log in since yesterday | account
Please change my user name | account
Thank you so much, your team is wonderful | praise
I recommended you to all my friends | praise
The moon is far away |
"""


def sorted_as(platform, labelled, categories):
    """What each sentence was sorted as, and what is right."""
    lines = [line.split(" | ") if " | " in line else [line.rstrip(" |"), ""] for line in labelled.strip().splitlines()]
    texts = [text for text, _ in lines]
    vectors = platform.categories._embedder.embed_documents(texts)
    found = platform.categories.sort(texts, vectors, categories, "default")
    return list(zip(found, (right.split() for _, right in lines), strict=True))


def test_two_of_three_sentences_are_sorted_right_and_few_wrong(platform):
    """Of sentences that never name what they are about. Measured: the first category right for 69 %, 81 % of all given right."""
    found = sorted_as(platform, HELD_OUT, DEFAULTS)
    assert sum(given[0] in right for given, right in found) / len(found) >= 0.66
    sure = [name in right for given, right in found for name in given if name != "misc"]
    assert sum(sure) / len(sure) >= 0.78


def test_a_projects_own_categories_are_told_apart_by_their_descriptions(platform):
    """Measured: ten of twelve right, and of those that are given none wrong."""
    found = sorted_as(platform, HELD_OUT_OWN, parse_categories_setting(OWN))
    assert sum((given[:1] or ("",))[0] in (right or [""]) for given, right in found) >= 9
    assert sum(name not in right for given, right in found for name in given) <= 1


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


def test_a_category_named_in_a_text_is_found_by_its_name_alone(access):
    own = [{"procurement": "what the purchasing department has to do with"}, {"weather": "rain, sun and wind"}]
    _, result = access.add({"user_id": "alice"}, ["Ask Procurement on Monday"], infer=False, custom_categories=own)
    assert result.stored[0].memory.categories == ("procurement",)


def test_what_is_near_none_is_misc_where_there_is_such_a_category(access):
    alone = [{"misc": "everything"}]
    _, result = access.add({"user_id": "alice"}, ["I see what you mean"], infer=False)
    _, other = access.add({"user_id": "bob"}, ["I like tea"], infer=False, custom_categories=alone)
    assert result.stored[0].memory.categories == other.stored[0].memory.categories == ("misc",)


def test_sorting_is_part_of_the_add_and_embeds_nothing_twice(access, platform, monkeypatch):
    """One revision; the embedding is the one that the index stores."""
    access.add({"user_id": "alice"}, ["The categories are embedded with the first add"], infer=False)
    embedder = platform.categories._embedder
    embedded, embed = [], embedder.embed_documents
    monkeypatch.setattr(embedder, "embed_documents", lambda texts: embedded.append(list(texts)) or embed(texts))
    _, result = access.add({"user_id": "alice"}, ["I am allergic to peanuts"], infer=False)
    assert embedded == [["I am allergic to peanuts"]]
    memory = result.stored[0].memory
    assert memory.categories == ("health",)
    assert [step.revision.op for step in access.history(memory.id)[0]] == ["add"]


def test_a_memory_that_is_said_again_keeps_its_categories(access):
    for own in (None, [{"other": "whatever is allergic to peanuts"}]):
        _, result = access.add({"user_id": "alice"}, ["I am allergic to nuts"], infer=False, custom_categories=own)
    assert result.stored[0].event == "REINFORCE"
    assert result.stored[0].memory.categories == ("health",)


def test_a_store_of_ones_own_is_not_sorted(tmp_path):
    """Categories are the server's; what the embedded engine stores is as the caller says."""
    with Memory(database=str(tmp_path / "own.db")) as memory:
        (added,) = memory.add("I am allergic to peanuts", user_id="alice", infer=False)["results"]
        assert not memory.get(added["id"]).get("categories")


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
