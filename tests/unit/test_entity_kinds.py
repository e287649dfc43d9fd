"""What sort of thing the graph says an entity is: sentences, and the kinds they tell. The user is alice."""

from __future__ import annotations

import pytest

from kept.adapters.inmemory import InMemoryLog
from kept.adapters.inmemory_graph import InMemoryGraph
from kept.domain.entities import entity_refs, name_key
from kept.domain.entity_kinds import Clue, Spelling, kind_of
from kept.domain.memory import EntityRef, Relation, first_person
from kept.domain.relations import relations
from kept.domain.relationships import ends_of
from kept.ports import Listing
from kept.testing.fakes import SCOPE, Scribe

TOLD = [
    # who speaks, and of whom is said what is only said of people
    ("I love Paris.", "alice", "person"),
    ("Tom works as a nurse.", "Tom", "person"),
    ("Tom works at Acme.", "Tom", "person"),
    ("Ana lives in Berlin.", "Ana", "person"),
    ("Tom is married to Eve.", "Tom", "person"),
    ("Tom is married to Eve.", "Eve", "person"),
    ("Maria speaks Portuguese.", "Maria", "person"),
    ("My sister Eve works at Acme.", "Eve", "person"),
    ("We met my sister Eve in town.", "Eve", "person"),
    ("Maria is my best friend.", "Maria", "person"),
    ("My boss is Carla.", "Carla", "person"),
    # where one lives, moves, was born, flies
    ("Ana lives in Berlin.", "Berlin", "place"),
    ("I live in New York.", "New York", "place"),
    ("I moved to Munich last year.", "Munich", "place"),
    ("Ana was born in Porto.", "Porto", "place"),
    ("I'm flying to Lisbon on Monday.", "Lisbon", "place"),
    ("I'm from Ohio.", "Ohio", "place"),
    # whom one works for
    ("I work at Acme Corp as a designer.", "Acme Corp", "organisation"),
    ("Tom works for OpenAI.", "OpenAI", "organisation"),
    ("Bob joined Initech in March.", "Initech", "organisation"),
    ("Eve studies at the University of Oslo.", "University of Oslo", "organisation"),
    # what is used
    ("We use Postgres.", "Postgres", "product"),
    ("We use PostgreSQL.", "PostgreSQL", "product"),
    ("Kept is written in Python.", "Python", "product"),
    ("The worker runs on Kubernetes.", "Kubernetes", "product"),
    ("The API is deployed to Heroku.", "Heroku", "product"),
    ("My editor is Neovim.", "Neovim", "product"),
    # pets do what people do
    ("My dog Rex likes carrots.", "Rex", "animal"),
]
UNTOLD = [
    ("I love Paris.", "Paris", "name"),
    ("We went to Paris with Maria.", "Maria", "name"),
    ("Google created Go.", "Google", "name"),
    ("Spotify plays jazz.", "Spotify", "name"),
    ("The worker uses Celery.", "worker", None),
    ("The fix works for Safari.", "Safari", "name"),
    ("The config lives in Vault.", "Vault", "name"),
    ("We use tabs.", "tabs", None),
    ("I don't live in Berlin.", "Berlin", "name"),
    ("Does Tom work at Acme?", "Acme", "name"),
    ("We use load_config to read it.", "load_config", "identifier"),
    ("We live in /srv/app.", "/srv/app", "path"),
    ("Ana was born in 1990.", "1990", None),
]


@pytest.fixture
def scribe():
    return Scribe(InMemoryLog())


def say(scribe, text, **fields):
    """Store a text with what the rules read from it, as an add does."""
    who = first_person(SCOPE, fields.get("role"), fields.get("speaker"))
    return scribe.add(text, entity_refs=entity_refs(text), relations=relations(text, speaker=who), **fields)


def kind(scribe, name):
    (node,) = InMemoryGraph(scribe.log).nodes(Listing(scope=SCOPE), [name_key(name)])
    return node.kind


@pytest.mark.parametrize(("text", "name", "expected"), TOLD)
def test_a_kind_that_a_sentence_tells(scribe, text, name, expected):
    say(scribe, text)
    assert kind(scribe, name) == expected


@pytest.mark.parametrize(("text", "name", "expected"), UNTOLD)
def test_a_kind_that_no_sentence_tells(scribe, text, name, expected):
    say(scribe, text)
    assert kind(scribe, name) == expected


def test_a_kind_is_joined_over_all_memories_and_goes_with_the_one_that_told_it(scribe):
    for text in ("Dinner with Zoe was nice.", "We will ask Zoe."):
        say(scribe, text)
    assert kind(scribe, "Zoe") == "name"
    told = say(scribe, "Zoe works at Acme.")
    assert kind(scribe, "Zoe") == "person"
    scribe.set_state(told, "deleted")
    assert kind(scribe, "Zoe") == "name"


@pytest.mark.parametrize(
    ("texts", "name", "expected"),
    [
        pytest.param(["Ana works at Acme.", "We use Acme."], "Acme", "name", id="as many for each"),
        pytest.param(["Ana works at Acme.", "We use Acme.", "Tom works at Acme."], "Acme", "organisation", id="most"),
        pytest.param(["Acme is based in Berlin.", "Tom works at Acme."], "Acme", "organisation", id="sure"),
        pytest.param(["We moved to Postgres.", "We use Postgres."], "Postgres", "product", id="what one moves to"),
    ],
)
def test_where_memories_differ_what_is_sure_and_said_most_often_counts(scribe, texts, name, expected):
    for text in texts:
        say(scribe, text)
    assert kind(scribe, name) == expected


@pytest.mark.parametrize("given", ["organisation", "team", "river"])
def test_a_kind_that_a_model_or_a_caller_gave_comes_before_what_relations_tell(scribe, given):
    scribe.add(entity_refs=(EntityRef(name="Berlin", kind=given, key="berlin"),))
    for _ in range(3):
        say(scribe, "Ana lives in Berlin.")
    assert kind(scribe, "Berlin") == given


def test_of_given_kinds_that_of_most_memories_counts_then_the_newest(scribe):
    for given in ("place", "place", "person", "person", "team"):
        scribe.add(entity_refs=(EntityRef(name="Sofia", kind=given, key="sofia"),))
    assert kind(scribe, "Sofia") == "person"


@pytest.mark.parametrize(
    ("role", "speaker", "expected"), [("user", "Caroline", "person"), ("assistant", "Caroline", "name")]
)
def test_who_speaks_under_a_name_is_a_person_unless_it_is_an_assistant(scribe, role, speaker, expected):
    say(scribe, "I am Caroline and we use Postgres.", role=role, speaker=speaker)
    assert kind(scribe, "Caroline") == expected


def test_relations_of_a_model_tell_as_those_of_rules(scribe):
    one = Relation(source="Ana", relationship="resides in", target="Porto")
    scribe.add(relations=(one,), entity_refs=())
    assert (kind(scribe, "Ana"), kind(scribe, "Porto")) == ("person", "place")


@pytest.mark.parametrize(
    ("relationship", "source", "target"),
    [
        ("lives_in", "person", "place"),
        ("best_friend", None, "person"),
        ("older_sister", None, "person"),
        ("ex_wife", None, "person"),
        ("first_dog", None, "animal"),
        ("previous_employer", "person", "organisation"),
        ("owns", None, None),
        ("favourite_colour", None, None),
        ("", None, None),
    ],
)
def test_what_a_relationship_tells_of_its_ends(relationship, source, target):
    ends = ends_of(relationship)
    assert (ends.source, ends.target) == (source, target)


def test_what_is_written_as_code_is_no_name_for_what_is_only_likely():
    spelled = [Spelling("OrderService", "identifier", 1)]
    assert kind_of(spelled, {Clue("place", is_sure=False): 3}) == "identifier"
    assert kind_of(spelled, {Clue("product"): 1}) == "product"
