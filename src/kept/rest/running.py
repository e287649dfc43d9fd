"""Running the app: a socket, a server over it, and an end that finishes what was begun."""

from __future__ import annotations

import ctypes
import errno
import gc
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import uvicorn
from fastapi import FastAPI

from kept.errors import ConfigurationError
from kept.rest.app import served
from kept.rest.connections import Connection
from kept.rest.sharing import Part, SharingServer
from kept.settings import Settings

REQUESTS_GRACE_S: Final = 5
"""How long the end waits for requests; with what the worker gets, less than the 10 s after which supervisors kill."""
KEEP_ALIVE_S: Final = 30
"""How long an idle connection is kept: longer than clients' pools keep theirs (4 to 15 s), so that the client ends it."""
BACKLOG: Final = 1_024
"""Connections that wait to be accepted: all that clients open in one burst."""
_THIS_MACHINE: Final = ("127.0.0.1", "::1")
_LARGE_BYTES: Final = 512 * 1024
"""The embeddings of 500 memories; what a search makes and drops is smaller, up to some 100,000 memories."""
_M_MMAP_THRESHOLD: Final = -3
"""Its number in glibc's `malloc.h`."""
_COLLECTED_AFTER: Final = (20_000, 20, 50)
"""Instead of 700, 10 and 10: a search took an eighth less processor time (`benchmarks/serve.py`, three alternated runs)."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        ConfigurationError: The address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        taken = " Is another server running? Try --port." if error.errno == errno.EADDRINUSE else ""
        raise ConfigurationError(f"Cannot listen on {host}:{port}: {error.strerror}.{taken}") from error


def server_of(app: FastAPI, connection: type[Connection] = Connection) -> uvicorn.Server:
    """The server of an app, alone on its socket."""
    return uvicorn.Server(_config(app, connection))


def sharing_server_of(app: FastAPI, part: Part) -> uvicorn.Server:
    """The server of an app in one of several processes on a socket."""
    return SharingServer(_config(app, Connection), part)


def _config(app: FastAPI, connection: type[Connection]) -> uvicorn.Config:
    settings: Settings = app.state.settings
    return uvicorn.Config(
        served(app),
        http=connection.saying(app.state.limits.headers_of_no_request),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=[*_THIS_MACHINE, *settings.trusted_proxies],
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=REQUESTS_GRACE_S,
    )


def run(server: uvicorn.Server, listener: socket.socket) -> None:
    """Serve until a signal says to end; a second one ends it at once."""
    _settle()
    with _ends_as_asked(server):
        server.run(sockets=[listener])


def _settle() -> None:
    """Let the collector leave alone what was made until now, and look less often: requests leave hardly any cycles behind."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTED_AFTER)
    map_large_blocks()


def map_large_blocks() -> None:
    """Let glibc give a large block back to the system when it is freed; elsewhere this does nothing.

    By itself it keeps ever larger ones in the heap (mallopt(3), "dynamic mmap threshold"). Partitions' arrays that grow then leave
    holes there: after the first adds to 200 users of 1,000 memories a server held 746 MiB instead of 519
    (`benchmarks/serve.py --rate 100 --seconds 30 --phases mixed`).
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


@contextmanager
def _ends_as_asked(server: uvicorn.Server) -> Iterator[None]:
    """Make a signal an end like any other: uvicorn raises those it caught again when it has ended, which would kill the process."""
    ends = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(end, server.handle_exit) for end in ends]
    try:
        yield
    finally:
        for end, handler in zip(ends, before, strict=True):
            signal.signal(end, handler)
