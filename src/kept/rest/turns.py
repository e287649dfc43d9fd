"""Searches take turns, so that each is as quick as if it were alone.

Threads that compute in Python share the interpreter's lock, and pass it to and fro at each statement of SQLite and each larger
step of numpy: 32 searches at once took twice the processor time that they take one after another (`benchmarks/serve.py`). Writes
need no turn: they wait for the disk, together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from anyio import to_thread

from kept.engine.retrieve import TakesLongerError

T = TypeVar("T")

AT_ONCE: Final = 2
"""While one waits for the disk, the other computes."""
LONGEST_S: Final = 0.1
"""How long a turn lasts: some fifty searches of small partitions. Loading or ranking a large one takes longer, and goes on
beside the others."""


class Turns:
    """Lets few searches run at once, first come, first served."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._free = asyncio.Semaphore(at_once)

    async def search(self, work: Callable[[bool], T]) -> T:
        """What `work` returns or raises.

        A search that takes a few milliseconds is done here and now: handing it to a thread would cost a third of that. One that says
        (`TakesLongerError`) that it takes longer is done in a thread when its turn has come.

        Args:
            work: Told whether it must be quick.
        """
        try:
            return work(True)
        except TakesLongerError:
            return await self.run(lambda: work(False))

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises, done in a thread when its turn has come."""
        await self._free.acquire()
        turn = _Turn(self._free)
        try:
            return await to_thread.run_sync(work)
        finally:
            turn.end()


class _Turn:
    """One place among those that run; it is given back at its end, or when the time is up."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free = free
        self._timer = asyncio.get_running_loop().call_later(LONGEST_S, self.end)
        self._over = False

    def end(self) -> None:
        """Let the next one begin. Ending twice is harmless."""
        self._timer.cancel()
        if not self._over:
            self._over = True
            self._free.release()
