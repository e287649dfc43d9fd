"""Kept: the memory of AI agents.

    from kept import Memory

    memory = Memory()
    memory.add("user prefers TypeScript over JavaScript", user_id="user123")
    memory.search("what tech stack?", user_id="user123")

The names load on first use, so importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kept.sdk.client import AsyncMemoryClient, MemoryClient
    from kept.sdk.memory import AsyncMemory, Memory

__all__ = ["AsyncMemory", "AsyncMemoryClient", "Memory", "MemoryClient", "__version__"]

__version__ = "0.1.0"

_HOMES = {
    "AsyncMemory": "kept.sdk.memory",
    "AsyncMemoryClient": "kept.sdk.client",
    "Memory": "kept.sdk.memory",
    "MemoryClient": "kept.sdk.client",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
