"""`kept serve`: the REST server."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from kept.cli import render
from kept.cli.invocation import Invocation, pass_invocation
from kept.cli.options import TEXT, command
from kept.errors import ConfigurationError

if TYPE_CHECKING:
    from kept.engine.keys import Keys
    from kept.settings import Settings

KEY_SUFFIX: Final = ".admin-key"
"""Of the file beside the store that keeps the first administrator's key."""
_OWNER_ONLY: Final = 0o600
_RATE: Final = "RATE"
_ENDING: Final = "End one that is not to be used any more with: kept keys revoke ID"


@command("serve", examples=["kept serve", "KEPT_API_KEY=… kept serve --host 0.0.0.0 --port 8787"])
@click.option("--host", type=TEXT, help="Address to listen on; default 127.0.0.1, this machine alone.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; default 8787, 0 takes a free one.")
@click.option("--public-url", type=TEXT, metavar="URL", help="Under which address clients reach it, behind a proxy.")
@click.option("--max-body-mb", type=click.IntRange(1), help="Longest body taken, in megabytes; default 10.")
@click.option(
    "--webhooks-allow-private",
    is_flag=True,
    default=None,
    help="Let webhooks go to addresses of private networks and of this machine.",
)
@click.option("--rate-limit-read", type=TEXT, metavar=_RATE, help="Most reads of a key, such as 600/minute.")
@click.option("--rate-limit-write", type=TEXT, metavar=_RATE, help="Most writes of a key.")
@click.option("--rate-limit-admin", type=TEXT, metavar=_RATE, help="Most requests of a key that manage projects.")
@click.option("--processes", type=click.IntRange(1, 64), help="Processes that serve together; default 1.")
@pass_invocation
def serve(invocation: Invocation, /, **given: Any) -> None:
    """Serve memories to Mem0's clients and to Kept's, over HTTP.

    The first start makes an administrator's key and says where it is kept; or give one as KEPT_API_KEY. Ctrl-C ends it, after
    what is being done.
    """
    settings = invocation.with_settings(**given)
    try:
        from kept.rest.app import create_app
        from kept.rest.family import serve_in
        from kept.rest.limits import RateLimits
        from kept.rest.running import listen, run, server_of, sharing_server_of
        from kept.rest.sharing import Part, Shares
    except ImportError as error:
        if (error.name or "").startswith("kept"):  # nothing to install would help
            raise
        raise ConfigurationError(
            f"The server needs more than is installed ({error.name}): pip install 'kept[server]'"
        ) from error
    from kept.bootstrap import build_models, build_platform
    from kept.rest.logs import configure_logs

    build_models(settings)  # one that cannot be opened would be noticed when it is first asked, which is late
    limits = RateLimits(settings)  # a wrong one is refused before anything is said; all processes count in the same
    listener = listen(settings.host, settings.port)
    with listener:
        address, port = listener.getsockname()[:2]
        greeting = _greeting(settings, is_private=ip_address(address).is_loopback)
        render.say(f"Kept listens on http://{_shown(settings.host)}:{port} (store: {settings.database})")
        if greeting:
            render.say(greeting)
        sys.stdout.flush()
        configure_logs(debug=settings.debug)
        shares = Shares(settings.processes)

        def serve_as(number: int) -> None:
            app = create_app(build_platform(settings), settings, limits)
            alone = settings.processes == 1
            run(server_of(app) if alone else sharing_server_of(app, Part(shares, number)), listener)

        serve_in(settings.processes, serve_as)


def _greeting(settings: Settings, *, is_private: bool) -> str | None:
    """What to tell about the administrator's key, if it is new.

    Raises:
        ConfigurationError: Others can reach the server, and there is no valid key.
    """
    from kept.bootstrap import build_platform
    from kept.engine.keys import Keys

    platform = build_platform(settings)
    try:
        return _admit(Keys(platform), settings, is_private=is_private)
    finally:
        platform.close()


def _admit(keys: Keys, settings: Settings, *, is_private: bool) -> str | None:
    """See to it that there is an administrator's key; what to tell about it, if it is new.

    Raises:
        ConfigurationError: Others can reach the server, and there is no valid key.
    """
    if settings.api_key is not None:
        others = ", ".join(key.id for key in keys.ensure_admin(settings.api_key))
        return (
            f"KEPT_API_KEY is a new key. Administrators' keys from before stay valid: {others}\n{_ENDING}"
            if others
            else None
        )
    if keys.any_usable():
        return None
    if not is_private:
        raise ConfigurationError(
            f"Others could reach {settings.host}, and no key was made yet, or none that is still valid. Make one first with "
            "`kept keys create --role admin --name ops`, or give one as KEPT_API_KEY."
        )
    _, secret = keys.make(name="admin", role="ADMIN", project=None)
    return f"The administrator's key, shown this once: {secret}\n{_kept(secret, settings)}"


def _kept(secret: str, settings: Settings) -> str:
    """Write the key to a file that nobody else could read at any moment; where it is, or why it is nowhere."""
    from kept.bootstrap import sqlite_path

    store = sqlite_path(settings.database).absolute()
    path = store.with_name(store.name + KEY_SUFFIX)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    except FileExistsError:
        return f"It is not kept in a file: {path} is there already, with another key."
    except OSError as error:
        return f"It is not kept in a file: {path} cannot be written ({error.strerror})."
    return _written(descriptor, path, secret)


def _written(descriptor: int, path: Path, secret: str) -> str:
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secret + "\n")
    except OSError as error:  # half a key is worse than none
        with suppress(OSError):
            path.unlink()
        return f"It is not kept in a file: {path} cannot be written ({error.strerror})."
    return f"It is kept in {path}"


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
