"""Memories to index entries."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.lexicon import pack_dates, pack_entities, pack_terms
from kept.domain.memory import EntityRef
from kept.engine.indexing import TERMS_VERSION, Indexer
from kept.testing.fakes import START, FakeEmbedder

TEXTS = st.lists(st.sampled_from(["I drink tea", "Do you?", "", "Paris in May", "日本"]), max_size=6)


def test_the_identity_names_the_embedder_and_the_terms():
    """Entries of another model, or with terms of another making, are not used."""
    assert Indexer(FakeEmbedder(32)).identity == f"fake:32:l2:terms{TERMS_VERSION}"
    assert Indexer(FakeEmbedder(64)).identity != Indexer(FakeEmbedder(32)).identity


@given(TEXTS)
def test_entries_come_in_the_order_of_the_texts(texts):
    """Each as if it had been made alone."""
    indexer = Indexer(FakeEmbedder(32))
    together = indexer.entries(texts, [()] * len(texts), [START] * len(texts), project="default")
    assert together == [indexer.entries([text], [()], [START], project="default")[0] for text in texts]


def test_an_entry_holds_a_half_precision_vector_terms_entities_and_dates():
    """In the layouts that the partition reads."""
    mentioned = [EntityRef(name="Paris", kind="place", key="paris")]
    (entry,) = Indexer(FakeEmbedder(32)).entries(["Paris in May"], [mentioned], [START], project="default")
    vector = np.frombuffer(entry.embedding, "<f2")
    assert vector.shape == (32,)
    assert np.allclose(vector, FakeEmbedder(32).embed_query("Paris in May"), atol=1e-3)
    assert entry.terms == pack_terms("Paris in May")
    assert entry.entities == pack_entities(["paris"])
    assert entry.dates == pack_dates("Paris in May", START)


def test_nothing_to_index_asks_no_embedder():
    """An update of a date needs no model."""
    assert Indexer(None).entries([], [], [], project="default") == []
