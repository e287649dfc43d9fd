"""The blobs of an index entry."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.lexicon import (
    HAS_NUMBER,
    HAS_TIME,
    HASH_BYTES,
    IS_QUESTION,
    MAX_CHUNKS,
    MAX_SPANS,
    OF_SELF,
    POSTING_BYTES,
    SPAN_BYTES,
    TO_YOU,
    flags,
    is_finite,
    layout_fault,
    pack_dates,
    pack_entities,
    pack_terms,
    posting_type,
)
from kept.domain.text import chunks, hashed_terms, term_hash

SAID = datetime(2025, 5, 10, tzinfo=UTC)
TEXTS = st.lists(
    st.sampled_from(["tea", "Berlin", "the", "deploy", "v1.2", "日本", "née", "🍏", "."]), max_size=30
).map(" ".join)


def postings(text):
    """The postings of a text as (chunk, term) → occurrences."""
    found = np.frombuffer(pack_terms(text), posting_type())
    return {(int(row["chunk"]), int(row["term"])): int(row["tf"]) for row in found}


@given(TEXTS)
def test_postings_count_each_term_of_each_chunk(text):
    """Nothing else is in them."""
    expected = {
        (number, term): tf
        for number, chunk in enumerate(chunks(text))
        for term, tf in Counter(hashed_terms(chunk)).items()
    }
    assert postings(text) == expected


@given(TEXTS)
def test_the_same_text_packs_to_the_same_bytes(text):
    """`verify` compares them."""
    assert pack_terms(text) == pack_terms(text)
    assert len(pack_terms(text)) % posting_type().itemsize == 0


def test_occurrences_stop_at_what_a_byte_holds():
    """A word said a thousand times counts as said 255 times."""
    assert set(postings("tea " * 300).values()) <= set(range(1, 256))
    assert postings("tea " * 40)[0, hashed_terms("tea")[0]] == 40


def test_chunks_of_a_very_long_text_are_numbered_in_a_byte():
    """What lies beyond counts towards the last."""
    text = "\n\n".join(
        f"Paragraph {n} speaks of topic{n} at length, with words enough to fill a line." for n in range(4_000)
    )
    numbers = {chunk for chunk, _ in postings(text)}
    assert max(numbers) == MAX_CHUNKS
    assert (MAX_CHUNKS, hashed_terms("topic3999")[0]) in postings(text)


@pytest.mark.parametrize("text", ["", " ", "!?", "\n"])
def test_a_text_without_words_has_no_postings(text):
    """And is no error."""
    assert pack_terms(text) == b""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Where does Zoë live?", IS_QUESTION),
        ('"Where?" ', IS_QUESTION),
        ("どこですか？", IS_QUESTION),
        ("Zoë lives here.", 0),
        ("Is it? Yes.", 0),
        ("They met last May.", HAS_TIME),
        ("Shall they meet tomorrow?", HAS_TIME | IS_QUESTION),
        ("My house is old.", OF_SELF),
        ("Is it yours?", TO_YOU | IS_QUESTION),
        ("I met you.", OF_SELF | TO_YOU),
        ("It has 3 rooms.", HAS_NUMBER),
        ("Zoë has two cats.", HAS_NUMBER),
        ("", 0),
    ],
)
def test_flags_say_what_kind_of_text_it_is(text, expected):
    """A question; one that speaks of time, of oneself, of the listener, of a number."""
    assert flags(text) == expected


@given(st.lists(st.text(max_size=5)))
def test_entities_are_distinct_rising_hashes(keys):
    """Four bytes each, whatever the order and repeats of the keys."""
    found = np.frombuffer(pack_entities(keys), "<u4").tolist()
    assert found == sorted({term_hash(key) for key in keys})
    assert pack_entities(reversed(keys)) == pack_entities(keys)


@given(TEXTS, st.integers(1, 8))
def test_what_is_packed_has_no_fault(text, dimensions):
    """And what lost its last byte has one."""
    blobs = {"embedding": b"\x00\x3c" * dimensions, "terms": pack_terms(text), "entities": pack_entities([text, "x"])}
    blobs["dates"] = pack_dates("yesterday", SAID)
    assert posting_type().itemsize == POSTING_BYTES
    assert len(blobs["entities"]) % HASH_BYTES == 0
    assert layout_fault(**blobs, dimensions=dimensions) is None
    for name, word in (("embedding", "embedding"), ("terms", "postings"), ("entities", "entities"), ("dates", "dates")):
        cut = blobs | {name: blobs[name][:-1]}
        assert cut == blobs or f"its {word}" in layout_fault(**cut, dimensions=dimensions)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("We met yesterday.", [(date(2025, 5, 9), date(2025, 5, 9))]),
        ("From 3 May 2025 on, all June 2025.", [(date(2025, 5, 3),) * 2, (date(2025, 6, 1), date(2025, 6, 30))]),
        ("We met.", []),
    ],
)
def test_dates_are_first_and_last_days_in_the_order_of_the_text(text, days):
    """Relative ones count from when it was said."""
    packed = np.frombuffer(pack_dates(text, SAID), "<i4").reshape(-1, 2).tolist()
    assert packed == [[first.toordinal(), last.toordinal()] for first, last in days]


def test_a_pasted_calendar_keeps_its_first_days():
    """It would be near every date."""
    calendar = " ".join(f"2025-05-{day:02}" for day in range(1, 29))
    assert len(pack_dates(calendar, SAID)) == MAX_SPANS * SPAN_BYTES


@pytest.mark.parametrize(
    ("value", "finite"), [(1.5, True), (0, True), (np.inf, False), (-np.inf, False), (np.nan, False)]
)
def test_an_embedding_is_of_finite_numbers(value, finite):
    """One that is none is enough."""
    assert is_finite(np.array([0.5, value], "<f2").tobytes()) is finite
