"""What a request to a provider cost: the tokens that it says it counted, and their list price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from kept.adapters.models.access import Access
from kept.domain.spending import MICROS_PER_DOLLAR, Usage

if TYPE_CHECKING:
    from pydantic_ai.usage import RequestUsage

__all__ = ["LOCAL", "counted", "price"]

LOCAL: Final = frozenset({"ollama", "vllm"})
"""What runs on machines of one's own: it costs nothing, and holds its output to a schema by grammar."""
_HOSTED: Final = "ollama.com"
"""Where Ollama's paid service is."""
_HOSTED_MODEL: Final = "-cloud"
"""Ends the names of models that Ollama passes on to it."""
_MOST_COUNTED: Final = 1_000_000_000
"""Tokens of one call: a thousand times the longest context there is."""


def price(provider: str, model: str, access: Access, usage: Usage) -> int | None:
    """Micro-dollars that the tokens cost, rounded up; None when no price is known.

    Args:
        provider: As pydantic-ai calls it.
        model: As the provider calls it.
        access: How it is reached.
        usage: The tokens.
    """
    if provider in LOCAL and not _is_hosted(model, access):
        return 0
    from decimal import ROUND_CEILING

    from genai_prices import Usage as Priced
    from genai_prices import calc_price

    priced = Priced(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens,
    )
    try:
        dollars = calc_price(priced, model, provider_id=provider).total_price
    except (LookupError, ValueError):
        return None
    return int((dollars * MICROS_PER_DOLLAR).to_integral_value(ROUND_CEILING))


def counted(used: RequestUsage) -> Usage:
    """What a provider says that it counted, as far as it can be."""
    return Usage(
        input_tokens=_bounded(used.input_tokens),
        output_tokens=_bounded(used.output_tokens),
        cached_tokens=_bounded(used.cache_read_tokens),
    )


def _is_hosted(model: str, access: Access) -> bool:
    """Whether Ollama's paid service answers, directly or passed on to."""
    host = urlsplit(access.base_url or "").hostname or ""
    return model.endswith(_HOSTED_MODEL) or host.endswith(_HOSTED)


def _bounded(tokens: int) -> int:
    """Less than nothing pydantic-ai does not take."""
    return min(tokens, _MOST_COUNTED)
