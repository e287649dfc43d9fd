"""A route for what is asked most: it takes who asks and a body, and leaves out what the framework can do besides.

Described like every other route, by the function's own signature. Solving dependencies in general costs a tenth of a search.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any, get_type_hints

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from kept.rest.answers import UNREADABLE, is_json
from kept.rest.asking import access_of


class DirectRoute(APIRoute):
    """A route whose function takes `request`, `access` and `body`, and answers a response."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Reads the body, recognises the key, calls the function."""
        endpoint: Callable[..., Coroutine[Any, Any, Response]] = self.endpoint
        model: type[BaseModel] = get_type_hints(self.endpoint)["body"]

        async def handle(request: Request) -> Response:
            written = await request.body()
            access = await access_of(request)
            if not is_json(request.headers.get("content-type", "")):
                raise RequestValidationError([{"type": "dict_type", "loc": ("body",), "msg": "Input should be JSON"}])
            return await endpoint(request, access, _read(model, written))

        return handle


def _read(model: type[BaseModel], written: bytes) -> BaseModel:
    """The body as its model.

    Raises:
        RequestValidationError: It is none; as the framework says it.
        HTTPException: It is no text.
    """
    try:
        return model.model_validate(json.loads(written))
    except json.JSONDecodeError as error:
        fault = {
            "type": "json_invalid",
            "loc": ("body", error.pos),
            "msg": "JSON decode error",
            "ctx": {"error": error.msg},
        }
        raise RequestValidationError([fault]) from error
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(faults) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise HTTPException(400, UNREADABLE) from error
