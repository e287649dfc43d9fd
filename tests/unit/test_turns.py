"""Searches run a few at a time, and a long one lets the others pass."""

from __future__ import annotations

import asyncio
import threading

import pytest

pytest.importorskip("fastapi")

from kept.rest import turns as module
from kept.rest.turns import Turns


class Works:
    """Pieces of work that run until they are let go."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.ends = [threading.Event() for _ in range(4)]

    def begin(self, number: int) -> int:
        self.begun.append(number)
        self.ends[number].wait()
        return number


async def until(condition):
    while not condition():  # noqa: ASYNC110 - what is waited for happens in threads
        await asyncio.sleep(0.001)


def test_no_more_run_at_once_than_have_a_turn():
    """The next begins when one has ended, in the order they came."""

    async def scenario():
        works, turns = Works(), Turns(at_once=2)
        running = [asyncio.create_task(turns.run(lambda n=n: works.begin(n))) for n in range(4)]
        await until(lambda: len(works.begun) == 2)
        works.ends[1].set()
        assert await running[1] == 1
        await until(lambda: len(works.begun) == 3)
        assert works.begun[2] == 2
        for end in works.ends:
            end.set()
        assert await asyncio.gather(*running) == [0, 1, 2, 3]

    asyncio.run(scenario())


def test_a_long_one_lets_the_others_pass(monkeypatch):
    """It goes on beside them."""
    monkeypatch.setattr(module, "LONGEST_S", 0.01)

    async def scenario():
        works, turns = Works(), Turns(at_once=1)
        long = asyncio.create_task(turns.run(lambda: works.begin(0)))
        works.ends[1].set()
        assert await turns.run(lambda: works.begin(1)) == 1
        assert not long.done()
        works.ends[0].set()
        assert await long == 0

    asyncio.run(scenario())


def test_a_failure_ends_its_turn():
    """And reaches whoever asked."""

    async def scenario():
        turns = Turns(at_once=1)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await turns.run(lambda: 1 // 0)
        return await turns.run(lambda: 7)

    assert asyncio.run(scenario()) == 7
