"""`kept hook session-start` as the client calls it: a process of its own that always answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import kept
from kept import Memory
from kept.cli.app import cli

SLOW_TO_IMPORT = ["numpy", "click", "tokenizers", "kept.ports", "kept.engine.service", "kept.adapters.sqlite.log"]


def environment(folder: Path, **more: str) -> dict[str, str]:
    """A user with a store of his own and nothing else."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("KEPT_", "XDG_"))}
    source = str(Path(kept.__file__).parents[1])
    user = {"HOME": str(folder), "KEPT_USER_ID": "maya", "KEPT_DATABASE": str(folder / "kept.db"), "PYTHONPATH": source}
    return inherited | user | more


def start(folder: Path, given: str, *words: str, **more: str) -> dict:
    """What a session's start is answered."""
    command = [sys.executable, *(words or ("-m", "kept.cli")), "hook", "session-start"]
    done = subprocess.run(
        command,
        input=given,
        env=environment(folder, **more),
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=15,
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


def context(answer: dict) -> str:
    return answer["hookSpecificOutput"]["additionalContext"]


def event(folder: Path, **fields: str) -> str:
    return json.dumps({"session_id": "s1", "cwd": str(folder), "source": "startup", **fields})


def test_a_start_is_told_what_is_remembered(tmp_path):
    with Memory(tmp_path / "kept.db") as memory:
        memory.add("We decided to use pnpm.", user_id="maya", app_id=tmp_path.as_posix())
    told = context(start(tmp_path, event(tmp_path)))
    assert f"user maya, project {tmp_path.as_posix()}, 1 memory." in told
    assert "We decided to use pnpm." in told


def test_a_start_imports_nothing_that_reading_does_not_need(tmp_path):
    """Every session waits for it."""
    with Memory(tmp_path / "kept.db") as memory:
        memory.add("We decided to use pnpm.", user_id="maya", app_id=tmp_path.as_posix())
    script = "import sys; from kept.cli import main; main(); print(json.dumps(sorted(sys.modules)), file=sys.stdout)"
    command = [sys.executable, "-c", f"import json; {script}", "hook", "session-start"]
    done = subprocess.run(
        command,
        input=event(tmp_path),
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
        timeout=15,
    )
    answer, modules = done.stdout.splitlines()
    assert "pnpm" in answer
    assert set(SLOW_TO_IMPORT) & set(json.loads(modules)) == set()


@pytest.mark.parametrize("given", ["", "no json", "[1, 2]", "{", "\x00", '{"cwd": 7}', '{"cwd": "/no/such/folder"}'])
def test_a_start_is_answered_whatever_comes(tmp_path, given):
    assert "Kept, the memory of this project" in context(start(tmp_path, given))


def test_a_start_makes_no_store(tmp_path):
    start(tmp_path, event(tmp_path))
    assert not (tmp_path / "kept.db").exists()


@pytest.mark.parametrize(
    "more",
    [
        {"KEPT_DATABASE": "postgresql://nowhere"},
        {"KEPT_CACHE_MB": "many"},
        {"KEPT_URL": "http://127.0.0.1:9", "KEPT_API_KEY": "key"},
    ],
)
def test_what_is_wrong_is_said_to_the_user_and_the_session_starts(tmp_path, more):
    answer = start(tmp_path, event(tmp_path), **more)
    assert "the session goes on without it" in answer["systemMessage"]


def test_a_broken_store_is_said_to_the_user(tmp_path):
    (tmp_path / "kept.db").write_bytes(b"no database at all, but long enough to be one " * 50)
    assert "is not a Kept database" in start(tmp_path, event(tmp_path))["systemMessage"]


@pytest.mark.parametrize("home", ["/nonexistent/home", "/proc"])
def test_without_a_home_folder_that_can_be_written_a_session_starts_all_the_same(tmp_path, home):
    assert "0 memories" in context(start(tmp_path, event(tmp_path), HOME=home))


def test_the_parsed_command_answers_alike(tmp_path, monkeypatch):
    """With options, for which the fast way does not look."""
    monkeypatch.setenv("HOME", str(tmp_path))
    words = ["hook", "session-start", "--user", "ben", "--database", str(tmp_path / "kept.db")]
    done = CliRunner().invoke(cli, words, input=event(tmp_path))
    assert done.exit_code == 0
    assert "user ben" in context(json.loads(done.output))


def test_the_log_says_what_came_and_went_and_never_a_text(tmp_path):
    with Memory(tmp_path / "kept.db") as memory:
        memory.add("We decided to use pnpm.", user_id="maya", app_id=tmp_path.as_posix())
    data = tmp_path / "data"
    start(tmp_path, event(tmp_path, prompt="a secret plan"), KEPT_DEBUG="1", XDG_DATA_HOME=str(data))
    (journal,) = tmp_path.rglob("hooks.log")
    (line,) = map(json.loads, journal.read_text().splitlines())
    assert (line["hook_event_name"], line["source"], line["went"]["kind"]) == (
        "SessionStart",
        "startup",
        "additionalContext",
    )
    assert line["came"]["prompt"] == len("a secret plan")
    assert line["ms"] > 0
    assert "pnpm" not in journal.read_text()
    assert "secret" not in journal.read_text()
