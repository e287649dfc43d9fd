"""AsyncMemory: the same surface on an event loop."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from kept import AsyncMemory, Memory
from kept.errors import ConfigurationError, InvalidInputError, ScopeError


async def live(memory):
    """A little of everything, awaited."""
    added = await memory.add("I live in Rome", user_id="u1", infer=False)
    memory_id = added["results"][0]["id"]
    await memory.update(memory_id, "I live in Bonn")
    found = await memory.search("Bonn", user_id="u1")
    assert [row["id"] for row in found["results"]] == [memory_id]
    assert (await memory.get(memory_id))["memory"] == "I live in Bonn"
    assert len(await memory.history(memory_id)) == 2
    await memory.undo(user_id="u1")
    assert (await memory.get_all(user_id="u1"))["results"][0]["memory"] == "I live in Rome"
    lines = await memory.export(user_id="u1")
    assert len(list(lines)) == 2
    await memory.delete(memory_id)
    assert (await memory.context("Rome", user_id="u1"))["text"] == ""
    await memory.erase(memory_id)
    assert await memory.verify() == []


@pytest.mark.parametrize("run", [lambda main: asyncio.run(main()), lambda main: anyio.run(main, backend="asyncio")])
def test_every_call_can_be_awaited(store_path, run):
    """Under asyncio's own runner and anyio's."""

    async def main():
        async with AsyncMemory(store_path) as memory:
            await live(memory)

    run(main)


def test_calls_run_beside_each_other(store_path):
    """The loop goes on meanwhile, and nothing is lost."""

    async def main():
        async with AsyncMemory(store_path) as memory:
            await asyncio.gather(*(memory.add(f"note {n}", user_id="u1", infer=False, related=0) for n in range(12)))
            founds = await asyncio.gather(*(memory.search(f"note {n}", user_id="u1") for n in range(12)))
            assert all(len(found["results"]) == 12 for found in founds)

    asyncio.run(main())


def test_an_export_is_read_off_the_event_loop(store_path):
    """Its lines are there when it returns; reading them touches no file."""

    async def main():
        memory = AsyncMemory(store_path)
        await memory.add("I live in Rome", user_id="u1", infer=False)
        lines = await memory.export(user_id="u1")
        memory.close()
        return list(lines)

    assert len(asyncio.run(main())) == 2


def test_errors_are_those_of_memory(store_path):
    """Raised where the call is awaited."""

    async def main():
        async with AsyncMemory(store_path) as memory:
            with pytest.raises(ScopeError):
                await memory.add("tea")
            with pytest.raises(InvalidInputError):
                await memory.search("", user_id="u1")

    asyncio.run(main())


def test_from_config_and_close_are_no_coroutines(store_path):
    """As in Mem0."""
    memory = AsyncMemory.from_config({"vector_store": {"provider": "sqlite", "config": {"path": str(store_path)}}})
    asyncio.run(memory.add("tea", user_id="u1", infer=False))
    memory.close()
    memory.close()
    with Memory(store_path) as same:
        assert same.get_all(user_id="u1")["total"] == 1
    with pytest.raises(ConfigurationError):
        AsyncMemory.from_config({"llm": {"provider": "openai"}})


def test_the_memory_behind_it_is_at_hand(store_path):
    """For a program that is half asynchronous."""
    memory = AsyncMemory(store_path, project="p", actor="zoë")
    memory.sync.add("tea", user_id="u1", infer=False)
    assert asyncio.run(memory.get_all(user_id="u1"))["total"] == 1
    memory.close()
