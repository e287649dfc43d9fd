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
