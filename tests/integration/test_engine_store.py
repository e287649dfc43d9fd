"""The engine on a real store with the real embedder: size, scripts, secrets, erasure to the last byte."""

from __future__ import annotations

import itertools
import json
import sqlite3
import threading

import pytest

from kept import Memory
from kept.adapters import embedders
from kept.errors import ConfigurationError

CANARY = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
SPOKEN = "quetzalcoatl"
"""A word that is in no other text, so that any byte of it left is found."""


@pytest.fixture(scope="module", autouse=True)
def _one_embedder():
    """The weights are read once for the whole module."""
    opened = embedders.open_embedder("wordllama")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedders, "open_embedder", lambda _: opened)
        yield


@pytest.fixture
def memory(store_path):
    with Memory(store_path) as opened:
        yield opened


def bytes_of(store_path):
    """Every byte of every file that the store owns."""
    return b"".join(path.read_bytes() for path in store_path.parent.glob(store_path.name + "*"))


def spellings(word):
    """How a text may lie in a file: plain, in capitals, as UTF-16."""
    forms = (word, word.lower(), word.upper(), word.capitalize())
    return {form.encode(encoding) for form in forms for encoding in ("utf-8", "utf-16-le")}


def assert_absent(word, store_path):
    content = bytes_of(store_path)
    assert not [form for form in spellings(word) if form in content]


# --- size ---


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_ten_thousand_messages_are_one_call(memory):
    """All stored, found and proved."""
    messages = [
        {"role": "user", "content": f"Item {n} is kept in drawer {n % 97} of room {n % 13}."} for n in range(10_000)
    ]
    result = memory.add(messages, user_id="u1", infer=False)
    assert len(result["results"]) == 10_000
    assert memory.get_all(user_id="u1", top_k=1)["total"] == 10_000
    assert memory.search("item 7777 drawer", user_id="u1", top_k=1)["results"][0]["memory"].startswith("Item 7777 ")
    assert memory.stats()["operations"] == 1
    memory.undo(user_id="u1")
    assert memory.get_all(user_id="u1")["total"] == 0


def test_a_message_of_200_kilobytes_is_kept_and_found(memory):
    """By a word at its very end."""
    text = "filler words and more of them. " * 6_500 + f"The {SPOKEN} landed."
    assert len(text) > 200_000
    (item,) = memory.add(text, user_id="u1", infer=False)["results"]
    memory.add("Something else", user_id="u1", infer=False)
    found = memory.search(f"{SPOKEN} landed", user_id="u1", top_k=1)["results"][0]
    assert (found["id"], found["memory"]) == (item["id"], text)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("a\x00b tea", "tea"),
        ("tea \ud800 time", "tea"),
        ("\u202eשלום עולם", "שלום"),
        ("私は東京でお茶を飲みます", "東京"),
        ("🍏🍏 for lunch", "lunch"),
        ('it\'s "quoted" % _ \\ ; DROP TABLE memory; --', "quoted"),
        ("line\u2028break\r\nand\ttab", "break"),
    ],
)
def test_any_script_survives_file_and_process(store_path, text, query):
    """Written, closed, opened, found."""
    with Memory(store_path) as memory:
        (item,) = memory.add(text, user_id="ユーザー", infer=False, metadata={text: [text]}, categories=[text])[
            "results"
        ]
    with Memory(store_path) as memory:
        found = memory.search(query, user_id="ユーザー")["results"][0]
        clean = text.replace("\x00", "").replace("\ud800", "\ufffd")
        assert (found["id"], found["memory"], found["metadata"]) == (item["id"], clean, {clean: [clean]})
        assert memory.get_all(filters={"user_id": "ユーザー", "text": {"contains": clean}})["total"] == 1
        assert memory.verify() == []


@pytest.mark.parametrize("metadata", [{"a": {1}}, {"a": float("nan")}, {"a": 10**5_000}, {1: 2}, {"a": "x" * 70_000}])
def test_metadata_that_is_not_json_stores_nothing(memory, metadata):
    """The error comes before the write."""
    with pytest.raises(ValueError, match="metadata"):
        memory.add("tea", user_id="u1", metadata=metadata)
    assert memory.stats()["operations"] == 0


# --- secrets ---


def test_a_secret_is_in_no_byte_of_the_store(store_path):
    """Wherever it was handed over: content, names, ids, facts, labels, metadata, keys, queries, updates."""
    with Memory(store_path) as memory:
        chat = [
            {"role": "user", "content": f"my token is {CANARY}, keep it", "name": CANARY, "id": CANARY},
            {"role": "system", "content": f"use {CANARY}"},
            {"role": "tool", "content": [{"type": "text", "text": CANARY}]},
        ]
        fact = {
            "text": f"Token {CANARY} opens it",
            "speaker": CANARY,
            "entities": [CANARY, {"name": CANARY, "kind": CANARY}],
            "relations": [{"source": CANARY, "relationship": CANARY, "target": CANARY}],
            "metadata": {CANARY: {"x": [CANARY]}},
            "categories": [CANARY],
        }
        options = {"user_id": "u1", "metadata": {"key": CANARY}, "categories": [CANARY], "idempotency_key": CANARY}
        stored = memory.add(chat, facts=[fact], **options)["results"]
        memory.add(chat, user_id="u1", infer=False)
        memory.update(stored[0]["id"], f"still {CANARY}", {CANARY: CANARY}, categories=[CANARY])
        memory.search(f"what is {CANARY}?", user_id="u1")
        assert memory.verify() == []
        assert_absent(CANARY, store_path)
        assert CANARY not in json.dumps([*memory.export(user_id="u1"), memory.search("token", user_id="u1")])
    assert_absent(CANARY, store_path)


# --- erasure ---


def tell(memory):
    """Say the word in every way that leaves traces, and change, replace and delete what was said."""
    metadata, told = {SPOKEN: SPOKEN}, []
    for infer, text in ((True, "sleeps in the `{}` shed."), (False, "eats. The {} drinks.")):
        message = {"role": "user", "content": f"The {SPOKEN} {text.format(SPOKEN)}", "name": SPOKEN.capitalize()}
        told += [row["id"] for row in memory.add(message, user_id="u1", infer=infer)["results"]]
    told += [row["id"] for row in memory.add(facts=[
        {"text": f"A {SPOKEN} flies", "entities": [SPOKEN], "supersedes": told[:1], "categories": [SPOKEN],
         "relations": [{"source": SPOKEN, "relationship": "is", "target": "free"}], "metadata": metadata},
    ], user_id="u1")["results"]]  # fmt: skip
    memory.update(told[1], f"{SPOKEN} again", metadata)
    memory.update(told[1], "nothing of it")
    memory.delete(told[1])
    memory.undo(user_id="u1")
    return told


@pytest.mark.parametrize("way", ["ids", "scope"])
def test_what_was_erased_is_in_no_byte_and_no_answer(store_path, way):
    """Log, state, index, sources, history, exports, write-ahead log, free pages; and another process's memory."""
    with Memory(store_path) as memory, Memory(store_path) as other:
        told = tell(memory)
        memory.add("Tea is served at noon", user_id="u1", run_id="r", infer=False)
        assert any(SPOKEN in row["memory"] for row in other.search(SPOKEN, user_id="u1")["results"])
        done = memory.erase(told) if way == "ids" else memory.erase(user_id="u1", filters={"NOT": [{"run_id": "r"}]})
        assert sorted(done["erased"]) == sorted(told)
        assert done["scrubbed"]
        for each in (memory, other):
            answers = [
                each.search(SPOKEN, user_id="u1"),
                each.context(SPOKEN, user_id="u1"),
                each.get_all(user_id="u1", show_expired=True),
                list(each.export(user_id="u1")),
                *(each.history(memory_id) for memory_id in told),
                [each.get(memory_id) for memory_id in told],
            ]
            assert SPOKEN not in json.dumps(answers).lower()
            assert [row["memory"] for row in each.get_all(user_id="u1")["results"]] == ["Tea is served at noon"]
        assert_absent(SPOKEN, store_path)
        assert memory.verify() == []
    assert_absent(SPOKEN, store_path)


def test_erasing_a_user_leaves_no_source_either(store_path):
    """Also messages that became no memory; nobody else's."""
    with Memory(store_path) as memory:
        memory.add([{"role": "system", "content": f"Mind the {SPOKEN}"}, "Tea is served"], user_id="u1")
        memory.add("Tea is served", user_id="u2", infer=False)
        memory.erase(user_id="u1")
        assert_absent(SPOKEN, store_path)
        assert memory.get_all(user_id="u2")["total"] == 1
        assert memory.verify() == []


def test_an_old_export_does_not_bring_an_erased_memory_back(store_path, tmp_path):
    """Nor a byte of it."""
    file = tmp_path / "old.jsonl"
    with Memory(store_path) as memory:
        (item,) = memory.add(f"The {SPOKEN} sleeps", user_id="u1", infer=False)["results"]
        file.write_text("\n".join(memory.export(user_id="u1")), encoding="utf-8")
        memory.erase(item["id"])
        report = memory.import_file(file, user_id="u1")
        assert (report["added"], report["skipped"]) == (0, 1)
        assert memory.search(SPOKEN, user_id="u1")["results"] == []
        assert_absent(SPOKEN, store_path)


# --- idempotency and imports under contention ---


def race(count, call):
    barrier, answers = threading.Barrier(count), []

    def run(number):
        barrier.wait()
        answers.append(call(number))

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_one_key_stores_once_however_many_ask(memory):
    """Threads that race get the same answer."""
    answers = race(6, lambda n: memory.add(f"note {n}", user_id="u1", infer=False, idempotency_key="k", related=0))
    assert len(answers) == 6
    assert {json.dumps(answer) for answer in answers} == {json.dumps(answers[0])}
    assert memory.get_all(user_id="u1")["total"] == 1


def test_one_file_is_imported_once_however_many_import_it(store_path, tmp_path):
    """Every message is somebody's, once; through Memories of their own."""
    file = tmp_path / "chat.json"
    file.write_text(json.dumps([{"role": "user", "content": f"I planted tree number {n}."} for n in range(40)]))
    Memory(store_path).close()

    def bring(_):
        with Memory(store_path) as memory:
            return memory.import_file(file, user_id="u1")

    reports = race(4, bring)
    assert sum(report["added"] for report in reports) == 40
    assert sum(report["skipped"] for report in reports) == 120
    with Memory(store_path) as memory:
        assert memory.stats()["messages"] == 40
        assert memory.verify() == []


def test_verify_finds_nothing_while_others_write(store_path):
    """A write between two of its reads is no damage."""
    with Memory(store_path) as memory, Memory(store_path) as other:
        ids = [row["id"] for row in memory.add([f"note {n}" for n in range(30)], user_id="u1", infer=False)["results"]]
        stop = threading.Event()

        def disturb():
            for number in itertools.count():
                if stop.is_set():
                    return
                other.update(ids[number % 30], f"changed {number}")
                other.add(f"added {number}", user_id="u1", infer=False, related=0)

        thread = threading.Thread(target=disturb)
        thread.start()
        try:
            findings = [finding for _ in range(5) for finding in memory.verify()]
        finally:
            stop.set()
            thread.join()
        assert findings == []


# --- damage ---

DAMAGE = {
    "text changed": ("UPDATE memory SET text = 'forged' WHERE key = 1", {"fold", "hash", "index"}),
    "state changed": ("UPDATE memory SET state = 'deleted' WHERE key = 1", {"fold"}),
    "metadata changed": ("UPDATE memory SET metadata = '{\"a\":9}' WHERE key = 1", {"fold"}),
    "owner changed": ("UPDATE memory SET user_id = 'mallory' WHERE key = 1", {"fold", "index"}),
    "revision changed": ("UPDATE revision SET changes = replace(changes, 'Rome', 'Bonn') WHERE seq = 1", None),
    "entry dropped": ("DELETE FROM index_entry WHERE key = 1", {"index"}),
    "entry of another text": (
        "UPDATE index_entry SET terms = (SELECT terms FROM index_entry WHERE key = 2) WHERE key = 1",
        {"index"},
    ),
    "memory dropped": ("DELETE FROM memory WHERE key = 1", None),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_planted_damage_is_found(store_path, name):
    """Each kind by the check that is for it."""
    damage, checks = DAMAGE[name]
    with Memory(store_path) as memory:
        memory.add(["I live in Rome", "I drink tea"], user_id="u1", infer=False, metadata={"a": 1})
        assert memory.verify() == []
    plant(store_path, damage)
    with Memory(store_path) as memory:
        findings = memory.verify()
        assert findings
        assert all(finding["where"] and finding["detail"] for finding in findings)
        if checks is not None:
            assert {finding["check"] for finding in findings} == checks


@pytest.mark.parametrize("name", sorted(set(DAMAGE) - {"revision changed"}))
def test_a_rebuild_repairs_what_the_log_can_tell(store_path, name):
    """Everything but the log itself."""
    with Memory(store_path) as memory:
        memory.add(["I live in Rome", "I drink tea"], user_id="u1", infer=False, metadata={"a": 1})
        before = memory.search("Rome", user_id="u1", explain=True), memory.get_all(user_id="u1")
    plant(store_path, DAMAGE[name][0])
    with Memory(store_path) as memory:
        memory.rebuild()
        assert memory.verify() == []
        assert (memory.search("Rome", user_id="u1", explain=True), memory.get_all(user_id="u1")) == before


def plant(store_path, statement):
    with sqlite3.connect(store_path) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        assert connection.execute(statement).rowcount == 1
    connection.close()


# --- rebuild ---


def rows(store_path):
    """Every row that a rebuild makes."""
    with sqlite3.connect(store_path) as connection:
        found = {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY key").fetchall()  # noqa: S608 - names from here
            for table in ("memory", "index_entry")
        }
    connection.close()
    return found


def test_a_rebuild_changes_no_row_of_a_sound_store(store_path):
    """Rebuild = incremental, after a life of every kind of change."""
    with Memory(store_path) as memory:
        told = tell(memory)
        memory.invalidate(told[1])
        memory.feedback(told[1], "POSITIVE")
        memory.restore(told[1])
        memory.retain(0, user_id="u1")
        memory.undo(user_id="u1")
        memory.erase(told[0])
        memory.add("Tea is served", user_id="u2", infer=False)
        before = rows(store_path)
        assert memory.rebuild() == sum(memory.stats()["memories"].values())
        assert rows(store_path) == before
        assert memory.verify() == []


def test_a_change_of_embedder_is_a_rebuild(store_path, monkeypatch):
    """Until then a search that would miss its rows says so, and so does verify."""
    from kept.testing.fakes import FakeEmbedder

    with Memory(store_path) as memory:
        memory.add("I live in Rome", user_id="u1", infer=False)
    monkeypatch.setattr(embedders, "open_embedder", lambda _: FakeEmbedder(32))
    with Memory(store_path) as memory, Memory(store_path) as running:
        assert [finding["check"] for finding in memory.verify()] == ["index"]
        with pytest.raises(ConfigurationError, match="kept rebuild"):
            running.search("Rome", user_id="u1")
        memory.rebuild()
        assert memory.verify() == []
        for each in (memory, running):
            assert [row["memory"] for row in each.search("Rome", user_id="u1")["results"]] == ["I live in Rome"]
