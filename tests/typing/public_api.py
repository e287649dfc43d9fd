"""What a type checker sees of the public API. mypy checks this file; nothing runs it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, assert_type

import kept
from kept import AsyncMemory, Memory
from kept.errors import KeptError, NotFoundError, StoreBusyError
from kept.settings import Settings


def making() -> None:
    assert_type(kept.__version__, str)
    assert_type(Memory(), Memory)
    assert_type(
        Memory("sqlite:///kept.db", project="shop", embedder="wordllama", llm="ollama:qwen3", actor="ada"), Memory
    )
    assert_type(Memory(Path("kept.db")), Memory)
    assert_type(Memory(settings=Settings(database="memory://", user_id="mira")), Memory)
    assert_type(Memory.from_config({"embedder": {"provider": "wordllama"}}), Memory)
    with Memory("memory://") as memory:
        assert_type(memory, Memory)
    Memory(database={"path": "kept.db"})  # type: ignore[arg-type]


def remembering(memory: Memory) -> None:
    assert_type(memory.add("The cat is called Miso", user_id="mira"), dict[str, Any])
    memory.add({"role": "user", "content": "The cat is called Miso"}, user_id="mira")
    memory.add([{"role": "user", "content": "The cat is called Miso"}, "and it sleeps"], user_id="mira", infer=False)
    memory.add(facts=[{"text": "The cat is called Miso", "supersedes": ["some-id"]}], user_id="mira")
    assert_type(memory.import_file("chat.json", user_id="mira", form="chat-json"), dict[str, Any])
    memory.add("positional ids are a mistake", "mira")  # type: ignore[call-arg]


def recalling(memory: Memory) -> None:
    assert_type(memory.search("cat", user_id="mira", top_k=5, threshold=0.2, explain=True), dict[str, Any])
    assert_type(memory.context("cat", user_id="mira", budget_tokens=500), dict[str, Any])
    assert_type(memory.get("some-id"), dict[str, Any] | None)
    assert_type(memory.get_all(user_id="mira", filters={"categories": {"in": ["pets"]}}), dict[str, Any])
    assert_type(memory.history("some-id"), list[dict[str, Any]])
    assert_type(memory.users(), dict[str, Any])
    memory.search("cat", user_id="mira", top_k="five")  # type: ignore[arg-type]


def changing(memory: Memory) -> None:
    assert_type(memory.update("some-id", "The cat is called Mochi", {"checked": True}), dict[str, Any])
    assert_type(memory.update("some-id", expiration_date=None), dict[str, Any])
    assert_type(memory.invalidate("some-id", at="2026-03-02"), dict[str, Any])
    assert_type(memory.feedback("some-id", "POSITIVE"), dict[str, Any])
    assert_type(memory.delete("some-id"), dict[str, Any])
    assert_type(memory.delete_all("mira"), dict[str, Any])
    assert_type(memory.undo(user_id="mira"), dict[str, Any])
    assert_type(memory.restore("some-id", 3), dict[str, Any])
    assert_type(memory.erase(["some-id"]), dict[str, Any])
    assert_type(memory.retain(90, user_id="mira"), dict[str, Any])


def operating(memory: Memory) -> None:
    assert_type(memory.export(user_id="mira"), Iterable[str])
    assert_type(memory.stats(), dict[str, Any])
    assert_type(memory.verify(), list[dict[str, str]])
    assert_type(memory.rebuild(), int)
    memory.backup("copy.db")
    memory.close()


async def asynchronously() -> None:
    assert_type(AsyncMemory.from_config({}), AsyncMemory)
    async with AsyncMemory("memory://") as memory:
        assert_type(memory, AsyncMemory)
        await memory.add("The cat is called Miso", user_id="mira")
        await memory.search("cat", user_id="mira")
        memory.close()


def failing(error: KeptError) -> LookupError | None:
    assert_type(error.code, str)
    if isinstance(error, StoreBusyError):
        assert_type(error, StoreBusyError)
    return error if isinstance(error, NotFoundError) else None
