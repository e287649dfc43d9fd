"""Rate limits: what a key may ask, what an address may guess, and what every answer says about it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.errors import ConfigurationError
from kept.rest.limits import CLASSES, COUNTERS, RateLimits, class_of, counter_of
from kept.settings import Settings

NAMES = [f"{prefix}ratelimit-{name}" for prefix in ("", "x-") for name in ("limit", "remaining", "reset")]
ELSEWHERE = "203.0.113.9"


def limited(count: int, per: str = "day") -> dict[str, str]:
    """The same limit for every class."""
    return {f"rate_limit_{name}": f"{count}/{per}" for name in CLASSES}


def listed(api, key: str | None = None, **more):
    """A request of the class read."""
    return api.ask("GET", "/v1/stats/", key=key, **more)


def test_nothing_is_limited_and_nothing_said_until_a_limit_is_set(make_api):
    api = make_api()
    key = api.make_key()
    answers = [listed(api, key) for _ in range(5)] + [listed(api, "no key") for _ in range(100)]
    assert {answer.status_code for answer in answers} == {200, 401}
    assert not any(name in answer.headers for answer in answers for name in NAMES)


def test_each_request_leaves_one_less_until_none_is_left(make_api):
    api = make_api(**limited(3))
    key = api.make_key()
    answers = [listed(api, key) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"3"}


def test_a_refusal_says_in_whole_seconds_when_to_come_back(make_api):
    api = make_api(**limited(1))
    key = api.make_key()
    refused = [listed(api, key), listed(api, key)][-1]
    assert refused.json()["code"] == "rate-limited"
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert int(refused.headers["ratelimit-reset"]) == pytest.approx(int(refused.headers["retry-after"]), abs=1)


def test_after_that_time_the_key_is_served_again(make_api):
    api = make_api(**limited(1, "second"))
    key = api.make_key()
    listed(api, key)
    deadline = time.monotonic() + 10
    while listed(api, key).status_code == 429:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_key_at_its_limit_takes_nothing_from_another(make_api):
    api = make_api(**limited(1))
    one, other = api.make_key(), api.make_key()
    assert [listed(api, key).status_code for key in (one, one, other)] == [200, 429, 200]


def test_reads_writes_and_administration_are_counted_apart(make_api):
    api = make_api(**limited(1))
    key = api.make_key(role="OWNER")
    said = {"messages": ["tea"], "user_id": "alice", "infer": False}
    requests = [("GET", "/v1/stats/", {}), ("POST", "/v3/memories/add/", {"json": said}), ("GET", "/v1/keys/", {})]
    assert [api.ask(method, path, key=key, **more).status_code for method, path, more in requests] == [200] * 3
    assert [api.ask(method, path, key=key, **more).status_code for method, path, more in requests] == [429] * 3


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/memories/", "read"),
        ("POST", "/v3/memories/search/", "read"),
        ("POST", "/v3/memories/", "read"),
        ("POST", "/v1/context/", "read"),
        ("POST", "/v1/timeline/", "read"),
        ("POST", "/search", "read"),
        ("POST", "/v3/memories/add/", "write"),
        ("POST", "/v1/memories/", "write"),
        ("DELETE", "/v1/memories/", "write"),
        ("GET", "/v1/keys/", "admin"),
        ("PATCH", "/api/v1/orgs/organizations/a/projects/b/", "admin"),
    ],
)
def test_a_request_counts_as_what_it_does(method, path, expected):
    assert class_of(method, path) == expected


def test_every_answer_tells_the_limit_also_those_that_are_refusals(make_api):
    api = make_api(**limited(4), max_body_mb=1)
    key = api.make_key()
    answers = {
        200: listed(api, key),
        400: api.ask("GET", "/v1/memories/no-uuid/", key=key),
        401: listed(api),
        404: api.ask("GET", "/no/such/route", key=key),
        405: api.ask("DELETE", "/v1/stats/", key=key),
        413: api.ask("POST", "/v3/memories/add/", key=key, content=b"x" * 1_000_001),
        403: api.ask("GET", "/v1/audit/", key=key),
    }
    for _ in range(4):
        answers[429] = listed(api, key)
    for status, answer in answers.items():
        assert answer.status_code == status, answer.text
        told = {name: int(answer.headers[name]) for name in NAMES}
        assert told["ratelimit-limit"] == 4
        assert 0 <= told["ratelimit-remaining"] <= 4
        assert 0 <= told["ratelimit-reset"] <= 86_400


def test_where_only_one_class_is_limited_the_answers_of_the_others_tell_of_it_and_take_nothing(make_api):
    api = make_api(rate_limit_write="4/day")
    key = api.make_key()
    answers = [listed(api, key) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["4"] * 5


@pytest.mark.parametrize("path", ["/v3/memories/search/", "/v2/memories/search/", "/v3/memories/add/"])
@pytest.mark.parametrize("content", [b'{"query": ', b"\xff", b"[" * 100_000])
def test_a_body_that_cannot_be_read_counts_like_any_other_and_is_nobodys_without_a_key(make_api, path, content):
    api = make_api(**limited(2))

    def sent(key=None):
        return api.ask("POST", path, key=key, content=content, headers={"Content-Type": "application/json"})

    key = api.make_key()
    assert [sent(key).status_code for _ in range(3)] == [400, 400, 429]
    assert sent().status_code == 401


def test_who_tries_too_many_wrong_keys_is_refused_even_with_a_right_one(make_api):
    api = make_api(**limited(1_000))
    statuses = [listed(api, f"wrong-{number}", host=ELSEWHERE).status_code for number in range(70)]
    assert statuses == [401] * 60 + [429] * 10
    refused = listed(api, api.make_key(), host=ELSEWHERE)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate-limited")
    assert int(refused.headers["retry-after"]) <= 60


def test_who_stands_behind_the_same_address_with_a_key_that_was_right_before_is_served(make_api):
    api = make_api(**limited(1_000))
    key = api.make_key()
    assert listed(api, key, host=ELSEWHERE).status_code == 200
    for number in range(61):
        listed(api, f"wrong-{number}", host=ELSEWHERE)
    assert listed(api, key, host=ELSEWHERE).status_code == 200


def test_guesses_from_one_address_are_not_held_against_another(make_api):
    api = make_api(**limited(1_000))
    for number in range(61):
        listed(api, f"wrong-{number}", host=ELSEWHERE)
    assert listed(api, api.make_key(), host="198.51.100.4").status_code == 200


def test_a_key_that_was_right_and_is_revoked_is_not_served(make_api):
    api = make_api(**limited(1_000))
    key = api.make_key()
    listed(api, key)
    api.keys.revoke(api.keys.all()[-1].id)
    assert listed(api, key).status_code == 401


@given(st.ip_addresses().map(str) | st.text(max_size=10))
def test_all_addresses_of_the_world_share_a_fixed_number_of_counters(host):
    assert 0 <= int(counter_of(host)) < COUNTERS


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_the_addresses_of_one_ipv6_network_are_one(address, other):
    network = int(address) >> 64 << 64
    assert counter_of(str(address)) == counter_of(str(type(address)(network | other)))


@pytest.mark.parametrize("text", ["many", "", "0/minute", "600/minute,5/second", "5/minute;10/hour", "5/day|9/day"])
def test_a_limit_that_is_none_or_several_is_refused_with_an_example(text):
    settings = Settings(database="kept.db", user_id="me", rate_limit_read=text)
    with pytest.raises(ConfigurationError, match="one limit from 1, for example 600/minute"):
        RateLimits(settings)
