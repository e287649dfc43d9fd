"""What becomes of a fact that a model proposes: it proposes, these rules decide."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.facts import UNCONFIRMED
from kept.domain.memory import Draft, EntityRef
from kept.domain.resolution import RELATED_SIMILARITY, SAME_SIMILARITY, Claim, decide
from kept.testing.fakes import START, record

LATER = START + timedelta(days=30)
NEW = Draft(text="Alice likes coffee.", role="user", speaker="Alice", created_at=LATER, confidence=0.9)
OLD = record("Alice likes tea.", role="user", speaker="Alice", created_at=START)


def claim(verdict, *, target=OLD, similarity=0.9):
    return Claim(target=target, verdict=verdict, similarity=similarity)


def test_without_a_claim_a_fact_is_added():
    decision = decide(NEW, [], by="model")
    assert (decision.draft.supersedes, decision.draft.repeats, decision.refused) == ((), None, ())
    assert decision.draft.why == {"by": "model"}


@pytest.mark.parametrize("verdict", ["refines", "contradicts"])
def test_what_is_said_more_exactly_or_otherwise_supersedes(verdict):
    decision = decide(NEW, [claim(verdict)], by="model")
    assert decision.draft.supersedes == (OLD.id,)
    assert decision.draft.why["supersedes"] == [{"memory_id": OLD.id, "verdict": verdict, "similarity": 0.9}]


def test_what_says_the_same_is_a_repeat_of_the_nearest():
    other = replace(OLD, id="other")
    decision = decide(NEW, [claim("same", similarity=0.7), claim("same", target=other, similarity=0.8)], by="model")
    assert decision.draft.repeats == "other"
    assert decision.draft.supersedes == ()


def test_what_the_caller_said_is_superseded_stays():
    decision = decide(replace(NEW, supersedes=("caller",)), [claim("contradicts")], by="model")
    assert decision.draft.supersedes == ("caller", OLD.id)


REFUSED = {
    "closed already": claim("contradicts", target=replace(OLD, state="superseded")),
    "immutable": claim("contradicts", target=replace(OLD, immutable=True)),
    "too little alike": claim("same", similarity=SAME_SIMILARITY - 0.01),
    "about something else": claim("contradicts", similarity=RELATED_SIMILARITY - 0.01),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_claim_is_refused_and_the_log_says_why(reason):
    decision = decide(NEW, [REFUSED[reason]], by="model")
    assert (decision.draft.supersedes, decision.draft.repeats) == ((), None)
    assert [(one.target.id, why) for one, why in decision.refused] == [(OLD.id, reason)]
    assert decision.draft.why["refused"][0]["reason"] == reason


def test_an_assistant_closes_nothing_that_a_person_said():
    assert decide(replace(NEW, role="assistant"), [claim("contradicts")], by="m").draft.supersedes == ()
    of_an_assistant = replace(OLD, role="assistant")
    assert decide(
        replace(NEW, role="assistant"), [claim("contradicts", target=of_an_assistant)], by="m"
    ).draft.supersedes


def test_a_guess_closes_nothing():
    assert decide(replace(NEW, confidence=UNCONFIRMED), [claim("contradicts")], by="m").draft.supersedes == ()
    assert decide(replace(NEW, confidence=None), [claim("contradicts")], by="m").draft.supersedes == (OLD.id,)


def test_a_shared_thing_makes_up_for_different_words_but_the_speaker_does_not():
    def about(name):
        return (EntityRef(name=name, kind="name", key=name.casefold()),)

    for name, closed in (("Rex", (OLD.id,)), ("Alice", ())):
        target = replace(OLD, entity_refs=about(name))
        decision = decide(
            replace(NEW, entity_refs=about(name)), [claim("contradicts", target=target, similarity=0.0)], by="m"
        )
        assert decision.draft.supersedes == closed


def test_what_was_true_before_is_closed_where_the_other_begins():
    told_later = replace(NEW, valid_from=START - timedelta(days=900))
    decision = decide(told_later, [claim("contradicts")], by="model")
    assert (decision.draft.supersedes, decision.draft.superseded_by) == ((), OLD.id)
    assert decision.draft.valid_to == OLD.created_at
    assert decision.draft.why["closed_by"] == [OLD.id]


@given(
    st.sampled_from(["same", "refines", "contradicts"]),
    st.floats(-1, 1),
    st.sampled_from(["user", "assistant"]),
    st.floats(0, 1),
    st.booleans(),
    st.integers(-900, 900),
)
def test_nothing_that_a_model_claims_closes_what_is_immutable_or_came_later(
    verdict, similarity, role, confidence, immutable, days
):
    target = replace(OLD, immutable=immutable)
    draft = replace(NEW, role=role, confidence=confidence, valid_from=START + timedelta(days=days))
    decision = decide(draft, [claim(verdict, target=target, similarity=similarity)], by="model")
    if decision.draft.supersedes:
        assert not immutable
        assert days >= 0
        assert role == "user"
        assert confidence > UNCONFIRMED
