"""The whole loop through the real client, in an empty home folder and against a scripted model: does a canary come back?

One session says something, a second one asks for it. Each step that fails is named, with what the client said.
"""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from kept.claude_code import wiring
from kept.claude_code.scripted import Asked, Block, ScriptedModel, say
from kept.settings import child_environment

CLIENT: Final = "claude"
SESSION_S: Final = 60
"""How long one session may take; on a quiet machine it takes some three seconds."""
_SCRUBBED: Final = ("KEPT_", "CLAUDE", "ANTHROPIC_", "XDG_", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
"""What could lead a session back to its user's own account, store or network."""
_SHOWN: Final = 400
"""Characters of what the client printed that a finding repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """An empty home folder in which the real client runs.

    Attributes:
        client: The client's program.
        folder: Holds everything; the sessions work in `project` below it.
        model: What answers.
        wired: Arguments that give the client its hooks and server.
        more: Further variables of its environment.
    """

    client: str
    folder: Path
    model: ScriptedModel
    wired: Sequence[str]
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def project(self) -> Path:
        """Where sessions work."""
        return self.folder / "project"

    @property
    def database(self) -> Path:
        """The store."""
        return self.folder / "kept.db"

    @property
    def environment(self) -> dict[str, str]:
        """The sessions' environment: no account, no way out but to the scripted model."""
        nowhere = "http://127.0.0.1:9"  # the discard port: whatever goes there is refused
        home = {"HOME": str(self.folder), "USERPROFILE": str(self.folder), "KEPT_DATABASE": str(self.database)}
        model = {"ANTHROPIC_BASE_URL": self.model.url, "ANTHROPIC_API_KEY": "scripted", "NO_PROXY": "127.0.0.1"}
        quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1", "HTTPS_PROXY": nowhere}
        return child_environment(_SCRUBBED, **home, **model, **quiet, **self.more)

    def session(self, prompt: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One session with one prompt, in the project."""
        self.project.mkdir(parents=True, exist_ok=True)
        return subprocess.run(  # noqa: S603 - the program that was asked for
            [self.client, "-p", prompt, *self.wired, *arguments],
            cwd=self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=SESSION_S,
            check=False,
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """One step of the loop.

    Attributes:
        problem: What is wrong; empty when nothing is.
    """

    step: str
    detail: str
    problem: str = ""


def find_client() -> str | None:
    """The client's program on the path."""
    return shutil.which(CLIENT)


def rehearse(client: str, command: str) -> list[Finding]:
    """Say a canary in one session and ask for it in the next.

    Args:
        client: The client's program.
        command: How `kept` is started.
    """
    canary = f"canary{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory(prefix="kept-rehearsal-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with ScriptedModel(_script) as model:
            stage = Stage(
                client=client,
                folder=folder,
                model=model,
                wired=_wired(folder, command),
            )
            try:
                return list(_findings(stage, canary))
            except (OSError, subprocess.SubprocessError) as error:
                return [Finding("client", client, f"a session could not be run: {error}")]


def _findings(stage: Stage, canary: str) -> Iterator[Finding]:
    first = stage.session(f"The lighthouse of this project is called {canary}.")
    told = _told(stage, 0)
    yield Finding("client", "a session ran", "" if told else f"it asked no model: {_printed(first)}")
    brief = "Kept, the memory of this project" in told
    yield Finding(
        "start", "it was told whose memory it has", "" if brief else f"it was told nothing: {_printed(first)}"
    )
    stored = _stored(stage)
    known = any(canary in text for speaker, text in stored if speaker == "user")
    missing = f"it is not among {len(stored)} memories: {_printed(first)}"
    yield Finding("capture", "what was said is stored", "" if known else missing)
    before = len(stage.model.asked)
    # Without room for a brief, the prompt has to bring the canary.
    second = replace(stage, more={**stage.more, "KEPT_BRIEF_TOKENS": "1"}).session(
        "What is the lighthouse of this project called?"
    )
    given = canary in _told(stage, before)
    yield Finding("recall", "the next session's prompt is given it", "" if given else f"it is not: {_printed(second)}")
    if not given:
        return
    echoed = any(canary in text for speaker, text in _stored(stage) if speaker == "assistant")
    yield Finding("loop", "what was injected is not stored again", "it is stored again" if echoed else "")


def _told(stage: Stage, before: int) -> str:
    """All that was put before the model since so many requests."""
    return "\n".join(asked.text for asked in stage.model.asked[before:])


def _script(asked: Asked) -> list[Block]:
    """Repeats what it was given, as models do; so an echo would be seen."""
    found = next((line for line in asked.text.splitlines() if line.startswith("- [") and "canary" in line), "")
    return say(found.partition("user: ")[2] or "Understood, and there is more to say about harbours.")


def _wired(folder: Path, command: str) -> list[str]:
    """Arguments that give the client the same hooks and server as `kept connect claude-code` writes."""
    settings, servers = folder / "settings.json", folder / "servers.json"
    settings.write_text(json.dumps({"hooks": wiring.hooks(wiring.SERVER, command)}), encoding="utf-8")
    servers.write_text(json.dumps({"mcpServers": {wiring.SERVER: wiring.server(command)}}), encoding="utf-8")
    return ["--settings", str(settings), "--mcp-config", str(servers), "--strict-mcp-config"]


def _stored(stage: Stage) -> list[tuple[str | None, str]]:
    """Speaker and text of all that is stored."""
    from kept.bootstrap import open_log
    from kept.domain.scope import Scope
    from kept.ports import Listing

    if not stage.database.exists():
        return []
    log = open_log(str(stage.database), busy_timeout_s=1)
    try:
        return [(record.speaker, record.text) for record in log.scan(Listing(scope=Scope.everything()))]
    finally:
        log.close()


def _printed(done: subprocess.CompletedProcess[str]) -> str:
    shown = " ".join((done.stderr.strip() or done.stdout.strip() or "the client printed nothing").split())
    return f"exit code {done.returncode}, {shown[:_SHOWN]}"
