"""Settings to service: the one place that names the concrete adapters."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, cast

from kept.errors import ConfigurationError, InvalidInputError, StoreError
from kept.settings import (
    OPENAI_HEADERS,
    PROVIDERS,
    PROVIDERS_LEFT_OUT,
    SELF_HOSTED,
    claude_code_sign_in_file,
    did_you_mean,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kept.adapters.models.access import Access
    from kept.domain.spending import ModelTask
    from kept.engine.models import Models
    from kept.engine.platform import Platform
    from kept.engine.service import Service
    from kept.engine.understanding import Reading
    from kept.engine.worker import Worker
    from kept.ports import Embedder, EntityGraph, Jobs, LanguageModel, Ledger, Log, PaidEmbedder, Registry, Sender
    from kept.settings import Settings

_SQLITE: Final = "sqlite:///"
_MEMORY: Final = "memory://"
_WELL_KNOWN: Final = ("anthropic", "google", "ollama", "openai", "openrouter", "vllm")
"""Providers that an error names; docs/how-to/use-a-model.md has all."""
SIGN_IN: Final = "Claude Code's sign-in"
"""Begins the source of a key that is Claude Code's."""


def build(settings: Settings, *, only_ids: bool = False) -> Service:
    """The service that the settings describe.

    Args:
        settings: The settings.
        only_ids: Whether to refuse a project that is named by its name where its id is meant.

    Raises:
        ConfigurationError: An unknown store or embedder.
        StoreError: The store cannot be used; it was left as it was.
        InvalidInputError: With `only_ids`: the name of a project instead of its id.
    """
    embedder = _counted(settings, build_embedder(settings), lambda: desk().models)
    log = open_log(settings.database, busy_timeout_s=settings.busy_timeout_s)
    desk = cache(lambda: _reading(settings, log, embedder))
    service = _service(settings, log, embedder, desk)
    if only_ids and settings.database != _MEMORY:
        _require_id(settings, log, service)
    return service


def _require_id(settings: Settings, log: Log, service: Service) -> None:
    from kept.domain.scope import DEFAULT_PROJECT

    if settings.project == DEFAULT_PROJECT:
        return
    from kept.adapters.sqlite.control import open_control
    from kept.engine.tenancy import require_id

    registry, _, _ = open_control(log.pool, sqlite_path(settings.database))  # type: ignore[attr-defined]
    try:
        require_id(registry, service.projects(), settings.project)
    except InvalidInputError:
        service.close()
        raise


def require_store(database: str) -> None:
    """Refuse a file that is not there.

    Raises:
        StoreError: There is no store at the place that is named.
    """
    path = store_file(database)
    if path is not None and not path.exists():
        raise StoreError(f"There is no store at {path}; `kept add` makes one there, and so does `kept import`.")


def _reading(settings: Settings, log: Log, embedder: Embedder) -> Reading:
    """What a language model needs to read for a store on its own."""
    from kept.engine.categories import Categories
    from kept.engine.understanding import Reading

    if settings.database == _MEMORY:
        from kept.adapters.inmemory_control import InMemoryJobs, InMemoryRegistry
        from kept.adapters.inmemory_ledger import InMemoryLedger

        jobs: Jobs = InMemoryJobs(log)  # type: ignore[arg-type]
        registry: Registry = InMemoryRegistry()
        ledger: Ledger = InMemoryLedger(log)  # type: ignore[arg-type]
    else:
        from kept.adapters.sqlite.control import open_control
        from kept.adapters.sqlite.ledger import open_ledger

        path = sqlite_path(settings.database)
        registry, jobs, _ = open_control(log.pool, path)  # type: ignore[attr-defined]
        ledger = open_ledger(log.pool, path)  # type: ignore[attr-defined]
    return Reading(
        jobs=jobs,
        models=_models(settings, ledger, registry),
        settings_of=_settings_of(registry, settings),
        categories=Categories(embedder, registry, settings.custom_categories),
        patience_s=settings.llm_timeout_s,
    )


def build_platform(settings: Settings) -> Platform:
    """The platform that the settings describe: the service, and in the same store what a service of many needs.

    Raises:
        ConfigurationError: An unknown store or embedder, or a store that keeps nothing.
        StoreError: The store cannot be used; it was left as it was.
    """
    from kept.engine.categories import Categories
    from kept.engine.decay import Decay
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
    from kept.adapters.sqlite.touches import open_touches

    path = sqlite_path(_checked(settings.database))
    log = SqliteLog(path, busy_timeout_s=settings.busy_timeout_s)
    registry, jobs, audit = open_control(log.pool, path)
    models = _models(settings, open_ledger(log.pool, path), registry)
    embedder = _counted(settings, build_embedder(settings), lambda: models)
    categories = Categories(embedder, registry, settings.custom_categories)
    reading = Reading(
        jobs=jobs,
        models=models,
        settings_of=_settings_of(registry, settings),
        categories=categories,
        patience_s=settings.llm_timeout_s,
    )
    service, trail = _service(settings, log, embedder, lambda: reading), AuditTrail(audit)
    decay = Decay(
        open_touches(log.pool, path),
        settings_of=_settings_of(registry, settings),
        trail=trail,
        version=service.version,
        clock=_now,
    )
    return Platform(
        service=service,
        categories=categories,
        models=models,
        registry=registry,
        jobs=jobs,
        trail=trail,
        decay=decay,
        clock=_now,
        ids=_new_id,
    )


def _models(settings: Settings, ledger: Ledger, registry: Registry) -> Models:
    """The language models, within what the settings and each project let them cost."""
    from kept.engine.models import Models

    return Models(
        _models_or_why_not(settings),
        ledger,
        clock=_now,
        ids=_new_id,
        limits=settings.spending_limits,
        settings_of=_settings_of(registry, settings),
    )


def _settings_of(registry: Registry, settings: Settings) -> Callable[[str], Mapping[str, Any]]:
    """Gives a project's settings: where it says nothing, what the configuration wishes of those who read."""
    from kept.engine.categories import PROJECT

    def settings_of(project: str) -> Mapping[str, Any]:
        entry = registry.find(PROJECT, project)
        told = entry.data if entry is not None else {}
        return settings.wishes | {name: value for name, value in told.items() if value is not None}

    return settings_of


def build_embedder(settings: Settings) -> Embedder:
    """The embedder that the settings name.

    Raises:
        ConfigurationError: It is unknown, or lacks an extra or a model.
    """
    from kept.adapters.embedders import open_embedder

    if not _is_paid(settings):
        return open_embedder(settings.embedder)
    provider = _provider_of(settings.embedder)
    given = _Given(settings.embedder_base_url, settings.embedder_api_key, "KEPT_EMBEDDER_API_KEY")
    return open_embedder(settings.embedder, _access(settings, provider, given))


def _counted(settings: Settings, embedder: Embedder, models: Callable[[], Models]) -> Embedder:
    """The embedder, whose requests are recorded where it is a provider's; one that makes none is what it was."""
    if not _is_paid(settings):
        return embedder
    from kept.engine.embedding import CountedEmbedder

    return CountedEmbedder(cast("PaidEmbedder", embedder), models)


def _is_paid(settings: Settings) -> bool:
    """Whether the embedder is a provider's."""
    return _provider_of(settings.embedder) in PROVIDERS


def build_models(settings: Settings) -> Mapping[ModelTask, LanguageModel]:
    """The language model of each task that has one; empty where none is configured. No library of models is imported.

    Raises:
        ConfigurationError: An unknown provider, or the extra is not installed.
    """
    from kept.domain.spending import MODEL_TASKS  # here, since a session's start needs none of it

    opened: dict[str, LanguageModel] = {}
    found = {}
    for task in MODEL_TASKS:
        name = _setting_of(settings, task)
        if spec := getattr(settings, name):
            found[task] = opened[spec] = opened.get(spec) or _open_model(settings, name, spec)
    return found


def _setting_of(settings: Settings, task: ModelTask) -> str:
    """The setting that says which model does a task."""
    return f"llm_{task}" if getattr(settings, f"llm_{task}") else "llm"


class _Unopened(Mapping["ModelTask", "LanguageModel"]):
    """Models that cannot be opened; whoever takes one is told why, and what takes none goes on."""

    def __init__(self, settings: Settings, error: ConfigurationError) -> None:
        from kept.domain.spending import MODEL_TASKS

        self._tasks = [task for task in MODEL_TASKS if getattr(settings, _setting_of(settings, task))]
        self._error = error

    def __getitem__(self, task: ModelTask) -> LanguageModel:
        if task in self._tasks:
            raise ConfigurationError(str(self._error))
        raise KeyError(task)

    def __iter__(self) -> Iterator[ModelTask]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)


def _models_or_why_not(settings: Settings) -> Mapping[ModelTask, LanguageModel]:
    try:
        return build_models(settings)
    except ConfigurationError as error:
        return _Unopened(settings, error)


def model_access(settings: Settings, provider: str) -> Access:
    """How a provider of language models is reached.

    `llm_base_url` and `llm_api_key` belong to the provider that `llm` names, or to every one if it names none. Two dialects
    of one provider have the same variables.
    """
    given = _Given()
    if settings.llm is None or PROVIDERS.get(_provider_of(settings.llm)) is PROVIDERS[provider]:
        given = _Given(settings.llm_base_url, settings.llm_api_key, "KEPT_LLM_API_KEY")
    return _access(settings, provider, given)


def _open_model(settings: Settings, name: str, spec: str) -> LanguageModel:
    from kept.adapters.models import open_model

    if reason := PROVIDERS_LEFT_OUT.get(_provider_of(spec).partition("/")[0]):
        raise ConfigurationError(f"{name} is {spec!r}, of a provider that Kept does not ask: {reason}.")
    if _provider_of(spec) not in PROVIDERS:
        hint = did_you_mean(_provider_of(spec), PROVIDERS) or f" Well known are {', '.join(_WELL_KNOWN)}."
        raise ConfigurationError(
            f"{name} is {spec!r}, of an unknown provider; write PROVIDER:MODEL, such as openai:gpt-5-mini.{hint}"
        )
    access = model_access(settings, _provider_of(spec))
    return open_model(spec, access, timeout_s=settings.llm_timeout_s, temperature=settings.llm_temperature)


def _provider_of(spec: str) -> str:
    return spec.partition(":")[0]


class _Given(NamedTuple):
    """What the settings themselves say of a provider: its address, its key, and the variable of such a key."""

    base_url: str | None = None
    key: str | None = None
    variable: str = ""


def _access(settings: Settings, provider: str, given: _Given) -> Access:
    """A provider's address, and the first key there is."""
    from kept.adapters.models.access import Access

    key, source = next(_keys(settings, provider, given))
    urls = (settings.provider_variables.get(name) for name in PROVIDERS[provider].urls)
    address = given.base_url or next(filter(None, urls), None)
    headers = settings.provider_variables.get(OPENAI_HEADERS, "").splitlines()
    openais = frozenset(name.strip().lower() for name, colon, _ in (line.partition(":") for line in headers) if colon)
    return Access(key=key, source=source, advice=_advice(provider, given), base_url=address, openais=openais)


def _keys(settings: Settings, provider: str, given: _Given) -> Iterator[tuple[Callable[[], str] | None, str]]:
    """Keys in the order in which they count, each with where it comes from."""
    from kept.adapters.models.access import KEYLESS, claude_code_token

    if given.key is not None:
        yield partial(str, given.key), given.variable
    if given.base_url is not None:  # the provider's own key is nothing for a server that is not the provider's
        yield partial(str, KEYLESS), "none is sent"
    if provider == "anthropic" and settings.anthropic_token is not None:
        yield partial(str, settings.anthropic_token), "KEPT_ANTHROPIC_TOKEN"
    sign_in = claude_code_sign_in_file()
    signed_in = partial(claude_code_token, sign_in, _now), f"{SIGN_IN} ({sign_in})"
    wanted = provider == "anthropic" and settings.claude_code_sign_in
    if wanted and os.access(sign_in, os.F_OK):
        yield signed_in
    for name in PROVIDERS[provider].keys:
        if name in settings.provider_variables:
            yield partial(str, settings.provider_variables[name]), name
    if wanted:  # says where it would be, and is taken as soon as it is there
        yield signed_in
    if provider in SELF_HOSTED:
        yield partial(str, KEYLESS), "none is needed"
    if PROVIDERS[provider].keys:
        yield partial(_missing, provider, _advice(provider, given)), "nowhere"
    yield None, "the provider's own ways"


def _advice(provider: str, given: _Given) -> str:
    """What to set when a key is missing or refused: of a server that is not the provider's, the one that it is shown."""
    if given.base_url is not None:
        return f"set {given.variable}"
    names = ["KEPT_ANTHROPIC_TOKEN"] if provider == "anthropic" else []
    return f"set {' or '.join(filter(None, [*names, *PROVIDERS[provider].keys, given.variable]))}"


def _missing(provider: str, advice: str) -> NoReturn:
    raise ConfigurationError(f"There is no key for {provider}: {advice}.")


def build_sender(settings: Settings) -> Sender:
    """What posts to webhooks, within what the settings allow."""
    from kept.adapters.http import HttpSender

    return HttpSender(allow_private=settings.webhooks_allow_private)


def build_worker(settings: Settings, platform: Platform) -> Worker:
    """The worker of a platform; it does nothing until it is started."""
    from kept.engine.worker import Worker

    return Worker(
        platform,
        build_sender(settings),
        event_days=settings.event_days,
        audit_days=settings.audit_days,
        consolidate_every_days=settings.consolidate_every_days,
    )


def _service(settings: Settings, log: Log, embedder: Embedder, desk: Callable[[], Reading]) -> Service:
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
        reading=desk() if settings.reads else None,
        graph=_graph(settings, log),
        desk=desk,
    )


def _graph(settings: Settings, log: Log) -> EntityGraph:
    if settings.database == _MEMORY:
        from kept.adapters.inmemory_graph import InMemoryGraph

        return InMemoryGraph(log)
    from kept.adapters.sqlite.graph import SqliteGraph

    return SqliteGraph(log, sqlite_path(settings.database))  # type: ignore[arg-type]


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


def is_migrated(settings: Settings) -> bool:
    """Whether the store in a file has this Kept's schema; it is only read, where `open_log` would give it that.

    Raises:
        StoreError: As `open_log`.
    """
    from kept.adapters.sqlite.connections import version_of
    from kept.adapters.sqlite.queries import schema_version

    return version_of(sqlite_path(settings.database), busy_timeout_s=settings.busy_timeout_s) == schema_version()


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
