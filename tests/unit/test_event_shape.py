"""What an event says of a language model's reading: nothing where there was none."""

from __future__ import annotations

import json

import pytest

from kept.domain.jobs import Job, succeeded
from kept.domain.scope import Scope
from kept.sdk import wire
from kept.testing.fakes import FixedClock

NOW = FixedClock()()
JOB = Job(id="j1", scope=Scope(user_id="mira"), kind="ADD", created_at=NOW, updated_at=NOW, run_after=NOW)


def told(*results):
    return wire.event(succeeded(JOB, NOW, results))


def test_an_addition_names_the_events_in_which_it_is_read():
    found = told({"event": "ADD", "id": "m1"}, {"event": "EXTRACT", "event_id": "j2"})
    assert found["extractions"] == [{"event_id": "j2"}]
    assert [one["event"] for one in found["results"]] == ["ADD"]


@pytest.mark.parametrize(
    ("result", "key", "value"),
    [
        ({"event": "DROPPED", "reasons": {"no source": 2}}, "dropped", {"no source": 2}),
        ({"event": "REFUSED", "reason": "conflict"}, "refused", ["conflict"]),
        ({"event": "NONE", "reason": "what was said was deleted"}, "refused", ["what was said was deleted"]),
    ],
)
def test_a_reading_says_what_did_not_become_a_memory_and_why(result, key, value):
    found = told(result)
    assert (found[key], found["results"]) == (value, [])
    assert json.loads(json.dumps(found)) == found


def test_an_event_without_a_reading_says_nothing_of_one():
    assert told({"event": "ADD", "id": "m1"}).keys().isdisjoint({"extractions", "dropped", "refused"})
