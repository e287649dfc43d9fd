"""A project as a principal may use it: the role, the bounds and the audit stand beside every use case."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from kept.domain.filters import parse_filter
from kept.domain.jobs import DONE
from kept.errors import ConflictError, ForbiddenError, InvalidInputError, KeptError, NotFoundError, ScopeError
from kept.ports import AuditListing

CALLS = {
    "add": lambda access, _: access.add({"user_id": "alice"}, "I like tea"),
    "update": lambda access, memory: access.update(memory, text="x"),
    "update_many": lambda access, memory: access.update_many([(memory, {"text": "x"})]),
    "delete": lambda access, memory: access.delete([memory]),
    "delete_all": lambda access, _: access.delete_all({"user_id": "alice"}),
    "delete_entity": lambda access, _: access.delete_entity("user", "alice"),
    "invalidate": lambda access, memory: access.invalidate(memory),
    "restore": lambda access, memory: access.restore(memory),
    "feedback": lambda access, memory: access.feedback(memory, "POSITIVE"),
    "undo": lambda access, _: access.undo({"user_id": "alice"}),
    "erase": lambda access, memory: access.erase([memory]),
    "erase_all": lambda access, _: access.erase_all({"user_id": "alice"}),
    "search": lambda access, _: access.search("tea", ids={"user_id": "alice"}),
    "timeline": lambda access, _: access.timeline("tea", ids={"user_id": "alice"}),
    "context": lambda access, _: access.context("tea", ids={"user_id": "alice"}),
    "memories": lambda access, _: access.memories(ids={"user_id": "alice"}),
    "get": lambda access, memory: access.get(memory),
    "history": lambda access, memory: access.history(memory),
}
READS = ("search", "timeline", "context", "memories", "get", "history")


def say(access, *texts, **ids):
    """Store texts verbatim; ids of the memories."""
    _, result = access.add(ids or {"user_id": "alice"}, list(texts), infer=False)
    return [stored.memory.id for stored in result.stored]


def audited(platform, project="default"):
    """What the audit says, oldest first."""
    platform.trail.flush()
    return list(platform.trail.audit.scan(AuditListing(project=project)))


@pytest.mark.parametrize("name", CALLS)
def test_a_reader_reads_and_does_nothing_else(enter, name):
    (memory,) = say(enter(), "I like tea")
    if name in READS:
        CALLS[name](enter(role="READER"), memory)
        return
    with pytest.raises(ForbiddenError):
        CALLS[name](enter(role="READER"), memory)
    assert enter().get(memory).text == "I like tea"


@pytest.mark.parametrize("name", CALLS)
def test_another_project_is_not_there(enter, platform, name):
    """Whatever is asked for; and nothing of it changes."""
    (memory,) = say(enter(), "I like tea")
    before, revisions = enter().get(memory), list(platform.service.changes("default", 0))
    with suppress(NotFoundError):
        assert "tea" not in repr(CALLS[name](enter(project="other"), memory)) or name == "add"
    assert (enter().get(memory), list(platform.service.changes("default", 0))) == (before, revisions)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("users", [("bob",), ("bob", "carol")])
def test_what_a_principal_is_not_bound_to_is_not_there(enter, platform, name, users):
    (memory,) = say(enter(), "I like tea")
    before, revisions = enter().get(memory), list(platform.service.changes("default", 0))
    with pytest.raises((ForbiddenError, NotFoundError)):
        CALLS[name](enter(role="WRITER", bound={"user_id": users}), memory)
    assert (enter().get(memory), list(platform.service.changes("default", 0))) == (before, revisions)


@pytest.mark.parametrize("name", CALLS)
def test_every_use_is_in_the_audit_whatever_comes_of_it(enter, platform, name):
    """Once, with who it was, without what was said."""
    (memory,) = say(enter(), "I like tea")
    earlier = len(audited(platform))
    for role in ("OWNER", "READER"):
        came_of_it = "ok"
        try:
            CALLS[name](enter(role=role, name="phone", key_id="key_1"), memory)
        except KeptError as error:
            came_of_it = error.code
        entry = audited(platform)[-1]
        assert (entry.actor, entry.key_id, entry.project) == ("phone", "key_1", "default")
        assert entry.outcome == came_of_it
        assert "tea" not in entry.target
    assert len(audited(platform)) == earlier + 2


def test_the_whole_project_is_deleted_by_its_owner_who_says_so(enter):
    """By a wildcard for each id; naming nobody is not the same."""
    everybody = dict.fromkeys(("user_id", "agent_id", "app_id", "run_id"), "*")
    assert enter().delete_all(everybody).scope.ids == {}
    with pytest.raises(ForbiddenError):
        enter(role="WRITER").delete_all(everybody)
    for ids in ({}, {"user_id": None}):
        with pytest.raises(ScopeError):
            enter().delete_all(ids)


def test_a_bound_principal_deletes_everything_of_its_own(enter):
    """A wildcard means all that it is bound to."""
    everybody = dict.fromkeys(("user_id", "agent_id", "app_id", "run_id"), "*")
    job = enter(role="WRITER", bound={"user_id": ("alice",)}).delete_all(everybody)
    assert job.scope.user_id == "alice"
    assert "whole" not in job.payload  # which takes immutable memories along


def test_a_deletion_with_links_stops_at_the_bounds(enter):
    """What a memory superseded may be another's."""
    (others,) = say(enter(), "Lives in Oslo", user_id="alice", agent_id="diary")
    fact = {"text": "Lives in Bergen", "supersedes": [others]}
    _, result = enter().add({"user_id": "alice", "agent_id": "planner"}, [], facts=[fact])
    mine = result.stored[0].memory.id
    with pytest.raises(NotFoundError):
        enter(role="WRITER", bound={"agent_id": ("planner",)}).delete([mine], linked=True)
    assert enter().get(others).state == "superseded"


def test_a_fact_replaces_nothing_beyond_the_bounds(enter):
    """Naming a memory is no way to close it."""
    (others,) = say(enter(), "Lives in Oslo", user_id="alice", agent_id="diary")
    fact = {"text": "Lives in Bergen", "supersedes": [others]}
    with pytest.raises(NotFoundError):
        enter(role="WRITER", bound={"agent_id": ("planner",)}).add({"user_id": "alice"}, [], facts=[fact])
    assert enter().get(others).state == "active"


def test_a_filter_may_be_parsed_already(enter):
    """In a grammar of the caller's; its ids are the scope's all the same."""
    say(enter(), "I like tea", user_id="alice")
    say(enter(), "I like tea too", user_id="bob")
    hits = enter().search("tea", filters=parse_filter({"user_id": "alice"}, "oss"))
    assert [hit.memory.text for hit in hits] == ["I like tea"]
    with pytest.raises(ForbiddenError):
        enter(bound={"user_id": ("bob",)}).search("tea", filters=parse_filter({"user_id": "alice"}, "oss"))


def test_ids_beside_a_filter_and_inside_it_must_both_hold(enter):
    say(enter(), "I like tea", user_id="alice")
    assert enter().memories(ids={"user_id": "alice"}, filters={"user_id": "bob"}) == ([], 0)


def test_nothing_to_remember_is_nothing_acknowledged(enter):
    for messages in ([], None):
        with pytest.raises(InvalidInputError):
            enter().add({"user_id": "alice"}, messages)
    assert enter().events()[1] == 0


def test_waiting_for_work_is_no_use_of_the_project(enter, platform):
    job = enter().delete_all({"user_id": "alice"})
    earlier, looks = audited(platform), []
    enter().settled(job, within_s=0.01, wait=looks.append)
    assert looks
    assert audited(platform) == earlier


def test_who_waits_gets_the_job_when_it_is_over_or_as_it_is(enter, platform):
    job = enter().delete_all({"user_id": "alice"})
    assert enter().settled(job, within_s=0).status not in DONE
    now = platform.clock()
    (claimed,) = platform.jobs.claim(["DELETE_ALL"], "test", now=now, until=now.replace(year=now.year + 1), limit=1)
    platform.jobs.finish([replace(claimed, status="FAILED", error="No reason.", completed_at=now)])
    with pytest.raises(ConflictError, match="No reason"):
        enter().settled(job)
