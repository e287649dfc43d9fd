"""Embedders at a provider of models, or at an Ollama of one's own, through pydantic-ai; the extra is `kept[llm]`.

Every store and every search then costs a request. Nothing is asked before the first of them: it begins with one request
more, for the length of the vectors.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from kept.adapters.embedders.text import tokenizable
from kept.adapters.models.access import Access
from kept.adapters.models.connection import complete, connect, told
from kept.domain.spending import Usage
from kept.domain.text import count_tokens
from kept.errors import ModelAnswerError
from kept.ports import EmbedderIdentity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH_ROWS: Final = 32
"""Texts per request: at their longest some 260,000 tokens, of the 300,000 that OpenAI takes at once."""

MAX_TOKENS: Final = 8_000
"""Longest head of a text that is embedded: OpenAI refuses more than 8,191, and others leave the rest out by themselves."""

_PROBE: Final = "memory"
"""Embedded to learn how long the vectors are."""


class RemoteEmbedder:
    """Embeds by requests. A failed request fails the whole call: nothing is ever embedded by half."""

    def __init__(self, provider: str, model: str, access: Access, *, timeout_s: float) -> None:
        """Nothing is imported or connected yet.

        Args:
            provider: As pydantic-ai calls it.
            model: As the provider calls it.
            access: How it is reached.
            timeout_s: How long a request may take, in seconds.
        """
        self._provider = provider
        self._model = model
        self._access = access
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._identity: EmbedderIdentity | None = None

    @property
    def identity(self) -> EmbedderIdentity:
        """What the vectors are: provider, model, and the length that the model was asked for once.

        Raises:
            ModelUnavailableError: It cannot be reached.
            ModelAnswerError: What it answers is no embedding.
            ConfigurationError: It refuses the credentials or knows no such model.
        """
        with self._lock:
            if self._identity is None:
                (row,) = self._request([_PROBE], "document")
                name = f"{self._provider}-{self._model}"
                self._identity = EmbedderIdentity(model=name, dimensions=len(row), normalised=True)
            return self._identity

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed stored texts.

        Args:
            texts: Any strings; what follows the longest input is left out.

        Returns:
            `(len(texts), dimensions)` float32, rows in input order, L2-normalised; a blank text gives a zero row.

        Raises:
            KeptError: As `identity`.
        """
        return self._embed(texts, "document")

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Embed a question as its model wants questions: `(dimensions,)` float32, unit length, zero if blank."""
        row: NDArray[np.float32] = self._embed([text], "query")[0]
        return row

    def _embed(self, texts: Sequence[str], kind: Literal["document", "query"]) -> NDArray[np.float32]:
        import numpy as np

        rows = np.zeros((len(texts), self.identity.dimensions), dtype=np.float32)
        filled = [index for index, text in enumerate(texts) if text and not text.isspace()]
        for start in range(0, len(filled), BATCH_ROWS):
            batch = filled[start : start + BATCH_ROWS]
            vectors = np.asarray(self._request([_head(texts[index]) for index in batch], kind), dtype=np.float32)
            if vectors.shape != (len(batch), rows.shape[1]) or not np.isfinite(vectors).all():
                raise ModelAnswerError(f"{self._name} answered with embeddings of another shape than it was asked for.")
            rows[batch] = vectors
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        unit: NDArray[np.float32] = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
        return unit

    @property
    def _name(self) -> str:
        return f"{self._provider}:{self._model}"

    def _request(self, texts: list[str], kind: Literal["document", "query"]) -> Sequence[Sequence[float]]:
        async def ask() -> Sequence[Sequence[float]]:
            return await self._ask(texts, kind)

        return complete(ask)

    async def _ask(self, texts: list[str], kind: Literal["document", "query"]) -> Sequence[Sequence[float]]:
        from anyio import fail_after
        from pydantic_ai.embeddings import infer_embedding_model

        try:
            with fail_after(self._timeout_s):
                async with connect(self._provider, self._access) as provider:
                    model = infer_embedding_model(self._name, provider_factory=lambda _: provider)
                    result = await model.embed(texts, input_type=kind)
        except Exception as error:
            known = told(error, self._name, self._access, Usage())
            if known is None:
                raise
            raise known from None
        if len(result.embeddings) != len(texts):
            raise ModelAnswerError(
                f"{self._name} answered {len(texts)} texts with {len(result.embeddings)} embeddings; none was taken."
            )
        found: Sequence[Any] = result.embeddings
        return found


def _head(text: str) -> str:
    """The head of a text that a model takes at once."""
    head = tokenizable(text)
    while (tokens := count_tokens(head)) > MAX_TOKENS:
        head = head[: len(head) * MAX_TOKENS // tokens]
    return head
