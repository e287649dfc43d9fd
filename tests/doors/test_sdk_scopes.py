"""Nothing of another user or project is seen, changed or lost through any call of Memory."""

# ruff: noqa: ARG005 - the calls of the table have one signature

from __future__ import annotations

import inspect
import json

import pytest

from kept import Memory
from kept.errors import KeptError, NotFoundError, ScopeError

WORD = "zanzibar"
TEXT = f"The password word of bob is {WORD}"


@pytest.fixture
def stores(tmp_path):
    """Alice's view of a store that bob, and another project, use too."""
    path = tmp_path / "kept.db"
    with Memory(path) as memory, Memory(path, project="other") as other:
        bobs = memory.add(
            TEXT, user_id="bob", run_id="bobs-run", infer=False, idempotency_key="k", metadata={"shelf": 1}
        )
        elsewhere = other.add(TEXT, user_id="alice", infer=False, idempotency_key="k")
        mine = memory.add("Alice has a word as well", user_id="alice", infer=False)
        yield (
            memory,
            {
                "bob": bobs["results"][0]["id"],
                "bob_operation": bobs["operation_id"],
                "elsewhere": elsewhere["results"][0]["id"],
                "elsewhere_operation": elsewhere["operation_id"],
                "mine": mine["results"][0]["id"],
                "path": path,
            },
        )


def refused(call):
    """What a call gives, or that it was refused (an error that tells a secret fails the test)."""
    try:
        return call()
    except KeptError as error:
        return str(error)


FILTERS = [
    None,
    {"user_id": "bob"},
    {"user_id": "alice", "AND": [{"user_id": "bob"}]},
    {"OR": [{"user_id": "*"}, {"shelf": 1}]},
]
SCOPES = [{"user_id": "alice"}, {"user_id": "alice", "run_id": "bobs-run"}, {"agent_id": "*"}]


def every(call):
    """A call under each scope of alice with each filter."""
    return [refused(lambda s=scope, f=filters: call(filters=f, **s)) for scope in SCOPES for filters in FILTERS]


def by_id(call):
    """A call by the ids of the other project."""
    return lambda memory, ids: refused(lambda: call(memory, ids["elsewhere"]))


def import_old(memory, ids):
    """An import of alice's under bob's own memory id."""
    file = ids["path"].with_suffix(".jsonl")
    header = next(iter(memory.export(user_id="alice")))
    row = {"id": ids["bob"], "memory": "overwritten", "created_at": "2020-01-01T00:00:00Z", "user_id": "bob"}
    file.write_text(f"{header}\n{json.dumps(row)}\n", encoding="utf-8")
    return memory.import_file(file, user_id="alice")


CALLS = {
    "add": lambda memory, ids: [
        refused(
            lambda: memory.add("Another password word", user_id="alice", infer=False, related=50, idempotency_key="k")
        ),
        refused(lambda: memory.add("x", user_id="alice", supersedes=ids["bob"])),
        refused(lambda: memory.add("x", user_id="alice", supersedes=ids["elsewhere"])),
    ],
    "search": lambda memory, ids: [
        every(lambda **scope: memory.search("password word", **scope)),
        every(lambda **scope: memory.search("password word", as_of=99, show_expired=True, **scope)),
    ],
    "context": lambda memory, ids: every(lambda **scope: memory.context("password word", **scope)),
    "get_all": lambda memory, ids: every(memory.get_all),
    "export": lambda memory, ids: [
        every(lambda **scope: list(memory.export(**scope))),
        every(lambda **scope: list(memory.export(form="markdown", **scope))),
    ],
    "get": by_id(lambda memory, memory_id: memory.get(memory_id)),
    "history": by_id(lambda memory, memory_id: memory.history(memory_id)),
    "update": by_id(lambda memory, memory_id: memory.update(memory_id, "x")),
    "delete": by_id(lambda memory, memory_id: memory.delete(memory_id, delete_linked=True)),
    "restore": by_id(lambda memory, memory_id: memory.restore(memory_id, 1)),
    "invalidate": by_id(lambda memory, memory_id: memory.invalidate(memory_id)),
    "feedback": by_id(lambda memory, memory_id: memory.feedback(memory_id, "NEGATIVE")),
    "delete_all": lambda memory, ids: every(memory.delete_all),
    "retain": lambda memory, ids: every(lambda **scope: memory.retain(0, **scope)),
    "erase": lambda memory, ids: [
        refused(lambda: memory.erase(ids["elsewhere"])),
        refused(lambda: memory.erase([ids["bob"]], user_id="alice")),
        every(memory.erase),
    ],
    "undo": lambda memory, ids: [
        refused(lambda: memory.undo(ids["bob_operation"], user_id="alice")),
        refused(lambda: memory.undo(ids["elsewhere_operation"])),
        [refused(lambda: memory.undo(user_id="alice")) for _ in range(4)],
    ],
    "users": lambda memory, ids: [row for row in memory.users()["results"] if row["type"] == "agent"],
    "timeline": lambda memory, ids: every(lambda **scope: memory.timeline("password word", threshold=0, **scope)),
    "search_graph": lambda memory, ids: [
        every(lambda word=word, **scope: memory.search_graph(word, **scope)) for word in ("", WORD, "password word")
    ],
    "get_entity": lambda memory, ids: every(lambda **scope: memory.get_entity("bob", **scope)),
    "neighbours": lambda memory, ids: every(lambda **scope: memory.neighbours("bob", depth=3, **scope)),
    "paths": lambda memory, ids: every(lambda **scope: memory.paths("bob", "word", **scope)),
    "merge_entities": lambda memory, ids: [
        refused(lambda s=scope: memory.merge_entities("alice", ["bob"], **s)) for scope in SCOPES
    ],
    "split_entity": lambda memory, ids: [refused(lambda s=scope: memory.split_entity("bob", **s)) for scope in SCOPES],
    "likely_same_entities": lambda memory, ids: [
        refused(lambda s=scope: memory.likely_same_entities(**s)) for scope in SCOPES
    ],
    "consolidate": lambda memory, ids: [refused(lambda s=scope: memory.consolidate(**s)) for scope in SCOPES],
    "proposals": lambda memory, ids: memory.proposals(status="all", user_id="alice"),
    "accept_proposal": by_id(lambda memory, memory_id: memory.accept_proposal(memory_id)),
    "decline_proposal": by_id(lambda memory, memory_id: memory.decline_proposal(memory_id)),
    "understand": lambda memory, ids: refused(memory.understand),
    "stats": lambda memory, ids: memory.stats(),
    "verify": lambda memory, ids: memory.verify(),
    "rebuild": lambda memory, ids: memory.rebuild(),
    "import_file": import_old,
    "backup": lambda memory, ids: memory.backup(ids["path"].with_suffix(".copy")),
    "reset": lambda memory, ids: refused(memory.reset),
    "close": lambda memory, ids: memory.close(),
}
WHOLE_PROJECT = {"reset"}
"""Means everybody in the project, and says so."""


def test_the_table_names_every_public_method():
    """A new one is held to it as well."""
    public = {name for name, _ in inspect.getmembers(Memory, inspect.isfunction) if not name.startswith("_")}
    assert set(CALLS) == public


@pytest.mark.parametrize("name", CALLS)
def test_no_call_shows_or_touches_what_is_anothers(stores, name):
    """Whatever filter it brings, whatever id it names."""
    memory, ids = stores
    shown = CALLS[name](memory, ids)
    assert WORD not in json.dumps(shown, default=str)
    with Memory(ids["path"], project="other") as other:
        assert other.get(ids["elsewhere"])["memory"] == TEXT
        assert [row["memory"] for row in other.get_all(user_id="alice")["results"]] == [TEXT]
    with Memory(ids["path"]) as again:
        assert again.get(ids["bob"])["memory"] == TEXT
        left = [] if name in WHOLE_PROJECT else [TEXT]
        assert [row["memory"] for row in again.get_all(user_id="bob")["results"]] == left
        assert again.verify() == []


@pytest.mark.parametrize("name", ["search", "context", "get_all", "export", "delete_all", "retain", "erase"])
@pytest.mark.parametrize("filters", [None, {}, {"shelf": 1}, {"NOT": [{"user_id": "alice"}]}], ids=str)
def test_a_call_without_an_owner_is_a_scope_error(stores, name, filters):
    """Nobody reads or deletes a whole project by leaving something out."""
    memory, _ = stores
    arguments = {"search": ("word",), "context": ("word",), "retain": (1,)}.get(name, ())
    with pytest.raises(ScopeError):
        getattr(memory, name)(*arguments, filters=filters)


def test_a_wildcard_is_everybody_of_the_project_and_nobody_else(stores):
    """And leaves out what has no such id."""
    memory, _ = stores
    memory.add("An agent's own", agent_id="planner", infer=False)
    assert memory.get_all(user_id="*")["total"] == 2
    assert memory.get_all(agent_id="*")["total"] == 1
    assert memory.get_all(filters={"user_id": "*"})["total"] == 2
    assert len(memory.search("word", run_id="*")["results"]) == 1


def test_ids_in_filters_do_what_ids_as_arguments_do(stores):
    """Either way of saying whose."""
    memory, ids = stores
    for found in (memory.search("word", filters={"user_id": "bob"}), memory.search("word", user_id="bob")):
        assert [row["id"] for row in found["results"]] == [ids["bob"]]
    with pytest.raises(NotFoundError):
        memory.undo(user_id="nobody")
