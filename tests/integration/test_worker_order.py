"""The worker when things go wrong: failures, crashes and stops change neither the order of writes nor what is stored."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import timedelta

import pytest

from kept.bootstrap import build_worker
from kept.domain.scope import Scope
from kept.engine.worker import LEASE, MOST_BEGUN
from kept.errors import StoreBusyError
from kept.settings import Settings

SECOND = timedelta(seconds=1)
ALICE, BOB = {"user_id": "alice"}, {"user_id": "bob"}


@pytest.fixture
def clock(platform, clock_of):
    return clock_of(platform)


@pytest.fixture
def make_worker(platform, tmp_path):
    """Makes workers that work when the test says so."""
    settings = Settings.load(environ={}, config=tmp_path / "none.toml")
    return lambda: build_worker(settings, platform)


@pytest.fixture
def worker(make_worker):
    return make_worker()


@pytest.fixture
def die(platform, clock):
    """A process takes up so many writes and dies; its lease ends with `clock.advance(LEASE)`."""
    kinds = ["ADD", "DELETE_ALL", "DELETE_USER"]
    return lambda limit=1: platform.jobs.claim(kinds, "dead", now=clock(), until=clock() + LEASE, limit=limit)


class Failing:
    """A service whose named methods fail a number of times, as if the store were busy."""

    def __init__(self, service, **times):
        self._service = service
        self.times = Counter(times)

    def __getattr__(self, name):
        method = getattr(self._service, name)
        return method if name not in self.times else lambda *given, **named: self._attempt(name, method, given, named)

    def _attempt(self, name, method, given, named):
        self.times[name] -= 1
        if self.times[name] >= 0:
            raise StoreBusyError
        return method(*given, **named)


@pytest.fixture
def fail(platform):
    """The service fails so many times: `fail(delete_all=2)`."""
    return lambda **times: object.__setattr__(platform, "service", Failing(platform.service, **times))


def ask(access, text, ids=ALICE):
    return access.add(ids, [text])[0]


def texts(access, ids=ALICE):
    return sorted(record.text for record in access.memories(ids=ids)[0])


def finish(worker, clock):
    """Work until nothing waits any more."""
    for _ in range(20):
        worker.run_due()
        clock.advance(LEASE)


# --- order ---


def test_a_deletion_takes_what_a_dead_process_had_begun_to_store(access, worker, clock, die):
    """What somebody wanted gone does not come back when the lease of the dead ends."""
    ask(access, "said before the deletion")
    die()
    clock.advance(SECOND)
    job = access.delete_all(ALICE)
    worker.run_due()
    assert access.event(job.id).status == "PENDING"
    finish(worker, clock)
    assert (access.event(job.id).status, access.event(job.id).attempts) == ("SUCCEEDED", 1)
    assert texts(access) == []


def test_a_deletion_takes_what_has_to_be_stored_again(access, worker, clock, fail):
    fail(add_many=2)
    ask(access, "said before the deletion")
    clock.advance(SECOND)
    access.delete_all(ALICE)
    clock.advance(SECOND)
    ask(access, "said after the deletion")
    finish(worker, clock)
    assert texts(access) == ["said after the deletion"]


def test_a_deletion_that_has_to_be_tried_again_takes_nothing_that_came_after_it(access, worker, clock, fail):
    fail(delete_all=3)
    ask(access, "said before the deletion")
    clock.advance(SECOND)
    access.delete_all(ALICE)
    clock.advance(SECOND)
    ask(access, "said after the deletion")
    finish(worker, clock)
    assert texts(access) == ["said after the deletion"]


def test_what_is_stored_at_once_after_a_deletion_stays(access, worker, clock, say):
    """Though the deletion is done later."""
    say("said before the deletion")
    access.delete_all(ALICE)
    say("said after the deletion")
    finish(worker, clock)
    assert texts(access) == ["said after the deletion"]


def test_what_is_stored_at_once_waits_while_a_deletion_is_at_work(access, platform, say):
    """Else the deletion might look before it is stored and delete after it."""
    access.delete_all(ALICE)
    storing = threading.Thread(target=say, args=["said after the deletion"])
    with platform.storing:
        storing.start()
        storing.join(0.1)
        assert texts(access) == []
    storing.join()
    assert texts(access) == ["said after the deletion"]


def test_a_deletion_that_fails_holds_up_nobody_else(access, worker, clock, fail):
    fail(delete_all=2)
    access.delete_all(ALICE)
    clock.advance(SECOND)
    alices, bobs = ask(access, "of alice"), ask(access, "of bob", BOB)
    worker.run_due()
    assert (access.event(alices.id).status, access.event(bobs.id).status) == ("PENDING", "SUCCEEDED")
    finish(worker, clock)
    assert (texts(access), texts(access, BOB)) == (["of alice"], ["of bob"])


def test_a_deletion_waits_for_no_other_users_adds(access, worker, clock, die):
    ask(access, "of bob", BOB)
    die()
    clock.advance(SECOND)
    job = access.delete_all(ALICE)
    worker.run_due()
    assert access.event(job.id).status == "SUCCEEDED"


# --- what ends processes ---


def test_what_ended_processes_is_begun_alone(access, worker, clock, die, platform, monkeypatch):
    """So that it takes no others with it."""
    jobs = [ask(access, f"said as number {number}") for number in range(4)]
    for _ in range(2):
        die(limit=3)
        clock.advance(LEASE)
    batches, add_many = [], platform.service.add_many
    monkeypatch.setattr(platform.service, "add_many", lambda found: batches.append(len(found)) or add_many(found))
    finish(worker, clock)
    assert batches == [1, 1, 1, 1]
    assert [access.event(job.id).attempts for job in jobs] == [3, 3, 3, 1]
    assert len(texts(access)) == 4


def test_what_ended_too_many_processes_fails(access, worker, clock, die):
    poison = ask(access, "what no process survives")
    for _ in range(MOST_BEGUN):
        die()
        clock.advance(LEASE)
    other = ask(access, "said by somebody else")
    worker.run_due()
    event = access.event(poison.id)
    assert (event.status, access.event(other.id).status) == ("FAILED", "SUCCEEDED")
    assert "survives" not in event.error
    assert f"{MOST_BEGUN} times" in event.error


def test_what_is_not_finished_when_the_worker_stops_is_given_back(access, make_worker, platform, monkeypatch):
    """To whoever comes next, at once, and it does not count as an attempt."""
    reached, go_on = threading.Event(), threading.Event()
    add_many = platform.service.add_many

    def slow(requests):
        reached.set()
        go_on.wait(10)
        return add_many(requests)

    monkeypatch.setattr(platform.service, "add_many", slow)
    worker = make_worker()
    worker.start()
    job = ask(access, "I live in Lisbon near the river")
    assert reached.wait(10)
    worker.stop(grace_s=0.1)
    assert (access.event(job.id).status, access.event(job.id).attempts) == ("PENDING", 0)
    go_on.set()
    worker.stop()
    make_worker().run_due()
    assert (access.event(job.id).status, access.event(job.id).attempts) == ("SUCCEEDED", 1)
    assert texts(access) == ["I live in Lisbon near the river"]


# --- kill -9 ---

WORKER = """
import os, sys
from datetime import timedelta
from pathlib import Path
from kept.bootstrap import build_platform, build_worker
from kept.settings import Settings

path, lives = sys.argv[1], int(sys.argv[2])
settings = Settings.load(environ={}, config=Path(path).with_name("none.toml"), database=path)
platform = build_platform(settings)
now = platform.clock
object.__setattr__(platform, "clock", lambda: now() + timedelta(minutes=2 * lives))
add_many, served = platform.service.add_many, 0

def telling(requests):
    global served
    answers = add_many(requests)
    served += 1
    os.write(1, b"stored\\n")
    return answers

platform.service.add_many = telling
build_worker(settings, platform).run_due()
os.write(1, b"done\\n")
"""
"""Works in its own time, two minutes later than the one before it, so that the leases of the dead have ended."""

ADDS = 400
DEATHS = 4


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_killed_again_and_again_it_stores_everything_once(access, platform, start_python, tmp_path):
    """Whenever it dies: each acknowledged add ends well, each memory is there once, and no deleted one comes back."""
    jobs = [ask(access, f"said before as number {number}", ids) for number in range(ADDS // 4) for ids in (ALICE, BOB)]
    deletion = access.delete_all(ALICE)
    jobs += [ask(access, f"said after as number {number}", ids) for number in range(ADDS // 4) for ids in (ALICE, BOB)]
    for life in range(DEATHS):
        process = start_python(WORKER, tmp_path / "kept.db", life)
        for _ in range(life % 3 + 1):
            process.stdout.readline()
        time.sleep(0.004 * life)  # dies at another point of its work each time
        process.kill()
        process.communicate()
    process = start_python(WORKER, tmp_path / "kept.db", DEATHS)
    assert process.communicate()[0].endswith("done\n")
    assert {access.event(job.id).status for job in (*jobs, deletion)} == {"SUCCEEDED"}
    after = {f"said after as number {number}" for number in range(ADDS // 4)}
    before = {f"said before as number {number}" for number in range(ADDS // 4)}
    assert sorted(texts_of(platform, "alice")) == sorted(after)
    assert sorted(texts_of(platform, "bob")) == sorted(before | after)


def texts_of(platform, user_id):
    records, _ = platform.service.list(Scope(user_id=user_id), limit=10 * ADDS)
    assert all(record.reinforced == 0 for record in records)
    return [record.text for record in records]
