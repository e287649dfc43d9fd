"""The written cases of contradictions, supersession, scopes, noise and time, all of them, without a language model."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

PLAYED = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "cases.py"), run_name="cases")
CASES = PLAYED["cases"]()
FEWEST = 60  # as the benchmark promises


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.theme}: {case.name}")
def test_the_case_holds(case):
    assert PLAYED["failures"](case) == []


def test_there_are_as_many_cases_as_promised_and_each_says_something_else():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= FEWEST
    assert {case.theme for case in CASES} == {"supersession", "scopes", "time", "noise"}


def case_of(**parts):
    return PLAYED["Case"](theme="own", name="own", **parts)


def test_a_case_that_does_not_hold_says_what_is_missing_and_what_is_wrong():
    story = [{"add": "Mira lives in Porto.", "as": "porto"}, {"add": "The sea is warm in May.", "as": "sea"}]
    ask = [{"search": "Where does Mira live?", "finds": ["faro"], "lacks": ["sea"], "first": "sea"}]
    problems = PLAYED["failures"](case_of(story=story, ask=ask))
    assert [problem.partition(": ")[2] for problem in problems] == [
        "lacks faro",
        "finds sea",
        "puts porto first, not sea",
    ]


def test_a_step_that_was_to_be_refused_and_is_not_fails():
    case = case_of(story=[{"add": "Mira lives in Porto.", "refused": "ConflictError"}], ask=[])
    with pytest.raises(AssertionError, match="not refused"):
        PLAYED["failures"](case)
