"""Other programs' configuration: where it is, how Kept's entry is put into it, and how it is taken out again.

Pure: from a file's text to its new text. Nothing else in a file is changed, and a file that cannot be read is refused, not replaced.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kept.claude_code import wiring
from kept.errors import ConfigurationError
from kept.settings import claude_code_files, other_config_folder

Edit = Callable[[str, Path], str]
"""A file's text to its new one; the path is for messages."""

_INDENT: Final = 2
_TOML_BLOCK: Final = re.compile(r"\n*# kept: begin\n.*?# kept: end\n", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file of a client's configuration.

    Attributes:
        connect: Puts Kept's entry in.
        disconnect: Takes it out.
    """

    path: Path
    connect: Edit
    disconnect: Edit


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A program that can use Kept.

    Attributes:
        title: Its name for people.
        restart: What makes it read its configuration again.
        parts: Gives its files; the command is how Kept is started.
    """

    title: str
    restart: str
    parts: Callable[[str], list[Part]]


def _claude_code(command: str) -> list[Part]:
    state, settings = claude_code_files()
    return [
        _entry(state, "mcpServers", wiring.server(command)),
        Part(
            path=settings,
            connect=_json_edit(lambda file, where: _with_hooks(file, where, command)),
            disconnect=_json_edit(_without_hooks),
        ),
    ]


def _claude_desktop(command: str) -> list[Part]:
    path = other_config_folder("Claude") / "claude_desktop_config.json"
    return [_entry(path, "mcpServers", _without_type(command))]


def _cursor(command: str) -> list[Part]:
    return [_entry(Path.home() / ".cursor" / "mcp.json", "mcpServers", _without_type(command))]


def _codex(command: str) -> list[Part]:
    path = Path.home() / ".codex" / "config.toml"
    return [
        Part(
            path=path, connect=lambda text, where: _toml_connected(text, where, command), disconnect=_toml_disconnected
        )
    ]


def _vscode(command: str) -> list[Part]:
    path = other_config_folder("Code") / "User" / "mcp.json"
    return [_entry(path, "servers", wiring.server(command))]


CLIENTS: Final[Mapping[str, Client]] = {
    "claude-code": Client(title="Claude Code", restart="Start a new session.", parts=_claude_code),
    "claude-desktop": Client(title="Claude Desktop", restart="Quit it and start it again.", parts=_claude_desktop),
    "cursor": Client(title="Cursor", restart="Reload its window.", parts=_cursor),
    "codex": Client(title="Codex", restart="Start a new session.", parts=_codex),
    "vscode": Client(title="VS Code", restart="Reload its window.", parts=_vscode),
}
"""By their word on the command line."""


def kept_command() -> str:
    """How this Kept is started from anywhere: programs with windows do not have the shell's path."""
    beside = Path(sys.executable).with_name("kept.exe" if sys.platform == "win32" else "kept")
    return str(beside) if beside.is_file() else shutil.which("kept") or "kept"


# --- JSON --------------------------------------------------------------------------------------------------------


def _entry(path: Path, section: str, server: Mapping[str, Any]) -> Part:
    """A file in which servers stand by name in a section."""

    def connect(file: dict[str, Any], where: Path) -> None:
        _section(file, section, where)[wiring.SERVER] = dict(server)

    def disconnect(file: dict[str, Any], _: Path) -> None:
        servers = file.get(section)
        if isinstance(servers, dict) and servers.pop(wiring.SERVER, None) is not None and not servers:
            del file[section]

    return Part(path=path, connect=_json_edit(connect), disconnect=_json_edit(disconnect))


def _json_edit(change: Callable[[dict[str, Any], Path], None]) -> Edit:
    """An edit of a JSON object; its text stays as it is where the object does."""

    def edit(text: str, where: Path) -> str:
        file = _parsed(text, where)
        before = json.dumps(file)
        change(file, where)
        if json.dumps(file) == before:
            return text
        return json.dumps(file, indent=_indent(text), ensure_ascii=False) + "\n"

    return edit


def _parsed(text: str, where: Path) -> dict[str, Any]:
    try:
        found = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"{where} is no plain JSON ({error}), so it was left as it is. Files with comments have to be edited by hand."
        ) from error
    if not isinstance(found, dict):
        raise ConfigurationError(f"{where} holds no JSON object, so it was left as it is.")
    return found


def _section(file: dict[str, Any], name: str, where: Path) -> dict[str, Any]:
    found = file.setdefault(name, {})
    if not isinstance(found, dict):
        raise ConfigurationError(f"{where}: {name} is no object, so the file was left as it is.")
    return found


def _indent(text: str) -> int | str:
    """How the file is indented already."""
    match = re.search(r"\{\s*\n([ \t]+)\S", text)
    return match[1] if match else _INDENT


def _without_type(command: str) -> dict[str, Any]:
    """A server for clients that know one kind only."""
    return {name: value for name, value in wiring.server(command).items() if name != "type"}


# --- Claude Code's hooks -----------------------------------------------------------------------------------------


def _with_hooks(file: dict[str, Any], where: Path, command: str) -> None:
    _without_hooks(file, where)
    hooks = _section(file, "hooks", where)
    for event, entries in wiring.hooks(wiring.SERVER, command).items():
        known = hooks.setdefault(event, [])
        if not isinstance(known, list):
            raise ConfigurationError(f"{where}: hooks.{event} is no list, so the file was left as it is.")
        known.extend(entries)


def _without_hooks(file: dict[str, Any], _: Path) -> None:
    hooks = file.get("hooks")
    if not isinstance(hooks, dict):
        return
    for event, entries in list(hooks.items()):
        if isinstance(entries, list) and any(map(_holds_ours, entries)):
            hooks[event] = [left for entry in entries for left in _left_of(entry)]
            if not hooks[event]:
                del hooks[event]
    if not hooks:
        del file["hooks"]


def _holds_ours(entry: object) -> bool:
    hooks = entry.get("hooks") if isinstance(entry, dict) else None
    return isinstance(hooks, list) and any(map(wiring.is_ours, hooks))


def _left_of(entry: Any) -> list[Any]:
    """An entry without our hooks; nothing when nothing else was in it."""
    if not _holds_ours(entry):
        return [entry]
    others = [hook for hook in entry["hooks"] if not wiring.is_ours(hook)]
    return [entry | {"hooks": others}] if others else []


# --- TOML --------------------------------------------------------------------------------------------------------


def _toml_connected(text: str, where: Path, command: str) -> str:
    """The file with a marked block at its end; comments and order of the rest stay."""
    rest = _TOML_BLOCK.sub("\n", text)
    try:
        known = tomllib.loads(rest)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{where} is not valid TOML ({error}), so it was left as it is.") from error
    if wiring.SERVER in known.get("mcp_servers", {}):
        raise ConfigurationError(
            f"{where} has a server {wiring.SERVER!r} already; remove it first, it was left as it is."
        )
    block = (
        f'# kept: begin\n[mcp_servers.{wiring.SERVER}]\ncommand = {json.dumps(command)}\nargs = ["mcp"]\n# kept: end\n'
    )
    return f"{rest.rstrip()}\n\n{block}" if rest.strip() else block


def _toml_disconnected(text: str, where: Path) -> str:
    del where
    return _TOML_BLOCK.sub("\n", text).lstrip("\n") if _TOML_BLOCK.search(text) else text
