"""The page about retrieval tells the weights that the code has."""

from __future__ import annotations

import re

import pytest

from kept.domain import ranking


@pytest.fixture(scope="module")
def retrieval(root):
    """The text of the page."""
    return (root / "docs" / "explanation" / "retrieval.md").read_text(encoding="utf-8")


def test_the_table_of_features_is_the_codes(retrieval):
    """Names, all weights and meanings, in the same order."""
    shown = re.findall(r"(?m)^\| `(\w+)` \| ([-+\d.]+) \| ([-+\d.]*) *\| ([-+\d.]*) *\| (.+) \|$", retrieval)
    assert shown == [
        (
            feature.name,
            f"{feature.weight:+g}",
            "" if feature.weight_long is None else f"{feature.weight_long:+g}",
            f"{feature.weight + feature.more_for_several:+g}" if feature.more_for_several else "",
            feature.meaning,
        )
        for feature in ranking.FEATURES
    ]


@pytest.mark.parametrize("part", ["bias", *ranking.PARTS])
def test_every_part_of_a_score_is_explained_in_words(retrieval, part):
    """Also those that are no feature."""
    prose = re.sub(r"(?m)^\|.*$", "", retrieval)
    assert f"`{part}`" in prose


def test_the_numbers_beside_the_table_are_the_codes(retrieval):
    """The constant of every score, and when a question counts as half as long."""
    prose = " ".join(retrieval.split())
    assert f"`bias`, {ranking.BIAS:g} for every memory" in prose
    assert ranking.LONG_QUERY_TERMS == 10
    assert 'A question with ten different terms is halfway to "very long"' in prose
