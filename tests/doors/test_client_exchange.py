"""What holds for every request of a client: when it is sent again, and which error an answer stands for.

A conversation is a generator without I/O, so its replies are scripted here and its pauses are only read.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept import errors
from kept.errors import ServerError, UnreachableError
from kept.sdk.client.exchange import LONGEST_PAUSE_S, Pause, Reply, Request, conversation, encoded

URL = "http://127.0.0.1:8787"
READ = Request("GET", "/v1/ping/")
WRITE = Request("POST", "/v1/undo/", body={})
KEYED = Request("POST", "/v3/memories/add/", body={}, idempotency_key="k")
SEARCH = Request("POST", "/v3/memories/search/", body={}, reads=True)
BROKEN = Reply(fault=ConnectionError("refused"), interrupted=True)
TOO_SLOW = Reply(fault=TimeoutError("timed out"))


def answer(status=200, body=None, **headers):
    content = json.dumps({} if body is None else body).encode()
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def speak(steps, *replies, retries=3):
    """Hold a conversation with scripted replies, the last one for ever: what it gives, how often it sent, its pauses."""
    talk, waiting, sent, pauses = conversation(steps, url=URL, retries=retries), list(replies), 0, []
    step = next(talk)
    try:
        while True:
            if isinstance(step, Pause):
                pauses.append(step.seconds)
                step = talk.send(None)
            else:
                sent += 1
                step = talk.send(waiting.pop(0) if len(waiting) > 1 else waiting[0])
    except StopIteration as end:
        return end.value, sent, pauses
    except errors.KeptError as error:
        return error, sent, pauses


# --- when a request is sent again ---


def test_an_error_of_a_limit_has_what_the_server_said_of_it():
    refused = answer(
        429, retry_after=str(LONGEST_PAUSE_S + 1), X_RateLimit_Limit="60", ratelimit_remaining="0", date="now"
    )
    error, _, _ = speak(READ, refused)
    assert error.limits == {"X-RateLimit-Limit": "60", "ratelimit-remaining": "0"}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("request_", [READ, WRITE, KEYED, SEARCH], ids=["read", "write", "keyed", "search"])
def test_who_is_asked_to_come_back_comes_back_when_asked(request_, status):
    """Whatever the request: the server says that it did nothing."""
    given_, sent, pauses = speak(request_, answer(status, retry_after="7"), answer(body={"done": True}))
    assert (given_, sent, pauses) == ({"done": True}, 2, [7])


def test_without_a_time_the_pauses_grow():
    """So that a server that is being restarted is outlasted and a dead one is not flooded."""
    _, sent, pauses = speak(READ, answer(503))
    assert sent == 4
    assert pauses == sorted(pauses)
    assert pauses[-1] < 1


def test_more_patience_than_a_minute_is_the_callers_to_have():
    """The error says how long it would be."""
    error, sent, pauses = speak(READ, answer(429, retry_after=str(LONGEST_PAUSE_S + 1)))
    assert isinstance(error, errors.RateLimitError)
    assert (error.retry_after_s, sent, pauses) == (LONGEST_PAUSE_S + 1, 1, [])


def test_a_date_to_come_back_at_is_not_read_as_seconds():
    """Only whole seconds are honoured; anything else means: some time later."""
    _, _, pauses = speak(READ, answer(429, retry_after="Fri, 27 Nov 2026 20:00:00 GMT"), answer())
    assert len(pauses) == 1
    assert pauses[0] < 1


@pytest.mark.parametrize(("request_", "times"), [(READ, 4), (SEARCH, 4), (KEYED, 4), (WRITE, 1)])
def test_a_broken_connection_is_mended_only_where_twice_is_as_good_as_once(request_, times):
    """Nobody knows whether the server had begun."""
    error, sent, _ = speak(request_, BROKEN)
    assert isinstance(error, UnreachableError)
    assert sent == times


def test_who_waited_in_vain_does_not_wait_again():
    """A time-out is the caller's patience, used up."""
    error, sent, _ = speak(READ, TOO_SLOW)
    assert isinstance(error, UnreachableError)
    assert sent == 1


@given(
    statuses=st.lists(st.sampled_from([200, 400, 404, 429, 500, 502, 503, 0]), min_size=1, max_size=8),
    retries=st.integers(0, 5),
    request_=st.sampled_from([READ, WRITE, KEYED, SEARCH]),
)
def test_no_request_is_sent_more_often_than_allowed_nor_after_its_answer(statuses, retries, request_):
    """Whatever comes back: at most one try and the retries, and never one after a final answer."""
    replies = [BROKEN if status == 0 else answer(status) for status in statuses]
    _, sent, pauses = speak(request_, *replies, retries=retries)
    assert 1 <= sent <= retries + 1
    assert len(pauses) == sent - 1
    seen = [statuses[min(i, len(statuses) - 1)] for i in range(sent)]
    assert all(status in {429, 503, 0} for status in seen[:-1])


# --- which error an answer stands for ---


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidInputError),
        (401, errors.AuthenticationError),
        (403, errors.ForbiddenError),
        (404, errors.NotFoundError),
        (409, errors.ConflictError),
        (413, errors.InvalidInputError),
        (422, errors.InvalidInputError),
        (429, errors.RateLimitError),
        (500, ServerError),
        (502, ServerError),
        (301, ServerError),
    ],
)
def test_a_status_is_an_error_of_the_tree(status, kind):
    """Also of a server that gives no codes."""
    error, _, _ = speak(READ, answer(status, {"detail": "so it is"}), retries=0)
    assert type(error) is kind
    assert str(error) == "so it is"


@pytest.mark.parametrize(
    "kind", [errors.FilterError, errors.ScopeError, errors.StoreBusyError, errors.StoreFullError], ids=lambda k: k.code
)
def test_a_code_says_more_than_a_status(kind):
    """What the server raised is what the client raises."""
    error, _, _ = speak(READ, answer(400, {"code": kind.code, "detail": "no"}), retries=0)
    assert type(error) is kind


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": "plain"}, "plain"),
        ({"error": "400 Bad Request", "details": {"message": "the reason"}}, "the reason"),
        ({"detail": "why"}, "why"),
        ({"message": "what"}, "what"),
        (["one", "two"], "one; two"),
        ({"name": ["is taken"]}, "name: is taken"),
        ({"errors": {"name": ["is taken"], "url": ["is none"]}}, "name: is taken; url: is none"),
    ],
)
def test_the_words_of_an_error_are_found_in_every_shape(body, words):
    """Mem0's platform has six."""
    error, _, _ = speak(READ, answer(400, body), retries=0)
    assert str(error) == words


def test_an_error_without_words_says_what_was_asked_where():
    """Better than nothing at all."""
    error, _, _ = speak(READ, answer(500, {}), retries=0)
    assert str(error) == f"{URL} answered GET /v1/ping/ with status 500."


def test_an_error_notes_where_it_comes_from():
    """With the id that finds it in the server's log."""
    error, _, _ = speak(READ, answer(404, {"detail": "none", "request_id": "abc"}), retries=0)
    assert error.__notes__ == [f"GET {URL}/v1/ping/ answered 404 (request abc)"]


@pytest.mark.parametrize("reply", [Reply(200, {}, b""), Reply(200, {}, b"<html>"), Reply(502, {}, b"Bad Gateway")])
def test_what_is_no_json_is_no_server_of_memories(reply):
    """A proxy's page, another program at the address."""
    error, _, _ = speak(READ, reply, retries=0)
    assert type(error) is ServerError
    assert URL in str(error)


def test_who_cannot_be_reached_is_named():
    """With what to look at, and the cause."""
    error, _, _ = speak(READ, BROKEN, retries=0)
    assert str(error).startswith(f"{URL} gave no answer to GET /v1/ping/: refused.")
    assert isinstance(error.__cause__, ConnectionError)


def test_a_server_without_kepts_routes_is_told_from_a_missing_memory():
    """Mem0's platform has no code in its errors, and not these routes."""
    own = Request("POST", "/v1/context/", body={}, reads=True, own=True)
    error, _, _ = speak(own, answer(404, {"detail": "Not found."}), retries=0)
    assert type(error) is ServerError
    assert "only Kept's own server" in str(error)
    error, _, _ = speak(own, answer(404, {"detail": "none", "code": "not-found"}), retries=0)
    assert type(error) is errors.NotFoundError


def test_an_error_reaches_the_step_that_asked():
    """A call of several steps can go on without an answer."""

    def steps():
        try:
            yield from READ
        except errors.NotFoundError:
            return (yield from SEARCH)

    given_, sent, _ = speak(steps(), answer(404), answer(body=[1]))
    assert (given_, sent) == ([1], 2)


# --- bodies ---


def test_dates_and_times_are_sent_in_iso_8601():
    """As Python has them."""
    body = {"day": date(2026, 3, 2), "at": datetime(2026, 3, 2, 9, 14, tzinfo=UTC)}
    assert json.loads(encoded(body)) == {"day": "2026-03-02", "at": "2026-03-02T09:14:00+00:00"}


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), object()], ids=["set", "nan", "object"])
def test_what_has_no_form_in_json_is_refused_before_it_is_sent(value):
    """With the reason."""
    with pytest.raises(errors.InvalidInputError, match="JSON"):
        encoded({"metadata": value})
