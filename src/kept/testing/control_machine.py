"""Random lives of jobs, held against their laws and against the jobs in memory, step by step.

The laws: a job is held under one lease at a time, and of a subject one job; what is lost cannot be finished, and what is
finished is so once; every job that was kept is waiting, held or done until it is purged; no erased text is in a job.

Use::

    def test_random_lives(tmp_path):
        numbers = itertools.count()
        run_state_machine_as_test(jobs_machine(lambda: open_jobs(tmp_path / str(next(numbers)))))
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kept.adapters.inmemory import InMemoryLog
from kept.adapters.inmemory_control import InMemoryJobs
from kept.domain.jobs import DONE, Job, JobKind
from kept.domain.scope import Scope
from kept.ports import JobListing
from kept.testing.fakes import SCOPE, START, FixedClock, Scribe, job

if TYPE_CHECKING:
    from collections.abc import Callable

    from kept.domain.memory import MemoryRecord
    from kept.ports import Jobs, Log

SUBJECTS: Final[dict[JobKind, tuple[str | None, ...]]] = {
    "ADD": (None,),
    "EXPORT": (None, "e"),
    "DELIVERY": ("hook-1", "hook-2"),
    "DELETE_ALL": (None,),
}
KINDS: Final = tuple(SUBJECTS)
SCOPES: Final = (SCOPE, Scope(user_id="bob"), Scope(project="other", user_id="alice"))
EVERYTHING: Final = [JobListing(project=project) for project in ("default", "other")]
MANY: Final = 1000

GROUPS: Final = (KINDS, ("ADD",), ("EXPORT", "DELIVERY"))
"""Kinds that are claimed together."""

_pauses = st.sampled_from([0, 0, 10, 30]).map(lambda seconds: timedelta(seconds=seconds))
"""Few and round, so that leases often end at the very moment of the next claim."""


class JobsMachine(RuleBasedStateMachine):
    """Lives of jobs. Make one with `jobs_machine`."""

    open_jobs: Callable[[], tuple[Jobs, Log]]

    def __init__(self) -> None:
        super().__init__()
        self.jobs, self.log = type(self).open_jobs()
        reference = InMemoryLog()
        self.both: tuple[Jobs, Jobs] = (self.jobs, InMemoryJobs(reference))
        self.scribes = [Scribe(log, clock=FixedClock(tick=timedelta(seconds=1))) for log in (self.log, reference)]
        self.now = START
        self._numbers = count(1)
        self.kept: dict[str, str] = {}
        """Ids of jobs that are still there, with their project."""
        self.claims: list[Job] = []
        """Every claim that was ever made."""
        self.held: dict[str, Job] = {}
        """The claims of which none was lost or ended, by the job's id."""
        self.memories: list[MemoryRecord] = []
        self.erased: set[str] = set()

    @initialize()
    def put_one_of_each(self) -> None:
        """So that there is something to work on."""
        for kind, subjects in SUBJECTS.items():
            for pick in range(len(subjects)):
                self.put(kind=kind, pick=pick, scope=SCOPE, key=None, wait=timedelta(0), names=1)

    @rule(
        kind=st.sampled_from(KINDS),
        pick=st.integers(0, 5),
        scope=st.sampled_from(SCOPES),
        key=st.none() | st.sampled_from(["once", "twice"]),
        wait=_pauses,
        names=st.integers(1, 3),
    )
    def put(self, kind: JobKind, pick: int, scope: Scope, key: str | None, wait: timedelta, names: int) -> None:
        """Keep a job, which may name memories, erased ones too."""
        subjects = SUBJECTS[kind]
        given = job(
            next(self._numbers),
            kind=kind,
            scope=scope,
            subject=subjects[pick % len(subjects)],
            idempotency_key=key,
            created_at=self.now,
            updated_at=self.now,
            run_after=self.now + wait,
            payload={"text": "asked"},
            memory_ids=[memory.id for memory in self.memories[-names:] if memory.project == scope.project],
        )
        kept = self._agree(lambda jobs: jobs.put(given))
        self.kept[kept.id] = scope.project

    @precondition(lambda self: len(self.held) < len(self.kept))
    @rule(kinds=st.sampled_from(GROUPS), limit=st.integers(1, 4), passed=_pauses, lease=_pauses)
    def claim(self, kinds: tuple[JobKind, ...], limit: int, passed: timedelta, lease: timedelta) -> None:
        """Some time later: nobody else's, and of each subject one."""
        self.now += passed
        name = f"worker-{next(self._numbers)}"
        until = self.now + lease
        claimed: list[Job] = self._agree(lambda jobs: jobs.claim(kinds, name, now=self.now, until=until, limit=limit))
        assert len(claimed) <= limit
        for new in claimed:
            for old in list(self.held.values()):
                if old.id == new.id or (new.subject is not None and old.subject == new.subject):
                    assert old.lease_until is not None
                    assert old.lease_until <= self.now, "two hold what one may"
                    del self.held[old.id]
        for new in claimed:
            assert new.id not in self.held
            assert new.lease == name
            self.held[new.id] = new
        self.claims += claimed

    @precondition(lambda self: self.claims)
    @rule(which=st.integers(0, MANY), longer=_pauses)
    def extend(self, which: int, longer: timedelta) -> None:
        """Some claim, lost or not."""
        claim = self.claims[which % len(self.claims)]
        until = self.now + longer
        self._agree(lambda jobs: jobs.extend([claim.id], claim.lease or "", until))
        held = self.held.get(claim.id)
        if held is not None and held.lease == claim.lease:
            self.held[claim.id] = replace(held, lease_until=until)

    @precondition(lambda self: self.claims)
    @rule(which=st.integers(0, MANY), how=st.sampled_from(["SUCCEEDED", "FAILED", "PENDING"]), wait=_pauses)
    def finish(self, which: int, how: Any, wait: timedelta) -> None:
        """Some claim: exactly when it is still held."""
        claim = self.claims[which % len(self.claims)]
        ended = replace(
            claim,
            status=how,
            updated_at=self.now,
            run_after=self.now + wait,
            completed_at=self.now if how in DONE else None,
            content="made",
            memory_ids=[memory.id for memory in self.memories[:1] if memory.project == claim.scope.project],
        )
        stored = self._agree(lambda jobs: jobs.finish([ended, ended]))
        held = self.held.get(claim.id)
        assert stored == ([claim.id] if held is not None and held.lease == claim.lease else [])
        if stored:
            del self.held[claim.id]

    @rule(kinds=st.sampled_from(GROUPS), up_to=st.none() | st.integers(0, 4))
    def make_due(self, kinds: tuple[JobKind, ...], up_to: int | None) -> None:
        """What waits for later, and what failed for good."""
        self._agree(lambda jobs: jobs.hasten(kinds, self.now, up_to=up_to))
        self._agree(lambda jobs: jobs.revive(kinds, self.now, up_to=up_to))

    @rule(scope=st.sampled_from(SCOPES))
    def remember(self, scope: Scope) -> None:
        """A memory that jobs can name; the last job kept may be what stored it."""
        key = next(reversed(self.kept), None) if self.kept and len(self.memories) % 2 else None
        key = key if key and self.kept[key] == scope.project and not self._used(key, scope) else None
        text = f"Memory {len(self.memories)}."
        first, second = [scribe.add(text, scope=scope, idempotency_key=key) for scribe in self.scribes]
        assert first == second
        self.memories.append(first)

    @precondition(lambda self: self.memories)
    @rule(which=st.integers(0, MANY))
    def erase(self, which: int) -> None:
        """Jobs lose what they hold of it; some may lose their lease with it."""
        memory = self.memories[which % len(self.memories)]
        if memory.id not in self.erased:
            self.erased.add(memory.id)
            for scribe in self.scribes:
                scribe.erase(memory)
            self._let_go()

    @rule(scope=st.sampled_from(SCOPES[1:]))
    def blank(self, scope: Scope) -> None:
        """All jobs under a scope."""
        self._agree(lambda jobs: jobs.blank(scope))
        self._let_go()

    @rule(kinds=st.none() | st.sampled_from(GROUPS))
    def purge(self, kinds: tuple[JobKind, ...] | None) -> None:
        """Only what is done goes."""
        done = {found.id for found in self._all() if found.completed_at and found.completed_at < self.now}
        of_kind = {found.id for found in self._all() if kinds is None or found.kind in kinds}
        assert self._agree(lambda jobs: jobs.purge(self.now, kinds)) == len(done & of_kind)
        for job_id in done & of_kind:
            del self.kept[job_id]

    @invariant()
    def nothing_is_lost(self) -> None:
        """Every job is there, and both stores show the same."""
        assert self._agree(lambda jobs: [jobs.page(listing, limit=MANY) for listing in EVERYTHING])
        assert {found.id: found.scope.project for found in self._all()} == self.kept
        self._agree(lambda jobs: jobs.backlog(KINDS, self.now))

    @invariant()
    def what_is_held_runs(self) -> None:
        """Under the lease of whoever holds it, and nothing else runs."""
        running = {found.id: found.lease for found in self._all() if found.status == "RUNNING"}
        assert running == {held.id: held.lease for held in self.held.values()}

    @invariant()
    def no_job_holds_what_was_erased(self) -> None:
        """Unless it deletes and is not done."""
        for found in self._all():
            if self.erased.intersection(found.memory_ids) and not (
                found.kind == "DELETE_ALL" and found.status not in DONE
            ):
                assert not found.payload
                assert found.content is None

    def teardown(self) -> None:
        """Close the store."""
        self.log.close()

    def _all(self) -> list[Job]:
        return [found for listing in EVERYTHING for found in self.jobs.page(listing, limit=MANY)]

    def _used(self, key: str, scope: Scope) -> bool:
        return self.log.find_idempotent(scope.project, key) is not None

    def _let_go(self) -> None:
        """Claims that a blank ended are nobody's."""
        running = {found.id for found in self._all() if found.status == "RUNNING"}
        self.held = {job_id: held for job_id, held in self.held.items() if job_id in running}

    def _agree(self, act: Callable[[Jobs], Any]) -> Any:
        done, expected = [act(jobs) for jobs in self.both]
        assert done == expected
        return done


def jobs_machine(open_jobs: Callable[[], tuple[Jobs, Log]]) -> type[JobsMachine]:
    """A machine over the jobs and logs that `open_jobs` opens, each empty. Run it with `run_state_machine_as_test`."""
    return type("OpenedJobsMachine", (JobsMachine,), {"open_jobs": staticmethod(open_jobs)})
