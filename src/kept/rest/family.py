"""Several processes on one listening socket, for machines with several processors.

The first one forks the others before it opens the store, serves like them, and is the one that a person or a supervisor knows. None of
them outlives it, however it ends: each holds the end of a pipe that closes with it. When one of the others ends by itself all end, and
the first one with an exit code that says so, for whoever supervises it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from kept.errors import ConfigurationError

logger = logging.getLogger("kept.rest")

GRACE_S: Final = 12.0
"""How long the first waits for the others' end: a little longer than each takes at most for its own."""
_FAILED: Final = 1


def serve_in(processes: int, serve: Callable[[int], None]) -> None:
    """Run `serve` in so many processes, which are numbered from 0; return when the first one's has.

    Nothing may be open yet that a fork would share: no store, no threads.

    Raises:
        ConfigurationError: The platform cannot fork.
        SystemExit: One of the others failed or was killed.
    """
    if processes == 1:
        serve(0)
        return
    if not hasattr(os, "fork"):
        raise ConfigurationError("processes is above 1, which this platform cannot do; leave it at 1.")
    ours, theirs = os.pipe()
    others = [_begin(partial(serve, number), ours, theirs) for number in range(1, processes)]
    os.close(ours)
    ending, failed = threading.Event(), threading.Event()
    for other in others:
        threading.Thread(target=_watch, args=[other, ending, failed], name="kept-family", daemon=True).start()
    try:
        serve(0)
    finally:
        ending.set()
        os.close(theirs)
        _wait(others)
    if failed.is_set():
        raise SystemExit(_FAILED)


def _begin(serve: Callable[[], None], ours: int, theirs: int) -> int:
    """Fork a process that serves until the first one is gone; its id."""
    process_id = os.fork()
    if process_id:
        return process_id
    code = _FAILED
    try:
        os.close(theirs)
        threading.Thread(target=_end_with, args=[ours], name="kept-family", daemon=True).start()
        serve()
        code = 0
    except Exception:
        logger.exception("a process of the server failed")
    os._exit(code)


def _end_with(pipe: int) -> None:
    """End this process, as a signal would, when the other end of the pipe is gone."""
    while os.read(pipe, 1):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


def _watch(process_id: int, ending: threading.Event, failed: threading.Event) -> None:
    """End this process when another ends before this one does; a signal to all of them may reach that one first."""
    ended = None
    with contextlib.suppress(ChildProcessError):
        ended = os.waitid(os.P_PID, process_id, os.WEXITED | os.WNOWAIT)
    if ending.is_set():
        return
    if ended is None or ended.si_code != os.CLD_EXITED or ended.si_status != 0:
        failed.set()
        logger.error("a process of the server ended by itself; all end", extra={"kept": {"process": process_id}})
    os.kill(os.getpid(), signal.SIGTERM)


def _wait(others: list[int]) -> None:
    """See the others end; those that do not are killed."""
    until = time.monotonic() + GRACE_S
    for other in others:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(other, os.WNOHANG) == (0, 0):
                if time.monotonic() > until:
                    os.kill(other, signal.SIGKILL)
                time.sleep(0.02)
