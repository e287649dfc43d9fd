"""The worker: what was acknowledged is done, in order, once, whatever happens meanwhile."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from kept import bootstrap
from kept.bootstrap import build_worker
from kept.domain.filters import parse_filter
from kept.engine.proposing import Proposing
from kept.engine.worker import LEASE, MAX_ASKED, MAX_ATTEMPTS, Worker
from kept.errors import ModelRefusedError, ModelUnavailableError, StoreBusyError
from kept.sdk import wire
from kept.settings import Settings
from kept.testing.fakes import FakeEmbedder


@pytest.fixture
def worker(platform, tmp_path):
    """A worker that works when the test says so."""
    return build_worker(Settings.load(environ={}, config=tmp_path / "none.toml"), platform)


def ask(access, *texts, user_id="alice", **options):
    """Acknowledged adds, one for each text."""
    return [access.add({"user_id": user_id}, [text], **options)[0] for text in texts]


def wait_until(is_so):
    until = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.005)


def texts(access, user_id="alice"):
    return sorted(record.text for record in access.memories(ids={"user_id": user_id})[0])


def test_an_add_is_pending_until_its_memories_can_be_found(access, worker):
    (job,) = ask(access, "I live in Lisbon near the river")
    assert (job.status, texts(access)) == ("PENDING", [])
    worker.run_due()
    event = access.event(job.id)
    assert (event.status, event.error, event.attempts) == ("SUCCEEDED", None, 1)
    assert [result["event"] for result in event.results] == ["ADD"]
    assert event.latency_ms is not None
    assert texts(access) == ["I live in Lisbon near the river"]


def test_what_is_said_counts_from_when_it_was_received(access, worker):
    (job,) = ask(access, "I fly to Rome tomorrow")
    worker.run_due()
    (result,) = access.event(job.id).results
    assert access.get(result["id"]).created_at == job.created_at


def test_a_deletion_takes_what_came_before_it_and_nothing_after(access, worker):
    ask(access, "said before one", "said before two")
    job = access.delete_all({"user_id": "alice"})
    ask(access, "said after the deletion")
    worker.run_due()
    assert texts(access) == ["said after the deletion"]
    assert {result["event"] for result in access.event(job.id).results} == {"DELETE"}


def test_a_deletion_that_a_crash_interrupted_takes_nothing_that_came_after_it(access, platform, clock_of, worker):
    clock = clock_of(platform)
    ask(access, "said before")
    worker.run_due()
    clock.advance(timedelta(seconds=1))
    access.delete_all({"user_id": "alice"})
    platform.jobs.claim(["DELETE_ALL"], "crashed", now=clock(), until=clock() + LEASE, limit=1)
    clock.advance(timedelta(seconds=1))
    (later,) = ask(access, "said after the deletion")
    worker.run_due()
    assert access.event(later.id).status == "PENDING"
    clock.advance(LEASE)
    worker.run_due()
    clock.advance(timedelta(seconds=1))
    worker.run_due()
    assert texts(access) == ["said after the deletion"]
    assert access.event(later.id).attempts == 1


def test_deleting_an_entity_that_is_gone_is_a_normal_end(access, worker):
    job = access.delete_entity("user", "nobody/at all?")
    worker.run_due()
    assert access.event(job.id).status == "SUCCEEDED"
    assert not access.event(job.id).results


def test_the_whole_project_goes_only_when_all_four_ids_say_so(access, worker, enter):
    ask(access, "of alice")
    ask(access, "of bob", user_id="bob")
    enter(project="other").add({"user_id": "alice"}, ["of another project"], infer=False)
    job = access.delete_all(dict.fromkeys(("user_id", "agent_id", "app_id", "run_id"), "*"))
    worker.run_due()
    assert len(access.event(job.id).results) == 2
    assert texts(enter(project="other")) == ["of another project"]


EVERYBODY = dict.fromkeys(("user_id", "agent_id", "app_id", "run_id"), "*")


@pytest.mark.parametrize(
    "delete",
    [lambda access: access.delete_entity("user", "alice"), lambda access: access.delete_all(EVERYBODY)],
    ids=["an entity", "the project"],
)
def test_who_goes_whole_takes_immutable_memories_along_and_one_undo_brings_all_back(access, worker, delete):
    access.add({"user_id": "alice"}, ["never changed"], infer=False, immutable=True)
    access.add({"user_id": "alice"}, ["as any other"], infer=False)
    job = delete(access)
    worker.run_due()
    assert texts(access) == []
    access.undo({}, access.event(job.id).results[0]["operation_id"])
    assert sorted(texts(access)) == ["as any other", "never changed"]


@pytest.mark.parametrize(
    "delete",
    [
        lambda access: access.delete_all({"user_id": "alice"}),
        lambda access: access.delete_all({}, filters={"user_id": "alice"}),
        lambda access: access.delete_all(EVERYBODY, extra=[parse_filter({"user_id": "alice"})]),
    ],
    ids=["ids", "a filter", "the project, narrowed"],
)
def test_what_is_chosen_goes_without_immutable_memories_and_the_event_counts_them(access, worker, delete):
    access.add({"user_id": "alice"}, ["never changed"], infer=False, immutable=True)
    access.add({"user_id": "alice"}, ["as any other"], infer=False)
    job = delete(access)
    worker.run_due()
    assert texts(access) == ["never changed"]
    told = wire.event(access.event(job.id), {})
    assert (told["passed_over"], [one["event"] for one in told["results"]]) == (1, ["DELETE"])


def test_a_job_that_is_run_twice_stores_once(access, worker, platform):
    """A crash after the memories were stored and before the job was finished."""
    (job,) = ask(access, "I live in Lisbon near the river")
    now = platform.clock()
    (claimed,) = platform.jobs.claim(["ADD"], "crashed", now=now, until=now, limit=1)
    worker._add([claimed])
    worker.run_due()
    assert access.event(job.id).status == "SUCCEEDED"
    (record,) = access.memories(ids={"user_id": "alice"})[0]
    assert (record.text, record.reinforced) == ("I live in Lisbon near the river", 0)


def test_what_a_crash_left_is_taken_up_when_its_lease_ran_out(access, platform, clock_of, worker):
    clock = clock_of(platform)
    (job,) = ask(access, "I live in Lisbon near the river")
    platform.jobs.claim(["ADD"], "crashed", now=clock(), until=clock() + LEASE, limit=1)
    worker.run_due()
    assert access.event(job.id).status == "RUNNING"
    clock.advance(LEASE + timedelta(seconds=1))
    worker.run_due()
    assert access.event(job.id).status == "SUCCEEDED"


def test_one_that_cannot_be_stored_holds_up_no_other(access, worker, platform):
    bad, good = ask(access, "first", "second of them")
    platform.jobs.blank(bad.scope)
    (again,) = ask(access, "third of them all")
    worker.run_due()
    assert access.event(again.id).status == "SUCCEEDED"
    assert access.event(bad.id).status == "FAILED"
    assert access.event(good.id).status == "FAILED"


class Busy:
    """A service that is busy for a while."""

    def __init__(self, service, times):
        self._service = service
        self.times = times

    def __getattr__(self, name):
        return getattr(self._service, name)

    def add_many(self, requests):
        if self.times > 0:
            self.times -= 1
            return [StoreBusyError()] * len(requests)
        return self._service.add_many(requests)


@pytest.mark.parametrize(("times", "status"), [(2, "SUCCEEDED"), (MAX_ATTEMPTS, "FAILED")])
def test_a_busy_store_is_tried_again_with_growing_pauses(access, platform, clock_of, worker, times, status):
    clock = clock_of(platform)
    object.__setattr__(platform, "service", Busy(platform.service, times))
    (job,) = ask(access, "I live in Lisbon near the river")
    for _ in range(MAX_ATTEMPTS):
        worker.run_due()
        clock.advance(timedelta(hours=1))
    event = access.event(job.id)
    assert event.status == status
    assert event.attempts == min(times + 1, MAX_ATTEMPTS)
    assert (event.error is None) == (status == "SUCCEEDED")


class Provider(FakeEmbedder):
    """An embedder that fails with `error` as often as `times`, and always where a text names what it never answers."""

    error = ModelUnavailableError("Down.")
    times = 0

    def embed_documents(self, texts):
        self.times -= 1
        if self.times >= 0 or any("poison" in text for text in texts):
            raise self.error
        return super().embed_documents(texts)


@pytest.fixture
def provider(monkeypatch):
    """Embeds for the platform."""
    provider = Provider()
    monkeypatch.setattr(bootstrap, "build_embedder", lambda _: provider)
    return provider


def pauses(access, clock, worker, job):
    """Work until the job is done; the seconds between its attempts."""
    found = []
    worker.run_due()
    while access.event(job.id).status == "PENDING":
        found.append((access.event(job.id).run_after - clock()).total_seconds())
        clock.advance(timedelta(seconds=found[-1]))
        worker.run_due()
    return found


HOUR = 3_600.0


@pytest.mark.parametrize(
    ("error", "times", "waited"),
    [
        (ModelUnavailableError("Down."), 2, [1, 4]),
        (ModelUnavailableError("Too many requests.", retry_after_s=20), 3, [20, 20, 20]),
        (ModelUnavailableError("Down."), MAX_ASKED, [1, 4, 16, 64, 256, 1024, HOUR, HOUR]),
        (ModelRefusedError("No such key."), 1, [HOUR]),
    ],
    ids=["down for a moment", "it says when to come again", "down for good", "a key is refused"],
)
def test_an_add_waits_for_a_provider_of_embeddings_as_a_part_waits_for_a_model(
    provider, platform, access, clock_of, worker, error, times, waited
):
    """It was acknowledged: it is lost only to a provider that is down for hours."""
    clock = clock_of(platform)
    provider.error, provider.times = error, times
    (job,) = ask(access, "I live in Lisbon near the river")
    assert pauses(access, clock, worker, job) == waited
    event = access.event(job.id)
    assert (event.status, event.attempts) == ("FAILED" if times == MAX_ASKED else "SUCCEEDED", len(waited) + 1)
    assert event.error == (str(error) if times == MAX_ASKED else None)


def test_a_provider_that_is_down_for_a_moment_is_asked_once_for_all_and_loses_none(
    provider, platform, access, clock_of, worker
):
    clock = clock_of(platform)
    provider.times = 1
    jobs = ask(access, *(f"I know {number} songs by heart" for number in range(16)))
    worker.run_due()
    assert {access.event(job.id).status for job in jobs} == {"PENDING"}
    assert provider.times == 0
    clock.advance(timedelta(seconds=1))
    worker.run_due()
    assert {access.event(job.id).status for job in jobs} == {"SUCCEEDED"}


@pytest.mark.usefixtures("provider")
def test_a_text_that_a_provider_never_answers_takes_no_other_add_with_it(platform, access, clock_of, worker):
    clock = clock_of(platform)
    good = ask(access, *(f"I know {number} songs by heart" for number in range(8)))
    (bad,) = ask(access, "I grow poison ivy in my garden")
    good += ask(access, *(f"I know {number} songs by heart" for number in range(8, 16)))
    for pause_s in (0, 1, 4):
        clock.advance(timedelta(seconds=pause_s))
        worker.run_due()
    assert {access.event(job.id).status for job in good} == {"SUCCEEDED"}
    assert access.event(bad.id).status == "PENDING"


def test_who_adds_at_once_is_told_at_once_that_a_provider_is_down(provider, access):
    """It can try again itself; nobody waits for it."""
    provider.times = 2
    with pytest.raises(ModelUnavailableError):
        access.add({"user_id": "alice"}, ["I live in Lisbon"], infer=False)
    assert provider.times == 1


def test_what_was_erased_while_it_waited_is_not_stored_afterwards(access, worker):
    (job,) = ask(access, "my secret is 4711")
    access.erase_all({"user_id": "alice"})
    worker.run_due()
    event = access.event(job.id)
    assert (event.status, dict(event.payload)) == ("FAILED", {})
    assert texts(access) == []


def test_finished_jobs_and_old_audit_go_after_their_time(access, platform, clock_of, tmp_path):
    clock = clock_of(platform)
    settings = Settings.load(environ={}, config=tmp_path / "none.toml", event_days=7, audit_days=7)
    (job,) = ask(access, "I live in Lisbon near the river")
    build_worker(settings, platform).run_due()
    platform.trail.flush()
    clock.advance(timedelta(days=8))
    build_worker(settings, platform).run_due()
    assert platform.jobs.find("default", job.id) is None
    assert texts(access) == ["I live in Lisbon near the river"]


def test_what_could_be_consolidated_is_proposed_when_its_time_has_come(access, platform, clock_of, tmp_path):
    """Switched on, and then every so many days."""
    clock = clock_of(platform)

    def pass_by(days=None):
        settings = Settings.load(environ={}, config=tmp_path / "none.toml", consolidate_every_days=days)
        build_worker(settings, platform).run_due()
        return [(one.closes[0].text, one.status) for one in Proposing(access).page("all")[0]]

    access.add({"user_id": "alice", "run_id": "a"}, ["I live in Lisbon near the river."], infer=False)
    access.add({"user_id": "alice", "run_id": "b"}, ["I live in Lisbon, near the river!"], infer=False)
    assert pass_by() == []
    first = ("I live in Lisbon near the river.", "pending")
    assert pass_by(days=7) == [first]
    access.add({"user_id": "bob", "run_id": "a"}, ["The deploy runs at nine on weekdays."], infer=False)
    access.add({"user_id": "bob", "run_id": "b"}, ["The deploy runs at nine, on weekdays!"], infer=False)
    clock.advance(timedelta(days=6))
    assert pass_by(days=7) == [first]
    clock.advance(timedelta(days=1))
    assert pass_by(days=7) == [("The deploy runs at nine on weekdays.", "pending"), first]


def test_started_it_works_by_itself_and_stops_at_once(access, worker: Worker):
    worker.start()
    (job,) = ask(access, "I live in Lisbon near the river")
    wait_until(lambda: access.event(job.id).status == "SUCCEEDED")
    assert all(lane.alive for lane in worker.status())
    began = time.monotonic()
    worker.stop()
    assert time.monotonic() - began < 2
    assert not any(lane.alive for lane in worker.status())


def test_an_add_in_its_own_process_wakes_it(access, worker):
    """Nobody waits for the next look, which here would never come."""
    for lane in worker._lanes:
        lane.pause_s = 60.0
    worker.start()
    try:
        wait_until(lambda: all(lane.idle_s > 0.05 for lane in worker.status()))
        job = access.delete_all({"user_id": "nobody"})
        wait_until(lambda: access.event(job.id).status == "SUCCEEDED")
    finally:
        worker.stop()


def test_the_same_idempotency_key_is_one_add_of_one_scope(access, worker):
    first, second = ask(access, "I live in Lisbon", "I live in Lisbon", idempotency_key="abc")
    other = ask(access, "I live in Porto", user_id="bob", idempotency_key="abc")[0]
    assert first.id == second.id != other.id
    worker.run_due()
    assert texts(access) == ["I live in Lisbon"]
    assert texts(access, "bob") == ["I live in Porto"]
