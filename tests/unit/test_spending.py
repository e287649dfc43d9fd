"""What language models cost: counted, limited, said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.spending import (
    Standing,
    Usage,
    as_dollars,
    parse_project_limits,
    project_limits,
    to_micros,
    total,
)
from kept.errors import InvalidInputError
from kept.testing.ledger_conformance import call, most, settled


def test_a_call_counts_as_what_was_reserved_until_it_is_known_what_it_cost():
    assert (call().spent.tokens, call().spent_micros, call().is_settled) == (100, 100, False)
    assert (settled(call()).spent.tokens, settled(call()).spent_micros) == (50, 50)
    unpriced = settled(call(), micros=None)
    assert (unpriced.spent_micros, unpriced.is_settled) == (None, True)


@given(st.lists(st.integers(min_value=0, max_value=10**9)))
def test_sums_of_money_are_exact(prices):
    assert total(call(number, reserved_micros=price) for number, price in enumerate(prices)).micros == sum(prices)


def test_what_was_read_and_written_is_added_apart():
    both = Usage(input_tokens=1, output_tokens=2, cached_tokens=1) + Usage(input_tokens=10, output_tokens=20)
    assert both == Usage(input_tokens=11, output_tokens=22, cached_tokens=1)


@pytest.mark.parametrize(("dollars", "micros"), [(None, None), (0, 0), (5.0, 5_000_000), (0.1234567, 123_457)])
def test_dollars_are_kept_in_millionths(dollars, micros):
    assert to_micros(dollars) == micros


def test_micro_dollars_are_shown_as_dollars():
    assert as_dollars(1_234_567_890) == "1,234.5679 USD"


@pytest.mark.parametrize(
    ("spending", "limits"),
    [
        ({}, {}),
        ({"daily_tokens": 0}, {"spending.daily_tokens": 0}),
        ({"daily_tokens": None, "daily_usd": 1.5}, {"spending.daily_usd": 1_500_000}),
        ({"daily_tokens": 7, "daily_usd": 2}, {"spending.daily_tokens": 7, "spending.daily_usd": 2_000_000}),
    ],
    ids=str,
)
def test_a_project_may_limit_what_it_spends_in_a_day(spending, limits):
    found = project_limits(parse_project_limits(spending))
    set_ = {limit.name: limit.micros if limit.tokens is None else limit.tokens for limit in found}
    assert {name: most for name, most in set_.items() if most is not None} == limits
    assert {limit.per for limit in found} == {"project_day"}


@pytest.mark.parametrize(
    ("spending", "said"),
    [
        (5, "spending must be an object with daily_tokens and daily_usd"),
        ({"tokens": 5}, "spending has 'tokens'; it can have daily_tokens and daily_usd"),
        ({"daily_tokens": 1.5}, "spending.daily_tokens is '1.5'; it must be a whole number from 0"),
        ({"daily_tokens": True}, "spending.daily_tokens is 'True'"),
        ({"daily_usd": -1}, "spending.daily_usd is '-1'; it must be a number from 0, or null"),
        ({"daily_usd": float("nan")}, "spending.daily_usd is 'nan'"),
        ({"daily_usd": "5"}, "spending.daily_usd is '5'"),
    ],
    ids=str,
)
def test_what_is_no_limit_is_refused(spending, said):
    with pytest.raises(InvalidInputError) as caught:
        parse_project_limits(spending)
    assert said in str(caught.value)


@given(
    st.lists(st.sampled_from([call(), settled(call()), settled(call(), micros=None, outcome="failed")])),
    st.integers(0, 9),
)
def test_totals_of_parts_add_up_to_that_of_the_whole(calls, place):
    assert total(calls[:place]) + total(calls[place:]) == total(calls)


def test_what_is_left_of_a_limit_is_never_below_zero():
    limits = [most(150, micros=90), most(60, micros=None), most(micros=70)]
    left = [Standing(limit=limit, spent=total([call()])).left for limit in limits]
    assert [(one.tokens, one.micros) for one in left] == [(50, 0), (0, None), (None, 0)]
    assert Standing(limit=limits[0], spent=None).left == limits[0]
