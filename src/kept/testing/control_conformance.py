"""What every registry, job store and audit must do: each promise of `kept.ports.Registry`, `Jobs` and `Audit`, as a test.

An adapter is right when subclasses pass::

    class TestPostgresRegistry(RegistryConformance):
        @pytest.fixture
        def open_registry(self, database_url):
            return lambda: PostgresRegistry(database_url)

and the same with `JobsConformance` (`open_jobs` gives the jobs and the log that they share a store with),
`AuditConformance` (`open_audit`) and `TouchesConformance` (`open_touches`). Each call opens the same store again, as another process would.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from kept.domain.decay import MOST_TOUCHES, Touched
from kept.domain.jobs import ERASED, Job
from kept.domain.scope import Scope
from kept.errors import ConflictError
from kept.ports import AuditEntry, AuditListing, Backlog, Entry, JobListing
from kept.testing.fakes import SCOPE, START, Scribe, job

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from kept.ports import Audit, Jobs, Log, Registry, Touches

SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
LATER: Final = START + timedelta(hours=1)
"""When every job that `job` makes is due."""
THREADS: Final = 8
BOB: Final = Scope(user_id="bob")
ELSEWHERE: Final = Scope(project="other", user_id="alice")
EVERYTHING: Final = JobListing(project="default")
ALL_OF_IT: Final = AuditListing(project="default")
CONTENT: Final[dict[str, Any]] = {"payload": {"messages": "Alice likes tea."}, "content": "Alice likes tea."}


def at_once(act: Callable[[int], Any], threads: int = THREADS) -> list[Any]:
    """What an act gives in each of several threads that begin it together."""
    start = threading.Barrier(threads)

    def begin(number: int) -> Any:
        start.wait()
        return act(number)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(begin, range(threads)))


def take(jobs: Jobs, lease: str = "worker", **fields: Any) -> list[Job]:
    """Claim all that is due at `LATER`, for a minute."""
    claim: dict[str, Any] = {"now": LATER, "until": LATER + MINUTE, "limit": 100} | fields
    return jobs.claim(claim.pop("kinds", ["ADD"]), lease, **claim)


def ended(held: Job, **fields: Any) -> Job:
    """A claimed job as it is when done."""
    done: dict[str, Any] = {"status": "SUCCEEDED", "completed_at": LATER, "updated_at": LATER}
    return replace(held, **(done | fields))


def ids(jobs: Collection[Job]) -> list[str]:
    """Ids, in order."""
    return [found.id for found in jobs]


class RegistryConformance:
    """Subclass it, override `open_registry`."""

    @pytest.fixture
    def open_registry(self) -> Callable[[], Registry]:
        """Gives a function that opens the registry of this test; a second call opens the same one again."""
        raise NotImplementedError("Override the fixture open_registry.")

    @pytest.fixture
    def registry(self, open_registry: Callable[[], Registry]) -> Registry:
        """An empty registry."""
        return open_registry()

    def entry(self, entry_id: str = "1", kind: str = "key", **fields: Any) -> Entry:
        """An entry made at `START`."""
        defaults: dict[str, Any] = {"kind": kind, "id": entry_id, "created_at": START, "updated_at": START}
        return Entry(**(defaults | fields))

    def test_an_entry_is_given_back_as_it_was_kept(
        self, registry: Registry, open_registry: Callable[[], Registry]
    ) -> None:
        """To whoever opens the store."""
        kept = self.entry(owner="default", data={"name": "Zoë 🍏", "deep": {"list": [1, 1.5, None, True]}})
        registry.add(kept)
        assert registry.find("key", "1") == kept
        assert open_registry().find("key", "1") == kept

    def test_an_id_is_unique_within_its_kind(self, registry: Registry) -> None:
        """The first stays as it was."""
        registry.add(self.entry(data={"n": 1}))
        registry.add(self.entry(kind="webhook"))
        with pytest.raises(ConflictError, match="key 1"):
            registry.add(self.entry(data={"n": 2}))
        assert registry.entries("key") == [self.entry(data={"n": 1})]

    def test_what_is_put_takes_the_place_and_keeps_the_first_time(self, registry: Registry) -> None:
        """Owner, data and the time of the change are new."""
        registry.put(self.entry(owner="a", data={"n": 1, "old": True}))
        new = self.entry(owner="b", data={"n": 2}, created_at=LATER, updated_at=LATER)
        registry.put(new)
        assert registry.find("key", "1") == replace(new, created_at=START)

    def test_entries_come_oldest_first_then_by_id(self, registry: Registry) -> None:
        """All of a kind, or those of one owner; `""` is an owner too."""
        registry.add(self.entry("c", owner="default"))
        registry.add(self.entry("b"))
        registry.add(self.entry("a", owner="default", created_at=START + SECOND))
        registry.add(self.entry("d", owner="default", created_at=START - SECOND))
        registry.add(self.entry("e", kind="webhook", owner="default"))
        assert [found.id for found in registry.entries("key")] == ["d", "b", "c", "a"]
        assert [found.id for found in registry.entries("key", "default")] == ["d", "c", "a"]
        assert [found.id for found in registry.entries("key", "")] == ["b"]
        assert registry.entries("key", "unknown") == registry.entries("unknown") == []

    def test_a_revision_leaves_the_other_fields(self, registry: Registry) -> None:
        """And the time of the first; what is not there cannot be revised."""
        registry.add(self.entry(owner="default", data={"name": "old", "roles": ["a"], "kept": 1}))
        assert registry.revise("key", "1", {"name": "new", "roles": ["b"]}, LATER)
        data = {"name": "new", "roles": ["b"], "kept": 1}
        assert registry.find("key", "1") == self.entry(owner="default", data=data, updated_at=LATER)
        assert not registry.revise("key", "2", {"name": "new"}, LATER)
        assert registry.find("key", "2") is None

    def test_revisions_at_once_all_hold(self, registry: Registry, open_registry: Callable[[], Registry]) -> None:
        """Reading and writing are one step, in threads and through two openings of the store."""
        registry.add(self.entry())
        opened = [registry, open_registry()]
        at_once(lambda number: opened[number % 2].revise("key", "1", {str(number): number}, LATER))
        found = registry.find("key", "1")
        assert found is not None
        assert found.data == {str(number): number for number in range(THREADS)}

    def test_of_adds_at_once_one_succeeds(self, registry: Registry) -> None:
        """The others are told."""

        def add(number: int) -> bool:
            try:
                registry.add(self.entry(data={"n": number}))
            except ConflictError:
                return False
            return True

        assert sum(at_once(add)) == 1

    def test_what_was_removed_is_gone(self, registry: Registry) -> None:
        """That one alone; a second time there is none."""
        registry.add(self.entry())
        registry.add(self.entry("2"))
        assert registry.remove("key", "1")
        assert not registry.remove("key", "1")
        assert registry.find("key", "1") is None
        assert registry.entries("key") == [self.entry("2")]

    def test_what_was_given_is_not_shared(self, registry: Registry) -> None:
        """A change of the caller's data, or of what was read, changes nothing that is kept."""
        data: dict[str, Any] = {"names": ["a"]}
        registry.add(self.entry(data=data))
        data["names"].append("b")
        found = registry.find("key", "1")
        assert found is not None
        found.data["names"].append("c")
        assert registry.find("key", "1") == self.entry(data={"names": ["a"]})


class JobsConformance:
    """Subclass it, override `open_jobs`."""

    @pytest.fixture
    def open_jobs(self) -> Callable[[], tuple[Jobs, Log]]:
        """Gives a function that opens the jobs of this test and the log of their store; a second call opens the same."""
        raise NotImplementedError("Override the fixture open_jobs.")

    @pytest.fixture
    def opened(self, open_jobs: Callable[[], tuple[Jobs, Log]]) -> tuple[Jobs, Log]:
        """An empty store."""
        return open_jobs()

    @pytest.fixture
    def jobs(self, opened: tuple[Jobs, Log]) -> Jobs:
        """Its jobs."""
        return opened[0]

    @pytest.fixture
    def scribe(self, opened: tuple[Jobs, Log]) -> Scribe:
        """Writes to the log of the same store."""
        return Scribe(opened[1])

    # --- keeping -----------------------------------------------------------------------------------------------

    def test_a_job_is_given_back_as_it_was_kept(self, jobs: Jobs, open_jobs: Callable[[], tuple[Jobs, Log]]) -> None:
        """Every field, to whoever opens the store; not to another project."""
        full = job(
            scope=Scope(user_id="alice", agent_id="a", app_id="b", run_id="c"),
            kind="EXPORT",
            status="SUCCEEDED",
            payload={"messages": [{"role": "user", "content": "Zoë 🍏"}], "infer": True},
            results=({"id": "1", "event": "ADD"}, {"id": "2", "event": "NONE"}),
            content="text",
            memory_ids=("m1", "m2"),
            subject="hook",
            actor="alice",
            connector="mcp",
            idempotency_key="once",
            attempts=3,
            error="failed before",
            started_at=START + 2 * SECOND,
            completed_at=START + 3 * SECOND + timedelta(microseconds=1),
        )
        assert jobs.put(full) == full
        assert jobs.find("default", "job-1") == full
        assert open_jobs()[0].find("default", "job-1") == full
        assert jobs.find("other", "job-1") is None
        assert jobs.find("default", "job-2") is None

    def test_an_idempotency_key_is_one_of_its_project_and_kind(self, jobs: Jobs) -> None:
        """A second request gets the first one's job as it is now; the same key elsewhere is another."""
        first = jobs.put(job(1, idempotency_key="once"))
        assert jobs.put(job(2, idempotency_key="once")) == first
        (held,) = take(jobs)
        jobs.finish([ended(held)])
        assert jobs.put(job(3, idempotency_key="once")).status == "SUCCEEDED"
        elsewhere: list[dict[str, Any]] = [{"kind": "EXPORT"}, {"scope": ELSEWHERE}, {"idempotency_key": None}]
        for number, fields in enumerate(elsewhere, 4):
            other = job(number, **({"idempotency_key": "once"} | fields))
            assert jobs.put(other) == other

    def test_a_job_is_found_by_its_idempotency_key(self, jobs: Jobs) -> None:
        """In its project, of its kind, as it is now."""
        jobs.put_many([job(1, idempotency_key="once"), job(2)])
        (held, _) = take(jobs, limit=2)
        jobs.finish([ended(held)])
        assert jobs.find_by_key("default", "ADD", "once") == jobs.find("default", "job-1")
        assert jobs.find_by_key("other", "ADD", "once") is None
        assert jobs.find_by_key("default", "EXPORT", "once") is None
        assert jobs.find_by_key("default", "ADD", "twice") is None

    def test_two_jobs_of_one_id_are_a_conflict(self, jobs: Jobs) -> None:
        """In any project."""
        jobs.put(job())
        with pytest.raises(ConflictError):
            jobs.put(job(scope=ELSEWHERE))
        assert ids(jobs.page(EVERYTHING, limit=10)) == ["job-1"]

    def test_several_are_kept_or_none(self, jobs: Jobs) -> None:
        """But for those whose key was used, among themselves too."""
        jobs.put(job(1, idempotency_key="once"))
        jobs.put_many(
            [job(2, idempotency_key="once"), job(3), job(4, idempotency_key="b"), job(5, idempotency_key="b")]
        )
        assert ids(jobs.page(EVERYTHING, limit=10)) == ["job-4", "job-3", "job-1"]
        with pytest.raises(ConflictError):
            jobs.put_many([job(6), job(3)])
        assert jobs.find("default", "job-6") is None

    def test_of_requests_at_once_with_one_key_one_is_kept(self, jobs: Jobs) -> None:
        """All get the same job."""
        got = at_once(lambda number: jobs.put(job(number, idempotency_key="once")))
        assert len({found.id for found in got}) == 1
        assert jobs.count(EVERYTHING) == 1

    # --- listing -----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ({}, [5, 4, 3, 2, 1]),
            ({"project": "other"}, [6]),
            ({"project": "unknown"}, []),
            ({"kinds": ["EXPORT", "DELIVERY"]}, [4, 3]),
            ({"kinds": []}, []),
            ({"statuses": ["FAILED", "SUCCEEDED"]}, [5, 2]),
            ({"subject": "hook"}, [4]),
            ({"user_id": "bob"}, [5, 2]),
            ({"agent_id": "planner"}, [3]),
            ({"user_id": "bob", "statuses": ["FAILED"]}, [5]),
            ({"bound": {"user_id": ["bob"]}}, [5, 2]),
            ({"bound": {"user_id": ["bob", "carol"], "agent_id": ["planner"]}}, []),
            ({"bound": {"user_id": ["alice", "bob"]}, "user_id": "alice"}, [4, 1]),
            ({"bound": {"user_id": []}}, []),
            ({"bound": {"user_id": ["bob"]}, "user_id": "alice"}, []),
            ({"after": START + 4 * SECOND}, [5, 4]),
            ({"before": START + 4 * SECOND}, [3, 2, 1]),
            ({"after": START + 2 * SECOND, "before": START + 4 * SECOND}, [3, 2]),
        ],
        ids=str,
    )
    def test_a_listing_is_what_all_conditions_admit(
        self, jobs: Jobs, asked: dict[str, Any], expected: list[int]
    ) -> None:
        """Newest first; the count agrees."""
        jobs.put_many(
            [
                job(1),
                job(2, scope=BOB, status="SUCCEEDED", completed_at=LATER),
                job(3, scope=Scope(agent_id="planner"), kind="EXPORT"),
                job(4, kind="DELIVERY", subject="hook"),
                job(5, scope=BOB, status="FAILED", completed_at=LATER),
                job(6, scope=ELSEWHERE),
            ]
        )
        listing = replace(EVERYTHING, **asked)
        assert ids(jobs.page(listing, limit=10)) == [f"job-{number}" for number in expected]
        assert jobs.count(listing) == len(expected)

    def test_pages_follow_each_other(self, jobs: Jobs) -> None:
        """Without gap or repeat."""
        jobs.put_many([job(number) for number in range(7)])
        pages = [jobs.page(EVERYTHING, limit=3, offset=offset) for offset in (0, 3, 6, 9)]
        assert [ids(page) for page in pages] == [
            ["job-6", "job-5", "job-4"],
            ["job-3", "job-2", "job-1"],
            ["job-0"],
            [],
        ]

    # --- working -----------------------------------------------------------------------------------------------

    def test_a_claimed_job_runs_under_its_lease(self, jobs: Jobs) -> None:
        """With one more attempt; the first beginning stays."""
        jobs.put(job())
        (held,) = take(jobs)
        times: dict[str, Any] = {"updated_at": LATER, "started_at": LATER, "lease_until": LATER + MINUTE}
        assert held == job(status="RUNNING", attempts=1, lease="worker", **times)
        assert jobs.find("default", "job-1") == held
        (again,) = take(jobs, "other", now=LATER + MINUTE, until=LATER + 2 * MINUTE)
        assert (again.attempts, again.lease, again.started_at) == (2, "other", LATER)

    def test_what_is_not_due_is_not_claimed(self, jobs: Jobs) -> None:
        """Nor another kind, nor what is done; the very moment is late enough."""
        jobs.put_many([job(1), job(2, kind="EXPORT"), job(3, status="FAILED", completed_at=LATER)])
        assert take(jobs, now=START) == []
        assert take(jobs, kinds=["DELIVERY"]) == take(jobs, kinds=[]) == take(jobs, limit=0) == []
        assert ids(take(jobs, now=START + SECOND)) == ["job-1"]

    def test_those_that_could_be_begun_first_come_first(self, jobs: Jobs) -> None:
        """Of all kinds asked for, waiting or left behind; of two due together, the one kept first."""
        jobs.put_many(
            [job(5), job(1, kind="EXPORT", subject="s"), job(3), job(4, run_after=START), job(2, kind="EXPORT")]
        )
        kinds = ["EXPORT", "ADD", "ADD"]
        assert ids(take(jobs, kinds=kinds, limit=3)) == ["job-4", "job-1", "job-2"]
        assert ids(take(jobs, kinds=kinds)) == ["job-3", "job-5"]
        left = take(jobs, kinds=kinds, now=LATER + MINUTE, until=LATER + 2 * MINUTE)
        assert ids(left) == ["job-4", "job-1", "job-2", "job-3", "job-5"]

    def test_what_a_worker_left_behind_comes_before_what_was_asked_for_later(self, jobs: Jobs) -> None:
        """A crash does not change the order, but for what is done while the lease of the dead still holds."""
        jobs.put_many([job(1), job(2, kind="DELETE_ALL")])
        take(jobs, kinds=["ADD", "DELETE_ALL"])
        jobs.put_many([job(3, run_after=LATER), job(4, kind="DELETE_ALL", run_after=LATER)])
        left = take(jobs, "other", kinds=["ADD", "DELETE_ALL"], now=LATER + MINUTE)
        assert ids(left) == ["job-1", "job-2", "job-3", "job-4"]

    def test_a_claim_is_nobody_elses_until_its_lease_ends(self, jobs: Jobs) -> None:
        """The end itself is no longer in it."""
        jobs.put(job())
        take(jobs)
        assert take(jobs, "other", now=LATER + MINUTE - timedelta(microseconds=1)) == []
        assert ids(take(jobs, "other", now=LATER + MINUTE, until=LATER + 2 * MINUTE)) == ["job-1"]

    def test_an_extended_claim_lasts_longer(self, jobs: Jobs) -> None:
        """Of the one who holds it, and of the jobs named."""
        jobs.put_many([job(1), job(2)])
        take(jobs)
        jobs.extend(["job-1", "unknown"], "worker", LATER + 2 * MINUTE)
        jobs.extend(["job-2"], "other", LATER + 2 * MINUTE)
        assert ids(take(jobs, "other", now=LATER + MINUTE, until=LATER + 2 * MINUTE)) == ["job-2"]

    def test_a_finished_job_is_stored_and_let_go(self, jobs: Jobs) -> None:
        """As it is given; nobody gets it again."""
        jobs.put(job(payload={"n": 1}))
        (held,) = take(jobs)
        done = ended(
            held, results=({"id": "m1", "event": "ADD"},), memory_ids=("m1",), content="made", payload={"n": 2}
        )
        assert jobs.finish([done]) == ["job-1"]
        assert jobs.find("default", "job-1") == replace(done, lease=None, lease_until=None)
        assert take(jobs, now=LATER + 2 * MINUTE) == []

    def test_a_job_that_is_given_back_waits_again(self, jobs: Jobs) -> None:
        """Until its time, with what went wrong."""
        jobs.put(job())
        (held,) = take(jobs)
        back = replace(held, status="PENDING", run_after=LATER + SECOND, error="refused")
        assert jobs.finish([back]) == ["job-1"]
        assert take(jobs) == []
        (again,) = take(jobs, now=LATER + SECOND)
        assert (again.attempts, again.error) == (2, "refused")

    def test_a_job_is_finished_once(self, jobs: Jobs) -> None:
        """A second time, or twice in one step, changes nothing."""
        jobs.put(job())
        (held,) = take(jobs)
        assert jobs.finish([ended(held, error="first"), ended(held, error="second")]) == ["job-1"]
        assert jobs.finish([ended(held, error="third")]) == []
        found = jobs.find("default", "job-1")
        assert found is not None
        assert found.error == "first"

    def test_a_lost_lease_can_neither_finish_nor_extend(self, jobs: Jobs) -> None:
        """Of several jobs, those that are still held are stored."""
        jobs.put_many([job(1), job(2)])
        first, second = take(jobs)
        jobs.extend(["job-2"], "worker", LATER + 5 * MINUTE)
        (taken,) = take(jobs, "other", now=LATER + MINUTE, until=LATER + 2 * MINUTE)
        jobs.extend(["job-1"], "worker", LATER + 5 * MINUTE)
        assert jobs.finish([ended(first, error="late"), ended(second)]) == ["job-2"]
        assert jobs.find("default", "job-1") == taken

    def test_a_lease_that_ran_out_finishes_while_nobody_took_it(self, jobs: Jobs) -> None:
        """The work was done; doing it again would be in vain."""
        jobs.put(job())
        (held,) = take(jobs)
        assert jobs.finish([ended(held, completed_at=LATER + 2 * MINUTE)]) == ["job-1"]

    def test_what_was_never_claimed_cannot_be_finished(self, jobs: Jobs) -> None:
        """With no lease, or a forged one."""
        kept = jobs.put(job())
        assert jobs.finish([ended(kept), ended(kept, lease="worker"), ended(job(9), lease="worker")]) == []
        assert jobs.find("default", "job-1") == kept

    # --- one at a time -----------------------------------------------------------------------------------------

    def test_of_a_subject_one_is_claimed_at_a_time(self, jobs: Jobs) -> None:
        """The one due longest of each; what has no subject is not held up."""
        jobs.put_many([job(number, subject=subject) for number, subject in enumerate("abab")])
        jobs.put_many([job(4), job(5)])
        held = take(jobs)
        assert ids(held) == ["job-0", "job-1", "job-4", "job-5"]
        assert take(jobs, "other") == []
        jobs.finish([ended(held[1])])
        assert ids(take(jobs, "other")) == ["job-3"]

    def test_a_subject_is_one_for_all_kinds(self, jobs: Jobs) -> None:
        """Claimed in one step or one after the other."""
        jobs.put_many([job(1, subject="a"), job(2, subject="a", kind="EXPORT")])
        assert ids(take(jobs, kinds=["ADD", "EXPORT"])) == ["job-1"]
        assert take(jobs, kinds=["EXPORT"]) == []

    def test_subjects_that_are_worked_on_hold_up_no_other(self, jobs: Jobs) -> None:
        """However much is due on them, and however little is asked for."""
        jobs.put_many([job(number, subject=f"s{number % 5}") for number in range(20)])
        take(jobs)
        jobs.put_many([job(20, subject="s5"), job(21)])
        assert ids(take(jobs, limit=1)) == ["job-20"]
        assert ids(take(jobs, limit=1)) == ["job-21"]

    def test_a_job_that_waits_for_its_time_lets_others_of_its_subject_pass(self, jobs: Jobs) -> None:
        """A delivery that failed is tried again later, the next one now."""
        jobs.put_many([job(1, subject="a"), job(2, subject="a")])
        (held,) = take(jobs)
        jobs.finish([replace(held, status="PENDING", run_after=LATER + MINUTE)])
        assert ids(take(jobs)) == ["job-2"]

    def test_a_new_claim_on_a_subject_ends_the_one_that_ran_out(self, jobs: Jobs) -> None:
        """So that not two work on it: the late one can neither extend nor finish, and its job waits again."""
        jobs.put(job(1, subject="a"))
        (late,) = take(jobs)
        jobs.put(job(2, subject="a", run_after=START))
        (held,) = take(jobs, "other", now=LATER + MINUTE, until=LATER + 2 * MINUTE)
        assert held.id == "job-2"
        jobs.extend(["job-1"], "worker", LATER + 5 * MINUTE)
        assert jobs.finish([ended(late)]) == []
        jobs.finish([ended(held)])
        assert ids(take(jobs, "other", now=LATER + MINUTE, until=LATER + 2 * MINUTE)) == ["job-1"]

    @pytest.mark.parametrize("subjects", [1, 40])
    def test_claims_at_once_share_the_jobs(
        self, jobs: Jobs, open_jobs: Callable[[], tuple[Jobs, Log]], subjects: int
    ) -> None:
        """Each job to one worker, each subject to one, in threads and through two openings of the store."""
        jobs.put_many([job(number, subject=f"s{number % subjects}") for number in range(40)])
        opened = [jobs, open_jobs()[0]]
        claimed = at_once(lambda number: take(opened[number % 2], f"w{number}", limit=10))
        got = [found for batch in claimed for found in batch]
        assert len({found.subject for found in got}) == len(got) == subjects

    def test_workers_at_once_do_each_job_once(self, jobs: Jobs) -> None:
        """Nothing is lost, and nothing finished twice."""
        jobs.put_many([job(number, subject=f"s{number % 3}" if number % 2 else None) for number in range(60)])

        def work(number: int) -> list[str]:
            done: list[str] = []
            while jobs.count(replace(EVERYTHING, statuses=["PENDING"])):
                done += jobs.finish([ended(held) for held in take(jobs, f"w{number}", limit=5)])
            return done

        done = [job_id for batch in at_once(work, 4) for job_id in batch]
        assert sorted(done) == sorted(f"job-{number}" for number in range(60))

    # --- forgetting --------------------------------------------------------------------------------------------

    def test_a_purge_removes_what_was_done_before(self, jobs: Jobs) -> None:
        """Of the kinds named; what is not done stays, however old."""
        done: dict[str, Any] = {"status": "SUCCEEDED", "completed_at": LATER - SECOND, "memory_ids": ["m"]}
        jobs.put_many([job(0, kind="EXPORT", **done), job(1, **done), job(2, **(done | {"completed_at": LATER}))])
        jobs.put(job(3))
        assert jobs.purge(LATER, ["EXPORT"]) == 1
        assert jobs.purge(LATER, []) == 0
        assert ids(jobs.page(EVERYTHING, limit=10)) == ["job-3", "job-2", "job-1"]
        assert jobs.purge(LATER) == 1
        assert ids(jobs.page(EVERYTHING, limit=10)) == ["job-3", "job-2"]

    def test_blanked_jobs_hold_no_content(self, jobs: Jobs) -> None:
        """Those under the scope: done ones stay done, others fail."""
        jobs.put(job(1, status="SUCCEEDED", completed_at=LATER, results=({"id": "m1", "event": "ADD"},), **CONTENT))
        jobs.put(job(2, **CONTENT))
        jobs.put(job(3, scope=BOB, **CONTENT))
        jobs.put(job(4, scope=ELSEWHERE, **CONTENT))
        assert jobs.blank(SCOPE) == 2
        done, failed = jobs.find("default", "job-1"), jobs.find("default", "job-2")
        assert done is not None
        assert failed is not None
        assert (done.payload, done.content, done.status, len(done.results)) == ({}, None, "SUCCEEDED", 1)
        assert (failed.payload, failed.content, failed.status, failed.error) == ({}, None, "FAILED", ERASED)
        assert [(held.id, dict(held.payload)) for held in take(jobs)] == [
            ("job-3", CONTENT["payload"]),
            ("job-4", CONTENT["payload"]),
        ]

    @pytest.mark.parametrize(
        ("scope", "blank"),
        [
            (Scope(), {1, 2, 3}),
            (Scope(user_id="*"), {1, 2}),
            (Scope(agent_id="planner"), {3}),
            (Scope(user_id="alice", run_id="*"), set()),
            (Scope(project="other"), {4}),
        ],
        ids=str,
    )
    def test_a_scope_is_blanked_as_a_boundary(self, jobs: Jobs, scope: Scope, blank: set[int]) -> None:
        """Its ids must be equal; `*` is any, but not none."""
        scopes = {1: SCOPE, 2: BOB, 3: Scope(agent_id="planner"), 4: ELSEWHERE}
        jobs.put_many([job(number, scope=where, **CONTENT) for number, where in scopes.items()])
        assert jobs.blank(scope) == len(blank)
        found = {number: jobs.find(where.project, f"job-{number}") for number, where in scopes.items()}
        assert {number for number, kept in found.items() if kept and not kept.payload} == blank

    def test_a_running_job_that_was_blanked_lost_its_lease(self, jobs: Jobs) -> None:
        """What it made of what was erased is not stored."""
        jobs.put(job(**CONTENT))
        (held,) = take(jobs)
        jobs.blank(SCOPE)
        assert jobs.finish([ended(held)]) == []
        found = jobs.find("default", "job-1")
        assert found is not None
        assert (found.status, found.content) == ("FAILED", None)

    def test_a_deletion_outlives_the_blank_that_it_brings(self, jobs: Jobs) -> None:
        """It is the one that erases, and holds no text of a memory."""
        jobs.put(job(kind="DELETE_ALL", payload={"filters": {"user_id": "alice"}}))
        (held,) = take(jobs, kinds=["DELETE_ALL"])
        assert jobs.blank(SCOPE) == 0
        assert jobs.finish([ended(held)]) == ["job-1"]
        assert jobs.blank(SCOPE) == 1

    def test_an_erased_memory_is_in_no_job_that_names_it(self, jobs: Jobs, scribe: Scribe) -> None:
        """In its project; other jobs stay as they are."""
        memory, other = scribe.add(), scribe.add("Another.")
        jobs.put(job(1, status="SUCCEEDED", completed_at=LATER, memory_ids=[memory.id, other.id], **CONTENT))
        jobs.put(job(2, kind="DELIVERY", memory_ids=[memory.id], **CONTENT))
        jobs.put(job(3, memory_ids=[other.id], **CONTENT))
        jobs.put(job(4, scope=ELSEWHERE, memory_ids=[memory.id], **CONTENT))
        scribe.erase(memory)
        found = [jobs.find("default", f"job-{number}") for number in (1, 2, 3)] + [jobs.find("other", "job-4")]
        assert [(kept.status, bool(kept.payload), bool(kept.content)) for kept in found if kept] == [
            ("SUCCEEDED", False, False),
            ("FAILED", False, False),
            ("PENDING", True, True),
            ("PENDING", True, True),
        ]

    def test_an_erased_memory_is_not_in_the_job_that_stored_it(self, jobs: Jobs, scribe: Scribe) -> None:
        """Also when a crash came between the store and the end of the job: its id was the idempotency key."""
        jobs.put_many([job(1, **CONTENT), job(2, scope=BOB, **CONTENT)])
        memory = scribe.add(idempotency_key="job-1")
        scribe.erase(memory)
        found = jobs.find("default", "job-1")
        assert found is not None
        assert (found.status, found.payload, found.content) == ("FAILED", {}, None)
        assert ids(take(jobs)) == ["job-2"]

    def test_what_was_erased_meanwhile_is_stored_blank(self, jobs: Jobs, scribe: Scribe) -> None:
        """By a job that read it before and ends after, or is kept after."""
        memory = scribe.add()
        jobs.put(job(1, kind="EXPORT"))
        (held,) = take(jobs, kinds=["EXPORT"])
        scribe.erase(memory)
        assert jobs.finish([ended(held, memory_ids=[memory.id], **CONTENT)]) == ["job-1"]
        late = jobs.put(job(2, status="SUCCEEDED", completed_at=LATER, memory_ids=[memory.id], **CONTENT))
        for found in (jobs.find("default", "job-1"), jobs.find("default", "job-2"), late):
            assert found is not None
            assert (found.status, found.payload, found.content) == ("SUCCEEDED", {}, None)

    def test_forgotten_sources_are_in_no_job(self, jobs: Jobs, opened: tuple[Jobs, Log]) -> None:
        """Under their scope."""
        jobs.put_many([job(1, **CONTENT), job(2, scope=BOB, **CONTENT)])
        with opened[1].write() as transaction:
            transaction.forget_sources(SCOPE)
        found = jobs.find("default", "job-1")
        assert found is not None
        assert (found.status, found.payload, found.content) == ("FAILED", {}, None)
        assert jobs.find("default", "job-2") == job(2, scope=BOB, **CONTENT)

    def test_one_job_is_held_by_its_id(self, jobs: Jobs) -> None:
        """By whoever comes first, until the lease runs out or it is given back; as a claim would."""
        jobs.put_many([job(1), job(2), job(3, kind="DELIVERY", subject="hook")])

        def hold(job_id: str, lease: str, project: str = "default", now: datetime = LATER) -> Job | None:
            return jobs.hold(project, job_id, lease, now=now, until=now + MINUTE)

        assert hold("job-2", "a", project="other") is None
        assert hold("unknown", "a") is None
        assert hold("job-2", "a", now=START) is None  # not yet
        held = hold("job-2", "a")
        assert held is not None
        assert (held.id, held.status, held.lease, held.attempts, held.started_at) == ("job-2", "RUNNING", "a", 1, LATER)
        assert hold("job-2", "b") is None
        assert ids(take(jobs)) == ["job-1"]
        assert jobs.finish([ended(held)]) == ["job-2"]
        assert hold("job-2", "a") is None
        jobs.put(job(4, kind="DELIVERY", subject="hook"))
        assert hold("job-3", "a") is not None
        assert hold("job-4", "b") is None  # of a subject, one
        assert hold("job-4", "b", now=LATER + MINUTE) is not None

    def test_of_those_who_hold_one_at_once_one_has_it(
        self, jobs: Jobs, open_jobs: Callable[[], tuple[Jobs, Log]]
    ) -> None:
        """In threads, and through two openings of the store."""
        jobs.put(job(1))
        openings = [jobs, open_jobs()[0]]
        held = at_once(
            lambda number: openings[number % 2].hold("default", "job-1", f"{number}", now=LATER, until=LATER + MINUTE)
        )
        assert len([one for one in held if one is not None]) == 1

    def test_the_backlog_is_what_is_not_done(self, jobs: Jobs) -> None:
        """Of these kinds, with the time since which the oldest could have been begun."""
        assert jobs.backlog(["ADD"], LATER) == Backlog()
        jobs.put_many([job(1, status="FAILED", completed_at=LATER), job(2), job(3), job(4, kind="EXPORT")])
        assert jobs.backlog(["ADD"], LATER) == Backlog(waiting=2, oldest=START + 2 * SECOND)
        assert jobs.backlog(["ADD"], START) == Backlog(waiting=2)
        assert jobs.backlog(["ADD", "EXPORT"], LATER).waiting == 3
        assert jobs.backlog([], LATER) == Backlog()
        (held, _) = take(jobs)
        assert jobs.backlog(["ADD"], LATER) == Backlog(waiting=2, oldest=START + 2 * SECOND)
        jobs.finish([ended(held)])
        assert jobs.backlog(["ADD"], LATER) == Backlog(waiting=1, oldest=START + 3 * SECOND)

    def test_what_waits_for_later_can_be_made_due_now(self, jobs: Jobs) -> None:
        """Of these kinds, in the order of `put`; what is worked on or done stays as it is."""
        now = START + MINUTE
        jobs.put_many(
            [job(1), job(2, run_after=LATER + MINUTE), job(3, run_after=LATER), job(4, kind="EXPORT", run_after=LATER)]
        )
        (held,) = jobs.claim(["ADD"], "a", now=now, until=now + MINUTE, limit=1)
        assert jobs.hasten(["ADD"], now) == 2
        assert jobs.hasten(["ADD"], now) == 0
        due = jobs.claim(["ADD", "EXPORT"], "b", now=now, until=now + MINUTE, limit=9)
        assert [one.id for one in due] == ["job-2", "job-3"]
        assert jobs.finish([ended(held)]) == [held.id]

    @pytest.mark.parametrize(
        ("up_to", "due"),
        [(0, ["job-3"]), (1, ["job-3"]), (2, ["job-3", "job-2"]), (4, ["job-3", "job-2", "job-1", "job-5"])],
    )
    def test_of_what_waits_so_much_is_made_due_as_is_asked_for(self, jobs: Jobs, up_to: int, due: list[str]) -> None:
        """With what is due already, and of what waits the earliest; then what failed for good. The others keep their times."""
        now = START + MINUTE
        gone = {"status": "FAILED", "payload": {"part": 0}, "completed_at": now}
        waiting = [job(1, run_after=LATER + MINUTE), job(2, run_after=LATER), job(3), job(4, kind="EXPORT")]
        jobs.put_many([*waiting, job(5, **gone), job(6, **gone)])
        hastened, revived = jobs.hasten(["ADD"], now, up_to=up_to), jobs.revive(["ADD"], now, up_to=up_to)
        assert (hastened, revived) == (min(max(up_to - 1, 0), 2), max(up_to - 3, 0))
        assert sorted(ids(jobs.claim(["ADD"], "a", now=now, until=now + MINUTE, limit=9))) == sorted(due)
        others = [found for one in waiting if one.id not in due and (found := jobs.find("default", one.id))]
        assert others == [one for one in waiting if one.id not in due]

    def test_what_failed_for_good_can_wait_again(self, jobs: Jobs) -> None:
        """Of these kinds, from its first attempt; not what an erase blanked, which nobody can do any more."""
        gone = {"status": "FAILED", "error": "down", "attempts": 9, "completed_at": LATER}
        asked = {"payload": {"part": 0}}
        jobs.put_many(
            [
                job(1, **asked, **gone),
                job(2, payload={}, **gone),
                job(3, **asked),
                job(4, kind="EXPORT", **asked, **gone),
            ]
        )
        jobs.finish([ended(take(jobs)[0])])
        assert jobs.revive(["ADD"], LATER) == 1
        assert jobs.revive(["ADD"], LATER) == 0
        again = jobs.find("default", "job-1")
        assert again is not None
        assert (again.status, again.attempts, again.completed_at) == ("PENDING", 0, None)
        assert (again.error, again.run_after, again.updated_at) == ("down", LATER, LATER)
        assert [one.id for one in take(jobs)] == ["job-1"]

    def test_what_is_done_can_wait_again(self, jobs: Jobs) -> None:
        """Once, by whoever saw it done: not when it is waiting or was done anew since, nor when an erase blanked it."""
        jobs.put_many([job(1, payload={"part": 0}), job(2, payload={}, status="SUCCEEDED", completed_at=LATER)])
        jobs.finish([ended(take(jobs)[0])])
        done, blank = (jobs.find("default", f"job-{number}") for number in (1, 2))
        assert done is not None
        assert blank is not None
        assert jobs.reopen(done, [{"event": "UNDONE"}], LATER)
        assert not jobs.reopen(done, [], LATER)
        assert not jobs.reopen(blank, [], LATER)
        again = jobs.find("default", "job-1")
        assert again is not None
        assert (again.status, list(again.results), again.completed_at) == ("PENDING", [{"event": "UNDONE"}], None)
        assert ids(take(jobs)) == ["job-1"]


class AuditConformance:
    """Subclass it, override `open_audit`."""

    @pytest.fixture
    def open_audit(self) -> Callable[[], Audit]:
        """Gives a function that opens the audit of this test; a second call opens the same one again."""
        raise NotImplementedError("Override the fixture open_audit.")

    @pytest.fixture
    def audit(self, open_audit: Callable[[], Audit]) -> Audit:
        """An empty audit."""
        return open_audit()

    def entry(self, number: int = 1, **fields: Any) -> AuditEntry:
        """What alice did so many seconds after `START`."""
        defaults: dict[str, Any] = {
            "at": START + number * SECOND,
            "project": "default",
            "actor": "alice",
            "key_id": None,
            "connector": "rest",
            "action": "memory.search",
        }
        return AuditEntry(**(defaults | fields))

    def test_an_entry_is_given_back_as_it_was_kept(self, audit: Audit, open_audit: Callable[[], Audit]) -> None:
        """To whoever opens the store."""
        full = self.entry(key_id="k1", target="user_id=a memory_id=b", outcome="not_found", count=3, request_id="r1")
        audit.append([full])
        assert audit.page(ALL_OF_IT, limit=10) == open_audit().page(ALL_OF_IT, limit=10) == [full]

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ({}, [1, 2, 3, 4]),
            ({"project": "other"}, [5]),
            ({"project": "unknown"}, []),
            ({"actor": "bob"}, [2]),
            ({"key_id": "k1"}, [3]),
            ({"outcome": "forbidden"}, [4]),
            ({"action": "memory"}, [1, 2]),
            ({"action": "memory.add"}, [2]),
            ({"action": "Memory"}, []),
            ({"action": "m%"}, []),
            ({"action": "key_"}, [4]),
            ({"action": ""}, [1, 2, 3, 4]),
            ({"target": "user_id=alice"}, [1, 2]),
            ({"target": "memory_id=1"}, [2]),
            ({"target": "user_id=al"}, []),
            ({"target": "id=alice"}, []),
            ({"after": START + 2 * SECOND}, [2, 3, 4]),
            ({"before": START + 2 * SECOND}, [1]),
            ({"action": "memory", "actor": "alice", "after": START}, [1]),
        ],
        ids=str,
    )
    def test_a_listing_is_what_all_conditions_admit(
        self, audit: Audit, asked: dict[str, Any], expected: list[int]
    ) -> None:
        """A page is newest first, a scan oldest first; the count agrees."""
        entries = {
            1: self.entry(1, target="user_id=alice"),
            2: self.entry(2, actor="bob", action="memory.add", target="user_id=alice memory_id=1"),
            3: self.entry(3, key_id="k1", action="keys.list", target="user_id=alice2"),
            4: self.entry(4, action="key_x", outcome="forbidden", target="memory_id=12"),
            5: self.entry(5, project="other", target="user_id=alice"),
        }
        audit.append(list(entries.values()))
        listing = replace(ALL_OF_IT, **asked)
        found = [entries[number] for number in expected]
        assert list(audit.scan(listing)) == found
        assert audit.page(listing, limit=10) == found[::-1]
        assert audit.count(listing) == len(found)

    def test_the_order_is_that_of_appending(self, audit: Audit) -> None:
        """A clock that steps back changes nothing; pages follow each other."""
        audit.append([self.entry(number % 3, request_id=str(number)) for number in range(5)])
        audit.append([])
        pages = [audit.page(ALL_OF_IT, limit=2, offset=offset) for offset in (0, 2, 4, 6)]
        assert [[found.request_id for found in page] for page in pages] == [["4", "3"], ["2", "1"], ["0"], []]

    def test_appends_at_once_are_all_kept_each_whole(self, audit: Audit) -> None:
        """The entries of one call stay together, in order."""
        at_once(lambda thread: audit.append([self.entry(number, actor=f"{thread}") for number in range(5)]))
        times = [found.at for found in audit.scan(ALL_OF_IT)]
        assert times == [START + number * SECOND for number in range(5)] * THREADS

    def test_a_scan_that_is_given_up_holds_nothing(self, audit: Audit) -> None:
        """Others write on."""
        audit.append([self.entry(number) for number in range(3)])
        scan = iter(audit.scan(ALL_OF_IT))
        next(scan)
        del scan
        assert audit.purge(LATER) == 3
        assert audit.count(ALL_OF_IT) == 0

    def test_a_purge_removes_what_is_older(self, audit: Audit) -> None:
        """In all projects; the very moment stays."""
        audit.append([self.entry(1), self.entry(2, project="other"), self.entry(3)])
        assert audit.purge(START + 3 * SECOND) == 2
        assert list(audit.scan(ALL_OF_IT)) == [self.entry(3)]
        assert audit.purge(START) == 0


class TouchesConformance:
    """Subclass it, override `open_touches`."""

    @pytest.fixture
    def open_touches(self) -> Callable[[], Touches]:
        """Gives a function that opens the touches of this test; a second call opens the same ones again."""
        raise NotImplementedError("Override the fixture open_touches.")

    @pytest.fixture
    def touches(self, open_touches: Callable[[], Touches]) -> Touches:
        """Nothing was found yet."""
        return open_touches()

    def test_what_was_found_is_known_to_its_project(
        self, touches: Touches, open_touches: Callable[[], Touches]
    ) -> None:
        """Whoever opens the store; of the others nothing."""
        touches.touch("default", ["a", "b"], START)
        assert open_touches().touched("default", ["a", "c"]) == {"a": Touched(at=START)}
        assert touches.touched("other", ["a"]) == {}
        assert touches.touched("default", []) == {}

    def test_the_last_time_counts_and_how_often(self, touches: Touches) -> None:
        """Whichever is written first; a list that names one twice is one search."""
        touches.touch("default", ["a", "a"], LATER)
        touches.touch("default", ["a"], START)
        assert touches.touched("default", ["a"]) == {"a": Touched(at=LATER, touches=2)}

    def test_so_many_are_counted_and_no_more(self, touches: Touches) -> None:
        """However popular a memory is, it can be overtaken."""
        for _ in range(MOST_TOUCHES + 2):
            touches.touch("default", ["a"], START)
        assert touches.touched("default", ["a"]) == {"a": Touched(at=START, touches=MOST_TOUCHES)}

    def test_touches_at_once_all_count(self, touches: Touches, open_touches: Callable[[], Touches]) -> None:
        """In threads, through two openings of the store."""
        both = touches, open_touches()
        at_once(lambda number: both[number % 2].touch("default", ["a"], START))
        assert touches.touched("default", ["a"])["a"].touches == THREADS
