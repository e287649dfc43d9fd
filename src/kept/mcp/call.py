"""One request as a tool sees it: what its client can do, how to tell it of progress, how to ask its user."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from kept.errors import ConflictError, KeptError

CONFIRM: Final = "confirm"
"""Names the question in the newer era, and the one field of its form in both."""
_FORM: Final = {
    "type": "object",
    "properties": {CONFIRM: {"type": "boolean", "title": "Yes, delete", "description": "Whether to go on."}},
    "required": [CONFIRM],
}

Report = Callable[[float, float | None, str | None], None]
Ask = Callable[[str, Mapping[str, Any], threading.Event], Mapping[str, Any]]
"""Sends a request to the client and waits for its answer, or until the event is set."""


class CancelledError(KeptError):
    """The client does not wait for this any more."""

    code = "cancelled"


class InputRequiredError(Exception):
    """Not an error: the client must ask its user, and call again with the answer (the newer era's way).

    Attributes:
        requests: What to ask.
        state: What the second call must bring back.
    """

    def __init__(self, requests: Mapping[str, Any], state: str) -> None:
        super().__init__("The client must ask its user.")
        self.requests = requests
        self.state = state


class Call:
    """One request.

    Args:
        capabilities: The client's.
        params: As sent.
        modern: Whether it is of the newer era, in which a server cannot ask by itself.
        ask: Sends the client a request and waits for its answer (the older era's way); None where that cannot be done.
        report: Tells the client of progress.
    """

    def __init__(
        self,
        *,
        capabilities: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        modern: bool = False,
        ask: Ask | None = None,
        report: Report | None = None,
    ) -> None:
        self._capabilities = capabilities or {}
        self._params = params or {}
        self.is_modern = modern
        self._ask = ask
        self._report = report
        self._ended = threading.Event()

    def cancel(self) -> None:
        """The client does not wait any more."""
        self._ended.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether the client stopped waiting."""
        return self._ended.is_set()

    def wait(self, seconds: float) -> None:
        """Let time pass, unless the client stops waiting.

        Raises:
            CancelledError: It did.
        """
        if self._ended.wait(seconds):
            raise CancelledError

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """Say how far the work is, to a client that wants to know."""
        if self._report is not None and not self.is_cancelled:
            self._report(done, total, message)

    def confirm(self, question: str) -> None:
        """Have the client's user agree, where the client can ask.

        Raises:
            InputRequiredError: The client has to ask first.
            ConflictError: The user does not agree.
        """
        if not self._can_ask:
            return
        form = {"mode": "form", "message": question, "requestedSchema": _FORM}
        if self.is_modern:
            answer = self._answered(form)
        else:
            answer = self._ask("elicitation/create", form, self._ended) if self._ask is not None else {}
        content = answer.get("content")
        agreed = content.get(CONFIRM, True) if isinstance(content, Mapping) else True
        if answer.get("action") != "accept" or agreed is not True:
            raise ConflictError("The user did not agree, so nothing was deleted.")

    @property
    def _can_ask(self) -> bool:
        offered = self._capabilities.get("elicitation")
        if not isinstance(offered, Mapping) or (offered and "form" not in offered):
            return False
        return self.is_modern or self._ask is not None

    def _answered(self, form: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer that the second call brings; the first one is told what to ask."""
        state = _digest(self._params)
        given = self._params.get("inputResponses")
        answer = given.get(CONFIRM) if isinstance(given, Mapping) else None
        if not isinstance(answer, Mapping) or self._params.get("requestState") != state:
            raise InputRequiredError({CONFIRM: {"method": "elicitation/create", "params": form}}, state)
        return answer


def _digest(params: Mapping[str, Any]) -> str:
    """Ties an answer to what was asked about: it holds for this tool with these arguments."""
    import hashlib

    asked = json.dumps([params.get("name"), params.get("arguments")], sort_keys=True)
    return hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()
