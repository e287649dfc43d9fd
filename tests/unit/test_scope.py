"""Who a memory belongs to, and what a boundary lets through."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.scope import ANY, ENTITY_IDS, MAX_ID_LENGTH, Scope
from kept.errors import ScopeError

IDS = st.sampled_from([None, "a", "b"])
STORED = st.builds(Scope, project=st.sampled_from(["p", "q"]), user_id=IDS, agent_id=IDS, app_id=IDS, run_id=IDS)
READ_IDS = st.sampled_from([None, "a", "b", ANY])
READ = st.builds(
    Scope, project=st.sampled_from(["p", "q"]), user_id=READ_IDS, agent_id=READ_IDS, app_id=READ_IDS, run_id=READ_IDS
)


@pytest.mark.parametrize(("given", "kept"), [(" u1 ", "u1"), (7, "7"), ("名前", "名前"), ("a/b:c", "a/b:c")])
def test_ids_become_trimmed_text(given, kept):
    """Callers pass numbers and padded strings; Mem0 takes both."""
    assert Scope.of(user_id=given).user_id == kept


@pytest.mark.parametrize(
    "bad", ["", "  ", "a\nb", "a\x00", "\ud800", "x" * (MAX_ID_LENGTH + 1), b"u", ["u"], {}, 1.0, True]
)
@pytest.mark.parametrize("name", ["project", *ENTITY_IDS])
def test_an_id_that_is_none_is_refused_by_name(name, bad):
    """A blank id or a whole message as one is a mistake of the caller, and the error says which."""
    with pytest.raises(ScopeError, match=name):
        Scope.of(**{name: bad})


def test_the_longest_id_is_taken():
    """Paths and URLs are ids too."""
    assert Scope.of(run_id="x" * MAX_ID_LENGTH).run_id == "x" * MAX_ID_LENGTH


@given(READ, STORED)
def test_a_scope_admits_exactly_what_agrees_in_every_id_it_sets(read, stored):
    """The reference meaning of a boundary."""
    agrees = [
        value is None or (getattr(stored, name) is not None if value == ANY else getattr(stored, name) == value)
        for name in ENTITY_IDS
        for value in [getattr(read, name)]
    ]
    assert read.admits(stored) == (read.project == stored.project and all(agrees))


@given(READ, STORED, st.sampled_from(ENTITY_IDS), st.sampled_from(["a", "b", ANY]))
def test_naming_one_more_id_never_widens_a_scope(read, stored, name, value):
    """What a narrower scope admits, the wider one does too."""
    if getattr(read, name) is None and replace(read, **{name: value}).admits(stored):
        assert read.admits(stored)


@given(STORED)
def test_no_scope_admits_what_lies_in_another_project(stored):
    """Whatever it names or leaves open."""
    other = "q" if stored.project == "p" else "p"
    assert not Scope(project=other).admits(stored)
    assert not replace(stored, project=other).admits(stored)


@pytest.mark.parametrize("scope", [Scope(), Scope(user_id=ANY), Scope(user_id="u", run_id=ANY)])
def test_nothing_is_stored_under_a_bare_or_open_scope(scope):
    """A memory belongs to somebody."""
    with pytest.raises(ScopeError):
        scope.require_writable()


@pytest.mark.parametrize("name", ENTITY_IDS)
@pytest.mark.parametrize("value", [".", ".."])
def test_what_addresses_leave_out_is_no_id_to_store_under_and_can_be_read(name, value):
    """A store may hold what was stored under it before this was refused."""
    scope = Scope.of(**{name: value})
    with pytest.raises(ScopeError, match=f"{name} is '{value}'"):
        scope.require_writable()


@pytest.mark.parametrize("name", ENTITY_IDS)
def test_one_id_is_enough_to_store_under(name):
    """Whichever it is."""
    Scope(**{name: "x"}).require_writable()
    assert not Scope(**{name: "x"}).is_bare
