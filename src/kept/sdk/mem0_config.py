"""Mem0's `from_config` dictionary, read as Kept's settings.

What Kept has a counterpart for is taken; anything else is refused by name, because a setting that is silently ignored is
a promise that is silently broken.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kept.engine.pending import KEPT_OPTIONS
from kept.errors import ConfigurationError
from kept.settings import DATABASE_FILE, Settings

_STORES: Final = ("sqlite", "kept")
_EMBEDDERS: Final = {"wordllama": "wordllama", "minilm": "minilm"}
_MODEL_EMBEDDERS: Final = ("onnx", "fastembed")
_PROVIDERS: Final = {
    "anthropic": "anthropic",
    "aws_bedrock": "bedrock",
    "azure_openai": "azure",
    "deepseek": "deepseek",
    "gemini": "google",
    "groq": "groq",
    "litellm": "litellm",
    "lmstudio": "openai-chat",
    "ollama": "ollama",
    "openai": "openai",
    "together": "together",
    "vertexai": "google-cloud",
    "vllm": "vllm",
    "xai": "xai",
}
"""Mem0's names of providers, and ours."""
_COMPATIBLE: Final = "openai-chat"
"""What a server speaks that is compatible with OpenAI: the older of its two dialects."""
_LM_STUDIO: Final = "http://localhost:1234/v1"
"""Where Mem0 looks for LM Studio."""
_BASE_URL: Final = "_base_url"
"""Ends Mem0's names of addresses, such as `openai_base_url`."""
_WITHOUT_EFFECT: Final = frozenset({"max_tokens", "top_p", "top_k"})
"""Of a language model: Kept bounds each answer by what it asks, and wants the likeliest words."""
_KNOWN: Final = f"vector_store, llm, embedder, history_db_path, version, project, {', '.join(KEPT_OPTIONS)}"
_INSTEAD: Final = {
    "reranker": "no reranker is built in; leave it out.",
    "graph_store": "entities and relations are kept in the store itself; leave it out.",
    **dict.fromkeys(KEPT_OPTIONS, "they instruct an LLM, and none is used; leave it out."),
}


def settings_from_mem0(config: Mapping[str, Any]) -> Settings:
    """Settings from Mem0's configuration.

    Args:
        config: `{"vector_store": {"provider": "sqlite", "config": {"path": …}}, "llm": {"provider": "openai", "config":
            {"model": …}}, "embedder": {"provider": "wordllama"}, "history_db_path": …}`. `history_db_path` names the
            folder of the store when no path is given.

    Raises:
        ConfigurationError: Names the key or provider that Kept has nothing for, and what to do.
    """
    if not isinstance(config, Mapping):
        raise ConfigurationError(f"from_config takes a mapping, not {type(config).__name__}.")
    known: dict[str, Any] = {}
    for key, value in config.items():
        if value is None or key == "version":
            continue
        if key == "vector_store":
            known["database"] = _store(value) or known.get("database")
        elif key == "llm":
            known |= _llm(value)
        elif key == "embedder":
            known |= _embedder(value)
        elif key == "history_db_path":
            known["database"] = known.get("database") or str(Path(str(value)).with_name(DATABASE_FILE))
        elif key == "project" or key in KEPT_OPTIONS:
            known[key] = value
        else:
            raise _nothing_for(key)
    settings = Settings.load(**known)
    if not settings.reads and (wish := next((name for name in KEPT_OPTIONS if name in known), None)):
        raise _nothing_for(wish)
    return settings


def _nothing_for(key: str) -> ConfigurationError:
    advice = _INSTEAD.get(key, f"there are {_KNOWN}.")
    return ConfigurationError(f"from_config: Kept has nothing for {key!r}: {advice}")


def _store(section: object) -> str | None:
    provider, options = _section("vector_store", section)
    if provider not in _STORES:
        raise ConfigurationError(
            f"from_config: vector_store provider {provider!r} is not Kept's; use 'sqlite' with "
            "config {'path': 'kept.db'}, or leave vector_store out."
        )
    unknown = set(options) - {"path", "url", "collection_name"}
    if unknown:
        raise ConfigurationError(f"from_config: vector_store.config has no use for {min(unknown)!r}; give 'path'.")
    path = options.get("url") or options.get("path")
    return None if path is None else str(path)


def _llm(section: object) -> dict[str, Any]:
    provider, options = _section("llm", section)
    if provider not in _PROVIDERS:
        raise ConfigurationError(
            f"from_config: llm provider {provider!r} is not known; use one of: {', '.join(_PROVIDERS)}."
        )
    rest = {name: value for name, value in options.items() if name not in _WITHOUT_EFFECT}
    temperature = rest.pop("temperature", None)
    return _model("llm", provider, rest) | {"llm_temperature": temperature}


def _embedder(section: object) -> dict[str, Any]:
    provider, options = _section("embedder", section)
    rest = {name: value for name, value in options.items() if name != "embedding_dims"}
    if provider in _PROVIDERS:
        return _model("embedder", provider, rest)
    unknown = set(rest) - {"model"}
    if unknown:
        raise ConfigurationError(f"from_config: embedder.config has no use for {min(unknown)!r}; give 'model'.")
    if provider in _EMBEDDERS:
        return {"embedder": _EMBEDDERS[provider]}
    if provider in _MODEL_EMBEDDERS and options.get("model"):
        return {"embedder": f"{provider}:{options['model']}"}
    raise ConfigurationError(
        f"from_config: embedder provider {provider!r} is not Kept's; use 'wordllama', 'minilm', or 'onnx' or "
        f"'fastembed' with config {{'model': …}}, or one of: {', '.join(_PROVIDERS)}."
    )


def _model(name: str, provider: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """A model at a provider, as the settings that begin with `name`."""
    model = options.get("model")
    if not isinstance(model, str) or not model:
        raise ConfigurationError(f"from_config: {name} provider {provider!r} needs config {{'model': …}}.")
    urls = {key: value for key, value in options.items() if key.endswith(_BASE_URL)}
    unknown = set(options) - urls.keys() - {"model", "api_key"}
    if unknown:
        raise ConfigurationError(
            f"from_config: {name}.config has no use for {min(unknown)!r}; give 'model', 'api_key' or '{provider}{_BASE_URL}'."
        )
    url = next(filter(None, urls.values()), _LM_STUDIO if provider == "lmstudio" else None)
    spoken = _COMPATIBLE if provider == "openai" and url and name == "llm" else _PROVIDERS[provider]
    spec = f"{spoken}:{model.removeprefix('models/')}"
    return {name: spec, f"{name}_base_url": url, f"{name}_api_key": options.get("api_key")}


def _section(name: str, section: object) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(section, Mapping) or not isinstance(section.get("provider"), str):
        raise ConfigurationError(f"from_config: {name} must be {{'provider': …, 'config': {{…}}}}.")
    options = section.get("config") or {}
    if not isinstance(options, Mapping):
        raise ConfigurationError(f"from_config: {name}.config must be a mapping.")
    return section["provider"], options
