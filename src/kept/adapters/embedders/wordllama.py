"""The default embedder: the mean of word-piece vectors, read from the two data files of the wordllama package.

The package itself is never imported: its own loader takes five times as long, copies the table into memory and would
download what it does not find. Here the table is memory-mapped, so processes on one machine share its pages, and both files are
opened on the first text, so a process that embeds nothing pays nothing.

Source:
    WordLlama, https://github.com/dleemiller/WordLlama: `WordLlamaInference.embed(norm=True)`, whose vectors these equal
    for texts up to the limits below.
"""

from __future__ import annotations

import importlib.util
import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kept.adapters.embedders.text import tokenizable
from kept.errors import ConfigurationError
from kept.ports import EmbedderIdentity

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

DIMENSIONS: Final = 256
"""Columns of the only table that ships inside the wheel."""

MAX_TOKENS: Final = 8_192
"""Most word pieces averaged. Text in a script the vocabulary lacks takes up to four pieces a character, and the rows
gathered for one text (4 MiB at this length) are the only memory that grows with it."""

_TABLE: Final = Path("weights") / "l2_supercat_256.safetensors"
_TOKENIZER: Final = Path("tokenizers") / "l2_supercat_tokenizer_config.json"
_TENSOR: Final = "embedding.weight"

_REINSTALL: Final = "install it with: pip install --force-reinstall --no-deps wordllama"

_LENGTH_BYTES: Final = 8
"""A safetensors file opens with the length of its JSON header: 8 bytes, little-endian (its format specification)."""

_MAX_HEADER_BYTES: Final = 65_536
"""The header of this file has 88 bytes; a length above this one means that the file is something else."""


class WordLlamaEmbedder:
    """Embeds on the CPU in some 0.05 ms a short text, with weights that came with the installation.

    A vector is the mean of its word pieces' vectors, scaled to unit length. Words in another order give the same vector.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Find the data files; they are read when the first text is embedded.

        Args:
            folder: The package folder that holds `weights/` and `tokenizers/`; by default that of the installed wordllama.

        Raises:
            ConfigurationError: If the package or one of the two files is missing.
        """
        folder = folder or _package_folder()
        for file in (_TABLE, _TOKENIZER):
            if not (folder / file).is_file():
                raise ConfigurationError(f"the default embedder lacks {folder / file}; {_REINSTALL}")
        self._folder = folder
        self._lock = threading.Lock()
        self._model: _Model | None = None
        self._identity = EmbedderIdentity(model="wordllama-l2-supercat-256", dimensions=DIMENSIONS, normalised=True)

    @property
    def identity(self) -> EmbedderIdentity:
        """What the vectors are; known before the files are read."""
        return self._identity

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed stored texts.

        Args:
            texts: Any strings; what follows the first `MAX_CHARACTERS` or `MAX_TOKENS` of one is left out.

        Returns:
            `(len(texts), 256)` float32, rows in input order, L2-normalised; a blank text gives a zero row.

        Raises:
            ConfigurationError: If the data files cannot be read, on the first call.
        """
        import numpy as np

        model = self._loaded()
        rows = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            model.embed_into(row, text)
        return rows

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Embed a question as documents are: `(256,)` float32, unit length, zero if blank."""
        row: NDArray[np.float32] = self.embed_documents([text])[0]
        return row

    def _loaded(self) -> _Model:
        model = self._model
        if model is None:
            with self._lock:
                model = self._model = self._model or _load(self._folder)
        return model


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """The files, opened. `table` is `(vocabulary, 256)` float16, mapped from disk."""

    tokenizer: Tokenizer
    table: NDArray[np.float16]

    def embed_into(self, row: NDArray[np.float32], text: str) -> None:
        """Write the unit vector of `text` into `row`, which stays zero if there is nothing to embed."""
        import numpy as np

        if not text or text.isspace():
            return
        # One text at a time: encode_batch is no faster here, and starts threads that make a later fork warn.
        tokens = self.tokenizer.encode(tokenizable(text), add_special_tokens=False).ids[:MAX_TOKENS]
        self.table.take(tokens, axis=0).sum(axis=0, dtype=np.float32, out=row)
        length = np.sqrt(row.dot(row))  # the sum and the mean point the same way
        if length > 0:
            row /= length


def _package_folder() -> Path:
    found = importlib.util.find_spec("wordllama")
    if found is None or not found.submodule_search_locations:
        raise ConfigurationError(
            "the default embedder needs the wordllama package; install it with: pip install wordllama"
        )
    return Path(found.submodule_search_locations[0])


def _load(folder: Path) -> _Model:
    table = _map_table(folder / _TABLE)
    tokenizer = _load_tokenizer(folder / _TOKENIZER)
    if tokenizer.get_vocab_size() > len(table):
        raise ConfigurationError(
            f"{folder / _TOKENIZER} knows {tokenizer.get_vocab_size()} word pieces, "
            f"but {folder / _TABLE} has vectors for {len(table)}; {_REINSTALL}"
        )
    return _Model(tokenizer=tokenizer, table=table)


def _load_tokenizer(path: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises plain Exception for an unreadable or malformed file
        raise ConfigurationError(f"{path} is not a tokenizer: {error}; {_REINSTALL}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    # Without a pre-tokenizer a whole text is one "word", so the word cache never hits again and grows to 43 MiB.
    # Its size can be set nowhere else; a tokenizers release without this method merely keeps the cache.
    resize_cache = getattr(tokenizer.model, "_resize_cache", None)
    if resize_cache is not None:
        resize_cache(0)
    return tokenizer


def _map_table(path: Path) -> NDArray[np.float16]:
    """Map the one tensor of a safetensors file: `(vocabulary, 256)` float16, read-only, nothing copied."""
    import numpy as np

    try:
        start, vocabulary = _find_tensor(path)
        mapped = np.memmap(path, dtype="<f2", mode="r", offset=start, shape=(vocabulary, DIMENSIONS))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path} is not the table of vectors: {error}; {_REINSTALL}") from error
    return mapped.view(np.ndarray)  # a plain array: memmap's subclass costs microseconds at every use


def _find_tensor(path: Path) -> tuple[int, int]:
    """Return where the tensor starts in the file, in bytes, and how many rows it has.

    Raises:
        OSError, ValueError, KeyError, TypeError: If the file cannot be read or holds something else.

    Source:
        https://github.com/huggingface/safetensors#format: length, JSON header, data; offsets count from the data.
    """
    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        header = json.loads(file.read(min(header_bytes, _MAX_HEADER_BYTES)))
    tensor = header[_TENSOR]
    vocabulary, dimensions = tensor["shape"]
    if (tensor["dtype"], dimensions) != ("F16", DIMENSIONS):
        raise ValueError(f"{tensor['dtype']} with {dimensions} columns, not F16 with {DIMENSIONS}")
    return _LENGTH_BYTES + header_bytes + tensor["data_offsets"][0], vocabulary
