"""The resident partition is a projection: however its rows arrive, it is the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kept.domain.entities import KnownNames, names_in
from kept.domain.scope import Scope
from kept.domain.text import hashed_terms, term_hash
from kept.engine import partition as module
from kept.engine.candidates import Candidates, ask
from kept.engine.growth import grown
from kept.engine.indexing import Indexer
from kept.engine.partition import CLOSED, NEXT, NOWHERE, PREVIOUS, REACH, ResidentPartition, code
from kept.errors import StoreCorruptError
from kept.ports import PartitionRow
from kept.testing.fakes import START, FakeEmbedder

EMBEDDER = FakeEmbedder(64)
INDEXER = Indexer(EMBEDDER)
WORDS = ("tea", "Berlin", "deploy", "the cat", "in May", "why?", "日本")
LONG = "\n\n".join(f"Part {n} of a long note speaks of tea and of topic{n}, at some length." for n in range(40))
SAYINGS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join) | st.just(LONG)
OPS = st.tuples(
    st.sampled_from(["add", "add", "add", "update", "delete", "supersede", "restore", "move", "erase"]),
    st.integers(0, 30),
    SAYINGS,
    st.sampled_from(["run-1", "run-2", None]),
    st.sampled_from(["Alice", "Bob", None]),
    st.integers(-3, 3),
    st.booleans(),
)


def view(partition):
    """Everything a partition knows, by memory key instead of slot."""
    live = np.flatnonzero(partition.column("live"))
    keys = partition.column("key")
    own = {"live", "around", "session_number", "first_chunk", "first_term", "key"}
    columns = [name for name in module._COLUMNS if name not in own]
    seen = {}
    for slot in live:
        facts = {name: partition.column(name)[slot].tolist() for name in columns}
        facts["around"] = [None if near == NOWHERE else int(keys[near]) for near in partition.column("around")[slot]]
        same = partition.column("session_number")[live] == partition.column("session_number")[slot]
        facts["with"] = keys[live[same]].tolist()
        facts["mean_norm"] = round(float(partition.mean_norms(np.array([slot]))[0]), 5)
        facts["specific"] = round(float(partition.specific(np.array([slot]))[0]), 5)
        facts["vector"] = partition.vectors.at(np.array([slot]))[0].tolist()
        chunks = np.flatnonzero(partition.chunk_slot == slot)
        facts["chunks"] = partition.chunk_length[chunks].tolist()
        facts["spans"] = partition.spans[partition.spans[:, 0] == slot, 1:].tolist()
        terms = partition.opening_terms(np.array([slot]))[1]
        facts["opens_with"], facts["held_by"] = terms.tolist(), partition.held_by(terms).tolist()
        seen[int(keys[slot])] = facts
    return seen | {"length": partition.live_length, "chunks": partition.live_chunks}


def postings(partition, terms):
    """Term → which chunk of which live memory holds it how often."""
    live, keys, first = (partition.column(name) for name in ("live", "key", "first_chunk"))
    found = {}
    for term in terms:
        places = partition.postings.find([term])
        slots = partition.chunk_slot[places.chunks]
        found[term] = sorted(
            (int(keys[slot]), int(chunk - first[slot]), float(times))
            for slot, chunk, times in zip(slots, places.chunks, places.tf, strict=True)
            if live[slot]
        )
    return found


def entities(partition, names):
    live, keys = partition.column("live"), partition.column("key")
    return {
        name: sorted(int(keys[slot]) for slot in partition.entities.find([term_hash(name)]).chunks if live[slot])
        for name in names
    }


def scores(partition, query):
    """Every feature of every live memory, by key."""
    question = ask(query, START, KnownNames(["Alice", "Bob"]), EMBEDDER)
    found = Candidates(partition, question, partition.column("live").copy(), 1_000)
    features = found.features()
    keys = partition.column("key")[found.slots]
    return {
        int(key): {name: round(float(values[n]), 4) for name, values in features.items()} for n, key in enumerate(keys)
    }


def loaded(log, partition_id=1):
    partition = ResidentPartition(EMBEDDER.identity.dimensions)
    partition.refresh(log.partition_rows(partition_id, 0, INDEXER.identity))
    return partition


def refreshed(log, partition):
    partition.refresh(log.partition_rows(1, partition.cursor, INDEXER.identity))
    return partition


def act(engine, known, step):
    """One step of a partition's life. What it cannot do to the memory it names, it leaves."""
    name, number, text, run, speaker, days, _ = step
    scope = replace(engine.scope, run_id=run)
    when = START + timedelta(days=days)
    service, project = engine.service, "default"
    target = known[number % len(known)] if known else None
    state = service._log.find(project, target).state if target else None
    if name == "add" or target is None:
        role = {"role": "user", "content": text} | ({"name": speaker} if speaker else {})
        known += [m.id for m in engine.say(role, scope=scope, timestamp=when)]
    elif name == "supersede" and state not in {"deleted", "erased"}:
        known += [m.id for m in engine.say(facts=[{"text": text + " now", "supersedes": [target]}], scope=scope)]
    elif name == "update" and state not in {"deleted", "erased"}:
        service.update(project, target, text=text)
    elif name == "move" and state not in {"deleted", "erased"}:
        service.update(project, target, timestamp=when)
    elif name == "delete" and state not in {"deleted", "erased"}:
        service.delete(project, [target])
    elif name == "restore" and state in {"deleted", "superseded"}:
        service.restore(project, target)
    elif name == "erase" and state != "erased":
        service.erase(project, [target])


@settings(max_examples=60)
@given(st.lists(OPS, min_size=4, max_size=25), st.sampled_from([32, 32, 1]))
def test_refreshing_step_by_step_is_loading_anew(make_engine, steps, sessions):
    """Every column, neighbour, posting, entity and feature, whatever happened and however often it was looked at."""
    engine = make_engine()
    engine.scope = Scope(user_id="alice")
    known: list[str] = []
    incremental = ResidentPartition(EMBEDDER.identity.dimensions)
    with mock.patch.object(module, "_RELINK_SESSIONS", sessions):
        for step in steps:
            act(engine, known, step)
            if step[-1]:
                refreshed(engine.log, incremental)
        refreshed(engine.log, incremental)
    fresh = loaded(engine.log)
    assert view(incremental) == view(fresh)
    terms = {term for word in (*WORDS, LONG) for term in hashed_terms(word)}
    assert postings(incremental, terms) == postings(fresh, terms)
    assert entities(incremental, ["berlin", "alice"]) == entities(fresh, ["berlin", "alice"])
    if view(fresh)["chunks"]:
        assert scores(incremental, "why tea in Berlin?") == scores(fresh, "why tea in Berlin?")


def test_refreshing_twice_changes_nothing(engine):
    """Rows at or before the cursor are passed over."""
    engine.say("tea", "Berlin")
    once = loaded(engine.log)
    before, slots = view(once), once.slots
    once.refresh(engine.log.partition_rows(1, 0, INDEXER.identity))
    assert (view(once), once.slots) == (before, slots)


def test_batches_join_to_the_same_partition(engine, monkeypatch):
    """A large partition is loaded in parts."""
    engine.say(*(f"note {n} on tea" for n in range(25)))
    whole = view(loaded(engine.log))
    monkeypatch.setattr(module, "BATCH_ROWS", 4)
    assert view(loaded(engine.log)) == whole


def chain(partition, start):
    """Keys of a session from `start` on, following `next`."""
    seen = view(partition)
    found = [start]
    while (following := seen[found[-1]]["around"][NEXT]) is not None:
        found.append(following)
    return found


@pytest.mark.parametrize("completed", [0, 1_000])
def test_what_a_memory_has_by_itself_does_not_depend_on_how_it_was_asked_for(engine, monkeypatch, completed):
    """Asked for one by one, for some and then for more, or for all at once: also of a partition too large to complete."""
    monkeypatch.setattr(module, "_COMPLETED_SLOTS", completed)
    engine.say(*(f"note {n} on tea and on topic{n}, why?" for n in range(9)))
    every = np.arange(9)
    at_once, in_parts = loaded(engine.log), loaded(engine.log)
    for ask_for in ("specific", "mean_norms"):
        parts = [getattr(in_parts, ask_for)(slots) for slots in (every[:2], every[1:4], every[4:])]
        whole = getattr(at_once, ask_for)(every)
        assert np.allclose(np.concatenate((parts[0], parts[1][1:], parts[2])), whole)
        assert not np.isnan(whole).any()


def test_neighbours_follow_the_time_of_saying_within_a_session(engine):
    """Also when a message is told late, and never across sessions."""
    run, other = Scope(user_id="alice", run_id="r"), Scope(user_id="alice", run_id="s")
    second = engine.say("second", scope=run, timestamp=START)[0]
    third = engine.say("third", scope=run, timestamp=START + timedelta(hours=1))[0]
    engine.say("elsewhere", scope=other, timestamp=START + timedelta(minutes=1))
    partition = loaded(engine.log)
    first = engine.say("first", scope=run, timestamp=START - timedelta(hours=1))[0]
    refreshed(engine.log, partition)
    assert chain(partition, first.key) == [first.key, second.key, third.key]
    engine.service.delete("default", [second.id])
    refreshed(engine.log, partition)
    assert chain(partition, first.key) == [first.key, third.key]
    assert view(partition)[third.key]["around"][PREVIOUS] == first.key


def test_without_a_run_the_memories_of_one_call_are_neighbours(engine):
    """A call is a session of its own."""
    one, two = engine.say("one", "two")
    (three,) = engine.say("three")
    partition = loaded(engine.log)
    assert chain(partition, one.key) == [one.key, two.key]
    assert view(partition)[three.key]["around"][PREVIOUS] is None


def test_three_neighbours_on_either_side_are_known(engine):
    """Nearest first; none where the session ends."""
    said = [memory.key for memory in engine.say("a", "b", "c", "d", "e", "f")]
    seen = view(loaded(engine.log))
    assert seen[said[4]]["around"] == [said[3], said[2], said[1], said[5], None, None]
    assert seen[said[0]]["around"] == [None] * REACH + said[1:4]


def test_a_closed_memory_stays_and_a_hidden_one_goes(engine):
    """Superseded facts can be found; deleted and erased ones cannot."""
    old, gone, dead = engine.say("I live in Rome", "gone", "dead")
    engine.say(facts=[{"text": "I live in Bonn", "supersedes": [old.id]}])
    engine.service.delete("default", [gone.id])
    engine.service.erase("default", [dead.id])
    seen = view(loaded(engine.log))
    assert seen[old.key]["state"] == CLOSED
    assert gone.key not in seen
    assert dead.key not in seen


def test_rows_without_an_entry_wait(engine):
    """A row of another embedder is no candidate, and is counted."""
    engine.say("tea", "Berlin")
    other = ResidentPartition(8)
    other.refresh(engine.log.partition_rows(1, 0, Indexer(FakeEmbedder(8)).identity))
    assert (other.waiting, other.slots, other.cursor) == (2, 0, engine.log.head())


def test_a_partition_of_mostly_dead_slots_is_sparse(engine, monkeypatch):
    """Loading anew would save memory."""
    monkeypatch.setattr(module, "_SPARSE_SLOTS", 4)
    said = engine.say(*(f"note {n}" for n in range(6)))
    partition = loaded(engine.log)
    assert not partition.is_sparse
    engine.service.delete("default", [memory.id for memory in said[:4]])
    assert refreshed(engine.log, partition).is_sparse


def test_known_names_leave_generic_speakers_out(engine):
    """A query about "the user" asks for nobody."""
    engine.say({"role": "user", "content": "hm"}, {"role": "user", "content": "hi there", "name": "Zoë"})
    partition = loaded(engine.log)
    names = [mention.name for who in ("user", "assistant", "zoë", "alice") for mention in mentions(partition, who)]
    assert sorted(names) == ["Zoë", "alice"]


def mentions(partition, text):
    return names_in(text, partition.known_names("alice"))


def test_nothing_is_a_partition_too():
    """An owner whose every memory was erased."""
    empty = ResidentPartition(16)
    empty.refresh([])
    assert view(empty) == {"length": 0, "chunks": 0}
    assert empty.slots_of(np.array([1, 2])).size == 0


@pytest.mark.parametrize("size", [0, 1, 5, 1_000])
def test_grown_arrays_keep_what_they_hold(size):
    """And have room for what comes."""
    room = grown(np.arange(5), size)
    assert len(room) >= size
    assert room[:5].tolist() == [0, 1, 2, 3, 4]


def test_no_text_has_a_code_of_its_own():
    """So that a column can be asked whether an id is set."""
    assert code(None) == 0
    assert code("alice") == code("ali" + "ce") != 0


def test_a_row_that_was_never_added_is_not_retired_twice():
    """A hidden row at first sight leaves no slot."""
    row = PartitionRow(1, 2, "deleted", None, None, None, "s", None, None, 0, None, None, None, None, 0, None)
    partition = ResidentPartition(16)
    partition.refresh([row])
    assert (partition.slots, partition.waiting, partition.cursor) == (0, 0, 2)


@pytest.mark.parametrize(
    ("blob", "value", "named"),
    [
        ("embedding", b"\x00" * 127, "embedding has 127 bytes instead of 128"),
        ("embedding", b"", "embedding has 0 bytes instead of 128"),
        ("terms", b"\x00" * 7, "postings have 7 bytes"),
        ("entities", b"\x00" * 5, "entities have 5 bytes"),
        ("dates", b"\x00" * 4, "dates have 4 bytes"),
    ],
)
def test_a_damaged_entry_is_refused_each_time(engine, blob, value, named):
    """With what repairs it; its row is not taken for applied, and the sound one beside it is not applied alone."""
    engine.say("tea", "Berlin")
    sound, damaged = engine.log.partition_rows(1, 0, INDEXER.identity)
    damaged = damaged._replace(entry=damaged.entry._replace(**{blob: value}))
    partition = ResidentPartition(64)
    for _ in range(2):
        with pytest.raises(StoreCorruptError, match=f"{named}.*kept rebuild"):
            partition.refresh([sound, damaged])
        assert (partition.cursor, partition.slots) == (0, 0)
    partition.refresh(engine.log.partition_rows(1, 0, INDEXER.identity))
    assert view(partition) == view(loaded(engine.log))
