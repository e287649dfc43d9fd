"""API keys: made, shown once, stored as a hash, recognised, ended."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kept.engine.keys import LAST_USED_STEP, Keys, member_id
from kept.errors import AuthenticationError, ConfigurationError, ConflictError, InvalidInputError, NotFoundError


@pytest.fixture
def keys(platform) -> Keys:
    """The keys of an empty platform."""
    return Keys(platform)


def recognise(keys, secret):
    """Who asks with it."""
    return keys.recognise(secret, connector="rest")


def test_a_secret_is_recognised_and_stored_nowhere(keys, platform):
    key, secret = keys.make(
        name="phone", role="READER", project="shop", organisation="acme", bound={"user_id": "alice"}
    )
    who = recognise(keys, secret)
    assert (who.project, who.organisation, who.name, who.role) == ("shop", "acme", "phone", "READER")
    assert (who.key_id, who.bound, who.connector) == (key.id, {"user_id": ("alice",)}, "rest")
    assert secret not in repr(platform.registry.entries("key"))
    assert secret.startswith(key.prefix)
    assert len(key.prefix) < 12


def test_no_two_secrets_are_the_same_nor_short(keys):
    secrets = {keys.make(name="x")[1] for _ in range(50)}
    assert len(secrets) == 50
    assert all(len(secret) > 40 for secret in secrets)


@pytest.mark.parametrize("secret", [None, "", "kept_nobody", "x" * 10_000, "\ud800", "kept_\x00"])
def test_what_is_no_key_is_refused(keys, secret):
    keys.make(name="x")
    with pytest.raises(AuthenticationError):
        recognise(keys, secret)


def test_every_refusal_reads_the_same(keys, platform):
    """Nobody learns whether a key was once one."""
    _, expired = keys.make(name="expired", expires_at=platform.clock() + timedelta(hours=1))
    ended, revoked = keys.make(name="revoked")
    _, orphan = keys.make(name="orphan", member="ada@x.example")
    keys.revoke(ended.id)
    platform.clock.advance(timedelta(hours=1))
    said = set()
    for secret in (expired, revoked, orphan, "kept_nobody"):
        with pytest.raises(AuthenticationError) as caught:
            recognise(keys, secret)
        said.add(str(caught.value))
    assert len(said) == 1


def test_a_key_ends_at_its_moment(keys, platform):
    _, secret = keys.make(name="x", expires_at=platform.clock() + timedelta(hours=1))
    platform.clock.advance(timedelta(hours=1) - timedelta(microseconds=1))
    recognise(keys, secret)
    platform.clock.advance(timedelta(microseconds=1))
    with pytest.raises(AuthenticationError):
        recognise(keys, secret)


def test_ending_a_key_twice_keeps_the_first_moment(keys, platform):
    key, _ = keys.make(name="x")
    first = keys.revoke(key.id).revoked_at
    platform.clock.advance(timedelta(days=1))
    assert keys.revoke(key.id).revoked_at == first == platform.clock() - timedelta(days=1)


def test_ending_all_keys_of_a_project_leaves_those_of_others(keys):
    mine, others, admins = (
        keys.make(name="x", role=role, project=project)[1]
        for role, project in [("OWNER", "shop"), ("OWNER", "other"), ("ADMIN", None)]
    )
    keys.revoke_all("shop")
    with pytest.raises(AuthenticationError):
        recognise(keys, mine)
    assert recognise(keys, others).project == "other"
    assert recognise(keys, admins).role == "ADMIN"


@pytest.mark.parametrize(
    ("held", "member", "role"),
    [
        ("OWNER", "READER", "READER"),
        ("OWNER", "OWNER", "OWNER"),
        ("WRITER", "READER", "READER"),
        ("WRITER", "OWNER", "WRITER"),
        ("READER", "OWNER", "READER"),
    ],
)
def test_a_members_key_may_what_both_may(keys, platform, held, member, role):
    name = member_id("shop", "ada@x.example")
    platform.registry.put(platform.entry("member", name, "shop", {"email": "ada@x.example", "role": member}))
    _, secret = keys.make(name="ada", role=held, project="shop", member="ada@x.example")
    assert (recognise(keys, secret).role, recognise(keys, secret).member) == (role, "ada@x.example")


def test_a_use_is_noted_once_a_minute(keys, platform):
    """A write for each request would cost more than the request."""
    key, secret = keys.make(name="x")
    used = []
    for _ in range(4):
        recognise(keys, secret)
        used.append(keys.find(key.id).last_used_at)
        platform.clock.advance(LAST_USED_STEP / 2)
    assert used == [used[0], used[0], used[0] + LAST_USED_STEP, used[0] + LAST_USED_STEP]
    recognise(Keys(platform), secret)  # a process that has just begun reads what others wrote
    assert keys.find(key.id).last_used_at == used[0] + LAST_USED_STEP * 2


def test_a_given_secret_is_taken_once(keys):
    given = "chosen-by-the-operator"
    for _ in range(2):
        keys.ensure_admin(given)
    assert recognise(keys, given).role == "ADMIN"
    assert len(keys.all()) == 1
    with pytest.raises(ConflictError):
        keys.make(name="x", secret=given)


@pytest.mark.parametrize(
    "secret", ["short", "x" * 15, "with a blank in it", "ümlaut-ümlaut-ümlaut", "line\nbreak-line-break"]
)
def test_a_secret_that_can_be_guessed_or_not_be_sent_is_refused(keys, secret):
    with pytest.raises(InvalidInputError, match="at least 16"):
        keys.make(name="x", secret=secret)


@pytest.mark.parametrize(
    "fields",
    [
        {"role": "KING"}, {"role": "ADMIN"}, {"role": "READER", "project": None}, {"role": "OWNER", "bound": {"user_id": "a"}}, {"name": " "},
        {"name": "a\nb"}, {"name": 5}, {"bound": {"planet": "earth"}}, {"bound": {"user_id": []}}, {"bound": {"user_id": "*"}},
        {"bound": {"user_id": ["a", None]}}, {"expires_at": "2020-01-01"}, {"expires_at": "soon"},
    ],
)  # fmt: skip
def test_a_key_that_makes_no_sense_is_not_made(keys, fields):
    with pytest.raises(InvalidInputError):
        keys.make(**({"name": "x"} | fields))
    assert not keys.any_usable()


def test_a_key_that_was_revoked_or_has_ended_lets_nobody_ask(keys, platform):
    made, _ = keys.make(name="x")
    keys.make(name="y", expires_at=platform.clock() + timedelta(days=1))
    assert keys.any_usable()
    keys.revoke(made.id)
    assert keys.any_usable()
    platform.clock.advance(timedelta(days=2))
    assert not keys.any_usable()


def test_an_unknown_key_is_said(keys):
    for call in (keys.find, keys.revoke):
        with pytest.raises(NotFoundError):
            call("key_nowhere")


def test_the_first_administrators_key_must_be_one_when_it_is_given_again(keys):
    """Whoever starts the server with a key that was revoked learns it at once."""
    keys.ensure_admin("kept_given_by_an_administrator")
    assert keys.ensure_admin("kept_given_by_an_administrator") == []
    (key,) = keys.all()
    keys.revoke(key.id)
    with pytest.raises(ConfigurationError, match="revoked"):
        keys.ensure_admin("kept_given_by_an_administrator")


def test_an_administrators_key_that_is_given_anew_tells_of_those_that_stay_valid(keys):
    """Whoever changes a setting may think that the earlier key has ended."""
    first, _ = keys.make(name="first", role="ADMIN", project=None)
    keys.make(name="a project's")
    ended, _ = keys.make(name="ended", role="ADMIN", project=None)
    keys.revoke(ended.id)
    assert [key.id for key in keys.ensure_admin("kept_given_by_an_administrator")] == [first.id]
