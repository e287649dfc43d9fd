"""Mem0's `from_config` dictionary, read as Kept's settings.

What Kept has a counterpart for is taken; anything else is refused by name, because a setting that is silently ignored is
a promise that is silently broken.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kept.errors import ConfigurationError
from kept.settings import DATABASE_FILE, Settings

_STORES: Final = ("sqlite", "kept")
_EMBEDDERS: Final = {"wordllama": "wordllama", "minilm": "minilm"}
_MODEL_EMBEDDERS: Final = ("onnx", "fastembed")
_KNOWN: Final = "vector_store, embedder, history_db_path, version, project"
_INSTEAD: Final = {
    "llm": "Kept needs no LLM; leave it out. Statements are extracted by rule.",
    "reranker": "no reranker is built in; leave it out.",
    "graph_store": "entities and relations are kept in the store itself; leave it out.",
    "custom_instructions": "they instruct an LLM, and none is used; leave it out.",
}


def settings_from_mem0(config: Mapping[str, Any]) -> Settings:
    """Settings from Mem0's configuration.

    Args:
        config: `{"vector_store": {"provider": "sqlite", "config": {"path": …}}, "embedder": {"provider": "wordllama"},
            "history_db_path": …}`. `history_db_path` names the folder of the store when no path is given.

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
        elif key == "embedder":
            known["embedder"] = _embedder(value)
        elif key == "history_db_path":
            known["database"] = known.get("database") or str(Path(str(value)).with_name(DATABASE_FILE))
        elif key == "project":
            known["project"] = value
        else:
            advice = _INSTEAD.get(key, f"there are {_KNOWN}.")
            raise ConfigurationError(f"from_config: Kept has nothing for {key!r}: {advice}")
    return Settings.load(**known)


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


def _embedder(section: object) -> str:
    provider, options = _section("embedder", section)
    unknown = set(options) - {"model", "embedding_dims"}
    if unknown:
        raise ConfigurationError(f"from_config: embedder.config has no use for {min(unknown)!r}; give 'model'.")
    if provider in _EMBEDDERS:
        return _EMBEDDERS[provider]
    if provider in _MODEL_EMBEDDERS and options.get("model"):
        return f"{provider}:{options['model']}"
    raise ConfigurationError(
        f"from_config: embedder provider {provider!r} is not Kept's; use 'wordllama', 'minilm', or 'onnx' or "
        "'fastembed' with config {'model': …}."
    )


def _section(name: str, section: object) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(section, Mapping) or not isinstance(section.get("provider"), str):
        raise ConfigurationError(f"from_config: {name} must be {{'provider': …, 'config': {{…}}}}.")
    options = section.get("config") or {}
    if not isinstance(options, Mapping):
        raise ConfigurationError(f"from_config: {name}.config must be a mapping.")
    return section["provider"], options
