"""What a reviewer who attacks would try: each of these was once possible."""

from __future__ import annotations

import threading

import pytest

from kept import Memory
from kept.errors import NotFoundError, StoreError


def test_an_erase_finds_the_messages_that_only_repeated_the_memory(store_path):
    """The second message made no memory of its own, and its words go too."""
    with Memory(store_path) as memory:
        for _ in range(2):
            added = memory.add("My passport is QX7781Z", user_id="u", infer=False)
        memory.erase(added["results"][0]["id"])
        assert memory.verify() == []
    assert all(b"QX7781Z" not in file.read_bytes() for file in store_path.parent.iterdir())


def test_an_idempotency_key_cannot_be_made_to_look_like_anothers(store_path):
    """The key is stored with the scope, unambiguously."""
    with Memory(store_path) as memory:
        memory.add("vault 42", user_id="alice", run_id="r1", infer=False, idempotency_key="k1")
        forged = memory.add("x", run_id="r1", infer=False, idempotency_key="k1\x1fuser_id=alice")
        assert [row["memory"] for row in forged["results"]] == ["x"]


def test_agents_do_not_supersede_each_others_memories(store_path):
    """A run of the same agent may; another agent may not."""
    with Memory(store_path) as memory:
        theirs = memory.add("theirs", agent_id="a2", infer=False)["results"][0]["id"]
        with pytest.raises(NotFoundError):
            memory.add("mine", agent_id="a1", supersedes=theirs)
        mine = memory.add("mine", agent_id="a1", run_id="r1", infer=False)["results"][0]["id"]
        assert memory.add("mine, newer", agent_id="a1", run_id="r2", supersedes=mine)["superseded"] == [mine]


def test_closing_while_threads_read_ends_their_reads(store_path):
    """A clean error, never the end of the process."""
    memory = Memory(store_path)
    memory.add([{"role": "user", "content": f"note {n}"} for n in range(300)], user_id="u", infer=False)
    errors = []

    def read():
        try:
            while True:
                memory.get_all(user_id="u", top_k=300)
        except StoreError as error:
            errors.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    memory.close()
    for thread in threads:
        thread.join()
    assert len(errors) == 4


def test_a_store_that_was_deleted_while_open_takes_no_writes(store_path):
    """What it would acknowledge would be gone with the process."""
    with Memory(store_path) as memory:
        memory.add("kept", user_id="u", infer=False)
        for file in list(store_path.parent.iterdir()):
            file.unlink()
        with pytest.raises(StoreError, match="deleted or replaced"):
            memory.add("lost", user_id="u", infer=False)


def test_a_search_that_was_interrupted_leaves_no_half_refreshed_partition(store_path, monkeypatch):
    """The next one loads anew and finds everything."""
    from kept.engine.partition import ResidentPartition

    with Memory(store_path) as memory:
        memory.add("tea one", user_id="u", infer=False)
        memory.search("tea", user_id="u")
        memory.add("tea two", user_id="u", infer=False, related=0)
        original = ResidentPartition._append

        def interrupted(self, rows):
            original(self, rows)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(ResidentPartition, "_append", interrupted)
            with pytest.raises(KeyboardInterrupt):
                memory.search("tea", user_id="u")
        assert len(memory.search("tea", user_id="u")["results"]) == 2


def test_a_scrub_that_was_due_is_finished_by_the_next_to_open_the_store(store_path, monkeypatch):
    """Also when the erasing process was killed in between."""
    from kept.adapters.sqlite.log import SqliteLog

    with Memory(store_path) as memory:
        added = memory.add("The canary sings QX7781Z", user_id="u", infer=False)
        with monkeypatch.context() as patch:
            patch.setattr(SqliteLog, "scrub", lambda _: False)
            assert memory.erase(added["results"][0]["id"])["scrubbed"] is False
            memory.close()
    with Memory(store_path):
        assert all(b"QX7781Z" not in file.read_bytes() for file in store_path.parent.iterdir())
