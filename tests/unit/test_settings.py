"""Settings where the platform knows little."""

from __future__ import annotations

import getpass

import pytest

from kept.errors import ConfigurationError
from kept.settings import Settings


@pytest.mark.parametrize("error", [KeyError("uid"), OSError("no login"), ModuleNotFoundError("No module named 'pwd'")])
def test_a_system_that_knows_no_login_has_a_user_all_the_same(monkeypatch, tmp_path, error):
    """Containers without a user database; Windows without a user variable."""

    def unknown():
        raise error

    monkeypatch.setattr(getpass, "getuser", unknown)
    assert Settings.load(environ={}, config=tmp_path / "none.toml").user_id == "me"


def test_settings_that_are_printed_hide_the_key():
    assert "kept_0123" not in repr(Settings(database="kept.db", user_id="ana", api_key="kept_0123"))


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "http://127.0.0.1:8787"),
        ({"host": "::1", "port": 9000}, "http://[::1]:9000"),
        ({"public_url": "https://memory.example.com/kept/"}, "https://memory.example.com/kept"),
    ],
)
def test_a_server_is_reached_at_its_public_url_else_where_it_listens(given, url):
    assert Settings(database="kept.db", user_id="ana", **given).own_url == url


DEFAULT_LIMITS = {"llm_job_tokens": 200_000, "llm_daily_tokens": 2_000_000, "llm_daily_usd": 5_000_000}


@pytest.mark.parametrize(
    ("variables", "limits"),
    [
        ({}, DEFAULT_LIMITS),
        ({"KEPT_LLM_DAILY_TOKENS": "none", "KEPT_LLM_DAILY_USD": "None", "KEPT_LLM_JOB_TOKENS": "none"}, {}),
        (
            {"KEPT_LLM_DAILY_TOKENS": "0", "KEPT_LLM_DAILY_USD": "0"},
            DEFAULT_LIMITS | {"llm_daily_tokens": 0, "llm_daily_usd": 0},
        ),
        ({"KEPT_LLM_PROJECT_DAILY_USD": "0.1234567"}, DEFAULT_LIMITS | {"llm_project_daily_usd": 123_457}),
        ({"KEPT_LLM_PROJECT_DAILY_TOKENS": "7"}, DEFAULT_LIMITS | {"llm_project_daily_tokens": 7}),
    ],
    ids=str,
)
def test_spending_is_limited_unless_the_settings_say_otherwise(tmp_path, variables, limits):
    """A limit of zero lets nothing be spent; only `none` is no limit."""
    settings = Settings.load(environ=variables, config=tmp_path / "none.toml")
    found = {limit.name: limit.micros if limit.tokens is None else limit.tokens for limit in settings.spending_limits}
    assert {name: most for name, most in found.items() if most is not None} == limits


@pytest.mark.parametrize("text", ["-1", "1.5", "many", "inf"])
def test_a_limit_of_tokens_is_a_whole_number_or_none(tmp_path, text):
    with pytest.raises(
        ConfigurationError, match=r"KEPT_LLM_JOB_TOKENS: llm_job_tokens .* whole number from 0, or none"
    ):
        Settings.load(environ={"KEPT_LLM_JOB_TOKENS": text}, config=tmp_path / "none.toml")


@pytest.mark.parametrize("text", ["-1", "nan", "five", "inf"])
def test_a_limit_of_dollars_is_a_number_or_none(tmp_path, text):
    with pytest.raises(ConfigurationError, match=r"KEPT_LLM_DAILY_USD: llm_daily_usd .* a number from 0, or none"):
        Settings.load(environ={"KEPT_LLM_DAILY_USD": text}, config=tmp_path / "none.toml")


@pytest.mark.parametrize(
    "text", ["memory.example.org", "ftp://memory.example.org", "https://ana:pass@memory.example.org", "https://x/?a=b"]
)
def test_an_address_has_no_password_in_it(tmp_path, text):
    """Reports show addresses."""
    with pytest.raises(ConfigurationError, match="an address such as https://"):
        Settings.load(environ={"KEPT_PUBLIC_URL": text}, config=tmp_path / "none.toml")
