"""Settings to service: the one place that names the concrete adapters."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kept.domain.spending import MODEL_TASKS, ModelTask
from kept.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kept.engine.models import Models
    from kept.engine.platform import Platform
    from kept.engine.service import Service
    from kept.engine.understanding import Reading
    from kept.engine.worker import Worker
    from kept.ports import Embedder, Jobs, LanguageModel, Ledger, Log, Registry, Sender
    from kept.settings import Settings

_SQLITE: Final = "sqlite:///"
_MEMORY: Final = "memory://"


def build(settings: Settings) -> Service:
    """The service that the settings describe.

    Raises:
        ConfigurationError: An unknown store or embedder.
        StoreError: The store cannot be used; it was left as it was.
    """
    from kept.adapters.embedders import open_embedder

    embedder = open_embedder(settings.embedder)
    log = open_log(settings.database, busy_timeout_s=settings.busy_timeout_s)
    return _service(settings, log, embedder, _reading(settings, log) if has_models(settings) else None)


def has_models(settings: Settings) -> bool:
    """Whether a language model is configured for anything."""
    return any(getattr(settings, name) for name in ("llm", *(f"llm_{task}" for task in MODEL_TASKS)))


def _reading(settings: Settings, log: Log) -> Reading:
    """What a language model needs to read for a store on its own."""
    from kept.engine.understanding import Reading

    if settings.database == _MEMORY:
        from kept.adapters.inmemory_control import InMemoryJobs, InMemoryRegistry
        from kept.adapters.inmemory_ledger import InMemoryLedger

        jobs: Jobs = InMemoryJobs(log)  # type: ignore[arg-type]
        registry: Registry = InMemoryRegistry()
        ledger: Ledger = InMemoryLedger()
    else:
        from kept.adapters.sqlite.control import open_control
        from kept.adapters.sqlite.ledger import open_ledger

        path = sqlite_path(settings.database)
        registry, jobs, _ = open_control(log.pool, path)  # type: ignore[attr-defined]
        ledger = open_ledger(log.pool, path)  # type: ignore[attr-defined]
    return Reading(jobs=jobs, models=_models(settings, ledger, registry), settings_of=_settings_of(registry))


def build_platform(settings: Settings) -> Platform:
    """The platform that the settings describe: the service, and in the same store what a service of many needs.

    Raises:
        ConfigurationError: An unknown store or embedder, or a store that keeps nothing.
        StoreError: The store cannot be used; it was left as it was.
    """
    from kept.adapters.embedders import open_embedder
    from kept.engine.categories import Categories
    from kept.engine.platform import Platform
    from kept.engine.trail import AuditTrail
    from kept.engine.understanding import Reading

    if settings.database == _MEMORY:
        raise ConfigurationError(
            "memory:// keeps nothing when the process ends, keys included. Give a file: --database sqlite:///kept.db."
        )
    from kept.adapters.sqlite.control import open_control
    from kept.adapters.sqlite.ledger import open_ledger
    from kept.adapters.sqlite.log import SqliteLog

    path = sqlite_path(_checked(settings.database))
    log = SqliteLog(path, busy_timeout_s=settings.busy_timeout_s)
    registry, jobs, audit = open_control(log.pool, path)
    embedder = open_embedder(settings.embedder)
    categories = Categories(embedder, registry)
    models = _models(settings, open_ledger(log.pool, path), registry)
    reading = Reading(jobs=jobs, models=models, settings_of=_settings_of(registry), categories=categories)
    return Platform(
        service=_service(settings, log, embedder, reading if has_models(settings) else None),
        categories=categories,
        models=models,
        registry=registry,
        jobs=jobs,
        trail=AuditTrail(audit),
        clock=_now,
        ids=_new_id,
    )


def _models(settings: Settings, ledger: Ledger, registry: Registry) -> Models:
    """The language models, within what the settings and each project let them cost."""
    from kept.engine.models import Models

    return Models(
        build_models(settings),
        ledger,
        clock=_now,
        ids=_new_id,
        limits=settings.spending_limits,
        settings_of=_settings_of(registry),
    )


def build_models(settings: Settings) -> dict[ModelTask, LanguageModel]:
    """The language model of each task, as far as one is configured; nothing is imported for none.

    Raises:
        ConfigurationError: A name that is none, or the extra is not installed.
    """
    if not has_models(settings):
        return {}
    from kept.adapters.models import Access, open_model

    named = {task: getattr(settings, f"llm_{task}") or settings.llm for task in MODEL_TASKS}
    key = settings.llm_api_key
    access = Access(key=None if key is None else lambda: key, base_url=settings.llm_base_url)
    return {task: open_model(spec, access, timeout_s=settings.llm_timeout_s) for task, spec in named.items() if spec}


def _settings_of(registry: Registry) -> Callable[[str], Mapping[str, Any]]:
    """Gives a project's settings."""
    from kept.engine.categories import PROJECT

    def settings_of(project: str) -> Mapping[str, Any]:
        entry = registry.find(PROJECT, project)
        return entry.data if entry is not None else {}

    return settings_of


def build_sender(settings: Settings) -> Sender:
    """What posts to webhooks, within what the settings allow."""
    from kept.adapters.http import HttpSender

    return HttpSender(allow_private=settings.webhooks_allow_private)


def build_worker(settings: Settings, platform: Platform) -> Worker:
    """The worker of a platform; it does nothing until it is started."""
    from kept.engine.worker import Worker

    return Worker(platform, build_sender(settings), event_days=settings.event_days, audit_days=settings.audit_days)


def _service(settings: Settings, log: Log, embedder: Embedder, reading: Reading | None) -> Service:
    from kept.adapters.extractors.rules import RuleExtractor
    from kept.engine.service import Service

    return Service(
        log=log,
        embedder=embedder,
        extractor=RuleExtractor(),
        clock=_now,
        ids=_new_id,
        cache_bytes=settings.cache_bytes,
        prefer_user=settings.prefer_user,
        reading=reading,
    )


def open_log(database: str, *, busy_timeout_s: float) -> Log:
    """The store behind a URL: `sqlite:///path`, `memory://`, or a plain path to a SQLite file.

    Raises:
        ConfigurationError: Another kind of URL.
        StoreError: The store cannot be used; it was left as it was.
    """
    if database == _MEMORY:
        from kept.adapters.inmemory import InMemoryLog

        return InMemoryLog()
    from kept.adapters.sqlite.log import SqliteLog

    return SqliteLog(sqlite_path(_checked(database)), busy_timeout_s=busy_timeout_s)


def _checked(database: str) -> str:
    if not _is_file(database):
        scheme = database.partition("://")[0]
        raise ConfigurationError(
            f"No store is known for {scheme}://; use sqlite:///path/to/kept.db, memory://, or a path."
        )
    return database


def store_file(database: str) -> Path | None:
    """The file that a store is in; None of a store that has none.

    Raises:
        ConfigurationError: As `sqlite_path`.
    """
    return sqlite_path(database) if _is_file(database) else None


def sqlite_path(database: str) -> Path:
    """The file of a `sqlite:///` URL or a plain path; `~` is the home folder.

    Three slashes begin a relative path, four an absolute one, as in SQLAlchemy.

    Raises:
        ConfigurationError: No path is given.
    """
    path = database.removeprefix(_SQLITE)
    if not path.strip() or "\x00" in path:
        raise ConfigurationError(f"{database!r} names no file; write for example sqlite:///kept.db.")
    return Path(path).expanduser()


def _is_file(database: str) -> bool:
    return database.startswith(_SQLITE) or "://" not in database


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return str(uuid.uuid4())
