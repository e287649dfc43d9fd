"""The log's meaning: what folds to what."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.history import (
    Revision,
    apply,
    blank,
    checksum,
    difference,
    encode_changes,
    fold,
    from_microseconds,
    permits,
    to_changes,
    to_microseconds,
)
from kept.domain.memory import EntityRef, Relation
from kept.domain.scope import Scope
from kept.errors import StoreCorruptError
from kept.testing.fakes import START, record, revision

MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "text": WORDS,
        "state": st.sampled_from(["active", "superseded", "invalidated", "deleted"]),
        "metadata": st.dictionaries(WORDS, st.none() | st.integers() | WORDS | st.lists(WORDS), max_size=2),
        "categories": st.lists(WORDS, max_size=2).map(tuple),
        "entity_refs": st.lists(st.builds(EntityRef, name=WORDS, kind=WORDS, key=WORDS), max_size=2).map(tuple),
        "relations": st.lists(st.builds(Relation, source=WORDS, relationship=WORDS, target=WORDS), max_size=2).map(
            tuple
        ),
        "supersedes": st.lists(WORDS, max_size=2).map(tuple),
        "created_at": MOMENTS,
        "valid_from": st.none() | MOMENTS,
        "valid_to": st.none() | MOMENTS,
        "expires_on": st.none() | st.dates(),
        "superseded_by": st.none() | WORDS,
        "reinforced": st.integers(0, 9),
        "immutable": st.booleans(),
        "feedback": st.sampled_from([None, "POSITIVE"]),
    },
)
LIVES = st.lists(FIELDS, max_size=6)


def life(first, edits):
    """The revisions of a memory that was edited step by step, and the memory after each."""
    revisions, states = [revision(first)], [first]
    for step, fields in enumerate(edits, start=2):
        after = replace(states[-1], seq=step, **fields)
        changes = json.loads(encode_changes(difference(states[-1], after)))
        revisions.append(
            Revision(
                seq=step,
                memory_id=first.id,
                op="update",
                operation_id=f"o{step}",
                recorded_at=START,
                changes=changes,
            )
        )
        states.append(after)
    return revisions, states


@given(FIELDS, LIVES)
def test_folding_the_log_gives_the_current_state(fields, edits):
    """Through the stored form, for every field, and back to every earlier state."""
    revisions, states = life(record(**fields), edits)
    assert fold(revisions) == states[-1]
    for upto in range(1, len(states) + 1):
        assert fold(revisions[:upto]) == states[upto - 1]


@given(LIVES)
def test_applying_a_revision_twice_is_applying_it_once(edits):
    """A projection may see a revision again."""
    revisions, states = life(record(), edits)
    current = fold(revisions)
    assert all(apply(current, again) == states[-1] for again in revisions)


@given(FIELDS)
def test_the_first_revision_holds_the_whole_memory(fields):
    """Nothing is lost between a memory and its stored form."""
    first = record(**fields)
    assert fold([replace(revision(first), changes=json.loads(encode_changes(to_changes(first))))]) == first


def test_no_difference_sets_nothing():
    """A revision holds what changed and nothing else."""
    assert difference(record(), record()) == {}
    assert difference(record(), record(feedback="POSITIVE")) == {"feedback": "POSITIVE"}


@pytest.mark.parametrize(
    "field", [{"metadata": {"a": 1}}, {"categories": ("x",)}, {"expires_on": date(2026, 1, 2)}, {"valid_to": START}]
)
def test_emptying_a_field_is_a_change_like_any_other(field):
    """Undo must be able to take away what an update gave."""
    (name,) = field
    changes = difference(record(**field), record())
    assert changes[name] is None
    emptied = apply(record(**field), revision(record(), seq=2, op="update", changes=changes))
    assert emptied == record(seq=2)


@given(FIELDS, LIVES)
def test_an_erased_memory_keeps_its_id_its_owner_and_its_times_only(fields, edits):
    """The tombstone folds from the blanked log too."""
    first = record(**fields, scope=Scope(project="p", user_id="u", run_id="r"))
    revisions, states = life(first, edits)
    last = replace(
        revision(states[-1], seq=len(revisions) + 1, op="erase"), changes=to_changes(states[-1]) | {"state": "erased"}
    )
    tombstone = fold(map(blank, [*revisions, last]))
    assert tombstone == apply(states[-1], blank(last))
    bare = record("", id=first.id, hash="", scope=first.scope, seq=last.seq, state="erased")
    times = {name: getattr(tombstone, name) for name in ("created_at", "updated_at", "recorded_at")}
    assert tombstone == replace(bare, **times)


def test_blanking_leaves_no_word_of_what_was_said():
    """Of any field."""
    said = record(
        "Canary",
        metadata={"Canary": "Canary"},
        categories=("Canary",),
        speaker="Canary",
        entity_refs=(EntityRef(name="Canary", kind="Canary", key="Canary"),),
        relations=(Relation(source="Canary", relationship="Canary", target="Canary"),),
    )
    assert "Canary" not in encode_changes(blank(revision(said)).changes)


@pytest.mark.parametrize("op", ["update", "delete", "restore", "reinforce"])
def test_a_log_that_does_not_begin_with_an_add_is_corrupt(op):
    """A revision went missing."""
    with pytest.raises(StoreCorruptError, match=op):
        fold([revision(record(), op=op)])


def test_a_revision_of_another_memory_is_corrupt():
    """Two memories never share a log."""
    with pytest.raises(StoreCorruptError, match="belongs to"):
        apply(record(), revision(record(id="other"), seq=2, op="update"))


@given(MOMENTS, MOMENTS)
def test_stored_times_are_exact_and_in_order(left, right):
    """To the microsecond, from the year 1 to 9999."""
    assert from_microseconds(to_microseconds(left)) == left
    assert (to_microseconds(left) < to_microseconds(right)) == (left < right)


@given(st.dictionaries(WORDS, st.integers() | WORDS, max_size=4))
def test_the_stored_form_does_not_depend_on_the_order_of_keys(changes):
    """The same changes have one checksum."""
    assert encode_changes(changes) == encode_changes(dict(reversed(changes.items())))


@pytest.mark.parametrize(
    "other",
    [
        {"seq": 2},
        {"memory_id": "other"},
        {"op": "update"},
        {"operation_id": "other"},
        {"recorded_at": START + timedelta(microseconds=1)},
    ],
)
def test_a_checksum_covers_every_field(other):
    """A changed byte anywhere is noticed."""
    first = revision(record())
    encoded = encode_changes(first.changes)
    assert checksum(first, encoded) != checksum(replace(first, **other), encoded)
    assert checksum(first, encoded) != checksum(first, encoded + " ")
    assert checksum(first, encoded) == checksum(replace(first), encoded)


@pytest.mark.parametrize("immutable", [True, False])
@pytest.mark.parametrize(
    ("op", "changes_what_was_said"),
    [
        ("update", True),
        ("supersede", True),
        ("invalidate", True),
        ("expire", True),
        ("delete", True),
        ("reinforce", False),
        ("feedback", False),
        ("restore", False),
        ("erase", False),
    ],
)
def test_an_immutable_memory_permits_what_changes_nothing_said_and_an_erase(op, changes_what_was_said, immutable):
    """Any other memory permits all."""
    assert permits(record("tea", immutable=immutable), op) is not (immutable and changes_what_was_said)
