"""Import and export: what goes out comes in again, once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kept.domain.memory import Message
from kept.domain.scope import Scope
from kept.engine.maintain import By
from kept.errors import ConflictError, InvalidInputError, ScopeError
from kept.ports import Listing, ReadSession
from kept.testing.fakes import START

ALICE = Scope(user_id="alice")
CANARY = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
TEXTS = st.lists(
    st.text(min_size=1, max_size=20).filter(str.strip), min_size=1, max_size=5, unique_by=lambda t: " ".join(t.split())
)


def exported(engine, scope=ALICE):
    header, *records = [json.loads(line) for line in engine.service.export(scope)]
    assert "exported_at" in header
    return records


def bring(engine, records, scope=ALICE, **options):
    return engine.service.import_sessions(scope, [ReadSession(records=tuple(records))], **options)


def memories(engine, scope=ALICE):
    """All that an export keeps of the memories, in order."""
    listing = Listing(scope=scope, newest_first=False)
    return [replace(m, key=0, seq=0, recorded_at=START) for m in engine.log.scan(listing)]


def lived_in(engine):
    """A little of everything that an export has to carry."""
    (old,) = engine.say("I live in Rome", metadata={"deep": {"list": [1, None, "é"]}})
    engine.say(
        facts=[
            {
                "text": "I live in Bonn",
                "supersedes": [old.id],
                "entities": [{"name": "Bonn", "kind": "place"}],
                "relations": [{"source": "I", "relationship": "live_in", "target": "Bonn"}],
                "valid_from": "2025-01-01",
                "categories": ["home"],
                "expiration_date": "2030-01-01",
            }
        ]
    )
    engine.say({"role": "assistant", "content": "line\u2028break\n日本"}, scope=replace(ALICE, run_id="r"))
    (wrong,) = engine.say("I hate tea", "gone", immutable=False)[:1]
    engine.service.invalidate("default", wrong.id)
    engine.service.feedback("default", old.id, "NEGATIVE")
    engine.service.delete("default", [m.id for m in engine.log.scan(Listing(scope=ALICE)) if m.text == "gone"])
    return engine


# --- export and back ---


def test_an_export_comes_back_as_the_same_memories(make_engine):
    """Ids, times, states and links included; searches find the same, in the same order."""
    source, target = lived_in(make_engine()), make_engine(series=1)
    target.clock.advance(timedelta(days=9))
    report = bring(target, exported(source))
    assert (report.added, report.skipped, report.sessions) == (4, 0, 1)
    assert memories(target) == memories(source)
    assert target.find("where do I live", show_expired=True) == source.find("where do I live", show_expired=True)
    assert target.findings() == []


@settings(max_examples=40)
@given(TEXTS)
def test_any_text_survives_the_trip(make_engine, texts):
    """Line by line, whatever a line of it holds."""
    source, target = make_engine(), make_engine(series=1)
    source.say(*texts)
    lines = "\n".join(source.service.export(ALICE))
    assert len(lines.splitlines()) == len(source.texts()) + 1
    bring(target, [json.loads(line) for line in lines.splitlines()[1:]])
    assert memories(target) == [
        replace(m, text=m.text.strip(), hash=n.hash) for m, n in zip(memories(source), memories(target), strict=True)
    ]


def test_the_same_export_twice_adds_nothing(engine, make_engine):
    """Nor does it write anything."""
    records = exported(lived_in(make_engine()))
    first = bring(engine, records)
    head = engine.log.head()
    second = bring(engine, records)
    assert (second.added, second.skipped, second.operation_ids) == (0, 4, ())
    assert engine.log.head() == head
    assert len(first.operation_ids) == 1


def test_an_import_into_its_own_store_adds_nothing(engine):
    """Deleted memories stay deleted."""
    records = exported(lived_in(engine))
    (first, *_) = engine.texts()
    engine.service.delete("default", [records[0]["id"]])
    report = bring(engine, records)
    assert (report.added, report.skipped) == (0, 4)
    assert first not in engine.texts()


def test_an_old_export_does_not_bring_an_erased_memory_back(engine):
    """Erased is erased."""
    memory, _ = engine.say("the canary", "tea")
    records = exported(engine)
    engine.service.erase("default", [memory.id])
    report = bring(engine, records)
    assert report.added == 0
    assert engine.texts() == ["tea"]
    assert engine.find("canary") == ["tea"]
    assert engine.findings() == []


def test_an_import_is_undone_as_a_whole(engine, make_engine):
    """By its operation."""
    report = bring(engine, exported(lived_in(make_engine())))
    engine.service.undo(ALICE, report.operation_ids[0])
    assert engine.texts() == []


def test_memories_of_an_export_keep_their_owners(engine, make_engine):
    """Unless the import names another."""
    source = make_engine()
    source.say("alice's", scope=ALICE)
    source.say("bob's", scope=Scope(user_id="bob", run_id="r"))
    records = exported(source, Scope(user_id="*"))
    bring(engine, records, Scope())
    assert engine.texts(Scope(user_id="bob", run_id="r")) == ["bob's"]
    other = make_engine(series=1)
    bring(other, records, Scope(user_id="carol"))
    assert sorted(other.texts(Scope(user_id="carol"))) == ["alice's", "bob's"]
    assert other.texts(Scope(user_id="bob")) == []


@pytest.mark.parametrize("scope", [Scope(user_id="*"), Scope(user_id="alice", run_id="*")])
def test_nothing_is_imported_under_an_open_scope(engine, make_engine, scope):
    """A memory belongs to somebody."""
    source = make_engine()
    source.say("tea")
    with pytest.raises(ScopeError):
        bring(engine, exported(source), scope)
    with pytest.raises(ScopeError):
        engine.service.import_sessions(Scope(), [ReadSession(messages=(Message(role="user", content="x"),))])


UUID = "00000000-0000-4000-8000-000000000001"


def line(**fields):
    """A memory in export form, as one might write it by hand."""
    return {"id": UUID, "memory": "tea", "created_at": "2026-01-01T00:00:00Z"} | fields


def test_an_export_made_by_hand_needs_three_fields(engine):
    """The rest has defaults."""
    bring(engine, [line()])
    (memory,) = memories(engine)
    assert (memory.id, memory.text, memory.state) == (UUID, "tea", "active")
    assert engine.service.get("default", UUID).text == "tea"
    assert engine.findings() == []


@pytest.mark.parametrize("forged", ["m-1", "00000000", "ab\n## pw", "x" * 100_000])
def test_an_id_that_is_no_uuid_is_refused(engine, forged):
    """It could forge a line of a context block, or be taken for a short id."""
    with pytest.raises(InvalidInputError):
        bring(engine, [line(id=forged)])


@pytest.mark.parametrize("state", ["deleted", "erased"])
def test_hidden_memories_of_an_export_are_left_out(engine, state):
    """They were taken away on purpose."""
    report = bring(engine, [line(state=state)])
    assert (report.added, report.skipped) == (0, 1)
    assert engine.findings() == []


def test_a_memory_that_came_closed_has_nothing_to_go_back_to(engine):
    """It says so, and is left as it is."""
    bring(engine, [line(id="00000000-0000-4000-8000-00000000abcd", state="invalidated")])
    with pytest.raises(ConflictError, match="when it was stored"):
        engine.service.restore("default", "00000000-0000-4000-8000-00000000abcd")


def test_a_forged_hash_is_made_right(engine):
    """It is recomputed, as `verify` would."""
    bring(engine, [line(hash="0" * 32)])
    assert engine.findings() == []


def test_secrets_in_an_export_made_by_hand_are_redacted(engine):
    """Wherever they stand."""
    bring(
        engine,
        [
            line(
                memory=f"key {CANARY}",
                speaker=CANARY,
                metadata={CANARY: CANARY},
                categories=[CANARY],
                entities=[{"name": CANARY, "kind": "x", "key": CANARY}],
                relations=[{"source": CANARY, "relationship": "is", "target": CANARY}],
            )
        ],
    )
    assert len(engine.texts()) == 1
    assert CANARY not in repr(vars(engine.log)["_contents"])


@pytest.mark.parametrize(
    "bad",
    [
        line(colour=1),
        line(memory=" "),
        line(memory=5),
        line(id=""),
        line(created_at="soon"),
        line(metadata={"a": 2**2000}),
        {"id": "x"},
        [1],
    ],
)
def test_what_is_no_memory_is_refused_and_brings_nothing(engine, bad):
    """The whole part of the file."""
    with pytest.raises(InvalidInputError):
        bring(engine, [line(id="m-0"), bad])
    assert engine.texts() == []


# --- messages ---


def sessions(*numbers):
    return [
        ReadSession(
            run_id=f"session-{n}",
            metadata={"branch": f"b{n}"},
            messages=tuple(
                Message(role="user", content=f"I planted tree {n}.{m} today.", source_id=f"{n}-{m}") for m in range(3)
            ),
        )
        for n in numbers
    ]


def test_sessions_become_runs(engine):
    """With their metadata on every memory, by the connector that brought them."""
    report = engine.service.import_sessions(ALICE, sessions(1, 2), by=By(connector="chat-json"))
    assert (report.sessions, report.added, len(report.operation_ids)) == (2, 6, 2)
    records, total = engine.service.list(replace(ALICE, run_id="session-2"))
    assert total == 3
    assert {(m.metadata["branch"], m.connector) for m in records} == {("b2", "chat-json")}


def test_a_run_that_the_caller_names_wins(engine):
    """Over the file's."""
    engine.service.import_sessions(replace(ALICE, run_id="mine"), sessions(1))
    assert len(engine.texts(replace(ALICE, run_id="mine"))) == 3


@pytest.mark.parametrize("infer", [True, False])
def test_the_same_sessions_twice_add_nothing(engine, infer):
    """And a longer file adds what is new."""
    engine.service.import_sessions(ALICE, sessions(1), infer=infer)
    report = engine.service.import_sessions(ALICE, sessions(1, 2), infer=infer)
    assert (report.added, report.reinforced, report.skipped) == (3, 0, 3)


def test_an_import_tells_its_progress(engine):
    """Session by session."""
    told = []
    engine.service.import_sessions(ALICE, sessions(1, 2), progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]


# --- other forms ---


def test_markdown_is_for_reading(engine):
    """Every memory once, as text that cannot be taken for markup."""
    engine.say("I live in *Rome*", "# not a heading")
    text = "\n".join(engine.service.export(ALICE, form="markdown"))
    assert r"I live in \*Rome\*" in text
    assert "\n# not" not in text
    assert engine.texts()[0].split()[-1] in text.replace("\\", "")


def test_an_export_keeps_to_its_scope_and_filter(engine):
    """Expired memories are part of it."""
    engine.say("one", metadata={"shelf": 1}, expiration_date="2020-01-01")
    engine.say("two", metadata={"shelf": 2})
    engine.say("bob's", scope=Scope(user_id="bob"))
    found = [json.loads(row)["memory"] for row in [*engine.service.export(ALICE, filters={"shelf": 1})][1:]]
    assert found == ["one"]
    assert [record["memory"] for record in exported(engine)] == ["one", "two"]


def test_an_unknown_form_is_refused_at_the_call(engine):
    """Not when the first line is read."""
    with pytest.raises(InvalidInputError, match="jsonl"):
        engine.service.export(ALICE, form="xml")
