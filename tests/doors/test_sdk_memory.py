"""The Python door: Mem0's calls and shapes, on a real store."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from datetime import date, datetime, timedelta

import pytest

from kept import Memory
from kept.errors import ConfigurationError, InvalidInputError, KeptError, NotFoundError, ScopeError, StoreError
from kept.sdk.memory import DEFAULT_TOP_K, RELATED_UP_TO

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MEM0_MEMORY = {"id", "memory", "hash", "metadata", "created_at", "updated_at"}
MEM0_PROMOTED = {"user_id", "agent_id", "run_id", "actor_id", "role", "expiration_date"}
KEPT_BESIDE = {
    "app_id", "speaker", "kind", "categories", "entities", "relations", "recorded_at", "valid_from", "valid_to", "state",
    "superseded_by", "supersedes", "reinforced", "feedback", "immutable", "episode_id", "position", "connector",
}  # fmt: skip
UNKNOWN = "00000000-0000-4000-8000-00000000ffff"


@pytest.fixture
def memory(store_path):
    """A memory on a file."""
    with Memory(store_path) as opened:
        yield opened


def only(result):
    (item,) = result["results"]
    return item


def stored(memory, text="I live in Rome", **options):
    """Store a text verbatim: its id."""
    return only(memory.add(text, **({"user_id": "u1", "infer": False} | options)))["id"]


# --- add ---


def test_adding_text_gives_mem0s_results(memory):
    """`{"results": [{"id", "memory", "event"}]}`, and beside it what undoes it."""
    result = memory.add("I moved to Bonn in May.", user_id="u1")
    item = only(result)
    assert {"id", "memory", "event"} <= set(item)
    assert UUID.fullmatch(item["id"])
    assert (item["memory"], item["event"]) == ("I moved to Bonn in May.", "ADD")
    assert UUID.fullmatch(result["operation_id"])
    assert json.loads(json.dumps(result)) == result


def test_verbatim_items_say_who_said_them(memory):
    """`infer=False` adds `role`, and `actor_id` where somebody is named."""
    messages = [
        {"role": "user", "content": "I live in Rome", "name": "Zoë"},
        {"role": "assistant", "content": "Noted, Rome it is"},
    ]
    user, assistant = memory.add(messages, user_id="u1", infer=False)["results"]
    assert (user["role"], user["actor_id"]) == ("user", "Zoë")
    assert assistant["role"] == "assistant"
    assert "actor_id" not in assistant


def test_an_add_names_what_it_may_contradict_and_can_replace_it(memory):
    """The agent decides."""
    old = stored(memory, "Alice lives in Rome with her cat")
    item = only(memory.add("Alice lives in Bonn with her cat", user_id="u1", infer=False))
    (close,) = item["related"]
    assert (close["id"], close["memory"]) == (old, "Alice lives in Rome with her cat")
    assert 0.5 <= close["score"] <= 1
    result = memory.add("Alice lives in Kyiv with her cat", user_id="u1", supersedes=[old, item["id"]])
    assert result["superseded"] == [old, item["id"]]
    assert memory.get(old)["state"] == "superseded"


@pytest.mark.parametrize("related", [0, -1])
def test_related_memories_can_be_left_out(memory, related):
    """They cost a little."""
    stored(memory, "Alice lives in Rome")
    assert only(memory.add("Alice lives in Bonn", user_id="u1", infer=False, related=related))["related"] == []


def test_an_import_sized_add_relates_nothing(memory):
    """Nobody settles so many one by one."""
    result = memory.add([f"Alice likes number {n}" for n in range(RELATED_UP_TO + 1)], user_id="u1", infer=False)
    assert all(item["related"] == [] for item in result["results"])


@pytest.mark.parametrize("related", ["3", None, 1.5, True])
def test_a_wrong_number_of_related_memories_is_refused_before_anything_is_stored(memory, related):
    """An error means that nothing happened."""
    with pytest.raises(InvalidInputError, match="related"):
        memory.add("tea", user_id="u1", related=related)
    assert memory.get_all(user_id="u1")["total"] == 0


def test_procedural_memory_is_stored_whole(memory):
    """For Mem0's callers; other types are refused."""
    text = "Hello. First open the lid. Then press start."
    assert only(memory.add(text, user_id="u1", memory_type="procedural_memory"))["memory"] == text
    with pytest.raises(InvalidInputError, match="memory_type"):
        memory.add(text, user_id="u1", memory_type="episodic")


def test_mem0s_prompt_is_taken_and_instructs_nobody(memory):
    """There is no LLM to instruct."""
    assert len(memory.add("I drink tea", user_id="u1", prompt="Only keep food.")["results"]) == 1


@pytest.mark.parametrize("bad", [{"messages": ["a", "b"]}, {"messages": "a", "facts": ["b"]}])
def test_supersedes_goes_with_a_single_text(memory, bad):
    """Which of several would replace?"""
    with pytest.raises(InvalidInputError, match="supersedes"):
        memory.add(**bad, user_id="u1", supersedes="x")


@pytest.mark.parametrize("ids", [{}, {"user_id": " "}, {"user_id": "*"}, {"user_id": ["u1"]}])
def test_an_add_without_an_owner_is_a_scope_error(memory, ids):
    """As in Mem0, where it is a validation error."""
    with pytest.raises(ScopeError) as caught:
        memory.add("tea", **ids)
    assert isinstance(caught.value, ValueError)


# --- shapes ---


def test_a_memory_has_mem0s_keys_and_kepts_beside_them(memory):
    """§8.1, column OSS: only the ids that are set; metadata null when empty; times ISO 8601; the hash is the text's MD5."""
    found = memory.get(stored(memory))
    assert MEM0_MEMORY <= set(found) <= MEM0_MEMORY | MEM0_PROMOTED | KEPT_BESIDE | {"score"}
    assert (found["memory"], found["user_id"], found["metadata"]) == ("I live in Rome", "u1", None)
    assert not {"agent_id", "app_id", "run_id", "expiration_date"} & set(found)
    assert found["hash"] == hashlib.md5(b"I live in Rome", usedforsecurity=False).hexdigest()
    assert datetime.fromisoformat(found["created_at"]).utcoffset() == timedelta(0)
    assert datetime.fromisoformat(found["updated_at"]).utcoffset() == timedelta(0)
    assert json.loads(json.dumps(found)) == found


def test_every_field_that_is_set_is_told(memory):
    """And none that says nothing."""
    old = stored(memory)
    fact = {
        "text": "I live in Bonn",
        "role": "user",
        "speaker": "Zoë",
        "entities": [{"name": "Bonn", "kind": "place"}],
        "relations": [{"source": "I", "relationship": "live_in", "target": "Bonn"}],
        "valid_from": "2025-01-01",
        "valid_to": "2030-01-01",
        "supersedes": old,
        "immutable": True,
    }
    ids = {"user_id": "u1", "agent_id": "a", "app_id": "p", "run_id": "r"}
    options = {"metadata": {"a": 1}, "categories": ["home"], "expiration_date": "2030-01-01"}
    found = memory.get(only(memory.add(facts=[fact], **ids, **options))["id"])
    memory.feedback(found["id"], "POSITIVE")
    found = memory.get(found["id"])
    assert {name: found[name] for name in ids} == ids
    assert (found["actor_id"], found["role"], found["feedback"]) == ("Zoë", "user", "POSITIVE")
    assert (found["expiration_date"], found["metadata"], found["categories"]) == ("2030-01-01", {"a": 1}, ["home"])
    assert found["entities"] == [{"name": "Bonn", "kind": "place"}]
    assert found["relations"] == [{"source": "I", "relationship": "live_in", "target": "Bonn"}]
    assert (found["valid_from"], found["supersedes"], found["immutable"]) == ("2025-01-01T00:00:00+00:00", [old], True)
    assert memory.get(old)["superseded_by"] == found["id"]


def test_a_score_is_a_number_in_search_null_in_get_and_absent_in_lists(memory):
    """As in Mem0's open-source Memory."""
    memory_id = stored(memory)
    assert 0 <= only(memory.search("Rome", user_id="u1"))["score"] <= 1
    assert memory.get(memory_id)["score"] is None
    assert "score" not in only(memory.get_all(user_id="u1"))


def test_a_search_explains_itself_when_asked(memory):
    """Each part of the score, by name."""
    stored(memory)
    assert "score_details" not in only(memory.search("Rome", user_id="u1"))
    details = only(memory.search("Rome", user_id="u1", explain=True))["score_details"]
    assert {"bias", "full_text"} <= set(details)
    assert all(isinstance(part, float) for part in details.values())


def test_a_search_gives_twenty_hits_unless_told_otherwise(memory):
    """Mem0's default."""
    memory.add([f"note number {n}" for n in range(30)], user_id="u1", infer=False)
    assert len(memory.search("note", user_id="u1")["results"]) == DEFAULT_TOP_K == 20
    assert len(memory.search("note", user_id="u1", top_k=25)["results"]) == 25
    assert len(memory.get_all(user_id="u1", top_k=7)["results"]) == 7
    assert memory.get_all(user_id="u1", top_k=7)["total"] == 30


def test_a_missing_memory_is_none_and_an_unknown_change_is_not_found(memory):
    """`get` returns None; the rest raise."""
    assert memory.get(UNKNOWN) is None
    for call in (memory.delete, memory.history, memory.restore, memory.erase, memory.invalidate):
        with pytest.raises(NotFoundError):
            call(UNKNOWN)
    with pytest.raises(NotFoundError):
        memory.update(UNKNOWN, "x")


def test_changes_answer_with_mem0s_messages(memory):
    """And with what undoes them."""
    memory_id = stored(memory)
    updated = memory.update(memory_id, "I live in Bonn", {"a": 1}, "2030-01-01")
    assert updated["message"] == "Memory updated successfully!"
    assert updated["results"] == [{"id": memory_id, "memory": "I live in Bonn", "state": "active"}]
    assert memory.get(memory_id)["expiration_date"] == "2030-01-01"
    assert memory.update(memory_id, data="I live in Oslo")["results"][0]["memory"] == "I live in Oslo"
    deleted = memory.delete(memory_id)
    assert deleted["message"] == "Memory deleted successfully!"
    assert memory.undo(deleted["operation_id"])["undone"]["kind"] == "delete"
    assert memory.delete_all("u1")["message"] == "Memories deleted successfully!"
    assert memory.reset() is None


def test_what_is_chosen_leaves_immutable_memories_and_says_so_and_a_reset_takes_them(memory):
    stored(memory, immutable=True)
    assert memory.delete_all("u1")["passed_over"] == 1
    memory.reset()
    assert memory.get_all(user_id="u1")["results"] == []


def test_an_omitted_date_stays_and_none_clears_it(memory):
    """`expiration_date=<unset>` is not None."""
    memory_id = stored(memory, expiration_date="2030-01-01")
    memory.update(memory_id, "I live in Bonn")
    assert memory.get(memory_id)["expiration_date"] == "2030-01-01"
    memory.update(memory_id, expiration_date=None)
    assert "expiration_date" not in memory.get(memory_id)


def test_history_has_mem0s_records(memory):
    """§8.2: old and new text, the event, whether it is deleted, by whom."""
    memory_id = stored(memory)
    memory.update(memory_id, "I live in Bonn")
    memory.delete(memory_id)
    memory.undo(user_id="u1")
    rows = memory.history(memory_id)
    mem0 = {
        "id", "memory_id", "old_memory", "new_memory", "event", "created_at", "updated_at", "is_deleted", "actor_id", "role",
    }  # fmt: skip
    assert all(mem0 <= set(row) for row in rows)
    assert [row["event"] for row in rows] == ["ADD", "UPDATE", "DELETE", "RESTORE"]
    assert [row["old_memory"] for row in rows] == [None, "I live in Rome", "I live in Bonn", "I live in Bonn"]
    assert [row["new_memory"] for row in rows] == ["I live in Rome", "I live in Bonn", None, "I live in Bonn"]
    assert [row["is_deleted"] for row in rows] == [False, False, True, False]
    assert len({row["id"] for row in rows}) == 4
    assert all(datetime.fromisoformat(row[name]) for row in rows for name in ("created_at", "updated_at"))
    assert json.loads(json.dumps(rows)) == rows


def test_what_the_other_calls_give_is_plain_json(memory, tmp_path):
    """Dictionaries, lists, texts and numbers, for any tool."""
    memory_id = stored(memory)
    file = tmp_path / "chat.json"
    file.write_text(json.dumps([{"role": "user", "content": "I planted a pear tree today."}]))
    answers = {
        "users": memory.users(),
        "stats": memory.stats(),
        "context": memory.context("Rome", user_id="u1"),
        "import": memory.import_file(file, user_id="u1"),
        "invalidate": memory.invalidate(memory_id),
        "restore": memory.restore(memory_id),
        "retain": memory.retain(30, user_id="u1"),
        "feedback": memory.feedback(memory_id, "NEGATIVE"),
        "export": list(memory.export(user_id="u1")),
        "erase": memory.erase(memory_id),
        "verify": memory.verify(),
        "rebuild": memory.rebuild(),
    }
    assert json.loads(json.dumps(answers)) == answers
    assert answers["users"]["results"][0] | {"created_at": 0, "updated_at": 0} == {
        "type": "user", "name": "u1", "total_memories": 1, "created_at": 0, "updated_at": 0,
    }  # fmt: skip
    assert answers["import"]["added"] == 1
    assert answers["erase"]["erased"] == [memory_id]
    assert answers["verify"] == []
    assert set(answers["context"]) == {"text", "ids", "tokens", "budget_tokens", "omitted", "collapsed"}
    assert answers["context"]["ids"] == [memory_id]


# --- erase ---


@pytest.mark.parametrize("ids", [[], (), "x"])
def test_an_erase_by_ids_never_erases_a_scope(memory, ids):
    """An empty list of ids is not "everything"."""
    stored(memory)
    with pytest.raises(InvalidInputError, match="not by both"):
        memory.erase(ids, user_id="u1")
    with pytest.raises(InvalidInputError, match="not by both"):
        memory.erase(ids, filters={"user_id": "u1"})
    assert memory.get_all(user_id="u1")["total"] == 1


def test_an_empty_list_of_ids_erases_nothing(memory):
    """Nor does no argument at all."""
    stored(memory)
    assert memory.erase([])["erased"] == []
    with pytest.raises(ScopeError):
        memory.erase()
    assert memory.get_all(user_id="u1")["total"] == 1


# --- opening and closing ---


@pytest.mark.parametrize("form", ["path", "text", "url"])
def test_a_store_is_named_by_path_or_url(store_path, form):
    """All of them one file."""
    location = {"path": store_path, "text": str(store_path), "url": f"sqlite:///{store_path.as_posix()}"}[form]
    with Memory(location) as memory:
        stored(memory)
    with Memory(store_path) as memory:
        assert memory.get_all(user_id="u1")["total"] == 1


def test_a_store_in_memory_leaves_nothing(tmp_path, monkeypatch):
    """And needs no file."""
    monkeypatch.chdir(tmp_path)
    with Memory("memory://") as memory:
        stored(memory)
        assert memory.search("Rome", user_id="u1")["results"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("location", ["postgres://x/y", "", "  ", "sqlite:///"])
def test_a_store_that_cannot_be_named_is_refused(location):
    """By what was given."""
    with pytest.raises(ConfigurationError):
        Memory(location)


@pytest.mark.parametrize("wrong", [{"vector_store": {}}, 5, ["x"]])
def test_a_configuration_is_not_a_location(wrong):
    """Mem0's goes through `from_config`."""
    with pytest.raises(InvalidInputError, match="from_config"):
        Memory(wrong)


def test_leaving_the_block_closes_the_store(store_path):
    """Closing again is harmless; using it is an error, not a traceback of SQLite."""
    with Memory(store_path) as memory:
        stored(memory)
    memory.close()
    with pytest.raises(StoreError):
        memory.search("Rome", user_id="u1")


def test_two_memories_on_one_file_see_each_others_writes(store_path):
    """With the next call."""
    with Memory(store_path) as writer, Memory(store_path) as reader:
        memory_id = stored(writer)
        assert only(reader.search("Rome", user_id="u1"))["id"] == memory_id
        writer.update(memory_id, "I live in Bonn")
        assert only(reader.search("Bonn", user_id="u1"))["memory"] == "I live in Bonn"
        writer.erase(memory_id)
        assert reader.search("Bonn", user_id="u1")["results"] == []


def test_projects_of_one_file_do_not_meet(store_path):
    """Not even by id."""
    with Memory(store_path, project="one") as one, Memory(store_path, project="two") as two:
        memory_id = stored(one)
        assert two.get(memory_id) is None
        assert two.search("Rome", user_id="*")["results"] == two.get_all(user_id="*")["results"] == []
        assert two.users() == {"results": []}
        two.reset()
        assert one.get_all(user_id="u1")["total"] == 1


def test_who_acts_is_in_the_history(store_path):
    """And through what."""
    with Memory(store_path, actor="zoë", connector="notebook") as memory:
        (row,) = memory.history(stored(memory))
    assert (row["actor_id"], row["connector"]) == ("zoë", "notebook")


def test_a_context_has_the_size_that_the_settings_say(store_path, monkeypatch):
    """Unless the call says another."""
    monkeypatch.setenv("KEPT_BUDGET_TOKENS", "60")
    with Memory(store_path) as memory:
        memory.add([f"Note {n} speaks of tea number {n}." for n in range(30)], user_id="u1", infer=False)
        assert memory.context("tea", user_id="u1")["budget_tokens"] == 60
        assert memory.context("tea", user_id="u1")["tokens"] <= 60
        assert memory.context("tea", user_id="u1", budget_tokens=200)["tokens"] > 60


def test_an_export_of_one_store_fills_another(store_path, tmp_path):
    """Through a file, with every owner."""
    file = tmp_path / "export.jsonl"
    with Memory(store_path) as source, Memory(tmp_path / "other.db") as target:
        stored(source)
        stored(source, "I live in Bonn", user_id="u2", metadata={"a": [1]})
        file.write_text("\n".join(source.export(user_id="*")), encoding="utf-8")
        assert target.import_file(file)["added"] == 2
        assert target.import_file(file)["added"] == 0
        for user in ("u1", "u2"):
            theirs, ours = (only(each.get_all(user_id=user)) for each in (target, source))
            assert theirs | {"recorded_at": 0} == ours | {"recorded_at": 0}
        assert target.verify() == []


def test_threads_share_one_memory(memory):
    """Eight that add and search: each finds what it stored, and nothing is lost."""
    failures = []

    def work(number):
        try:
            for step in range(6):
                text = f"thread {number} keeps item {step} of zeppelin{number}x{step}"
                memory_id = only(memory.add(text, user_id=f"u{number % 3}", infer=False, related=0))["id"]
                best = memory.search(f"zeppelin{number}x{step}", user_id=f"u{number % 3}", top_k=1)
                assert only(best)["id"] == memory_id
        except (AssertionError, KeptError, ValueError) as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert memory.get_all(user_id="*")["total"] == 48
    assert memory.verify() == []


def test_expiry_counts_in_days_of_utc(memory):
    """Today's last day is still found, yesterday's is not."""
    today = datetime.fromisoformat(memory.get(stored(memory, "now"))["created_at"]).date()
    for days, visible in ((0, True), (1, True), (-1, False)):
        memory_id = stored(memory, f"until {days}", expiration_date=today + timedelta(days=days))
        found = {item["id"] for item in memory.search("until", user_id="u1")["results"]}
        assert (memory_id in found) == visible
        assert memory.get(memory_id)["expiration_date"] == date.isoformat(today + timedelta(days=days))
