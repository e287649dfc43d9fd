"""The fakes keep the promises of the ports they stand in for."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import numpy as np
import pytest

from kept.domain.history import fold
from kept.domain.memory import text_hash
from kept.testing.fakes import START, FakeEmbedder, FixedClock, SequentialIds, record, revision


def test_embeddings_are_unit_rows_in_input_order():
    embedder = FakeEmbedder(dimensions=16)
    vectors = embedder.embed_documents(["tea", "Alice likes green tea", "coffee"])
    assert vectors.shape == (3, 16)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.array_equal(vectors[1], embedder.embed_query("Alice likes green tea"))
    assert str(embedder.identity) == "fake:16:l2"


def test_a_blank_text_has_a_zero_row():
    assert not FakeEmbedder().embed_documents(["", " \n?!"]).any()


def test_no_texts_give_no_rows():
    assert FakeEmbedder().embed_documents([]).shape == (0, 32)


def test_texts_that_share_words_are_near():
    embedder = FakeEmbedder(dimensions=256)
    question = embedder.embed_query("who likes tea")
    near, far = embedder.embed_documents(["Alice likes tea", "The train leaves at nine"]) @ question
    assert near > 0.5 > abs(far)


def test_embeddings_are_the_same_in_every_process(start_python):
    script = (
        "from kept.testing.fakes import FakeEmbedder; print(FakeEmbedder().embed_query('green tea').tobytes().hex())"
    )
    output, _ = start_python(script).communicate()
    assert output.strip() == FakeEmbedder().embed_query("green tea").tobytes().hex()


def test_a_clock_stands_still_until_it_is_moved():
    clock = FixedClock()
    assert [clock(), clock()] == [START, START]
    clock.advance(timedelta(hours=1))
    assert clock() == START + timedelta(hours=1)
    clock.now = START
    assert clock() == START


def test_a_ticking_clock_moves_at_every_look():
    clock = FixedClock(tick=timedelta(seconds=2))
    assert [clock(), clock()] == [START, START + timedelta(seconds=2)]


def test_ids_are_uuids_in_order_and_series_do_not_meet():
    ids, others = SequentialIds(), SequentialIds(1)
    made = [ids() for _ in range(20)]
    assert made == sorted(made)
    assert [str(UUID(name)) for name in made] == made
    assert not set(made) & {others() for _ in range(20)}


def test_a_built_revision_folds_to_its_record():
    memory = record("Bob likes coffee.", metadata={"a": [1]})
    assert memory.hash == text_hash("Bob likes coffee.")
    assert fold([revision(memory)]) == memory


def test_the_network_is_out_of_reach():
    import socket

    with socket.socket() as connection, pytest.raises(ConnectionRefusedError, match="network"):
        connection.connect(("192.0.2.1", 80))
