"""The page about understanding tells the reasons and bounds that the code has."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from kept.domain.facts import EARLIEST, LATEST, MAX_FACT_CHARACTERS, MAX_NEAR, Reason
from kept.domain.parts import PART_TOKENS


@pytest.fixture(scope="module")
def understanding(root):
    """The text of the page."""
    return (root / "docs" / "explanation" / "understanding.md").read_text(encoding="utf-8")


def test_every_reason_for_dropping_something_is_told(understanding):
    """And no other."""
    table = understanding.partition("| Reason | What was dropped |")[2].partition("\n\n")[0]
    shown = [name for row in table.splitlines() for name in re.findall(r"`([^`]+)`", row.split(" | ")[0])]
    assert sorted(shown) == sorted(get_args(Reason))


def test_bounds_are_the_codes(understanding):
    """Of a part, of a fact, of dates, of what is shown."""
    assert f"A part holds some {PART_TOKENS:,} tokens" in understanding
    assert f"more than {MAX_FACT_CHARACTERS} characters" in understanding
    assert f"before {EARLIEST.year} or after {LATEST.year - 1}" in understanding
    assert MAX_NEAR == 10
    assert "up to ten stored memories" in understanding
