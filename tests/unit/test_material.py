"""What a job keeps of the turns that were read before."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kept.engine.material import KNOWN, as_known, known_of
from kept.testing.fakes import job


@given(st.dictionaries(st.integers(0, 40), st.sampled_from(["job-7", "job-8"])))
def test_who_read_each_turn_is_kept(readers):
    """As JSON, in as few ranges as there can be."""
    ranges = json.loads(json.dumps(as_known(readers)))
    assert known_of(job(payload={KNOWN: ranges})) == readers
    assert all(left[1] < right[0] or left[2] != right[2] for left, right in pairwise(ranges))


def test_a_job_of_an_earlier_version_stands_for_those_that_read_the_first_turns():
    """It kept how many."""
    assert known_of(job(payload={KNOWN: 2})) == {0: "job-1", 1: "job-1"}
    assert known_of(job(payload={})) == {}
