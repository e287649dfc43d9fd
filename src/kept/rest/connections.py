"""One client's connection: so much time and room for a request, and no more; so many connections at a time.

Past what uvicorn does, which waits for ever for the end of a request and keeps whatever a header is made of.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, ClassVar, Final, Self, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from kept.rest.answers import shape_of
from kept.rest.frontier import MAX_HEAD_BYTES

logger = logging.getLogger("kept.rest")

_SLOW: Final = "The request took longer to arrive than is waited for."


class Connection(HttpToolsProtocol):
    """A connection that is ended when its client is too slow, sends no end of headers, or is one too many.

    Attributes:
        head_s: For the address and headers of a request, from the first byte on; and for the first byte of a new connection.
        body_s: For its body; the longest one at the speed of a slow line.
        reading_s: For the client to take what it was sent.
        most: Connections at a time; half of the 1,024 files that a process may have open on most systems.
    """

    head_s: ClassVar[float] = 10.0
    body_s: ClassVar[float] = 60.0
    reading_s: ClassVar[float] = 60.0
    most: ClassVar[int] = 512

    _head_bytes = 0
    _asked = False
    _in_head = False
    _deadline = math.inf
    _looks_at = math.inf
    _look: asyncio.TimerHandle | None = None
    _until_read: asyncio.TimerHandle | None = None

    @classmethod
    def saying(cls, headers: Callable[[], list[tuple[bytes, bytes]]]) -> type[Self]:
        """Such connections whose own answers, which the app never sees, have these headers too."""
        return type(cls.__name__, (cls,), {"_headers": staticmethod(headers)})

    @staticmethod
    def _headers() -> list[tuple[bytes, bytes]]:
        return []

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, unless there are too many."""
        super().connection_made(cast("asyncio.Transport", _Together(transport, self.loop)))
        if len(self.connections) > self.most:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections at a time; try again.", "too-busy")
        else:
            self._wait(self.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """End, without anything left to wait for."""
        if self._look is not None:
            self._look.cancel()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what arrived, unless it goes on with a head that is too long. A head that has ended is the frontier's matter."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            message = f"Address and headers are longer than the {MAX_HEAD_BYTES:,} bytes that are taken."
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, message, "too-large")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._asked, self._in_head, self._head_bytes = True, True, 0
        self._wait(self.head_s)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its body begins."""
        self._in_head = False
        self._wait(self.body_s)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """It has arrived."""
        self._wait(None)
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The client does not read what it was sent."""
        self._until_read = self.loop.call_later(self.reading_s, self.transport.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        """It does again."""
        if self._until_read is not None:
            self._until_read.cancel()
            self._until_read = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, in the shape of every other error."""
        self._refuse(HTTPStatus.BAD_REQUEST, msg, "invalid-input")

    def _wait(self, seconds: float | None) -> None:
        """Give the client so long from now on; None: it has done what is waited for.

        A timer that runs already is left to run, and looks then: nearly every request is there at once, and needs none.
        """
        self._deadline = math.inf if seconds is None else self.loop.time() + seconds
        if self._deadline < self._looks_at:
            self._look_at(self._deadline)

    def _look_at(self, moment: float) -> None:
        if self._look is not None:
            self._look.cancel()
        self._looks_at, self._look = moment, self.loop.call_at(moment, self._look_now)

    def _look_now(self) -> None:
        self._looks_at, self._look = math.inf, None
        if self._deadline <= self.loop.time():
            self._give_up()
        elif self._deadline < math.inf:
            self._look_at(self._deadline)

    def _give_up(self) -> None:
        if not self._asked:
            self.transport.close()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, _SLOW, "timed-out")

    def _refuse(self, status: HTTPStatus, message: str, code: str) -> None:
        """Answer and hang up; where another request is still being answered, that answer is the last."""
        if self.transport.is_closing():
            return
        self._wait(None)
        logger.info("connection refused", extra={"kept": {"status": int(status), "code": code}})
        cycle = self.cycle
        answering = cycle is not None and not cycle.response_complete
        if answering and not cycle.more_body:
            cycle.keep_alive = False
            return
        if not (answering and cycle.response_started):
            self.transport.write(_answer(status, message, code, self._headers()))
        if answering:  # the app learns that nobody is there, and says no more
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()


class _Together:
    """A transport that sends the head of an answer with what follows it; by itself, if nothing follows at once.

    uvicorn writes both by themselves, and each write is a call of the system, a packet, and a client that wakes up: for a search
    a thirtieth of the server's time (`benchmarks/serve.py`, sampled).
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def __getattr__(self, name: str) -> Any:
        """All else as the transport does it."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send what was held and this, or hold this until the loop's next turn."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.writelines((held, data))
        elif data:
            self._held = data
            self._loop.call_soon(self._send)

    def close(self) -> None:
        """Send what was held, and close."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        held, self._held = self._held, b""
        if held and not self._transport.is_closing():
            self._transport.write(held)


def _answer(status: HTTPStatus, message: str, code: str, headers: list[tuple[bytes, bytes]]) -> bytes:
    request_id = uuid.uuid4().hex
    body = json.dumps(shape_of(message, code, request_id)).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        f"x-request-id: {request_id}\r\nconnection: close\r\n"
    ).encode("ascii")
    return head + b"".join(b"%b: %b\r\n" % header for header in headers) + b"\r\n" + body
