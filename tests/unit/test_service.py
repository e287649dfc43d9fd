"""The service's own part: the boundary beside the filter, lists, short ids."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kept.domain.scope import Scope
from kept.errors import FilterError, InvalidInputError, NotFoundError, ScopeError, StoreError
from kept.testing.fakes import START

ALICE, BOB = Scope(user_id="alice"), Scope(user_id="bob")

READS = {
    "search": lambda service, scope, filters: [
        hit.memory.text for hit in service.search(scope, "note", filters=filters)
    ],
    "context": lambda service, scope, filters: service.context(scope, "note", filters=filters).text,
    "list": lambda service, scope, filters: [memory.text for memory in service.list(scope, filters=filters)[0]],
    "export": lambda service, scope, filters: list(service.export(scope, filters=filters))[1:],
    "retain": lambda service, scope, filters: [m.text for m in service.retain(scope, 0, filters=filters).memories],
    "delete_all": lambda service, scope, filters: [m.text for m in service.delete_all(scope, filters=filters).memories],
    "erase_all": lambda service, scope, filters: service.erase_all(scope, filters=filters).memory_ids,
}

CONTRADICTIONS = [
    (ALICE, {"user_id": "bob"}),
    (ALICE, {"user_id": "alice", "AND": [{"user_id": "bob"}]}),
    (ALICE, {"AND": [{"user_id": "bob"}]}),
    (Scope(user_id="alice", run_id="elsewhere"), {"run_id": "*"}),
    (Scope(run_id="elsewhere"), {"user_id": "*"}),
    (Scope(), {"user_id": "alice", "AND": [{"user_id": "bob"}]}),
    (Scope(project="nowhere"), {"user_id": "*"}),
    (Scope(project="nowhere", user_id="alice"), None),
]


@pytest.fixture
def shared(engine):
    """Notes of two users, and of another project."""
    for scope in (ALICE, BOB, Scope(project="other", user_id="alice")):
        engine.say(f"note of {scope.user_id} in {scope.project}", scope=scope, timestamp=START - timedelta(days=1))
    return engine


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize(("scope", "filters"), CONTRADICTIONS, ids=str)
def test_a_filter_narrows_a_scope_and_never_widens_it(shared, name, scope, filters):
    """What contradicts the boundary finds, changes and erases nothing."""
    assert not READS[name](shared.service, scope, filters)
    assert shared.texts(Scope(user_id="*")) == ["note of alice in default", "note of bob in default"]
    assert shared.texts(Scope(project="other", user_id="*")) == ["note of alice in other"]


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize(
    "filters",
    [None, {}, {"state": "active"}, {"NOT": [{"user_id": "alice"}]}, {"user_id": {"ne": "x"}}, {"user_id": None}],
    ids=str,
)
def test_whose_memories_must_be_said(shared, name, filters):
    """In the scope or in a condition that names somebody; a negation names nobody."""
    with pytest.raises(ScopeError, match="whose"):
        READS[name](shared.service, Scope(), filters)


@pytest.mark.parametrize("filters", [{"user_id": "*"}, {"OR": [{"user_id": "*"}, {"agent_id": "*"}]}], ids=str)
def test_a_wildcard_means_any_in_the_project(shared, filters):
    """That is asked for, not left out."""
    found, total = shared.service.list(Scope(), filters=filters)
    assert (len(found), total) == (2, 2)


def test_a_wildcard_does_not_admit_what_has_no_id(engine):
    """Any value, but not none."""
    engine.say("of an agent", scope=Scope(agent_id="planner"))
    engine.say("of alice")
    assert (
        engine.find("of") == engine.texts(Scope(user_id="*")) == engine.find("of", Scope(user_id="*")) == ["of alice"]
    )
    assert engine.find("of", Scope(agent_id="*")) == engine.texts(Scope(agent_id="*")) == ["of an agent"]


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize(
    "filters", [{"OR": []}, {"AND": 5}, {"user_id": {"near": 1}}, {"a": object()}, ["x"], "x"], ids=str
)
def test_a_malformed_filter_is_refused_before_anything_happens(shared, name, filters):
    """By every call that takes one."""
    with pytest.raises(FilterError):
        READS[name](shared.service, ALICE, filters)
    assert shared.texts() == ["note of alice in default"]


@pytest.mark.parametrize("name", READS)
def test_a_filter_two_hundred_deep_is_taken(shared, name):
    """Nothing recurses over it."""
    filters = {"user_id": "bob"}
    for _ in range(200):
        filters = {"AND": [filters]}
    assert not READS[name](shared.service, ALICE, filters)


@pytest.mark.parametrize(
    "call",
    [
        lambda service, memory_id: service.get("other", memory_id),
        lambda service, memory_id: service.history("other", memory_id),
        lambda service, memory_id: service.update("other", memory_id, text="x"),
        lambda service, memory_id: service.invalidate("other", memory_id),
        lambda service, memory_id: service.feedback("other", memory_id, "POSITIVE"),
        lambda service, memory_id: service.delete("other", [memory_id]),
        lambda service, memory_id: service.restore("other", memory_id),
        lambda service, memory_id: service.erase("other", [memory_id]),
        lambda service, memory_id: service.get("other", memory_id[:8]),
    ],
)
def test_no_call_by_id_crosses_a_project(shared, call):
    """The id exists, but not there."""
    (memory,) = shared.service.list(ALICE)[0]
    with pytest.raises(NotFoundError):
        call(shared.service, memory.id)
    assert shared.service.get("default", memory.id) == memory


def test_operations_entities_and_counts_keep_to_their_project(shared):
    """What is told of one says nothing of the other."""
    assert [(entity.type, entity.name, entity.memories) for entity in shared.service.entities("other")] == [
        ("user", "alice", 1)
    ]
    assert len(shared.service.operations("other")) == 1
    assert shared.service.statistics("other").memories == {"active": 1}
    assert shared.service.statistics("nowhere").memories == {}
    assert shared.service.operations("nowhere") == []


# --- lists ---


def test_lists_are_pages_in_order(engine):
    """Newest first, ties by what came later; the total counts all pages."""
    for day in (2, 3, 1):
        engine.say(f"day {day}", timestamp=START - timedelta(days=day))
    pages = [engine.service.list(ALICE, limit=2, offset=offset) for offset in (0, 2, 4)]
    assert [[m.text for m in page] for page, _ in pages] == [["day 1", "day 2"], ["day 3"], []]
    assert {total for _, total in pages} == {3}
    assert engine.texts() == ["day 3", "day 2", "day 1"]


@pytest.mark.parametrize(
    "options",
    [{"limit": -1}, {"limit": 1.5}, {"offset": -1}, {"limit": 100_001}, {"offset": "1"}, {"limit": None}],
    ids=str,
)
def test_a_page_that_is_none_is_refused(engine, options):
    """With the range in the error."""
    with pytest.raises(InvalidInputError, match=next(iter(options))):
        engine.service.list(ALICE, **options)


def test_a_list_of_the_latest_leaves_closed_facts_out(engine):
    """Which it shows otherwise."""
    (old,) = engine.say("I live in Rome")
    engine.say(facts=[{"text": "I live in Bonn", "supersedes": [old.id]}])
    assert engine.texts() == ["I live in Rome", "I live in Bonn"]
    assert engine.texts(latest_only=True) == ["I live in Bonn"]


# --- ids ---


def test_a_beginning_of_an_id_is_enough(engine):
    """In either case, with space around; six characters at least."""
    (memory,) = engine.say("tea")
    for short in (memory.id[:6], memory.id[:8].upper(), f" {memory.id[:35]} ", memory.id):
        assert engine.service.get("default", short) == memory
    with pytest.raises(NotFoundError):
        engine.service.get("default", memory.id[:5])


def test_a_beginning_of_several_ids_is_refused(make_engine):
    """Rather than taken for one of them."""
    engine = make_engine()
    numbers = iter(range(100))
    for part in (engine.service._ingest, engine.service._maintain):
        part._ids = lambda: f"aaaaaaaa-0000-4000-8000-{next(numbers):012}"
    one, two = engine.say("one", "two")
    with pytest.raises(NotFoundError, match="Several"):
        engine.service.get("default", "aaaaaaaa")
    assert engine.service.get("default", two.id).text == "two"
    assert engine.service.get("default", one.id).text == "one"


@pytest.mark.parametrize("bad", ["", "  ", None, 5, ["a"]])
def test_what_is_no_id_is_refused(engine, bad):
    """A blank one never means all."""
    with pytest.raises(InvalidInputError, match="id"):
        engine.service.get("default", bad)


@pytest.mark.parametrize("odd", ["\ud800" * 8, "\x00" * 36, "%" * 8, "_" * 36, "x" * 10_000, "' OR 1=1 --"])
def test_an_odd_id_is_merely_unknown(engine, odd):
    """Nothing of it reaches the store as anything but a value."""
    engine.say("tea")
    with pytest.raises((NotFoundError, InvalidInputError)):
        engine.service.get("default", odd)


# --- the rest ---


def test_operations_are_told_newest_first(engine):
    """As many as asked for."""
    engine.say("one")
    (memory,) = engine.say("two")
    engine.service.delete("default", [memory.id])
    assert [operation.kind for operation in engine.service.operations("default")] == ["delete", "add", "add"]
    assert len(engine.service.operations("default", limit=1)) == 1
    with pytest.raises(InvalidInputError, match="limit"):
        engine.service.operations("default", limit=0)


def test_as_of_takes_a_position_or_a_time(engine):
    """And nothing else."""
    engine.say("tea")
    for early in (-5, 0, "2020-01-01", 1_500_000_000):
        assert engine.find("tea", as_of=early) == []
    for late in (1, 99_999_999, "2999-01-01", START):
        assert engine.find("tea", as_of=late) == ["tea"]
    for bad in (True, "soon", [1]):
        with pytest.raises(InvalidInputError):
            engine.find("tea", as_of=bad)


def test_a_closed_service_says_so(engine):
    """Closing twice is harmless."""
    engine.say("tea")
    engine.service.close()
    engine.service.close()
    with pytest.raises(StoreError, match="closed"):
        engine.find("tea")


def test_warming_up_changes_no_answer(engine):
    """It only loads."""
    engine.say("tea")
    engine.service.warm(ALICE)
    engine.service.warm(Scope(user_id="*"))
    assert engine.find("tea") == ["tea"]
