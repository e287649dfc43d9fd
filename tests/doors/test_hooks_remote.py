"""The hooks of a coding session over a server's memories: the same loop, with a key instead of a file."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from kept.claude_code.hooks import Hooks
from kept.claude_code.marks import Marks
from kept.claude_code.memories import Capture, Owner
from kept.claude_code.remote import RemoteMemories
from kept.errors import KeptError
from kept.sdk.client import MemoryClient
from kept.settings import Settings

testclient = pytest.importorskip("fastapi.testclient", reason="the server's extra is not installed")

OWNER = Owner(project="default", user_id="maya", app_id="github.com/acme/shop")
WITHIN_S = 10


@pytest.fixture
def memories(tmp_path):
    """A server's memories, through its own client, in this process."""
    from kept.bootstrap import build_platform
    from kept.rest.app import create_app

    settings = Settings.load(environ={}, config=tmp_path / "none.toml", database=str(tmp_path / "kept.db"))
    app = create_app(build_platform(settings), settings)
    with testclient.TestClient(app) as transport:
        _, secret = app.state.keys.make(name="test", role="OWNER")
        yield RemoteMemories(MemoryClient(secret, "http://127.0.0.1:8787", transport, retries=0))


@pytest.fixture
def hooks(memories, tmp_path):
    def load(team: Path | None) -> Settings:
        return Settings.load(
            environ={}, config=tmp_path / "none.toml", team=team, user_id="maya", app_id=OWNER.app_id, recall_ms=5_000
        )

    return Hooks(lambda: memories, load, Marks(tmp_path / "marks"), start=lambda work: work())


def send(hooks: Hooks, event: str, session: str, **fields: str) -> str:
    answer = hooks.handle({"hook_event_name": event, "session_id": session, "prompt_id": session, "cwd": "/", **fields})
    return answer.get("hookSpecificOutput", {}).get("additionalContext", str(answer or ""))


def capture(key: str, **fields) -> Capture:
    return Capture(key=key, project="default", user_id="maya", app_id=OWNER.app_id, **fields)


def wait_for(look):
    """What `look` gives once it is true: the server's worker stores what it has to take apart."""
    deadline = time.monotonic() + WITHIN_S
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_the_second_session_is_given_what_the_first_learned(hooks, memories):
    send(hooks, "UserPromptSubmit", "s1", prompt="We decided to use pnpm instead of npm for the web packages.")
    send(hooks, "Stop", "s1", last_assistant_message="The lockfile of the web packages is converted.")
    wait_for(lambda: memories.count(OWNER) == 2)
    assert "We decided to use pnpm instead of npm" in send(hooks, "SessionStart", "s2", source="startup")
    assert "lockfile" in send(hooks, "UserPromptSubmit", "s2", prompt="Was the lockfile of the web packages converted?")


def test_the_same_key_stores_once(memories):
    for _ in range(2):
        memories.store([capture("k", messages=(("user", "We use pnpm."),), infer=False)])
    (stored,) = memories.recent(OWNER, 10)
    assert (stored.text, stored.speaker, stored.app_id) == ("We use pnpm.", "user", OWNER.app_id)


def test_what_passes_is_no_lasting_memory(memories):
    memories.store(
        [capture("a", facts=("We use pnpm.",)), capture("b", facts=("It is done.",), expires_on="2999-01-01")]
    )
    assert {memory.text for memory in memories.recent(OWNER, 10)} == {"We use pnpm.", "It is done."}
    assert [memory.text for memory in memories.recent(OWNER, 10, lasting=True)] == ["We use pnpm."]
    assert len(memories.recent(OWNER, 1)) == 1


def test_a_documents_memories_are_found_and_hidden(memories):
    memories.store([capture("a", facts=("Use pnpm.", "Use tabs."), metadata={"document": "CLAUDE.md"})])
    memories.store([capture("b", facts=("Deploy on Tuesdays.",))])
    found = memories.of_document(OWNER, "CLAUDE.md")
    assert {memory.text for memory in found} == {"Use pnpm.", "Use tabs."}
    memories.forget(OWNER, [memory.id for memory in found])
    assert [memory.text for memory in memories.recent(OWNER, 10)] == ["Deploy on Tuesdays."]


def test_a_shared_repository_gives_what_others_stored(memories):
    other = Capture(key="o", project="default", user_id="ben", app_id=OWNER.app_id, facts=("The zebra cache is slow.",))
    memories.store([other])
    shared = Owner(project="default", user_id="maya", app_id=OWNER.app_id, shared=True)
    assert memories.search(OWNER, "zebra cache", limit=5, threshold=0.0) == []
    (found,) = memories.search(shared, "zebra cache", limit=5, threshold=0.0)
    assert found.own_words
    assert found.score > 0.5
    assert memories.count(shared) == 1


def test_a_server_that_is_gone_is_said_once(tmp_path):
    """Nobody listens on the discard port; the session goes on, and the turn waits."""
    memories = RemoteMemories(MemoryClient("key", "http://127.0.0.1:9", timeout_s=1, retries=0))
    marks = Marks(tmp_path / "marks")
    hooks = Hooks(
        lambda: memories, lambda _: Settings.load(environ={}, user_id="maya"), marks, start=lambda work: work()
    )
    answers = [
        send(hooks, "UserPromptSubmit", "s1", prompt=f"How does the zebra cache number {n} work?") for n in range(3)
    ]
    assert "Kept cannot use its memory now" in answers[0]
    assert answers[1:] == ["", ""]
    send(hooks, "Stop", "s1", last_assistant_message="The zebra cache works well.")
    assert marks.waiting()
    with pytest.raises(KeptError):
        memories.count(OWNER)
