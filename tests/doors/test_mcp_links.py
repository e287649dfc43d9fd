"""`kept links`: made, listed, changed, rotated and revoked on the command line."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from kept.bootstrap import build_platform
from kept.cli.app import cli
from kept.engine.links import DENIED, LinkDoor
from kept.errors import NotFoundError
from kept.settings import Settings


@pytest.fixture
def run(tmp_path):
    """Runs `kept links …` over a store of the test's own; what it prints."""
    store = str(tmp_path / "kept.db")

    def run(*words: str, code: int = 0) -> str:
        ran = CliRunner().invoke(cli, ["--database", store, "--user", "mira", "links", *words])
        assert ran.exit_code == code, ran.output
        return ran.output

    run.store = store
    return run


@pytest.fixture
def recognise(run):
    """What the server makes of an address."""

    def recognise(url: str):
        platform = build_platform(Settings.load(database=run.store))
        try:
            return LinkDoor(platform).recognise(url.rpartition("/")[2])
        finally:
            platform.close()

    return recognise


def test_a_link_is_made_with_what_is_asked_and_its_address_is_shown_once(run, recognise):
    made = run(
        *("create", "--name", "audit", "--methods", "read", "--tags", "memories,events", "--user", "user123"),
        *("--expires", "2999-12-31T23:59:59Z", "--rate", "60", "--require-key"),
    )
    url = made.split()[-1]
    assert url.startswith("http://127.0.0.1:8787/mcp/lnk_")
    link = recognise(url)
    assert (link.methods, link.tags, link.bound) == (("read",), ("memories", "events"), {"user_id": ("user123",)})
    assert (link.rate_limit, link.require_api_token_auth) == (60, True)
    assert link.expires_at.isoformat() == "2999-12-31T23:59:59+00:00"
    assert url not in run("list")
    assert "audit" in run("list")


def test_a_link_is_changed_rotated_and_revoked(run, recognise):
    made = json.loads(run("create", "--name", "a", "--expires", "2999-01-01", "--rate", "5", "--json"))
    changed = json.loads(run("change", made["id"], "--tags", "graph", "--expires", "none", "--rate", "none", "--json"))
    assert (changed["tags"], changed["expires_at"], changed["rate_limit"]) == (["graph"], None, None)
    rotated = json.loads(run("rotate", made["id"], "--json"))
    with pytest.raises(NotFoundError, match=DENIED):
        recognise(made["url"])
    assert recognise(rotated["url"]).id == made["id"]
    assert "revoked" in run("revoke", made["id"])
    with pytest.raises(NotFoundError, match=DENIED):
        recognise(rotated["url"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["create", "--name", "x", "--methods", "erase"], "read, write, custom"),
        (["create", "--name", "x", "--tags", "nonsense"], "nonsense"),
        (["create", "--name", "x", "--rate", "fast"], "--rate"),
        (["create", "--name", "x", "--expires", "2020-01-01"], "past"),
        (["create"], "--name"),
        (["change", "lnk_nobody", "--tags", "graph"], "lnk_nobody"),
        (["change", "lnk_nobody"], "Nothing to change"),
        (["rotate", "lnk_nobody"], "lnk_nobody"),
        (["revoke", "lnk_nobody"], "lnk_nobody"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(run, words, said):
    run("create", "--name", "another")
    ran = CliRunner().invoke(cli, ["--database", run.store, "links", *words])
    assert ran.exit_code != 0
    assert said in ran.output
    assert "Traceback" not in ran.output
