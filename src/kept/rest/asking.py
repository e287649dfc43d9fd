"""What routes take from a request: who asks, names in the path, the page, the body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import unquote_to_bytes, urlencode
from uuid import UUID

from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict

from kept.domain.access import Principal
from kept.domain.filters import read_object
from kept.domain.scope import ENTITY_IDS
from kept.engine.access import ProjectAccess
from kept.engine.keys import Keys
from kept.engine.platform import Platform
from kept.engine.tenancy import Tenancy, entered
from kept.errors import ForbiddenError, InvalidInputError, NotFoundError
from kept.rest.limits import RateLimits

CONNECTOR: Final = "rest"
PAGE_SIZE: Final = 100
MAX_PAGE_SIZE: Final = 200
"""As on Mem0's platform; a larger one is brought down to it."""
MAX_PAGE: Final = 10**9
PRINCIPAL: Final = "kept.inside"
"""Where a request that another door makes in process says who asks; no request from outside can."""
_SCHEMES: Final = ("token", "bearer")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")

# --- who asks ---


def secret_of(headers: Mapping[str, str]) -> str | None:
    """The API key in a request's headers, if there is one."""
    if given := headers.get("x-api-key"):
        return given.strip()
    scheme, _, key = headers.get("authorization", "").strip().partition(" ")
    return key.strip() if scheme.lower() in _SCHEMES and key.strip() else None


def in_project(platform: Platform, principal: Principal, project: str) -> Principal:
    """The principal in another project, where it may go: an administrator anywhere, others nowhere.

    Raises:
        ForbiddenError: It may not.
        NotFoundError: There is no such project.
    """
    if project == principal.project:
        return principal
    if not principal.may("ADMIN"):
        raise ForbiddenError(f"This key ({principal.name}) belongs to another project.")
    return entered(platform, principal, project)


def principal_of(request: Request) -> Principal:
    """Who asks, by the request's key; counted against the key's limits.

    Raises:
        AuthenticationError: No key, or none that is one.
        RateLimitError: One request too many.
    """
    keys: Keys = request.app.state.keys
    limits: RateLimits = request.app.state.limits
    inside: Principal | None = request.scope.get(PRINCIPAL)
    principal = inside or limits.admit(
        request, partial(keys.recognise, connector=CONNECTOR), secret_of(request.headers)
    )
    if wanted := request.query_params.get("project_id"):
        principal = in_project(request.app.state.platform, principal, wanted)
    request.scope["kept.principal"] = principal
    return principal


async def access_of(request: Request) -> ProjectAccess:
    """The key's project, as far as the key reaches."""
    platform: Platform = request.app.state.platform
    return ProjectAccess(platform, principal_of(request), request.scope.get("kept.request_id"))


Access = Annotated[ProjectAccess, Depends(access_of)]
"""One dependency, made of plain calls: a tree of them costs as much as a search."""


def entering(access: ProjectAccess, project: str | None) -> ProjectAccess:
    """The project that a path or a body names, if it does; as of `in_project`."""
    if project is None:
        return access
    principal = in_project(access.platform, access.principal, project)
    return ProjectAccess(access.platform, principal, access.request_id)


async def tenancy_of(request: Request) -> Tenancy:
    """The tenants that the key may see and manage."""
    return Tenancy(await access_of(request), request.app.state.keys)


Tenants = Annotated[Tenancy, Depends(tenancy_of)]


# --- names in the path ---


def _decoded(value: str) -> str:
    try:
        return unquote_to_bytes(value).decode("utf-8")
    except UnicodeDecodeError as error:
        message = "it is not percent-encoded UTF-8"
        raise ValueError(message) from error


Name = Annotated[str, Path(), AfterValidator(_decoded)]
"""A percent-encoded segment of the path."""


def require_uuid(memory_id: str, what: str = "memory_id") -> str:
    """An id that could be one, in its usual spelling: with hyphens, in small letters.

    Raises:
        InvalidInputError: It is no UUID.
    """
    if not _UUID.fullmatch(memory_id):
        raise InvalidInputError(f"{what} should be a valid UUID")
    return str(UUID(memory_id))


# --- the page ---


@dataclass(frozen=True, slots=True)
class PageOf:
    """Which page of a list was asked for."""

    request: Request
    page: int
    page_size: int

    @property
    def offset(self) -> int:
        """Rows before it."""
        return (self.page - 1) * self.page_size

    def links(self, total: int) -> dict[str, str | None]:
        """Addresses of the pages before and after it."""
        return {
            "before": self._address(self.page - 1) if self.page > 1 else None,
            "after": self._address(self.page + 1) if self.offset + self.page_size < total else None,
        }

    def require_some(self, total: int) -> None:
        """Check that the page exists.

        Raises:
            NotFoundError: It lies past the end.
        """
        if self.page > 1 and self.offset >= total:
            raise NotFoundError("Invalid page.")

    def _address(self, page: int) -> str:
        query = [(name, value) for name, value in self.request.query_params.multi_items() if name not in _PAGING]
        query += [("page", str(page)), ("page_size", str(self.page_size))]
        return f"{base_of(self.request)}{self.request.scope['path']}?{urlencode(query)}"


_PAGING: Final = ("page", "page_size")


def page_of(
    request: Request, page: int | None = None, page_size: int | None = None, *, default_size: int = PAGE_SIZE
) -> PageOf:
    """The page that was asked for, brought into range.

    Raises:
        InvalidInputError: A number below 1.
    """
    for name, value in (("page", page), ("page_size", page_size)):
        if value is not None and value < 1:
            raise InvalidInputError(f"{name} is {value}; it must be a whole number from 1.")
    return PageOf(request, min(page or 1, MAX_PAGE), min(page_size or default_size, MAX_PAGE_SIZE))


def base_of(request: Request) -> str:
    """The address that clients reach the server under."""
    public: str | None = request.app.state.settings.public_url
    return (public or str(request.base_url)).rstrip("/")


PageNumber = Annotated[int | None, Query(description="Which page, from 1.")]
PageSize = Annotated[int | None, Query(description=f"Rows of a page, at most {MAX_PAGE_SIZE}.")]


# --- the body ---

Id = str | Annotated[int, Strict()] | None
"""True is no id, and no 1."""


class Body(BaseModel):
    """A body: unknown keys are kept and ignored, as Mem0's clients send whatever they are given."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())


class Scoped(Body):
    """A body with ids."""

    user_id: Id = Field(default=None, description="Whose memories.")
    agent_id: Id = None
    app_id: Id = None
    run_id: Id = None

    @property
    def ids(self) -> dict[str, Any]:
        """The ids that are set."""
        return {name: value for name in ENTITY_IDS if (value := getattr(self, name)) is not None}


async def ids_in_query(
    user_id: str | None = None, agent_id: str | None = None, app_id: str | None = None, run_id: str | None = None
) -> dict[str, str]:
    """The ids in the query; an empty one counts as not given."""
    given = {"user_id": user_id, "agent_id": agent_id, "app_id": app_id, "run_id": run_id}
    return {name: value for name, value in given.items() if value}


QueryIds = Annotated[dict[str, str], Depends(ids_in_query)]


_NARROWING_NOTHING: Final = ("org_id", "project_id", "source", "version", "output_format", "async_mode")
"""What Mem0's clients put into a query besides, and what says where it is asked."""


def require_understood(request: Request, *narrowing: str) -> None:
    """Check that a deletion's query holds nothing that would be left out, and so more be deleted than was meant.

    Args:
        request: The request.
        narrowing: Names besides the four ids that say what is meant.

    Raises:
        InvalidInputError: It names something else, or an id that is empty or not the only one.
    """
    known, query = (*ENTITY_IDS, *narrowing), request.query_params
    for name in query:
        if name not in {*known, *_NARROWING_NOTHING}:
            raise InvalidInputError(f"A deletion is narrowed by {', '.join(known)}, not by {name[:40]!r}.")
        if name in ENTITY_IDS and (len(query.getlist(name)) > 1 or not query[name].strip()):
            raise InvalidInputError(f"{name} must be one id; leave it out or give one, and delete for each by itself.")


def filters_of(raw: Any) -> Mapping[str, Any] | None:
    """The filter as a mapping: of JSON, or of the text of a Python dictionary (as Mem0's client puts it into a query)."""
    if raw is None or isinstance(raw, Mapping):
        return raw
    if isinstance(raw, str):
        return read_object(raw)
    raise InvalidInputError(f"filters must be an object, not {type(raw).__name__}.")


def fields_of(body: Body) -> dict[str, Any]:
    """What to change of a memory: only what was given; a null date clears it."""
    given = body.model_dump(exclude_unset=True)
    fields = {
        name: given[name] for name in ("text", "metadata", "timestamp", "categories") if given.get(name) is not None
    }
    if "expiration_date" in given:
        fields["expiration_date"] = given["expiration_date"]
    return fields
