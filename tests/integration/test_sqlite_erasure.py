"""Erased means gone: after `scrub`, no byte of it is in any file of the store."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from kept import Memory
from kept.adapters.sqlite.control import open_control
from kept.adapters.sqlite.graph import SqliteGraph
from kept.adapters.sqlite.log import SqliteLog
from kept.adapters.sqlite.touches import open_touches
from kept.domain.memory import EntityRef, Episode, Message, Relation
from kept.ports import Listing
from kept.testing.fakes import SCOPE, START, Scribe, job

CANARY = "Zaunkönig-7f3a"
HOUR = timedelta(hours=1)
LARGE = 30_000
"""Bytes of a text that needs several overflow pages of 4 KB."""


def bytes_with_canary(path, canary=CANARY):
    """Names of the store's files that contain the canary, as UTF-8, UTF-16 or JSON escapes, in any case."""
    forms = [canary.encode(), canary.encode("utf-16-le"), canary.encode("unicode_escape"), canary.casefold().encode()]
    files = sorted(path.parent.glob(path.name + "*"))
    assert path in files
    return [file.name for file in files if any(form in file.read_bytes() for form in forms)]


@pytest.fixture
def log(store_path):
    with closing(SqliteLog(store_path)) as log:
        yield log


@pytest.fixture
def jobs(log, store_path):
    return open_control(log.pool, store_path)[1]


def _job(number, **fields):
    """A job with the canary in each place for text."""
    words = f"{CANARY} " * (LARGE // len(CANARY))
    return job(number, payload={"messages": words, CANARY: [CANARY]}, content=words, **fields)


def _work(jobs, number, **fields):
    """Keep a job and end it with the canary in what was made."""
    jobs.put(_job(number))
    (held,) = jobs.claim(["ADD"], "worker", now=START + HOUR, until=START + HOUR, limit=1)
    return jobs.finish([replace(held, status="SUCCEEDED", completed_at=START, content=CANARY * number, **fields)])


def _add(scribe, canary=CANARY, **fields):
    return scribe.add(
        f"Saw a {canary}.",
        source=Message(role="user", content=f"I saw a {canary}", name=canary, source_id="m1"),
        speaker=canary,
        metadata={canary: [canary]},
        categories=(canary,),
        entity_refs=(EntityRef(name=canary, kind="bird", key=canary.casefold()),),
        relations=(Relation(source=canary, relationship=canary, target=canary),),
        **fields,
    )


def test_the_canary_is_found_where_it_was_not_erased(log, store_path):
    """The test can fail: before the erase the bytes are there, and after it until the scrub."""
    scribe = Scribe(log)
    memory = _add(scribe)
    assert bytes_with_canary(store_path) == ["kept.db-wal"]
    scribe.erase(scribe.add("Another."))
    assert log.scrub()
    assert bytes_with_canary(store_path) == ["kept.db"]
    scribe.erase(memory)
    assert bytes_with_canary(store_path) == ["kept.db"]


@pytest.mark.parametrize("scrub_before", [False, True])
def test_an_erased_memory_is_in_no_byte(log, store_path, scrub_before):
    scribe = Scribe(log)
    memory = _add(scribe)
    scribe.add("A neighbour.")
    if scrub_before:
        log.scrub()
    scribe.erase(memory)
    assert log.scrub()
    assert bytes_with_canary(store_path) == []


@pytest.mark.parametrize("projected_before", [False, True])
def test_an_erased_memory_is_in_no_byte_of_the_graph(log, store_path, projected_before):
    """Neither its names, nor what they were merged into, nor what was merged into them."""
    graph, scribe, listing = SqliteGraph(log, store_path), Scribe(log), Listing(scope=SCOPE)
    memory = _add(scribe)
    neighbour = scribe.add("A neighbour.", entity_refs=(EntityRef(name="Bird", kind="bird", key="bird"),))
    if projected_before:
        assert len(graph.nodes(listing, [CANARY.casefold(), "bird"])) == 2
        graph.merge(SCOPE.project, SCOPE.user_id, CANARY.casefold(), ["bird"])
    scribe.erase(memory)
    assert [node.key for node in graph.nodes(listing, [CANARY.casefold(), "bird"])] == ["bird"]
    assert log.scrub()
    assert bytes_with_canary(store_path) == []
    assert graph.mentioning(listing, ["bird"], limit=2) == [neighbour.key]


def test_every_earlier_text_of_it_is_gone(log, store_path):
    scribe = Scribe(log)
    memory = _add(scribe)
    log.scrub()
    for text in (f"{CANARY} again", f"{CANARY * 200}", "short", f"{CANARY}"):
        memory = scribe.update(memory, text, metadata={"was": CANARY}, speaker=None)
    memory = scribe.set_state(memory, "deleted")
    log.scrub()
    scribe.erase(memory)
    assert log.scrub()
    assert bytes_with_canary(store_path) == []


def test_a_large_one_leaves_nothing_in_overflow_pages(log, store_path):
    scribe = Scribe(log)
    words = f"{CANARY} " * (LARGE // len(CANARY))
    memory = scribe.add(words, source=Message(role="user", content=words), metadata={"copy": words})
    log.scrub()
    scribe.erase(scribe.update(memory, words + "changed"))
    assert log.scrub()
    assert bytes_with_canary(store_path) == []


def test_forgotten_sources_are_in_no_byte(log, store_path):
    message = Message(role="user", content=f"{CANARY} " * 1000, name=CANARY)
    with log.write() as transaction:
        transaction.put_episode(
            Episode(id="episode-1", scope=SCOPE, connector="sdk", recorded_at=START, messages=(message, message))
        )
    log.scrub()
    with log.write() as transaction:
        assert transaction.forget_sources(SCOPE) == 2
    assert log.scrub()
    assert bytes_with_canary(store_path) == []


def test_the_canary_is_in_jobs_until_they_are_blank(log, jobs, store_path):
    """The test can fail."""
    jobs.put(_job(1))
    with log.write() as transaction:
        transaction.forget_sources(replace(SCOPE, user_id="bob"))
    assert log.scrub()
    assert bytes_with_canary(store_path) == ["kept.db"]


@pytest.mark.parametrize("scrub_before", [False, True])
def test_an_erased_memory_is_in_no_byte_of_a_job(log, jobs, store_path, scrub_before):
    """Neither of one that named it, done or not, nor of one that stored it, nor of one that ends later."""
    scribe = Scribe(log)
    memory = _add(scribe, idempotency_key="job-1")
    jobs.put(_job(1))
    jobs.put(_job(2, kind="DELIVERY", memory_ids=[memory.id]))
    jobs.put(_job(3, kind="EXPORT", status="SUCCEEDED", completed_at=START, memory_ids=[memory.id]))
    jobs.put(_job(5, kind="SUMMARY", status="SUCCEEDED", idempotency_key=CANARY, memory_ids=[memory.id]))
    jobs.put(job(4, kind="PROFILE"))
    (held,) = jobs.claim(["PROFILE"], "worker", now=START + HOUR, until=START + HOUR, limit=1)
    if scrub_before:
        log.scrub()
    scribe.erase(memory)
    made = replace(held, status="SUCCEEDED", completed_at=START, content=CANARY, memory_ids=[memory.id])
    assert jobs.finish([made]) == ["job-4"]
    assert log.scrub()
    assert bytes_with_canary(store_path) == []


def test_a_job_that_was_given_new_content_keeps_no_old(log, jobs, store_path):
    """Rows that grew and shrank leave no copy."""
    scribe = Scribe(log)
    memory = scribe.add("Neutral.")
    for number in range(1, 20):
        assert _work(jobs, number, payload={"n": number * CANARY}, memory_ids=[memory.id]) == [f"job-{number}"]
    jobs.purge(START + HOUR, ["EXPORT"])
    scribe.erase(memory)
    assert log.scrub()
    assert bytes_with_canary(store_path) == []


@pytest.mark.parametrize("blank", ["forget_sources", "blank", "purge"])
def test_forgotten_jobs_are_in_no_byte(log, jobs, store_path, blank):
    """Of a scope, with its sources or alone; or when they are old."""
    for number in range(1, 4):
        _work(jobs, number)
    if blank != "purge":
        jobs.put(_job(4))
        jobs.put(_job(5, kind="DELIVERY", subject="hook"))
    log.scrub()
    if blank == "forget_sources":
        with log.write() as transaction:
            transaction.forget_sources(SCOPE)
    elif blank == "blank":
        assert jobs.blank(SCOPE) == 5
    else:
        assert jobs.purge(START + HOUR) == 3
        Scribe(log).erase(Scribe(log, series=1).add("Another."))
    assert log.scrub()
    assert bytes_with_canary(store_path) == []


@pytest.mark.parametrize("size", [10, 300, 900, 2500, 6000])
def test_pages_that_were_split_and_merged_keep_no_copy(log, store_path, size):
    """Neighbours grow and go, so that rows move between pages, before and after the canary comes."""
    scribe = Scribe(log)
    memories = [scribe.add(_filler(number, size)) for number in range(30)]
    canaries = []
    for number in range(30):
        canaries.append(_add(scribe, f"{CANARY}{number:02}"))
        memories[number] = scribe.update(memories[number], _filler(number + 50, size * (number % 4 + 1)))
        memories.append(scribe.add(_filler(number + 100, size)))
    log.scrub()
    for number, memory in enumerate(canaries):
        canaries[number] = scribe.update(memory, f"{CANARY}{number:02} " * (size * (number % 3) // 15 + 1))
        scribe.update(memories[number], _filler(number + 200, size * (number % 5)))
    log.scrub()
    scribe.erase(*memories[::2])
    for memory in canaries:
        scribe.erase(memory)
        scribe.update(memories[1], _filler(memory.seq, size))
    assert log.scrub()
    assert bytes_with_canary(store_path) == []


def _filler(number, size):
    """Text that does not repeat itself."""
    return hashlib.shake_128(str(number).encode()).hexdigest(size // 2 + 1)


def test_nothing_of_it_lives_on_in_proposals_nor_in_what_was_made_of_them(store_path):
    """A waiting one, an accepted one in other words, and the memory that this made; while their other memory stays."""
    with Memory(store_path) as memory:
        said = [
            memory.add(text, user_id="alice", run_id=run)["results"][0]["id"]
            for run, text in (("a", f"I saw a {CANARY} by the river."), ("b", f"I saw a {CANARY}, by the river!"))
        ]
        (proposed,) = memory.consolidate(user_id="alice")["results"]
        made = memory.accept_proposal(proposed["id"], text=f"Alice saw a {CANARY}.")["memory_id"]
        memory.add(f"Alice saw a {CANARY}!", user_id="alice", run_id="c")
        assert len(memory.consolidate(user_id="alice")["results"]) == 1
        others = {one["id"] for one in memory.get_all(user_id="alice")["results"]} - {said[0], made}
        erased = memory.erase(said[0])["erased"]
        assert set(erased) >= {said[0], made}
        assert memory.proposals(status="all")["results"] == []
        memory.erase(sorted(others - set(erased)))
    assert bytes_with_canary(store_path) == []


def test_what_searches_noted_of_an_erased_memory_goes_with_it(log, store_path):
    """Also what is written afterwards by a search that found it before."""
    touches, scribe = open_touches(log.pool, store_path), Scribe(log)
    gone, stays = _add(scribe), scribe.add("Alice likes tea.")
    touches.touch("default", [gone.id, stays.id], START)
    scribe.erase(gone)
    assert touches.touched("default", [gone.id, stays.id]).keys() == {stays.id}
    touches.touch("default", [gone.id, stays.id], START)
    assert touches.touched("default", [gone.id, stays.id]).keys() == {stays.id}
