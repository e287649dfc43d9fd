"""Settings: the only module that reads the environment and configuration files.

Order, first found wins: what the caller passes, `KEPT_*` variables, `kept.toml` in the platform's configuration folder, in
a coding session the repository's `.kept.toml`, the defaults. The result is a frozen value that is passed inwards; nothing is
read again.
"""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, get_args

from kept.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kept.domain.spending import SpendingLimit

PREFIX: Final = "KEPT_"
CONFIG_FILE: Final = "kept.toml"
DATABASE_FILE: Final = "kept.db"
TEAM_FILE: Final = ".kept.toml"
"""At a repository's root, for all who work on it."""
TEAM_SETTINGS: Final = frozenset(
    {
        "app_id",
        "recall_shared",
        "brief_tokens",
        "recall_tokens",
        "recall_ms",
        "recall_threshold",
        "recall_threshold_elsewhere",
        "capture",
        "retention_days",
        "native_memory",
        "ignore",
        "instructions",
    }
)
"""What such a file may set. Never where memories are or whose: a repository that somebody else wrote must not choose that."""
NativeMemory = Literal["off", "mirror", "redirect"]
"""What happens to a coding client's own memory files: nothing, they are read, or writes to them are turned to Kept."""
Port = int
"""Of TCP; 0 is any that is free."""
Address = str
"""Of a server: `http://…` or `https://…`."""
Networks = tuple[str, ...]
"""Addresses and networks of IP."""
Temperature = float
"""Of a language model, from 0 (the likeliest words) to 2."""
Tokens = int | None
"""Of language models, read and written together; None for any number."""
Categories = tuple[dict[str, str], ...]
"""`{name: description}` objects."""
Days = int | None
"""None for never."""
Dollars = float | None
"""US dollars; None for any sum."""
_ANONYMOUS: Final = "me"
_DEFAULT: Final = "default"
_ARGUMENT: Final = "argument"
_BYTES_PER_MB: Final = 1_000_000
_OUTSIDE: Final = "outside"
"""Marks a field that is no setting of Kept's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderVariables:
    """Under which variables a provider of models is known everywhere; of each kind the first that is set counts.

    Attributes:
        keys: Of its key; empty where it finds its credentials by a way of its own.
        urls: Of its address.
    """

    keys: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()


_OPENAI: Final = ProviderVariables(keys=("OPENAI_API_KEY",), urls=("OPENAI_BASE_URL",))
_AZURE: Final = ProviderVariables(keys=("AZURE_OPENAI_API_KEY",), urls=("AZURE_OPENAI_ENDPOINT",))
OPENAI_HEADERS: Final = "OPENAI_CUSTOM_HEADERS"
"""Headers for OpenAI, as `Name: value` on each line; its library, which asks many others too, sends them wherever it asks."""
PROVIDERS: Final[Mapping[str, ProviderVariables]] = MappingProxyType(
    {
        "alibaba": ProviderVariables(keys=("ALIBABA_API_KEY", "DASHSCOPE_API_KEY")),
        "anthropic": ProviderVariables(keys=("ANTHROPIC_API_KEY",), urls=("ANTHROPIC_BASE_URL",)),
        "azure": _AZURE,
        "azure-responses": _AZURE,
        "bedrock": ProviderVariables(),
        "bedrock-mantle": ProviderVariables(),
        "cerebras": ProviderVariables(keys=("CEREBRAS_API_KEY",)),
        "cohere": ProviderVariables(keys=("CO_API_KEY",)),
        "crusoe": ProviderVariables(keys=("CRUSOE_API_KEY",)),
        "deepseek": ProviderVariables(keys=("DEEPSEEK_API_KEY",)),
        "fireworks": ProviderVariables(keys=("FIREWORKS_API_KEY",)),
        "github-copilot": ProviderVariables(keys=("GITHUB_COPILOT_API_KEY", "GITHUB_COPILOT_API_TOKEN")),
        "google": ProviderVariables(keys=("GOOGLE_API_KEY", "GEMINI_API_KEY"), urls=("GOOGLE_GEMINI_BASE_URL",)),
        "google-cloud": ProviderVariables(),
        "groq": ProviderVariables(keys=("GROQ_API_KEY",), urls=("GROQ_BASE_URL",)),
        "heroku": ProviderVariables(keys=("HEROKU_INFERENCE_KEY",), urls=("HEROKU_INFERENCE_URL",)),
        "huggingface": ProviderVariables(keys=("HF_TOKEN",)),
        "litellm": ProviderVariables(keys=("LITELLM_API_KEY",), urls=("LITELLM_BASE_URL",)),
        "meta": ProviderVariables(keys=("META_API_KEY",)),
        "mistral": ProviderVariables(keys=("MISTRAL_API_KEY",)),
        "moonshotai": ProviderVariables(keys=("MOONSHOTAI_API_KEY",), urls=("MOONSHOTAI_BASE_URL",)),
        "nebius": ProviderVariables(keys=("NEBIUS_API_KEY",)),
        "ollama": ProviderVariables(keys=("OLLAMA_API_KEY",), urls=("OLLAMA_BASE_URL",)),
        "openai": _OPENAI,
        "openai-chat": _OPENAI,
        "openai-responses": _OPENAI,
        "openrouter": ProviderVariables(keys=("OPENROUTER_API_KEY",)),
        "ovhcloud": ProviderVariables(keys=("OVHCLOUD_API_KEY",)),
        "sambanova": ProviderVariables(keys=("SAMBANOVA_API_KEY",), urls=("SAMBANOVA_BASE_URL",)),
        "snowflake": ProviderVariables(keys=("SNOWFLAKE_TOKEN",)),
        "together": ProviderVariables(keys=("TOGETHER_API_KEY",)),
        "vercel": ProviderVariables(keys=("VERCEL_AI_GATEWAY_API_KEY", "VERCEL_OIDC_TOKEN")),
        "vllm": ProviderVariables(keys=("VLLM_API_KEY",), urls=("VLLM_BASE_URL",)),
        "voyageai": ProviderVariables(keys=("VOYAGE_API_KEY",)),
        "xai": ProviderVariables(keys=("XAI_API_KEY",)),
        "zai": ProviderVariables(keys=("ZAI_API_KEY",)),
    }
)
"""Every provider of models and embeddings, by the name before the colon."""
_DECIDES: Final = "its models decide between given answers and write no text"
PROVIDERS_LEFT_OUT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "elevenlabs": "it has voices and no models that write text",
        "gateway": "it passes on to others; name its model as openai-chat:MODEL and its address as KEPT_LLM_BASE_URL",
        "github": "GitHub closed it on 2026-07-30",
        "google-decisions": _DECIDES,
        "openai-chatgpt": "it takes a sign-in of ChatGPT in a browser and no key; use openai with a key",
        "openai-codex": "it takes a sign-in of Codex in a browser and no key; use openai with a key",
        "openai-decisions": _DECIDES,
        "sentence-transformers": "it downloads what it runs; use the embedder onnx:FOLDER or fastembed:MODEL",
        "system-one": _DECIDES,
        "typesafe": _DECIDES,
    }
)
"""Providers that the library knows and Kept does not ask, and why; of its gateway all that begin so (`gateway/openai`)."""
SELF_HOSTED: Final = frozenset({"litellm", "ollama", "vllm"})
"""Those of them that run on machines of one's own, and need no key unless they were told to ask for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, with their defaults.

    Attributes:
        database: URL of the store: `sqlite:///relative/or/absolute.db`, `memory://` (nothing kept), or a plain path.
        project: The project to work in; nothing ever crosses it.
        user_id: Whose memories the command line reads and writes when none is named.
        embedder: `wordllama`, `minilm`, `onnx:FOLDER`, `fastembed:MODEL`, or `PROVIDER:MODEL` of one of `PROVIDERS`.
        busy_timeout_s: How long a write waits for other processes, in seconds.
        cache_mb: Memory for resident partitions, in megabytes.
        prefer_user: Whether, in chats with an assistant, what the user said ranks a little higher.
        budget_tokens: Size of a context block when none is asked for.
        debug: Whether the command line shows the traceback of an unexpected error, and hooks write a log.
        url: A Kept (or Mem0-compatible) server to use in place of the store on this machine.
        api_key: The key to show to that server; of `kept serve`, the first administrator's key.
        host: The address that `kept serve` listens on.
        port: The port it listens on; 0 takes a free one.
        processes: How many processes serve together, each with its own memory; one for each processor at most helps.
        public_url: Under which address its clients reach it, when a proxy stands before it.
        trusted_proxies: Addresses or networks of proxies that are believed about whom they speak for, besides this machine.
        max_body_mb: Longest body of a request, in megabytes.
        webhooks_allow_private: Whether webhooks may go to addresses of private networks and of this machine.
        rate_limit_read: How many reads a key may make, such as `600/minute`; none when not set.
        rate_limit_write: The same for writes.
        rate_limit_admin: The same for the routes that manage projects.
        allowed_origins: Origins of web pages that may use MCP, such as `https://chat.example`, besides the server's own.
        oauth_issuer: An OAuth authority whose tokens MCP accepts, as its tokens name it; with the next two.
        oauth_audience: As its tokens name this server.
        oauth_jwks_url: Where its public keys are.
        oauth_user_claim: The claim of its tokens that says whose memories they are for.
        event_days: How long finished events are kept, in days.
        consolidate_every_days: How often a server proposes by itself what could be consolidated, in days; None for never.
        audit_days: How long audit entries, and what models cost, are kept, in days.
        app_id: Under which name a coding session keeps a repository's memories; None derives it from the repository.
        recall_shared: Whether a coding session also reads what other users stored for the repository.
        brief_tokens: Most tokens of what a coding session is told when it starts.
        recall_tokens: Most tokens of what one prompt is given.
        recall_ms: How long a prompt waits for its memories, in milliseconds.
        recall_threshold: Least score of a memory that a prompt is given.
        recall_threshold_elsewhere: The same for a memory of another repository.
        capture: Whether what is said in coding sessions is kept.
        retention_days: How long passing things (summaries, failed commands, an assistant's reports) are kept, in days.
        native_memory: What happens to the client's own memory files.
        ignore: Globs of files that no session's memory speaks of.
        instructions: What a repository wants said about its memory when a session starts.
        llm: The language model that understands what is said, `PROVIDER:MODEL` of one of `PROVIDERS`; None for rules alone.
        llm_extraction: Another one for taking facts from messages.
        llm_contradiction: Another one for telling what a new fact does to those before it.
        llm_categories: Another one for sorting memories into categories.
        llm_summary: Another one for summaries.
        llm_consolidation: Another one for proposing merges and generalisations.
        custom_instructions: What a language model that reads should take and how to put it, where a call or a project says nothing else.
        agent_custom_instructions: The same for what the assistant said.
        includes: Topics that it should keep to.
        excludes: Topics that it should leave out.
        custom_categories: What facts are sorted under, in place of Mem0's fifteen.
        llm_base_url: Address of a compatible server, for models of the provider that `llm` names.
        llm_api_key: The key for models of that provider, in place of the provider's own variable.
        llm_timeout_s: How long an answer may take, in seconds.
        llm_temperature: How freely it chooses its words; models that allow no choice are not told.
        llm_daily_tokens: Most tokens that models may take in a day (UTC), for the whole store; None for no limit.
        llm_daily_usd: Most US dollars in a day, for the whole store; a model without a known price counts nothing here.
        llm_project_daily_tokens: Most tokens in a day for one project, which may set less for itself.
        llm_project_daily_usd: Most US dollars in a day for one project.
        llm_job_tokens: Most tokens for one job, such as understanding one conversation, however often it is tried.
        anthropic_token: A key or an OAuth token for Anthropic, in place of `ANTHROPIC_API_KEY`.
        claude_code_sign_in: Whether Claude Code's own sign-in is used for Anthropic's models.
        embedder_base_url: Address of a compatible server, for an embedder of a provider.
        embedder_api_key: The key for it, in place of the provider's own variable.
        provider_variables: Those of the environment that belong to providers (`PROVIDERS`, `OPENAI_HEADERS`); nothing else can
            set them.
    """

    database: str
    user_id: str
    project: str = "default"
    embedder: str = "wordllama"
    busy_timeout_s: float = 60.0
    cache_mb: int = 1_000
    prefer_user: bool = True
    budget_tokens: int = 1_000
    debug: bool = False
    url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    host: str = "127.0.0.1"
    port: Port = 8787
    processes: int = 1
    public_url: Address | None = None
    trusted_proxies: Networks = ()
    max_body_mb: int = 10
    webhooks_allow_private: bool = False
    rate_limit_read: str | None = None
    rate_limit_write: str | None = None
    rate_limit_admin: str | None = None
    allowed_origins: tuple[str, ...] = ()
    oauth_issuer: str | None = None
    oauth_audience: str | None = None
    oauth_jwks_url: str | None = None
    oauth_user_claim: str = "sub"
    event_days: int = 30
    audit_days: int = 365
    consolidate_every_days: Days = None
    app_id: str | None = None
    recall_shared: bool = False
    brief_tokens: int = 700
    recall_tokens: int = 600
    recall_ms: int = 300
    recall_threshold: float = 0.4  # what other values give: docs/how-to/claude-code.md
    recall_threshold_elsewhere: float = 0.6
    capture: bool = True
    retention_days: int = 90
    native_memory: NativeMemory = "mirror"
    ignore: tuple[str, ...] = ()
    instructions: str | None = None
    llm: str | None = None
    llm_extraction: str | None = None
    llm_contradiction: str | None = None
    llm_categories: str | None = None
    llm_summary: str | None = None
    llm_consolidation: str | None = None
    custom_instructions: str | None = None
    agent_custom_instructions: str | None = None
    includes: str | None = None
    excludes: str | None = None
    custom_categories: Categories = ()
    llm_base_url: Address | None = None
    llm_api_key: str | None = field(default=None, repr=False)
    llm_timeout_s: float = 60.0
    llm_temperature: Temperature = 0.0
    llm_daily_tokens: Tokens = 2_000_000  # what these bound: docs/how-to/bound-what-a-model-costs.md
    llm_daily_usd: Dollars = 5.0
    llm_project_daily_tokens: Tokens = None
    llm_project_daily_usd: Dollars = None
    llm_job_tokens: Tokens = 200_000
    anthropic_token: str | None = field(default=None, repr=False)
    claude_code_sign_in: bool = False
    embedder_base_url: Address | None = None
    embedder_api_key: str | None = field(default=None, repr=False)
    provider_variables: Mapping[str, str] = field(default_factory=dict, repr=False, metadata={_OUTSIDE: True})

    @classmethod
    def load(
        cls,
        *,
        environ: Mapping[str, str] | None = None,
        config: Path | None = None,
        team: Path | None = None,
        **given: object,
    ) -> Self:
        """Read the settings.

        Args:
            environ: Variables; the process's own by default.
            config: The configuration file; `KEPT_CONFIG`, else the platform's by default.
            team: A repository's `.kept.toml`, if it is there.
            given: Values that win over both; None means not given.

        Raises:
            ConfigurationError: An unknown or malformed setting, with where it stands.
        """
        values = {name: value for name, (value, _) in _layered(environ, config, given, team=team).items()}
        return cls(**values, provider_variables=_provider_variables(os.environ if environ is None else environ))

    @property
    def own_url(self) -> str:
        """Where this machine's server is reached, as far as the settings say; without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    @property
    def cache_bytes(self) -> int:
        """Memory for resident partitions."""
        return self.cache_mb * _BYTES_PER_MB

    @property
    def max_body_bytes(self) -> int:
        """Longest body of a request."""
        return self.max_body_mb * _BYTES_PER_MB

    @property
    def reads(self) -> bool:
        """Whether a language model is to read what is added; one for summaries alone reads nothing."""
        return bool(self.llm or self.llm_extraction)

    @property
    def wishes(self) -> dict[str, str]:
        """What a language model that reads is asked to keep to, by the names that a project has for it."""
        named = {
            "custom_instructions": self.custom_instructions,
            "agent_custom_instructions": self.agent_custom_instructions,
            "includes": self.includes,
            "excludes": self.excludes,
        }
        return {name: wish for name, wish in named.items() if wish is not None}

    @property
    def spending_limits(self) -> tuple[SpendingLimit, ...]:
        """What language models may cost, under the names of the settings; the widest last."""
        from kept.domain.spending import SpendingLimit, to_micros

        return (
            SpendingLimit(name="llm_job_tokens", per="job", tokens=self.llm_job_tokens),
            SpendingLimit(name="llm_project_daily_tokens", per="project_day", tokens=self.llm_project_daily_tokens),
            SpendingLimit(
                name="llm_project_daily_usd", per="project_day", micros=to_micros(self.llm_project_daily_usd)
            ),
            SpendingLimit(name="llm_daily_tokens", per="day", tokens=self.llm_daily_tokens),
            SpendingLimit(name="llm_daily_usd", per="day", micros=to_micros(self.llm_daily_usd)),
        )

    def with_database(self, database: str) -> Self:
        """The same settings on another store."""
        return replace(self, database=database)

    def without_models(self) -> Self:
        """The same settings with no language model, whatever is wrong with those that are set."""
        return replace(
            self,
            llm=None,
            llm_extraction=None,
            llm_contradiction=None,
            llm_categories=None,
            llm_summary=None,
            llm_consolidation=None,
        )


def setting_sources(
    *, environ: Mapping[str, str] | None = None, config: Path | None = None, team: Path | None = None, **given: object
) -> dict[str, str]:
    """Where each setting that `Settings.load` gives comes from: `argument`, a variable, a file's path, or `default`.

    Raises:
        ConfigurationError: As `Settings.load`.
    """
    sources = {name: source for name, (_, source) in _layered(environ, config, given, team=team).items()}
    return {name: sources.get(name, _DEFAULT) for name in _types()}


def wants_no_color(environ: Mapping[str, str] | None = None) -> bool:
    """Whether `NO_COLOR` is set to anything (https://no-color.org)."""
    return bool((os.environ if environ is None else environ).get("NO_COLOR"))


def wants_debug(environ: Mapping[str, str] | None = None) -> bool:
    """Whether tracebacks are wanted, also when the settings themselves cannot be read."""
    try:
        return Settings.load(environ=environ).debug
    except ConfigurationError:
        return False


def config_file(environ: Mapping[str, str] | None = None) -> Path:
    """The configuration file that is read if it exists: `KEPT_CONFIG`, else the platform's."""
    environ = os.environ if environ is None else environ
    return _path(environ.get(f"{PREFIX}CONFIG")) or config_folder() / CONFIG_FILE


def names_config(environ: Mapping[str, str] | None = None) -> bool:
    """Whether `KEPT_CONFIG` names the configuration file."""
    return bool((os.environ if environ is None else environ).get(f"{PREFIX}CONFIG"))


def data_folder() -> Path:
    """Where the platform keeps a user's application data."""
    import platformdirs

    return Path(platformdirs.user_data_dir("kept", appauthor=False))


def config_folder() -> Path:
    """Where the platform keeps a user's configuration."""
    import platformdirs

    return Path(platformdirs.user_config_dir("kept", appauthor=False))


def other_config_folder(program: str) -> Path:
    """Where another program keeps its configuration on this platform, by the name of its folder."""
    import platformdirs

    return Path(platformdirs.user_config_dir(program, appauthor=False, roaming=True))


def claude_code_sign_in_file(environ: Mapping[str, str] | None = None) -> Path:
    """Where Claude Code keeps its sign-in, on platforms where it is a file."""
    environ = os.environ if environ is None else environ
    return (_path(environ.get("CLAUDE_CONFIG_DIR")) or Path.home() / ".claude") / ".credentials.json"


def claude_code_files(environ: Mapping[str, str] | None = None) -> tuple[Path, Path]:
    """Claude Code's own files: the one that lists a user's servers, and the user's settings."""
    environ = os.environ if environ is None else environ
    folder = _path(environ.get("CLAUDE_CONFIG_DIR"))
    if folder is not None:
        return folder / ".claude.json", folder / "settings.json"
    return Path.home() / ".claude.json", Path.home() / ".claude" / "settings.json"


def child_environment(without: Sequence[str] = (), **changes: str) -> dict[str, str]:
    """The environment for a program that Kept starts.

    Args:
        without: Beginnings of names to leave out.
        changes: Variables to set.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(tuple(without))}
    return kept | changes


def setting_names() -> tuple[str, ...]:
    """Every setting, as in `kept.toml`; the variable is the same in capitals after `KEPT_`."""
    return tuple(_types())


def _layered(
    environ: Mapping[str, str] | None, config: Path | None, given: Mapping[str, object], *, team: Path | None = None
) -> dict[str, tuple[Any, str]]:
    """Each setting that is not at its class's default, with where it comes from; a later layer wins."""
    environ = os.environ if environ is None else environ
    path = config or config_file(environ)
    database = f"sqlite:///{(data_folder() / DATABASE_FILE).as_posix()}"
    values: dict[str, tuple[Any, str]] = {"database": (database, _DEFAULT), "user_id": (_login(), _DEFAULT)}
    for name, value in _read_team(team).items():
        values[name] = _parse(name, value, str(team)), str(team)
    for name, value in _read(path).items():
        values[name] = _parse(name, value, str(path)), str(path)
    for name in _types():
        variable = PREFIX + name.upper()
        if (text := environ.get(variable)) not in (None, ""):
            values[name] = _parse(name, text, variable), variable
    return values | {name: (_parse(name, value, name), _ARGUMENT) for name, value in given.items() if value is not None}


def _types() -> dict[str, str]:
    return {field.name: str(field.type) for field in fields(Settings) if _OUTSIDE not in field.metadata}


def _provider_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Those of the environment that `PROVIDERS` names; an empty one counts as not set."""
    known = (name for provider in PROVIDERS.values() for name in (*provider.keys, *provider.urls))
    return {name: value for name in (*known, OPENAI_HEADERS) if (value := environ.get(name, "").strip())}


def _read_team(path: Path | None) -> dict[str, Any]:
    """A repository's settings; it may set those of `TEAM_SETTINGS` alone."""
    found = {} if path is None else _read(path)
    for name in found:
        if name not in TEAM_SETTINGS:
            raise ConfigurationError(
                f"{path} sets {name!r}, which a repository cannot; it may set {', '.join(sorted(TEAM_SETTINGS))}."
            )
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error
    import tomllib

    try:
        return tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}.") from error


def _parse(name: str, value: object, where: str) -> Any:
    kind = _types().get(name)
    if kind is None:
        hint = did_you_mean(name, _types()) or " `kept doctor` shows those there are."
        raise ConfigurationError(f"{where} has the unknown setting {name!r}.{hint}")
    try:
        return _PARSERS[kind](value)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{where}: {name} is {value!r}; it must be {_KINDS[kind]}.") from error


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """A question with the nearest of the names there are; empty where none is near."""
    from difflib import get_close_matches

    near = get_close_matches(given.lower(), list(known), n=1, cutoff=_NEAR)
    return f" Did you mean {near[0]!r}?" if near else ""


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value.strip()


def _boolean(value: object) -> bool:
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    return known[text] if text in known else bool(_fail())


def _fail() -> Any:
    raise ValueError


def _positive_int(value: object) -> int:
    number = int(str(value))
    return number if number > 0 else _fail()


def _port(value: object) -> int:
    number = int(str(value))
    return number if 0 <= number < _PORTS else _fail()


def _positive_float(value: object) -> float:
    number = float(str(value))
    return number if 0 < number < float("inf") else _fail()


def _temperature(value: object) -> float:
    number = float(str(value))
    return number if 0 <= number <= _HOTTEST else _fail()


def _tokens(value: object) -> int | None:
    """How many tokens; a limit is switched off by saying so, never by zero."""
    if _says_none(value):
        return None
    number = int(str(value))
    return number if number >= 0 else _fail()


def _days(value: object) -> int | None:
    """How many days lie between, from 1."""
    return None if _says_none(value) else _positive_int(value)


def _dollars(value: object) -> float | None:
    """How many dollars, as `_tokens`."""
    if _says_none(value):
        return None
    number = float(str(value))
    return number if 0 <= number < float("inf") else _fail()


def _says_none(value: object) -> bool:
    return isinstance(value, str) and value.strip().lower() == _NO_LIMIT


def _texts(value: object) -> tuple[str, ...]:
    """A list of texts; in a variable they are parted by commas."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)):
        raise TypeError
    return tuple(_text(part) for part in parts if part != "")


def _categories(value: object) -> Categories:
    """Categories as a project's; in a variable they are JSON, or names parted by commas."""
    from kept.domain.categories import parse_categories_setting

    given: object = value
    if isinstance(value, str):
        given = json.loads(value) if value.lstrip().startswith(("{", "[")) else _texts(value)
    return tuple({one.name: one.description} for one in parse_categories_setting(given))


def _networks(value: object) -> tuple[str, ...]:
    """Addresses and networks as texts. Whoever reads them takes what is none for a name, which no proxy has."""
    from ipaddress import ip_network

    texts = _texts(value)
    for text in texts:
        ip_network(text)
    return texts


def _address(value: object) -> str:
    """Where clients reach a server. A password has settings of its own, which no report shows."""
    from urllib.parse import urlsplit

    text = _text(value)
    parts = urlsplit(text)
    is_one = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    return text if is_one and not parts.query and "@" not in parts.netloc else _fail()


def _native_memory(value: object) -> str:
    return value if isinstance(value, str) and value in get_args(NativeMemory) else _fail()


_NEAR: Final = 0.81
"""Least likeness of a name that is asked for: a slip of the finger is above it, `wordllama` for `ollama` below."""
_PORTS: Final = 1 << 16
_NO_LIMIT: Final = "none"
_HOTTEST: Final = 2
"""Highest temperature that any provider takes (OpenAI and Google; Anthropic stops at 1)."""
_PARSERS: Final = {
    "str": _text,
    "str | None": _text,
    "bool": _boolean,
    "int": _positive_int,
    "Port": _port,
    "float": _positive_float,
    "Temperature": _temperature,
    "Tokens": _tokens,
    "Dollars": _dollars,
    "Days": _days,
    "tuple[str, ...]": _texts,
    "Categories": _categories,
    "Networks": _networks,
    "Address | None": _address,
    "NativeMemory": _native_memory,
}
_KINDS: Final = {
    "str": "a text that is not blank",
    "str | None": "a text that is not blank",
    "bool": "true or false",
    "int": "a whole number above 0",
    "Port": f"a whole number from 0 to {_PORTS - 1}",
    "float": "a number above 0",
    "Temperature": f"a number from 0 to {_HOTTEST}",
    "Tokens": "a whole number from 0, or none for no limit",
    "Dollars": "a number from 0, or none for no limit",
    "Days": "a whole number above 0, or none for never",
    "tuple[str, ...]": "a list of texts",
    "Categories": "a list of {name: description} objects or of names",
    "Networks": "a list of addresses and networks, such as 172.17.0.0/16",
    "Address | None": "an address such as https://memory.example.org",
    "NativeMemory": "off, mirror or redirect",
}


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _login() -> str:
    """The login name; a fixed one where the system knows none (containers without a user database)."""
    try:
        return getpass.getuser() or _ANONYMOUS
    except (ImportError, KeyError, OSError):  # ImportError: Windows without a user variable, before Python 3.13
        return _ANONYMOUS
