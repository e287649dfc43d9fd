"""A server with a language model, spoken to by the released Mem0 client: facts, contradictions, failures and what it cost.

The model is scripted; its provider's wire format, the server, the store and the clients are real.
"""

from __future__ import annotations

import time

import httpx
import pytest

from kept import MemoryClient
from kept.testing.providers import Answer, Failure, ScriptedProvider
from tests.acceptance.conftest import serving

pytestmark = pytest.mark.slow
WITHIN_S = 30
HOME = {"t": "Ana lives in Berlin.", "s": [1], "k": "profile", "c": 0.9}
MOVED = {"t": "Ana lives in Hamburg.", "s": [1], "k": "profile", "c": 0.9, "contradicts": ["m1"]}


def facts(*found):
    return Answer({"f": list(found)}, input_tokens=900, output_tokens=60)


@pytest.fixture
def provider():
    """Down at first, then willing."""
    replies = [Failure(503), facts(HOME), facts(MOVED)]
    with ScriptedProvider(replies) as scripted:
        yield scripted


@pytest.fixture
def server(provider, tmp_path):
    settings = {
        "KEPT_LLM": "openai-chat:gpt-5-mini",
        "KEPT_LLM_BASE_URL": f"{provider.url}/v1",
        "KEPT_LLM_API_KEY": "sk-of-the-test",
    }
    with serving(tmp_path, **settings) as running:
        yield running


def read(client, event):
    """The events in which what an add brought was read, once they ended well."""
    added = client.wait(event)
    until = time.monotonic() + WITHIN_S
    while time.monotonic() < until:
        found = [client.events.get(one["event_id"]) for one in added["extractions"]]
        if all(one["status"] == "SUCCEEDED" for one in found):
            return found
        time.sleep(0.05)
    raise AssertionError(found)


def say(released, text):
    return released.add([{"role": "user", "name": "Ana", "content": text}], user_id="ana")


def test_what_mem0s_client_says_becomes_facts_that_close_what_they_contradict(server, provider, mem0):
    keys = {"api_key": server.admin_key, "host": server.url}
    with httpx.Client(timeout=30, trust_env=False) as http, MemoryClient(**keys) as client:
        released = mem0.MemoryClient(**keys, client=http)
        [event] = read(client, say(released, "I live in Berlin."))
        assert event["event_type"] == "EXTRACT"
        assert event["attempts"] == 2
        assert event["results"][0]["memory"] == "Ana lives in Berlin."
        assert event["spending"]["calls"] == 2
        read(client, say(released, "I live in Hamburg now."))
        found = released.search("Where does Ana live?", filters={"user_id": "ana"}, latest_only=True)["results"]
        texts = [memory["memory"] for memory in found]
        assert texts[:2].count("Ana lives in Hamburg.") == 1
        assert not any("Berlin" in text for text in texts)
        old = next(one for one in client.get_all(user_id="ana")["results"] if one["memory"] == "Ana lives in Berlin.")
        assert old["lifecycle_state"] == "superseded"
        new = client.get(old["replaced_by"])
        assert (new["memory"], new["type"], new["confidence"]) == ("Ana lives in Hamburg.", "profile", 0.9)
        spending = client.spending(by="task")
        assert spending["total"]["calls"] == 3
    assert len(provider.requests) == 3
    assert provider.requests[0].headers["authorization"] == "Bearer sk-of-the-test"
