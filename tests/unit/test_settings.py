"""Settings where the platform knows little."""

from __future__ import annotations

import getpass

import pytest

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
