"""Embedders by name: `open_embedder("wordllama")` and the like.

Importing this package imports no model, no numpy and no extra; opening an embedder imports what that one needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kept.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kept.adapters.models.access import Access
    from kept.ports import Embedder

__all__ = ["open_embedder"]

TIMEOUT_S = 30.0
"""How long a request to a provider may take: many times what embedding a batch takes, and still less than who waits for
a search endures."""

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
"""The name under which fastembed keeps MiniLM in its cache."""


def open_embedder(spec: str, access: Access | None = None, *, timeout_s: float = TIMEOUT_S) -> Embedder:
    """Open the embedder that a setting names.

    Args:
        spec: `wordllama`, `onnx:FOLDER`, `fastembed:MODEL`, or `minilm` (short for the fastembed MiniLM). Blanks
            around it do not count. Nothing is downloaded for any of them. With `access`, `PROVIDER:MODEL`.
        access: How a provider of models is reached; None for what runs in this process.
        timeout_s: How long a request to a provider may take, in seconds.

    Returns:
        An embedder that several threads may share.

    Raises:
        ConfigurationError: If the name is unknown, its argument is missing or unwanted, the extra is not installed,
            or the model is not on this machine.
    """
    name, colon, argument = spec.strip().partition(":")
    if access is not None:
        return _open_remote(name, argument.strip(), access, timeout_s)
    kind = _KINDS.get(name)
    if kind is None:
        raise ConfigurationError(
            f"unknown embedder {spec!r}; use one of: {_valid_specs()}, or PROVIDER:MODEL of a provider of models"
        )
    if kind.argument is None and colon:
        raise ConfigurationError(f"embedder {name!r} takes no argument, but the setting is {spec!r}; use {name!r}")
    if kind.argument is not None and not argument.strip():
        raise ConfigurationError(f"embedder {spec!r} lacks its {kind.argument.lower()}; use {kind.spec(name)!r}")
    return kind.open(argument.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """How one kind of embedder is opened; `argument` names what follows the colon, None if nothing may."""

    open: Callable[[str], Embedder]
    argument: str | None = None

    def spec(self, name: str) -> str:
        return name if self.argument is None else f"{name}:{self.argument}"


def _open_remote(provider: str, model: str, access: Access, timeout_s: float) -> Embedder:
    from kept.adapters.embedders.remote import RemoteEmbedder
    from kept.adapters.models.connection import check_extra

    if not model:
        raise ConfigurationError(f"embedder {provider!r} lacks its model; use '{provider}:MODEL'")
    check_extra(f"{provider}:{model}")
    return RemoteEmbedder(provider, model, access, timeout_s=timeout_s)


def _open_wordllama(_: str) -> Embedder:
    from kept.adapters.embedders.wordllama import WordLlamaEmbedder

    return WordLlamaEmbedder()


def _open_onnx(folder: str) -> Embedder:
    from kept.adapters.embedders.onnx import OnnxEmbedder

    return OnnxEmbedder(Path(folder).expanduser())


def _open_fastembed(model: str) -> Embedder:
    from kept.adapters.embedders.fastembed import FastembedEmbedder

    return FastembedEmbedder(model)


def _open_minilm(_: str) -> Embedder:
    return _open_fastembed(MINILM)


_KINDS: Mapping[str, _Kind] = {
    "wordllama": _Kind(open=_open_wordllama),
    "onnx": _Kind(open=_open_onnx, argument="FOLDER"),
    "minilm": _Kind(open=_open_minilm),
    "fastembed": _Kind(open=_open_fastembed, argument="MODEL"),
}


def _valid_specs() -> str:
    return ", ".join(kind.spec(name) for name, kind in _KINDS.items())
