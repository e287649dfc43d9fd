"""What is public: its names, its signatures, and that both colours of the SDK have the same."""

from __future__ import annotations

import asyncio
import inspect
from importlib import resources

import pytest

import kept
from kept import AsyncMemory, Memory
from kept.errors import KeptError

NOT_COROUTINES = {"close", "from_config"}
"""As in Mem0's AsyncMemory."""

POSITIONAL_AS_IN_MEM0 = {"update", "delete_all"}
"""Mem0's signatures, which callers use with positions."""

METHODS = sorted(name for name, _ in inspect.getmembers(Memory, callable) if not name.startswith("_"))


def test_public_names_are_sorted_and_there():
    """`__all__` is what `dir` shows, in order, and each name of it can be imported."""
    assert kept.__all__ == sorted(kept.__all__)
    assert dir(kept) == kept.__all__
    assert all(getattr(kept, name) for name in kept.__all__)


def test_an_unknown_name_is_an_attribute_error():
    """Lazy names do not hide a typing mistake."""
    with pytest.raises(AttributeError, match="Memroy"):
        _ = kept.Memroy


def test_types_are_shipped():
    """Type checkers see the annotations of an installed Kept."""
    assert resources.files("kept").joinpath("py.typed").is_file()


@pytest.mark.parametrize("name", METHODS)
def test_arguments_after_the_second_are_named(name):
    """So that they can be told apart by a reader and reordered by us."""
    parameters = inspect.signature(getattr(Memory, name)).parameters.values()
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self"]
    assert len(positional) <= 2 or name in POSITIONAL_AS_IN_MEM0


@pytest.mark.parametrize("name", METHODS)
def test_flags_are_named(name):
    """No call reads `search("…", True)`."""
    for parameter in inspect.signature(getattr(Memory, name)).parameters.values():
        if isinstance(parameter.default, bool):
            assert parameter.kind is parameter.KEYWORD_ONLY, parameter.name


def test_both_memories_have_the_same_methods():
    """What one can do, the other can."""
    assert [name for name, _ in inspect.getmembers(AsyncMemory, callable) if not name.startswith("_")] == METHODS


@pytest.mark.parametrize("name", METHODS)
def test_both_memories_take_the_same_arguments(name):
    """And give them the same names and defaults."""
    ours, theirs = inspect.signature(getattr(Memory, name)), inspect.signature(getattr(AsyncMemory, name))
    assert list(ours.parameters.values()) == list(theirs.parameters.values())


@pytest.mark.parametrize("name", METHODS)
def test_async_methods_are_coroutines(name):
    """All but those that Mem0 has as plain functions."""
    assert inspect.iscoroutinefunction(getattr(AsyncMemory, name)) == (name not in NOT_COROUTINES)


def test_both_memories_answer_alike():
    """A call through the event loop does what the plain call does, errors included."""

    async def use() -> tuple[str, str]:
        async with AsyncMemory("memory://") as memory:
            await memory.add("The cat is called Miso", user_id="u")
            found = await memory.search("What is the cat called?", user_id="u")
            with pytest.raises(KeptError) as error:
                await memory.search(" ", user_id="u")
            return found["results"][0]["memory"], error.value.code

    with Memory("memory://") as memory:
        memory.add("The cat is called Miso", user_id="u")
        found = memory.search("What is the cat called?", user_id="u")
        with pytest.raises(KeptError) as error:
            memory.search(" ", user_id="u")
        assert asyncio.run(use()) == (found["results"][0]["memory"], error.value.code)
