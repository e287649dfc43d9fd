"""The graph through every door: one project says the same of itself in the SDK, over REST and over MCP."""

from __future__ import annotations

import asyncio
import json

import pytest

from kept import AsyncMemory, Memory
from kept.adapters.sqlite.graph import SqliteGraph
from kept.errors import InvalidInputError, NotFoundError, ScopeError, StoreBusyError

SAID = [
    "I live in Lisbon and I work at Acme.",
    "Tom is my boss.",
    "Tom is married to Eve.",
    "Eve works at Globex.",
    "We use Postgres.",
    "The worker uses PostgreSQL.",
    "Acme was founded by Zoe.",
]
ALICE = {"user_id": "Alice"}


def triples(relations):
    return [(one["source"], one["relationship"], one["target"]) for one in relations]


@pytest.fixture
def memory(store_path):
    with Memory(store_path) as opened:
        for text in SAID:
            opened.add(text, **ALICE)
        yield opened


# --- SDK ---


def test_entities_are_found_by_words_of_a_question(memory):
    found = memory.search_graph("where does tom work?", **ALICE)["results"]
    assert [one["name"] for one in found] == ["Tom"]
    assert triples(found[0]["relations"]) == [("Tom", "married_to", "Eve"), ("Alice", "boss", "Tom")]
    assert memory.search_graph("is it of the", **ALICE) == {"results": []}


def test_an_entity_has_the_kind_that_its_relations_tell(memory):
    kinds = {one["name"]: one["kind"] for one in memory.search_graph(limit=100, **ALICE)["results"]}
    assert kinds == {
        "Alice": "person", "Tom": "person", "Eve": "person", "Zoe": "name", "Lisbon": "place", "Acme": "organisation",
        "Globex": "organisation", "Postgres": "product", "PostgreSQL": "product", "worker": None,
    }  # fmt: skip
    near = memory.neighbours("Eve", relationship="works_at", **ALICE)["results"]
    assert [(one["name"], one["kind"]) for one in near] == [("Globex", "organisation")]
    together = memory.get_entity("Lisbon", **ALICE)["mentioned_with"]
    assert ("Acme", "organisation") in {(one["name"], one["kind"]) for one in together}


def test_a_kind_goes_with_the_memory_that_told_it(memory):
    memory.add("Dinner with Nora in Faro", infer=False, **ALICE)
    (told,) = memory.add("Nora lives in Faro.", infer=False, **ALICE)["results"]
    assert [memory.get_entity(name, **ALICE)["kind"] for name in ("Nora", "Faro")] == ["person", "place"]
    memory.delete(told["id"])
    assert [memory.get_entity(name, **ALICE)["kind"] for name in ("Nora", "Faro")] == ["name", "name"]


def test_a_kind_that_a_caller_gives_comes_first(memory):
    fact = {"text": "Globex is a band.", "entities": [{"name": "Globex", "kind": "band"}]}
    memory.add(facts=[fact], **ALICE)
    assert memory.get_entity("Globex", **ALICE)["kind"] == "band"


def test_without_a_query_what_is_mentioned_most_comes_first(memory):
    assert memory.search_graph(limit=1, **ALICE)["results"][0]["name"] == "Alice"


def test_an_entity_names_its_relations_with_the_memories_that_state_them(memory):
    acme = memory.get_entity("acme", **ALICE)
    assert json.loads(json.dumps(acme)) == acme
    assert triples(acme["relations"]) == [("Zoe", "created", "Acme"), ("Alice", "works_at", "Acme")]
    for tie in acme["relations"]:
        assert tie["memories"] == len(tie["memory_ids"]) == 1
        assert memory.get(tie["memory_ids"][0])["memory"] in SAID
    assert {one["name"] for one in acme["mentioned_with"]} >= {"Zoe", "Lisbon"}
    assert len(acme["memory_ids"]) == acme["mentions"] == 2


def test_a_name_may_be_a_part_that_only_one_has(memory):
    memory.add("Ana Silva lives in Porto.", **ALICE)
    assert memory.get_entity("silva", **ALICE)["name"] == "Ana Silva"
    memory.add("Ana Costa lives in Faro.", **ALICE)
    for unknown in ("ana", "Nobody At All"):
        with pytest.raises(NotFoundError):
            memory.get_entity(unknown, **ALICE)


def test_neighbours_come_by_distance(memory):
    found = memory.neighbours("Alice", depth=3, relationship="boss", **ALICE)["results"]
    assert [(one["name"], one["distance"]) for one in found] == [("Tom", 1)]
    by_name = {one["name"]: one for one in memory.neighbours("Alice", depth=3, **ALICE)["results"]}
    assert [by_name[name]["distance"] for name in ("Tom", "Eve", "Globex")] == [1, 2, 3]
    assert triples(by_name["Globex"]["relations"]) == [("Eve", "works_at", "Globex")]
    assert memory.neighbours("Tom", relationship="mentioned_with", **ALICE)["results"]


def test_a_path_says_how_two_belong_together(memory):
    (path,) = memory.paths("Alice", "Globex", **ALICE)["results"]
    assert path["length"] == 3
    assert triples(path["relations"]) == [
        ("Alice", "boss", "Tom"), ("Tom", "married_to", "Eve"), ("Eve", "works_at", "Globex")
    ]  # fmt: skip
    assert all(step["memory_ids"] for step in path["relations"])
    assert memory.paths("Alice", "Globex", max_length=2, **ALICE) == {"results": []}


def test_a_step_without_a_relation_names_the_memories_that_mention_both(memory):
    memory.add("Dinner with Mia and Noa", infer=False, **ALICE)
    (path,) = memory.paths("Mia", "Noa", **ALICE)["results"]
    (step,) = path["relations"]
    assert (step["relationship"], step["memories"], len(step["memory_ids"])) == ("mentioned_with", 1, 1)


def test_closed_facts_are_marked_and_left_out_of_what_held_then(memory):
    old = next(one for one in memory.get_all(**ALICE)["results"] if "Lisbon" in one["memory"])
    memory.add("I live in Porto.", supersedes=old["id"], timestamp="2030-01-01", **ALICE)
    lived = [one for one in memory.get_entity("Alice", **ALICE)["relations"] if one["relationship"] == "lives_in"]
    assert [(one["target"], one.get("state")) for one in lived] == [("Porto", None), ("Lisbon", "superseded")]
    assert lived[1]["valid_to"].startswith("2030-01-01")
    for day, place in (("2029-12-31", "Lisbon"), ("2030-01-02", "Porto")):
        then = memory.neighbours("Alice", relationship="lives_in", valid_as_of=day, **ALICE)["results"]
        assert [one["name"] for one in then] == [place]


def test_likely_names_of_one_thing_are_suggested_merged_and_split(memory):
    (pair,) = memory.likely_same_entities(**ALICE)["results"]
    assert (pair["into"], pair["names"], pair["why"]) == ("Postgres", ["PostgreSQL"], "one begins with the other")
    merged = memory.merge_entities(pair["into"], pair["names"], **ALICE)
    assert (merged["name"], merged["aliases"], merged["mentions"]) == ("Postgres", ["PostgreSQL"], 2)
    assert set(triples(merged["relations"])) == {("Alice", "uses", "Postgres"), ("worker", "uses", "Postgres")}
    assert memory.get_entity("PostgreSQL", **ALICE) == merged
    assert memory.likely_same_entities(**ALICE) == {"results": []}
    assert memory.split_entity("PostgreSQL", **ALICE)["names"] == ["postgresql"]
    assert memory.get_entity("PostgreSQL", **ALICE)["mentions"] == 1
    with pytest.raises(NotFoundError):
        memory.split_entity("PostgreSQL", **ALICE)


@pytest.mark.parametrize(
    "ask",
    [
        lambda memory: memory.neighbours("Tom", depth=4, **ALICE),
        lambda memory: memory.paths("Tom", "Eve", max_length=5, **ALICE),
        lambda memory: memory.paths("Tom", "tom", **ALICE),
        lambda memory: memory.search_graph("Tom", limit=0, **ALICE),
        lambda memory: memory.search_graph("Tom", limit=True, **ALICE),
        lambda memory: memory.search_graph(3, **ALICE),
        lambda memory: memory.get_entity(" ", **ALICE),
        lambda memory: memory.get_entity("Tom", valid_as_of="no day", **ALICE),
        lambda memory: memory.merge_entities("Tom", [], **ALICE),
        lambda memory: memory.merge_entities("Tom", [3], **ALICE),
        lambda memory: memory.merge_entities("Tom", "tom", **ALICE),
        lambda memory: memory.merge_entities("Tom", ["Eve", "Tom"], **ALICE),
    ],
)
def test_what_cannot_be_asked_is_refused(memory, ask):
    with pytest.raises(InvalidInputError):
        ask(memory)


def test_somebody_is_named_always_and_one_user_for_merges(memory):
    for ask in (memory.search_graph, lambda: memory.get_entity("Tom"), lambda: memory.merge_entities("Tom", ["Eve"])):
        with pytest.raises(ScopeError):
            ask()
    with pytest.raises(ScopeError):
        memory.merge_entities("Tom", ["Eve"], user_id="*")
    assert memory.search_graph("Tom", user_id="*")["results"]
    assert memory.search_graph("Tom", user_id="bob") == {"results": []}


def test_async_memory_has_the_same_calls(memory, store_path):
    async def ask():
        async with AsyncMemory(store_path) as asked:
            return await asked.search_graph("Tom", **ALICE)

    assert asyncio.run(ask()) == memory.search_graph("Tom", **ALICE)


def test_an_add_names_what_it_likely_contradicts(memory):
    (added,) = memory.add("I live in Porto now.", **ALICE)["results"]
    (conflict,) = added["conflicts"]
    assert conflict["memory"] == "I live in Lisbon and I work at Acme."
    assert (conflict["why"], conflict["relationship"], conflict["newer"]) == ("other value", "lives_in", added["id"])
    assert memory.get(conflict["id"])["state"] == "active"
    for harmless in ("I like fado.", "Bob lives in Porto."):
        (added,) = memory.add(harmless, **ALICE)["results"]
        assert added["conflicts"] == []
    (added,) = memory.add("I live in Faro.", related=0, **ALICE)["results"]
    assert added["conflicts"] == []


def test_an_add_is_answered_although_the_graph_cannot_follow(memory, monkeypatch):
    """Another process holds the store when the graph is to catch up: the add itself is on disk."""

    def busy(*_):
        raise StoreBusyError("held")

    monkeypatch.setattr(SqliteGraph, "_project", busy)
    (added,) = memory.add("I live in Porto now.", **ALICE)["results"]
    assert memory.get(added["id"])["memory"] == "I live in Porto now."
    with pytest.raises(StoreBusyError):
        memory.get_entity("Porto", **ALICE)


def test_only_the_same_owners_memories_are_said_to_conflict(memory):
    for other in ({"user_id": "bob"}, {"user_id": "Alice", "agent_id": "spy"}):
        (added,) = memory.add("I live in Porto.", **other)["results"]
        assert added["conflicts"] == []


def test_a_conflict_with_a_longer_ago_is_found_however_far_its_words_are(memory):
    (added,) = memory.add("After all these years by the river I moved house. I moved to Oslo.", **ALICE)["results"][-1:]
    assert [one["relationship"] for one in added["conflicts"]] == ["moved_to"]


# --- REST ---


@pytest.fixture
def told(tenant):
    tenant.say(*SAID, user_id="Alice")
    tenant.say("I live in Rome.", user_id="bob")
    tenant.say("I live in Kyiv.", user_id="Alice", agent_id="spy")
    return tenant


def test_rest_says_what_the_sdk_says(api, told, memory):
    def plain(answer):
        return json.loads(json.dumps(answer), object_hook=lambda one: {k: v for k, v in one.items() if k in shown})

    shown = {
        "results",
        "name",
        "kind",
        "relationship",
        "source",
        "target",
        "relations",
        "length",
        "distance",
        "aliases",
    }
    told_of = {"user_id": "Alice", "filters": json.dumps({"agent_id": None})}
    asked = {
        "search": ({"query": "tom"}, memory.search_graph("tom", **ALICE)),
        "entity": ({"name": "acme"}, memory.get_entity("acme", **ALICE)),
        "neighbours": ({"name": "Tom", "depth": 2}, memory.neighbours("Tom", depth=2, **ALICE)),
        "paths": ({"source": "Alice", "target": "Globex"}, memory.paths("Alice", "Globex", **ALICE)),
    }
    for route, (query, expected) in asked.items():
        answer = api.get(f"/v1/graph/{route}/", told.key, **query, **told_of)
        assert plain(answer) == plain(expected), route


def test_a_bound_key_sees_what_its_own_memories_say(api, told):
    spy = told.make_key(bound={"agent_id": ["spy"]})
    seen = api.get("/v1/graph/entity/", spy, name="Alice")
    assert triples(seen["relations"]) == [("Alice", "lives_in", "Kyiv")]
    assert api.ask("GET", "/v1/graph/entity/", key=spy, params={"name": "Tom"}).status_code == 404
    names = {one["name"] for one in api.get("/v1/graph/search/", spy)["results"]}
    assert names == {"Alice", "Kyiv"}


def test_aliases_are_not_told_to_whom_not_all_memories_may_be_shown(api, told):
    told.say("We use PG and Postgres.", user_id="Alice", agent_id="spy")
    body = {"into": "PostgreSQL", "names": ["Postgres"], "user_id": "Alice"}
    assert api.answer("POST", "/v1/graph/merge/", told.key, json=body)["aliases"] == ["Postgres"]
    spy = told.make_key(bound={"agent_id": ["spy"]})
    seen = api.ask("GET", "/v1/graph/entity/", key=spy, params={"name": "Postgres"})
    assert (seen.json()["name"], seen.json()["aliases"]) == ("Postgres", [])
    assert "postgresql" not in seen.text.casefold()


def test_an_add_at_once_names_conflicts_that_the_key_may_see(api, told):
    def conflicts(key, **ids):
        said = {"messages": ["I live in Porto."], "infer": False, **ids}
        (added,) = api.answer("POST", "/v3/memories/add/", key, json=said)["results"]
        return [one | {"new": added["id"]} for one in added.get("conflicts", [])]

    (conflict,) = conflicts(told.key, user_id="bob")
    assert (conflict["memory"], conflict["why"]) == ("I live in Rome.", "other value")
    assert conflict["newer"] == conflict["new"] != conflict["id"]
    spy = told.make_key(role="WRITER", bound={"agent_id": ["spy"]})
    assert [one["memory"] for one in conflicts(spy, user_id="Alice")] == ["I live in Kyiv."]
    assert conflicts(told.key, user_id="carol") == []


def test_merging_needs_a_writer(api, told):
    body = {"into": "Postgres", "names": ["PostgreSQL"], "user_id": "Alice"}
    reader = told.make_key(role="READER")
    assert api.ask("POST", "/v1/graph/merge/", key=reader, json=body).status_code == 403
    assert api.answer("POST", "/v1/graph/merge/", told.key, json=body)["mentions"] == 2
    assert api.ask("POST", "/v1/graph/split/", key=reader, json=body).status_code == 403
    assert api.answer("POST", "/v1/graph/split/", told.key, json=body)["names"] == ["postgresql"]
    assert api.ask("POST", "/v1/graph/merge/", key=told.key, json={"into": 3, "names": 4}).status_code == 400
    alone = body | {"names": "PostgreSQL"}  # one name needs no list
    assert api.answer("POST", "/v1/graph/merge/", told.key, json=alone)["aliases"] == ["PostgreSQL"]
    assert api.answer("POST", "/v1/graph/split/", told.key, json=alone)["names"] == ["postgresql"]


def test_what_is_asked_of_the_graph_is_in_the_audit(api, told):
    api.get("/v1/graph/search/", told.key, query="tom", user_id="Alice")
    (entry,) = api.get("/v1/audit/", told.key, action="graph")["results"]
    assert (entry["action"], entry["target"], entry["count"]) == ("graph.search", "user_id=Alice", 1)


def test_mem0s_v1_1_shape_names_the_relations_of_its_results(api, tenant):
    said = {"messages": "I live in Bonn.", "infer": False, "user_id": "Alice", "output_format": "v1.1"}
    added = api.answer("POST", "/v1/memories/", tenant.key, json=said)
    lives = [{"source": "Alice", "relationship": "lives_in", "target": "Bonn"}]
    assert added["relations"] == lives
    asked = {"query": "where", "user_id": "Alice", "output_format": "v1.1"}
    assert api.answer("POST", "/v1/memories/search/", tenant.key, json=asked)["relations"] == lives


def test_the_graph_is_complete_after_a_rebuild_and_agrees_with_the_log(memory):
    before = memory.get_entity("Alice", **ALICE)
    memory.rebuild()
    assert memory.get_entity("Alice", **ALICE) == before
    assert memory.verify() == []
