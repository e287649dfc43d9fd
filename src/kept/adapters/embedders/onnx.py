"""Sentence-transformer models in ONNX form, run on the CPU from a local folder; the extra is `kept[onnx]`.

The folder is what sentence-transformers publish: `model.onnx` (at the top or in `onnx/`) and `tokenizer.json`. A vector is
the mean of the token vectors under the attention mask, scaled to unit length; a folder that says its model pools in
another way is refused, because its vectors would be quietly wrong.

A text longer than the model's longest input has the vector of its first tokens: those are what the model was trained on, and
the words of the rest are still found by full text. The limit is `max_seq_length` in the folder's `sentence_bert_config.json`
(256 for all-MiniLM-L6-v2) and part of the identity, so two limits never share an index.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from kept.adapters.embedders.text import tokenizable
from kept.errors import ConfigurationError
from kept.ports import EmbedderIdentity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Encoding, Tokenizer

MAX_TOKENS: Final = 512
"""Longest input when the folder names no limit: the position table of BERT-sized models."""

_MODEL_FILES: Final = ("model.onnx", "onnx/model.onnx")
_INPUTS: Final = frozenset({"input_ids", "attention_mask", "token_type_ids"})
_TOKEN_RANK: Final = 3
"""Token vectors are `(rows, tokens, dimensions)`; a pooled output has two axes."""

_DIGEST_BYTES: Final = 4
"""Enough to tell the few models apart that one store ever meets."""


class OnnxEmbedder:
    """Runs one model with one thread, so that it never competes with the program it serves."""

    def __init__(self, folder: Path) -> None:
        """Load the model and its tokenizer.

        Args:
            folder: A local folder; nothing is downloaded.

        Raises:
            ConfigurationError: If onnxruntime is not installed, a file is missing or unreadable, the longest input is no
                usable number, or the model is not one that turns token ids into token vectors to be averaged.
        """
        model_file = _find_model(folder)
        _require_mean_pooling(folder)
        self._tokenizer, limit = _load_tokenizer(folder)
        self._session = _open_session(model_file)
        self._inputs = {node.name for node in self._session.get_inputs()}
        if not {"input_ids"} <= self._inputs <= _INPUTS:
            raise ConfigurationError(f"{model_file} takes {sorted(self._inputs)}; a text model takes {sorted(_INPUTS)}")
        self._output, dimensions = _find_token_vectors(self._session, model_file)
        name = f"onnx-{folder.resolve().name}-{_digest(model_file)}-{limit}t"
        self._identity = EmbedderIdentity(model=name, dimensions=dimensions, normalised=True)

    @property
    def identity(self) -> EmbedderIdentity:
        """What the vectors are: the folder's name, a digest of the weights and the longest input in tokens."""
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
        for row, text in zip(rows, texts, strict=True):
            if text and not text.isspace():
                row[:] = self._run(self._tokenizer.encode(tokenizable(text)))
        return rows

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Embed a question as documents are: `(dimensions,)` float32, unit length, zero if blank."""
        row: NDArray[np.float32] = self.embed_documents([text])[0]
        return row

    def _run(self, encoding: Encoding) -> NDArray[np.float32]:
        """Return the unit vector of one text, `(dimensions,)` float32.

        One text a run: on one thread a batch of usual memories gains a quarter at most and loses where they are long, and
        a model quantised to 8 bits scales its numbers by the whole batch, so that a text's vector would depend on its
        neighbours.
        """
        import numpy as np

        feed = {
            "input_ids": encoding.ids,
            "attention_mask": encoding.attention_mask,
            "token_type_ids": encoding.type_ids,
        }
        wanted = {name: np.array([feed[name]], dtype=np.int64) for name in self._inputs}
        tokens = np.asarray(self._session.run([self._output], wanted)[0], dtype=np.float32)[0]
        total = tokens.sum(axis=0)  # nothing is padded, and the sum and the mean point the same way
        length = np.linalg.norm(total)
        unit: NDArray[np.float32] = total / length if length > 0 else total
        return unit


def _find_model(folder: Path) -> Path:
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is not a folder; name one that holds model.onnx and tokenizer.json")
    for name in _MODEL_FILES:
        if (folder / name).is_file():
            return folder / name
    raise ConfigurationError(f"{folder} holds no model; one of {', '.join(_MODEL_FILES)} is needed")


def _require_mean_pooling(folder: Path) -> None:
    """Refuse a folder whose sentence-transformers settings ask for another pooling; no settings mean the mean."""
    path = folder / "1_Pooling" / "config.json"
    modes = sorted(key for key, on in _read_settings(path).items() if key.startswith("pooling_mode_") and on is True)
    if modes not in ([], ["pooling_mode_mean_tokens"]):
        raise ConfigurationError(f"{path} asks for {', '.join(modes)}; only pooling_mode_mean_tokens can be used")


def _load_tokenizer(folder: Path) -> tuple[Tokenizer, int]:
    """Return the tokenizer, set to cut at the longest input, and that limit in tokens."""
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises plain Exception for a missing or malformed file
        raise ConfigurationError(f"{path} is missing or not a tokenizer: {error}") from error
    settings = folder / "sentence_bert_config.json"
    limit = _read_settings(settings).get("max_seq_length", MAX_TOKENS)
    marks = tokenizer.num_special_tokens_to_add(is_pair=False)
    if not isinstance(limit, int) or limit <= marks:
        raise ConfigurationError(
            f"{settings} sets max_seq_length to {limit!r}; a number of tokens above {marks} is needed"
        )
    tokenizer.enable_truncation(limit)
    tokenizer.no_padding()  # the file of MiniLM asks for padding to 128 tokens
    return tokenizer, limit


def _read_settings(path: Path) -> dict[str, Any]:
    """Return the JSON object in `path`, empty if there is no such file."""
    if not path.is_file():
        return {}
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    if not isinstance(settings, dict):
        raise ConfigurationError(f"{path} must hold a JSON object")
    return settings


def _open_session(model_file: Path) -> Any:
    """Return an onnxruntime `InferenceSession` on the CPU with one thread."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigurationError(
            "ONNX models need an extra that is not installed; install it with: pip install 'kept[onnx]'"
        ) from error
    onnxruntime.disable_telemetry_events()  # its Windows builds send them by default
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(str(model_file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base but Exception
        raise ConfigurationError(f"{model_file} is not a model that onnxruntime can run: {error}") from error


def _find_token_vectors(session: Any, model_file: Path) -> tuple[str, int]:
    """Return the name and last axis of the first output that has a vector per token."""
    for output in session.get_outputs():
        if len(output.shape) == _TOKEN_RANK and isinstance(output.shape[-1], int):
            return output.name, output.shape[-1]
    shapes = {output.name: output.shape for output in session.get_outputs()}
    raise ConfigurationError(f"{model_file} gives {shapes}; an output of (rows, tokens, dimensions) is needed")


def _digest(model_file: Path) -> str:
    """Return a short digest of the weights, those in files beside the model (`model.onnx_data`) included."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for path in sorted(model_file.parent.glob(f"{model_file.name}*")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()
