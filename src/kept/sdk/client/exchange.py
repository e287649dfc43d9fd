"""One exchange with a server, as data and as a generator: no I/O, no clock, no sync or async.

A call is either a `Request`, or a generator that yields requests and pauses and returns what the call gives. `conversation`
adds to either what holds for every request: when to try again, and which error an answer stands for. Whoever drives it
(`runners`) needs to know two things only: how to send, and how to sleep.
"""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Generic, Literal, Protocol, TypeVar, cast
from urllib.parse import quote

from kept import errors
from kept.errors import ServerError, UnreachableError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

FIRST_PAUSE_S: Final = 0.2
"""Before the second try, doubled before each further one: three retries outlast a server that is being restarted."""
LONGEST_PAUSE_S: Final = 60
"""Whoever asks for more patience is not waited for; the error says how long it would be."""
_IDEMPOTENT: Final = frozenset({"GET", "PUT", "DELETE"})
_COME_BACK: Final = frozenset({429, 503})
_LIMIT_HEADERS: Final = frozenset(
    f"{prefix}ratelimit-{name}" for prefix in ("", "x-") for name in ("limit", "remaining", "reset")
)
_ERROR_TEXT_CHARS: Final = 500
_MAX_DIGITS: Final = 9
"""Of a number of seconds: some decades."""

_BY_STATUS: Final[Mapping[int, type[errors.KeptError]]] = {
    400: errors.InvalidInputError,
    401: errors.AuthenticationError,
    403: errors.ForbiddenError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    413: errors.InvalidInputError,
    422: errors.InvalidInputError,
    429: errors.RateLimitError,
    507: errors.StoreFullError,
}
_BY_CODE: Final[Mapping[str, type[errors.KeptError]]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.KeptError) and kind is not errors.KeptError
}


class Steps(Protocol[T_co]):
    """What a call consists of: a `Request`, or a `Script` of several steps."""

    def __iter__(self) -> Script[T_co]: ...


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """One request; its answer is a `T`.

    Attributes:
        path: From the server's root on, names percent-encoded (`segment`).
        query: None is left out, a list is repeated.
        body: Sent as JSON; None sends none.
        reads: Whether it changes nothing, so that it can be sent twice whatever its method.
        idempotency_key: Under which the server does it once, however often it is sent.
        own: Whether the route is one of Kept's own, which another server cannot be expected to have.
    """

    method: Method
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    reads: bool = False
    idempotency_key: str | None = None
    own: bool = False

    def __iter__(self) -> Script[T]:
        """Itself as the only step: `yield from request` gives its answer inside a longer call."""
        return cast("T", (yield self))

    @property
    def is_repeatable(self) -> bool:
        """Whether sending it twice has the effect of sending it once."""
        return self.reads or self.method in _IDEMPOTENT or self.idempotency_key is not None


@dataclass(frozen=True, slots=True)
class Pause:
    """Time to let pass before the next step, in seconds."""

    seconds: float


Script = Generator[Request[Any] | Pause, Any, T]
"""A call of several steps, which returns what the call gives."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: an answer, or why there is none."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    fault: Exception | None = None
    interrupted: bool = False
    """Whether the connection failed (which a second try may mend), and not the patience."""


def encoded(body: Any) -> bytes:
    """A body as JSON; dates and times in ISO 8601.

    Raises:
        InvalidInputError: Something in it has no form in JSON.
    """
    try:
        return json.dumps(body, default=_iso, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise errors.InvalidInputError(f"This cannot be sent as JSON: {error}.") from error


def _iso(value: object) -> str:
    if isinstance(value, date):  # a datetime is one
        return value.isoformat()
    raise TypeError(f"a value of type {type(value).__name__}")


def queried(query: Mapping[str, Any]) -> dict[str, Any]:
    """What a query says: None is left out, dates and times are in ISO 8601."""
    said = {name: value for name, value in query.items() if value is not None}
    return {name: _iso(value) if isinstance(value, date) else value for name, value in said.items()}


def segment(name: object) -> str:
    """A name as one segment of a path; a dot alone would be taken for a step in it."""
    text = str(name)
    return text.replace(".", "%2E") if text in {".", ".."} else quote(text, safe="")


def conversation(steps: Steps[T], *, url: str, retries: int) -> Script[T]:
    """Every step of a call, each request repeated as long as that can help.

    Args:
        steps: The call.
        url: Of the server, for errors.
        retries: How often a request is tried again.

    Yields:
        A request to send (send back its `Reply`), or a pause to make (send back None).

    Returns:
        What the call gives.

    Raises:
        KeptError: The error that the last answer stands for.
    """
    script = iter(steps)
    resume: Callable[[], Request[Any] | Pause] = functools.partial(next, script)
    while True:
        try:
            step = resume()
        except StopIteration as end:
            return cast("T", end.value)
        if isinstance(step, Pause):
            yield step
            resume = functools.partial(script.send, None)
            continue
        try:
            answer = yield from _exchange(step, url, retries)
        except errors.KeptError as error:
            resume = functools.partial(script.throw, error)
        else:
            resume = functools.partial(script.send, answer)


def _exchange(request: Request[Any], url: str, retries: int) -> Generator[Request[Any] | Pause, Any, Any]:
    for pause in _pauses(retries):
        reply: Reply = yield request
        wait = _wait(request, reply, pause)
        if wait is None:
            return _read(request, reply, url)
        yield Pause(wait)
    return _read(request, (yield request), url)


def _pauses(retries: int) -> Iterator[float]:
    """Growing, and spread, so that many clients do not come back at once."""
    for attempt in range(retries):
        longest = FIRST_PAUSE_S * 2**attempt
        yield random.uniform(longest / 2, longest)  # noqa: S311 - no secret


def _wait(request: Request[Any], reply: Reply, pause: float) -> float | None:
    """Seconds to wait before the request is sent again; None when it is not."""
    if reply.fault is not None:
        return pause if reply.interrupted and request.is_repeatable else None
    if reply.status not in _COME_BACK:
        return None
    asked = _retry_after_s(reply)
    if asked is None:
        return pause
    return asked if asked <= LONGEST_PAUSE_S else None


def _retry_after_s(reply: Reply) -> int | None:
    """What `Retry-After` asks for; its other form, a date, is not used by servers of memories."""
    text = reply.headers.get("retry-after", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else None


# --- reading an answer ---


def _read(request: Request[Any], reply: Reply, url: str) -> Any:
    if reply.fault is not None:
        raise UnreachableError(
            f"{url} gave no answer to {request.method} {request.path.partition('?')[0]}: {_said(reply.fault)}. "
            "Is the address right, and the server running (`kept serve`)?"
        ) from reply.fault
    try:
        answer = json.loads(reply.content)
    except ValueError:
        answer = None
    if 200 <= reply.status < 300 and answer is not None:  # noqa: PLR2004 - success
        return answer
    raise _error(request, reply, answer, url)


def _error(request: Request[Any], reply: Reply, answer: Any, url: str) -> errors.KeptError:
    code = answer.get("code") if isinstance(answer, Mapping) else None
    message = _message(answer) or f"{url} answered {request.method} {request.path} with status {reply.status}."
    error: errors.KeptError
    if answer is None:
        error = ServerError(
            f"{url} answered {reply.status} with something that is no JSON; is a server of memories there?"
        )
    elif request.own and reply.status in {404, 405} and code is None:
        error = ServerError(f"{url} has no {request.method} {request.path}; only Kept's own server has.")
    else:
        kind = _BY_CODE.get(str(code)) or _BY_STATUS.get(reply.status, ServerError)
        error = kind(message)
    if isinstance(error, errors.RateLimitError):
        error.retry_after_s = _retry_after_s(reply) or error.retry_after_s
        error.limits = {name: value for name, value in reply.headers.items() if name.lower() in _LIMIT_HEADERS}
    error.add_note(_where(request, reply, answer, url))
    return error


def _message(answer: Any) -> str | None:
    """The words of an error, in each of the shapes that Mem0's platform has."""
    if isinstance(answer, str):
        return answer[:_ERROR_TEXT_CHARS] or None
    if isinstance(answer, list):
        return "; ".join(filter(None, map(_message, answer))) or None
    if not isinstance(answer, Mapping):
        return None
    for name in ("detail", "details", "message", "error"):
        if found := _message(answer.get(name)):
            return found
    fields = answer.get("errors", answer)
    if not isinstance(fields, Mapping):
        return None
    said = ((name, _message(value)) for name, value in fields.items())
    return "; ".join(f"{name}: {words}" for name, words in said if words) or None


def _where(request: Request[Any], reply: Reply, answer: Any, url: str) -> str:
    request_id = answer.get("request_id") if isinstance(answer, Mapping) else None
    place = f"{request.method} {url}{request.path} answered {reply.status}"
    return f"{place} (request {request_id})" if request_id else place


def _said(fault: Exception) -> str:
    return str(fault).strip().rstrip(".") or type(fault).__name__
