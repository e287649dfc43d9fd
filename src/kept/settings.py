"""Settings: the only module that reads the environment and configuration files.

Order, first found wins: what the caller passes, `KEPT_*` variables, `kept.toml` in the platform's configuration folder, in
a coding session the repository's `.kept.toml`, the defaults. The result is a frozen value that is passed inwards; nothing is
read again.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Literal, Self, get_args

from kept.errors import ConfigurationError

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
_ANONYMOUS: Final = "me"
_DEFAULT: Final = "default"
_ARGUMENT: Final = "argument"
_BYTES_PER_MB: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, with their defaults.

    Attributes:
        database: URL of the store: `sqlite:///relative/or/absolute.db`, `memory://` (nothing kept), or a plain path.
        project: The project to work in; nothing ever crosses it.
        user_id: Whose memories the command line reads and writes when none is named.
        embedder: `wordllama`, `minilm`, `onnx:FOLDER` or `fastembed:MODEL`.
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
        audit_days: How long audit entries are kept, in days.
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
        return cls(**{name: value for name, (value, _) in _layered(environ, config, given, team=team).items()})

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

    def with_database(self, database: str) -> Self:
        """The same settings on another store."""
        return replace(self, database=database)


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
    return {field.name: str(field.type) for field in fields(Settings)}


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
        raise ConfigurationError(f"{where} has the unknown setting {name!r}; there are {', '.join(_types())}.")
    try:
        return _PARSERS[kind](value)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{where}: {name} is {value!r}; it must be {_KINDS[kind]}.") from error


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


def _texts(value: object) -> tuple[str, ...]:
    """A list of texts; in a variable they are parted by commas."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)):
        raise TypeError
    return tuple(_text(part) for part in parts if part != "")


def _networks(value: object) -> tuple[str, ...]:
    """Addresses and networks as texts. Whoever reads them takes what is none for a name, which no proxy has."""
    from ipaddress import ip_network

    texts = _texts(value)
    for text in texts:
        ip_network(text)
    return texts


def _address(value: object) -> str:
    """Where clients reach a server."""
    from urllib.parse import urlsplit

    text = _text(value)
    parts = urlsplit(text)
    return text if parts.scheme in {"http", "https"} and parts.hostname and not parts.query else _fail()


def _native_memory(value: object) -> str:
    return value if isinstance(value, str) and value in get_args(NativeMemory) else _fail()


_PORTS: Final = 1 << 16
_PARSERS: Final = {
    "str": _text,
    "str | None": _text,
    "bool": _boolean,
    "int": _positive_int,
    "Port": _port,
    "float": _positive_float,
    "tuple[str, ...]": _texts,
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
    "tuple[str, ...]": "a list of texts",
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
