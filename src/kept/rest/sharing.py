"""One listening socket for several processes, of which each takes its part of the connections.

All of them are told of a connection that waits, and the quickest would take it: of 32 one of two processes had up to 31. A connection
stays where it is as long as its client keeps it, so whoever asks over it would wait for the busier process, beside an idle one.
"""

from __future__ import annotations

import asyncio
import logging
import mmap
import socket
import struct
from typing import Final, NamedTuple

import uvicorn

logger = logging.getLogger("kept.rest")

PATIENCE_S: Final = 0.01
"""How long a process leaves a connection to one that has fewer; a few searches may be going on there."""
PAUSE_S: Final = 1.0
"""Until a process that has no more file descriptors looks again, as asyncio does."""
_COUNT: Final = struct.Struct("=i")


class Shares:
    """How many connections each process has, in memory that they have in common.

    Args:
        processes: How many there are; made before they are forked.
    """

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._memory = mmap.mmap(-1, processes * _COUNT.size)

    def has_least(self, number: int, connections: int) -> bool:
        """Whether no process has fewer than this one, which has so many."""
        _COUNT.pack_into(self._memory, number * _COUNT.size, connections)
        return all(connections <= self._of(other) for other in range(self._processes))

    def _of(self, number: int) -> int:
        count: int = _COUNT.unpack_from(self._memory, number * _COUNT.size)[0]
        return count


class Part(NamedTuple):
    """Which of the processes this is, and what each has."""

    shares: Shares
    number: int


class SharingServer(uvicorn.Server):
    """Serves its part of the connections.

    Args:
        config: Of the server.
        part: Which process this is.
    """

    _listener: socket.socket

    def __init__(self, config: uvicorn.Config, part: Part) -> None:
        super().__init__(config)
        self._part = part
        self._waited_until = 0.0
        self._beginning: set[asyncio.Task[object]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, but for how it listens on the one socket that it is given."""
        [self._listener] = [*(sockets or [])]
        await super().startup([])
        self._listener.setblocking(False)
        self._listen()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen no more, and as uvicorn's."""
        asyncio.get_running_loop().remove_reader(self._listener)
        await super().shutdown(sockets)  # which closes it

    def _listen(self) -> None:
        if self._listener.fileno() >= 0:  # not closed meanwhile
            asyncio.get_running_loop().add_reader(self._listener, self._take)

    def _listen_after(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listener)
        loop.call_later(seconds, self._listen)

    def _take(self) -> None:
        """Accept one connection, unless another process has fewer and takes it in time."""
        has_least = self._part.shares.has_least(self._part.number, len(self.server_state.connections))
        now = asyncio.get_running_loop().time()
        if not has_least and now >= self._waited_until:
            self._waited_until = now + 2 * PATIENCE_S  # when it looks again it takes what still waits
            self._listen_after(PATIENCE_S)
            return
        self._waited_until = 0.0
        try:
            accepted, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another process took it
        except OSError as error:
            logger.error("no connection can be accepted", extra={"kept": {"error": error.strerror}})  # noqa: TRY400
            self._listen_after(PAUSE_S)
            return
        accepted.setblocking(False)
        loop = asyncio.get_running_loop()
        beginning = loop.create_task(loop.connect_accepted_socket(self._connection, accepted))
        self._beginning.add(beginning)
        beginning.add_done_callback(self._beginning.discard)

    def _connection(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made
