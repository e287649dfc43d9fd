"""Retention: what the rules of a project expire, what they leave, and that it can be taken back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kept.engine.retention import Retention, enforce
from kept.errors import ForbiddenError, InvalidInputError, NotFoundError


@pytest.fixture
def clock(platform, clock_of):
    return clock_of(platform)


def texts(access, **options):
    return {record.text for record in access.memories(ids={"user_id": "alice"}, **options)[0]}


def test_a_rule_expires_what_it_names_when_it_is_old_enough(access, say, clock):
    say("a fleeting thought", categories=["misc"])
    say("a fact for life", categories=["health"])
    Retention(access).put({"category": "misc"}, 30)
    assert Retention(access).enforce() == 0
    clock.advance(timedelta(days=31))
    assert Retention(access).enforce() == 1
    clock.advance(timedelta(days=1))
    assert texts(access) == {"a fact for life"}
    assert texts(access, show_expired=True) == {"a fleeting thought", "a fact for life"}


@pytest.mark.parametrize(
    ("match", "metadata"),
    [
        ({"tag": "draft"}, {"tag": "draft"}),
        ({"tag": "draft"}, {"tags": ["draft", "blue"]}),
        ({"connector": "sdk"}, {}),
        ({"memory_type": "message"}, {}),
        ({}, {}),
    ],
)
def test_a_rule_names_tag_connector_type_or_everything(access, say, clock, match, metadata):
    say("said long ago", metadata=metadata)
    clock.advance(timedelta(days=10))
    Retention(access).put(match, 7)
    assert Retention(access).enforce() == 1


def test_of_several_rules_the_longest_counts(access, say, clock):
    say("kept for ever", categories=["health"], metadata={"tag": "draft"})
    say("kept for a week", metadata={"tag": "draft"})
    Retention(access).put({}, 7)
    Retention(access).put({"category": "health"}, "forever")
    clock.advance(timedelta(days=10))
    assert Retention(access).enforce() == 1
    clock.advance(timedelta(days=1))
    assert texts(access) == {"kept for ever"}


def test_an_expiry_is_in_the_history_and_can_be_undone(access, say, clock):
    (memory_id,) = say("said long ago")
    Retention(access).put({}, 7)
    clock.advance(timedelta(days=10))
    Retention(access).enforce()
    steps, _ = access.history(memory_id)
    assert [step.revision.op for step in steps] == ["add", "expire"]
    assert steps[-1].operation.actor == "retention"
    access.undo({}, steps[-1].operation.id)
    clock.advance(timedelta(days=1))
    assert texts(access) == {"said long ago"}


def test_what_would_go_can_be_seen_before(access, say, clock):
    say("said long ago")
    rule = Retention(access).put({}, 7)
    assert Retention(access).preview() == {rule.id: 0}
    clock.advance(timedelta(days=10))
    assert Retention(access).preview() == {rule.id: 1}


def test_the_worker_enforces_the_rules_of_every_project(platform, enter, clock):
    for project in ("default", "shop"):
        entered = enter(project=project)
        entered.add({"user_id": "alice"}, ["said long ago"], infer=False)
        Retention(entered).put({}, 7)
    enter(project="other").add({"user_id": "alice"}, ["said long ago"], infer=False)
    clock.advance(timedelta(days=10))
    assert enforce(platform) == 2


def test_a_rule_that_names_the_same_replaces_and_can_be_removed(access, enter):
    first = Retention(access).put({"category": "misc"}, 7)
    second = Retention(access).put({"category": "misc"}, 9)
    assert [(rule.id, rule.days) for rule in Retention(access).rules()] == [(first.id, 9)]
    with pytest.raises(NotFoundError):
        Retention(enter(project="other")).remove(second.id)
    Retention(access).remove(second.id)
    assert Retention(access).rules() == []


@pytest.mark.parametrize("days", [0, -1, 1.5, True, "soon", 10**9])
def test_days_that_are_none_are_refused(access, days):
    with pytest.raises(InvalidInputError, match="days"):
        Retention(access).put({}, days)


def test_rules_name_what_there_is_and_are_the_owners_matter(access, enter):
    with pytest.raises(InvalidInputError, match="colour"):
        Retention(access).put({"colour": "red"}, 7)
    with pytest.raises(ForbiddenError):
        Retention(enter(role="WRITER")).put({}, 7)
