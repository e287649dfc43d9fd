"""What a job is between being asked for and being done."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.jobs import (
    DELETIONS,
    DONE,
    ERASED,
    EVENT_KINDS,
    JobKind,
    JobStatus,
    blanked,
    is_lasting,
    parse_event_kinds,
    parse_statuses,
    pause_after,
    pause_before_retry,
)
from kept.errors import (
    ConfigurationError,
    ConflictError,
    InvalidInputError,
    ModelAnswerError,
    ModelRefusedError,
    ModelUnavailableError,
    StoreBusyError,
)
from kept.testing.fakes import START, job

SECOND = timedelta(seconds=1)
FULL = {"payload": {"messages": "Alice likes tea."}, "content": "Alice likes tea."}

jobs = st.builds(
    job,
    number=st.integers(0, 9),
    kind=st.sampled_from(get_args(JobKind)),
    status=st.sampled_from(get_args(JobStatus)),
    lease=st.none() | st.just("worker"),
    lease_until=st.none() | st.just(START),
    error=st.none() | st.just("refused"),
    payload=st.just(FULL["payload"]),
    content=st.none() | st.just(FULL["content"]),
)


def test_a_waiting_job_is_due_at_its_time_and_a_running_one_when_its_lease_ends():
    waiting = job(run_after=START + SECOND)
    running = replace(waiting, status="RUNNING", lease="worker", lease_until=START + 9 * SECOND)
    assert waiting.due == START + SECOND
    assert running.due == START + 9 * SECOND
    assert replace(running, lease_until=None).due == START + SECOND


@given(jobs)
def test_exactly_what_is_done_is_never_due(found):
    assert (found.due is None) == (found.status in DONE)


@given(jobs)
def test_what_is_blanked_holds_no_content_unless_it_has_still_to_delete(found):
    blank = blanked(found)
    if found.kind in DELETIONS and found.status not in DONE:
        assert blank == found
    else:
        assert (blank.payload, blank.content, blank.due) == ({}, None, None)
        assert (blank.id, blank.scope, blank.results) == (found.id, found.scope, found.results)


@given(jobs)
def test_what_was_done_stays_as_it_ended(found):
    blank = blanked(found)
    if found.status in DONE:
        assert (blank.status, blank.error) == (found.status, found.error)
    elif found.kind not in DELETIONS:
        assert (blank.status, blank.error, blank.lease) == ("FAILED", ERASED, None)


@given(jobs)
def test_blanking_again_changes_nothing(found):
    assert blanked(blanked(found)) == blanked(found)


def test_latency_is_from_the_request_to_the_end():
    assert job().latency_ms is None
    found = job(created_at=START, completed_at=START + timedelta(microseconds=1500))
    assert found.latency_ms == 1.5


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(0, 1), (1, 1), (2, 4), (3, 16), (6, 1024), (7, 3600), (10**9, 3600)]
)
def test_pauses_grow_fourfold_up_to_an_hour(attempts, seconds):
    assert pause_before_retry(attempts) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("error", "attempts", "seconds"),
    [
        (StoreBusyError(), 2, 4),
        (KeyError(), 2, 4),
        (ModelUnavailableError(), 2, 4),
        (ModelUnavailableError(retry_after_s=30), 2, 30),
        (ModelUnavailableError(retry_after_s=30), 7, 3_600),
        (ModelUnavailableError(retry_after_s=1e30), 1, 86_400),
        (ModelRefusedError(), 1, 3_600),
    ],
    ids=repr,
)
def test_what_failed_is_left_alone_as_long_as_whoever_was_asked_wishes_and_longest_where_a_person_is_needed(
    error, attempts, seconds
):
    assert pause_after(error, attempts) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("error", "lasting"),
    [
        (InvalidInputError(), True),
        (ConflictError(), True),
        (StoreBusyError(), False),
        (ModelUnavailableError(), False),
        (ModelAnswerError(), False),
        (ConfigurationError(), False),
        (KeyError(), False),
    ],
    ids=repr,
)
def test_only_what_was_asked_for_wrongly_cannot_be_helped_by_another_try(error, lasting):
    assert is_lasting(error) is lasting


def test_events_are_jobs_and_deletions_are_events():
    assert set(EVENT_KINDS) < set(get_args(JobKind))
    assert set(EVENT_KINDS) > DELETIONS


@pytest.mark.parametrize(
    ("texts", "kinds"),
    [
        (["ADD"], ["ADD"]),
        (["add, delete_all", "UPDATE"], ["ADD", "DELETE_ALL", "UPDATE"]),
        (["SEARCH", "add"], ["ADD"]),
        (["GET_ALL"], []),
    ],
)
def test_kinds_are_read_in_any_case_and_reads_are_no_events(texts, kinds):
    assert parse_event_kinds(texts) == kinds


def test_a_status_is_read_by_each_of_its_names():
    assert parse_statuses(["pending,Processing", "COMPLETED"]) == ["PENDING", "RUNNING", "SUCCEEDED"]


@pytest.mark.parametrize("text", ["", "ADD,", "EXPORT", "bogus"])
def test_an_unknown_kind_is_refused_with_those_there_are(text):
    with pytest.raises(InvalidInputError, match=r"event_type is .* it must be one of ADD, UPDATE, DELETE"):
        parse_event_kinds([text])
