"""The plugin in the real client: installed from npm, in an empty home folder, against a scripted model, without a network."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from kept import Memory
from kept.bootstrap import open_log
from kept.claude_code.rehearsal import Stage, rehearse
from kept.claude_code.scripted import Asked, Block, ScriptedModel, say, use
from kept.domain.scope import Scope
from kept.ports import Listing

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "plugins" / "claude-code"
INSTALLED = ROOT / ".venv" / "claude-code"
SHOP = "github.com/acme/shop"
SYSTEM_PATH = "/usr/bin:/bin"
LONGEST_HOOK_MS = 4_000
"""A turn's end waits two seconds for its store; its hook would be given up after five."""


def find_client() -> str | None:
    """The client: the one that `make` installed, else the one on the path."""
    found = sorted(INSTALLED.glob("node_modules/@anthropic-ai/claude-code-*/claude*"))
    return next((str(path) for path in found if os.access(path, os.X_OK)), None) or shutil.which("claude")


CLIENT = find_client()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.skipif(CLIENT is None, reason="Claude Code is not installed (make installs it from npm where it can)"),
    pytest.mark.skipif(os.name == "nt", reason="the sessions are run on POSIX systems"),
]


class World:
    """A home folder, a repository, the scripted model, and Kept on the path."""

    def __init__(self, folder: Path, model: ScriptedModel) -> None:
        self.model = model
        programs = folder / "bin"
        programs.mkdir()
        program = programs / "kept"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m kept.cli "$@"\n')
        program.chmod(0o755)
        self.stage = Stage(
            client=str(CLIENT),
            folder=folder / "home",
            model=model,
            wired=["--plugin-dir", str(PLUGIN)],
            # A prompt that comes half a second after the client's start may wait longer here: machines that test are busy.
            more={
                "PATH": f"{programs}:{SYSTEM_PATH}",
                "KEPT_DEBUG": "1",
                "KEPT_RECALL_MS": "1500",
                "KEPT_USER_ID": "maya",
            },
        )
        git = self.stage.project / ".git"
        (git / "refs" / "heads").mkdir(parents=True)
        (git / "objects").mkdir()
        (git / "HEAD").write_text("ref: refs/heads/main\n")
        (git / "config").write_text(
            '[core]\n\trepositoryformatversion = 0\n[remote "origin"]\n\turl = git@github.com:acme/shop.git\n'
        )

    def session(self, prompt: str, *arguments: str, **more: str) -> list[Asked]:
        """A session; what its own loop asked the model."""
        before = len(self.model.asked)
        stage = replace(self.stage, more={**self.stage.more, **more})
        done = stage.session(prompt, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return [asked for asked in self.model.asked[before:] if asked.is_main]

    def remember(self, text: str) -> None:
        """What an earlier session learned."""
        self.stage.folder.mkdir(exist_ok=True)
        with Memory(self.stage.database) as memory:
            memory.add(text, user_id="maya", app_id=SHOP, infer=False)

    def waiting(self) -> list[str]:
        """What waits for the store."""
        return [path.read_text() for path in self.stage.folder.rglob("waiting/*.json")]

    def records(self):
        """What is stored for the repository, oldest first."""
        log = open_log(str(self.stage.database), busy_timeout_s=5)
        try:
            return list(log.scan(Listing(scope=Scope(app_id=SHOP), newest_first=False)))
        finally:
            log.close()

    def hooks(self) -> list[dict]:
        """The log of hooks."""
        (journal,) = self.stage.folder.rglob("hooks.log")
        return [json.loads(line) for line in journal.read_text().splitlines()]

    def native(self) -> Path:
        """The client's own memory folder of the project."""
        name = "".join(letter if letter.isalnum() else "-" for letter in str(self.stage.project))
        return self.stage.folder / ".claude" / "projects" / name / "memory"


def script(asked: Asked) -> list[Block]:
    """Answers by what the user asked last."""
    prompt = asked.prompt
    if "create a detailed summary" in asked.text:
        return say(SUMMARY)
    if "Look where" in prompt:
        return say("The parser lives in the folder src of the shop.")
    wanted = [block for mark, block in TOOLS.items() if mark in prompt]
    if wanted and not asked.after_tool:
        return wanted[0]
    if prompt.startswith("write to ") and not asked.after_tool:
        return use("Write", file_path=prompt.removeprefix("write to "), content="The parser accepts tabs since May.\n")
    return say("The lockfile of the web packages is converted.")


TOOLS = {
    "run the failing command": use("Bash", command="echo ZebraCacheError: refused; exit 3", description="run it"),
    "look with an agent": use(
        "Agent",
        description="look",
        prompt="Look where the parser lives",
        subagent_type="Explore",
        run_in_background=False,
    ),
}
SUMMARY = """<analysis>Thinking about it.</analysis><summary>
1. Primary Request: convert the lockfile.
4. Errors: We decided to use a lexer instead of regular expressions.
7. Pending Tasks:
   - Write the docs of the lexer
</summary>"""


@pytest.fixture
def world(tmp_path: Path):
    with ScriptedModel(script) as model:
        yield World(tmp_path, model)


def test_the_second_session_knows_what_the_first_learned_and_nothing_is_left_running(world):
    """Brief, recall and capture through the plugin; every hook answered; no process stays."""
    world.session("We decided to use pnpm instead of npm for the web packages.")
    assert [record.speaker for record in world.records()] == ["user", "assistant"]
    (asked,) = world.session("Which package manager do we use?")
    assert "user: We decided to use pnpm instead of npm" in asked.text
    (asked,) = world.session("Was the lockfile of the web packages converted?", KEPT_BRIEF_TOKENS="1")
    assert "The lockfile of the web packages is converted." in asked.text.partition("UserPromptSubmit hook")[2]
    assert not any(record.reinforced for record in world.records())
    events = {line["hook_event_name"] for line in world.hooks()}
    assert events >= {"SessionStart", "UserPromptSubmit", "Stop"}
    assert_nothing_runs_in(world.stage.folder)


def assert_nothing_runs_in(folder: Path) -> None:
    """No process has this folder as its home; the client's server ends with it."""
    deadline = time.monotonic() + 5
    while running := _running(folder):
        assert time.monotonic() < deadline, running
        time.sleep(0.05)


def _running(folder: Path) -> list[str]:
    mark = f"HOME={folder}\0".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    return found


def test_a_compaction_keeps_state_and_summary_and_is_not_disturbed(world):
    world.session("Convert the lockfile of the web packages please.")
    (summarised,) = world.session("/compact", "--continue")
    assert "Additional Instructions" not in summarised.said[-1][1]
    kinds = {record.metadata.get("type") for record in world.records()}
    assert {"compact_summary", "open_work"} <= kinds
    assert any(
        record.text.endswith("lexer instead of regular expressions.") and not record.expires_on
        for record in world.records()
    )
    (asked,) = world.session("Where were we?", "--continue")
    assert "Write the docs of the lexer" in asked.text.partition("Open work:")[2]


def test_an_error_is_met_by_what_was_learned_about_it_and_kept(world):
    world.remember("ZebraCacheError means that the redis container of the shop is down.")
    *_, asked = world.session("Please run the failing command", "--allowedTools", "Bash", KEPT_BRIEF_TOKENS="1")
    assert "redis container of the shop is down" in asked.text.partition("PostToolUseFailure:Bash hook")[2]
    assert any("ZebraCacheError: refused" in record.text and record.role == "tool" for record in world.records())


def test_a_subagent_is_told_the_conventions_and_its_report_is_its_own(world):
    world.remember("Always run make lint before committing to the shop.")
    asked = world.session("look with an agent", "--allowedTools", "Agent")
    told = next(one.text for one in asked if "Look where" in one.prompt)
    assert "Always run make lint" in told
    (report,) = [record for record in world.records() if record.agent_id]
    assert (report.agent_id, report.text) == ("Explore", "The parser lives in the folder src of the shop.")


def test_a_write_to_the_clients_own_memory_is_mirrored_or_turned_away(world):
    path = world.native() / "tabs.md"
    world.session(f"write to {path}", "--allowedTools", "Write")
    (mirrored,) = [record for record in world.records() if record.metadata.get("source") == "native-memory"]
    assert mirrored.text == "The parser accepts tabs since May."
    other = world.native() / "blanks.md"
    *_, asked = world.session(f"write to {other}", "--allowedTools", "Write", KEPT_NATIVE_MEMORY="redirect")
    assert "keeps its memory in Kept" in asked.text
    assert not other.exists()


def test_a_session_goes_on_without_its_store(world):
    """The store is no database: the session works, its user hears of it once, and the turn waits for a store."""
    world.stage.database.write_text("This is no database, but long enough to be looked at. " * 100)
    world.session("Convert the lockfile of the web packages please.")
    assert [line["went"]["kind"] for line in world.hooks()].count("systemMessage") == 1
    assert any("Convert the lockfile" in text for text in world.waiting())


def test_a_store_that_is_locked_holds_nobody_for_long(world):
    world.remember("We decided to use pnpm instead of npm for the web packages.")
    with closing(sqlite3.connect(world.stage.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        (asked,) = world.session("Convert the lockfile of the web packages please.")
        other.execute("ROLLBACK")
    assert "We decided to use pnpm" in asked.text
    assert max(line["ms"] for line in world.hooks()) < LONGEST_HOOK_MS
    assert any("Convert the lockfile" in text for text in world.waiting())


@pytest.mark.skipif(
    any(Path(folder, "kept").exists() for folder in ("/usr/bin", "/usr/local/bin")), reason="Kept is installed for all"
)
def test_where_kept_is_not_installed_the_session_works_and_says_what_to_do(world):
    done = replace(world.stage, more={"PATH": SYSTEM_PATH}).session(
        "Hello there", "--debug-file", str(world.stage.folder / "debug.log")
    )
    assert done.returncode == 0
    log = (world.stage.folder / "debug.log").read_text()
    assert log.count("pipx install kept (or: uv tool install kept)") == 1
    assert "not connected" not in log


def test_the_plugin_is_installed_from_its_marketplace(world):
    def plugin(*words: str) -> None:
        world.stage.project.mkdir(parents=True, exist_ok=True)
        command = [world.stage.client, "plugin", *words]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env=world.stage.environment, cwd=world.stage.project
        )
        assert done.returncode == 0, done.stdout + done.stderr

    market = world.stage.folder.parent / "market"
    shutil.copytree(PLUGIN, market / "plugins" / "claude-code")
    shutil.copytree(ROOT / ".claude-plugin", market / ".claude-plugin")
    plugin("validate", str(market / "plugins" / "claude-code"), "--strict")
    plugin("marketplace", "add", str(market))
    plugin("install", "kept@kept")
    world.stage = replace(world.stage, wired=[])
    world.remember("We decided to use pnpm instead of npm for the web packages.")
    (asked,) = world.session("Which package manager do we use?")
    assert "We decided to use pnpm instead of npm" in asked.text


def test_kept_connect_wires_the_client_and_disconnect_unwires_it(world):
    def kept(*words: str) -> None:
        world.stage.folder.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "kept.cli", *words]
        subprocess.run(command, check=True, capture_output=True, text=True, env=world.stage.environment)

    world.stage = replace(world.stage, wired=[])
    kept("connect", "claude-code", "--yes")
    world.remember("We decided to use pnpm instead of npm for the web packages.")
    (asked,) = world.session("Which package manager do we use?")
    assert "We decided to use pnpm instead of npm" in asked.text
    kept("disconnect", "claude-code", "--yes")
    assert json.loads((world.stage.folder / ".claude" / "settings.json").read_text()) == {}


def test_the_doctors_canary_comes_back(world):
    command = Path(world.stage.more["PATH"].partition(":")[0]) / "kept"
    findings = rehearse(str(CLIENT), str(command))
    assert [finding.problem for finding in findings] == [""] * 5
