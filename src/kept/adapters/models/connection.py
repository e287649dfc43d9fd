"""Providers through pydantic-ai: each connected with what it is given, its failures told in the words of Kept's errors.

Everything here imports pydantic-ai when it is called, never before: that takes a second, and most commands ask no model.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import urlsplit

from kept.adapters.models.access import OAUTH_PREFIX, Access
from kept.domain.spending import Usage
from kept.errors import ConfigurationError, KeptError, ModelAnswerError, ModelRefusedError, ModelUnavailableError

if TYPE_CHECKING:
    from ssl import SSLContext

    from httpx2 import AsyncClient, Request, Response
    from pydantic_ai.exceptions import ModelAPIError
    from pydantic_ai.providers import Provider

_T = TypeVar("_T")

__all__ = ["check_extra", "complete", "connect", "told"]

OLLAMA_URL: Final = "http://127.0.0.1:11434/v1"
"""Where Ollama listens unless told otherwise, with the path of its OpenAI-compatible side."""

OAUTH_BETA: Final = "oauth-2025-04-20"
"""The header by which Anthropic accepts an OAuth token in place of a key."""

MAX_ANSWER_BYTES: Final = 32 * 2**20
"""Of one answer. Set by hand: four thousand for each token of a profile, which has up to 8,000."""

_UNCOMPRESSED: Final = "identity"
_OPENAI: Final = frozenset({"openai", "openai-chat", "openai-responses"})
"""Whose organisation and project `OPENAI_ORG_ID` and `OPENAI_PROJECT_ID` name; the same library asks many others."""
_OPENAIS: Final = frozenset({"openai-organization", "openai-project"})
_KEY_HEADERS: Final = {"authorization": "Bearer {}", "x-api-key": "{}", "x-goog-api-key": "{}", "api-key": "{}"}
"""Where the libraries put a key, and how it is written there."""
_SENT: Final = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host", "user-agent", *_KEY_HEADERS}
)
"""What a request to a server of one's own choice consists of, besides what the libraries say of themselves."""
_LIBRARYS: Final = ("anthropic-", "x-goog-api-client", "x-server-timeout", "x-stainless-")
_TOO_LARGE: Final = 413
"""The status of HTTP for a request that is too large; pydantic-ai has no kind of its own for it."""
_UNREADABLE: Final = (AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""What the providers' libraries raise when they are given, or sent, something else than they expect."""
_BEFORE_SENDING: Final = ("pool", "connect")
"""The stages of a request before anything is sent, in pydantic-ai's words."""
_KINDS: Final = {"ModelConnectionError": "no connection", "ModelRequestTimeout": "no answer in time"}
"""Failures that have no status, by pydantic-ai's names."""
_CODE: Final = re.compile(r"(?=.{1,40}$)(?:[a-z]+(?:[_.][a-z]+)*|[A-Z]+(?:_[A-Z]+)*|(?:[A-Z][a-z]+)+|\d+)")
"""What an error is called: a name such as `rate_limit_error`, `RESOURCE_EXHAUSTED` or `DeploymentNotFound`, or a number; no
sentence, and no key."""
_KEY_PARAMETERS: Final = ("api_key", "token")
_URL_PARAMETERS: Final = ("base_url", "azure_endpoint", "api_base")


def check_extra(spec: str) -> None:
    """Refuse a provider's model while the extra is missing.

    Raises:
        ConfigurationError: `kept[llm]` is not installed.
    """
    if find_spec("pydantic_ai") is None:
        raise ConfigurationError(
            f"{spec!r} needs an extra that is not installed; install it with: pip install 'kept[llm]'"
        )


def complete(work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Do asynchronous work to its end, whether or not the caller's thread runs an event loop of its own."""
    import asyncio

    from anyio.from_thread import start_blocking_portal

    async def quietly() -> _T:
        # What a broken stream leaves behind is closed with this loop; asyncio would print that it was.
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        return await work()

    with start_blocking_portal() as portal:
        done: _T = portal.call(quietly)
        return done


@asynccontextmanager
async def connect(name: str, access: Access) -> AsyncIterator[Provider[Any]]:
    """A provider, with connections of its own that are closed at the end.

    Raises:
        ConfigurationError: It lacks its credentials or its package, or takes no address.
    """
    import httpx2
    from pydantic_ai.exceptions import UserError

    key = None if access.key is None else access.key()
    if key is not None and not (key.isascii() and key.isprintable()):
        raise ConfigurationError(
            f"The key for {name} ({access.source}) holds characters that no key has; copy it again."
        )
    hooks: Mapping[str, list[Callable[..., Any]]] = {
        "request": [_only_meant(name, key, access)],
        "response": [_bounded],
    }
    # Without a time-out of its own: who asks says how long it may take.
    async with httpx2.AsyncClient(verify=_certificates(), timeout=None, event_hooks=hooks) as http:
        http.headers["Accept-Encoding"] = _UNCOMPRESSED
        try:
            provider = _anthropic(key, access, http) if name == "anthropic" and key else _made(name, key, access, http)
        except (ImportError, UserError, ValueError) as error:
            raise ConfigurationError(f"The provider {name!r} cannot be used: {error}") from None
        async with provider:
            client: Any = provider.client
            if hasattr(client, "max_retries"):
                client.max_retries = 0
            yield provider


class _UnfitAnswerError(Exception):
    """An answer is not read to its end; the message says why, in words that follow the model's name."""


def _only_meant(name: str, key: str | None, access: Access) -> Callable[[Request], Awaitable[None]]:
    """Keeps from a request what the libraries made of the environment, where another is asked than it is meant for.

    Here and not at their clients: these are copied for a request, and a copy reads the environment again.
    """
    elsewhere = _address(name, access.base_url) is not None
    openais = frozenset() if name in _OPENAI else (_OPENAIS | access.openais) - _SENT

    async def keep(request: Request) -> None:
        headers = request.headers
        if elsewhere:
            for header in set(headers) - _SENT:
                if not header.startswith(_LIBRARYS):
                    del headers[header]
        else:
            for header in openais & set(headers):
                del headers[header]
        if (elsewhere or name not in _OPENAI) and key is not None:
            for header, form in _KEY_HEADERS.items():
                if header in headers:
                    headers[header] = form.format(key)

    return keep


async def _bounded(response: Response) -> None:
    """Hold an answer to a size: a small one, unpacked, may fill the memory.

    Raises:
        _UnfitAnswerError: It is compressed.
    """
    from httpx2 import AsyncByteStream

    if response.headers.get("Content-Encoding", _UNCOMPRESSED).strip().casefold() != _UNCOMPRESSED:
        raise _UnfitAnswerError("answered in a compressed form, which it was asked not to")
    whole = response.stream

    class Bounded(AsyncByteStream):
        """The bytes of an answer, as long as they are not too many."""

        async def __aiter__(self) -> AsyncIterator[bytes]:
            left = MAX_ANSWER_BYTES
            async for part in cast("AsyncByteStream", whole):
                left -= len(part)
                if left < 0:
                    raise _UnfitAnswerError(f"answered with more than {MAX_ANSWER_BYTES} bytes")
                yield part

        async def aclose(self) -> None:
            await cast("AsyncByteStream", whole).aclose()

    response.stream = Bounded()


@cache
def _certificates() -> SSLContext:
    """Whom to trust; reading it takes 30 ms, so it is read once and not for every question."""
    import httpx2

    return httpx2.create_ssl_context()


def _made(name: str, key: str | None, access: Access, http: AsyncClient) -> Provider[Any]:
    from pydantic_ai.providers import infer_provider_class

    made = infer_provider_class(name)
    parameters = inspect.signature(made).parameters
    given: dict[str, Any] = {}
    if key is not None:
        given[_first(_KEY_PARAMETERS, parameters, "it takes no key.")] = key
    if url := _address(name, access.base_url):
        fixed = "its address is fixed; name a compatible server as openai-chat:MODEL."
        given[_first(_URL_PARAMETERS, parameters, fixed)] = url
    # The others take connections of other kinds, and make them themselves.
    if "openai_client" in parameters or name == "google":
        given["http_client"] = http
    return made(**given)


def _anthropic(key: str, access: Access, http: AsyncClient) -> Provider[Any]:
    """Anthropic with a key or an OAuth token; its form says which it is."""
    from anthropic import AsyncAnthropic
    from pydantic_ai.providers.anthropic import AnthropicProvider

    if not key.startswith(OAUTH_PREFIX):
        return AnthropicProvider(
            anthropic_client=AsyncAnthropic(api_key=key, base_url=access.base_url, http_client=http)
        )
    headers = {"anthropic-beta": OAUTH_BETA}
    client = AsyncAnthropic(auth_token=key, default_headers=headers, base_url=access.base_url, http_client=http)
    return AnthropicProvider(anthropic_client=client)


def _first(wanted: tuple[str, ...], parameters: Any, otherwise: str) -> str:
    for name in wanted:
        if name in parameters:
            return name
    raise ValueError(otherwise)


def _address(name: str, base_url: str | None) -> str | None:
    if name != "ollama":
        return base_url
    url = (base_url or OLLAMA_URL).rstrip("/")
    return url if urlsplit(url).path else f"{url}/v1"


def told(error: Exception, model: str, access: Access, usage: Usage) -> KeptError | None:
    """A failure of the provider, or of the way to it, as one of Kept's errors; None for what is neither.

    The provider's own words are left out: they may quote what it was sent.

    Args:
        error: What was raised.
        model: Provider and model.
        access: Whose advice helps when the credentials are refused.
        usage: What the call cost, as far as the provider said.
    """
    from pydantic_ai import exceptions

    spent = _spent(error, usage)
    known: KeptError | None = None
    if unfit := next((cause for cause in _causes(error) if isinstance(cause, _UnfitAnswerError)), None):
        paid = {"input_tokens": usage.input_tokens or None, "output_tokens": None}
        known = ModelAnswerError(f"{model} {unfit}.", **paid)
    elif isinstance(error, KeptError):
        known = error
    elif isinstance(error, exceptions.UserError):
        known = ConfigurationError(f"{model} cannot be asked: {error}")
    elif isinstance(error, exceptions.ModelAPIError):
        known = _refused(error, model, access, spent)
    elif isinstance(error, TimeoutError):
        known = ModelUnavailableError(f"{model} fell silent.", **spent)
    elif isinstance(error, (exceptions.UnexpectedModelBehavior, *_UNREADABLE)):
        said = "cannot be asked for this, or answered in no format of its provider's"
        known = ModelAnswerError(f"{model} {said} ({type(error).__name__}).", **spent)
    return known


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and what it was raised for, as far as that is known."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _spent(error: Exception, usage: Usage) -> dict[str, int | None]:
    """What a failed call cost. What nobody knows is None: how much was written of an answer that broke off, say."""
    never_began = not getattr(error, "in_stream", False) and (
        hasattr(error, "status_code") or getattr(error, "phase", None) in _BEFORE_SENDING
    )
    if never_began:
        return {"input_tokens": 0, "output_tokens": 0}
    return {"input_tokens": usage.input_tokens or None, "output_tokens": None}


def _refused(error: ModelAPIError, model: str, access: Access, spent: dict[str, int | None]) -> KeptError:
    from pydantic_ai import exceptions

    if isinstance(error, exceptions.ModelAuthenticationError):
        return ModelRefusedError(f"{model} refuses the credentials ({_said(error)}): {access.advice}.")
    if isinstance(error, exceptions.ModelNotFoundError):
        return ModelRefusedError(f"{model} is not known to its provider ({_said(error)}): check its name and address.")
    rejected = isinstance(error, exceptions.ModelRequestRejectedError)
    if rejected or getattr(error, "status_code", None) == _TOO_LARGE:
        return ModelAnswerError(f"{model} refuses the request ({_said(error)}).", **spent)
    return ModelUnavailableError(
        f"{model} is not available ({_said(error)}).", retry_after_s=error.retry_after, **spent
    )


def _said(error: ModelAPIError) -> str:
    """Status and code of a failure, where that is the name of one and quotes nothing; else its kind, in words if there are any."""
    status = getattr(error, "status_code", None)
    codes = map(str, filter(None, (error.provider_error_code, error.provider_error_type)))
    parts = (status, next(filter(_CODE.fullmatch, codes), None))
    kind = type(error).__name__
    return " ".join(str(part) for part in parts if part) or _KINDS.get(kind, kind)
