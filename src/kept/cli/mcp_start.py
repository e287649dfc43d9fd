"""What `kept mcp` runs. A client waits for its first answer, so nothing is imported here that this answer does not need."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from kept.claude_code.wiring import TOOL
from kept.errors import ConfigurationError, InvalidInputError
from kept.mcp.server import Server
from kept.mcp.tools import EVERYDAY, Tool, select

if TYPE_CHECKING:
    from kept.claude_code.tool import HookTool
    from kept.engine.service import Service
    from kept.mcp.backend import Backend
    from kept.mcp.local import LocalBackend
    from kept.settings import Settings

OPTIONS: Final = ("database", "project", "user", "agent", "app", "run", "url", "key", "tools")
"""Each takes a value."""
HOOK_AFTER_S: Final = 0.5
"""When the engine is warm, how long until the hooks are: a first search that came meanwhile goes first."""


def plain_options(arguments: Sequence[str]) -> dict[str, str] | None:
    """The options of a plain command line; None when the command line's own parser has to look at it (help, a slip).

    That parser takes 65 ms to import, nearly all that a start may take.
    """
    found: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        name, given, value = rest.pop(0).partition("=")
        if not name.startswith("--") or name[2:] not in OPTIONS or not (given or rest):
            return None
        found[name[2:]] = value if given else rest.pop(0)
    try:
        everyday(found.get("tools"))
    except InvalidInputError:
        return None  # it may be of the full inventory
    return found


def run(**options: str | None) -> None:
    """Serve the client at standard input and output until it ends.

    Args:
        options: Of `OPTIONS`, as given; None where not.

    Raises:
        KeptError: `tools` names one that there is not.
    """
    from kept.mcp import stdio

    opening = Opening(options)
    server = Server(opening.tools(), opening.backend, {TOOL: opening.call_hook})
    stdio.run(server, warm=opening.warm, close=opening.close)


def everyday(words: str | None) -> tuple[Tool, ...]:
    """The everyday tools that `--tools` chooses.

    Raises:
        InvalidInputError: A word chooses none of them.
    """
    return EVERYDAY if words is None else select(_parted(words))


def _parted(words: str) -> list[str]:
    return [word.strip() for word in words.split(",") if word.strip()]


class Opening:
    """Opens what calls need when the first of them needs it; what cannot be opened is tried again by the next.

    Args:
        options: Of the command line.
    """

    def __init__(self, options: Mapping[str, str | None]) -> None:
        self._options = options
        self._mutex = threading.RLock()
        self._closing = threading.Event()
        self._backend: Backend | None = None
        self._hook: HookTool | None = None

    def tools(self) -> tuple[Tool, ...]:
        """The tools that are listed.

        Raises:
            KeptError: One is named that there is not, or cannot be made here.
        """
        words = self._options.get("tools")
        return everyday(None) if words is None else select(_parted(words), self._inventory)

    def _inventory(self) -> tuple[Tool, ...]:
        """The tools besides the everyday ones; made of the server's description, so they take what the server needs."""
        try:
            from kept.rest import inventory
            from kept.rest.app import create_app
        except ImportError as error:
            message = f"These tools need more than is installed ({error.name}): pip install 'kept[server]'"
            raise ConfigurationError(message) from error
        from kept.mcp.local import LocalBackend

        backend = self.backend()
        if not isinstance(backend, LocalBackend):
            return ()  # another server's routes need not be ours
        return inventory.tools(create_app(backend.access.platform, self.settings()))

    def backend(self) -> Backend:
        """The store on this machine, or the server that was named.

        Raises:
            KeptError: It cannot be opened.
        """
        with self._mutex:
            if self._backend is None:
                self._backend = self._open()
            return self._backend

    def call_hook(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a hook."""
        with self._mutex:
            hook = self._hook = self._hook or self._open_hook()
        return hook(arguments)

    def warm(self) -> None:
        """Load what the first call will need. A fault is left to that call, which can tell it."""
        from kept.errors import KeptError

        try:
            self.backend().warm()
        except KeptError:
            return
        if self._closing.wait(HOOK_AFTER_S):
            return
        with self._mutex:
            self._hook = self._hook or self._open_hook()

    def close(self) -> None:
        """Keep what is open and give it back."""
        self._closing.set()
        if self._hook is not None:
            self._hook.close()
        if self._backend is not None:
            self._backend.close()

    def settings(self) -> Settings:
        """The settings, with what the command line overrides."""
        from kept.settings import Settings

        return Settings.load(**self._given)

    @property
    def _given(self) -> dict[str, Any]:
        named = {"database": "database", "project": "project", "user_id": "user", "url": "url", "api_key": "key"}
        return {setting: self._options.get(option) for setting, option in named.items()}

    def _open(self) -> Backend:
        settings = self.settings()
        defaults = {
            "user_id": settings.user_id,
            **{f"{name}_id": value for name in ("agent", "app", "run") if (value := self._options.get(name))},
        }
        if settings.url is not None:
            from kept.mcp.remote import RemoteBackend
            from kept.sdk.client import MemoryClient

            return RemoteBackend(MemoryClient(settings.api_key, settings.url), defaults=defaults)
        from kept.mcp.local import open_local

        return open_local(settings, defaults)

    def _open_hook(self) -> HookTool:
        from kept.claude_code.tool import open_tool, settings_loader

        return open_tool(settings_loader(**self._given), self._service)

    def _service(self) -> Service:
        backend: LocalBackend = self.backend()  # type: ignore[assignment]  # a server's memories are opened without it
        return backend.access.platform.service
