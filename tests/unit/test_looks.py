"""When acknowledged work is looked at: soon, then ever less often, for as long as was asked and no longer."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.sdk.client.parts import looks


@given(st.floats(min_value=0, max_value=600))
def test_the_pauses_grow_and_are_as_long_together_as_was_asked(within_s):
    pauses = list(looks(within_s))
    assert sum(pauses) == pytest.approx(within_s, abs=1e-9)
    assert all(one <= other for one, other in pairwise(pauses[:-1]))
    assert all(0 < pause <= 1 for pause in pauses)


def test_who_does_not_wait_looks_once():
    assert list(looks(0)) == []
