"""The plugin's files: they say what the code says, and what the client can read."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

import kept
from kept.claude_code import wiring
from kept.claude_code.hooks import HANDLERS

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "plugins" / "claude-code"
SKILLS = sorted(path.parent.name for path in PLUGIN.glob("skills/*/SKILL.md"))
FIELDS_OF_A_PORTABLE_SKILL = {"name", "description", "license", "compatibility", "metadata", "allowed-tools"}


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_plugins_hooks_are_those_of_the_code():
    """Written by: json.dumps({"description": wiring.SUMMARY, "hooks": wiring.hooks(wiring.PLUGIN_SERVER)}, indent=2)."""
    assert read(PLUGIN / "hooks" / "hooks.json") == {
        "description": wiring.SUMMARY,
        "hooks": wiring.hooks(wiring.PLUGIN_SERVER),
    }


def test_every_event_that_is_sent_is_answered_and_every_handler_is_sent_to():
    assert set(wiring.hooks("kept")) == set(HANDLERS)


def test_each_hook_has_a_time_out_and_only_a_start_is_a_command():
    """A command at any other event would start a process for each; without a time-out a slow server holds the session for 30 s."""
    entries = [(event, entry) for event, found in wiring.hooks("kept").items() for entry in found]
    hooks = [(event, entry.get("matcher"), hook) for event, entry in entries for hook in entry["hooks"]]
    assert all(hook["timeout"] <= 10 for _, _, hook in hooks)
    commands = [(event, matcher) for event, matcher, hook in hooks if hook["type"] == "command"]
    assert commands == [("SessionStart", "startup|resume|fork")]
    assert all("args" in hook for _, _, hook in hooks if hook["type"] == "command")


def test_manifest_and_marketplace_agree_with_the_package():
    manifest, market = (
        read(PLUGIN / ".claude-plugin" / "plugin.json"),
        read(ROOT / ".claude-plugin" / "marketplace.json"),
    )
    (entry,) = market["plugins"]
    assert manifest["version"] == kept.__version__
    assert "version" not in entry
    assert (ROOT / entry["source"]).resolve() == PLUGIN.resolve()
    assert (market["name"], entry["name"], manifest["name"]) == ("kept", "kept", "kept")


@pytest.mark.parametrize("name", SKILLS)
def test_a_skill_stays_inside_the_portable_form(name):
    front = re.match(
        r"---\n(.*?)\n---\n", (PLUGIN / "skills" / name / "SKILL.md").read_text(encoding="utf-8"), re.DOTALL
    )
    fields = dict(line.split(": ", 1) for line in front[1].splitlines())
    assert fields["name"] == name
    assert set(fields) <= FIELDS_OF_A_PORTABLE_SKILL
    assert len(fields["description"]) < 300


def test_the_skills_are_those_that_are_promised():
    assert SKILLS == ["forget", "import", "recall", "remember", "review", "sdk", "status"]


def stand_in(tmp_path: Path, *messages: dict) -> list[dict]:
    """What the plugin's server answers where Kept is not installed."""
    done = subprocess.run(
        ["/bin/sh", str(PLUGIN / "servers" / "kept")],
        input="".join(json.dumps(message, separators=(",", ":")) + "\n" for message in messages),
        env={"PATH": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def call(number: int, event: str) -> dict:
    params = {"name": "hook", "arguments": {"hook_event_name": event, "prompt": 'say "id": 7, "method":"x"'}}
    return {"method": "tools/call", "params": params, "jsonrpc": "2.0", "id": number}


needs_shell = pytest.mark.skipif(
    not Path("/bin/sh").exists(), reason="the stand-in for a missing Kept is a shell script"
)


@needs_shell
def test_where_kept_is_not_installed_the_session_hears_of_it_once(tmp_path):
    answers = stand_in(
        tmp_path, call(1, "UserPromptSubmit"), call(2, "Stop"), call(3, "UserPromptSubmit"), call(4, "PreCompact")
    )
    assert [answer["id"] for answer in answers] == [1, 2, 3, 4]
    first, *others = [answer["result"]["content"][0]["text"] for answer in answers]
    assert "pipx install kept" in json.loads(first)["systemMessage"]
    assert others == ["{}", "{}", ""]


@needs_shell
def test_the_stand_in_speaks_the_protocol(tmp_path):
    asked = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-06-18"}}
    discover, initialised, listed, pinged = stand_in(
        tmp_path,
        {"jsonrpc": "2.0", "id": "d", "method": "server/discover", "params": {}},
        asked,
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
        {"jsonrpc": "2.0", "id": 3, "method": "ping"},
    )
    assert discover["error"]["code"] == -32601
    assert initialised["result"]["protocolVersion"] == "2025-06-18"
    assert "pipx install kept" in initialised["result"]["instructions"]
    assert listed["result"] == {"tools": []}
    assert pinged["result"] == {}
