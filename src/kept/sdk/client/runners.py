"""The two ways to run a call: in the calling thread, and on an event loop.

All that differs between `MemoryClient` and `AsyncMemoryClient` is here. A call is written once, as data, and declared with
`@Call`; this descriptor gives it to either class as an ordinary method or as a coroutine, at run time and to type checkers (its
`__get__` is overloaded by the runner). So there is no second copy of a signature, and none to generate and keep in step.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

from kept.sdk.client.exchange import Pause, Reply, Request, Steps, conversation, encoded, queried

if TYPE_CHECKING:
    import httpx2

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R", bound="Blocking | Awaiting")


@dataclass(frozen=True, slots=True)
class Place:
    """Where requests go, and with what.

    Attributes:
        url: Of the server, without a slash at the end.
        headers: Sent with every request.
        retries: How often a request is tried again.
    """

    url: str
    headers: Mapping[str, str]
    retries: int

    def arguments(self, request: Request[Any]) -> dict[str, Any]:
        """A request in the words of the HTTP library."""
        headers = dict(self.headers)
        if request.idempotency_key:
            headers["Idempotency-Key"] = request.idempotency_key
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        return {
            "method": request.method,
            "url": self.url + request.path,
            "headers": headers,
            "params": queried(request.query) or None,
            "content": None if request.body is None else encoded(request.body),
        }


class Blocking:
    """Runs calls in the calling thread. Safe to share between threads."""

    def __init__(self, place: Place, http: httpx2.Client) -> None:
        self.place = place
        self._http = http

    def run(self, steps: Steps[T]) -> T:
        """Run a call to its end."""
        talk = conversation(steps, url=self.place.url, retries=self.place.retries)
        reply: Reply | None = None
        try:
            while True:
                step = talk.send(reply)
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                    reply = None
                else:
                    reply = self._send(step)
        except StopIteration as end:
            return cast("T", end.value)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @staticmethod
    def method(steps: Callable[..., Steps[T]]) -> Callable[..., T]:
        """The method that runs a call."""

        @functools.wraps(steps)
        def call(self: Speaker[Blocking], *args: Any, **kwargs: Any) -> T:
            return self.runner.run(steps(self, *args, **kwargs))

        return call

    def _send(self, request: Request[Any]) -> Reply:
        import httpx2

        try:
            return _reply(self._http.request(**self.place.arguments(request)))
        except httpx2.TransportError as error:
            return _fault(error)


class Awaiting:
    """Runs calls on an event loop."""

    def __init__(self, place: Place, http: httpx2.AsyncClient) -> None:
        self.place = place
        self._http = http

    async def run(self, steps: Steps[T]) -> T:
        """Run a call to its end."""
        import anyio

        talk = conversation(steps, url=self.place.url, retries=self.place.retries)
        reply: Reply | None = None
        try:
            while True:
                step = talk.send(reply)
                reply = await (anyio.sleep(step.seconds) if isinstance(step, Pause) else self._send(step))
        except StopIteration as end:
            return cast("T", end.value)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    @staticmethod
    def method(steps: Callable[..., Steps[T]]) -> Callable[..., Coroutine[Any, Any, T]]:
        """The coroutine that runs a call."""

        @functools.wraps(steps)
        async def call(self: Speaker[Awaiting], *args: Any, **kwargs: Any) -> T:
            return await self.runner.run(steps(self, *args, **kwargs))

        return call

    async def _send(self, request: Request[Any]) -> Reply:
        import httpx2

        try:
            return _reply(await self._http.request(**self.place.arguments(request)))
        except httpx2.TransportError as error:
            return _fault(error)


class Speaker(Generic[R]):
    """What has calls: a client, or a part of one.

    Args:
        runner: Runs them.
    """

    runs_by: ClassVar[type[Blocking | Awaiting]] = Blocking
    """How its methods are shown on the class; an instance's follow its runner."""

    def __init__(self, runner: R) -> None:
        self.runner = runner


class Call(Generic[P, T]):
    """A call as a method: plain or a coroutine, as its owner's runner wants it.

    Args:
        steps: Gives the call's steps from the method's arguments.
    """

    def __init__(self, steps: Callable[Concatenate[Any, P], Steps[T]]) -> None:
        self._methods: dict[type, Any] = {kind: kind.method(steps) for kind in (Blocking, Awaiting)}
        self.__doc__ = steps.__doc__

    @overload
    def __get__(self, instance: Speaker[Blocking], owner: type | None = None) -> Callable[P, T]: ...
    @overload
    def __get__(
        self, instance: Speaker[Awaiting], owner: type | None = None
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, instance: None, owner: type) -> Callable[..., Any]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        kind = owner.runs_by if instance is None else type(instance.runner)
        return self._methods[kind].__get__(instance, owner)


def _reply(response: httpx2.Response) -> Reply:
    return Reply(response.status_code, response.headers, response.content)


def _fault(error: httpx2.TransportError) -> Reply:
    import httpx2

    return Reply(fault=error, interrupted=not isinstance(error, httpx2.TimeoutException))
