"""Profiles and summaries: from the strongest statements, of nobody else, honest about how little is known."""

from __future__ import annotations

import pytest

from kept.engine.profiles import Profiles, make
from kept.engine.summary import summary
from kept.errors import ForbiddenError, InvalidInputError, NotFoundError, RateLimitError

KEY = "a-key-of-enough-characters"


def work(access):
    """Make all profiles that were asked for, as the worker does."""
    now = access.platform.clock()
    claimed = access.platform.jobs.claim(["PROFILE"], "test", now=now, until=now.replace(year=now.year + 1), limit=100)
    access.platform.jobs.finish([make(access.platform, job) for job in claimed])


@pytest.fixture
def _mira(say):
    say(
        "My name is Mira and I live in Lisbon with my daughter",
        "I work as a nurse at the children's hospital",
        "I prefer window seats and hate early flights",
        "My hobbies are climbing and chess",
        user_id="mira",
    )


@pytest.mark.usefixtures("_mira")
def test_a_profile_says_in_their_words_who_somebody_is(access):
    Profiles(access).trigger("mira", KEY)
    assert Profiles(access).get("mira").status == "pending"
    work(access)
    found = Profiles(access).get("mira")
    assert found.status == "succeeded"
    assert "nurse" in found.content["work"]
    assert "Lisbon" in found.content["about"]
    assert found.generation_count == 1


@pytest.mark.usefixtures("_mira")
def test_a_schema_of_ones_own_is_filled(access):
    schema = {"type": "object", "properties": {"seat": {"type": "string", "description": "which seat in a plane"}}}
    Profiles(access).set(user={"schema": schema})
    Profiles(access).trigger("mira", KEY)
    work(access)
    assert "window seats" in Profiles(access).get("mira").content["seat"]
    assert Profiles(access).set(user={"schema": None})["schema"] is None


def test_who_is_hardly_known_has_none(access, say):
    say("hello there", user_id="new")
    assert Profiles(access).get("new").status == "insufficient_data"
    Profiles(access).trigger("new", KEY)
    work(access)
    found = Profiles(access).get("new")
    assert (found.status, found.content) == ("insufficient_data", {})


def test_nobody_knows_a_user_without_memories(access):
    with pytest.raises(NotFoundError):
        Profiles(access).get("ghost")
    with pytest.raises(NotFoundError):
        Profiles(access).trigger("ghost", KEY)


@pytest.mark.usefixtures("_mira")
def test_the_same_key_asks_once(access):
    first, second = Profiles(access).trigger("mira", KEY), Profiles(access).trigger("mira", KEY)
    assert (first.id, first.replayed, second.replayed) == (second.id, False, True)
    work(access)
    assert Profiles(access).run(first.id).status == "succeeded"
    assert Profiles(access).get("mira").generation_count == 1


@pytest.mark.parametrize("key", [None, "", "short", "x" * 129])
@pytest.mark.usefixtures("_mira")
def test_a_key_is_needed(access, key):
    with pytest.raises(InvalidInputError, match="Idempotency-Key"):
        Profiles(access).trigger("mira", key)


@pytest.mark.usefixtures("_mira")
def test_a_sample_takes_those_of_whom_most_is_known_and_not_at_once_again(access, say):
    say("one", user_id="little")
    run = Profiles(access).sample(1, KEY)
    assert run.entity_ids == ("mira",)
    with pytest.raises(RateLimitError):
        Profiles(access).sample(1, KEY + "-2")
    with pytest.raises(InvalidInputError, match="limit"):
        Profiles(access).sample(11, KEY + "-3")


@pytest.mark.usefixtures("_mira")
def test_switched_off_it_says_so(access):
    Profiles(access).set(enabled=False)
    assert Profiles(access).get("mira").status == "not_enabled"


def test_properties_without_a_description_are_refused(access):
    with pytest.raises(InvalidInputError, match="description"):
        Profiles(access).set(user={"schema": {"type": "object", "properties": {"seat": {"type": "string"}}}})


@pytest.mark.usefixtures("_mira")
def test_a_bound_key_profiles_its_own_user_alone(access, enter, say):
    say("I am Bob", user_id="bob")
    Profiles(access).trigger("mira", KEY)
    work(access)
    bob = enter(role="WRITER", bound={"user_id": ("bob",)}, key_id="key_bob")
    for call in (lambda: Profiles(bob).get("mira"), lambda: Profiles(bob).trigger("mira", KEY)):
        with pytest.raises(ForbiddenError):
            call()
    assert Profiles(bob).sample(10, KEY).entity_ids == ("bob",)


@pytest.mark.usefixtures("_mira")
def test_erasing_a_memory_takes_the_profile_that_quotes_it(access):
    Profiles(access).trigger("mira", KEY)
    work(access)
    quoted = next(hit.memory.id for hit in access.search("nurse hospital work", ids={"user_id": "mira"}))
    access.erase([quoted])
    assert Profiles(access).get("mira").content == {}


@pytest.mark.usefixtures("_mira")
def test_a_summary_is_the_strongest_statements_that_fit(access, say):
    say("Noted, I will remember that.", user_id="mira")
    (liked,) = say("The code word is heron", user_id="mira")
    access.feedback(liked, "POSITIVE")
    found = summary(access, ids={"user_id": "mira"}, budget_tokens=20)
    assert found.text == "- The code word is heron"
    assert found.total == 6
    assert summary(access).total == 6


def test_what_was_judged_wrong_is_in_no_summary(access, say):
    (wrong,) = say("The code word is heron")
    access.feedback(wrong, "NEGATIVE")
    assert summary(access, ids={"user_id": "alice"}).text == ""


def test_a_summary_of_a_bound_key_is_of_its_own_users(enter, say):
    say("alice's secret", user_id="alice")
    say("bob's secret", user_id="bob")
    assert summary(enter(role="READER", bound={"user_id": ("bob",)})).text == "- bob's secret"
