"""`kept consolidate` and `kept proposals`."""

from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner

from kept.cli.app import cli

REPEATED = ("I live in Lisbon near the river.", "I live in Lisbon, near the river!")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a command line in a store of the test's own, as user ana; it must succeed."""
    for name, value in (("DATABASE", tmp_path / "kept.db"), ("CONFIG", tmp_path / "kept.toml"), ("USER_ID", "ana")):
        monkeypatch.setenv(f"KEPT_{name}", str(value))

    def run(*words, code=0):
        result = CliRunner().invoke(cli, [str(word) for word in words])
        assert result.exit_code == code, result.stderr
        return result

    return run


@pytest.fixture
def proposed(run):
    """The id of a proposal, as it is printed."""
    for name, text in zip("ab", REPEATED, strict=True):
        run("add", text, "--run", name)
    return run("consolidate").stdout.split()[0]


def texts(run):
    return [one["memory"] for one in json.loads(run("list", "--json").stdout)["results"] if one["state"] == "active"]


def test_what_is_proposed_is_shown_as_what_would_be_different(run, proposed):
    shown = run("proposals", "list").stdout.splitlines()
    assert shown == [
        f"{proposed}  merge  The same words, but for small ones.",
        f"  - {REPEATED[0]}",
        f"    {REPEATED[1]}",
    ]
    assert sorted(texts(run)) == sorted(REPEATED)


def test_to_look_is_to_keep_nothing(run):
    for name, text in zip("ab", REPEATED, strict=True):
        run("add", text, "--run", name)
    assert "merge" in run("consolidate", "--dry-run").stdout
    assert run("proposals", "list").stdout == ""


def test_one_is_shown_whole(run, proposed):
    shown = run("proposals", "show", proposed).stdout
    assert "status    pending" in shown
    assert shown.endswith(f"- {REPEATED[0]}\n  {REPEATED[1]}\n")
    found = json.loads(run("proposals", "show", proposed, "--json").stdout)
    assert (found["id"][:8], found["kind"]) == (proposed, "merge")


def test_an_accepted_one_is_taken_back_with_undo(run, proposed):
    done = run("proposals", "accept", proposed)
    assert done.stdout == f"Accepted {proposed}\n"
    assert texts(run) == [REPEATED[1]]
    run(*done.stderr.split("kept ")[1].split())
    assert sorted(texts(run)) == sorted(REPEATED)


def test_it_can_be_accepted_in_other_words(run, proposed):
    run("proposals", "accept", proposed, "--text", "Ana lives in Lisbon.")
    assert texts(run) == ["Ana lives in Lisbon."]
    made = json.loads(run("list", "--json").stdout)["results"][0]["id"]
    assert f"stored     {made}" in run("proposals", "show", proposed).stdout


@pytest.mark.parametrize(
    ("saved", "code", "left"), [("Ana lives by the river.", 0, ["Ana lives by the river."]), (None, 2, None)]
)
def test_it_can_be_edited(run, proposed, monkeypatch, saved, code, left):
    """Beginning with what would stay; one that is not saved changes nothing."""
    shown = []
    monkeypatch.setattr(click, "edit", lambda text: shown.append(text) or saved)
    run("proposals", "accept", proposed, "--edit", code=code)
    assert shown == [REPEATED[1]]
    assert sorted(texts(run)) == sorted(left or REPEATED)


def test_a_declined_one_does_not_come_again(run, proposed):
    assert run("proposals", "decline", proposed).stdout == f"Declined {proposed}\n"
    assert run("consolidate").stderr == "There is nothing new to propose.\n"
    assert run("proposals", "list").stderr == "There are no pending proposals.\n"
    assert run("proposals", "list", "--status", "all").stdout.startswith(
        f"{proposed}  merge  The same words, but for small ones.  (declined)\n"
    )
    assert "is declined already" in run("proposals", "accept", proposed, code=1).stderr


@pytest.mark.usefixtures("proposed")
@pytest.mark.parametrize("look", [(), ("--dry-run",)])
def test_what_nobody_decided_yet_is_not_forgotten(run, look):
    """It does not come again by itself, so it is named."""
    assert "1 proposal from before not decided yet: kept proposals list" in run("consolidate", *look).stderr
    assert "from before" not in run("consolidate", "--user", "bob", *look).stderr


def test_programs_get_what_python_gives(run):
    assert json.loads(run("consolidate", "--json").stdout) == {"results": [], "note": None}
    for name, text in zip("ab", REPEATED, strict=True):
        run("add", text, "--run", name)
    made = json.loads(run("consolidate", "--json").stdout)
    assert json.loads(run("proposals", "list", "--json").stdout) == {"results": made["results"], "total": 1}


def test_a_text_and_an_editor_exclude_each_other(run, proposed):
    assert "exclude each other" in run("proposals", "accept", proposed, "--edit", "--text", "Ana.", code=2).stderr


def test_those_of_others_are_shown_when_they_are_asked_for(run, proposed):
    assert run("proposals", "list", "--user", "bob").stdout == ""
    assert proposed in run("proposals", "list", "--all-users").stdout
