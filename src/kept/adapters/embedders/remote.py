"""Embedders at a provider of models, or at an Ollama of one's own, through pydantic-ai; the extra is `kept[llm]`.

Every store and every search then costs a request. Nothing is asked before the first of them: it begins with one request
more, for the length of the vectors.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Self

from kept.adapters.embedders.text import tokenizable
from kept.adapters.models.access import Access
from kept.adapters.models.connection import complete, connect, told
from kept.adapters.models.costs import counted, price
from kept.domain.spending import Usage
from kept.domain.text import count_tokens
from kept.errors import ModelAnswerError
from kept.ports import EmbedderIdentity, EmbeddingRequest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH_ROWS: Final = 32
"""Texts per request: at their longest some 260,000 tokens, of the 300,000 that OpenAI takes at once."""

MAX_TOKENS: Final = 8_000
"""Longest head of a text that is embedded: OpenAI refuses more than 8,191, and others leave the rest out by themselves."""

_PROBE: Final = "memory"
"""Embedded to learn how long the vectors are."""


Kind = Literal["document", "query"]
"""What a text is embedded as."""


@dataclass(slots=True)
class _Learnt:
    """What was learnt of the vectors, by whichever of those who share an embedder was first."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    identity: EmbedderIdentity | None = None


def _nobody(_: EmbeddingRequest) -> None:
    """Listens to no request."""


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
        self._learnt = _Learnt()
        self._listener: Callable[[EmbeddingRequest], None] = _nobody

    @property
    def name(self) -> str:
        """Provider and model."""
        return f"{self._provider}:{self._model}"

    def price(self, usage: Usage) -> int | None:
        """Micro-dollars that the tokens cost; None when no price is known."""
        return price(self._provider, self._model, self._access, usage)

    def heard_by(self, listener: Callable[[EmbeddingRequest], None]) -> Self:
        """The same embedder, of which `listener` is told each request when it is over."""
        heard = copy(self)
        heard._listener = listener  # noqa: SLF001 - its own copy
        return heard

    @property
    def identity(self) -> EmbedderIdentity:
        """What the vectors are: provider, model, and the length that the model was asked for once.

        Raises:
            ModelUnavailableError: It cannot be reached.
            ModelAnswerError: What it answers is no embedding.
            ConfigurationError: It refuses the credentials or knows no such model.
        """
        with self._learnt.lock:
            if self._learnt.identity is None:
                (row,) = self._request([_PROBE], "document")
                name = f"{self._provider}-{self._model}"
                self._learnt.identity = EmbedderIdentity(model=name, dimensions=len(row), normalised=True)
            return self._learnt.identity

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

    def _embed(self, texts: Sequence[str], kind: Kind) -> NDArray[np.float32]:
        import numpy as np

        dimensions = self.identity.dimensions
        rows = np.zeros((len(texts), dimensions), dtype=np.float32)
        filled = [index for index, text in enumerate(texts) if text and not text.isspace()]
        for start in range(0, len(filled), BATCH_ROWS):
            batch = filled[start : start + BATCH_ROWS]
            rows[batch] = self._request([_head(texts[index]) for index in batch], kind, dimensions)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        unit: NDArray[np.float32] = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
        return unit

    def _request(self, texts: list[str], kind: Kind, dimensions: int | None = None) -> NDArray[np.float32]:
        """One request, of which the listener is told: a row for each text, of this length where it is known."""
        expected = Usage(input_tokens=sum(map(count_tokens, texts)))

        async def ask() -> tuple[NDArray[np.float32], Usage]:
            return await self._ask(texts, kind, dimensions)

        try:
            rows, usage = complete(ask)
        except BaseException as error:
            self._listener(EmbeddingRequest(expected=expected, error=error))
            raise
        self._listener(EmbeddingRequest(expected=expected, usage=usage if usage.tokens else expected))
        return rows

    async def _ask(self, texts: list[str], kind: Kind, dimensions: int | None) -> tuple[NDArray[np.float32], Usage]:
        import numpy as np
        from anyio import fail_after
        from pydantic_ai.embeddings import infer_embedding_model

        usage = Usage()
        try:
            with fail_after(self._timeout_s):
                async with connect(self._provider, self._access) as provider:
                    model = infer_embedding_model(self.name, provider_factory=lambda _: provider)
                    result = await model.embed(texts, input_type=kind)
            usage = counted(result.usage)
            rows = np.asarray(result.embeddings, dtype=np.float32)
        except Exception as error:
            known = told(error, self.name, self._access, usage)
            if known is None:
                raise
            raise known from None
        if fault := _fault(rows, len(texts), dimensions):
            spent = usage.input_tokens or None
            raise ModelAnswerError(f"{self.name} {fault}; none was taken.", input_tokens=spent)
        return rows, usage


def _fault(rows: NDArray[np.float32], texts: int, dimensions: int | None) -> str:
    """What is wrong with embeddings; empty if nothing is."""
    import numpy as np

    if len(rows) != texts:
        return f"answered {texts} texts with {len(rows)} embeddings"
    if rows.shape != (texts, dimensions or rows.shape[-1]) or not np.isfinite(rows).all():
        return "answered with embeddings of another shape than it was asked for"
    return ""


def _head(text: str) -> str:
    """The head of a text that a model takes at once."""
    head = tokenizable(text)
    while (tokens := count_tokens(head)) > MAX_TOKENS:
        head = head[: len(head) * MAX_TOKENS // tokens]
    return head
