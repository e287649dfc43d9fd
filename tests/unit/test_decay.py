"""Decay: what searches find keeps its rank, and what nobody asks for loses some of it, where a project wants that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.decay import LEAST, MOST, MOST_TOUCHES, Touched
from kept.engine.decay import LEAST_POOL, WIDER, pool
from kept.engine.keys import Keys
from kept.engine.service import MAX_TOP_K
from kept.engine.tenancy import Tenancy
from kept.errors import InvalidInputError, StoreBusyError

NOW = datetime(2026, 3, 2, tzinfo=UTC)
NOTES = ("The harbour ferry leaves at nine.", "The harbour café opens at seven.", "The harbour light is green.")

touched = st.builds(
    Touched,
    at=st.datetimes(datetime(2000, 1, 1), datetime(2027, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),  # noqa: DTZ001
    touches=st.integers(1, MOST_TOUCHES),
)


@given(touched)
def test_a_factor_stays_within_its_bounds(one):
    assert LEAST <= one.factor(NOW) <= MOST


@given(touched, st.timedeltas(timedelta(0), timedelta(days=400)))
def test_time_takes_and_a_search_gives(one, later):
    assert one.factor(NOW + later) <= one.factor(NOW)
    assert one.again(NOW).factor(NOW) >= one.factor(NOW)


@pytest.mark.parametrize(
    ("idle", "least", "most"),
    [
        (timedelta(0), 1.5, 1.5),
        (timedelta(hours=8), 1.2, 1.4),
        (timedelta(days=4), 0.6, 1.0),
        (timedelta(days=18), 0.4, 0.6),
        (timedelta(days=200), 0.3, 0.32),
    ],
)
def test_the_factors_are_those_that_mem0_documents(idle, least, most):
    """Of a memory that was found once: just now, today, some days, weeks, many months ago."""
    assert least <= Touched(at=NOW - idle).factor(NOW) <= most


def test_what_was_found_often_lasts_longer():
    month_ago = NOW - timedelta(days=30)
    factors = [Touched(at=month_ago, touches=touches).factor(NOW) for touches in (1, 5, MOST_TOUCHES)]
    assert factors == sorted(factors)
    assert factors[-1] < 0.6


@pytest.mark.parametrize(("top_k", "wanted"), [(0, 50), (5, LEAST_POOL), (100, 100 * WIDER), (900, MAX_TOP_K)])
def test_more_are_searched_for_than_are_wanted(top_k, wanted):
    assert pool(top_k) == wanted


@pytest.mark.parametrize("top_k", ["5", 2_000, -1, True, None])
def test_what_is_no_number_of_memories_is_refused(top_k):
    with pytest.raises(InvalidInputError, match="top_k"):
        pool(top_k)


# --- in a project ---


@pytest.fixture
def harbour(platform, enter):
    """A project of three notes that match one question alike; `decay(on)` switches."""
    access = enter()
    access.add({"user_id": "alice"}, list(NOTES), infer=False)

    def search(query="harbour", **options):
        found = access.search(query, ids={"user_id": "alice"}, **options)
        platform.trail.flush()
        return found

    def decay(on):
        Tenancy(access, Keys(platform)).update_project(None, access.project, {"decay": on})

    search.decay = decay
    return search


def texts(hits):
    return [hit.memory.text for hit in hits]


def test_until_it_is_switched_on_nothing_is_different(platform, harbour):
    before = harbour()
    platform.clock.advance(timedelta(days=90))
    assert [(hit.score, hit.parts) for hit in harbour()] == [(hit.score, hit.parts) for hit in before]


def test_what_was_found_of_late_comes_before_what_matches_alike(platform, harbour):
    harbour.decay(True)
    platform.clock.advance(timedelta(days=60))
    assert texts(harbour("ferry", top_k=1)) == [NOTES[0]]
    hits = harbour()
    assert texts(hits)[0] == NOTES[0]
    assert [round(hit.parts["decay"], 2) for hit in hits] == [1.5, 0.34, 0.34]


def test_every_memory_that_is_answered_is_found_once_more(platform, harbour):
    harbour.decay(True)
    platform.clock.advance(timedelta(days=60))
    harbour()
    assert {hit.parts["decay"] for hit in harbour()} == {1.5}


def test_it_hides_nothing(platform, harbour):
    """A score falls below the threshold that it had passed."""
    least = min(hit.score for hit in harbour())
    harbour.decay(True)
    platform.clock.advance(timedelta(days=400))
    hits = harbour(threshold=least)
    assert len(hits) == 3
    assert all(hit.score < least for hit in hits)


def test_scores_stay_scores(harbour):
    harbour.decay(True)
    assert all(0 <= hit.score <= 1 for hit in harbour("The harbour ferry leaves at nine."))


def test_switched_off_it_ranks_as_ever_and_what_was_found_stays_known(platform, harbour):
    as_ever = [hit.score for hit in harbour()]
    harbour.decay(True)
    platform.clock.advance(timedelta(days=60))
    harbour("ferry", top_k=1)
    harbour.decay(False)
    assert [hit.score for hit in harbour()] == as_ever
    harbour.decay(True)
    assert texts(harbour())[0] == NOTES[0]


def test_the_past_stays_as_it_was(platform, harbour):
    harbour.decay(True)
    seen = harbour(as_of=platform.service.head())
    platform.clock.advance(timedelta(days=60))
    assert all("decay" not in hit.parts for hit in seen)


def test_a_fact_that_no_longer_holds_still_comes_last(platform, harbour):
    harbour.decay(True)
    closed = harbour("ferry", top_k=1)[0].memory
    platform.service.invalidate(closed.project, closed.id)
    assert texts(harbour())[-1] == NOTES[0]


def test_searches_of_a_moment_are_noted_together(platform, harbour, monkeypatch):
    """With one write, and beyond some number not at all: a store that cannot be written holds nobody up."""
    written = []
    monkeypatch.setattr(platform.decay._touches, "touch", lambda _project, ids, _at: written.append(sorted(ids)))
    harbour.decay(True)
    monkeypatch.setattr(platform.trail, "flush", lambda: None)
    found = {hit.memory.id for _ in range(5) for hit in harbour()}
    platform.decay._write()
    assert written == [sorted(found)]
    monkeypatch.setattr("kept.engine.decay.MOST_NOTED", 0)
    harbour()
    platform.decay._write()
    assert len(written) == 1


def test_what_was_found_while_the_store_was_busy_is_dropped_and_what_comes_after_is_noted(
    platform, harbour, monkeypatch
):
    """Whoever else could not write then; the audit's entries come first."""
    written, busy = [], [True]

    def write(*_: object):
        if busy[0]:
            raise StoreBusyError("held")
        written.append(True)

    monkeypatch.setattr(platform.decay._touches, "touch", write)
    harbour.decay(True)
    platform.trail.mark(write)
    assert len(harbour()) == 3
    assert (platform.trail.waiting, written) == (0, [])
    busy[0] = False
    harbour()
    assert written == [True]
