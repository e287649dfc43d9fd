"""Both graphs keep every promise of the port, and say the same of the same log."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kept.adapters.inmemory import InMemoryLog
from kept.adapters.inmemory_graph import InMemoryGraph
from kept.adapters.sqlite.graph import SqliteGraph
from kept.adapters.sqlite.log import SqliteLog
from kept.domain.memory import EntityRef, Relation
from kept.domain.scope import Scope
from kept.ports import Listing
from kept.testing.fakes import SCOPE, START, Scribe
from kept.testing.graph_conformance import GraphConformance


class TestInMemoryGraph(GraphConformance):
    @pytest.fixture
    def open_graph(self):
        def opened():
            log = InMemoryLog()
            return log, InMemoryGraph(log)

        return opened


class TestInMemoryGraphOverSqlite(GraphConformance):
    @pytest.fixture
    def open_graph(self, store_path):
        def opened():
            log = SqliteLog(store_path)
            return log, InMemoryGraph(log)

        return opened


class TestSqliteGraph(GraphConformance):
    @pytest.fixture
    def open_graph(self, store_path):
        def opened():
            log = SqliteLog(store_path)
            return log, SqliteGraph(log, store_path)

        return opened


NAMES = st.sampled_from(["Ana", "ana", "Bob", "Rome", "Bonn", "Ana Silva"])
TRIPLES = st.builds(
    lambda source, relationship, target: Relation(source=source, relationship=relationship, target=target),
    NAMES,
    st.sampled_from(["likes", "lives in", "LIVES_IN", "uses", "best friend"]),
    NAMES,
)
REFS = st.builds(
    lambda name, kind: EntityRef(name=name, kind=kind, key=name.casefold()),
    NAMES,
    st.sampled_from(["", "name", "name", "identifier", "place"]),
)
SCOPES = st.sampled_from([SCOPE, Scope(user_id="bob"), Scope(user_id="alice", run_id="r"), Scope(agent_id="a")])
ADDS = st.tuples(
    st.just("add"),
    SCOPES,
    st.lists(TRIPLES, max_size=3),
    st.lists(REFS, max_size=3),
    st.integers(0, 3),
    st.integers(1, 3),
    st.sampled_from([("user", "user"), ("user", "Ana"), ("assistant", "Bob"), (None, None)]),
)
CHANGES = st.tuples(st.sampled_from(["delete", "restore", "supersede", "update", "erase"]), st.integers(0, 9))
MERGES = st.tuples(st.just("merge"), SCOPES, NAMES, NAMES)
SPLITS = st.tuples(st.just("split"), SCOPES, NAMES)
READS = st.tuples(st.just("read"))
STEPS = st.lists(st.one_of(ADDS, ADDS, CHANGES, MERGES, SPLITS, READS), max_size=12)
STATES = {"delete": "deleted", "restore": "active", "supersede": "superseded"}


def observe(graph):
    listings = [
        Listing(scope=scope) for scope in (SCOPE, Scope(user_id="bob"), Scope(user_id="alice", run_id="r"), Scope())
    ]
    keys = ["ana", "bob", "rome"]
    return [
        (
            graph.nodes(listing, keys, at=at),
            graph.matching(listing, ["ana", "rome"], limit=9, at=at),
            graph.matching(listing, [], limit=3, at=at),
            graph.edges(listing, keys, limit=5, at=at),
            graph.edges(listing, ["bonn"], limit=5, relationship="lives_in", at=at),
            list(graph.together(listing, keys, limit=6, at=at).items()),
            graph.mentioning(listing, keys, limit=5, at=at),
        )
        for listing in listings
        for at in (None, START + timedelta(days=2))
    ] + [graph.aliases("default", user) for user in ("alice", "bob", None)]


def forget_merges(reference):
    for user in ("alice", "bob", None):
        reference._merged["default", user] = reference.aliases("default", user)


def run(step, scribe, graph, stored):
    match step:
        case ("add", scope, said, refs, begins, lasts, voice):
            distinct = {ref.key: ref for ref in refs}
            start = START + timedelta(days=begins)
            times = {"valid_from": start, "valid_to": start + timedelta(days=lasts)} if begins else {}
            said_by = dict(zip(("role", "speaker"), voice, strict=True))
            mentioned = tuple(distinct.values())
            stored.append(scribe.add(scope=scope, relations=tuple(said), entity_refs=mentioned, **times, **said_by))
        case ("merge", scope, into, alias):
            graph.merge(scope.project, scope.user_id, into.casefold(), [alias.casefold()])
        case ("split", scope, alias):
            graph.split(scope.project, scope.user_id, [alias.casefold()])
        case ("read",):
            observe(graph)
        case (change, number) if number < len(stored) and stored[number].state != "erased":
            memory = stored[number]
            if change == "erase":
                (stored[number],) = scribe.erase(memory)
            elif change == "update":
                now = tuple(Relation(source=r.target, relationship="likes", target=r.source) for r in memory.relations)
                stored[number] = scribe.revise(memory, "update", relations=now)
            elif memory.state != STATES[change]:
                stored[number] = scribe.set_state(memory, STATES[change])


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_the_projection_says_what_reading_the_log_says(steps):
    """Whatever was stored, changed, erased, merged and read in between."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "kept.db"
        with closing(SqliteLog(path)) as log:
            scribe, stored = Scribe(log), []
            graph, reference = SqliteGraph(log, path), InMemoryGraph(log)
            for step in steps:
                run(step, scribe, graph, stored)
                if step[0] in {"merge", "split"}:
                    run(step, scribe, reference, stored)
            assert observe(graph) == observe(reference)
            assert list(graph.verify()) == []
            graph.rebuild()
            assert observe(graph) == observe(reference)
