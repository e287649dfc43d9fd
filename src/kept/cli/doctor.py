"""`kept doctor`: whether Kept works here, and what to do where it does not. The user's store is only read."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from kept import __version__
from kept.cli import render
from kept.cli.failures import ERROR
from kept.cli.invocation import CONNECTOR, Invocation, pass_invocation
from kept.cli.options import command
from kept.cli.safe_text import one_line
from kept.errors import KeptError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kept.settings import Settings

PACKAGES: Final = ("click", "numpy", "tokenizers", "wordllama", "PyStemmer", "platformdirs", "anyio")
LEAST_PYTHON: Final = (3, 11)
SLOW_EMBEDDER_S: Final = 5.0
"""Loading takes well under a second; from here on something is wrong with the disk or the machine."""
PATIENCE_S: Final = 5.0
"""For a server's answer: a session's hooks wait less."""
PROBE: Final = "The lighthouse keeper's cat is called Admiral."
QUESTION: Final = "What is the lighthouse keeper's cat called?"
_COLOURS: Final = {"ok": "green", "warn": "yellow", "FAIL": "red"}
_HIDDEN: Final = "***"

Status = Literal["ok", "warn", "FAIL"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the report.

    Attributes:
        advice: What to do; empty when all is well.
        more: Details for programs.
    """

    name: str
    status: Status
    detail: str
    advice: str = ""
    more: dict[str, Any] = field(default_factory=dict)


@command("doctor", examples=["kept doctor", "kept doctor --json", "kept doctor --claude-code"])
@click.option("--claude-code", is_flag=True, help="Also run two sessions of Claude Code, in a folder of their own.")
@pass_invocation
@click.pass_context
def doctor(ctx: click.Context, invocation: Invocation, /, *, claude_code: bool) -> None:
    """Check that Kept works here, and say what to do if not.

    Looks at Python, packages, settings, store, embedder and models, asks the server that KEPT_URL names, and makes a round
    trip in a temporary store. Each line is ok, warn or FAIL with what to do. Exits with 1 when a check fails. Nothing is written to your store.

    With --claude-code the installed client runs against a scripted model on this machine: what one session says must come
    back in the next. It needs no account and no network.
    """
    checks = []
    for check in (*_checks(invocation), *(_claude_code() if claude_code else ())):
        checks.append(check)
        if not invocation.as_json:
            _show(check)
    failed = any(check.status == "FAIL" for check in checks)
    if invocation.as_json:
        shapes = [
            {"name": check.name, "status": check.status, "detail": check.detail, "advice": check.advice} | check.more
            for check in checks
        ]
        render.emit({"ok": not failed, "checks": shapes})
    if failed:
        ctx.exit(ERROR)


def _show(check: Check) -> None:
    status = click.style(f"{check.status:<4}", fg=_COLOURS[check.status], bold=True)
    render.say(f"{status}  {check.name:<11}  {one_line(check.detail)}")
    for name, setting in check.more.get("settings", {}).items():
        render.say(f"{'':<19}{name} = {one_line(_said(setting['value']))}  ({one_line(setting['source'])})")
    if check.advice:
        render.say(f"{'':<19}→ {one_line(check.advice)}")


def _said(value: object) -> str:
    """A setting's value as it is written in a variable."""
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _checks(invocation: Invocation) -> Iterator[Check]:
    """All checks in order; one that fails does not stop the others."""
    yield _python()
    yield _versions()
    yield _guarded("settings", lambda: _settings(invocation))
    try:
        settings = invocation.settings
    except KeptError:
        return
    yield _guarded("folder", lambda: _folder(settings))
    yield _guarded("store", lambda: _store(settings))
    if settings.url is not None:
        yield _guarded("server", lambda: _server(settings))
    yield _guarded("embedder", lambda: _embedder(settings))
    yield _guarded("models", lambda: _models(settings))
    yield _guarded("round trip", lambda: _round_trip(settings))


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    """The check's result; an error of any kind is one, too, so that the report is whole."""
    try:
        return check()
    except KeptError as error:
        return Check(name=name, status="FAIL", detail=str(error), advice=_ADVICE[name], more={"code": error.code})
    except Exception as error:  # noqa: BLE001 - a broken installation can fail in any way; the report says how
        return Check(name=name, status="FAIL", detail=f"{type(error).__name__}: {error}", advice=_ADVICE[name])


_ADVICE: Final = {
    "settings": "Correct the setting that the message names.",
    "folder": "Make the folder writable, or choose another store with KEPT_DATABASE.",
    "store": "Leave the file as it is, and restore a backup or choose another store with KEPT_DATABASE.",
    "server": "Start it, or correct KEPT_URL and KEPT_API_KEY; without KEPT_URL the store on this machine is used.",
    "embedder": "Reinstall Kept with its dependencies, or set KEPT_EMBEDDER=wordllama, which needs no download.",
    "models": "Correct the setting that the message names, or unset it: rules do the work then.",
    "claude code": "Run it again with KEPT_DEBUG=1 in a session of your own, and look at hooks.log in Kept's data folder.",
    "round trip": "Reinstall Kept; if it stays, report it with the output of `kept doctor --json`.",
}
"""What to do, by check."""


def _python() -> Check:
    import platform

    detail = (
        f"{platform.python_implementation()} {platform.python_version()} on {platform.system()} {platform.machine()}"
    )
    if sys.version_info[:2] >= LEAST_PYTHON:
        return Check(name="python", status="ok", detail=detail)
    return Check(name="python", status="FAIL", detail=detail, advice="Kept needs Python 3.11 or later.")


def _versions() -> Check:
    import sqlite3

    versions: dict[str, str | None] = {"kept": __version__, "sqlite": sqlite3.sqlite_version}
    versions |= {name: _version(name) for name in PACKAGES}
    missing = [name for name, version in versions.items() if version is None]
    detail = ", ".join(f"{name} {version or 'MISSING'}" for name, version in versions.items())
    advice = f"Install {', '.join(missing)}: pip install --force-reinstall kept." if missing else ""
    status: Status = "FAIL" if missing else "ok"
    return Check(name="versions", status=status, detail=detail, advice=advice, more={"versions": versions})


def _version(package: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _settings(invocation: Invocation) -> Check:
    from kept.settings import config_file, names_config, setting_sources

    settings = invocation.settings
    sources = setting_sources(database=invocation.database, project=invocation.project)
    values = {item.name: getattr(settings, item.name) for item in fields(settings)}
    secret = {item.name for item in fields(settings) if not item.repr}  # reports are pasted where others read them
    values |= {name: _HIDDEN for name in secret if values[name] is not None}
    shown = {name: {"value": values[name], "source": source} for name, source in sources.items()}
    path = config_file()
    detail = f"{path} {'is read' if path.exists() else 'does not exist, so it sets nothing'}"
    missed = names_config() and not path.exists()
    advice = "Make the file that KEPT_CONFIG names, or unset KEPT_CONFIG." if missed else ""
    return Check(
        name="settings", status="warn" if missed else "ok", detail=detail, advice=advice, more={"settings": shown}
    )


def _claude_code() -> Iterator[Check]:
    """Store, recall, inject and capture through the real client."""
    from kept.claude_code.clients import kept_command
    from kept.claude_code.rehearsal import find_client, rehearse

    client = find_client()
    if client is None:
        advice = "Install Claude Code, or add its folder to PATH."
        yield Check(name="claude code", status="FAIL", detail="there is no `claude` on the path", advice=advice)
        return
    for finding in rehearse(client, kept_command()):
        if finding.problem:
            advice = _ADVICE["claude code"]
            yield Check(name=finding.step, status="FAIL", detail=finding.problem, advice=advice)
        else:
            yield Check(name=finding.step, status="ok", detail=finding.detail)


def _file(settings: Settings) -> Path | None:
    """The store's file; None where nothing is kept."""
    from kept.bootstrap import sqlite_path

    return None if settings.database == "memory://" else sqlite_path(settings.database).absolute()


def _folder(settings: Settings) -> Check:
    import tempfile

    path = _file(settings)
    if path is None:
        return Check(
            name="folder", status="warn", detail="memory:// keeps nothing", advice="Set KEPT_DATABASE to a file."
        )
    existing = next(folder for folder in path.parents if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            free = _free(existing)
    except OSError as error:
        detail = f"{existing} cannot be written: {error.strerror}"
        return Check(name="folder", status="FAIL", detail=detail, advice=_ADVICE["folder"])
    made = "" if existing == path.parent else f"; {path.parent} will be made in it"
    return Check(name="folder", status="ok", detail=f"{existing} can be written, {free} free{made}")


def _free(folder: Path) -> str:
    import shutil

    return render.size(shutil.disk_usage(folder).free)


def _store(settings: Settings) -> Check:
    from kept.bootstrap import is_migrated, open_log

    path = _file(settings)
    if path is None or not path.exists():
        return Check(
            name="store", status="ok", detail=f"{settings.database} does not exist yet; the first write makes it"
        )
    current = is_migrated(settings)
    if current:
        log = open_log(settings.database, busy_timeout_s=settings.busy_timeout_s)
        try:
            found = log.statistics()
        finally:
            log.close()
        held = f"{render.counted(sum(found.memories.values()), 'memory')}, {render.size(found.size_bytes)}"
    else:
        held = "as an earlier Kept left it; the next command that opens it brings it to the schema of this one"
    facts, problem = _inspected(path)
    detail = f"{path}: {held}, schema {facts['schema']}, journal {facts['journal_mode']}, "
    detail += f"quick check {problem or 'ok'}"
    if problem:
        return Check(name="store", status="FAIL", detail=detail, advice=_ADVICE["store"], more=facts)
    if current and facts["journal_mode"] != "wal":
        advice = "Put the store on a local disk: network folders cannot share it safely between processes."
        return Check(name="store", status="warn", detail=detail, advice=advice, more=facts)
    return Check(name="store", status="ok", detail=detail, more=facts)


def _server(settings: Settings) -> Check:
    """Whether the server that hooks, MCP and the client use in place of the store answers, and takes the key."""
    from kept.sdk.client import MemoryClient

    with MemoryClient(settings.api_key, settings.url, timeout_s=PATIENCE_S, retries=0) as client:
        client.ping()
    return Check(name="server", status="ok", detail=f"{settings.url} answers; hooks, MCP and MemoryClient use it")


def _inspected(path: Path) -> tuple[dict[str, Any], str]:
    """Schema and journal mode of the file, and what SQLite's quick check found first; it is only read."""
    import sqlite3
    from contextlib import closing
    from urllib.parse import quote

    address = f"file:{quote(path.as_posix())}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        schema, journal, check = (
            connection.execute(f"PRAGMA {pragma}").fetchone()[0]
            for pragma in ("user_version", "journal_mode", "quick_check(1)")
        )
    return {"schema": schema, "journal_mode": journal}, "" if check == "ok" else str(check)


def _embedder(settings: Settings) -> Check:
    from kept.bootstrap import build_embedder

    started = time.perf_counter()
    embedder = build_embedder(settings)  # what it costs is recorded nowhere: the user's store is only read
    embedding = embedder.embed_query(QUESTION)
    took_s = time.perf_counter() - started
    detail = f"{embedder.identity}, ready in {took_s * 1000:.0f} ms"
    more = {"identity": str(embedder.identity), "took_s": round(took_s, 3)}
    if embedding.shape != (embedder.identity.dimensions,):
        return Check(name="embedder", status="FAIL", detail=detail, advice=_ADVICE["embedder"], more=more)
    if took_s > SLOW_EMBEDDER_S:
        advice = "Every start pays for this; a faster disk or another KEPT_EMBEDDER would help."
        return Check(name="embedder", status="warn", detail=detail, advice=advice, more=more)
    return Check(name="embedder", status="ok", detail=detail, more=more)


def _models(settings: Settings) -> Check:
    """Which language models there are; none of them is asked (`kept models --try` does)."""
    from kept.cli.models import TERMS, configured, uses_sign_in

    known = configured(settings)
    if not known:
        return Check(name="models", status="ok", detail="no language model is configured; rules do all the work")
    detail = "; ".join(f"{model.model} ({', '.join(model.tasks)})" for model in known)
    if uses_sign_in(known):
        detail += f"; {TERMS}"
    problems = [model.problem for model in known if model.problem]
    if problems:
        advice = f"{problems[0]} Until then what is added is kept as statements."
        return Check(name="models", status="warn", detail=detail, advice=advice)
    return Check(name="models", status="ok", detail=detail)


def _round_trip(settings: Settings) -> Check:
    """Write, search and erase in a temporary store: the whole path that a memory takes."""
    import tempfile

    from kept.bootstrap import build
    from kept.domain.scope import Scope
    from kept.engine.maintain import By

    scope, by = Scope.of(user_id="doctor"), By(actor="doctor", connector=CONNECTOR)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="kept-doctor-", ignore_cleanup_errors=True) as folder:
        temporary = settings.without_models().with_database((Path(folder) / "kept.db").as_posix())
        service = build(temporary)
        try:
            stored = service.add(scope, PROBE, by=by).stored
            found = [hit.memory.id for hit in service.search(scope, QUESTION)]
            service.erase(scope.project, [memory.memory.id for memory in stored], by=by)
            left = service.search(scope, QUESTION)
            findings = list(service.verify())
        finally:
            service.close()
    took_ms = (time.perf_counter() - started) * 1000
    problem = (
        ("nothing was stored" if not stored else "")
        or ("what was written was not found" if stored[0].memory.id not in found else "")
        or ("what was erased was found" if left else "")
        or (f"verify found: {findings[0].detail}" if findings else "")
    )
    if problem:
        return Check(name="round trip", status="FAIL", detail=problem, advice=_ADVICE["round trip"])
    detail = f"written, found, erased and verified in a temporary store in {took_ms:.0f} ms"
    return Check(name="round trip", status="ok", detail=detail)
