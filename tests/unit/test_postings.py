"""Which chunk holds which term how often."""

from __future__ import annotations

from unittest import mock

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kept.engine import postings as module
from kept.engine.postings import Postings

TERMS = (0, 1, 7, 2**31, 2**32 - 1)
BATCHES = st.lists(
    st.lists(st.dictionaries(st.sampled_from(TERMS), st.integers(1, 255), max_size=4), max_size=5), max_size=8
)


def filled(batches):
    """The postings after appending batches of chunks, and the same as a plain dictionary."""
    made, model, chunk = Postings(), {}, 0
    for batch in batches:
        terms, chunks, tf = [], [], []
        for counts in batch:
            for term, times in counts.items():
                terms.append(term)
                chunks.append(chunk)
                tf.append(times)
                model.setdefault(term, []).append((chunk, float(times)))
            chunk += 1
        made.append(np.array(terms, np.uint32), np.array(chunks, np.int32), np.array(tf, np.uint8))
    return made, model


def read(made, terms):
    """Term → chunks and how often, as one call finds them."""
    found = made.find(terms)
    read = {term: [] for term in terms}
    for place, chunk, tf in zip(found.term.tolist(), found.chunks.tolist(), found.tf.tolist(), strict=True):
        read[terms[place]].append((chunk, tf))
    return read


@given(BATCHES, st.sampled_from([0, 3, 10_000]))
def test_finding_gives_every_chunk_in_order_whenever_the_tail_is_merged(batches, tail):
    """Merging after each append, now and then, or never gives the same answers."""
    with mock.patch.object(module, "_TAIL_POSTINGS", tail):
        made, model = filled(batches)
        asked = (*TERMS, 3)
        assert read(made, asked) == {term: model.get(term, []) for term in asked}


def test_nothing_is_found_in_nothing():
    """An empty partition answers too."""
    found = Postings().find([5])
    assert (found.chunks.size, found.tf.size, found.tf.dtype) == (0, 0, np.float32)


def test_nothing_is_found_of_no_terms():
    """A query of stop words asks for none."""
    made, _ = filled([[{1: 1}]])
    assert made.find([]).chunks.size == 0


def test_merging_does_not_lose_the_account_of_memory():
    """The byte budget counts main part and tail alike."""
    batches = [[{1: 1, 7: 2}] * 100] * 3
    with mock.patch.object(module, "_TAIL_POSTINGS", 0):
        merged, _ = filled(batches)
    tail, _ = filled(batches)
    assert merged.size_bytes > 600 * 5
    assert tail.size_bytes > 600 * 5


@given(BATCHES, st.sampled_from([0, 3, 10_000]))
def test_counting_agrees_with_finding(batches, tail):
    """Of many terms at once, known or not."""
    with mock.patch.object(module, "_TAIL_POSTINGS", tail):
        made, model = filled(batches)
        asked = np.array((*TERMS, 3), np.uint32)
        assert made.count(asked).tolist() == [len(model.get(term, ())) for term in asked.tolist()]
