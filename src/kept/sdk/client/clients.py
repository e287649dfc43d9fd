"""`MemoryClient` and `AsyncMemoryClient`: Mem0's calls to a server, with what Mem0's clients lack.

Making a client opens no connection and asks nothing; the first call does.
"""

from __future__ import annotations

import ipaddress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

from kept import __version__
from kept.errors import ConfigurationError
from kept.sdk.client.calls import MemoryCalls
from kept.sdk.client.runners import Awaiting, Blocking, Place

if TYPE_CHECKING:
    import httpx2

DEFAULT_URL: Final = "http://127.0.0.1:8787"
"""Where `kept serve` listens unless it is told otherwise."""
TIMEOUT_S: Final = 60.0
"""As in Mem0's newer clients; every call is answered at once, long work is acknowledged."""
RETRIES: Final = 3
"""How long they last together: `exchange.FIRST_PAUSE_S`."""


class MemoryClient(MemoryCalls[Blocking]):
    """The memory on a server: Kept's, Mem0's platform, or any that speaks the same dialect. Safe to share between threads.

    Args:
        api_key: The key to show. Default: `KEPT_API_KEY`.
        host: The server's address. Default: `KEPT_URL`, else this machine's.
        client: An `httpx2.Client` to send with (its proxies, certificates and time-outs); it is not closed.
        timeout_s: How long an answer may take, in seconds; not used with `client`.
        retries: How often a request is sent again when the server says to come back (429, 503), or the connection failed and
            twice is as good as once.

    Raises:
        ConfigurationError: The address or the key cannot be one.
    """

    def __init__(
        self,
        api_key: str | None = None,
        host: str | None = None,
        client: httpx2.Client | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        retries: int = RETRIES,
    ) -> None:
        import httpx2

        place = _place(api_key, host, retries)
        self._closes = client is None
        super().__init__(Blocking(place, client or httpx2.Client(**_connection(place.url, timeout_s))))

    @property
    def host(self) -> str:
        """The server's address."""
        return self.runner.place.url

    def close(self) -> None:
        """Close the connections. Closing twice is harmless."""
        if self._closes:
            self.runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"MemoryClient(host={self.host!r})"


class AsyncMemoryClient(MemoryCalls[Awaiting]):
    """`MemoryClient` for event loops: every call is a coroutine. Making one is not, and does not block.

    Args:
        api_key: The key to show. Default: `KEPT_API_KEY`.
        host: The server's address. Default: `KEPT_URL`, else this machine's.
        client: An `httpx2.AsyncClient` to send with; it is not closed.
        timeout_s: As of `MemoryClient`.
        retries: As of `MemoryClient`.

    Raises:
        ConfigurationError: The address or the key cannot be one.
    """

    runs_by = Awaiting

    def __init__(
        self,
        api_key: str | None = None,
        host: str | None = None,
        client: httpx2.AsyncClient | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        retries: int = RETRIES,
    ) -> None:
        import httpx2

        place = _place(api_key, host, retries)
        self._closes = client is None
        super().__init__(Awaiting(place, client or httpx2.AsyncClient(**_connection(place.url, timeout_s))))

    @property
    def host(self) -> str:
        """The server's address."""
        return self.runner.place.url

    async def close(self) -> None:
        """Close the connections. Closing twice is harmless."""
        if self._closes:
            await self.runner.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncMemoryClient(host={self.host!r})"


def _place(api_key: str | None, host: str | None, retries: int) -> Place:
    """Where to send to, and as whom: what is given, else the settings."""
    from kept.settings import Settings

    settings = Settings.load(url=host, api_key=api_key)
    headers = {"User-Agent": f"kept/{__version__}", "Accept": "application/json"}
    if settings.api_key is not None:
        headers["Authorization"] = f"Token {_sendable(settings.api_key)}"
    return Place(url=_address(settings.url or DEFAULT_URL), headers=headers, retries=max(retries, 0))


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ConfigurationError(
            f"{url!r} is no address of a server; it looks like {DEFAULT_URL} or https://host/prefix."
        )
    return url.rstrip("/")


def _sendable(key: str) -> str:
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError("The API key has characters that no key has, such as blanks; was it copied whole?")
    return key


def _connection(url: str, timeout_s: float) -> dict[str, Any]:
    """How to connect to an address."""
    parts = urlsplit(url)
    return {
        "timeout": timeout_s,
        "verify": parts.scheme == "https",  # without TLS there is nothing to verify, and reading the roots takes 25 ms
        "trust_env": not _is_this_machine(parts.hostname or ""),  # the environment's proxies cannot reach it
    }


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
