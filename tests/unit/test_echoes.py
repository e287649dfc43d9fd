"""Which memories tell the same words: a fact, and what was taken by rule from the messages that it points at."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from kept.domain.memory import MemoryRecord, are_echoes
from kept.domain.scope import Scope
from kept.testing.fakes import FixedClock

NOW = FixedClock()()
STATEMENT = MemoryRecord(
    id="s", key=1, seq=1, scope=Scope(), episode_id="e", position=1, created_at=NOW, updated_at=NOW, recorded_at=NOW
)
FACT = replace(STATEMENT, id="f", kind="fact", position=0, positions=(0, 1))


@pytest.mark.parametrize("kind", ["statement", "message", "code"])
def test_a_fact_and_what_was_taken_from_one_of_its_messages_are_echoes_in_both_directions(kind):
    for one, other in permutations([FACT, replace(STATEMENT, kind=kind)]):
        assert are_echoes(one, other)


@pytest.mark.parametrize(
    "other",
    [
        replace(STATEMENT, position=2),
        replace(STATEMENT, position=None),
        replace(STATEMENT, episode_id="another"),
        replace(STATEMENT, kind="fact"),
    ],
    ids=["another message", "no message", "another episode", "two facts"],
)
def test_others_are_none(other):
    assert not are_echoes(FACT, other)
    assert not are_echoes(other, FACT)


def test_what_came_without_an_episode_echoes_nothing():
    assert not are_echoes(replace(FACT, episode_id=None), replace(STATEMENT, episode_id=None))
