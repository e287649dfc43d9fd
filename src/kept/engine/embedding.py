"""Whom an embedding is for: what an embedder at a provider is asked is recorded with the project, and the job where there is one.

Nothing is embedded in the engine but through `asked_for`. What is embedded elsewhere is recorded for the default project.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from kept.domain.scope import DEFAULT_PROJECT
from kept.errors import StoreError
from kept.ports import Embedder, EmbedderIdentity, EmbeddingRequest, PaidEmbedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kept.engine.models import Models

logger = logging.getLogger("kept.embedding")


class CountedEmbedder:
    """An embedder at a provider whose requests are recorded; those that are for nobody in particular for the default project.

    Args:
        embedder: Who is asked.
        models: Gives, when there is something to record, who does so.
    """

    def __init__(self, embedder: PaidEmbedder, models: Callable[[], Models]) -> None:
        self._embedder = embedder
        self._models = models
        self._for_nobody = self.asked_for(DEFAULT_PROJECT)

    @property
    def identity(self) -> EmbedderIdentity:
        """As `ports.Embedder.identity`."""
        return self._for_nobody.identity

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As `ports.Embedder.embed_documents`."""
        return self._for_nobody.embed_documents(texts)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """As `ports.Embedder.embed_query`."""
        return self._for_nobody.embed_query(text)

    def asked_for(self, project: str, job_id: str | None = None) -> Embedder:
        """The embedder for work of a project, and of a job where there is one."""
        return self._embedder.heard_by(partial(self._record, project, job_id))

    def _record(self, project: str, job_id: str | None, request: EmbeddingRequest) -> None:
        """Vectors that are paid for are not lost where the store fails, which then knows nothing of the request."""
        try:
            self._models().count(self._embedder, request, project=project, job_id=job_id)
        except StoreError as error:
            told = {"model": self._embedder.name, "project": project, "job": job_id, "code": error.code}
            logger.warning("embeddings not recorded", extra={"kept": told})


def asked_for(embedder: Embedder, project: str, job_id: str | None = None) -> Embedder:
    """The embedder for work of a project, and of a job: one that costs nothing is what it was."""
    return embedder.asked_for(project, job_id) if isinstance(embedder, CountedEmbedder) else embedder
