"""Which memories are looked at closely, and what is known of each."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain import ranking
from kept.domain.entities import KnownNames
from kept.domain.scope import Scope
from kept.engine import candidates as module
from kept.engine import vectors
from kept.engine.candidates import MAX_TERMS, Candidates, _best, ask
from kept.engine.indexing import Indexer
from kept.engine.partition import ResidentPartition, code
from kept.engine.vectors import Vectors
from kept.testing.fakes import START, FakeEmbedder

EMBEDDER = FakeEmbedder(64)
NOBODY = KnownNames([])
LONG = "\n\n".join(f"Part {n} of a long note speaks of tea and of topic{n}, at some length." for n in range(40))


def loaded(engine):
    partition = ResidentPartition(64)
    partition.refresh(engine.log.partition_rows(1, 0, Indexer(EMBEDDER).identity))
    return partition


def candidates(partition, query, *, admitted=None, wanted=10, known=NOBODY):
    allowed = partition.column("live").copy() if admitted is None else admitted
    return Candidates(partition, ask(query, START, known, EMBEDDER), allowed, wanted)


def test_names_are_taken_out_of_a_question_before_it_is_embedded():
    """They are matched exactly; an embedder would spend its similarity on them."""
    question = ask("What does Zoë drink?", START, KnownNames(["Zoë", "Bob"]), EMBEDDER)
    assert question.speakers == (code("Zoë"),)
    assert np.allclose(question.vector, ask("What does drink?", START, NOBODY, EMBEDDER).vector)
    assert question.terms == ask("What does drink?", START, NOBODY, EMBEDDER).terms


def test_dates_of_a_question_count_from_the_reference():
    """And it is known whether a time is asked for."""
    question = ask("When was I in Oslo yesterday?", START, NOBODY, EMBEDDER)
    (span,) = question.dates
    assert span.start == (START - timedelta(days=1)).date()
    assert question.asks_when
    assert not ask("Where was I?", START, NOBODY, EMBEDDER).asks_when


@pytest.mark.parametrize(
    "query", ["tea", "why?", "🍏", "日本", "the", "x" * 5_000, " ".join(f"word{n}" for n in range(900))]
)
def test_every_feature_is_known_of_every_candidate(engine, query):
    """A number, whatever is asked."""
    engine.say("I drink tea", "Do you?", "日本 is far", "")
    found = candidates(loaded(engine), query)
    features = found.features()
    assert set(features) == {feature.name for feature in ranking.FEATURES}
    for name, values in features.items():
        assert values.shape == found.slots.shape, name
        assert np.isfinite(values).all(), name


@given(st.sets(st.integers(0, 29)), st.integers(1, 40))
def test_only_what_is_admitted_is_a_candidate(make_engine, admitted, wanted):
    """And all that is admitted, when that many are wanted."""
    engine = make_engine()
    engine.say(*(f"note {n} about tea" for n in range(30)))
    partition = loaded(engine)
    allowed = np.zeros(partition.slots, np.bool_)
    allowed[list(admitted)] = True
    slots = candidates(partition, "tea note 3", admitted=allowed, wanted=wanted).slots.tolist()
    assert slots == sorted(set(slots) & admitted)
    assert len(slots) >= min(wanted, len(admitted))


def test_a_match_by_words_alone_is_a_candidate_among_many(engine):
    """Each signal brings its own best."""
    engine.say(*(f"note {n} about tea and cake" for n in range(600)), "The zeppelin landed")
    partition = loaded(engine)
    assert 600 in candidates(partition, "tea and cake zeppelin", wanted=1).slots


def test_a_neighbour_of_a_match_is_a_candidate_among_many(engine):
    """The answer may share no word with the question."""
    engine.say(*(f"note {n} about tea and cake" for n in range(600)))
    engine.say("When did the zeppelin land?", "On a Sunday", scope=Scope(user_id="alice", run_id="r"))
    assert 601 in candidates(loaded(engine), "zeppelin land", wanted=1).slots


def test_a_pasted_log_costs_no_more_than_its_rarest_terms(engine):
    """The rare word among thousands of common ones still counts."""
    engine.say(*(f"common{n % 90} words {n}" for n in range(300)), "The zeppelin landed")
    partition = loaded(engine)
    query = " ".join([*(f"common{n}" for n in range(90)), "zeppelin"])
    found = candidates(partition, query)
    assert len(found._rarity) == MAX_TERMS
    best = found.slots[np.argmax(found.features()["rarest"])]
    assert best == 300


def test_spreading_terms_a_few_at_a_time_changes_nothing(engine, monkeypatch):
    """A large partition has no room for all of them at once."""
    engine.say("When did the zeppelin land?", "On a Sunday", "I drink tea", "tea and cake again", LONG)
    partition, query = loaded(engine), "zeppelin land tea cake topic7"
    whole = candidates(partition, query).features()
    monkeypatch.setattr(module, "BUFFER_VALUES", 1)
    for name, values in candidates(partition, query).features().items():
        assert values.tolist() == whole[name].tolist(), name


def test_a_large_partition_compares_embeddings_within_rounding(engine, monkeypatch):
    """Also those of candidates and neighbours that were not on the shortlist."""
    engine.say(*(f"note {n} about tea and cake" for n in range(40)))
    exact = candidates(loaded(engine), "cake 7").features()
    monkeypatch.setattr(vectors, "EXACT_ROWS", 10)
    monkeypatch.setattr(Vectors.similarities, "__defaults__", (5,))
    coded = candidates(loaded(engine), "cake 7").features()
    for name in ("dense", "surroundings"):
        assert np.allclose(coded[name], exact[name], atol=0.02), name


def test_a_term_that_everybody_uses_tells_no_session_apart(engine, monkeypatch):
    """It would cost more than all others together."""
    engine.say("tea for two", "cake")
    engine.say("tea for three", "zeppelin")
    partition = loaded(engine)
    monkeypatch.setattr(module, "SESSION_POSTINGS", 1)
    session = candidates(partition, "tea zeppelin").features()["session"]
    assert session[1] <= 0
    assert session[2] > 0


@given(
    st.lists(st.floats(-1, 1, width=32), max_size=300),
    st.integers(1, 20),
    st.sampled_from([-1.0, 0.0, 0.5]),
    st.sampled_from([0, module.FEW_ROWS]),
)
def test_the_best_are_the_greatest_above_the_bar(values, count, above, few):
    """As a whole sort would find them, among few and among many."""
    signal = np.array(values, np.float32)
    with mock.patch.object(module, "FEW_ROWS", few):
        found = sorted(signal[_best(signal, count, above=above)].tolist(), reverse=True)
    assert found == sorted((value for value in signal.tolist() if value > above), reverse=True)[:count]
