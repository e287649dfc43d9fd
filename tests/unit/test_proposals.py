"""What could be said in fewer memories, found by rule: what is a repeat and what only looks like one."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.entities import entity_refs
from kept.domain.memory import Relation
from kept.domain.proposals import (
    CLOSED_DAYS,
    EXPIRED_DAYS,
    LEAST_SHOWN,
    MOST_CLUSTERED,
    MOST_TOGETHER,
    Proposed,
    clusters,
    conflicts,
    forgettable,
    merges,
)
from kept.domain.scope import Scope
from kept.testing.fakes import START, record


def memory(text, number=1, **fields):
    """A memory that the user said, so many hours after `START`."""
    given = {"id": f"m{number}", "key": number, "created_at": START + timedelta(hours=number)}
    given |= {"role": "user", "speaker": "Ana", "entity_refs": entity_refs(text)}
    return record(text, **(given | fields))


def memories(*texts):
    return [memory(text, number) for number, text in enumerate(texts, 1)]


def near(records, similarity=0.9):
    """All of them are near each other."""
    return [(left, right, similarity) for left, right in combinations(range(len(records)), 2)]


def merged(*records, similarity=0.9):
    """What would be closed, by what stays in its place."""
    return {one.keeps: one.memory_ids for one in merges(records, near(records, similarity))}


# --- repeats ---


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I live in Lisbon near the river.", "I live in Lisbon, near the river!"),
        ("I live in Lisbon near the river", "I'm living in Lisbon near a river."),
        ("I do not drink coffee after lunch.", "I don't drink coffee after lunch!"),
        ("Ana lives in Lisbon near the river", "ana lives in LISBON near the river"),
    ],
)
def test_the_same_words_are_a_repeat_and_the_newer_stays(one, other):
    """But for case, marks and small words."""
    assert merged(*memories(one, other)) == {"m2": ("m1",)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The meal costs NGN 5,000 to 10,000 a person.", "The meal costs NGN 8,000 to 15,000 a person."),
        ("I like strong black tea.", "I don't like strong black tea."),
        ("Ana is taller than Bob Miller.", "Bob Miller is taller than Ana."),
        ("I moved to Lisbon last summer.", "I moved to Porto last summer."),
        ("Deploys run at 9 AM on weekdays.", "Deploys run at 10 AM on weekdays."),
        ("Where is the river near Lisbon?", "Where is the river near Lisbon?"),
    ],
)
@pytest.mark.parametrize("similarity", [0.9, 1.0])
def test_what_differs_in_a_number_a_name_a_denial_or_an_order_is_no_repeat(one, other, similarity):
    """However near. Nor are questions."""
    assert merged(*memories(one, other), similarity=similarity) == {}


def test_a_memory_that_is_said_whole_in_another_is_a_repeat_and_the_longer_stays():
    """Also when the longer is older."""
    texts = (
        "I live in Lisbon near the river.",
        "I live near the river in Lisbon",
        "I live in Lisbon near the river with two cats.",
    )
    assert merged(*memories(texts[2], texts[0])) == {"m1": ("m2",)}
    assert merged(*memories(texts[2], texts[1])) == {}


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("Two cats.", "I live with two cats."),
        ("I live in Lisbon near the river.", "I never said that I live in Lisbon near the river."),
        (
            "I live in Lisbon near the river.",
            "I live in Lisbon near the river, own a boat, sail to Madeira each spring and write about it.",
        ),
    ],
    ids=["too few words", "denied", "much longer"],
)
def test_what_stands_in_another_by_chance_is_no_repeat(short, long):
    assert merged(*memories(short, long)) == {}


def test_nearly_the_same_words_are_a_repeat_when_they_are_very_near():
    one, other = "Highlight the advantages for customers.", "Highlight the key advantages for customers."
    assert merged(*memories(one, other), similarity=0.97) == {}
    assert merged(*memories(one, other), similarity=0.98) == {"m2": ("m1",)}


def test_the_same_day_in_words_is_another_day_when_it_is_said_another_day():
    text = "The review of the design is tomorrow."
    assert merged(memory(text, 1), memory(text + "!", 2)) == {"m2": ("m1",)}
    assert merged(memory(text, 1), memory(text + "!", 2, created_at=START + timedelta(days=1))) == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"scope": Scope(user_id="bob")},
        {"scope": Scope(user_id="alice", agent_id="planner")},
        {"speaker": "Bob"},
        {"role": "assistant"},
        {"state": "superseded"},
        {"state": "deleted"},
        {"kind": "code"},
    ],
    ids=str,
)
def test_only_current_statements_of_one_speaker_under_the_same_ids_are_merged(fields):
    text = "I live in Lisbon near the river."
    assert merged(memory(text, 1), memory(text + "!", 2, **fields)) == {}


def test_people_say_the_same_in_several_runs():
    runs = [Scope(user_id="alice", run_id=run) for run in ("a", "b")]
    records = [memory("I live in Lisbon near the river.", number, scope=run) for number, run in enumerate(runs, 1)]
    assert merged(*records) == {"m2": ("m1",)}


def test_a_fact_and_the_words_that_it_was_taken_from_belong_together():
    text = "I live in Lisbon near the river."
    fact = memory(text, 2, kind="fact", episode_id="e", position=0)
    assert merged(memory(text, 1, episode_id="e", position=0), fact) == {}
    assert merged(memory(text, 1, episode_id="e", position=2), fact) == {"m2": ("m1",)}
    assert merged(memory(text, 1, episode_id="other", position=0), fact) == {"m2": ("m1",)}


def test_what_was_said_more_often_stays():
    text = "I live in Lisbon near the river."
    assert merged(memory(text, 1, reinforced=3), memory(text, 2)) == {"m1": ("m2",)}


def test_an_immutable_memory_is_not_closed():
    text = "I live in Lisbon near the river."
    assert merged(memory(text, 1, immutable=True), memory(text, 2)) == {}
    assert merged(memory(text, 1), memory(text, 2, immutable=True)) == {"m2": ("m1",)}


_TEXTS = (
    "I live in Lisbon near the river.",
    "I live in Lisbon near the river, with cats.",
    "I don't live in Lisbon near the river.",
    "I live in Lisbon, near the river!",
    "The API listens on port 80.",
)


@given(
    st.lists(
        st.tuples(st.sampled_from(_TEXTS), st.sampled_from(["Ana", "Bob"]), st.booleans(), st.integers(0, 2)),
        max_size=8,
    )
)
def test_each_memory_is_closed_once_and_what_stays_is_not_closed(said):
    """Nor is anything immutable, or another speaker's."""
    records = [
        memory(text, number, speaker=speaker, immutable=immutable, reinforced=reinforced)
        for number, (text, speaker, immutable, reinforced) in enumerate(said)
    ]
    by_id = {one.id: one for one in records}
    proposed = merges(records, near(records, 1.0))
    closed = [memory_id for one in proposed for memory_id in one.memory_ids]
    assert len(closed) == len(set(closed))
    assert not {one.keeps for one in proposed} & set(closed)
    assert not any(by_id[memory_id].immutable for memory_id in closed)
    assert all(by_id[memory_id].speaker == by_id[one.keeps].speaker for one in proposed for memory_id in one.memory_ids)


# --- conflicts ---


def test_what_likely_cannot_both_hold_is_found_and_the_later_stays():
    (found,) = conflicts(
        records := memories("The API listens on port 8080.", "The API listens on port 9090."), near(records)
    )
    assert (found.kind, found.keeps, found.memory_ids) == ("supersede", "m2", ("m1",))


def test_what_states_the_same_relationship_is_compared_however_far_the_words_are():
    lives = [Relation(source="ana", relationship="lives_in", target=city) for city in ("lisbon", "porto")]
    records = [
        memory("Ana lives in Lisbon.", 1, relations=lives[:1]),
        memory("Her home is Porto now.", 2, relations=lives[1:]),
    ]
    (found,) = conflicts(records, [])
    assert (found.keeps, found.memory_ids) == ("m2", ("m1",))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"immutable": True}, {}),
        ({}, {"role": "assistant", "kind": "fact"}),
        ({"role": "assistant"}, {"role": "assistant"}),
        ({"state": "superseded"}, {}),
        ({}, {"scope": Scope(user_id="bob")}),
    ],
    ids=str,
)
def test_nothing_is_closed_that_may_not_be(first, second):
    """An immutable memory, a person's by an assistant's word, what is closed already, another owner's."""
    records = [
        memory("The API listens on port 8080.", 1, **first),
        memory("The API listens on port 9090.", 2, **second),
    ]
    assert conflicts(records, near(records)) == []


# --- what is of no use ---

NOW = START + timedelta(days=1_000)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"feedback": "VERY_NEGATIVE"}, "Judged as very wrong."),
        ({"expires_on": NOW.date() - timedelta(days=EXPIRED_DAYS + 1)}, "Expired"),
        ({"state": "invalidated", "valid_to": NOW - timedelta(days=CLOSED_DAYS + 1)}, "Has not held"),
        ({"role": "assistant", "kind": "message", "text": "You're welcome!"}, "small talk"),
    ],
    ids=str,
)
def test_what_is_of_no_use_any_more_is_found(fields, why):
    (found,) = forgettable([memory(**({"text": "I live in Lisbon."} | fields))], NOW)
    assert (found.kind, found.memory_ids, found.keeps) == ("forget", ("m1",), None)
    assert why in found.why


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"feedback": "NEGATIVE"},
        {"expires_on": NOW.date() - timedelta(days=EXPIRED_DAYS)},
        {"state": "superseded", "valid_to": NOW - timedelta(days=CLOSED_DAYS)},
        {"kind": "message", "text": "You're welcome!"},
        {"role": "assistant", "kind": "message", "text": "The deploy runs at nine on weekdays."},
        {"feedback": "VERY_NEGATIVE", "immutable": True},
    ],
    ids=str,
)
def test_what_may_be_of_use_is_left(fields):
    assert forgettable([memory(**({"text": "I live in Lisbon."} | fields))], NOW) == []


def test_as_many_are_forgotten_together_as_a_person_reads_at_once():
    """Of one owner, for one reason."""
    records = [memory(f"Number {n}.", n, feedback="VERY_NEGATIVE") for n in range(MOST_TOGETHER + 1)]
    records.append(memory("Bob's.", 99, feedback="VERY_NEGATIVE", scope=Scope(user_id="bob")))
    assert [len(one.memory_ids) for one in forgettable(records, NOW)] == [MOST_TOGETHER, 1, 1]


# --- what several may show ---


def test_groups_are_of_what_one_person_said_near_a_newer_memory():
    """Each memory in one; oldest first."""
    records = [*memories(*(f"I ran {n} km along the river." for n in range(4))), memory("Bob runs.", 5, speaker="Bob")]
    (group,) = clusters(records, near(records, 0.7))
    assert [one.id for one in group] == ["m1", "m2", "m3", "m4"]
    assert clusters(records[: LEAST_SHOWN - 1], near(records[: LEAST_SHOWN - 1], 0.7)) == []
    assert clusters(records, near(records, 0.5)) == []


def test_a_group_is_no_larger_than_what_is_shown_at_once():
    records = memories(*(f"I ran {n} km along the river." for n in range(2 * MOST_CLUSTERED)))
    groups = clusters(records, near(records, 0.7))
    assert [len(group) for group in groups] == [MOST_CLUSTERED, MOST_CLUSTERED]
    assert len({one.id for group in groups for one in group}) == 2 * MOST_CLUSTERED


# --- nobody is asked twice ---


def proposed(kind, *memory_ids, keeps=None, sources=()):
    return Proposed(
        kind=kind, memory_ids=memory_ids, keeps=keeps, sources=sources, why="", text="It." if sources else None
    )


@pytest.mark.parametrize(
    ("new", "old", "is_repeat"),
    [
        (proposed("merge", "a", keeps="b"), proposed("merge", "a", keeps="b"), True),
        (proposed("merge", "b", keeps="a"), proposed("merge", "a", "c", keeps="b"), True),
        (proposed("merge", "a", keeps="c"), proposed("merge", "a", keeps="b"), False),
        (proposed("merge", "a", keeps="b"), proposed("supersede", "a", keeps="b"), False),
        (proposed("forget", "a"), proposed("forget", "a", "b"), True),
        (proposed("forget", "a", "c"), proposed("forget", "a", "b"), False),
        (proposed("generalise", sources=("a", "b", "c")), proposed("generalise", sources=("b", "c", "d")), True),
        (proposed("generalise", sources=("a", "b", "c", "d")), proposed("generalise", sources=("c", "d", "e")), False),
    ],
)
def test_what_was_proposed_before_is_known_again(new, old, is_repeat):
    assert new.repeats(old) == is_repeat
