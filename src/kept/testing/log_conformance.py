"""What every log must do: each promise of `kept.ports.Log`, as a test.

An adapter is right when a subclass passes::

    class TestPostgresLog(LogConformance):
        capabilities = frozenset({"persistent", "processes"})

        @pytest.fixture
        def open_log(self, database_url):
            return lambda: PostgresLog(database_url)

Capabilities: `persistent` (a log that is closed and opened again holds the same), `processes` (two logs open at once
share one store), `backup` (`backup` makes a copy that `open_copy` opens). Tests of what is not declared are skipped,
visibly. For more readable failures call `pytest.register_assert_rewrite("kept.testing")` before importing this module.
"""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest

from kept.domain.filters import matches, parse_filter
from kept.domain.history import apply, fold, to_microseconds
from kept.domain.memory import Attachment, EntityRef, Episode, MemoryRecord, Message, Relation, repeat_key
from kept.domain.scope import Scope
from kept.errors import ConflictError, KeptError, NotFoundError, StoreError
from kept.ports import Listing
from kept.testing.fakes import IDENTITY, SCOPE, START, FixedClock, Scribe, entry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from kept.ports import Log, LogReader, Partition, PartitionRow, Transaction

ALL_STATES: Final = ("active", "superseded", "invalidated", "deleted", "erased")
MANY: Final = 2_000
"""More than any adapter asks for in one statement."""
DAY: Final = timedelta(days=1)

OTHER_PROJECT: Final = Scope(project="other", user_id="alice")
BOB: Final = Scope(user_id="bob")
NOBODY: Final = Scope(agent_id="planner")
IN_A_RUN: Final = Scope(user_id="alice", agent_id="planner", app_id="notes", run_id="run-1")
SCOPES: Final = (SCOPE, BOB, NOBODY, IN_A_RUN, OTHER_PROJECT)

READ_SCOPES: Final = (
    *SCOPES,
    Scope(),
    Scope(project="other"),
    Scope(project="unknown"),
    Scope(user_id="*"),
    Scope(agent_id="*"),
    Scope(user_id="alice", run_id="*"),
    Scope(user_id="alice", agent_id="planner"),
    Scope(user_id="bob", run_id="run-1"),
)

FILTERS: Final[tuple[dict[str, Any], ...]] = (
    {"user_id": "alice"},
    {"user_id": "*"},
    {"user_id": None},
    {"user_id": {"ne": "alice"}},
    {"user_id": "bob", "AND": [{"user_id": "alice"}]},
    {"OR": [{"user_id": "bob"}, {"agent_id": "planner"}]},
    {"NOT": [{"agent_id": "planner"}, {"user_id": "bob"}]},
    {"text": {"contains": "Tea"}},
    {"text": {"icontains": "tea"}},
    {"text": {"icontains": "ÄPFEL"}},
    {"categories": {"contains": "food"}},
    {"categories": ["travel", "food"]},
    {"entity": "berlin"},
    {"metadata": {"stars": 3}},
    {"stars": {"gte": 3}},
    {"stars": {"in": ["3", 4]}},
    {"done": True},
    {"tags": {"contains": "a"}},
    {"note": {"icontains": "straße"}},
    {'it\'s "quoted"': "yes"},
    {"missing": {"ne": "x"}},
    {"missing": None},
    {"created_at": {"gte": "2026-01-02"}},
    {"created_at": "2026-01-02"},
    {"expires_on": {"lte": "2026-01-10"}},
    {"expires_on": None},
    {"valid_to": {"lt": "2026-03-01T00:00:00Z"}},
    {"speaker": "Alice", "role": "user"},
    {"state": "superseded"},
    {"kind": {"in": ["fact", "code"]}},
    {"connector": {"nin": ["sdk"]}},
    {"id": {"in": ["00000000-0000-4000-8000-000000000002", "unknown"]}},
)


def observe(log: LogReader, *, episodes: Collection[str] = (), identity: str = IDENTITY) -> dict[str, Any]:
    """All that the reads of a log show, in a form in which two logs can be compared.

    Args:
        log: A log or a transaction.
        episodes: Ids of episodes to look at besides those that memories name.
        identity: Of the index entries to look at.
    """
    statistics = replace(log.statistics(), size_bytes=0)
    seen: dict[str, Any] = {"head": log.head(), "projects": log.all_projects(), "statistics": statistics}
    return seen | {project: _observe_project(log, project, episodes, identity) for project in log.all_projects()}


def _observe_project(log: LogReader, project: str, episodes: Collection[str], identity: str) -> dict[str, Any]:
    revisions = list(log.revisions(project))
    memories = log.find_many(project, {revision.memory_id for revision in revisions})
    everything = Listing(scope=Scope(project=project), states=ALL_STATES)
    sources = {*episodes, *(memory.episode_id for memory in memories.values() if memory.episode_id)}
    operations = log.operations(project)
    return {
        "revisions": revisions,
        "memories": memories,
        "by_keys": log.by_keys([memory.key for memory in memories.values()]),
        "page": log.page(everything, limit=MANY),
        "visible": [memory.id for memory in log.page(Listing(scope=everything.scope), limit=MANY)],
        "repeats": log.find_repeat(
            project, {repeat_key(memory.scope, memory.speaker, memory.text) for memory in memories.values()}
        ),
        "rows": {
            partition.user_id: (
                list(log.partition_rows(partition.id, 0, identity)),
                log.matching_keys(everything, partition.id).tolist(),
            )
            for partition in log.partitions(project)
        },
        "entities": log.entity_summaries(project),
        "operations": {operation.id: log.operation_revisions(project, operation.id) for operation in operations},
        "operations_in_order": operations,
        "undoable": log.last_undoable(project, Scope(project=project)),
        "episodes": {source: log.episode(project, source) for source in sorted(sources)},
        "statistics": replace(log.statistics(project), size_bytes=0),
    }


def _rich(scope: Scope = SCOPE, **fields: Any) -> dict[str, Any]:
    """A value in every optional field of a memory."""
    return {
        "scope": scope,
        "kind": "fact",
        "speaker": "Alice",
        "role": "user",
        "metadata": {"stars": 3, "done": True, "tags": ["a", "b"], "deep": {"list": [1, {"x": None}]}, "rate": 0.5},
        "categories": ("food", "travel"),
        "entity_refs": (EntityRef(name="Berlin", kind="place", key="berlin"),),
        "relations": (Relation(source="alice", relationship="lives_in", target="berlin"),),
        "created_at": datetime(2025, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        "valid_from": datetime(2020, 2, 29, tzinfo=UTC),
        "valid_to": datetime(2026, 2, 28, 12, 30, 0, 1, tzinfo=UTC),
        "expires_on": date(2026, 1, 10),
        "superseded_by": "00000000-0000-4000-8000-0000000000ff",
        "supersedes": ("00000000-0000-4000-8000-0000000000fe",),
        "connector": "notes",
        "reinforced": 2,
        "immutable": True,
        "feedback": "POSITIVE",
        "type": "preference",
        "confidence": 0.75,
        "positions": (2, 5),
    } | fields


def _fill(scribe: Scribe) -> list[MemoryRecord]:
    """Memories that differ in whatever a listing can ask for."""
    second = START + DAY
    memories = [
        scribe.add("Alice drinks Tea.", speaker="Alice", role="user"),
        scribe.add("Bob hates tea.", scope=BOB, metadata={"stars": 4, "note": "Hauptstraße 5"}, kind="code"),
        scribe.add("The planner plans.", scope=NOBODY, metadata={"stars": "3", "done": False}),
        scribe.add("Grüne Äpfel schmecken 🍏.", created_at=second, categories=("food",)),
        scribe.add("Bound to a run.", scope=IN_A_RUN, created_at=second, expires_on=date(2026, 1, 9)),
        scribe.add("Somebody else's tea.", scope=OTHER_PROJECT, metadata={"stars": 3}),
        scribe.add("Everything set: tea.", **_rich()),
        scribe.add("Said long ago.", created_at=START - 400 * DAY, metadata={'it\'s "quoted"': "yes"}),
        scribe.add("Once true.", expires_on=date(2026, 1, 11)),
        scribe.add("Wrong tea.", scope=BOB),
        scribe.add("Hidden tea."),
        scribe.add("Erased tea."),
    ]
    for place, state in ((8, "superseded"), (9, "invalidated"), (10, "deleted")):
        memories[place] = scribe.set_state(memories[place], state)  # type: ignore[arg-type]
    memories[11:] = scribe.erase(memories[11])
    return memories


def _expected(memories: Collection[MemoryRecord], listing: Listing) -> list[MemoryRecord]:
    """What a listing means."""
    inside = [
        memory
        for memory in memories
        if listing.scope.admits(memory.scope)
        and memory.state in listing.states
        and not (listing.today and memory.is_expired(listing.today))
        and (listing.condition is None or matches(listing.condition, memory))
    ]
    return sorted(inside, key=lambda memory: (memory.created_at, memory.key), reverse=listing.newest_first)


def _partition(log: LogReader, scope: Scope = SCOPE) -> Partition:
    (found,) = log.partitions(scope.project, [scope.user_id])
    return found


def _rows(log: LogReader, scope: Scope = SCOPE, *, after: int = 0, identity: str = IDENTITY) -> list[PartitionRow]:
    return list(log.partition_rows(_partition(log, scope).id, after, identity))


class _ExpectedError(Exception):
    """Raised inside a write to undo it."""


@contextmanager
def undone(log: Log) -> Iterator[Transaction]:
    """A write that fails at its end."""
    with suppress(_ExpectedError), log.write() as transaction:
        yield transaction
        raise _ExpectedError


class LogConformance:
    """Subclass it, override `open_log`, declare `capabilities`."""

    capabilities: ClassVar[frozenset[str]] = frozenset()

    @pytest.fixture
    def open_log(self) -> Callable[[], Log]:
        """Gives a function that opens the store of this test; a second call opens the same store again."""
        raise NotImplementedError("Override the fixture open_log.")

    def open_copy(self, target: Path) -> Log:
        """Open what `backup` wrote."""
        raise NotImplementedError(f"Override open_copy, or do not declare the capability 'backup' ({target}).")

    @pytest.fixture
    def log(self, open_log: Callable[[], Log]) -> Iterator[Log]:
        """An open, empty log."""
        with closing(open_log()) as log:
            yield log

    @pytest.fixture
    def scribe(self, log: Log) -> Scribe:
        """Writes to it."""
        return Scribe(log)

    def require(self, capability: str) -> None:
        """Skip the test, visibly, unless the adapter declares the capability."""
        if capability not in self.capabilities:
            pytest.skip(f"{type(self).__name__} does not declare {capability!r}")

    # --- writing -----------------------------------------------------------------------------------------------

    def test_a_new_log_is_empty(self, log: Log) -> None:
        """Nothing is there, and asking says so without an error."""
        assert log.head() == 0
        assert log.all_projects() == []
        assert log.find("default", "unknown") is None
        assert log.find_many("default", ["unknown"]) == {}
        assert log.by_keys([1]) == {}
        assert log.page(Listing(scope=SCOPE), limit=10) == []
        assert log.partitions("default") == []
        assert log.operations("default") == []
        assert log.last_undoable("default", SCOPE) is None
        assert log.taken_back("default", ["unknown"]) == set()
        assert log.episode("default", "unknown") is None
        assert log.known_sources(SCOPE, ["unknown"]) == set()
        assert log.seq_at("default", START) == 0
        assert dict(log.statistics().memories) == {}

    def test_an_append_changes_log_and_current_state_together(self, log: Log, scribe: Scribe) -> None:
        """One write shows in the revisions and in the state."""
        memory = scribe.add("Alice likes tea.")
        assert log.find("default", memory.id) == memory
        (first,) = log.revisions("default")
        assert apply(None, first) == memory
        assert log.head() == memory.seq == memory.key

    def test_every_field_is_given_back_as_it_was_stored(self, log: Log, scribe: Scribe) -> None:
        """Unicode, microseconds, nested metadata: through every read that returns a memory."""
        memory = scribe.add("Ünïcode 🍏 \u2028 'quoted' \"twice\" \\ back\n\ttab", **_rich())
        assert log.find("default", memory.id) == memory
        assert log.find_many("default", [memory.id, "unknown"]) == {memory.id: memory}
        assert log.by_keys([memory.key, 999]) == {memory.key: memory}
        assert log.page(Listing(scope=SCOPE), limit=1) == [memory]
        (found,) = log.revisions("default")
        assert fold([found]) == memory

    def test_metadata_keeps_the_types_of_its_values(self, log: Log, scribe: Scribe) -> None:
        """1, 1.0, True and "1" are four different values."""
        values = {"int": 1, "float": 1.0, "bool": True, "text": "1", "none": None, "big": 2**60, "empty": {"l": []}}
        memory = scribe.add(metadata=values)
        found = log.find("default", memory.id)
        assert found is not None
        assert repr(found.metadata) == repr(values)

    def test_a_version_is_the_same_until_something_is_committed(self, log: Log, scribe: Scribe) -> None:
        """A search that sees the same one reads nothing again."""
        before = log.version()
        assert log.version() == before
        scribe.add("Tea.")
        after = log.version()
        assert after != before
        assert log.version() == after

    def test_a_write_reads_its_own_writes(self, log: Log, scribe: Scribe) -> None:
        """All reads inside the block see what the block wrote."""
        with log.write() as transaction:
            operation = scribe.operation("add", "default", START, idempotency_key="once")
            transaction.put_operation(operation)
            memory = scribe.put(transaction, operation, "Alice likes tea.")
            inside = observe(transaction)
            assert inside["default"]["memories"] == {memory.id: memory}
            assert transaction.find_idempotent("default", "once") == operation
            assert transaction.head() == memory.seq
        assert observe(log) == inside

    def test_a_write_is_invisible_until_it_ends(self, log: Log, scribe: Scribe) -> None:
        """Reads of the log see the state before, up to the end of the block."""
        scribe.add("Before.")
        before = observe(log)
        with log.write() as transaction:
            operation = scribe.operation("add", "other", START)
            transaction.put_operation(operation)
            scribe.put(transaction, operation, "After.", scope=OTHER_PROJECT)
            assert observe(log) == before
        assert log.head() == before["head"] + 1

    def test_a_failed_write_leaves_nothing(self, log: Log, scribe: Scribe) -> None:
        """Not the operation, nor the episode, nor the partition, nor the memory, nor the erase."""
        kept = scribe.add("Kept.", source=Message(role="user", content="Kept."))
        before = observe(log)
        fresh = Scope(project="fresh", user_id="carol")
        now = scribe.clock()
        with undone(log) as transaction:
            operation = scribe.operation("add", "fresh", now, idempotency_key="once")
            transaction.put_operation(operation)
            message = Message(role="user", content="Lost.", source_id="m1")
            transaction.put_episode(
                Episode(id="episode-1", scope=fresh, connector="sdk", recorded_at=now, messages=(message,))
            )
            scribe.put(transaction, operation, "Lost.", scope=fresh)
            operation = scribe.operation("update", "default", now)
            transaction.put_operation(operation)
            scribe.change(transaction, operation, kept, "update", text="Overwritten.")
            transaction.forget_sources(SCOPE)
        assert observe(log) == before
        assert log.partitions("fresh") == []
        assert log.episode("fresh", "episode-1") is None
        assert log.known_sources(fresh, ["m1"]) == set()
        assert log.find_idempotent("fresh", "once") is None

    def test_a_log_can_be_written_after_a_failed_write(self, log: Log, scribe: Scribe) -> None:
        """The failure gives the write lock back."""
        with undone(log):
            log.head()
        assert scribe.add().seq == log.head()

    def test_positions_rise_and_are_never_reused(self, log: Log, scribe: Scribe) -> None:
        """Not after a failed write, and not after the newest memory was erased."""
        seqs = [scribe.add(f"Memory {number}.").seq for number in range(3)]
        with undone(log) as transaction:
            operation = scribe.operation("add", "default", START)
            transaction.put_operation(operation)
            scribe.put(transaction, operation, "Undone.")
        newest = scribe.add("The newest.")
        (tombstone,) = scribe.erase(newest)
        seqs += [newest.seq, tombstone.seq, scribe.add("After the erase.").seq]
        assert seqs == sorted(set(seqs))
        assert [revision.seq for revision in log.revisions("default")] == seqs

    def test_positions_inside_a_write_follow_each_other(self, log: Log) -> None:
        """Reserving gives a new position each time, above the head."""
        with log.write() as transaction:
            reserved = [transaction.next_seq() for _ in range(3)]
        assert reserved == sorted(set(reserved))
        assert reserved[0] > log.head()

    def test_a_taken_position_is_refused(self, log: Log, scribe: Scribe) -> None:
        """A revision never overwrites another."""
        memory = scribe.add("First.")
        before = observe(log)
        with pytest.raises(KeptError):
            scribe.add("Second.", seq=memory.seq, key=memory.key)
        assert observe(log) == before

    def test_a_revision_needs_its_operation(self, log: Log, scribe: Scribe) -> None:
        """What no operation explains is not stored."""
        with pytest.raises(StoreError), log.write() as transaction:
            scribe.put(transaction, scribe.operation("add", "default", START), "Unexplained.")
        assert log.head() == 0

    def test_a_used_idempotency_key_is_a_conflict(self, log: Log, scribe: Scribe) -> None:
        """And nothing of the second call is stored."""
        scribe.add("First.", idempotency_key="once")
        before = observe(log)
        with pytest.raises(ConflictError):
            scribe.add("Second.", idempotency_key="once")
        assert observe(log) == before

    def test_an_idempotency_key_belongs_to_its_project(self, log: Log, scribe: Scribe) -> None:
        """Two projects may use the same key; each finds its own operation."""
        scribe.add("First.", idempotency_key="once")
        scribe.add("Second.", idempotency_key="once", scope=OTHER_PROJECT)
        found = [log.find_idempotent(project, "once") for project in ("default", "other", "unknown")]
        assert [operation and operation.project for operation in found] == ["default", "other", None]
        assert log.find_idempotent("default", "never") is None

    def test_an_idempotency_key_of_a_failed_write_is_free(self, log: Log, scribe: Scribe) -> None:
        """The call can be made again."""
        with undone(log) as transaction:
            transaction.put_operation(scribe.operation("add", "default", START, idempotency_key="once"))
        scribe.add(idempotency_key="once")
        assert log.find_idempotent("default", "once") is not None

    def test_values_are_not_shared_with_the_caller(self, log: Log, scribe: Scribe) -> None:
        """Changing what was handed in or given out changes nothing that is stored."""
        handed_in: dict[str, Any] = {"tags": ["a"]}
        memory = scribe.add(metadata=handed_in)
        handed_in["tags"].append("b")
        found = log.find("default", memory.id)
        assert found is not None
        found.metadata["tags"].append("c")
        (first,) = log.revisions("default")
        first.changes["metadata"]["tags"].append("d")
        again = log.find("default", memory.id)
        assert again is not None
        assert again.metadata == {"tags": ["a"]}
        assert [revision.changes["metadata"] for revision in log.revisions("default")] == [{"tags": ["a"]}]

    def test_threads_write_without_losing_anything(self, log: Log) -> None:
        """Four threads, one log: every memory is there, every position once."""
        threads, each = 4, 10

        def work(number: int) -> None:
            for place in range(each):
                added = scribes[number].add(f"Thread {number}, memory {place}.")
                found = log.find("default", added.id)
                if found != added:
                    lost.append(added)

        lost: list[MemoryRecord] = []
        scribes = [Scribe(log, series=number) for number in range(threads)]
        _run_all([threading.Thread(target=work, args=(number,)) for number in range(threads)])
        assert lost == []
        assert [revision.seq for revision in log.revisions("default")] == list(range(1, threads * each + 1))

    def test_an_idempotency_key_is_won_by_one_thread(self, log: Log) -> None:
        """However many ask at once."""
        threads = 4
        outcomes: list[str] = []

        def work(number: int) -> None:
            try:
                Scribe(log, series=number).add(idempotency_key="once")
                outcomes.append("stored")
            except ConflictError:
                outcomes.append("conflict")

        _run_all([threading.Thread(target=work, args=(number,)) for number in range(threads)])
        assert sorted(outcomes) == ["conflict"] * (threads - 1) + ["stored"]
        assert log.head() == 1

    def test_a_read_of_many_sees_one_committed_state(self, log: Log, scribe: Scribe) -> None:
        """While a thread changes all of them again and again, no read mixes two of its writes."""
        with log.write() as transaction:
            operation = scribe.operation("add", "default", START)
            transaction.put_operation(operation)
            memories = [scribe.put(transaction, operation, f"Memory {number}.") for number in range(600)]
        done = threading.Event()

        def change() -> None:
            try:
                for rating in range(20):
                    with log.write() as transaction:
                        transaction.put_records([replace(memory, reinforced=rating) for memory in memories])
            finally:
                done.set()

        writer = threading.Thread(target=change)
        writer.start()
        ids, keys = [memory.id for memory in memories], [memory.key for memory in memories]
        mixed = []
        while not done.is_set():
            for found in (log.find_many("default", ids), log.by_keys(keys)):
                seen = {memory.reinforced for memory in found.values()}
                mixed += [seen] if len(seen) > 1 else []
        writer.join()
        assert mixed == []

    # --- isolation of projects ---------------------------------------------------------------------------------

    def test_no_read_crosses_a_project(self, log: Log, scribe: Scribe) -> None:
        """Whatever is asked of one project, with the other's own ids, gives nothing of the other."""
        message = Message(role="user", content="Secret of the other.", source_id="m1")
        mine = scribe.add("Mine.", source=Message(role="user", content="Mine."))
        other = scribe.add("Secret of the other.", scope=OTHER_PROJECT, source=message, idempotency_key="once")
        other = scribe.update(other, "Secret of the other, again.")
        theirs = log.operations("other")
        assert log.find("default", other.id) is None
        assert log.find_many("default", [mine.id, other.id]) == {mine.id: mine}
        assert log.find_repeat("default", [repeat_key(other.scope, other.speaker, other.text)]) == {}
        assert list(log.revisions("default", memory_id=other.id)) == []
        assert log.operation("default", theirs[0].id) is None
        assert log.operation_revisions("default", theirs[0].id) == []
        assert log.find_idempotent("default", "once") is None
        assert log.episode("default", str(other.episode_id)) is None
        assert log.known_sources(SCOPE, ["m1"]) == set()
        assert log.seq_at("default", START + DAY) == mine.seq
        assert log.last_undoable("default", Scope(project="default")) == log.operations("default")[0]
        assert "ecret" not in repr(_observe_project(log, "default", [str(other.episode_id)], IDENTITY))

    def test_an_id_is_unique_within_its_project_only(self, log: Log, scribe: Scribe) -> None:
        """An export of one project can be imported into another, and neither learns of the other's ids."""
        mine = scribe.add("Mine.")
        theirs = scribe.add("Theirs.", scope=OTHER_PROJECT, id=mine.id)
        assert (log.find("default", mine.id), log.find("other", mine.id)) == (mine, theirs)
        assert [change.seq for change in log.revisions("other", memory_id=mine.id)] == [theirs.seq]
        scribe.erase(theirs)
        assert log.find("default", mine.id) == mine
        with pytest.raises(ConflictError):
            scribe.add("Mine again.", id=mine.id)

    def test_entries_without_a_memory_are_dropped(self, log: Log, scribe: Scribe) -> None:
        """Entries of visible memories stay; a second call finds nothing."""
        kept, gone = scribe.add("Kept."), scribe.add("Gone.")
        scribe.erase(gone)
        with log.write() as transaction:
            transaction.put_entries({gone.key: entry("Gone.")}, identity=IDENTITY)
            assert transaction.drop_orphan_entries() == 1
            assert transaction.drop_orphan_entries() == 0
        assert [row.entry for row in _rows(log)] == [entry(kept.text), None]

    def test_a_page_of_operations_goes_on_inside_its_project(self, log: Log, scribe: Scribe) -> None:
        """An id of another project, or an unknown one, is no place to go on from that shows anything foreign."""
        scribe.add("Mine.")
        scribe.add("Other.", scope=OTHER_PROJECT)
        foreign = log.operations("other")[0].id
        assert {operation.project for operation in log.operations("default", before=foreign)} <= {"default"}
        assert log.operations("default", before="unknown") == []

    def test_projects_are_those_with_a_revision(self, log: Log, scribe: Scribe) -> None:
        """By name; an episode from which no memory came does not make one."""
        scribe.add(scope=Scope(project="zebra", user_id="alice"))
        scribe.add(scope=Scope(project="ant", user_id="alice"))
        with log.write() as transaction:
            scope = Scope(project="mute", user_id="alice")
            transaction.put_episode(Episode(id="e", scope=scope, connector="sdk", recorded_at=START, messages=()))
        assert log.all_projects() == ["ant", "zebra"]

    # --- finding -----------------------------------------------------------------------------------------------

    def test_ids_are_found_by_their_beginning(self, log: Log, scribe: Scribe) -> None:
        """In order, in any state, of one project, literally: `_` and `%` stand for themselves."""
        names = ["ab-2", "ab-1", "ab-3", "a_b", "b", "az🍏z"]
        for name in names:
            scribe.add(f"Named {name}.", id=name)
        scribe.add(scope=OTHER_PROJECT, id="ab-0")
        scribe.set_state(scribe.add(id="c-1"), "deleted")
        scribe.erase(scribe.add(id="c-2"))
        asked = {"ab": 2, "ab-": 9, "a_": 9, "%": 9, "c-": 9, "AB": 9, "ab-1": 2, "z": 2, "az": 2}
        assert {prefix: log.ids_with_prefix("default", prefix, limit=limit) for prefix, limit in asked.items()} == {
            "ab": ["ab-1", "ab-2"],
            "ab-": ["ab-1", "ab-2", "ab-3"],
            "a_": ["a_b"],
            "%": [],
            "c-": ["c-1", "c-2"],
            "AB": [],
            "ab-1": ["ab-1"],
            "z": [],
            "az": ["az🍏z"],
        }

    # --- repeats -----------------------------------------------------------------------------------------------

    def test_a_repeat_is_found_whatever_its_white_space(self, log: Log, scribe: Scribe) -> None:
        """By the same key as the domain makes."""
        memory = scribe.add("Alice  likes\ttea.", speaker="Alice")
        key = repeat_key(SCOPE, "Alice", "Alice likes tea. ")
        assert log.find_repeat("default", [key, "unknown"]) == {key: memory}

    def test_the_oldest_of_several_repeats_is_found(self, log: Log, scribe: Scribe) -> None:
        """Also when it was changed last."""
        oldest = scribe.add("Alice likes tea.")
        scribe.add("Alice likes tea.")
        oldest = scribe.revise(oldest, "reinforce", reinforced=1)
        key = repeat_key(SCOPE, None, "Alice likes tea.")
        assert log.find_repeat("default", [key]) == {key: oldest}

    @pytest.mark.parametrize("state", ["superseded", "invalidated"])
    def test_a_closed_repeat_is_not_found(self, log: Log, scribe: Scribe, state: Any) -> None:
        """It was true once; said again, it is true again from then on, which is another memory."""
        memory = scribe.set_state(scribe.add("Alice likes tea."), state)
        key = repeat_key(SCOPE, None, memory.text)
        assert log.find_repeat("default", [key]) == {}
        again = scribe.add("Alice likes tea.")
        assert log.find_repeat("default", [key]) == {key: again}

    def test_a_hidden_repeat_is_not_found(self, log: Log, scribe: Scribe) -> None:
        """A deleted memory is none until it is restored; an erased one never again."""
        deleted = scribe.set_state(scribe.add("Deleted."), "deleted")
        erased = scribe.add("Erased.")
        scribe.erase(erased)
        keys = [repeat_key(SCOPE, None, text) for text in ("Deleted.", "Erased.")]
        assert log.find_repeat("default", keys) == {}
        restored = scribe.set_state(deleted, "active")
        assert log.find_repeat("default", keys) == {keys[0]: restored}

    def test_an_updated_memory_repeats_its_new_text_only(self, log: Log, scribe: Scribe) -> None:
        """The key follows the text."""
        memory = scribe.update(scribe.add("Old."), "New.")
        old, new = (repeat_key(SCOPE, None, text) for text in ("Old.", "New."))
        assert log.find_repeat("default", [old, new]) == {new: memory}

    def test_many_are_found_at_once(self, log: Log, scribe: Scribe) -> None:
        """More ids, keys and repeat keys than fit in one statement."""
        memory = scribe.add("Alice likes tea.")
        many = [f"unknown-{number}" for number in range(MANY)]
        key = repeat_key(SCOPE, None, memory.text)
        assert log.find_many("default", [*many, memory.id]) == {memory.id: memory}
        assert log.by_keys([*range(100, 100 + MANY), memory.key]) == {memory.key: memory}
        assert log.find_repeat("default", [*many, key]) == {key: memory}
        assert log.known_sources(SCOPE, many) == set()

    # --- listings ----------------------------------------------------------------------------------------------

    def test_a_listing_holds_what_its_scope_admits(self, log: Log, scribe: Scribe) -> None:
        """In order of time, ties by key; page, scan and count agree."""
        memories = _fill(scribe)
        for listing in [Listing(scope=s, newest_first=newest) for s in READ_SCOPES for newest in (True, False)]:
            expected = _expected(memories, listing)
            assert log.page(listing, limit=100) == expected, listing
            assert list(log.scan(listing)) == expected, listing
            assert log.count(listing) == len(expected), listing

    def test_a_pushed_down_filter_means_what_matches_says(self, log: Log, scribe: Scribe) -> None:
        """Page, count and keys agree with the reference."""
        memories = _fill(scribe)
        for raw in FILTERS:
            listing = Listing(scope=Scope(), condition=parse_filter(raw), states=ALL_STATES)
            expected = _expected(memories, listing)
            assert log.page(listing, limit=100) == expected, raw
            assert log.count(listing) == len(expected), raw
            keys = [key for partition in log.partitions("default") for key in log.matching_keys(listing, partition.id)]
            assert sorted(keys) == sorted(memory.key for memory in expected), raw

    def test_some_filter_finds_something_and_some_excludes_something(self, log: Log, scribe: Scribe) -> None:
        """The table of filters is worth its time: nearly each tells memories apart."""
        memories = [memory for memory in _fill(scribe) if memory.project == "default"]
        listings = [Listing(scope=Scope(), condition=parse_filter(raw), states=ALL_STATES) for raw in FILTERS]
        counts = [log.count(listing) for listing in listings]
        assert sum(0 < count < len(memories) for count in counts) >= len(FILTERS) - 3

    def test_a_filter_too_deep_to_push_down_still_holds(self, log: Log, scribe: Scribe) -> None:
        """The adapter may filter itself, the answer is the same; also with offset and limit."""
        memories = _fill(scribe)
        raw: dict[str, Any] = {"text": {"icontains": "tea"}}
        for level in range(180):
            raw = {"NOT": [raw]} if level % 2 else {"OR": [raw, {"user_id": f"nobody-{level}"}]}
        listing = Listing(scope=Scope(), condition=parse_filter(raw), states=ALL_STATES)
        expected = _expected(memories, listing)
        assert 1 < len(expected) < len(memories)
        assert log.page(listing, limit=2, offset=1) == expected[1:3]
        assert log.count(listing) == len(expected)

    def test_no_filter_widens_a_scope(self, log: Log, scribe: Scribe) -> None:
        """Asking for another user, or for anybody, inside a scope gives nothing more."""
        _fill(scribe)
        for raw in ({"user_id": "bob"}, {"OR": [{"user_id": "bob"}, {"user_id": "*"}]}, {"NOT": [{"user_id": "x"}]}):
            found = log.page(Listing(scope=SCOPE, condition=parse_filter(raw), states=ALL_STATES), limit=100)
            assert {memory.user_id for memory in found} <= {"alice"}

    def test_a_listing_shows_the_states_it_names(self, log: Log, scribe: Scribe) -> None:
        """And no other; without states it is empty."""
        memories = _fill(scribe)
        for states in (("active",), ("deleted",), ("erased", "invalidated"), (), ALL_STATES):
            listing = Listing(scope=Scope(), states=states)  # type: ignore[arg-type]  # each is a state
            assert log.page(listing, limit=100) == _expected(memories, listing)
            assert {memory.state for memory in log.page(listing, limit=100)} == set(states)

    def test_deleted_and_erased_memories_are_not_listed_by_default(self, log: Log, scribe: Scribe) -> None:
        """They are found by id only."""
        shown = scribe.add("Shown.")
        hidden = [scribe.set_state(scribe.add("Deleted."), "deleted"), *scribe.erase(scribe.add("Erased."))]
        assert log.page(Listing(scope=SCOPE), limit=10) == [shown]
        assert log.find_many("default", [memory.id for memory in hidden]) == {memory.id: memory for memory in hidden}

    def test_a_listing_may_hold_only_what_was_said_again(self, log: Log, scribe: Scribe) -> None:
        """In every way it is asked."""
        scribe.add("Said once.")
        again = scribe.revise(scribe.add("Said twice."), "reinforce", reinforced=1)
        listing = Listing(scope=SCOPE, repeated=True)
        assert log.page(listing, limit=10) == list(log.scan(listing)) == [again]
        assert log.count(listing) == 1

    def test_an_expired_memory_is_shown_through_its_last_day(self, log: Log, scribe: Scribe) -> None:
        """And not on the day after; without a day, always."""
        last_day = date(2026, 1, 31)
        memory = scribe.add(expires_on=last_day)
        shown = {
            today: log.page(Listing(scope=SCOPE, today=today), limit=1) == [memory]
            for today in (last_day - DAY, last_day, last_day + DAY, None)
        }
        assert shown == {last_day - DAY: True, last_day: True, last_day + DAY: False, None: True}

    @pytest.mark.parametrize("newest_first", [True, False])
    def test_pages_follow_each_other_without_gap_or_repeat(self, log: Log, scribe: Scribe, newest_first: bool) -> None:
        """Also among memories of the same moment."""
        for number in range(11):
            scribe.add(f"Memory {number}.", created_at=START + DAY * (number % 3))
        listing = Listing(scope=SCOPE, newest_first=newest_first)
        whole = log.page(listing, limit=100)
        paged = [memory for offset in range(0, 12, 3) for memory in log.page(listing, limit=3, offset=offset)]
        assert paged == whole
        assert [(memory.created_at, memory.key) for memory in whole] == sorted(
            ((memory.created_at, memory.key) for memory in whole), reverse=newest_first
        )

    def test_a_page_beyond_the_end_is_empty(self, log: Log, scribe: Scribe) -> None:
        """As is one of no rows."""
        scribe.add()
        assert log.page(Listing(scope=SCOPE), limit=10, offset=1) == []
        assert log.page(Listing(scope=SCOPE), limit=0) == []

    def test_keys_are_of_one_partition_and_rise(self, log: Log, scribe: Scribe) -> None:
        """int64, whatever order the listing asks for."""
        late = scribe.add("First told, happened last.", created_at=START + DAY)
        early = scribe.add("Told second, happened first.", created_at=START - DAY)
        scribe.add("Of another.", scope=BOB)
        keys = log.matching_keys(Listing(scope=Scope()), _partition(log).id)
        assert keys.dtype == "int64"
        assert keys.tolist() == [late.key, early.key]

    def test_keys_outside_the_scope_are_not_given(self, log: Log, scribe: Scribe) -> None:
        """A partition beside the scope is empty for it."""
        scribe.add("Of another.", scope=BOB)
        assert log.matching_keys(Listing(scope=SCOPE), _partition(log, BOB).id).tolist() == []

    def test_entities_are_summed_up_by_type_and_name(self, log: Log, scribe: Scribe) -> None:
        """Visible memories count, from the first one's creation to the last one's change."""
        memories = [memory for memory in _fill(scribe) if memory.project == "default"]
        visible = [memory for memory in memories if memory.state not in {"deleted", "erased"}]
        summaries = log.entity_summaries("default")
        assert [(found.type, found.name) for found in summaries] == [
            ("agent", "planner"),
            ("app", "notes"),
            ("run", "run-1"),
            ("user", "alice"),
            ("user", "bob"),
        ]
        for found in summaries:
            of_it = [memory for memory in visible if getattr(memory, f"{found.type}_id") == found.name]
            assert found.memories == len(of_it)
            assert found.created_at == min(memory.created_at for memory in of_it)
            assert found.updated_at == max(memory.updated_at for memory in of_it)

    def test_an_entity_without_visible_memories_is_not_listed(self, log: Log, scribe: Scribe) -> None:
        """Its last memory was deleted."""
        scribe.set_state(scribe.add(), "deleted")
        assert log.entity_summaries("default") == []

    # --- partitions --------------------------------------------------------------------------------------------

    def test_partitions_are_one_for_each_user_and_one_for_none(self, log: Log, scribe: Scribe) -> None:
        """Agents, apps and runs share their user's."""
        for scope in (*SCOPES, SCOPE):
            scribe.add(scope=scope)
        owners = [partition.user_id for partition in log.partitions("default")]
        assert sorted(owners, key=str) == [None, "alice", "bob"]
        assert len({partition.id for name in log.all_projects() for partition in log.partitions(name)}) == 4

    def test_partitions_are_selected_by_user(self, log: Log, scribe: Scribe) -> None:
        """None is the partition of no user; an unknown user has none."""
        for scope in SCOPES:
            scribe.add(scope=scope)
        chosen = log.partitions("default", [None, "bob", "unknown"])
        assert {(partition.project, partition.user_id) for partition in chosen} == {
            ("default", None),
            ("default", "bob"),
        }
        assert log.partitions("default", []) == []

    def test_a_partition_row_is_its_memory_without_text(self, log: Log, scribe: Scribe) -> None:
        """Times in microseconds, the last day as a day number."""
        memory = scribe.add("Everything set.", **_rich(IN_A_RUN))
        (row,) = _rows(log)
        for name in ("key", "seq", "state", "agent_id", "app_id", "run_id", "session", "speaker", "role", "feedback"):
            assert getattr(row, name) == getattr(memory, name), name
        assert row.created_at == to_microseconds(memory.created_at)
        assert row.valid_from == to_microseconds(datetime(2020, 2, 29, tzinfo=UTC))
        assert row.valid_to == to_microseconds(datetime(2026, 2, 28, 12, 30, 0, 1, tzinfo=UTC))
        assert row.expires_on == date(2026, 1, 10).toordinal()
        assert row.reinforced == 2
        assert row.entry == entry(memory.text)
        assert "Everything" not in repr(row)

    def test_the_session_of_a_row_is_its_run_or_its_episode_or_itself(self, log: Log, scribe: Scribe) -> None:
        """As the domain says."""
        source = Message(role="user", content="Told.")
        memories = [scribe.add(scope=IN_A_RUN, source=source), scribe.add(source=source), scribe.add()]
        assert [row.session for row in _rows(log)] == [memory.session for memory in memories]

    def test_rows_after_a_position_are_the_changed_ones(self, log: Log, scribe: Scribe) -> None:
        """Each once, in its newest state, by rising position of its last change."""
        first, second, third = (scribe.add(f"Memory {number}.") for number in range(3))
        seen = log.head()
        assert _rows(log, after=seen) == []
        second = scribe.update(second, "Changed.")
        first = scribe.update(scribe.update(first, "Changed once."), "Changed twice.")
        assert [row.key for row in _rows(log, after=seen)] == [second.key, first.key]
        assert [row.seq for row in _rows(log)] == [third.seq, second.seq, first.seq]

    def test_hidden_rows_are_given_to_be_forgotten(self, log: Log, scribe: Scribe) -> None:
        """Deleted and erased memories appear, with their state."""
        deleted, erased = scribe.add("Deleted."), scribe.add("Erased.")
        seen = log.head()
        scribe.set_state(deleted, "deleted")
        scribe.erase(erased)
        assert [(row.key, row.state) for row in _rows(log, after=seen)] == [
            (deleted.key, "deleted"),
            (erased.key, "erased"),
        ]

    def test_rows_are_of_one_partition(self, log: Log, scribe: Scribe) -> None:
        """No other user's, no other project's."""
        keys = {scope: scribe.add(scope=scope).key for scope in SCOPES}
        assert {row.key for row in _rows(log)} == {keys[SCOPE], keys[IN_A_RUN]}
        assert [row.key for row in _rows(log, OTHER_PROJECT)] == [keys[OTHER_PROJECT]]

    def test_an_entry_is_given_under_its_own_identity_only(self, log: Log, scribe: Scribe) -> None:
        """A row whose entry was made by another embedder waits for a new one."""
        memory = scribe.add("Alice likes tea.")
        assert [row.entry for row in _rows(log, identity="another:256:l2")] == [None]
        assert [row.entry for row in _rows(log)] == [entry(memory.text)]

    def test_entries_are_replaced_by_a_rebuild(self, log: Log, scribe: Scribe) -> None:
        """Under a new identity, without a revision."""
        memory, untouched = scribe.add("Alice likes tea."), scribe.add("Untouched.")
        head = log.head()
        with log.write() as transaction:
            transaction.put_entries({memory.key: entry("rebuilt")}, identity="another:256:l2")
        assert [row.entry for row in _rows(log, identity="another:256:l2")] == [entry("rebuilt"), None]
        assert [row.entry for row in _rows(log)] == [None, entry(untouched.text)]
        assert log.head() == head

    def test_a_change_without_entry_leaves_the_present_one(self, log: Log, scribe: Scribe) -> None:
        """A new state needs no new index entry; a new text gets one."""
        memory = scribe.revise(scribe.add("Old."), "feedback", feedback="POSITIVE")
        assert [row.entry for row in _rows(log)] == [entry("Old.")]
        scribe.update(memory, "New.")
        assert [row.entry for row in _rows(log)] == [entry("New.")]

    def test_a_memory_without_entry_has_a_row(self, log: Log, scribe: Scribe) -> None:
        """It waits for an index, and says so by None."""
        with log.write() as transaction:
            operation = scribe.operation("add", "default", START)
            transaction.put_operation(operation)
            scribe.put(transaction, operation, "No entry.", indexed=False)
        assert [row.entry for row in _rows(log)] == [None]

    def test_states_are_written_again_without_a_revision(self, log: Log, scribe: Scribe) -> None:
        """A rebuild puts right what does not agree with the log."""
        memory = scribe.add("Alice likes tea.", **_rich())
        before = observe(log)
        with log.write() as transaction:
            transaction.put_records([replace(memory, text="Damaged.", speaker="Nobody", categories=())])
        assert observe(log) != before
        with log.write() as transaction:
            folded = fold(transaction.revisions("default", memory_id=memory.id))
            assert folded is not None
            transaction.put_records([folded])
        assert observe(log) == before

    # --- history -----------------------------------------------------------------------------------------------

    def test_revisions_come_by_rising_position_in_a_half_open_range(self, log: Log, scribe: Scribe) -> None:
        """After one position, up to another."""
        memory = scribe.add("One.")
        for text in ("Two.", "Three.", "Four."):
            memory = scribe.update(memory, text)
        scribe.add("Other.", scope=OTHER_PROJECT)
        assert [revision.seq for revision in log.revisions("default")] == [1, 2, 3, 4]
        assert [revision.seq for revision in log.revisions("default", after=1, upto=3)] == [2, 3]
        assert [revision.seq for revision in log.revisions("default", memory_id=memory.id, after=3)] == [4]
        assert list(log.revisions("default", upto=0)) == []

    def test_a_page_of_revisions_is_of_the_memories_listed_newest_first(self, log: Log, scribe: Scribe) -> None:
        """In whatever state these are; nothing of other memories or projects."""
        ours, others = scribe.add("Ours."), scribe.add("Theirs.", scope=BOB)
        ours = scribe.update(ours, "Ours, changed.")
        scribe.add("Elsewhere.", scope=OTHER_PROJECT)
        hidden = scribe.set_state(ours, "deleted")
        everything = Listing(scope=Scope.everything(), states=ALL_STATES)
        condition = parse_filter({"user_id": {"in": ["alice"]}})
        alices = Listing(scope=Scope.everything(), condition=condition, states=ALL_STATES)
        listed = {memory.id: Listing(scope=memory.scope, states=ALL_STATES) for memory in (ours, others)}
        assert [found.seq for found in log.page_revisions(everything, limit=10)] == [hidden.seq, ours.seq, 2, 1]
        assert [found.seq for found in log.page_revisions(everything, limit=2, offset=1)] == [ours.seq, 2]
        assert [found.seq for found in log.page_revisions(alices, limit=10)] == [hidden.seq, ours.seq, 1]
        for memory_id, listing in listed.items():
            newest_first = list(log.revisions("default", memory_id=memory_id))[::-1]
            assert log.page_revisions(listing, limit=10) == newest_first
            assert log.count_revisions(listing) == len(newest_first)
        assert log.count_revisions(Listing(scope=Scope.everything())) == 1  # what is hidden is not listed

    def test_revisions_of_one_memory_fold_to_it(self, log: Log, scribe: Scribe) -> None:
        """Whatever happened to others in between; and up to a position, to what it was then."""
        first, other = scribe.add("One.", **_rich()), scribe.add("Other.")
        second = scribe.update(first, "Two.", metadata={}, expires_on=None, categories=("new",))
        scribe.update(other, "Other, changed.")
        third = scribe.set_state(second, "deleted")
        for memory in (first, second, third):
            assert fold(log.revisions("default", memory_id=first.id, upto=memory.seq)) == memory
        assert log.find("default", first.id) == third

    def test_a_moment_finds_the_last_position_recorded_by_then(self, log: Log, scribe: Scribe) -> None:
        """At the moment itself included."""
        clock = scribe.clock = FixedClock()
        first = scribe.add("First.")
        clock.advance(DAY)
        second = scribe.add("Second.")
        microsecond = timedelta(microseconds=1)
        moments = [START - microsecond, START, START + DAY - microsecond, START + DAY, START + 9 * DAY]
        assert [log.seq_at("default", moment) for moment in moments] == [
            0,
            first.seq,
            first.seq,
            second.seq,
            second.seq,
        ]

    def test_a_moment_shows_nothing_recorded_later_when_the_clock_steps_back(self, log: Log, scribe: Scribe) -> None:
        """The position is before the first later revision, though an earlier time follows it; of its own project only."""
        first = scribe.add("First.")
        scribe.clock.now = START + 2 * DAY
        later = scribe.add("Later.")
        scribe.clock.now = START + DAY
        last = scribe.add("Earlier again.")
        scribe.clock.now = START + 3 * DAY
        scribe.add("Another project's.", scope=OTHER_PROJECT)
        scribe.clock.now = START
        final = scribe.add("Before that.")
        moments = [START + DAY, START + 2 * DAY - timedelta(microseconds=1), START + 2 * DAY, START + 9 * DAY]
        assert [log.seq_at("default", moment) for moment in moments] == [first.seq, first.seq, final.seq, final.seq]
        for moment in moments:
            shown = log.revisions("default", upto=log.seq_at("default", moment))
            assert all(revision.recorded_at <= moment for revision in shown)
        assert first.seq < later.seq < last.seq < final.seq

    def test_operations_come_newest_first_in_pages(self, log: Log, scribe: Scribe) -> None:
        """In order of writing, not of their times."""
        for number in range(5):
            scribe.clock.now = START - number * DAY
            scribe.add(f"Memory {number}.")
        whole = log.operations("default")
        assert [operation.recorded_at for operation in whole] == [START - number * DAY for number in (4, 3, 2, 1, 0)]
        assert log.operations("default", limit=2) == whole[:2]
        assert log.operations("default", limit=2, before=whole[1].id) == whole[2:4]
        assert log.operations("default", before=whole[-1].id) == []

    def test_an_operation_is_given_back_as_it_was_stored(self, log: Log, scribe: Scribe) -> None:
        """With all its fields, and what it wrote."""
        memory = scribe.add("Old.")
        with log.write() as transaction:
            operation = scribe.operation("curate", "default", START, idempotency_key="once", actor=None, undoes="x")
            transaction.put_operation(operation)
            written = [
                scribe.put(transaction, operation, "New.").seq,
                scribe.change(transaction, operation, memory, "invalidate", state="invalidated").seq,
            ]
        assert log.operation("default", operation.id) == operation
        assert log.find_idempotent("default", "once") == operation
        assert [revision.seq for revision in log.operation_revisions("default", operation.id)] == written
        assert log.operation("default", "unknown") is None
        assert log.operation_revisions("default", "unknown") == []

    def test_the_newest_operation_is_undoable(self, log: Log, scribe: Scribe) -> None:
        """The last that touched a memory of the scope."""
        memory = scribe.add("Alice's.", scope=IN_A_RUN)
        scribe.update(memory, "Alice's, changed.")
        newest = log.operations("default")[0]
        scribe.add("Bob's.", scope=BOB)
        for scope in (
            SCOPE,
            IN_A_RUN,
            Scope(agent_id="planner"),
            Scope(agent_id="*"),
            Scope(user_id="alice", run_id="*"),
        ):
            assert log.last_undoable("default", scope) == newest, scope
        assert log.last_undoable("default", Scope()) == log.operations("default")[0]
        assert log.last_undoable("default", Scope(user_id="nobody")) is None
        assert log.last_undoable("default", Scope(user_id="bob", agent_id="*")) is None

    def test_what_was_taken_back_is_not_undoable_nor_is_the_undo(self, log: Log, scribe: Scribe) -> None:
        """The next undo goes one further back."""
        memory = scribe.add("Alice likes tea.")
        added = log.operations("default")[0]
        memory = scribe.set_state(memory, "deleted")
        hidden = log.operations("default")[0].id
        scribe.set_state(memory, "active", undoes=hidden)
        assert log.taken_back("default", [hidden, "unknown", log.operations("default")[0].id]) == {hidden}
        assert log.taken_back("other", [hidden]) == set()
        assert log.last_undoable("default", SCOPE) == added
        scribe.set_state(memory, "deleted", undoes=added.id)
        assert log.last_undoable("default", SCOPE) is None

    def test_what_an_undo_took_back_is_undoable_again_once_the_undo_was_taken_back(
        self, log: Log, scribe: Scribe
    ) -> None:
        """And so it is for whoever asks what was taken back."""
        memory = scribe.add("Alice likes tea.")
        added = log.operations("default")[0]
        memory = scribe.set_state(memory, "deleted", undoes=added.id)
        scribe.set_state(memory, "active", undoes=log.operations("default")[0].id)
        assert log.taken_back("default", [added.id]) == set()
        assert log.last_undoable("default", SCOPE) == added
        scribe.set_state(memory, "deleted", undoes=added.id)
        assert log.taken_back("default", [added.id]) == {added.id}
        assert log.last_undoable("default", SCOPE) is None

    def test_an_erase_is_not_undoable_nor_is_what_it_erased(self, log: Log, scribe: Scribe) -> None:
        """Operations on memories that are still there are."""
        kept = scribe.add("Kept.")
        undoable = log.operations("default")[0]
        erased = scribe.update(scribe.add("Erased."), "Erased, changed.")
        scribe.erase(erased)
        assert log.last_undoable("default", SCOPE) == undoable
        scribe.revise(kept, "update", kind="erase", superseded_by=None, reinforced=1)
        assert log.last_undoable("default", SCOPE) == undoable
        scribe.erase(kept)
        assert log.last_undoable("default", SCOPE) is None

    # --- sources -----------------------------------------------------------------------------------------------

    def test_an_episode_keeps_its_messages_in_order(self, log: Log) -> None:
        """With every field, also beyond ten."""
        messages = tuple(
            Message(
                role="user",
                content=f"Number {number}\n🍏",
                name="Alice",
                at=START + number * DAY,
                source_id=f"m{number}",
            )
            for number in range(12)
        )
        bare = Message(role="tool", content="")
        episode = Episode(
            id="episode-1", scope=IN_A_RUN, connector="notes", recorded_at=START, messages=(*messages, bare, bare)
        )
        with log.write() as transaction:
            transaction.put_episode(episode)
        assert log.episode("default", "episode-1") == episode

    def test_an_episode_is_kept_without_attachments(self, log: Log) -> None:
        """Of an image or document only what the text says of it stays."""
        message = Message(role="user", content="[image]")
        attached = replace(message, attachments=(Attachment(kind="image", url="data:image/png;base64,AAAA"),))
        episode = Episode(id="episode-1", scope=SCOPE, connector="sdk", recorded_at=START, messages=(attached,))
        with log.write() as transaction:
            transaction.put_episode(episode)
        assert log.episode("default", "episode-1") == replace(episode, messages=(message,))

    def test_a_source_is_known_to_its_project_and_user(self, log: Log, scribe: Scribe) -> None:
        """Whatever the agent, app or run; to no other user or project."""
        scribe.add(scope=IN_A_RUN, source=Message(role="user", content="Told.", source_id="m1"))
        scribe.add(scope=NOBODY, source=Message(role="user", content="Told.", source_id="m2"))
        scribe.add(source=Message(role="user", content="Told."))
        asked = ["m1", "m2", "m3"]
        known = {scope: log.known_sources(scope, asked) for scope in (SCOPE, BOB, Scope(run_id="other"), OTHER_PROJECT)}
        assert list(known.values()) == [{"m1"}, set(), {"m2"}, set()]

    def test_forgotten_sources_are_blank_but_known(self, log: Log, scribe: Scribe) -> None:
        """A second import recognises what was forgotten."""
        memory = scribe.add(source=Message(role="user", content="Canary.", name="Canary", source_id="m1"))
        with log.write() as transaction:
            assert transaction.forget_sources(SCOPE) == 1
            assert transaction.forget_sources(SCOPE) == 0
        episode = log.episode("default", str(memory.episode_id))
        assert episode is not None
        assert episode.messages == (Message(role="user", content="", source_id="m1"),)
        assert log.known_sources(SCOPE, ["m1"]) == {"m1"}

    @pytest.mark.parametrize("scope", READ_SCOPES, ids=str)
    def test_sources_are_forgotten_inside_a_scope(self, log: Log, scribe: Scribe, scope: Scope) -> None:
        """Those of any other user, run or project keep their words; also episodes that became no memory."""
        message = Message(role="user", content="Told.")
        for number, owner in enumerate(SCOPES):
            scribe.add(scope=owner, source=message)
            episode = Episode(id=f"mute-{number}", scope=owner, connector="sdk", recorded_at=START, messages=(message,))
            with log.write() as transaction:
                transaction.put_episode(episode)
        with log.write() as transaction:
            blanked = transaction.forget_sources(scope)
        inside = [scope.admits(owner) for owner in SCOPES]
        mute = [log.episode(owner.project, f"mute-{number}") for number, owner in enumerate(SCOPES)]
        assert [episode is not None and episode.messages[0].content == "" for episode in mute] == inside
        assert blanked == 2 * sum(inside)

    # --- erasing -----------------------------------------------------------------------------------------------

    def test_erased_text_is_in_no_read(self, log: Log, scribe: Scribe) -> None:
        """Not in revisions, messages, metadata, entities, index entries or repeats; nor in what it was before."""
        source = Message(role="user", content="canary in a message", name="canary")
        fields = _rich(
            metadata={"canary": ["canary"]},
            categories=("canary",),
            entity_refs=(EntityRef(name="Canary", kind="bird", key="canary"),),
            relations=(Relation(source="canary", relationship="is", target="canary"),),
            speaker="canary",
            positions=(),
        )
        memory = scribe.add("A canary.", source=source, **fields)
        memory = scribe.set_state(scribe.update(memory, "A changed canary."), "deleted")
        episodes = [str(memory.episode_id)]
        assert "canary" in repr(observe(log, episodes=episodes))
        scribe.erase(memory)
        assert "canary" not in repr(observe(log, episodes=episodes)).lower()
        assert [row.entry for row in _rows(log)] == [None]

    def test_a_partition_says_under_which_identities_it_is_indexed(self, log: Log, scribe: Scribe) -> None:
        """Of its own memories only; an erase leaves none."""
        memory = scribe.add("Tea.")
        scribe.add("Coffee.", scope=BOB)
        partition = _partition(log, SCOPE).id
        assert log.index_identities(partition) == {IDENTITY}
        with log.write() as transaction:
            transaction.put_entries({memory.key: entry("Tea.")}, identity="newer")
        assert log.index_identities(partition) == {"newer"}
        scribe.erase(memory)
        assert log.index_identities(partition) == set()

    def test_an_erase_reaches_every_message_that_a_fact_came_from(self, log: Log, scribe: Scribe) -> None:
        """And no other of the episode."""
        messages = tuple(Message(role="user", content=f"canary {number}") for number in range(4))
        episode = Episode(id="talk", scope=SCOPE, connector="sdk", recorded_at=START, messages=messages)
        with log.write() as transaction:
            transaction.put_episode(episode)
        memory = scribe.add("A canary sang twice.", episode_id="talk", position=1, positions=(1, 3))
        assert log.made_of_episode(SCOPE, "talk") == [memory]
        assert log.made_of_episode(BOB, "talk") == []
        scribe.erase(memory)
        left = log.episode("default", "talk")
        assert left is not None
        assert [message.content for message in left.messages] == ["canary 0", "", "canary 2", ""]

    def test_a_tombstone_stays_inside_its_tenant(self, log: Log, scribe: Scribe) -> None:
        """Id, scope, times and state are left, and the log folds to it."""
        memory = scribe.add("A canary.", **_rich(IN_A_RUN))
        (tombstone,) = scribe.erase(memory)
        assert (tombstone.state, tombstone.text, tombstone.hash, dict(tombstone.metadata)) == ("erased", "", "", {})
        assert (tombstone.scope, tombstone.key, tombstone.created_at) == (memory.scope, memory.key, memory.created_at)
        assert log.find("default", memory.id) == tombstone
        assert log.find("other", memory.id) is None
        assert fold(log.revisions("default", memory_id=memory.id)) == tombstone

    def test_the_history_of_an_erased_memory_keeps_that_and_when(self, log: Log, scribe: Scribe) -> None:
        """Positions, names, operations and times of its revisions."""
        memory = scribe.update(scribe.add("A canary."), "A changed canary.")
        before = [(r.seq, r.op, r.operation_id, r.recorded_at) for r in log.revisions("default")]
        scribe.erase(memory)
        after = [(r.seq, r.op, r.operation_id, r.recorded_at) for r in log.revisions("default")]
        assert after[:-1] == before
        assert after[-1][1] == "erase"

    def test_an_erase_leaves_others_as_they_are(self, log: Log, scribe: Scribe) -> None:
        """Also the other messages of the same episode, and memories with the same words."""
        messages = tuple(Message(role="user", content=text) for text in ("First.", "Second.", "Third."))
        episode = Episode(id="episode-1", scope=SCOPE, connector="sdk", recorded_at=START, messages=messages)
        with log.write() as transaction:
            operation = scribe.operation("add", "default", START)
            transaction.put_operation(operation)
            transaction.put_episode(episode)
            memories = [
                scribe.put(transaction, operation, message.content, episode_id="episode-1", position=position)
                for position, message in enumerate(messages)
            ]
        same_words = scribe.add("Second.", scope=BOB)
        scribe.erase(memories[1])
        found = log.episode("default", "episode-1")
        assert found is not None
        assert [message.content for message in found.messages] == ["First.", "", "Third."]
        for memory in (memories[0], memories[2], same_words):
            assert log.find("default", memory.id) == memory
            assert fold(log.revisions("default", memory_id=memory.id)) == memory
        assert [row.entry for row in _rows(log)] == [entry("First."), entry("Third."), None]

    def test_a_memory_of_a_whole_episode_takes_it_along(self, log: Log, scribe: Scribe) -> None:
        """It came from no single message, so each may hold its words; other episodes are left."""
        messages = (
            Message(role="user", content="A canary.", name="Canary"),
            Message(role="assistant", content="Canary, noted."),
        )
        for name in ("episode-1", "episode-2"):
            episode = Episode(id=name, scope=SCOPE, connector="sdk", recorded_at=START, messages=messages)
            with log.write() as transaction:
                transaction.put_episode(episode)
        scribe.erase(scribe.add("A canary.", episode_id="episode-1"))
        blank, kept = (log.episode("default", name) for name in ("episode-1", "episode-2"))
        assert blank is not None
        assert kept is not None
        assert [(message.content, message.name) for message in blank.messages] == [("", None), ("", None)]
        assert kept.messages == messages

    def test_several_are_erased_in_one_operation(self, log: Log, scribe: Scribe) -> None:
        """Each with its own tombstone."""
        memories = [scribe.add(f"A canary, {number}.") for number in range(3)]
        tombstones = scribe.erase(*memories)
        assert log.find_many("default", [memory.id for memory in memories]) == {t.id: t for t in tombstones}
        assert "canary" not in repr(observe(log))

    def test_an_erased_memory_can_be_erased_again(self, log: Log, scribe: Scribe) -> None:
        """It stays a tombstone."""
        memory = scribe.add("A canary.")
        scribe.erase(memory)
        (tombstone,) = scribe.erase(memory)
        assert log.find("default", memory.id) == tombstone
        assert fold(log.revisions("default", memory_id=memory.id)) == tombstone

    def test_erasing_what_is_not_there_is_an_error(self, log: Log, scribe: Scribe) -> None:
        """And leaves nothing."""
        memory = scribe.add("Kept.")
        before = observe(log)
        stranger = replace(memory, id="00000000-0000-4000-8000-0000000000aa", key=99)
        with pytest.raises(NotFoundError):
            scribe.erase(stranger)
        assert observe(log) == before

    def test_a_failed_erase_brings_everything_back(self, log: Log, scribe: Scribe) -> None:
        """Text, source and index entry."""
        memory = scribe.add("A canary.", source=Message(role="user", content="A canary."))
        before = observe(log)
        with undone(log) as transaction:
            operation = scribe.operation("erase", "default", START)
            transaction.put_operation(operation)
            scribe.bury(transaction, operation, memory)
        assert observe(log) == before

    def test_scrubbing_can_be_repeated(self, log: Log, scribe: Scribe) -> None:
        """After an erase, and when there is nothing to scrub."""
        scribe.erase(scribe.add("A canary."))
        before = observe(log)
        assert log.scrub() is True
        assert log.scrub() is True
        assert observe(log) == before

    # --- the store itself --------------------------------------------------------------------------------------

    def test_statistics_count_a_project_and_the_store(self, log: Log, scribe: Scribe) -> None:
        """Memories by state, sources, log entries, users."""
        _fill(scribe)
        scribe.add(source=Message(role="user", content="Told."))
        found = log.statistics("default")
        assert dict(found.memories) == {"active": 8, "superseded": 1, "invalidated": 1, "deleted": 1, "erased": 1}
        assert (found.episodes, found.messages, found.revisions, found.operations, found.users) == (1, 1, 16, 16, 2)
        whole = log.statistics()
        assert sum(whole.memories.values()) == 13
        assert (whole.revisions, whole.operations, whole.users, whole.head) == (17, 17, 3, log.head())

    def test_a_sound_store_verifies(self, log: Log, scribe: Scribe) -> None:
        """After everything that can happen to a memory."""
        _fill(scribe)
        scribe.supersede(scribe.add("Old."), "New.")
        assert list(log.verify()) == []

    def test_closing_twice_is_harmless(self, open_log: Callable[[], Log]) -> None:
        """And a closed log says that it was closed."""
        log = open_log()
        scribe = Scribe(log)
        scribe.add()
        log.close()
        log.close()
        with pytest.raises(StoreError):
            log.head()
        with pytest.raises(StoreError):
            scribe.add()

    def test_a_persistent_log_holds_the_same_when_opened_again(self, open_log: Callable[[], Log]) -> None:
        """Every read."""
        self.require("persistent")
        with closing(open_log()) as log:
            scribe = Scribe(log)
            _fill(scribe)
            scribe.add(source=Message(role="user", content="Told."))
            before = observe(log)
        with closing(open_log()) as log:
            assert observe(log) == before

    def test_two_logs_on_one_store_see_each_other(self, open_log: Callable[[], Log]) -> None:
        """At once, in both directions, and positions go on."""
        self.require("processes")
        with closing(open_log()) as left, closing(open_log()) as right:
            first = Scribe(left).add("Left.")
            assert right.find("default", first.id) == first
            second = Scribe(right, series=1).add("Right.")
            assert left.find("default", second.id) == second
            assert second.seq == first.seq + 1
            assert observe(left) == observe(right)

    def test_a_backup_holds_the_same(self, log: Log, scribe: Scribe, tmp_path: Path) -> None:
        """And goes its own way afterwards."""
        self.require("backup")
        _fill(scribe)
        before = observe(log)
        progress: list[tuple[int, int | None]] = []
        log.backup(tmp_path / "copy", lambda done, total: progress.append((done, total)))
        scribe.add("After the backup.")
        with closing(self.open_copy(tmp_path / "copy")) as copy:
            assert observe(copy) == before
            assert list(copy.verify()) == []
        assert progress == sorted(progress)
        assert progress[-1][0] == progress[-1][1]

    def test_a_backup_overwrites_nothing(self, log: Log, scribe: Scribe, tmp_path: Path) -> None:
        """An existing target is refused and left as it is."""
        self.require("backup")
        scribe.add()
        target = tmp_path / "copy"
        target.write_bytes(b"precious")
        with pytest.raises(ConflictError, match="copy"):
            log.backup(target)
        assert target.read_bytes() == b"precious"

    def test_without_backup_it_says_so(self, log: Log, tmp_path: Path) -> None:
        """A log that cannot be copied raises and writes nothing."""
        if "backup" in self.capabilities:
            pytest.skip(f"{type(self).__name__} declares 'backup'")
        with pytest.raises(KeptError):
            log.backup(tmp_path / "copy")
        assert not (tmp_path / "copy").exists()


def _run_all(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
