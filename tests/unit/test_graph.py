"""What a memory says of entities, and which entities are likely one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.graph import Node, holds_at, mentions, stated, words_held
from kept.domain.likeness import likenesses
from kept.domain.memory import EntityRef, Relation
from kept.testing.fakes import START, record

DAY = timedelta(days=1)


def nodes(*keys):
    """Entities, each mentioned once more than the next."""
    return [
        Node(key=key, name=key, kind=None, mentions=len(keys) - number, first_seen=START, last_seen=START)
        for number, key in enumerate(keys)
    ]


def pairs(*keys):
    return [(pair.one.key, pair.other.key) for pair in likenesses(nodes(*keys))]


# --- what a memory says ---


def test_the_ends_of_relations_are_mentioned_too_each_once():
    memory = record(
        entity_refs=(EntityRef(name="Ana", kind="name", key="ana"),),
        relations=(
            Relation(source="ana", relationship="Lives In", target="Porto"),
            Relation(source="ANA", relationship="lives-in", target="porto"),
        ),
    )
    assert [(ref.key, ref.name, ref.kind) for ref in mentions(memory)] == [
        ("ana", "Ana", "name"),
        ("porto", "Porto", ""),
    ]
    assert stated(memory) == (Relation(source="ana", relationship="lives_in", target="porto"),)


def test_a_key_of_whatever_origin_is_joined_in_its_normal_form():
    foreign = EntityRef(name="Ana  Silva", kind="person", key="ANA  Silva")
    memory = record(
        entity_refs=(foreign,), relations=(Relation(source="Ana  Silva", relationship="likes", target="tea"),)
    )
    assert [ref.key for ref in mentions(memory)] == ["ana silva", "tea"]
    assert stated(memory)[0].source == "ana silva"


def test_a_relation_between_what_has_no_name_is_none():
    blank = (
        Relation(source=" ", relationship="likes", target="tea"),
        Relation(source="a", relationship="!", target="b"),
    )
    memory = record(relations=blank)
    assert stated(memory) == ()


def test_what_holds_at_a_moment_begins_with_it_and_ends_before_its_end():
    said = record(created_at=START)
    assert holds_at(said, START)
    assert holds_at(said, None)
    assert not holds_at(said, START - DAY)
    dated = record(created_at=START, valid_from=START - DAY, valid_to=START + DAY)
    assert [holds_at(dated, START + n * DAY) for n in (-2, -1, 0, 1)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("key", "words", "count"),
    [
        ("ana silva", ["silva"], 1),
        ("ana silva", ["ana", "silva", "ana silva"], 3),
        ("silvan", ["silva"], 0),
        ("src/app.py", ["app.py"], 1),
        ("c++", ["c++"], 1),
        ("foo(bar", ["foo(bar", "("], 1),
    ],
)
def test_words_are_held_whole(key, words, count):
    assert words_held(key, words) == count


@given(st.text(max_size=20), st.lists(st.text(min_size=1, max_size=5), max_size=5))
def test_no_word_is_held_that_is_not_there(key, words):
    assert 0 <= words_held(key, words) <= sum(word in key for word in words)


# --- likenesses ---


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("vs code", "vscode", "the same letters"),
        ("node.js", "nodejs", "the same letters"),
        ("postgresql", "postgres", "one begins with the other"),
        ("container", "containers", "one begins with the other"),
        ("ana silva", "ana", "the first word of one name only"),
        ("amazon web services", "aws", "its initials"),
        ("kubernetes", "k8s", "its first and last letter and how many stand between"),
        ("internationalization", "i18n", "its first and last letter and how many stand between"),
    ],
)
def test_names_that_are_likely_one(one, other, why):
    assert [(pair.one.key, pair.other.key, pair.why) for pair in likenesses(nodes(one, other))] == [(one, other, why)]
    assert pairs(other, one) == [(other, one)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("python 3.11", "python 3.12"),
        ("python 3", "python"),
        ("java", "javascript"),
        ("ana", "anna"),
        ("ana silva", "bob silva"),
        ("go", "google"),
        ("k8s", "kafka"),
        ("berlin", "bern"),
        ("++", "--"),
        ("new york", "york"),
    ],
)
def test_names_that_are_not(one, other):
    assert pairs(one, other) == []


def test_of_two_with_the_same_first_name_nobody_knows_which_is_meant():
    assert pairs("ana", "ana silva", "ana costa") == []


def test_the_one_mentioned_more_often_comes_first_and_each_pair_once():
    assert pairs("postgresql", "vs code", "vscode", "postgres") == [("postgresql", "postgres"), ("vs code", "vscode")]


@given(st.lists(st.text(max_size=12), unique=True, max_size=12))
def test_any_names_give_pairs_of_two(keys):
    found = pairs(*keys)
    assert len(set(found)) == len(found)
    assert all(one != other and {one, other} <= set(keys) for one, other in found)
