"""The server over standard input and output: a loop of one reader and some workers, which ends when its client does.

Lines of JSON-RPC in, lines of JSON-RPC out, in whichever era each request is of. What needs no store is answered by the reader at
once; everything else by a worker, so that a slow call holds up no other.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import NoneType
from typing import Any, BinaryIO, Final, NoReturn

from kept.mcp import server as protocol
from kept.mcp.backend import Json
from kept.mcp.call import Call, CancelledError, InputRequiredError
from kept.mcp.guide import INSTRUCTIONS
from kept.mcp.server import ProtocolError, Server

MAX_LINE: Final = 64 * 1024 * 1024
"""Bytes of one message: several times the longest text that can be stored."""
WORKERS: Final = 16
"""Calls at the same time; most wait for the store or for another server."""
DRAIN_S: Final = 3.0
"""How long calls may still go on when the client has left: longer than any write takes."""
ASK_LOOK_S: Final = 0.25
ASK_LOOKS: Final = 1_200
"""Five minutes: how long a user may think about a question."""
PARENT_LOOK_S: Final = 1.0
WARM_AFTER_S: Final = 0.25
"""Without a `tools/list`, when to begin to warm the engine: clients begin within milliseconds, and their first answers go first."""
_LATEST: Final = protocol.HANDSHAKES[-1]

Id = str | int


class Connection:
    """One client at the other end of two pipes.

    Args:
        server: Answers its methods.
        write: Sends bytes; raises `OSError` when nobody reads them.
        on_listed: Called once the client has its list of tools.
        on_lost: Called when nobody reads what a worker has to say.
    """

    def __init__(
        self,
        server: Server,
        write: Callable[[bytes], None],
        *,
        on_listed: Callable[[], None] = lambda: None,
        on_lost: Callable[[], object] = lambda: None,
    ) -> None:
        self._server = server
        self._write = write
        self._on_listed = on_listed
        self._on_lost = on_lost
        self._mutex = threading.Lock()
        self._writing = threading.Lock()
        self._jobs: SimpleQueue[tuple[Id, str, Mapping[str, Any], Call]] = SimpleQueue()
        self._calls: dict[Id, Call] = {}
        self._questions: dict[str, SimpleQueue[Mapping[str, Any]]] = {}
        self._capabilities: Mapping[str, Any] = {}
        self._asked = 0
        self._workers = 0
        self._quiet = threading.Condition(self._mutex)

    def serve(self, lines: Iterable[bytes | None]) -> None:
        """Answer messages until there are no more; None stands for one that was too long."""
        for line in lines:
            if line is None:
                self._refuse(
                    None, ProtocolError(protocol.INVALID_REQUEST, f"A message is longer than {MAX_LINE:,} bytes.")
                )
            elif line.strip():
                self._receive(line)

    def drain(self, seconds: float) -> None:
        """Nothing more will come: give what is going on some time, then tell it that nobody waits."""
        with self._mutex:
            for question in self._questions.values():
                question.put({})
            self._quiet.wait_for(lambda: not self._calls, seconds)
            for call in self._calls.values():
                call.cancel()

    # --- what comes in ---

    def _receive(self, line: bytes) -> None:
        try:
            message = _message(line)
        except ProtocolError as error:
            self._refuse(None, error)
            return
        params = message.get("params")
        if "method" not in message:
            self._answered(message)
        elif "id" not in message:
            self._notice(message["method"], params if isinstance(params, dict) else {})
        elif isinstance(params, (dict, NoneType)):
            self._request(message["id"], message["method"], params or {})
        else:
            self._refuse(message["id"], ProtocolError(protocol.INVALID_PARAMS, "params must be an object."))

    def _notice(self, method: str, params: Mapping[str, Any]) -> None:
        identity = params.get("requestId")
        if method != "notifications/cancelled" or not isinstance(identity, (str, int)):
            return
        with self._mutex:
            call = self._calls.get(identity)
        if call is not None:
            call.cancel()

    def _answered(self, message: Mapping[str, Any]) -> None:
        result = message.get("result")
        with self._mutex:
            question = self._questions.get(str(message.get("id")))
        if question is not None:
            question.put(result if isinstance(result, dict) else {})

    def _request(self, identity: Id, method: str, params: Mapping[str, Any]) -> None:
        try:
            modern = self._is_modern(method, params)
            call = self._call(params, modern=modern)
            begun = self._beginning(method, params, modern=modern)
            if begun is None and method in self._server.methods and method not in protocol.QUICK:
                self._hand_over(identity, method, params, call)
                return
            answer = begun if begun is not None else self._server.handle(method, params, call)
        except ProtocolError as error:
            self._refuse(identity, error)
            return
        self._send_result(identity, answer, modern=modern)
        if method == "tools/list":
            self._on_listed()

    def _is_modern(self, method: str, params: Mapping[str, Any]) -> bool:
        """Whether a request carries the newer era's envelope.

        Raises:
            ProtocolError: It does, of a version that is not spoken; or it must, and does not.
        """
        meta = params.get("_meta")
        meta = meta if isinstance(meta, dict) else {}
        if protocol.VERSION_KEY not in meta and method != "server/discover":
            return False
        missing = [key for key in (protocol.VERSION_KEY, protocol.CAPABILITIES_KEY) if key not in meta]
        if missing:
            raise ProtocolError(protocol.INVALID_PARAMS, f"params._meta lacks {', '.join(missing)}.")
        version = meta[protocol.VERSION_KEY]
        if not isinstance(version, str):
            raise ProtocolError(protocol.INVALID_PARAMS, f"{protocol.VERSION_KEY} must be a text.")
        if version not in protocol.MODERN:
            spoken = {"supported": list(protocol.MODERN), "requested": version}
            raise ProtocolError(protocol.UNSUPPORTED_VERSION, "Unsupported protocol version", spoken)
        return True

    def _beginning(self, method: str, params: Mapping[str, Any], *, modern: bool) -> Json | None:
        """The answer to what begins a connection; None for everything else."""
        if modern:
            if method != "server/discover":
                return None
            return {
                "supportedVersions": list(protocol.MODERN),
                "capabilities": protocol.CAPABILITIES,
                "instructions": INSTRUCTIONS,
                "ttlMs": protocol.LISTS_TTL_MS,
                "cacheScope": "private",
            }
        if method == "ping":
            return {}
        if method != "initialize":
            return None
        wanted, capabilities = params.get("protocolVersion"), params.get("capabilities")
        if not isinstance(wanted, str):
            raise ProtocolError(protocol.INVALID_PARAMS, "protocolVersion must be a text.")
        self._capabilities = capabilities if isinstance(capabilities, dict) else {}
        return {
            "protocolVersion": wanted if wanted in protocol.HANDSHAKES else _LATEST,
            "capabilities": protocol.CAPABILITIES,
            "serverInfo": protocol.INFO,
            "instructions": INSTRUCTIONS,
        }

    # --- what is done ---

    def _call(self, params: Mapping[str, Any], *, modern: bool) -> Call:
        meta = params.get("_meta")
        meta = meta if isinstance(meta, dict) else {}
        token = meta.get("progressToken")

        def report(done: float, total: float | None, message: str | None) -> None:
            told = {"progressToken": token, "progress": done, "total": total, "message": message}
            self._notify("notifications/progress", {name: value for name, value in told.items() if value is not None})

        capabilities = meta.get(protocol.CAPABILITIES_KEY) if modern else self._capabilities
        return Call(
            capabilities=capabilities if isinstance(capabilities, dict) else {},
            params=params,
            modern=modern,
            ask=None if modern else self._ask,
            report=report if isinstance(token, (str, int)) else None,
        )

    def _hand_over(self, identity: Id, method: str, params: Mapping[str, Any], call: Call) -> None:
        with self._mutex:
            if identity in self._calls:
                raise ProtocolError(protocol.INVALID_REQUEST, "A request with this id is still going on.")
            self._calls[identity] = call
            wanted = self._workers < min(WORKERS, len(self._calls))
            self._workers += wanted
        if wanted:
            _beside(self._work)
        self._jobs.put((identity, method, params, call))

    def _work(self) -> None:
        while True:
            identity, method, params, call = self._jobs.get()
            try:
                self._do(identity, method, params, call)
            except OSError:
                self._on_lost()
            finally:
                with self._mutex:
                    self._calls.pop(identity, None)
                    self._quiet.notify_all()

    def _do(self, identity: Id, method: str, params: Mapping[str, Any], call: Call) -> None:
        try:
            if call.is_cancelled:
                return
            result = self._server.handle(method, params, call)
        except CancelledError:
            return
        except InputRequiredError as error:
            result = protocol.input_required(error)
        except ProtocolError as error:
            self._refuse(identity, error)
            return
        if not call.is_cancelled:
            self._send_result(identity, result, modern=call.is_modern)

    def _ask(self, method: str, params: Mapping[str, Any], ended: threading.Event) -> Mapping[str, Any]:
        """Send the client a request; its answer, or none when it gives none in time."""
        answer: SimpleQueue[Mapping[str, Any]] = SimpleQueue()
        with self._mutex:
            self._asked += 1
            identity = f"kept-{self._asked}"
            self._questions[identity] = answer
        self._send({"id": identity, "method": method, "params": params})
        try:
            for _ in range(ASK_LOOKS):
                with suppress(Empty):
                    return answer.get(timeout=ASK_LOOK_S)
                if ended.is_set():
                    raise CancelledError
            return {}
        finally:
            with self._mutex:
                del self._questions[identity]

    # --- what goes out ---

    def _send_result(self, identity: Id, result: Json, *, modern: bool) -> None:
        self._send({"id": identity, "result": protocol.enveloped(result) if modern else protocol.plain(result)})

    def _refuse(self, identity: Id | None, error: ProtocolError) -> None:
        self._send({"id": identity, "error": error.shape()})

    def _notify(self, method: str, params: Mapping[str, Any]) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: Mapping[str, Any]) -> None:
        line = json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False, separators=(",", ":"))
        data = line.encode("utf-8", "replace") + b"\n"
        with self._writing:
            self._write(data)


def _message(line: bytes) -> dict[str, Any]:
    """A message as JSON-RPC has it.

    Raises:
        ProtocolError: It is none.
    """
    try:
        message = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise ProtocolError(protocol.PARSE_ERROR, "Parse error: this is no JSON in UTF-8.") from None
    if not isinstance(message, dict):
        raise ProtocolError(protocol.INVALID_REQUEST, "A message must be one JSON object; batches are not taken.")
    identity = message.get("id", "")
    if message.get("jsonrpc") != "2.0" or not isinstance(identity, (str, int)) or isinstance(identity, bool):
        raise ProtocolError(
            protocol.INVALID_REQUEST, "A message needs jsonrpc 2.0, and an id that is a text or number."
        )
    is_answer = "method" not in message and ("result" in message or "error" in message)
    if not is_answer and not isinstance(message.get("method"), str):
        raise ProtocolError(protocol.INVALID_REQUEST, "A request needs a method.")
    return message


def lines_of(stream: BinaryIO) -> Iterable[bytes | None]:
    """The lines of a stream, None for one over the limit."""
    while line := stream.readline(MAX_LINE):
        if line.endswith(b"\n") or len(line) < MAX_LINE:
            yield line
            continue
        while (rest := stream.readline(MAX_LINE)) and not rest.endswith(b"\n"):
            pass
        yield None


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


# --- the process ---


def run(server: Server, *, warm: Callable[[], None], close: Callable[[], None]) -> None:
    """Serve this process's client and end the process when it ends.

    Args:
        server: Answers the client.
        warm: Loads what the first call will need; runs beside, once the client has its tools.
        close: Gives back what calls have opened.
    """
    reader, writer = _claim_pipes()
    listed = threading.Event()
    connection = Connection(
        server,
        lambda data: _write_all(writer, data),
        on_listed=listed.set,
        on_lost=lambda: _beside(_insist),
    )
    _end_with_client()

    def warm_later() -> None:
        listed.wait(WARM_AFTER_S)
        warm()

    _beside(warm_later)
    code = 1
    try:
        connection.serve(lines_of(os.fdopen(reader, "rb")))
        code = 0
    except (KeyboardInterrupt, OSError):
        code = 0  # the client asked us to end, or went away in the middle of an answer
    finally:
        if code:
            sys.excepthook(*sys.exc_info())
        for name in _ENDINGS:
            signal.signal(name, signal.SIG_IGN)
        connection.drain(DRAIN_S)
        closing = _beside(close)
        closing.join(DRAIN_S)
        sys.stderr.flush()
        os._exit(code)  # no thread that hangs keeps the process; what was acknowledged is on disk


INSIST_S: Final = 0.05
"""Between two such signals: nobody notices the wait, and an end takes longer."""
_ENDINGS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def _insist() -> NoReturn:
    """Ask this process to end until it does: a signal that comes just before the main thread begins to read is not noticed."""
    while True:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(INSIST_S)


def _claim_pipes() -> tuple[int, int]:
    """The client's two pipes for ourselves: whatever else reads finds nothing, whatever else prints goes to standard error."""
    reader, writer = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    with suppress(OSError):
        os.dup2(2, 1)
    return reader, writer


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _end_with_client() -> None:
    """End on the usual signals, and when the client is gone although something else holds its end of the pipe."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    for name in _ENDINGS:
        signal.signal(name, end)
    if hasattr(signal, "SIGHUP"):  # elsewhere a process keeps its parent's number for ever
        _beside(_watch, os.getppid())


def _watch(parent: int) -> None:
    pause = threading.Event()
    while os.getppid() == parent:
        pause.wait(PARENT_LOOK_S)
    os.kill(os.getpid(), signal.SIGTERM)


def _beside(work: Callable[..., object], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments, daemon=True)
    thread.start()
    return thread
