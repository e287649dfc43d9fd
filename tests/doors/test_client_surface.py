"""What the clients have: Mem0's calls with Mem0's arguments, the same in both kinds, each described in the reference."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from kept import AsyncMemoryClient, MemoryClient
from kept.sdk.client import parts
from kept.sdk.client.runners import Awaiting, Blocking, Call

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "client.md"
PARTS = {
    "project": parts.Project,
    "events": parts.Events,
    "keys": parts.Keys,
    "links": parts.Links,
    "proposals": parts.Proposals,
    "retention": parts.Retention,
}
NOT_TAKEN_OVER = {"chat"}
"""Not implemented by Mem0 either."""


def calls(owner):
    """The names of a class's calls."""
    found = {name for kind in owner.__mro__ for name, value in vars(kind).items() if isinstance(value, Call)}
    return sorted(found)


ALL = [("", name) for name in calls(MemoryClient)] + [
    (part, name) for part, kind in PARTS.items() for name in calls(kind)
]


def parameters(function):
    return [p for p in inspect.signature(function).parameters.values() if p.name != "self"]


@pytest.fixture(scope="module")
def mem0(tmp_path_factory):
    """The released client's classes; importing it writes into a folder of the test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEM0_TELEMETRY", "false")
        patch.setenv("MEM0_DIR", str(tmp_path_factory.mktemp("mem0")))
        return pytest.importorskip("mem0.client.main", reason="mem0ai is not installed")


def test_both_kinds_have_the_same_calls():
    """They come from one place."""
    assert calls(AsyncMemoryClient) == calls(MemoryClient)


@pytest.mark.parametrize("name", calls(MemoryClient))
def test_the_calls_of_the_one_kind_are_functions_and_of_the_other_coroutines(name):
    """On the classes, where tools look, with the same arguments."""
    plain, awaited = getattr(MemoryClient, name), getattr(AsyncMemoryClient, name)
    assert not inspect.iscoroutinefunction(plain)
    assert inspect.iscoroutinefunction(awaited)
    assert parameters(plain) == parameters(awaited)
    assert plain.__doc__ == awaited.__doc__


@pytest.mark.parametrize("part", PARTS)
def test_parts_are_of_the_kind_of_their_client(part):
    """A part of an async client has coroutines."""
    plain, awaited = MemoryClient(), AsyncMemoryClient()
    assert type(getattr(plain, part).runner) is Blocking
    assert type(getattr(awaited, part).runner) is Awaiting
    name = calls(PARTS[part])[0]
    assert inspect.iscoroutinefunction(getattr(getattr(awaited, part), name))
    assert not inspect.iscoroutinefunction(getattr(getattr(plain, part), name))
    plain.close()


def test_every_call_of_mem0s_client_is_there(mem0):
    """With its arguments in its order: whatever was written for it can be called alike."""
    _assert_takes_what(mem0.MemoryClient, MemoryClient)


def test_every_call_of_mem0s_project_is_there(mem0):
    """The same for what is below `client.project`."""
    _assert_takes_what(mem0.Project, parts.Project)


def test_a_client_is_made_as_mem0s(mem0):
    """Its arguments stand first, in its order."""
    theirs = [p.name for p in parameters(mem0.MemoryClient.__init__)]
    for ours in (MemoryClient, AsyncMemoryClient):
        assert [p.name for p in parameters(ours.__init__)][: len(theirs)] == theirs


def _assert_takes_what(theirs, ours):
    public = {
        name: method for name, method in inspect.getmembers(theirs, inspect.isfunction) if not name.startswith("_")
    }
    assert set(public) - NOT_TAKEN_OVER <= set(calls(ours))
    for name in public.keys() - NOT_TAKEN_OVER:
        wanted = [p.name for p in parameters(public[name]) if p.kind is p.POSITIONAL_OR_KEYWORD]
        taken = [p.name for p in parameters(getattr(ours, name)) if p.kind is p.POSITIONAL_OR_KEYWORD]
        assert taken[: len(wanted)] == wanted, name
        if any(p.kind is p.VAR_KEYWORD for p in parameters(public[name])):
            assert any(p.kind is p.VAR_KEYWORD for p in parameters(getattr(ours, name))), name


def shown(part, name):
    """A call as the reference shows it: names and defaults, no annotations."""
    function = getattr(PARTS[part] if part else MemoryClient, name)
    listed = [
        p.replace(annotation=p.empty, kind=p.POSITIONAL_OR_KEYWORD if p.kind is p.POSITIONAL_ONLY else p.kind)
        for p in parameters(function)
    ]
    return f"client.{part + '.' if part else ''}{name}{inspect.Signature(listed)}"


@pytest.mark.parametrize(("part", "name"), ALL, ids=[f"{part}.{name}".strip(".") for part, name in ALL])
def test_every_call_is_in_the_reference(part, name):
    """As it is, with every argument and its default."""
    assert f"`{shown(part, name)}`" in REFERENCE.read_text(encoding="utf-8")


def test_the_reference_shows_no_call_that_is_not_there():
    """Each call that it shows exists."""
    described = re.findall(r"(?m)^- `client\.([a-z_.]+)\(", REFERENCE.read_text(encoding="utf-8"))
    assert sorted(described) == sorted(f"{part}.{name}".strip(".") for part, name in ALL)
