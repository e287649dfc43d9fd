"""`kept connect` and `kept disconnect`: other programs' files are changed by what is shown, and come back as they were."""

from __future__ import annotations

import json
import os
import stat
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from kept.claude_code import wiring
from kept.claude_code.clients import CLIENTS
from kept.cli.app import cli
from kept.cli.connect import NAMES
from kept.errors import ConfigurationError

JSON_CLIENTS = sorted(set(CLIENTS) - {"codex"})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def run(*words: str, answer: str | None = None):
    return CliRunner().invoke(cli, list(words), input=answer)


def files_of(name: str) -> list[Path]:
    return [part.path for part in CLIENTS[name].parts("kept")]


def servers_in(path: Path) -> dict:
    if path.suffix == ".toml":
        return tomllib.loads(path.read_text()).get("mcp_servers", {})
    found = json.loads(path.read_text())
    return found.get("mcpServers", found.get("servers", {}))


def test_the_command_knows_every_client():
    assert set(NAMES) == set(CLIENTS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("home")
def test_a_client_is_connected_and_disconnected(name):
    path = files_of(name)[0]
    assert run("connect", name, "--yes").exit_code == 0
    server = servers_in(path)["kept"]
    assert server["args"] == ["mcp"]
    assert Path(server["command"]).name.startswith("kept")
    assert "nothing changes" in run("connect", name, "--yes").output
    assert run("disconnect", name, "--yes").exit_code == 0
    assert "kept" not in servers_in(path)
    assert "nothing changes" in run("disconnect", name, "--yes").output


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("home")
def test_nothing_is_written_before_it_was_shown_and_confirmed(name):
    for done in (run("connect", name, "--dry-run"), run("connect", name, answer="n\n")):
        assert "kept" in done.output
        assert not any(path.exists() for path in files_of(name))


@pytest.mark.parametrize("name", JSON_CLIENTS)
@pytest.mark.usefixtures("home")
def test_the_rest_of_a_file_comes_back_byte_for_byte(name):
    """Other servers, other hooks, order and indentation."""
    before = {}
    for path in files_of(name):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = {"z": [1, {"ä": None}], "mcpServers": {"other": {"command": "x"}}, "servers": {"other": {}}}
        file["hooks"] = {"Stop": [{"hooks": [{"type": "command", "command": "say done"}]}], "Other": []}
        before[path] = json.dumps(file, indent=4, ensure_ascii=False) + "\n"
        path.write_text(before[path], encoding="utf-8")
    run("connect", name, "--yes")
    assert all(path.read_text(encoding="utf-8") != text for path, text in before.items())
    run("disconnect", name, "--yes")
    assert {path: path.read_text(encoding="utf-8") for path in before} == before


def test_codex_keeps_its_comments(home):
    path = home / ".codex" / "config.toml"
    path.parent.mkdir()
    text = '# mine\nmodel = "x"\n\n[mcp_servers.other]\ncommand = "y"\n'
    path.write_text(text)
    run("connect", "codex", "--yes")
    assert path.read_text().startswith(text)
    assert set(servers_in(path)) == {"kept", "other"}
    run("disconnect", "codex", "--yes")
    assert path.read_text().strip() == text.strip()


def test_claude_code_gets_its_hooks_beside_those_of_others(home):
    settings = home / ".claude" / "settings.json"
    settings.parent.mkdir()
    other = {"matcher": "", "hooks": [{"type": "command", "command": "say done"}]}
    settings.write_text(json.dumps({"hooks": {"Stop": [other]}, "model": "opus"}))
    run("connect", "claude-code", "--yes")
    found = json.loads(settings.read_text())
    assert found["hooks"]["Stop"][0] == other
    assert set(found["hooks"]) == set(wiring.hooks("kept"))
    assert found["model"] == "opus"


def test_an_older_wiring_is_replaced_not_doubled(home):
    run("connect", "claude-code", "--yes")
    settings = home / ".claude" / "settings.json"
    older = json.loads(settings.read_text())
    older["hooks"]["Stop"][0]["hooks"][0]["timeout"] = 99
    settings.write_text(json.dumps(older))
    run("connect", "claude-code", "--yes")
    assert len(json.loads(settings.read_text())["hooks"]["Stop"]) == 1
    assert "99" not in settings.read_text()


@pytest.mark.parametrize("content", ["{ // mine\n}", "[1, 2]", '{"mcpServers": 7, "servers": 7}', "\x00"])
@pytest.mark.parametrize("name", JSON_CLIENTS)
@pytest.mark.usefixtures("home")
def test_a_file_that_is_not_understood_is_refused_and_left_as_it_is(name, content):
    path = files_of(name)[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    done = run("connect", name, "--yes")
    assert done.exit_code == 1
    assert "left as it" in done.output
    assert path.read_text() == content


@pytest.mark.parametrize("content", ["no = toml = at all", '[mcp_servers.kept]\ncommand = "mine"\n'])
def test_so_is_toml(home, content):
    path = home / ".codex" / "config.toml"
    path.parent.mkdir()
    path.write_text(content)
    assert run("connect", "codex", "--yes").exit_code == 1
    assert path.read_text() == content


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_and_rights_stay(home):
    real = home / "dotfiles" / "mcp.json"
    real.parent.mkdir()
    real.write_text("{}")
    real.chmod(0o600)
    path = home / ".cursor" / "mcp.json"
    path.parent.mkdir()
    path.symlink_to(real)
    run("connect", "cursor", "--yes")
    assert path.is_symlink()
    assert "kept" in servers_in(real)
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


@pytest.mark.usefixtures("home")
def test_json_asks_nothing_and_shows_both_texts():
    assert run("connect", "cursor", "--json").exit_code == 2
    shown = json.loads(run("connect", "cursor", "--json", "--yes").output)
    assert shown["changed"]
    (file,) = shown["files"]
    assert file["before"] == ""
    assert "kept" in file["after"]


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


HOOKS = st.dictionaries(st.sampled_from(["Stop", "Other"]), st.lists(PLAIN, max_size=2) | PLAIN, max_size=2) | PLAIN


@given(st.fixed_dictionaries({}, optional={"hooks": HOOKS, "model": PLAIN}))
def test_what_others_have_in_the_settings_survives_any_shape(file):
    """Whatever stands there, disconnecting after connecting gives it back but for empty lists, or connecting refuses."""
    _, settings = CLIENTS["claude-code"].parts("kept")
    try:
        connected = settings.connect(json.dumps(file), settings.path)
    except ConfigurationError:
        hooks = file["hooks"]
        assert not isinstance(hooks, dict) or not isinstance(hooks["Stop"], list)
        return
    left = json.loads(settings.disconnect(connected, settings.path))
    hooks = file.get("hooks")
    if isinstance(hooks, dict):
        wired = wiring.hooks("kept")
        file["hooks"] = {event: entries for event, entries in hooks.items() if entries != [] or event not in wired}
    assert left == {name: value for name, value in file.items() if (name, value) != ("hooks", {})}
