"""What can go wrong between a client and a server, besides what `kept.errors` has for both sides."""

from __future__ import annotations

from kept.errors import KeptError


class ServerError(KeptError):
    """The server failed, or what answered is no server of memories."""

    code = "server-error"


class UnreachableError(ServerError):
    """The server cannot be reached."""

    code = "unreachable"


class EventFailedError(KeptError):
    """The server acknowledged the work and could not do it."""

    code = "event-failed"


class WaitTimeoutError(KeptError, TimeoutError):
    """The work is not done yet; it goes on, and can be waited for again."""

    code = "wait-timeout"
