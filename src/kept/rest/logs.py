"""Logs: one JSON object a line on standard error, with request ids, never with a memory's text or a key."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final

_encode: Final = json.JSONEncoder(default=str).encode


class JsonLines(logging.Formatter):
    """A record as one line of JSON; of an exception, its class and where it was raised."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "kept", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line |= _raised(record.exc_info[1])
        return _encode(line)


def configure_logs(*, debug: bool = False) -> None:
    """Log to standard error: requests from the server's own loggers, and warnings of all others."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("kept").setLevel(logging.DEBUG if debug else logging.INFO)
    _leave_out_unused()


def _leave_out_unused() -> None:
    """Have records made without what no line says: place in the code, thread and process (the logging HOWTO, "Optimization")."""
    logging._srcfile = None  # noqa: SLF001 - as the HOWTO says
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def _raised(error: BaseException) -> dict[str, Any]:
    """Class and place of an exception. Its message may hold what a caller sent, so it is left out."""
    places = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return {"error": type(error).__name__, "at": places[-8:]}
