"""`kept serve`: the REST server."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from kept.cli import render
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import command
from kept.errors import ConfigurationError

if TYPE_CHECKING:
    from kept.engine.keys import Keys
    from kept.settings import Settings

KEY_FILE: Final = "admin.key"
"""Where the first administrator's key is kept, beside the store, for its owner alone."""
_OWNER_ONLY: Final = 0o600
_LOOPBACK: Final = ("127.", "::1", "localhost")


@command("serve", examples=["kept serve", "KEPT_API_KEY=… kept serve --host 0.0.0.0 --port 8787"])
@click.option("--host", help="Address to listen on; default 127.0.0.1, this machine alone.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; default 8787, 0 takes a free one.")
@pass_invocation
def serve(invocation: Invocation, /, host: str | None, port: int | None) -> None:
    """Serve memories to Mem0's clients and to Kept's, over HTTP.

    The first start makes an administrator's key and says where it is kept; or give one as KEPT_API_KEY. Ctrl-C ends it, after
    what is being done.
    """
    settings = invocation.with_settings(host=host, port=port)
    try:
        import uvicorn

        from kept.rest.app import create_app, served
    except ImportError as error:
        raise ConfigurationError(
            f"The server needs more than is installed ({error.name}): pip install 'kept[server]'"
        ) from error
    from kept.bootstrap import build_platform
    from kept.engine.keys import Keys
    from kept.rest.logs import configure_logs

    configure_logs(debug=settings.debug)
    platform = build_platform(settings)
    try:
        greeting = _admit(Keys(platform), settings)
        listener = _listen(settings.host, settings.port)
    except BaseException:
        platform.close()
        raise
    address = listener.getsockname()
    app = create_app(platform, settings)
    render.say(f"Kept listens on http://{_shown_host(settings.host)}:{address[1]} (store: {settings.database})")
    if greeting:
        render.say(greeting)
    sys.stdout.flush()
    config = uvicorn.Config(
        served(app), log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=10, lifespan="on"
    )
    uvicorn.Server(config).run(sockets=[listener])


def _admit(keys: Keys, settings: Settings) -> str | None:
    """See to it that there is an administrator's key; what to tell about it, if it is new.

    Raises:
        ConfigurationError: Another address than this machine's, and no key was made yet.
    """
    if settings.api_key is not None:
        keys.ensure_admin(settings.api_key)
        return None
    if keys.any_exist():
        return None
    if not settings.host.startswith(_LOOPBACK):
        raise ConfigurationError(
            f"Others could reach {settings.host}, and no key was made yet. Make one first with "
            "`kept keys create --role admin --name ops`, or give one as KEPT_API_KEY."
        )
    _, secret = keys.make(name="admin", role="ADMIN", project=None)
    path = _key_file(settings)
    if path is None:
        return f"The administrator's key, shown this once: {secret}"
    path.touch(mode=_OWNER_ONLY)
    path.write_text(secret + "\n", encoding="ascii")
    return f"The administrator's key, shown this once: {secret}\nIt is kept in {path}"


def _key_file(settings: Settings) -> Path | None:
    """Beside the store, where such a file can be made."""
    from kept.bootstrap import sqlite_path

    path = sqlite_path(settings.database).absolute().with_name(KEY_FILE)
    return path if os.access(path.parent, os.W_OK) else None


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        ConfigurationError: The address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"Cannot listen on {host}:{port}: {error.strerror}. Is another server running? Try --port."
        ) from error
    return listener


def _shown_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
