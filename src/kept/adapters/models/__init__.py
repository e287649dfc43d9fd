"""Language models by name: `open_model("anthropic:claude-haiku-4-5", access)`.

Importing this package, and opening a model, import no library of models: the first question does.
"""

from __future__ import annotations

from kept.adapters.models.access import Access
from kept.adapters.models.connection import check_extra
from kept.adapters.models.pydantic_ai import PydanticAIModel
from kept.errors import ConfigurationError
from kept.ports import LanguageModel

__all__ = ["Access", "open_model"]


def open_model(spec: str, access: Access, *, timeout_s: float, temperature: float = 0.0) -> LanguageModel:
    """The language model that a setting names.

    Args:
        spec: `PROVIDER:MODEL`, as pydantic-ai and the provider call them.
        access: How the provider is reached.
        timeout_s: How long an answer may take, in seconds.
        temperature: For models that take one.

    Raises:
        ConfigurationError: No model is named, or the extra is not installed.
    """
    provider, _, model = spec.partition(":")
    if not provider or not model:
        raise ConfigurationError(f"{spec!r} names no language model; write PROVIDER:MODEL, such as openai:gpt-5-mini.")
    check_extra(spec)
    return PydanticAIModel(provider, model, access, timeout_s=timeout_s, temperature=temperature)
