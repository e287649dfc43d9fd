"""Who asks, and how far that reaches: what a principal is bound to stands beside whatever it asks for."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.access import MEMBER_ROLES, ROLES, Principal
from kept.domain.filters import matches, parse_filter
from kept.domain.scope import ENTITY_IDS, Scope
from kept.errors import ForbiddenError, KeptError
from kept.testing.fakes import record

NAMES = ("alice", "bob", "carol")

bounds = st.dictionaries(
    st.sampled_from(ENTITY_IDS), st.sets(st.sampled_from(NAMES), min_size=1).map(sorted).map(tuple)
)
principals = st.builds(Principal, project=st.sampled_from(["default", "other"]), bound=bounds)
stored_ids = st.dictionaries(st.sampled_from(ENTITY_IDS), st.sampled_from(NAMES))
asked_ids = st.dictionaries(st.sampled_from(ENTITY_IDS), st.sampled_from([*NAMES, "*"]))
memories = st.builds(
    lambda project, ids: record(scope=Scope(project=project, **ids)), st.sampled_from(["default", "other"]), stored_ids
)
conditions = st.sampled_from(
    [None, {"user_id": "alice"}, {"OR": [{"user_id": "*"}, {"agent_id": "bob"}]}, {"NOT": [{"user_id": "alice"}]}]
).map(lambda given: parse_filter(given) if given else None)


@given(principals, asked_ids, st.booleans(), conditions, memories)
def test_no_read_reaches_what_a_principal_is_not_bound_to(principal, ids, whole, condition, memory):
    """Whatever ids and filter it asks with."""
    asked = Scope.everything() if whole and not ids else Scope.of(**ids)
    try:
        scope = principal.reading(asked)
    except ForbiddenError:
        return
    boundary = principal.boundary(condition)
    if scope.admits(memory.scope) and (boundary is None or matches(boundary, memory)):
        assert principal.admits(memory)


@given(principals, asked_ids, conditions, memories)
def test_a_read_finds_all_that_was_asked_for_within_the_bounds(principal, ids, condition, memory):
    """Being bound takes nothing away but what lies outside."""
    try:
        scope = principal.reading(Scope.of(**ids))
    except ForbiddenError:
        return
    boundary = principal.boundary(condition)
    wanted = Scope(project=principal.project, **ids).admits(memory.scope)
    if principal.admits(memory) and wanted and (condition is None or matches(condition, memory)):
        assert scope.admits(memory.scope)
        assert boundary is None or matches(boundary, memory)


@given(principals, stored_ids)
def test_what_is_written_can_be_read_again(principal, ids):
    """It is stored in its project, within its bounds, under every id that was asked for."""
    try:
        scope = principal.writing(Scope.of(**ids))
    except ForbiddenError:
        return
    assert principal.admits(record(scope=scope))
    assert scope.ids.items() >= ids.items()


@given(principals, asked_ids)
def test_an_unbound_id_is_never_refused(principal, ids):
    free = {name: value for name, value in ids.items() if name not in principal.bound}
    assert principal.reading(Scope.of(**free)).ids.items() >= free.items()


def test_one_bound_value_completes_a_write_and_several_must_be_chosen_from():
    one, several = (Principal(project="default", bound={"user_id": names}) for names in [("alice",), ("alice", "bob")])
    assert one.writing(Scope(agent_id="a")) == Scope(user_id="alice", agent_id="a")
    assert several.writing(Scope(user_id="bob")) == Scope(user_id="bob")
    with pytest.raises(ForbiddenError, match="several user_ids; say which"):
        several.writing(Scope(agent_id="a"))


@pytest.mark.parametrize("act", ["reading", "writing"])
def test_a_foreign_id_is_refused_without_naming_anybody(act):
    principal = Principal(project="default", name="k", bound={"user_id": ("alice",)})
    with pytest.raises(ForbiddenError, match="bound to certain user_ids") as caught:
        getattr(principal, act)(Scope(user_id="mallory"))
    assert "alice" not in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "refused"),
    [
        ({"OR": [{"user_id": "bob"}, {"user_id": "eve"}]}, True), ({"user_id": {"in": ["bob", "eve"]}}, True),
        ({"NOT": [{"NOT": [{"user_id": "eve"}]}]}, True), ({"NOT": [{"user_id": "eve"}]}, False),
        ({"user_id": {"ne": "eve"}}, False), ({"OR": [{"user_id": "*"}, {"user_id": "bob"}]}, False),
        ({"OR": [{"user_id": "bob"}, {"agent_id": "eve"}]}, False), ({"user_id": None}, False),
    ],
)  # fmt: skip
def test_a_foreign_id_is_refused_wherever_a_filter_asks_for_it(raw, refused):
    bound = Principal(project="p", role="READER", bound={"user_id": ("bob",)})
    with pytest.raises(ForbiddenError, match="user_id") if refused else nullcontext():
        bound.require_own(parse_filter(raw))


def test_a_wildcard_is_narrowed_to_the_bounds():
    principal = Principal(project="default", bound={"user_id": ("alice",)})
    assert principal.reading(Scope(user_id="*")) == Scope(user_id="alice")
    with pytest.raises(KeptError):
        principal.writing(Scope(user_id="*"))


def test_the_whole_project_is_read_by_name_only_when_nothing_is_bound():
    assert Principal(project="p").reading(Scope.everything()) == Scope.everything("p")
    bound = Principal(project="p", bound={"user_id": ("alice", "bob")})
    assert bound.reading(Scope.everything()).project == "p"
    assert bound.boundary(None) is not None


def test_an_id_bound_to_no_value_admits_nothing():
    principal = Principal(project="default", bound={"user_id": ()})
    assert not principal.admits(record())
    assert not matches(principal.boundary(None), record())


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_lower_roles_may(role):
    principal = Principal(project="default", role=role, name="reporter")
    for place, needed in enumerate(ROLES):
        allowed = place <= ROLES.index(role)
        assert principal.may(needed) == allowed
        if allowed:
            principal.require(needed)
        else:
            with pytest.raises(ForbiddenError, match=f"reporter.*{role}.*needs the role {needed}"):
                principal.require(needed)


def test_members_have_roles():
    assert set(MEMBER_ROLES) <= set(ROLES)
