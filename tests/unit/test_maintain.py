"""Changing, taking back, erasing, proving."""

# ruff: noqa: ARG005 - the calls of the table have one signature

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kept.adapters.inmemory import InMemoryLog
from kept.domain.history import fold
from kept.domain.memory import EntityRef
from kept.domain.scope import Scope
from kept.engine.maintain import By
from kept.errors import ConflictError, InvalidInputError, NotFoundError, StoreCorruptError
from kept.ports import IndexEntry, Listing
from kept.testing.fakes import START, FakeEmbedder

DAY = timedelta(days=1)
ALICE = Scope(user_id="alice")
BOB = Scope(user_id="bob")
P = "default"
UNKNOWN = "00000000-0000-4000-8000-00000000ffff"


class Interrupted(InMemoryLog):
    """Lets somebody else do something just before the next write begins."""

    meanwhile = None

    @contextmanager
    def write(self):
        act, self.meanwhile = self.meanwhile, None
        if act:
            act()
        with super().write() as transaction:
            yield transaction


class Attentive(FakeEmbedder):
    """Lets somebody else do something while it embeds."""

    meanwhile = None

    def embed_documents(self, texts):
        act, self.meanwhile = self.meanwhile, None
        if act:
            act()
        return super().embed_documents(texts)


def state(engine, memory):
    return engine.service.get(P, memory.id).state


def undo(engine, operation_id=None, scope=ALICE):
    return engine.service.undo(scope, operation_id)


def everything(engine):
    """All that is stored of memories, but when and by which revision it last changed."""
    records = engine.log.page(
        Listing(scope=Scope(user_id="*"), states=("active", "superseded", "invalidated")), limit=999
    )
    return {record.id: replace(record, seq=0, updated_at=START) for record in records}


# --- changing ---


def test_an_update_changes_what_it_names_and_nothing_else(engine):
    """Text with its hash, index and entities; metadata key by key; dates."""
    (memory,) = engine.say("I live in Rome", metadata={"a": 1, "b": 2})
    done = engine.service.update(
        P,
        memory.id,
        text=" I work on `kept-core` ",
        metadata={"b": 3, "c": None},
        expiration_date="2027-01-01",
        categories=["work"],
        valid_from="2025-01-01",
    )
    (now,) = done.memories
    assert now == engine.service.get(P, memory.id)
    assert (now.text, now.metadata) == ("I work on `kept-core`", {"a": 1, "b": 3, "c": None})
    assert (now.expires_on, now.categories, now.valid_from.year) == (date(2027, 1, 1), ("work",), 2025)
    assert "kept-core" in now.entities
    assert now.created_at == memory.created_at
    assert engine.find("kept-core") == [now.text]
    assert engine.findings() == []


@pytest.mark.parametrize("name", ["expiration_date", "valid_from", "valid_to"])
def test_none_clears_a_date(engine, name):
    """And leaving it out leaves it."""
    fact = {"text": "x", "valid_from": "2025-01-01", "valid_to": "2026-06-01", "expiration_date": "2027-01-01"}
    (memory,) = engine.say(facts=[fact])
    engine.service.update(P, memory.id, metadata={"a": 1})
    attribute = {"expiration_date": "expires_on"}.get(name, name)
    assert getattr(engine.service.get(P, memory.id), attribute) is not None
    engine.service.update(P, memory.id, **{name: None})
    assert getattr(engine.service.get(P, memory.id), attribute) is None


def test_an_update_that_changes_nothing_writes_nothing(engine):
    """There is nothing to undo."""
    (memory,) = engine.say("tea")
    head = engine.log.head()
    assert engine.service.update(P, memory.id, text="tea").operation_id is None
    assert engine.log.head() == head


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "nothing to update"),
        ({"text": "  "}, "blank"),
        ({"text": "\x00"}, "blank"),
        ({"text": 5}, "text"),
        ({"metadata": {"a": object()}}, "metadata"),
        ({"metadata": [1]}, "metadata"),
        ({"timestamp": "soon"}, "soon"),
        ({"expiration_date": "soon"}, "soon"),
        ({"valid_to": "2020-01-01", "valid_from": "2021-01-01"}, "valid_to"),
        ({"metadata": {"b": "x" * 40_000}}, "characters"),
    ],
)
def test_an_update_that_cannot_be_is_refused(engine, fields, named):
    """And changes nothing."""
    (memory,) = engine.say("tea", metadata={"a": "x" * 40_000})
    with pytest.raises(InvalidInputError, match=named):
        engine.service.update(P, memory.id, **fields)
    assert engine.service.get(P, memory.id) == memory


def test_an_immutable_memory_is_not_changed(engine):
    """Not updated, closed, deleted or superseded; only a verdict, and erasure, are possible."""
    (memory,) = engine.say("tea", immutable=True)
    for change in (
        lambda: engine.service.update(P, memory.id, text="cake"),
        lambda: engine.service.invalidate(P, memory.id),
        lambda: engine.service.delete(P, [memory.id]),
    ):
        with pytest.raises(ConflictError, match="immutable"):
            change()
    engine.service.delete_all(ALICE)
    engine.service.feedback(P, memory.id, "POSITIVE")
    assert engine.texts() == ["tea"]
    engine.service.erase(P, [memory.id])
    assert engine.texts() == []


def test_an_immutable_memory_keeps_its_dates(engine):
    """Retention and linked deletes pass it by, and nothing supersedes it."""
    (memory,) = engine.say("tea", immutable=True, timestamp=START - 400 * DAY)
    assert engine.service.retain(ALICE, 30).operation_id is None
    with pytest.raises(ConflictError, match="immutable"):
        engine.say(facts=[{"text": "coffee", "supersedes": [memory.id]}])
    engine.say("tea")
    now = engine.service.get(P, memory.id)
    assert replace(now, seq=memory.seq, reinforced=0, updated_at=memory.updated_at) == memory
    assert now.reinforced == 1


def test_a_deletion_passes_immutable_memories_over_and_counts_them_unless_their_owner_goes_whole(engine):
    """All of it is one operation."""
    engine.say("tea", immutable=True)
    engine.say("milk")
    assert engine.service.delete_all(ALICE).passed_over == 1
    assert engine.service.delete_all(ALICE).passed_over == 1  # also where nothing else is left
    engine.say("cake")
    done = engine.service.delete_all(ALICE, immutable_too=True)
    assert (len(done.memories), done.passed_over, engine.texts()) == (2, 0, [])
    engine.service.undo(ALICE, done.operation_id)
    assert sorted(engine.texts()) == ["cake", "tea"]
    assert list(engine.service.verify()) == []


def test_an_immutable_memory_goes_with_the_add_that_stored_it_and_comes_back(engine):
    """But no restore of the revision that hid it is a delete by another name."""
    (memory,) = engine.say("tea", immutable=True)
    undo(engine)
    assert engine.texts() == []
    hidden = engine.service.history(P, memory.id)[-1].revision.seq
    engine.service.restore(P, memory.id)
    with pytest.raises(ConflictError, match="immutable"):
        engine.service.restore(P, memory.id, seq=hidden)
    assert engine.texts() == ["tea"]


def test_a_deleted_memory_is_there_by_id_only(engine):
    """It must be restored before it can be changed, and is deleted once."""
    (memory,) = engine.say("tea")
    engine.service.delete(P, [memory.id])
    assert state(engine, memory) == "deleted"
    assert engine.texts() == engine.find("tea") == list(engine.service.export(ALICE))[1:] == []
    for change in (
        lambda: engine.service.update(P, memory.id, text="x"),
        lambda: engine.service.delete(P, [memory.id]),
    ):
        with pytest.raises(NotFoundError, match="deleted"):
            change()


def test_a_delete_of_several_is_all_or_nothing(engine):
    """One unknown id among them changes nothing."""
    first, second = engine.say("one", "two")
    with pytest.raises(NotFoundError, match=UNKNOWN):
        engine.service.delete(P, [first.id, UNKNOWN])
    assert engine.texts() == ["one", "two"]
    done = engine.service.delete(P, [first.id, second.id, first.id])
    assert len(done.memories) == 2
    assert engine.texts() == []


def test_linked_deletes_take_the_older_versions_with_them(engine):
    """The whole chain that it superseded, and no other."""
    (first,) = engine.say("I live in Rome")
    engine.say("I drink tea")
    (second,) = engine.say(facts=[{"text": "I live in Oslo", "supersedes": [first.id]}])
    (third,) = engine.say(facts=[{"text": "I live in Bonn", "supersedes": [second.id]}])
    engine.service.delete(P, [third.id], linked=True)
    assert engine.texts() == ["I drink tea"]
    undo(engine)
    assert [state(engine, memory) for memory in (first, second, third)] == ["superseded", "superseded", "active"]


def test_an_invalidated_fact_ends_and_is_not_ended_twice(engine):
    """At the moment given, or now."""
    first, second = engine.say("I live in Rome", "I live in Oslo")
    engine.service.invalidate(P, first.id, at="2025-06-01")
    engine.service.invalidate(P, second.id)
    ends = [engine.service.get(P, memory.id).valid_to for memory in (first, second)]
    assert ends == [datetime(2025, 6, 1, tzinfo=UTC), START]
    with pytest.raises(ConflictError, match="invalidated"):
        engine.service.invalidate(P, first.id)


@pytest.mark.parametrize("bad", ["GOOD", "", 5])
def test_a_verdict_is_one_of_three(engine, bad):
    """Or none."""
    (memory,) = engine.say("tea")
    with pytest.raises(InvalidInputError, match="POSITIVE"):
        engine.service.feedback(P, memory.id, bad)


def test_a_change_that_lost_a_race_is_refused(engine):
    """Nothing of another's change is overwritten unseen."""
    (memory,) = engine.say("tea")
    maintain = engine.service._maintain
    with pytest.raises(ConflictError, match="Try again"):
        maintain._revise(P, "update", "update", [replace(memory, seq=0)], lambda _: {"text": "cake"}, By())
    assert engine.texts() == ["tea"]


def test_threads_that_update_one_memory_lose_nothing_unsaid(engine):
    """Each either succeeds or is told to try again; metadata of all that succeeded is there."""
    (memory,) = engine.say("tea")
    succeeded, barrier = [], threading.Barrier(4)

    def change(number):
        barrier.wait()
        for step in range(10):
            try:
                engine.service.update(P, memory.id, metadata={f"{number}-{step}": 1})
            except ConflictError:
                continue
            succeeded.append(f"{number}-{step}")

    threads = [threading.Thread(target=change, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(engine.service.get(P, memory.id).metadata) == sorted(succeeded)


@pytest.mark.parametrize("name", ["delete_all", "retain"])
def test_a_listing_is_changed_as_it_is_when_the_change_is_written(make_engine, name):
    """A repeat in between is kept, not a reason to refuse all; what was deleted in between is passed over."""
    engine = make_engine(Interrupted())
    tea, cake, _ = engine.say("tea", "cake", "rum", timestamp=START - 400 * DAY)

    def meanwhile():
        engine.say("tea")
        engine.service.delete(P, [cake.id])

    engine.log.meanwhile = meanwhile
    done = {"delete_all": engine.service.delete_all, "retain": lambda who: engine.service.retain(who, 30)}[name](ALICE)
    assert sorted(memory.text for memory in done.memories) == ["rum", "tea"]
    assert engine.texts() == []
    assert engine.service.get(P, tea.id).reinforced == 1
    undo(engine, done.operation_id)
    assert sorted(engine.texts()) == ["rum", "tea"]
    assert engine.findings() == []


# --- retention ---


def test_retention_expires_what_was_said_long_ago(engine):
    """Hidden at once, still there by id, and taken back by one undo."""
    (old,) = engine.say("old", timestamp=START - 31 * DAY)
    engine.say("new", timestamp=START - 29 * DAY)
    done = engine.service.retain(ALICE, 30)
    assert [memory.id for memory in done.memories] == [old.id]
    assert engine.texts() == ["new"]
    assert engine.find("old", top_k=1) == ["new"]
    assert engine.service.get(P, old.id).text == "old"
    undo(engine)
    assert engine.texts() == ["old", "new"]


@pytest.mark.parametrize("days", [-1, 1.5, "30", 10**9, True])
def test_a_retention_that_is_no_number_of_days_is_refused(engine, days):
    """Never a traceback."""
    with pytest.raises(InvalidInputError, match="days"):
        engine.service.retain(ALICE, days)


@pytest.mark.parametrize("days", [0, 365_000])
def test_the_longest_and_the_shortest_retention_are_possible(engine, days):
    """Nothing of before now; everything of a thousand years."""
    engine.say("old", timestamp=START - DAY)
    engine.service.retain(ALICE, days)
    assert engine.texts() == ([] if days == 0 else ["old"])


# --- history ---


def test_history_tells_each_revision_with_what_was_before(engine):
    """And by whom."""
    by = By(actor="zoë", connector="cli")
    (memory,) = engine.say("one")
    engine.service.update(P, memory.id, text="two", by=by)
    engine.service.delete(P, [memory.id])
    undo(engine)
    steps = engine.service.history(P, memory.id)
    assert [step.revision.op for step in steps] == ["add", "update", "delete", "restore"]
    assert [step.before.text if step.before else None for step in steps] == [None, "one", "two", "two"]
    assert [step.after.state for step in steps] == ["active", "active", "deleted", "active"]
    assert (steps[1].operation.actor, steps[1].operation.connector) == ("zoë", "cli")
    assert steps[3].operation.undoes == steps[2].operation.id


def test_unknown_ids_have_no_history(engine):
    """Nor anything else."""
    for call in (
        lambda: engine.service.history(P, UNKNOWN),
        lambda: engine.service.get(P, UNKNOWN),
        lambda: engine.service.update(P, UNKNOWN, text="x"),
        lambda: engine.service.delete(P, [UNKNOWN]),
        lambda: engine.service.restore(P, UNKNOWN),
        lambda: engine.service.erase(P, [UNKNOWN]),
        lambda: engine.service.feedback(P, UNKNOWN, None),
        lambda: engine.service.invalidate(P, UNKNOWN),
    ):
        with pytest.raises(NotFoundError, match=UNKNOWN):
            call()


# --- undo ---


def prepare(engine):
    """Something to change: two memories, one that repeats, one that is immutable."""
    return engine.say("I live in Rome", "I drink tea", "I hate mice")


UNDOABLE = {
    "add": lambda service, one, two: service.add(ALICE, ["new", "I drink tea"], infer=False),
    "reinforce": lambda service, one, two: service.add(ALICE, ["I drink tea", "I drink tea"], infer=False),
    "supersede": lambda service, one, two: service.add(
        ALICE, facts=[{"text": "I live in Bonn", "supersedes": [one.id, two.id]}]
    ),
    "update": lambda service, one, two: service.update(P, one.id, text="I live in Oslo", metadata={"a": 1}),
    "date": lambda service, one, two: service.update(P, one.id, expiration_date="2025-01-01"),
    "delete": lambda service, one, two: service.delete(P, [one.id, two.id]),
    "delete_all": lambda service, one, two: service.delete_all(ALICE),
    "invalidate": lambda service, one, two: service.invalidate(P, one.id),
    "feedback": lambda service, one, two: service.feedback(P, one.id, "NEGATIVE"),
    "retain": lambda service, one, two: service.retain(ALICE, 0),
}


@pytest.mark.parametrize("name", UNDOABLE)
def test_one_undo_takes_a_whole_operation_back(engine, name):
    """Every memory of it, in lists and in searches."""
    one, two, _ = prepare(engine)
    engine.clock.advance(DAY)
    before, found = everything(engine), engine.service.search(ALICE, "Rome or tea")
    UNDOABLE[name](engine.service, one, two)
    assert everything(engine) != before
    undone, done = undo(engine)
    assert done.operation_id is not None
    assert undone.kind == {"reinforce": "add", "supersede": "add", "date": "update", "delete_all": "delete"}.get(
        name, name
    )
    assert everything(engine) == before
    assert [(hit.memory.id, hit.score) for hit in engine.service.search(ALICE, "Rome or tea")] == [
        (hit.memory.id, hit.score) for hit in found
    ]
    assert engine.findings() == []


def test_undoing_again_goes_further_back(engine):
    """Until there is nothing left, and never in circles."""
    (memory,) = engine.say("one")
    past = [everything(engine)]
    for text in ("two", "three"):
        engine.service.update(P, memory.id, text=text)
        past.append(everything(engine))
    for expected in reversed(past):
        assert everything(engine) == expected
        undo(engine)
    assert engine.texts() == []
    with pytest.raises(NotFoundError, match="nothing to undo"):
        undo(engine)


def test_an_undo_is_refused_when_something_changed_since(engine):
    """It would take back more than was asked."""
    memory, other = engine.say("one", "other")
    first = engine.service.update(P, memory.id, text="two").operation_id
    engine.service.update(P, memory.id, metadata={"a": 1})
    engine.service.update(P, other.id, text="another")
    with pytest.raises(ConflictError, match="changed since"):
        undo(engine, first)
    assert sorted(engine.texts()) == ["another", "two"]


def test_an_operation_is_undone_once(engine):
    """And an erase never."""
    (memory,) = engine.say("one")
    first = engine.service.update(P, memory.id, text="two").operation_id
    undo(engine, first)
    erased = engine.say("gone")[0].id
    engine.service.erase(P, [erased])
    erase = engine.service.operations(P)[0].id
    for operation_id in (first, erase):
        with pytest.raises(ConflictError):
            undo(engine, operation_id)
    assert engine.texts() == ["one"]


def test_an_undo_is_taken_back_by_its_id_and_what_it_took_back_can_be_undone_again(engine):
    (memory,) = engine.say("one")
    first = engine.service.update(P, memory.id, text="two").operation_id
    _, mistaken = undo(engine, first)
    undone, back = undo(engine, mistaken.operation_id)
    assert (undone.kind, engine.texts()) == ("undo", ["two"])
    with pytest.raises(ConflictError, match="undone before"):
        undo(engine, mistaken.operation_id)
    with pytest.raises(ConflictError, match=f"undo operation {first} again"):
        undo(engine, back.operation_id)
    assert undo(engine)[0].id == first
    assert engine.texts() == ["one"]
    assert engine.findings() == []


def test_an_undone_add_comes_back_when_the_undo_is_taken_back(engine):
    engine.say("one", "two")
    _, mistaken = undo(engine)
    assert engine.texts() == []
    undo(engine, mistaken.operation_id)
    assert sorted(engine.texts()) == ["one", "two"]


def test_an_operation_is_named_by_the_beginning_of_its_id(engine):
    (memory,) = engine.say("one")
    first = engine.service.update(P, memory.id, text="two").operation_id
    engine.say("three")
    assert undo(engine, first[:8])[0].id == first


def test_an_operation_is_undone_once_even_where_the_memory_is_as_it_left_it(engine):
    """By its id, however long ago, when the same was asked for again since."""
    (memory,) = engine.say("one")
    first = engine.service.feedback(P, memory.id, "POSITIVE").operation_id
    undo(engine, first)
    for number in range(120):
        engine.say(f"other {number}")
    engine.service.feedback(P, memory.id, "POSITIVE")
    with pytest.raises(ConflictError, match="undone before"):
        undo(engine, first)
    assert engine.service.get(P, memory.id).feedback == "POSITIVE"


@pytest.mark.parametrize("operation_id", [UNKNOWN, "", "\ud800"])
def test_an_unknown_operation_is_not_undone(engine, operation_id):
    """Nor is another instead."""
    engine.say("tea")
    with pytest.raises(NotFoundError):
        undo(engine, operation_id)
    assert engine.texts() == ["tea"]


def test_undo_takes_the_last_operation_of_its_scope(engine):
    """Whatever others did since."""
    engine.say("alice's", scope=ALICE)
    engine.say("bob's", scope=BOB)
    undo(engine, scope=ALICE)
    assert (engine.texts(ALICE), engine.texts(BOB)) == ([], ["bob's"])


def test_undo_never_reaches_outside_its_scope(engine):
    """Neither by the id of another's operation nor by one that both took part in."""
    theirs = engine.service.add(BOB, "bob's", infer=False).operation_id
    with pytest.raises(NotFoundError, match="scope"):
        undo(engine, theirs)
    engine.say("alice's")
    both = engine.service.delete_all(Scope(user_id="*")).operation_id
    for operation_id in (both, None):
        with pytest.raises(ConflictError, match="outside"):
            undo(engine, operation_id)
    assert (engine.texts(ALICE), engine.texts(BOB)) == ([], [])
    undo(engine, both, Scope())
    assert (engine.texts(ALICE), engine.texts(BOB)) == (["alice's"], ["bob's"])


def test_undo_passes_over_what_was_erased(engine):
    """The rest of the operation comes back."""
    one, two = engine.say("one", "two")
    engine.service.delete(P, [one.id, two.id])
    engine.service.erase(P, [one.id])
    undo(engine)
    assert engine.texts() == ["two"]
    assert engine.findings() == []


# --- restore ---


@pytest.mark.parametrize("text", ["one", "two", "three"])
def test_any_revision_can_be_restored(engine, text):
    """As it was then, deleted or not."""
    (memory,) = engine.say("one")
    for later in ("two", "three"):
        engine.service.update(P, memory.id, text=later, metadata={later: 1})
    engine.service.delete(P, [memory.id])
    seqs = {step.after.text: step.revision.seq for step in engine.service.history(P, memory.id)[:3]}
    expected = engine.service.history(P, memory.id)[["one", "two", "three"].index(text)].after
    (now,) = engine.service.restore(P, memory.id, seq=seqs[text]).memories
    assert replace(now, seq=0, updated_at=START) == replace(expected, seq=0, updated_at=START)
    assert engine.texts() == [text]
    assert engine.findings() == []


def test_without_a_revision_a_restore_takes_the_last_close_or_delete_back(engine):
    """A deleted fact that was closed is closed again; a closed one is current again."""
    (memory,) = engine.say("one")
    engine.service.invalidate(P, memory.id)
    engine.service.delete(P, [memory.id])
    engine.service.restore(P, memory.id)
    assert state(engine, memory) == "invalidated"
    engine.service.restore(P, memory.id)
    assert state(engine, memory) == "active"
    assert engine.service.get(P, memory.id).valid_to is None
    with pytest.raises(ConflictError, match="current"):
        engine.service.restore(P, memory.id)


def test_a_restore_names_the_revisions_there_are(engine):
    """When the one asked for is none of them."""
    (memory,) = engine.say("one")
    with pytest.raises(NotFoundError, match=f"has {memory.seq}"):
        engine.service.restore(P, memory.id, seq=99)


# --- erase ---


def test_an_erased_memory_leaves_a_tombstone(engine):
    """That it was, and when; in its history too."""
    (memory,) = engine.say({"role": "user", "content": "the canary", "name": "canary"}, metadata={"canary": 1})
    engine.service.update(P, memory.id, text="the canary sings")
    done = engine.service.erase(P, [memory.id])
    assert done.memory_ids == (memory.id,)
    steps = engine.service.history(P, memory.id)
    assert [step.revision.op for step in steps] == ["add", "update", "erase"]
    assert "canary" not in repr((steps, list(engine.log.revisions(P)), engine.log.episode(P, memory.episode_id)))
    assert engine.texts() == engine.find("canary") == list(engine.service.export(ALICE))[1:] == []
    assert engine.findings() == []
    with pytest.raises(NotFoundError, match="erased"):
        engine.service.get(P, memory.id)
    with pytest.raises(ConflictError, match="erased"):
        engine.service.restore(P, memory.id)


def test_an_erase_blanks_the_message_and_keeps_its_other_memories(engine):
    """Statements of other messages and of the same one stay."""
    first, second, third = engine.say("I live in Rome. I work as a nurse.", "I drink tea with my sister.", infer=True)
    engine.service.erase(P, [first.id])
    episode = engine.log.episode(P, first.episode_id)
    assert [message.content for message in episode.messages] == ["", "I drink tea with my sister."]
    assert engine.texts() == [second.text, third.text]


def test_an_erase_of_several_is_all_or_nothing(engine):
    """One unknown id among them erases nothing."""
    (memory,) = engine.say("tea")
    with pytest.raises(NotFoundError):
        engine.service.erase(P, [memory.id, UNKNOWN])
    assert engine.texts() == ["tea"]
    assert engine.service.erase(P, [memory.id]).memory_ids == (memory.id,)
    assert engine.service.erase(P, [memory.id]).memory_ids == ()


def test_erasing_a_scope_takes_whatever_state_and_every_source(engine):
    """Deleted and closed ones, and messages that became no memory; nobody else's."""
    _, closed, deleted = engine.say({"role": "system", "content": "prompt"}, "one", "two", "three")
    engine.service.invalidate(P, closed.id)
    engine.service.delete(P, [deleted.id])
    engine.say({"role": "user", "content": "bob's"}, scope=BOB)
    done = engine.service.erase_all(ALICE)
    assert len(done.memory_ids) == 3
    assert engine.service.statistics(P).memories == {"erased": 3, "active": 1}
    contents = [m.content for e in engine.log._contents.episodes.values() for m in e.messages]
    assert [content for content in contents if content] == ["bob's"]
    assert engine.findings() == []


def test_erasing_by_a_filter_takes_what_it_means(engine):
    """And leaves the rest with its sources."""
    engine.say("one", metadata={"shelf": 1})
    engine.say("two", metadata={"shelf": 2})
    engine.service.erase_all(ALICE, filters={"shelf": 1})
    assert engine.texts() == ["two"]


def test_what_is_added_while_a_scope_is_erased_is_erased_with_its_source_or_not_at_all(make_engine):
    """Never a memory without the message that it came from."""
    engine = make_engine(Interrupted())
    engine.say("one")
    engine.log.meanwhile = lambda: engine.say("two")
    assert len(engine.service.erase_all(ALICE).memory_ids) == 2
    assert engine.texts() == []
    assert not any(m.content for e in engine.log._contents.episodes.values() for m in e.messages)


# --- proving and repairing ---


def damage_text(contents, memory):
    contents.memories[memory.key] = replace(memory, text="forged")


def damage_hash(contents, memory):
    contents.memories[memory.key] = replace(memory, hash="0" * 32)


def damage_state(contents, memory):
    contents.memories[memory.key] = replace(memory, state="deleted")


def damage_entities(contents, memory):
    contents.memories[memory.key] = replace(memory, entity_refs=(EntityRef(name="x", kind="x", key="x"),))


def damage_entry(contents, memory, **blobs):
    identity, entry = contents.entries[memory.key]
    contents.entries[memory.key] = identity, entry._replace(**blobs)


def shorten_embedding(contents, memory):
    damage_entry(contents, memory, embedding=b"\x00" * 3)


def infinite_embedding(contents, memory):
    damage_entry(contents, memory, embedding=b"\x00\x7c" * 64)


def odd_entities(contents, memory):
    damage_entry(contents, memory, entities=b"\x00")


def drop_entry(contents, memory):
    del contents.entries[memory.key]


def foreign_entry(contents, memory):
    identity, entry = contents.entries[memory.key]
    forged = IndexEntry(embedding=entry.embedding, terms=b"\x01\x00\x00\x00\x01\x00")
    contents.entries[memory.key] = identity, forged


def other_identity(contents, memory):
    contents.entries[memory.key] = "other:8:l2", IndexEntry(embedding=b"", terms=b"")


DAMAGE = {
    damage_text: {"fold", "hash", "index"},
    damage_hash: {"fold", "hash"},
    damage_state: {"fold"},
    damage_entities: {"fold"},
    shorten_embedding: {"index"},
    infinite_embedding: {"index"},
    odd_entities: {"index"},
    drop_entry: {"index"},
    foreign_entry: {"index"},
    other_identity: {"index"},
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_damage_is_found_and_repaired_by_a_rebuild(engine, damage):
    """The log is the truth; everything else is made from it."""
    memory, _ = engine.say("I live in Rome", "I drink tea")
    found = engine.service.search(ALICE, "Rome")
    damage(engine.log._contents, memory)
    checks = {finding.check for finding in engine.service.verify()}
    assert checks == DAMAGE[damage]
    assert engine.service.rebuild() == 2
    assert engine.findings() == []
    assert engine.service.search(ALICE, "Rome") == found


def test_a_search_in_a_damaged_index_is_refused_until_a_rebuild(engine):
    """Each time, with what to do: never answered from a part of the memories."""
    memory, _ = engine.say("I live in Rome", "I drink tea")
    shorten_embedding(engine.log._contents, memory)
    for _ in range(2):
        with pytest.raises(StoreCorruptError, match=r"3 bytes instead of 128.*kept rebuild"):
            engine.find("Rome")
    engine.service.rebuild()
    assert "I live in Rome" in engine.find("Rome")


def test_a_rebuild_embeds_before_it_writes(make_engine):
    """Others write meanwhile; what they changed is taken in another round, as they left it."""
    embedder = Attentive(64)
    engine = make_engine(embedder=embedder)
    one, two, three = engine.say("one", "two", "three")

    def meanwhile():
        assert not engine.log._write_lock.locked()
        engine.service.update(P, one.id, text="another")
        engine.service.erase(P, [two.id])

    embedder.meanwhile = meanwhile
    assert engine.service.rebuild() == 3
    assert sorted(engine.texts()) == ["another", "three"]
    assert engine.service.get(P, three.id) == three
    assert engine.find("another")[0] == "another"
    assert engine.findings() == []


def test_content_left_of_an_erased_memory_is_found(engine):
    """Whatever left it."""
    (memory,) = engine.say("the canary")
    engine.service.erase(P, [memory.id])
    tombstone = engine.log.find(P, memory.id)
    engine.log._contents.memories[memory.key] = replace(tombstone, text="the canary")
    assert {finding.check for finding in engine.service.verify()} == {"fold", "erase"}


def test_a_write_during_a_check_is_no_damage(engine):
    """A memory that is added or changed between two reads is looked at again."""
    said = engine.say(*(f"note {n}" for n in range(20)))
    stop = threading.Event()

    def disturb():
        number = 0
        while not stop.is_set():
            engine.service.update(P, said[number % 20].id, text=f"changed {number}")
            engine.say(f"added {number}")
            number += 1

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        findings = [finding for _ in range(8) for finding in engine.service.verify()]
    finally:
        stop.set()
        thread.join()
    assert findings == []


def test_verify_tells_its_progress(engine):
    """To the last memory."""
    engine.say("one", "two")
    told = []
    assert list(engine.service.verify(progress=lambda done, total: told.append((done, total)))) == []
    assert told == [(1, 2), (2, 2)]


def test_verify_and_rebuild_can_keep_to_a_project(engine):
    """And cover all of them by default."""
    (memory,) = engine.say("tea", scope=Scope(project="other", user_id="alice"))
    engine.say("tea")
    drop_entry(engine.log._contents, memory)
    assert list(engine.service.verify(P)) == []
    assert len(list(engine.service.verify())) == 1
    assert engine.service.rebuild(P) == 1
    assert len(list(engine.service.verify())) == 1
    assert engine.service.rebuild() == 2
    assert engine.findings() == []


STEPS = st.lists(
    st.tuples(st.sampled_from([*UNDOABLE, "undo", "erase", "restore"]), st.integers(0, 9), st.integers(0, 9)),
    max_size=12,
)


@settings(max_examples=40)
@given(STEPS)
def test_whatever_happened_the_store_is_proved_and_a_rebuild_changes_nothing(make_engine, steps):
    """Rebuild = incremental, row for row; fold of the log = current state."""
    engine = make_engine()
    prepare(engine)
    for name, left, right in steps:
        engine.clock.advance(timedelta(hours=5))
        known = engine.log.page(
            Listing(scope=Scope(), states=("active", "superseded", "invalidated", "deleted")), limit=99
        )
        if len(known) < 2:
            break
        one, two = known[left % len(known)], known[right % len(known)]
        try:
            if name == "undo":
                undo(engine)
            elif name == "erase":
                engine.service.erase(P, [one.id])
            elif name == "restore":
                engine.service.restore(P, one.id)
            else:
                UNDOABLE[name](engine.service, one, two)
        except (ConflictError, NotFoundError):
            continue
    assert engine.findings() == []
    contents = engine.log._contents
    memories, entries = dict(contents.memories), dict(contents.entries)
    for memory in memories.values():
        assert fold(engine.log.revisions(P, memory_id=memory.id)) == memory
    engine.service.rebuild()
    assert engine.log._contents.memories == memories
    assert engine.log._contents.entries == entries
