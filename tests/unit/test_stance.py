"""How turns stand to a fact that is said to come from them: they say it, hold it possible, or deny it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.stance import stance

DENIED = [
    ("I do not live in Berlin any more.", "Ana lives in Berlin."),
    ("I don\u2019t live in Berlin.", "Ana lives in Berlin."),
    ("I'm not a doctor.", "Ana is a doctor."),
    ("We never deploy on Fridays.", "The user deploys on Fridays."),
    ("I don't like tea, I like coffee.", "Ana likes tea."),
    ("I do not drink coffee or tea.", "Ana drinks coffee or tea."),
    ("I like rowing. We no longer use Redis!", "Redis is used."),
    ("Ana trinkt keinen Tee.", "Ana trinkt Tee."),
    # the other way round
    ("I live in Berlin.", "Ana does not live in Berlin."),
    ("We use Redis.", "Redis is no longer used."),
]
SAID = [
    ("I live in Berlin.", "Ana lives in Berlin."),
    ("I do not live in Berlin any more.", "Ana no longer lives in Berlin."),
    ("We no longer use Redis but Valkey.", "The user uses Valkey."),
    ("We no longer use Redis, we use Valkey.", "The user uses Valkey."),
    ("I don't live in Berlin but in Hamburg.", "Ana lives in Hamburg."),
    ("No, I live in Berlin.", "Ana lives in Berlin."),
    ("No doubt I live in Berlin.", "Ana lives in Berlin."),
    ("We not only use Redis, we love it.", "The user uses Redis."),
    ("I can't wait for the trip to Oslo.", "Ana looks forward to the trip to Oslo."),
    ("Don't forget to rotate the keys each month.", "The keys are rotated each month."),
    ("I didn't know that Eve lives in Bonn.", "Eve lives in Bonn."),
    ("I can't stand cilantro.", "Ana dislikes cilantro."),
    ("I don't drink coffee any more.", "Ana stopped drinking coffee."),
    ("We don't use Redis any more.", "The user dropped Redis."),
    ("I quit coffee.", "Ana no longer drinks coffee."),
    ("The server was shut down.", "The server stopped."),
    ("We moved from Redis to Valkey.", "Redis is no longer used."),
    ("I prefer tea over coffee.", "Ana prefers tea, not coffee."),
    ("Nobody uses Redis.", "Redis is not used."),
    ("I'm a vegetarian.", "Ana does not eat meat."),
    ("Don't you live in Berlin?", "Ana lives in Berlin."),
    ("I can't live without tea.", "Ana loves green tea from Assam."),
    ("Maybe I'm late, but I live in Berlin.", "Ana lives in Berlin."),
    ("Maybe we will move to Oslo.", "Ana may move to Oslo."),
    ("The move is on 3 may 2026.", "The move is on 3 May 2026."),
]
UNCERTAIN = [
    ("Maybe we will move to Oslo.", "Ana will move to Oslo."),
    ("I think we use Redis.", "The user uses Redis."),
    ("I think that we use Redis.", "The user uses Redis."),
    ("The API may run on port 9090.", "The API runs on port 9090."),
    ("I'm not sure, but we probably use Redis.", "The user uses Redis."),
    ("Vielleicht ziehen wir nach Oslo.", "Ana ziehen nach Oslo."),
    # may be read either way
    ("I don't have any siblings except Eve.", "Ana has a sibling, Eve."),
    ("I don't think Eve lives in Bonn.", "Eve lives in Bonn."),
    ("I didn't know Eve lives in Bonn.", "Eve lives in Bonn."),
    ("I live in Berlin not Hamburg.", "Ana lives in Berlin."),
    ("We do not use Redis in production.", "The user uses Redis."),
    ("I do not live in Berlin any more.", "Ana's home is in Berlin."),
    ("We migrated Redis away from production.", "Redis is not in production."),
]


@pytest.mark.parametrize(("turn", "fact"), DENIED)
def test_a_fact_that_turns_its_sentence_round_is_denied(turn, fact):
    assert stance(fact, [turn], uncounted=["Ana", "user"]) == "denies"


@pytest.mark.parametrize(("turn", "fact"), SAID)
def test_a_fact_that_keeps_what_its_sentence_means_is_said(turn, fact):
    """In other words, beside another clause, or of the same uncertainty."""
    assert stance(fact, [turn], uncounted=["Ana", "user"]) == "says"


@pytest.mark.parametrize(("turn", "fact"), UNCERTAIN)
def test_what_is_supposed_or_may_be_read_either_way_is_uncertain(turn, fact):
    """It is no reason to lose the fact."""
    assert stance(fact, [turn], uncounted=["Ana", "user"]) == "hedges"


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        (["Do you live in Berlin?", "Yes."], "says"),
        (["Maybe Ana lives in Berlin.", "Right, I do."], "says"),
        (["I live in Berlin.", "Maybe Ana lives in Berlin."], "says"),
        (["I do not live in Berlin.", "Sorry, I live in Berlin."], "says"),
        (["You do not live in Berlin.", "Wrong, I do!"], "hedges"),
    ],
)
def test_a_later_turn_may_confirm_or_deny_an_earlier_one(turns, expected):
    assert stance("Ana lives in Berlin.", turns, uncounted=["Ana"]) == expected


def test_whom_a_pronoun_means_need_not_stand_in_the_sentence():
    assert stance("Eve lives in Bonn.", ["She doesn't live in Bonn."], uncounted=["Ana", "Eve"]) == "denies"


@given(st.text(max_size=80), st.lists(st.text(max_size=80), max_size=3))
def test_any_text_has_a_stance(fact, turns):
    assert stance(fact, turns) in ("says", "hedges", "denies")
