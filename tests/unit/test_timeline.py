"""What happened when, and in which order."""

from __future__ import annotations

from datetime import date

import pytest

from kept.domain.scope import Scope

ALICE = Scope(user_id="alice")


@pytest.fixture
def sailing(engine):
    """Four trips, told in another order than they were made."""
    engine.say("The sailing trip to Elba was on 3 May 2025", timestamp="2025-06-01T10:00:00Z")
    engine.say("We are back from the sailing trip to Corsica", timestamp="2025-04-20T10:00:00Z")
    engine.say("The sailing trip to Malta is on 9 September 2025", timestamp="2025-03-01T10:00:00Z")
    engine.say("The sailing trip to Sicily was last week", timestamp="2025-07-16T10:00:00Z")
    return engine


def places(engine, query, **options):
    """The last word of each place name, in order."""
    options = {"reference_date": "2025-08-01", "threshold": 0.0, **options}
    known = ("Elba", "Corsica", "Malta", "Sicily")
    found = engine.service.timeline(ALICE, query, **options)
    return [place for occurrence in found for place in known if place in occurrence.memory.text]


def test_instances_of_one_thing_are_ordered_by_when_they_happened(sailing):
    """Not by when they were told."""
    assert places(sailing, "sailing trip") == ["Corsica", "Elba", "Sicily", "Malta"]


def test_each_says_its_days_and_how_they_are_known(sailing):
    """A day in the text counts from when it was told; without one it is the day of telling."""
    found = {
        occurrence.memory.text.split(" to ")[1].split()[0]: (occurrence.start, occurrence.end, occurrence.known)
        for occurrence in sailing.service.timeline(ALICE, "sailing trip", threshold=0.0)
    }
    assert found == {
        "Corsica": (date(2025, 4, 20), date(2025, 4, 21), "told"),
        "Elba": (date(2025, 5, 3), date(2025, 5, 4), "said"),
        "Sicily": (date(2025, 7, 7), date(2025, 7, 14), "said"),
        "Malta": (date(2025, 9, 9), date(2025, 9, 10), "said"),
    }


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("2025-08-01", ["Malta"]),
        ("2025-09-09", ["Malta"]),
        ("2025-09-10", []),
        ("2025-05-03", ["Elba", "Sicily", "Malta"]),
    ],
)
def test_what_is_upcoming_counts_from_the_reference(sailing, reference, expected):
    """Its own day included; what was only told is past."""
    assert places(sailing, "Which sailing trips are upcoming?", reference_date=reference) == expected


def test_the_latest_comes_first_without_what_is_still_to_come(sailing):
    assert places(sailing, "the latest sailing trip") == ["Sicily", "Elba", "Corsica"]


def test_before_and_after_a_date_leave_out_the_rest(sailing):
    """The day itself is neither."""
    assert places(sailing, "sailing trips before 3 May 2025") == ["Corsica"]
    assert places(sailing, "sailing trips after 3 May 2025") == ["Sicily", "Malta"]


def test_before_and_after_something_count_from_when_it_happened(sailing):
    """That is the best match of its words."""
    assert places(sailing, "sailing trips before the trip to Sicily") == ["Corsica", "Elba"]
    assert places(sailing, "sailing trips after the trip to Sicily") == ["Malta"]


def test_a_fact_with_a_validity_of_its_own_began_with_it(make_engine):
    """When no day is in its text."""
    engine = make_engine()
    engine.service.add(
        ALICE,
        facts=[{"text": "Nora is on parental leave", "valid_from": "2025-04-01", "timestamp": "2025-06-01"}],
    )
    (leave,) = engine.service.timeline(ALICE, "parental leave", threshold=0.0)
    assert (leave.start, leave.known) == (date(2025, 4, 1), "valid")


def test_a_weak_match_is_no_part_of_a_timeline_unless_it_is_wanted(sailing):
    """Ordered by time it would stand between strong ones."""
    assert sailing.service.timeline(ALICE, "chess tournament") == []
    assert len(sailing.service.timeline(ALICE, "chess tournament", threshold=0.0)) == 4
    assert len(sailing.service.timeline(ALICE, "chess tournament", threshold=0.0, top_k=2)) == 2
