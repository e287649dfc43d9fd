"""What a type checker sees of the clients. mypy checks this file; nothing runs it."""

from __future__ import annotations

from datetime import date
from typing import assert_type

import httpx2

from kept import AsyncMemoryClient, MemoryClient
from kept.sdk.client import answers


def making() -> None:
    assert_type(MemoryClient(), MemoryClient)
    assert_type(MemoryClient("key", "http://127.0.0.1:8787", httpx2.Client(), retries=0), MemoryClient)
    with MemoryClient(timeout_s=5) as client:
        assert_type(client, MemoryClient)
        assert_type(client.host, str)
        assert_type(client.project_id, str | None)
    AsyncMemoryClient(client=httpx2.Client())  # type: ignore[arg-type]


def calling(client: MemoryClient) -> None:
    assert_type(client.add("I like tea", user_id="mira", expiration_date=date(2027, 1, 1)), answers.AddAnswer)
    assert_type(client.wait("some-event"), answers.Event)
    assert_type(client.search("tea", user_id="mira", top_k=5), answers.SearchAnswer)
    assert_type(client.search("tea", user_id="mira")["results"][0]["score"], float)
    assert_type(client.get_all(filters={"user_id": "mira"}), answers.Page[answers.MemoryAnswer])
    assert_type(client.get("some-id")["memory"], str)
    assert_type(client.update("some-id", expiration_date=None), answers.MemoryAnswer)
    assert_type(client.history("some-id"), list[answers.HistoryStep])
    assert_type(client.undo(user_id="mira"), answers.Undone)
    assert_type(client.project.get_members(), answers.Members)
    assert_type(client.events.list(status="FAILED"), answers.Page[answers.Event])
    assert_type(client.keys.create("ci", role="READER")["api_key"], str)
    client.close()
    client.search(5)  # type: ignore[arg-type]
    client.get("some-id", "another")  # type: ignore[call-arg]
    client.search("tea", user_id="mira")["hits"]  # type: ignore[misc]


async def awaiting(client: AsyncMemoryClient) -> None:
    async with client as opened:
        assert_type(opened, AsyncMemoryClient)
    assert_type(await client.add("I like tea", user_id="mira"), answers.AddAnswer)
    assert_type(await client.search("tea", user_id="mira"), answers.SearchAnswer)
    assert_type(await client.project.get(), answers.ProjectAnswer)
    assert_type(await client.events.wait("some-event"), answers.Event)
    await client.close()
    client.search("tea", user_id="mira")["results"]  # type: ignore[index]
