"""Models of the fastembed library that are already in its cache; the extra is `kept[fastembed]`.

This adapter never downloads. To fill the cache, run `fastembed.TextEmbedding(MODEL)` once where there is a network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kept.adapters.embedders.text import tokenizable
from kept.errors import ConfigurationError
from kept.ports import EmbedderIdentity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import numpy as np
    from fastembed import TextEmbedding
    from numpy.typing import NDArray

BATCH_ROWS: Final = 32
"""Texts per run of the model; fastembed's own 256 takes gigabytes when the texts are long."""


class FastembedEmbedder:
    """Embeds with one fastembed model and one thread."""

    def __init__(self, model: str, *, cache: Path | None = None) -> None:
        """Load a model from fastembed's cache.

        Args:
            model: A name that `TextEmbedding.list_supported_models()` lists, in any case.
            cache: The cache folder; by default the one fastembed uses by itself.

        Raises:
            ConfigurationError: If fastembed is not installed, does not know the model, or does not have it in its cache.
        """
        try:
            from fastembed import TextEmbedding
        except ImportError as error:
            raise ConfigurationError(
                "fastembed models need an extra that is not installed; install it with: pip install 'kept[fastembed]'"
            ) from error
        name, dimensions = _find_supported(TextEmbedding, model)
        self._model = _load(TextEmbedding, name, cache)
        self._identity = EmbedderIdentity(model=f"fastembed-{name}", dimensions=dimensions, normalised=True)

    @property
    def identity(self) -> EmbedderIdentity:
        """What the vectors are: fastembed's name of the model."""
        return self._identity

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed stored texts.

        Args:
            texts: Any strings; what follows the model's longest input is left out.

        Returns:
            `(len(texts), dimensions)` float32, rows in input order, L2-normalised; a blank text gives a zero row.
        """
        import numpy as np

        rows = np.zeros((len(texts), self._identity.dimensions), dtype=np.float32)
        # Texts of like length share a run: a short one beside a long one is paid for as a long one.
        filled = sorted((i for i, text in enumerate(texts) if text and not text.isspace()), key=lambda i: len(texts[i]))
        clean = (tokenizable(texts[i]) for i in filled)
        for index, vector in zip(filled, self._model.passage_embed(clean, batch_size=BATCH_ROWS), strict=True):
            rows[index] = vector
        return _unit(rows)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Embed a question with the prefix its model wants: `(dimensions,)` float32, unit length, zero if blank."""
        import numpy as np

        row = np.zeros((1, self._identity.dimensions), dtype=np.float32)
        if text and not text.isspace():
            row[0] = _only(self._model.query_embed(tokenizable(text)))
        unit: NDArray[np.float32] = _unit(row)[0]
        return unit


def _find_supported(library: type[TextEmbedding], model: str) -> tuple[str, int]:
    """Return fastembed's own spelling of the model's name and the length of its vectors."""
    supported = {entry["model"].lower(): entry for entry in library.list_supported_models()}
    entry = supported.get(model.lower())
    if entry is None:
        names = ", ".join(sorted(entry["model"] for entry in supported.values()))
        raise ConfigurationError(f"fastembed has no model {model!r}; use one of: {names}")
    return entry["model"], entry["dim"]


def _load(library: type[TextEmbedding], name: str, cache: Path | None) -> TextEmbedding:
    folder = None if cache is None else str(cache)
    try:
        return library(name, cache_dir=folder, threads=1, local_files_only=True)
    except Exception as error:  # fastembed, its hub client and onnxruntime each raise their own kinds
        raise ConfigurationError(
            f"the model {name!r} is not in fastembed's cache, and Kept downloads nothing; "
            f"run fastembed.TextEmbedding({name!r}) once where there is a network, or name a folder with onnx:FOLDER ({error})"
        ) from error


def _only(vectors: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the vector of the one text that was embedded."""
    (vector,) = vectors
    return vector


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each row to unit length; a zero row stays zero."""
    import numpy as np

    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return unit
