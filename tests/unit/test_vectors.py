"""Similarities: exact in small partitions, from codes in large ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kept.engine import vectors as module
from kept.engine.vectors import Vectors, dot


def unit(rows, dimensions, seed=0):
    found = np.random.default_rng(seed).standard_normal((rows, dimensions)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def stored(values, *, batch=64):
    """Vectors that hold `values`, appended in parts."""
    made = Vectors(values.shape[1])
    for start in range(0, len(values), batch):
        made.append([row.astype("<f2").tobytes() for row in values[start : start + batch]])
    return made


@pytest.fixture
def coded(monkeypatch):
    """Vectors are coded above a hundred rows."""
    monkeypatch.setattr(module, "EXACT_ROWS", 100)


@given(arrays.arrays(np.float32, (5, 16), elements=st.floats(-1, 1, width=16)))
def test_up_to_the_limit_every_similarity_is_the_dot_product(values):
    """Of the vectors as stored, in half precision."""
    made = stored(values, batch=2)
    assert made.is_exact
    assert np.allclose(made.similarities(values[0]), values @ values[0], atol=1e-5)
    assert np.array_equal(made.at(np.array([4, 0])), values[[4, 0]])


@pytest.mark.parametrize("dimensions", [8, 64, 100, 256])
@pytest.mark.usefixtures("coded")
def test_coded_and_exact_vectors_agree_on_the_top_hits(dimensions):
    """With a whole shortlist only int8 rounding remains."""
    values, query = unit(1_000, dimensions), unit(1, dimensions, seed=1)[0]
    made = stored(values)
    assert not made.is_exact
    exact, found = values @ query, made.similarities(query)
    assert np.allclose(exact, found, atol=0.02)
    assert set(np.argsort(-exact)[:5]) <= set(np.argsort(-found)[:10])


@pytest.mark.usefixtures("coded")
def test_signs_bring_the_nearest_rows_onto_the_shortlist():
    """A tenth of the rows is looked at, and the best are among them."""
    values = unit(2_000, 256)
    made = stored(values)
    for seed, place in enumerate(range(0, 2_000, 250)):
        query = values[place] + 0.8 * unit(1, 256, seed=100 + seed)[0]
        query /= np.linalg.norm(query)
        found = made.similarities(query.astype(np.float32), shortlist=200)
        assert int(np.argmax(found)) == place
        assert np.count_nonzero(found) >= 200


@pytest.mark.usefixtures("coded")
def test_crossing_the_limit_keeps_what_was_appended_before():
    """The rows that were exact are coded like the rest."""
    values = unit(150, 64)
    before, after = stored(values[:100]), stored(values)
    assert before.is_exact
    assert not after.is_exact
    assert after.rows == 150
    assert np.allclose(before.at(np.arange(100)), after.at(np.arange(100)), atol=0.01)


@pytest.mark.usefixtures("coded")
def test_a_blank_vector_is_near_nothing():
    """A text without a word has a zero vector; coding it divides by nothing."""
    values = unit(120, 64)
    values[7] = 0
    assert stored(values).similarities(unit(1, 64, seed=3)[0])[7] == 0
    assert not np.isnan(stored(values).at(np.arange(120))).any()


@pytest.mark.usefixtures("coded")
def test_codes_take_a_third_of_the_memory():
    """That is what they are for."""
    values = unit(3_000, 256)
    coded_bytes = stored(values).size_bytes
    assert coded_bytes < 3_000 * 256 * 4 / 2


def test_an_empty_partition_has_no_similarities():
    """And no error."""
    assert Vectors(16).similarities(np.zeros(16, np.float32)).shape == (0,)


@given(arrays.arrays(np.float32, (3, 8), elements=st.floats(-1, 1, width=16)))
def test_the_single_threaded_product_is_the_product(values):
    """To rounding."""
    assert np.allclose(dot(values, values[0]), values @ values[0], atol=1e-5)
