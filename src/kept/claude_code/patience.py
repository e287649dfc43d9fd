"""Waiting with a limit: a session never waits longer for its memory than it was said to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, work: Callable[[], T]) -> T:
    """What the work gives. Work that takes longer goes on in its thread, which ends with the process at the latest.

    Raises:
        TimeoutError: It takes longer.
        Exception: Whatever the work raised.
    """
    outcome: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            outcome.put((work(), None))
        except BaseException as error:  # noqa: BLE001 - it is raised again, where it is waited for
            outcome.put((None, error))

    threading.Thread(target=run, name="kept-hook", daemon=True).start()
    try:
        result, error = outcome.get(timeout=seconds)
    except Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]  # the work's own result, where it raised nothing


def beside(work: Callable[[], object]) -> None:
    """Start work that nobody waits for. It ends with the process at the latest."""
    threading.Thread(target=work, name="kept-beside", daemon=True).start()
