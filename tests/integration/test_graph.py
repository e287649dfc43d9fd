"""The projection on a file: how it follows, what it does when it is damaged, and what it costs."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from kept.adapters.sqlite import graph as sqlite_graph
from kept.adapters.sqlite.graph import SqliteGraph
from kept.adapters.sqlite.log import SqliteLog
from kept.domain.memory import EntityRef, Relation
from kept.domain.scope import Scope
from kept.ports import Listing
from kept.testing.fakes import SCOPE, Scribe

BOB = Scope(user_id="bob")


def say(scribe, target, **fields):
    relations = (Relation(source="Ana", relationship="likes", target=target),)
    refs = (EntityRef(name="Ana", kind="name", key="ana"),)
    return scribe.add(f"Ana likes {target}", relations=relations, entity_refs=refs, **fields)


@pytest.fixture
def log(store_path):
    with closing(SqliteLog(store_path)) as log:
        yield log


@pytest.fixture
def graph(log, store_path):
    return SqliteGraph(log, store_path)


def test_it_says_how_far_behind_it_is_and_follows_in_batches(log, graph, monkeypatch):
    monkeypatch.setattr(sqlite_graph, "_BATCH", 2)
    scribe = Scribe(log)
    for number in range(5):
        say(scribe, f"tea {number}")
    say(scribe, "gin", scope=BOB)
    assert graph.lag() == 6
    assert graph.catch_up() == 2
    assert graph.lag() == 4
    assert len(graph.edges(Listing(scope=SCOPE), ["ana"], limit=9)) == 5
    assert graph.lag() == 1  # of the other user, whom nobody asked about
    assert graph.catch_up() == 1
    assert graph.lag() == 0


def test_a_change_is_one_memory_to_follow(log, graph):
    scribe = Scribe(log)
    memory = say(scribe, "tea")
    graph.nodes(Listing(scope=SCOPE), [])
    scribe.set_state(memory, "superseded")
    assert graph.lag() == 1


def test_two_over_one_file_follow_each_others_writes(log, graph, store_path):
    with closing(SqliteLog(store_path)) as other_log:
        other = SqliteGraph(other_log, store_path)
        say(Scribe(log), "tea")
        assert len(other.edges(Listing(scope=SCOPE), ["ana"], limit=9)) == 1
        say(Scribe(other_log, series=1), "gin")
        assert len(graph.edges(Listing(scope=SCOPE), ["ana"], limit=9)) == 2
        other.merge(SCOPE.project, SCOPE.user_id, "tea", ["gin"])
        assert [node.key for node in graph.nodes(Listing(scope=SCOPE), ["gin"])] == ["tea"]


DAMAGE = {
    "a mention is missing": "DELETE FROM graph_mention",
    "a relation is missing": "DELETE FROM graph_relation",
    "a relation is another": "UPDATE graph_relation SET relationship = 'hates'",
    "a name is another": "UPDATE graph_mention SET entity_name = 'Eve'",
    "a memory is said to say more": "INSERT INTO graph_mention VALUES (1000, 1, 'Ana', 'name')",
    "an entity is mentioned by none": "INSERT INTO graph_entity VALUES (1000, 1, 'eve', 'eve')",
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_graph_that_differs_from_the_log_is_found_and_made_again(log, graph, store_path, what):
    say(Scribe(log), "tea")
    before = graph.edges(Listing(scope=SCOPE), ["ana"], limit=9)
    assert list(graph.verify()) == []
    with closing(sqlite3.connect(store_path)) as connection, connection:
        connection.execute(DAMAGE[what])
    (finding, *_) = graph.verify(SCOPE.project)
    assert finding.check == "graph"
    assert "tea" not in finding.detail
    graph.rebuild()
    assert list(graph.verify()) == []
    assert graph.edges(Listing(scope=SCOPE), ["ana"], limit=9) == before


def test_another_projects_graph_is_left_alone_by_a_rebuild(log, graph):
    scribe = Scribe(log)
    say(scribe, "tea")
    say(scribe, "gin", scope=Scope(project="other", user_id="alice"))
    assert graph.rebuild("other") == 1
    assert graph.lag() == 1


def test_a_node_keeps_nothing_of_an_erased_name(log, graph, store_path):
    """The last merge of a user goes with the name, and no entity is known by it any more."""
    scribe = Scribe(log)
    secret, _ = say(scribe, "secret"), say(scribe, "tea")
    graph.nodes(Listing(scope=SCOPE), [])
    graph.merge(SCOPE.project, SCOPE.user_id, "secret", ["tea"])
    scribe.erase(secret)
    with closing(sqlite3.connect(store_path)) as connection:
        assert connection.execute("SELECT count(*) FROM graph_alias").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM graph_entity WHERE node = 'secret'").fetchone() == (0,)
