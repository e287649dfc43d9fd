"""What every graph must do: each promise of `kept.ports.EntityGraph`, as a test.

An adapter is right when a subclass passes::

    class TestPostgresGraph(GraphConformance):
        @pytest.fixture
        def open_graph(self, database_url):
            return lambda: open_postgres_graph(database_url)

`open_graph` gives the log and the graph over one store.
"""
# ruff: noqa: D102 - a test's name says what holds

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from kept.domain.filters import parse_filter
from kept.domain.memory import EntityRef, Relation
from kept.domain.scope import Scope
from kept.ports import Listing
from kept.testing.fakes import SCOPE, START, Scribe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kept.domain.graph import Edge, Node
    from kept.domain.memory import MemoryRecord
    from kept.ports import EntityGraph, Log

BOB: Final = Scope(user_id="bob")
OTHER_PROJECT: Final = Scope(project="other", user_id="alice")
IN_A_RUN: Final = Scope(user_id="alice", run_id="run-1")
EVERYBODY: Final = Scope(whole_project=True)
DAY: Final = timedelta(days=1)
ALL: Final = 1_000
"""More than any test stores."""

Triple = tuple[str, str, str]


def refs(*names: str, kind: str = "name") -> tuple[EntityRef, ...]:
    """Mentions by name."""
    return tuple(EntityRef(name=name, kind=kind, key=name.casefold()) for name in names)


def triples(edges: Sequence[Edge]) -> list[Triple]:
    """What edges say."""
    return [edge.triple for edge in edges]


def counted(nodes: Sequence[Node]) -> dict[str, int]:
    """How often nodes are mentioned, by key."""
    return {node.key: node.mentions for node in nodes}


class GraphConformance:
    """Tests for a graph over a log. Subclasses give `open_graph`."""

    @pytest.fixture
    def opened(self, open_graph: Callable[[], tuple[Log, EntityGraph]]) -> tuple[Log, EntityGraph]:
        return open_graph()

    @pytest.fixture
    def graph(self, opened: tuple[Log, EntityGraph]) -> EntityGraph:
        return opened[1]

    @pytest.fixture
    def scribe(self, opened: tuple[Log, EntityGraph]) -> Scribe:
        return Scribe(opened[0])

    @staticmethod
    def say(scribe: Scribe, *said: Triple, mentions: Sequence[str] = (), **fields: Any) -> MemoryRecord:
        """Store a memory that states triples and mentions names."""
        relations = tuple(Relation(source=s, relationship=r, target=t) for s, r, t in said)
        return scribe.add(relations=relations, entity_refs=refs(*mentions), **fields)

    def test_an_empty_store_has_no_entities(self, graph: EntityGraph) -> None:
        listing = Listing(scope=SCOPE)
        assert graph.nodes(listing, ["ana"]) == []
        assert graph.matching(listing, [], limit=ALL) == []
        assert graph.edges(listing, ["ana"], limit=ALL) == []
        assert graph.together(listing, ["ana"], limit=ALL) == {}
        assert graph.mentioning(listing, ["ana"], limit=ALL) == []
        assert graph.aliases(SCOPE.project, SCOPE.user_id) == {}
        assert graph.lag() == 0

    def test_a_memory_gives_its_entities_and_relations(self, graph: EntityGraph, scribe: Scribe) -> None:
        memory = self.say(scribe, ("Ana", "lives in", "Berlin"), mentions=["Ana"])
        (ana, berlin) = graph.nodes(Listing(scope=SCOPE), ["ana", "berlin", "paris"])
        assert (ana.key, ana.name, ana.kind, ana.mentions) == ("ana", "Ana", "person", 1)
        assert (berlin.key, berlin.name, berlin.kind) == ("berlin", "Berlin", "place")
        assert ana.first_seen == ana.last_seen == memory.created_at
        (edge,) = graph.edges(Listing(scope=SCOPE), ["berlin"], limit=ALL)
        assert edge.triple == ("ana", "lives_in", "berlin")
        assert (edge.memory_id, edge.memory_key, edge.state) == (memory.id, memory.key, "active")
        assert (edge.created_at, edge.valid_from, edge.valid_to) == (memory.created_at, None, None)

    def test_a_read_sees_each_write_before_it(self, graph: EntityGraph, scribe: Scribe) -> None:
        listing = Listing(scope=SCOPE)
        for count in range(1, 4):
            self.say(scribe, mentions=["Ana"])
            assert counted(graph.nodes(listing, ["ana"])) == {"ana": count}
        assert graph.lag() == 0

    def test_relations_end_at_the_entities_that_the_memory_mentions(self, graph: EntityGraph, scribe: Scribe) -> None:
        path = EntityRef(name="src/app.py:12", kind="path", key="src/app.py")
        relation = Relation(source="Worker", relationship="path", target="src/app.py:12")
        scribe.add(entity_refs=(path,), relations=(relation,))
        assert triples(graph.edges(Listing(scope=SCOPE), ["worker"], limit=ALL)) == [("worker", "path", "src/app.py")]

    def test_the_name_is_the_one_written_last_and_the_kind_one_that_somebody_said(
        self, graph: EntityGraph, scribe: Scribe
    ) -> None:
        scribe.add(entity_refs=(EntityRef(name="postgres", kind="package", key="postgres"),))
        self.say(scribe, ("we", "uses", "Postgres"))
        (node,) = graph.nodes(Listing(scope=SCOPE), ["postgres"])
        assert (node.name, node.kind) == ("Postgres", "package")

    def test_relations_and_who_speaks_tell_of_the_kind_of_a_name(self, graph: EntityGraph, scribe: Scribe) -> None:
        self.say(scribe, ("Ana", "uses", "Postgres"), mentions=["Ana"], role="user", speaker="Ana")
        self.say(scribe, ("fix", "works at", "Safari"), mentions=["Safari", "Ana"])
        self.say(scribe, ("alice", "works at", "Acme"))
        listing = Listing(scope=SCOPE)
        asked = ["acme", "alice", "ana", "fix", "postgres", "safari"]
        kinds = ["organisation", "person", "person", None, "product", "name"]
        assert [node.kind for node in graph.nodes(listing, asked)] == kinds

    def test_a_kind_rests_on_memories_that_may_be_seen(self, graph: EntityGraph, scribe: Scribe) -> None:
        self.say(scribe, mentions=["Oslo"])
        told = self.say(scribe, ("Ana", "lives in", "Oslo"), categories=("homes",))
        hidden = Listing(scope=SCOPE, condition=parse_filter({"NOT": [{"categories": {"contains": "homes"}}]}))
        listing = Listing(scope=SCOPE)
        for seen, kind in ((hidden, "name"), (listing, "place")):
            assert [node.kind for node in graph.nodes(seen, ["oslo"])] == [kind]
        told = scribe.set_state(told, "deleted")
        assert [node.kind for node in graph.nodes(listing, ["oslo"])] == ["name"]
        scribe.erase(told)
        assert [node.kind for node in graph.nodes(listing, ["oslo"])] == ["name"]

    def test_a_merged_entity_has_the_kind_that_either_name_was_told(self, graph: EntityGraph, scribe: Scribe) -> None:
        self.say(scribe, ("Ana", "works at", "Acme Corp"), mentions=["Acme"])
        graph.nodes(Listing(scope=SCOPE), [])
        graph.merge(SCOPE.project, SCOPE.user_id, "acme", ["acme corp"])
        assert [node.kind for node in graph.nodes(Listing(scope=SCOPE), ["acme"])] == ["organisation"]

    def test_what_one_user_merged_is_merged_for_nobody_else(self, graph: EntityGraph, scribe: Scribe) -> None:
        self.say(scribe, mentions=["Ana", "Ana Silva"])
        self.say(scribe, mentions=["Ana", "Bob"], scope=Scope(user_id="bob"))
        everybody = Listing(scope=Scope())
        graph.nodes(everybody, [])
        graph.merge(SCOPE.project, SCOPE.user_id, "ana", ["ana silva"])
        assert [(node.key, node.mentions) for node in graph.nodes(everybody, ["ana silva"])] == [("ana", 1)]
        assert [(node.key, node.mentions) for node in graph.nodes(everybody, ["ana"])] == [("ana", 2)]
        graph.merge(SCOPE.project, "bob", "bob", ["ana"])
        assert {node.key for node in graph.matching(everybody, ["silva"], limit=9)} == {"ana"}

    def test_words_find_entities_most_words_first(self, graph: EntityGraph, scribe: Scribe) -> None:
        self.say(scribe, mentions=["Ana Silva", "Silva", "Silvan", "Ana"])
        self.say(scribe, mentions=["Silva"])
        listing = Listing(scope=SCOPE)
        found = graph.matching(listing, ["ana", "silva"], limit=ALL)
        assert [node.key for node in found] == ["ana silva", "silva", "ana"]
        assert [node.key for node in graph.matching(listing, ["ana", "silva"], limit=2)] == ["ana silva", "silva"]
        assert graph.matching(listing, ["nobody"], limit=ALL) == []

    def test_without_words_those_mentioned_most_come_first(self, graph: EntityGraph, scribe: Scribe) -> None:
        self.say(scribe, mentions=["Rome", "Bonn", "Ana"])
        self.say(scribe, mentions=["Rome", "Ana"])
        self.say(scribe, mentions=["Rome"])
        found = graph.matching(Listing(scope=SCOPE), [], limit=2)
        assert [(node.key, node.mentions) for node in found] == [("rome", 3), ("ana", 2)]

    def test_edges_come_current_first_then_newest(self, graph: EntityGraph, scribe: Scribe) -> None:
        old = self.say(scribe, ("Ana", "lives_in", "Rome"))
        self.say(scribe, ("Ana", "likes", "tea"), ("Ana", "likes", "cake"))
        scribe.set_state(old, "superseded")
        self.say(scribe, ("Ana", "lives_in", "Bonn"))
        listing = Listing(scope=SCOPE)
        found = graph.edges(listing, ["ana"], limit=ALL)
        assert triples(found) == [
            ("ana", "lives_in", "bonn"),
            ("ana", "likes", "cake"),
            ("ana", "likes", "tea"),
            ("ana", "lives_in", "rome"),
        ]
        assert found[-1].state == "superseded"
        assert triples(graph.edges(listing, ["ana"], limit=1)) == [("ana", "lives_in", "bonn")]
        only = graph.edges(listing, ["ana"], limit=ALL, relationship="likes")
        assert {edge.relationship for edge in only} == {"likes"}

    def test_what_was_true_then_is_asked_for_by_a_time(self, graph: EntityGraph, scribe: Scribe) -> None:
        moved = START + 10 * DAY
        self.say(scribe, ("Ana", "lives_in", "Rome"), valid_to=moved)
        self.say(scribe, ("Ana", "lives_in", "Bonn"), valid_from=moved)
        listing = Listing(scope=SCOPE)

        def at(moment: datetime) -> list[Triple]:
            return triples(graph.edges(listing, ["ana"], limit=ALL, at=moment))

        assert at(START - DAY) == []
        assert at(moved - timedelta(microseconds=1)) == [("ana", "lives_in", "rome")]
        assert at(moved) == [("ana", "lives_in", "bonn")]
        assert counted(graph.nodes(listing, ["rome", "bonn", "ana"], at=moved)) == {"ana": 1, "bonn": 1}
        assert [node.key for node in graph.matching(listing, ["rome"], limit=ALL, at=moved)] == []
        assert [node.key for node in graph.matching(listing, [], limit=ALL, at=moved)] == ["ana", "bonn"]
        assert graph.together(listing, ["ana"], limit=ALL, at=moved) == {("ana", "bonn"): 1}
        assert len(graph.mentioning(listing, ["ana"], limit=ALL, at=moved)) == 1

    def test_what_stands_together_is_counted_by_memory(self, graph: EntityGraph, scribe: Scribe) -> None:
        self.say(scribe, mentions=["Ana", "Bob", "Rome"])
        self.say(scribe, ("Ana", "knows", "Bob"))
        found = graph.together(Listing(scope=SCOPE), ["ana"], limit=ALL)
        assert list(found.items()) == [(("ana", "bob"), 2), (("ana", "rome"), 1)]
        assert graph.together(Listing(scope=SCOPE), ["ana"], limit=1) == {("ana", "bob"): 2}

    def test_memories_that_mention_an_entity_come_newest_first(self, graph: EntityGraph, scribe: Scribe) -> None:
        first = self.say(scribe, mentions=["Ana"])
        self.say(scribe, mentions=["Bob"])
        last = self.say(scribe, ("Ana", "likes", "tea"))
        listing = Listing(scope=SCOPE)
        assert graph.mentioning(listing, ["ana"], limit=ALL) == [last.key, first.key]
        assert graph.mentioning(listing, ["ana"], limit=1) == [last.key]

    @pytest.mark.parametrize("scope", [SCOPE, BOB, IN_A_RUN, OTHER_PROJECT, Scope(user_id="*"), EVERYBODY])
    def test_nothing_is_seen_that_rests_on_memories_outside_the_scope(
        self, graph: EntityGraph, scribe: Scribe, scope: Scope
    ) -> None:
        stored = {}
        for place, owner in {"rome": SCOPE, "bonn": BOB, "oslo": IN_A_RUN, "kyiv": OTHER_PROJECT}.items():
            self.say(scribe, ("Ana", "lives_in", place), mentions=["Ana", "Eve"], scope=owner)
            stored[place] = owner
        seen = sorted(place for place, owner in stored.items() if scope.admits(owner))
        listing = Listing(scope=scope)
        assert sorted(target for _, _, target in triples(graph.edges(listing, ["ana"], limit=ALL))) == seen
        assert counted(graph.nodes(listing, [*stored, "ana"])) == {"ana": len(seen), **dict.fromkeys(seen, 1)}
        assert {node.key for node in graph.matching(listing, list(stored), limit=ALL)} == set(seen)
        assert {node.key for node in graph.matching(listing, [], limit=ALL)} == {"ana", "eve", *seen}
        assert graph.together(listing, ["eve"], limit=ALL)["eve", "ana"] == len(seen)
        assert len(graph.mentioning(listing, ["ana"], limit=ALL)) == len(seen)

    def test_a_filter_narrows_what_is_seen(self, graph: EntityGraph, scribe: Scribe) -> None:
        self.say(scribe, ("Ana", "likes", "tea"), metadata={"shared": True})
        self.say(scribe, ("Ana", "likes", "gin"), categories=("drinks",))
        for condition, target in (
            ({"metadata": {"shared": True}}, "tea"),
            ({"categories": {"contains": "drinks"}}, "gin"),
        ):
            listing = Listing(scope=SCOPE, condition=parse_filter(condition))
            assert triples(graph.edges(listing, ["ana"], limit=ALL)) == [("ana", "likes", target)]
            assert counted(graph.nodes(listing, ["ana", "tea", "gin"])) == {"ana": 1, target: 1}

    def test_a_filter_too_deep_for_a_database_narrows_as_well(self, graph: EntityGraph, scribe: Scribe) -> None:
        self.say(scribe, ("Ana", "likes", "tea"), categories=("drinks",))
        self.say(scribe, ("Ana", "likes", "gin"))
        condition: dict[str, Any] = {"categories": {"contains": "drinks"}}
        for _ in range(40):
            condition = {"OR": [{"AND": [condition, {"user_id": "alice"}]}, {"user_id": "nobody"}]}
        listing = Listing(scope=SCOPE, condition=parse_filter(condition))
        assert triples(graph.edges(listing, ["ana"], limit=ALL)) == [("ana", "likes", "tea")]

    def test_expired_memories_are_left_out_where_a_day_is_given(self, graph: EntityGraph, scribe: Scribe) -> None:
        self.say(scribe, ("Ana", "likes", "tea"), expires_on=START.date())
        assert graph.edges(Listing(scope=SCOPE, today=(START + DAY).date()), ["ana"], limit=ALL) == []
        assert len(graph.edges(Listing(scope=SCOPE, today=START.date()), ["ana"], limit=ALL)) == 1

    def test_a_deleted_memory_vanishes_and_comes_back(self, graph: EntityGraph, scribe: Scribe) -> None:
        listing = Listing(scope=SCOPE)
        memory = self.say(scribe, ("Ana", "likes", "tea"))
        memory = scribe.set_state(memory, "deleted")
        assert graph.nodes(listing, ["ana"]) == []
        assert graph.edges(listing, ["ana"], limit=ALL) == []
        scribe.set_state(memory, "active")
        assert triples(graph.edges(listing, ["ana"], limit=ALL)) == [("ana", "likes", "tea")]

    def test_a_changed_memory_says_what_it_says_now(self, graph: EntityGraph, scribe: Scribe) -> None:
        listing = Listing(scope=SCOPE)
        memory = self.say(scribe, ("Ana", "likes", "tea"))
        assert len(graph.edges(listing, ["tea"], limit=ALL)) == 1
        now = (Relation(source="Ana", relationship="likes", target="gin"),)
        scribe.revise(memory, "update", relations=now)
        assert triples(graph.edges(listing, ["ana"], limit=ALL)) == [("ana", "likes", "gin")]
        assert graph.nodes(listing, ["tea"]) == []

    def test_an_erased_memory_is_gone_whether_it_was_projected_or_not(self, graph: EntityGraph, scribe: Scribe) -> None:
        everything = Listing(scope=SCOPE, states=("active", "superseded", "invalidated", "deleted", "erased"))
        seen = self.say(scribe, ("Ana", "likes", "tea"))
        assert graph.nodes(everything, ["tea"])
        unseen = self.say(scribe, ("Ana", "likes", "gin"))
        for memory in (seen, unseen):
            scribe.erase(memory)
        assert graph.nodes(everything, ["ana", "tea", "gin"]) == []
        assert graph.edges(everything, ["ana"], limit=ALL) == []
        assert list(graph.verify()) == []

    # --- merges ---

    def test_merged_entities_are_one_under_either_name(self, graph: EntityGraph, scribe: Scribe) -> None:
        listing = Listing(scope=SCOPE)
        self.say(scribe, ("Ana", "uses", "Postgres"))
        self.say(scribe, ("Bob", "uses", "PostgreSQL"))
        self.say(scribe, mentions=["Postgres", "PostgreSQL", "SQL"])
        graph.merge(SCOPE.project, SCOPE.user_id, "postgresql", ["postgres"])
        assert graph.aliases(SCOPE.project, SCOPE.user_id) == {"postgres": "postgresql"}
        for asked in ("postgres", "postgresql"):
            (node,) = graph.nodes(listing, [asked])
            assert (node.key, node.name, node.mentions) == ("postgresql", "PostgreSQL", 3)
            assert sorted(triples(graph.edges(listing, [asked], limit=ALL))) == [
                ("ana", "uses", "postgresql"),
                ("bob", "uses", "postgresql"),
            ]
            assert len(graph.mentioning(listing, [asked], limit=ALL)) == 3
        assert [node.key for node in graph.matching(listing, ["postgres"], limit=ALL)] == ["postgresql"]
        assert graph.together(listing, ["postgres"], limit=ALL)["postgresql", "sql"] == 1
        assert ("postgresql", "postgresql") not in graph.together(listing, ["postgres"], limit=ALL)

    def test_a_merged_entity_is_not_found_by_a_name_that_may_not_be_seen(
        self, graph: EntityGraph, scribe: Scribe
    ) -> None:
        self.say(scribe, mentions=["Postgres"])
        self.say(scribe, mentions=["Elephant"], scope=IN_A_RUN)
        graph.nodes(Listing(scope=SCOPE), [])
        graph.merge(SCOPE.project, SCOPE.user_id, "postgres", ["elephant"])
        for scope, by_own, by_alias in ((SCOPE, 1, 1), (IN_A_RUN, 0, 1)):
            for word, count in (("postgres", by_own), ("elephant", by_alias)):
                assert len(graph.matching(Listing(scope=scope), [word], limit=ALL)) == count

    def test_a_merge_holds_for_what_is_stored_later(self, graph: EntityGraph, scribe: Scribe) -> None:
        self.say(scribe, mentions=["Postgres", "PostgreSQL"])
        graph.nodes(Listing(scope=SCOPE), [])
        graph.merge(SCOPE.project, SCOPE.user_id, "postgresql", ["postgres"])
        self.say(scribe, ("Eve", "uses", "postgres"))
        assert triples(graph.edges(Listing(scope=SCOPE), ["eve"], limit=ALL)) == [("eve", "uses", "postgresql")]

    def test_a_split_takes_a_merge_back(self, graph: EntityGraph, scribe: Scribe) -> None:
        listing = Listing(scope=SCOPE)
        self.say(scribe, ("Ana", "uses", "Postgres"), mentions=["PostgreSQL"])
        before = graph.nodes(listing, ["postgres", "postgresql"])
        graph.merge(SCOPE.project, SCOPE.user_id, "postgresql", ["postgres"])
        assert graph.split(SCOPE.project, SCOPE.user_id, ["postgres", "ana"]) == ["postgres"]
        assert graph.nodes(listing, ["postgres", "postgresql"]) == before
        assert graph.aliases(SCOPE.project, SCOPE.user_id) == {}

    def test_merging_again_flattens(self, graph: EntityGraph, scribe: Scribe) -> None:
        self.say(scribe, mentions=["PG", "Postgres", "PostgreSQL"])
        graph.nodes(Listing(scope=SCOPE), [])
        graph.merge(SCOPE.project, SCOPE.user_id, "postgres", ["pg"])
        graph.merge(SCOPE.project, SCOPE.user_id, "postgresql", ["pg"])
        assert graph.aliases(SCOPE.project, SCOPE.user_id) == {"pg": "postgresql", "postgres": "postgresql"}
        graph.merge(SCOPE.project, SCOPE.user_id, "pg", ["postgresql", "pg"])
        assert graph.aliases(SCOPE.project, SCOPE.user_id) == {"pg": "postgresql", "postgres": "postgresql"}

    def test_a_merge_is_one_users_alone(self, graph: EntityGraph, scribe: Scribe) -> None:
        for scope in (SCOPE, BOB, OTHER_PROJECT):
            self.say(scribe, mentions=["Postgres", "PostgreSQL"], scope=scope)
            graph.nodes(Listing(scope=scope), [])
        graph.merge(SCOPE.project, SCOPE.user_id, "postgresql", ["postgres"])
        for scope in (BOB, OTHER_PROJECT):
            assert len(graph.nodes(Listing(scope=scope), ["postgres", "postgresql"])) == 2
            assert graph.aliases(scope.project, scope.user_id) == {}
        assert graph.split(BOB.project, BOB.user_id, ["postgres"]) == []

    def test_an_erase_takes_a_merge_of_what_nobody_says_any_more(self, graph: EntityGraph, scribe: Scribe) -> None:
        secret = self.say(scribe, mentions=["Zaunkoenig"])
        self.say(scribe, mentions=["Bird"])
        graph.nodes(Listing(scope=SCOPE), [])
        graph.merge(SCOPE.project, SCOPE.user_id, "zaunkoenig", ["bird"])
        scribe.erase(secret)
        assert graph.aliases(SCOPE.project, SCOPE.user_id) == {}
        assert [node.key for node in graph.nodes(Listing(scope=SCOPE), ["bird"])] == ["bird"]
        assert graph.nodes(Listing(scope=SCOPE), ["zaunkoenig"]) == []

    def test_a_merge_outlasts_a_deletion(self, graph: EntityGraph, scribe: Scribe) -> None:
        memory = self.say(scribe, mentions=["Postgres", "PostgreSQL"])
        graph.nodes(Listing(scope=SCOPE), [])
        graph.merge(SCOPE.project, SCOPE.user_id, "postgresql", ["postgres"])
        scribe.set_state(scribe.set_state(memory, "deleted"), "active")
        assert counted(graph.nodes(Listing(scope=SCOPE), ["postgres"])) == {"postgresql": 1}

    # --- the projection ---

    def test_a_graph_made_again_is_the_same(self, graph: EntityGraph, scribe: Scribe) -> None:
        for scope in (SCOPE, BOB, OTHER_PROJECT):
            self.say(scribe, ("Ana", "likes", "tea"), ("Ana", "likes", "chai"), scope=scope)
        graph.nodes(Listing(scope=SCOPE), [])
        graph.merge(SCOPE.project, SCOPE.user_id, "tea", ["chai"])

        def seen() -> list[Any]:
            listings = [Listing(scope=scope) for scope in (SCOPE, BOB, OTHER_PROJECT, EVERYBODY)]
            return [(graph.matching(one, [], limit=ALL), graph.edges(one, ["ana"], limit=ALL)) for one in listings]

        before = seen()
        for project in (SCOPE.project, None):
            graph.rebuild(project)
            assert seen() == before
            assert graph.lag() == 0
            assert list(graph.verify()) == []

    def test_catching_up_beforehand_leaves_nothing_to_do(self, graph: EntityGraph, scribe: Scribe) -> None:
        for scope in (SCOPE, BOB):
            self.say(scribe, ("Ana", "likes", "tea"), scope=scope)
        while graph.catch_up():
            pass
        assert graph.lag() == 0
        assert graph.catch_up() == 0
        assert len(graph.edges(Listing(scope=SCOPE), ["ana"], limit=ALL)) == 1

    def test_what_nobody_mentions_is_not_merged(self, graph: EntityGraph, scribe: Scribe) -> None:
        graph.merge(SCOPE.project, SCOPE.user_id, "postgres", ["pg"])
        self.say(scribe, mentions=["Postgres"])
        graph.merge(SCOPE.project, SCOPE.user_id, "postgres", ["pg"])
        graph.merge(SCOPE.project, SCOPE.user_id, "pg", ["postgres"])
        self.say(scribe, mentions=["PG"])
        assert graph.aliases(SCOPE.project, SCOPE.user_id) == {}
