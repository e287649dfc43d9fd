"""Files that are no store, are damaged, cannot be written or cannot grow: the right error, and not a byte changed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from kept import Memory
from kept.adapters import embedders
from kept.adapters.sqlite.connections import connect, migrate
from kept.adapters.sqlite.control import open_control
from kept.adapters.sqlite.log import SqliteLog
from kept.domain.memory import Message
from kept.domain.scope import Scope
from kept.errors import (
    SchemaVersionError,
    StoreCorruptError,
    StoreError,
    StoreFullError,
    StoreReadOnlyError,
)
from kept.ports import AuditEntry, AuditListing, Entry, JobListing, Listing
from kept.testing.fakes import IDENTITY, START, FakeEmbedder, Scribe, job
from kept.testing.log_conformance import ALL_STATES, observe

NOBODY = 65534
"""The user without rights, on Linux and most of Unix."""
FLIPS = 120
"""Damaged copies of one store; coprime to its length, so that all sorts of pages are hit."""


@pytest.fixture
def filled(store_path):
    """A closed store with something of everything."""
    with closing(SqliteLog(store_path)) as log:
        scribe = Scribe(log)
        for number in range(25):
            words = f"Memory {number} has words. " * (number + 1)
            memory = scribe.add(words, source=Message(role="user", content=words), metadata={"n": number})
            if number % 5 == 0:
                scribe.update(memory, "Changed.")
            if number % 7 == 0:
                scribe.erase(memory)
        assert log.scrub()  # else the next to open the store would write to it
        for number in range(25, 90):
            scribe.add(f"Memory {number} has words. " * number, metadata={"n": number})
        registry, jobs, audit = open_control(log.pool, store_path)
        for number in range(20):
            registry.add(Entry(kind="key", id=f"{number}", data={"n": number}, created_at=START, updated_at=START))
            jobs.put(job(number, payload={"messages": "Memory of a job. " * number}, memory_ids=["m"]))
            audit.append([AuditEntry(at=START, project="default", actor="a", key_id=None, connector="c", action="b.c")])
    return store_path


def service_of(log, path):
    """What registry, jobs and audit show."""
    registry, jobs, audit = open_control(log.pool, path)
    return (
        registry.entries("key"),
        jobs.page(JobListing(project="default"), limit=100),
        list(audit.scan(AuditListing(project="default"))),
    )


def files_of(path):
    """Every file in the store's folder, with a digest of its bytes."""
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in path.parent.iterdir() if file.is_file()
    }


def refusal(path, kind):
    """The message with which opening fails; the folder is left as it was."""
    before = files_of(path)
    with pytest.raises(kind, match=path.name) as caught:
        SqliteLog(path, busy_timeout_s=0.1)
    assert files_of(path) == before
    return str(caught.value)


def read_everything(path):
    """What opening, reading and verifying shows."""
    with closing(SqliteLog(path, busy_timeout_s=0.1)) as log:
        seen = repr((observe(log), service_of(log, path)))
        return seen, list(log.verify())


# --- no store of ours ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"x", b"Dear diary, today I started a database.", bytes(range(256)) * 64, b"SQLite format 3\x00", b"\x00" * 8192],
    ids=["one byte", "text", "binary", "header only", "zeros"],
)
def test_what_is_no_database_is_refused(store_path, content):
    store_path.write_bytes(content)
    refusal(store_path, StoreCorruptError)


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_another_programs_database_is_refused(store_path, journal):
    with closing(sqlite3.connect(store_path)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute("CREATE TABLE bookmark (url TEXT)")
        connection.execute("INSERT INTO bookmark VALUES ('https://example.org')")
        connection.commit()
    assert "another program" in refusal(store_path, StoreCorruptError)


def test_another_programs_database_in_use_is_refused(store_path):
    with closing(sqlite3.connect(store_path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE bookmark (url TEXT)")
        connection.commit()
        content = store_path.read_bytes()
        with pytest.raises(StoreCorruptError, match="another program"):
            SqliteLog(store_path)
        assert store_path.read_bytes() == content
        assert connection.execute("SELECT count(*) FROM bookmark").fetchone() == (0,)


def test_a_newer_schema_is_refused(filled):
    with closing(sqlite3.connect(filled)) as connection:
        connection.execute("PRAGMA user_version = 99")
    message = refusal(filled, SchemaVersionError)
    assert "99" in message
    assert "Upgrade" in message


def test_a_folder_is_refused(tmp_path):
    (tmp_path / "kept.db").mkdir()
    refusal(tmp_path / "kept.db", StoreReadOnlyError)


def test_a_path_through_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreReadOnlyError, match="file"):
        SqliteLog(tmp_path / "file" / "kept.db")


def test_an_empty_file_becomes_a_store(store_path):
    store_path.touch()
    with closing(SqliteLog(store_path)) as log:
        assert Scribe(log).add().seq == 1


def test_a_missing_folder_is_made(tmp_path):
    with closing(SqliteLog(tmp_path / "new" / "folder" / "kept.db")) as log:
        assert log.head() == 0


@pytest.mark.parametrize("name", ["100%?.db", "a b#c.db", "ü🍏.db", "it's.db"])
def test_any_file_name_will_do(tmp_path, name):
    with closing(SqliteLog(tmp_path / name)) as log:
        memory = Scribe(log).add()
    with closing(SqliteLog(tmp_path / name)) as log:
        assert log.find("default", memory.id) == memory
    assert [file.name for file in tmp_path.iterdir()] == [name]


# --- damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept_share", [0.9, 0.5, 0.1])
def test_a_truncated_store_is_refused(filled, kept_share):
    os.truncate(filled, int(filled.stat().st_size * kept_share))
    assert "truncated" in refusal(filled, StoreCorruptError)


@pytest.mark.parametrize("length", [1, 16, 100, 4000])
def test_a_store_of_less_than_a_page_is_refused(filled, length):
    os.truncate(filled, length)
    refusal(filled, StoreCorruptError)


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_flipped_bits_give_findings_or_errors_never_accidents(filled):
    """One flipped byte, in many places: what is read is right, or Kept says what is wrong; the file stays as it is."""
    sound = filled.read_bytes()
    intact, findings = read_everything(filled)
    assert findings == []
    noticed = silent = 0
    for number in range(FLIPS):
        place = (number * len(sound) // FLIPS + number * 4099) % len(sound)
        damaged = bytearray(sound)
        damaged[place] ^= 1 << number % 8
        filled.write_bytes(damaged)
        try:
            seen, findings = read_everything(filled)
        except StoreError:
            noticed += 1
        else:
            noticed += bool(findings)
            silent += seen == intact and not findings
        assert filled.read_bytes() == damaged
    assert noticed > FLIPS // 4
    assert noticed + silent > FLIPS // 2


@pytest.mark.parametrize(
    "forge",
    [
        "UPDATE revision SET changes = json_set(changes, '$.text', 'Forged.') WHERE seq IN (3, 9)",
        "UPDATE revision SET changes = '{\"text\": ' WHERE seq IN (3, 9)",
        "UPDATE revision SET changes = '[]' WHERE seq IN (3, 9)",
        "UPDATE revision SET changes = '' WHERE seq IN (3, 9)",
        "UPDATE revision SET changes = CAST(x'7bff7d' AS TEXT) WHERE seq IN (3, 9)",
        "UPDATE revision SET recorded_at = 9223372036854775807 WHERE seq IN (3, 9)",
        "UPDATE revision SET memory_id = 'another' WHERE seq IN (3, 9)",
        "UPDATE revision SET checksum = 'b2:0' WHERE seq IN (3, 9)",
    ],
)
def test_a_changed_revision_is_found(filled, forge):
    """Whatever has become of it, verify names the revision and goes on."""
    with closing(sqlite3.connect(filled)) as connection:
        connection.execute(forge)
        connection.commit()
    with closing(SqliteLog(filled)) as log:
        findings = [finding.where for finding in log.verify() if finding.check == "checksum"]
        assert findings == ["revision 3", "revision 9"]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE memory SET metadata = '{\"a\": '",
        "UPDATE memory SET metadata = '[1]'",
        "UPDATE memory SET entities = '[{\"name\": 1}]'",
        "UPDATE memory SET expires_on = 'yesterday'",
        "UPDATE memory SET created_at = 9223372036854775807",
        "UPDATE memory SET text = CAST(x'4d656dff' AS TEXT)",
        "UPDATE revision SET changes = '{\"a\": '",
        "UPDATE revision SET changes = '[]'",
        "UPDATE revision SET recorded_at = 9223372036854775807",
        "UPDATE operation SET recorded_at = 9223372036854775807",
        "UPDATE message SET at = 9223372036854775807",
        "UPDATE message SET content = CAST(x'4d656dff' AS TEXT)",
    ],
)
def test_an_unreadable_row_is_a_corrupt_store(filled, damage):
    """An error that names the file, and nothing of what the row says."""
    with closing(sqlite3.connect(filled)) as connection:
        connection.execute(damage)
        connection.commit()
    with closing(SqliteLog(filled)) as log, pytest.raises(StoreCorruptError, match=r"kept\.db") as caught:
        observe(log)
    assert not any(word in str(caught.value) for word in ("Mem\ufffd", "yesterday", "922337"))
    assert "Mem" not in str(caught.value.__cause__)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE registry SET data = '{\"Mem\": '",
        "UPDATE registry SET created_at = 9223372036854775807",
        "UPDATE job SET payload = 'Mem'",
        "UPDATE job SET results = '3'",
        "UPDATE job SET run_after = 9223372036854775807",
        "UPDATE job SET payload = CAST(x'4d656dff' AS TEXT)",
        "UPDATE audit SET at = 9223372036854775807",
    ],
)
def test_an_unreadable_row_of_the_service_is_a_corrupt_store(filled, damage):
    """An error that names the file, and nothing of what the row says; also to a worker."""
    with closing(sqlite3.connect(filled)) as connection:
        connection.execute(damage)
        connection.commit()
    with closing(SqliteLog(filled)) as log:
        with pytest.raises(StoreCorruptError, match=r"kept\.db") as caught:
            service_of(log, filled)
        assert not any(word in str(caught.value) for word in ("Mem", "922337"))
        if "payload" in damage or "results" in damage:
            later = START + timedelta(hours=1)
            with pytest.raises(StoreCorruptError, match=r"kept\.db"):
                open_control(log.pool, filled)[1].claim(["ADD"], "worker", now=later, until=later, limit=1)


def test_an_unreadable_row_of_a_partition_is_a_corrupt_store(filled):
    with closing(sqlite3.connect(filled)) as connection:
        connection.execute("UPDATE memory SET expires_on = 'yesterday'")
        connection.commit()
    with closing(SqliteLog(filled)) as log:
        (partition,) = log.partitions("default")
        with pytest.raises(StoreCorruptError, match=r"kept\.db"):
            list(log.partition_rows(partition.id, 0, IDENTITY))
        with pytest.raises(StoreCorruptError, match=r"kept\.db"):
            log.page(Listing(scope=Scope(), states=ALL_STATES), limit=10)


def test_what_verify_finds_in_the_current_state(filled):
    """A lost memory, a forged position, an index entry of nothing."""
    with closing(sqlite3.connect(filled)) as connection:
        lost, forged = (row[0] for row in connection.execute("SELECT id FROM memory WHERE state = 'active' LIMIT 2"))
        connection.execute("DELETE FROM memory WHERE id = ?", [lost])
        connection.execute("UPDATE memory SET seq = 999 WHERE id = ?", [forged])
        connection.commit()
    with closing(SqliteLog(filled)) as log:
        found = {(finding.check, finding.where.split()[-1]) for finding in log.verify()}
    assert {("log", lost), ("log", forged)} <= found
    assert "index" in {check for check, _ in found}


def test_a_failure_that_is_kept_holds_no_read_open(filled):
    """Whoever keeps the error keeps its frames; the state that they read must still be free to be written over."""
    with closing(sqlite3.connect(filled)) as connection:
        connection.execute("UPDATE memory SET expires_on = 'yesterday'")
        connection.execute("UPDATE revision SET changes = '[]'")
        connection.commit()
    with closing(SqliteLog(filled)) as log:
        (partition,) = log.partitions("default")
        everything = Listing(scope=Scope(), states=ALL_STATES)
        failures = []
        for read in (
            lambda: log.partition_rows(partition.id, 0, IDENTITY),
            lambda: log.scan(everything),
            lambda: log.revisions("default"),
        ):
            with pytest.raises(StoreCorruptError) as caught:
                list(read())
            failures.append(caught)
            Scribe(log, series=len(failures)).add()
            assert log.scrub() is True


# --- what a rebuild repairs ------------------------------------------------------------------------------------------

FORGED_NUMBER = 7
FORGED_DAY = "2001-02-03"
UNTOUCHED = {"key", "id"}
"""What a memory is known by; without them it is another."""


@pytest.fixture
def embedded(monkeypatch):
    """Opening a store takes no weights."""
    monkeypatch.setattr(embedders, "open_embedder", lambda _: FakeEmbedder())


def columns_of_memory():
    """Name and forged value of each column, as the migrations make them."""
    with closing(connect(Path(":memory:"), busy_timeout_s=1, writable=True)) as connection:
        migrate(connection)
        columns = connection.execute("SELECT name, type FROM pragma_table_info('memory')").fetchall()
    forged = {"INTEGER": FORGED_NUMBER, "REAL": float(FORGED_NUMBER), "TEXT": "[]"} | {
        "expires_on": FORGED_DAY,
        "metadata": "{}",
    }
    return [(name, forged.get(name, forged[kind])) for name, kind in columns if name not in UNTOUCHED]


def memories_of(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT * FROM memory ORDER BY key").fetchall()


@pytest.mark.parametrize(("column", "forged"), columns_of_memory())
@pytest.mark.usefixtures("embedded")
def test_a_rebuild_repairs_every_column(store_path, column, forged):
    with Memory(store_path) as memory:
        memory.add(["I live in Rome", "I drink tea"], user_id="u1", infer=False, metadata={"a": 1})
    before = memories_of(store_path)
    with closing(sqlite3.connect(store_path)) as connection:
        connection.execute(f"UPDATE memory SET {column} = ? WHERE key = 1", [forged])  # noqa: S608 - a column
        connection.commit()
    assert memories_of(store_path) != before
    with Memory(store_path) as memory:
        memory.rebuild()
        assert memory.verify() == []
    assert memories_of(store_path) == before


@pytest.mark.usefixtures("embedded")
def test_a_rebuild_brings_back_every_memory(store_path):
    """Projects are found by their log, also when nothing else of them is left."""
    with Memory(store_path) as memory:
        memory.add(["I live in Rome", "I drink tea"], user_id="u1", infer=False)
    before = memories_of(store_path)
    with closing(sqlite3.connect(store_path)) as connection:
        connection.execute("DELETE FROM memory")
        connection.commit()
    with Memory(store_path) as memory:
        memory.rebuild()
        assert memory.verify() == []
    assert memories_of(store_path) == before


# --- no rights -------------------------------------------------------------------------------------------------------

VISITOR = """
import json, os, sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from kept.adapters.sqlite.log import SqliteLog
from kept.adapters.sqlite.queries import migrations, queries
from kept.domain.scope import Scope
from kept.errors import KeptError
from kept.testing.fakes import Scribe
from kept.testing.log_conformance import observe
import numpy

queries(), migrations()  # what is still to be read of Kept itself, while it can be read
if os.geteuid() == 0:
    os.setuid(int(sys.argv[2]))
told = {}
try:
    with closing(SqliteLog(Path(sys.argv[1]), busy_timeout_s=0.1)) as log:
        told["head"] = log.head()
        observe(log)
        Scribe(log).add()
        told["written"] = True
except KeptError as error:
    told["error"], told["message"] = type(error).__name__, str(error)
print(json.dumps(told))
"""


@pytest.fixture
def visit(start_python):
    """Gives a function that opens, reads and writes a store as a user who does not own it, and tells how that went."""
    if not hasattr(os, "setuid"):
        pytest.skip("needs users and file modes as Unix has them")

    def visit(path):
        output, _ = start_python(VISITOR, path, NOBODY).communicate()
        return json.loads(output)

    return visit


@pytest.fixture
def shared_folder():
    """A folder that any user can reach; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture
def shared(filled, shared_folder):
    """A filled store, readable by all, in a folder where all may write."""
    target = shared_folder / "store" / "kept.db"
    target.parent.mkdir()
    shutil.copy(filled, target)
    target.parent.chmod(0o777)
    target.chmod(0o444)
    return target


def test_a_read_only_file_is_read_and_not_written(shared, visit):
    content = shared.read_bytes()
    told = visit(shared)
    assert told["head"] > 0
    assert told["error"] == "StoreReadOnlyError"
    assert "kept.db" in told["message"]
    assert shared.read_bytes() == content


def test_a_store_in_a_read_only_folder_is_refused(shared, visit):
    """Reading one needs the shared-memory file beside it."""
    content = shared.read_bytes()
    shared.parent.chmod(0o555)
    told = visit(shared)
    assert told["error"] == "StoreReadOnlyError"
    assert "kept.db" in told["message"]
    assert shared.read_bytes() == content
    assert [file.name for file in shared.parent.iterdir()] == ["kept.db"]


def test_a_new_store_in_a_read_only_folder_is_refused(shared, visit):
    shared.unlink()
    shared.parent.chmod(0o555)
    told = visit(shared)
    assert told["error"] == "StoreReadOnlyError"
    assert "kept.db" in told["message"]


def test_a_new_folder_in_a_read_only_folder_is_refused(shared, visit):
    shared.parent.chmod(0o555)
    told = visit(shared.parent / "new" / "kept.db")
    assert told["error"] == "StoreReadOnlyError"
    assert "new" in told["message"]


def test_an_unreadable_file_is_refused(shared, visit):
    content = shared.read_bytes()
    shared.chmod(0)
    told = visit(shared)
    shared.chmod(0o444)
    assert told["error"] == "StoreReadOnlyError"
    assert "kept.db" in told["message"]
    assert shared.read_bytes() == content


def test_a_store_in_a_closed_folder_is_refused(shared, visit):
    shared.parent.chmod(0)
    told = visit(shared)
    assert told["error"] == "StoreReadOnlyError"
    assert "kept.db" in told["message"]


# --- no room ---------------------------------------------------------------------------------------------------------


def test_a_full_disk_loses_nothing(filled):
    """SQLite's own page limit gives the same error as a full device; with room again, writing goes on."""
    with closing(SqliteLog(filled)) as log:
        scribe = Scribe(log, series=1)
        scribe.add("Still room.")
        before = observe(log)
        with log._pool.writer() as connection:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreFullError, match=r"kept\.db.*nothing was written"):
            scribe.add("No room. " * 10_000)
        assert observe(log) == before
        assert list(log.verify()) == []
        with log._pool.writer() as connection:
            connection.execute(f"PRAGMA max_page_count = {pages + 1000}")
        assert scribe.add("Room again. " * 10_000).seq == before["head"] + 1


CRAMPED = """
import json, resource, sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from kept.adapters.sqlite.log import SqliteLog
from kept.errors import KeptError
from kept.testing.fakes import Scribe
path = Path(sys.argv[1])
limit = path.stat().st_size + 20_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
stored = []
with closing(SqliteLog(path)) as log:
    scribe = Scribe(log, series=1)
    try:
        while True:
            stored.append(scribe.add("Filling up. " * 100).id)
    except KeptError as error:
        told = {"error": type(error).__name__, "message": str(error)}
    told |= {"stored": stored, "found": len(log.find_many("default", stored))}
print(json.dumps(told))
"""


@pytest.mark.skipif(os.name != "posix", reason="needs resource limits")
def test_a_limit_on_file_size_loses_nothing(filled, start_python):
    """A file that may not grow further: what was stored before is there, and the store is sound."""
    output, _ = start_python(CRAMPED, filled).communicate()
    told = json.loads(output)
    assert told["error"] == "StoreFullError"
    assert "kept.db" in told["message"]
    assert 0 < len(told["stored"]) == told["found"]
    with closing(SqliteLog(filled)) as log:
        assert set(log.find_many("default", told["stored"])) == set(told["stored"])
        assert list(log.verify()) == []
