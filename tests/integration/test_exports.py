"""Exports: asked for, made, fetched; in four forms, never of anybody else, gone when a memory in them is erased."""

from __future__ import annotations

import csv
import io
import json

import pytest

from kept.engine.exports import Exports, make
from kept.errors import FilterError, ForbiddenError, InvalidInputError, NotFoundError, ScopeError

SCHEMA = {
    "type": "object",
    "properties": {
        "diet": {"type": "string", "description": "what they eat, diet, allergies"},
        "lucky_number": {"type": "integer", "description": "their lucky number"},
        "city": {"type": "string", "enum": ["Berlin", "Lisbon"], "description": "the city they live in"},
        "spaceship": {"type": "string", "description": "the interstellar propulsion engine they own"},
        "memories": {"type": "array", "items": {"type": "object", "properties": {"memory": {}, "created_at": {}}}},
    },
}


def made(access, **asked):
    """An export, asked for and made as the worker does."""
    job = Exports(access).ask(**asked)
    lease, now = "test", access.platform.clock()
    (claimed,) = access.platform.jobs.claim(["EXPORT"], lease, now=now, until=now.replace(year=now.year + 1), limit=1)
    assert claimed.id == job.id
    access.platform.jobs.finish([make(access.platform, claimed)])
    return Exports(access).find(job.id)


def test_a_schema_is_filled_with_what_the_best_memories_say(access, say):
    say("I am a vegetarian and allergic to peanuts", "My lucky number is 42", "I live in Lisbon near the river")
    filled = json.loads(made(access, ids={"user_id": "alice"}, schema=SCHEMA).content)
    assert filled["diet"] == "I am a vegetarian and allergic to peanuts"
    assert filled["lucky_number"] == 42
    assert filled["city"] == "Lisbon"
    assert len(filled["memories"]) == 3
    assert {"memory", "created_at"} == set(filled["memories"][0])


def test_what_nobody_said_is_null(access, say):
    say("I am a vegetarian", "We deploy on Tuesdays")
    assert json.loads(made(access, ids={"user_id": "alice"}, schema=SCHEMA).content)["spaceship"] is None


def test_a_schema_may_come_as_text_or_as_properties_alone(access, say):
    say("I am a vegetarian and allergic to peanuts")
    as_text = made(access, ids={"user_id": "alice"}, schema=json.dumps(SCHEMA))
    alone = made(access, ids={"user_id": "alice"}, schema=SCHEMA["properties"])
    assert as_text.content == alone.content


@pytest.mark.parametrize("schema", [None, {}, [], "{", {"type": "array"}, {"properties": 1}, {"type": "object"}])
def test_a_schema_that_is_none_is_refused_before_anything_is_kept(access, schema):
    with pytest.raises(InvalidInputError, match="schema"):
        Exports(access).ask(ids={"user_id": "alice"}, schema=schema)
    with pytest.raises(NotFoundError):
        Exports(access).find(ids={"user_id": "alice"})


def test_lines_of_json_can_be_imported_again(access, say):
    say("I like tea", "I like coffee")
    lines = made(access, ids={"user_id": "alice"}, form="jsonl").content.splitlines()
    assert [json.loads(line)["memory"] for line in lines[1:]] == ["I like tea", "I like coffee"]


def test_a_table_runs_nothing_in_a_spreadsheet(access, say):
    say("=HYPERLINK(1)", 'a "quoted", text')
    rows = list(csv.DictReader(io.StringIO(made(access, ids={"user_id": "alice"}, form="csv").content)))
    assert [row["memory"] for row in rows] == ["'=HYPERLINK(1)", 'a "quoted", text']


def test_markdown_is_to_be_read(access, say):
    say("I like tea")
    assert "I like tea" in made(access, ids={"user_id": "alice"}, form="markdown").content


def test_a_filter_narrows_it(access, say):
    say("I like tea", metadata={"topic": "drinks"})
    say("I like chess", metadata={"topic": "games"})
    job = made(access, filters={"AND": [{"user_id": "alice"}, {"metadata": {"topic": "games"}}]}, form="csv")
    assert "chess" in job.content
    assert "tea" not in job.content


def test_the_latest_of_the_same_filter_is_found_without_an_id(access, say):
    say("I like tea")
    first, second = (made(access, ids={"user_id": "alice"}, form="csv") for _ in range(2))
    assert Exports(access).find(ids={"user_id": "alice"}).id == second.id != first.id
    with pytest.raises(NotFoundError, match="No memory export request found"):
        Exports(access).find(ids={"user_id": "bob"})


def test_nobody_named_is_refused(access):
    with pytest.raises(ScopeError):
        Exports(access).ask(schema=SCHEMA)
    with pytest.raises(FilterError):
        Exports(access).ask(filters={"colour": "red"}, schema=SCHEMA)


def test_a_bound_key_exports_its_own_and_sees_no_other(access, enter, say):
    say("alice's secret", user_id="alice")
    say("bob's secret", user_id="bob")
    theirs = made(access, ids={"user_id": "alice"}, form="csv")
    bob = enter(role="READER", bound={"user_id": ("bob",)})
    assert "alice" not in made(bob, form="csv").content
    with pytest.raises(ForbiddenError):
        Exports(bob).ask(ids={"user_id": "alice"}, form="csv")
    with pytest.raises(NotFoundError):
        Exports(bob).find(theirs.id)


def test_a_key_bound_to_several_users_exports_them_alone(enter, say):
    for user in ("alice", "bob", "carol"):
        say(f"{user}'s secret", user_id=user)
    both = enter(role="READER", bound={"user_id": ("alice", "bob")}, key_id="key_both")
    content = made(both, form="csv").content
    assert "alice's" in content
    assert "bob's" in content
    assert "carol" not in content


def test_erasing_a_memory_takes_the_export_that_holds_it(access, say):
    kept, gone = say("I like tea", "I like coffee")
    job = made(access, ids={"user_id": "alice"}, form="csv")
    access.erase([gone])
    assert Exports(access).find(job.id).content is None
    assert kept in made(access, ids={"user_id": "alice"}, form="csv").content
