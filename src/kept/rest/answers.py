"""Answers: JSON that is never empty and always valid, and one shape for every error."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response

from kept import errors
from kept.rest.asking import principal_of

logger = logging.getLogger("kept.rest")

STATUS: Final[Mapping[type[errors.KeptError], int]] = {
    errors.InvalidInputError: 400,
    errors.NotFoundError: 404,
    errors.ConflictError: 409,
    errors.AuthenticationError: 401,
    errors.ForbiddenError: 403,
    errors.RateLimitError: 429,
    errors.ConfigurationError: 400,
    errors.StoreBusyError: 503,
    errors.StoreFullError: 507,
    errors.StoreError: 503,
}
"""The nearest class in an error's ancestry decides."""
BUSY_RETRY_S: Final = 1
"""After how long to come back when the store was held by others."""
_CODES: Final = {
    400: "invalid-input",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    408: "timed-out",
    415: "invalid-input",
    431: "too-large",
}
_SHOWN_FAULTS: Final = 5
UNREADABLE: Final = "There was an error parsing the body"
"""What the framework says of a body that is no text."""
_JSON: Final = re.compile(r"\s*application/([\w.+-]+\+)?json\b", re.IGNORECASE)


class Json(Response):
    """A JSON answer in UTF-8; what is no valid text (half a surrogate pair) is replaced."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The content as bytes. What the quick writer refuses (such text, or deep nesting) the patient one takes."""
        try:
            return to_json(content)
        except ValueError:
            return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def failure(request: Request, status: int, message: str, code: str, headers: Mapping[str, str] | None = None) -> Json:
    """An error's answer."""
    return Json(shape_of(message, code, request.scope.get("kept.request_id")), status_code=status, headers=headers)


def shape_of(message: str, code: str, request_id: str | None) -> dict[str, str | None]:
    """The one shape of an error: its message under each name that clients look for."""
    return {"error": message, "detail": message, "message": message, "code": code, "request_id": request_id}


def answer_errors(app: FastAPI) -> None:
    """Answer every error of the app in the one shape."""
    app.add_exception_handler(errors.KeptError, _kept_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(Exception, _unexpected)


async def _kept_error(request: Request, error: Exception) -> Json:
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS or kind is errors.KeptError)
    headers = {}
    if isinstance(error, errors.RateLimitError):
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, errors.StoreBusyError):
        headers["Retry-After"] = str(BUSY_RETRY_S)
    if isinstance(error, errors.AuthenticationError):
        headers["WWW-Authenticate"] = "Bearer"
    return failure(request, status, str(error), getattr(error, "code", "kept-error"), headers)


def is_json(content_type: str) -> bool:
    """Whether a body said to be of this type is taken for JSON; one of no type is."""
    return not content_type or _JSON.match(content_type) is not None


async def _refusal(request: Request) -> Json | None:
    """The answer to who may not ask, of a request whose body could not be read before the key was looked at and counted."""
    if "kept.principal" not in request.scope:
        try:
            principal_of(request)
        except errors.KeptError as error:
            return await _kept_error(request, error)
    return None


async def _invalid_request(request: Request, error: Exception) -> Json:
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    if any(fault["loc"][0] == "body" for fault in faults) and (refusal := await _refusal(request)):
        return refusal
    given = request.headers.get("content-type", "")
    if not is_json(given) and any(fault["loc"] == ("body",) for fault in faults):
        message = f"The body is {given[:80]!r}; send JSON, as application/json."
        return failure(request, 415, message, _CODES[415])
    return failure(request, 400, " ".join(map(_fault, faults[:_SHOWN_FAULTS])), "invalid-input")


def _fault(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "json_invalid":
        return f"The body is not valid JSON: {fault.get('ctx', {}).get('error', 'it cannot be read')}."
    kind, *where = fault["loc"]
    place = ".".join(str(part) for part in where[:4])[:120]
    name = f"{place} ({kind})" if place else f"The {kind}"
    return f"{name}: {fault['msg']}."


async def http_error(request: Request, error: Exception) -> Json:
    """The answer to what the frame or the frontier refuses."""
    status = getattr(error, "status_code", 500)
    detail = str(getattr(error, "detail", "")) or "The request failed."
    if status == 404 and detail == "Not Found":  # noqa: PLR2004
        detail = f"There is no route {request.method} {request.url.path[:200]}; GET /docs lists them."
    if status == 405:  # noqa: PLR2004
        detail = f"{request.method} is not allowed on {request.url.path[:200]}."
    if detail == UNREADABLE:
        if refusal := await _refusal(request):
            return refusal
        detail = "The body is not valid JSON in UTF-8, or nested too deeply."
    return failure(request, status, detail, _CODES.get(status, "http-error"), getattr(error, "headers", None))


async def _unexpected(request: Request, error: Exception) -> Json:
    """What nobody foresaw: a name for the log, and no detail to the caller."""
    logger.error(
        "unexpected error",
        extra={"kept": {"request_id": request.scope.get("kept.request_id"), "error": type(error).__name__}},
        exc_info=error,
    )
    return failure(
        request, 500, "Something went wrong inside; the server's log has it under this request_id.", "internal"
    )
