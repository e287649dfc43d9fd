"""What leads from one memory to another, and what the form of a question changes."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain import ranking
from kept.domain.temporal import DateSpan

TERMS = st.lists(st.sets(st.integers(0, 9), max_size=6), min_size=1, max_size=30)


def shared(terms, sums, telling=None):
    """What each candidate shares with the best, from the terms that it holds and the sum of its parts."""
    owner = np.repeat(np.arange(len(terms)), [len(held) for held in terms])
    places = np.array([term for held in terms for term in sorted(held)], np.int64)
    rarity = np.ones(10, np.float32) if telling is None else np.array(telling, np.float32)
    strength = ranking.leads(np.array([sums], np.float32))
    given = strength[owner] * rarity[places]
    told = ranking.told(places, given, len(rarity))
    gained = np.where(told[places] > 0, told[places] - given, 0)
    return ranking.linked(owner, gained, len(terms), float(told.sum())).tolist()


def test_a_term_of_the_best_match_leads_to_who_holds_it_too():
    """And to nobody else; what comes from itself does not count."""
    best, linked, other = shared([{0, 1}, {1, 2}, {3}], [9, 0, 0])
    assert linked > 0
    assert best < linked
    assert other == 0


def test_a_rare_term_leads_further_than_a_common_one():
    """As the rarity of the terms says."""
    _, rare, common = shared([{0, 1}, {0}, {1}], [9, 0, 0], [6, 2] + [0] * 8)
    assert rare > common > 0


def test_where_no_match_is_strong_nothing_leads_on():
    """A weak match is weak evidence of what the question is about."""
    strong, weak = (shared([{0}, {0}], [best, -5])[1] for best in (9, -5))
    assert strong > 50 * weak


@given(TERMS, st.data())
def test_what_is_shared_lies_between_nothing_and_all(terms, data):
    """Whoever holds what."""
    sums = data.draw(st.lists(st.floats(-9, 9, width=32), min_size=len(terms), max_size=len(terms)))
    assert all(0 <= value <= 1 for value in shared(terms, sums))


@given(TERMS)
def test_a_candidate_without_terms_shares_nothing_and_changes_nothing(terms):
    """Among fewer than lead on."""
    few = terms[: ranking.LINKING - 1]
    assert shared([*few, set()], [1] * len(few) + [0]) == pytest.approx([*shared(few, [1] * len(few)), 0])


def test_the_form_of_a_question_weighs_surroundings_less_and_links_more():
    """When its answers are spread over sessions."""
    features = {feature.name: np.ones(1, np.float32) for feature in ranking.FEATURES}
    one, several = (
        dict(
            zip(
                ranking.PARTS,
                ranking.contributions(features, ranking.weights(3, several=form))[:, 0].tolist(),
                strict=True,
            )
        )
        for form in (False, True)
    )
    changed = {name for name in one if one[name] != several[name]}
    assert changed == {feature.name for feature in ranking.FEATURES if feature.more_for_several}
    assert several["around"] < one["around"]
    assert several["linked"] > one["linked"]


@pytest.mark.parametrize(
    ("days", "asked", "nearness"),
    [
        ((100, 100), (100, 101), 1.0),
        ((98, 104), (100, 101), 0.7),
        ((95, 95), (90, 120), 0.7),
        ((110, 110), (100, 101), 0.3),
        ((400, 400), (100, 101), 0.0),
    ],
)
def test_nearness_falls_with_the_days_between(days, asked, nearness):
    """The same day, within the same period, near, far."""
    start, end = map(date.fromordinal, asked)
    span = DateSpan(start=start, end=end, text="", granularity="day")
    first, last = (np.array([day], np.int64) for day in days)
    assert ranking.date_nearness(first, last, [span]).tolist() == pytest.approx([nearness])


def _span(first, end):
    return DateSpan(start=date.fromordinal(first), end=date.fromordinal(end), text="", granularity="day")


DAYS = np.array([100, 190, 199, 210])


def timely(intent, *, said=True, dates=()):
    """How well four days, the last of them ahead, fit what is asked on day 200."""
    spans = [_span(first, end) for first, end in dates]
    held = np.full(4, said)
    return ranking.timeliness(intent, DAYS, DAYS, held, present=200, pivot=next(iter(spans), None)).tolist()


def ordered(intent, *strength):
    """Where each of four matches comes, the last of them still ahead, seen from day 200."""
    found = ranking.succession(intent, DAYS, np.array(strength or (1, 1, 1, 1), np.float32), present=200)
    return found.tolist()


def test_the_latest_is_what_most_matches_lie_before_and_not_still_to_come():
    """In the order of the days."""
    first, second, third, ahead = ordered("latest")
    assert 0 == first < second < third < 1
    assert ahead == 0


def test_what_was_first_is_what_most_matches_lie_after():
    """The other way round."""
    first, second, third, ahead = ordered("earliest")
    assert 1 > first > second > third == ahead == 0


def test_only_the_order_of_days_counts_not_how_long_ago_they_are():
    """Of releases a year ago the last one was the latest, too."""
    strength, ages = np.ones(3, np.float32), np.array([30, 20, 10])
    near, far = (ranking.succession("latest", 1_000 - ages * each, strength, present=1_000) for each in (1, 30))
    assert near.tolist() == far.tolist()


def test_what_matches_little_is_neither_the_latest_nor_makes_others_the_latest():
    """A new memory about something else comes after nothing."""
    _, second, third, _ = ordered("latest", 1, 1, 0.01, 0)
    assert third < 0.01
    assert second == pytest.approx(ordered("latest", 1, 1, 0, 0)[1], abs=0.01)


def test_what_holds_now_may_be_about_what_is_still_to_come():
    """ "Where do you travel now?" """
    assert ordered("now")[3] > 0
    assert ordered("upcoming") == [0, 0, 0, 0]


def test_only_a_day_that_a_text_names_can_be_upcoming():
    """What was told is past."""
    assert timely("upcoming") == [0, 0, 0, 1]
    assert timely("upcoming", said=False) == [0, 0, 0, 0]


@pytest.mark.parametrize(("intent", "fits"), [("before", [1, 0, 0, 0]), ("after", [0, 0, 1, 1])])
def test_before_and_after_count_from_the_date_in_the_question(intent, fits):
    """Whose own days are neither."""
    assert timely(intent, dates=[(190, 195)]) == fits
    assert timely(intent) == [0, 0, 0, 0]


@given(
    st.sampled_from(["now", "upcoming", "latest", "earliest", "before", "after"]),
    st.lists(st.tuples(st.integers(1, 800_000), st.integers(0, 400), st.booleans()), min_size=1, max_size=20),
    st.integers(1, 800_000),
)
def test_timeliness_lies_between_nothing_and_all(intent, days, present):
    """Whatever is asked when."""
    first, length, said = (np.array(column) for column in zip(*days, strict=True))
    span = _span(present, present + 1)
    found = ranking.timeliness(intent, first, first + length, said, present=present, pivot=span)
    found += ranking.succession(intent, first, said.astype(np.float32), present=present)
    assert ((found >= 0) & (found <= 1)).all()
