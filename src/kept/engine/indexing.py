"""Memories to index entries: one embedding, the postings, the entities."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from kept.domain.lexicon import flags, pack_dates, pack_entities, pack_terms
from kept.domain.memory import EntityRef
from kept.engine.embedding import CountedEmbedder, asked_for
from kept.ports import Embedder, IndexEntry

TERMS_VERSION: Final = 3
"""Of what `domain.lexicon` makes of a text: raised whenever terms, flags, chunks or the blobs' layout change, because entries of
another version would silently find less."""


class Indexer:
    """Makes the entries of one index identity.

    Args:
        embedder: Its identity is the index's.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    @property
    def identity(self) -> str:
        """Under which the entries are stored; entries of another identity are not used."""
        return f"{self._embedder.identity}:terms{TERMS_VERSION}"

    def identity_of(self, entries: Collection[IndexEntry | None]) -> str:
        """Under which these entries are stored; empty where there are none: then no embedder is asked for it.

        Within a write nothing may be: a provider would hold up everybody, and what it costs could not be recorded.
        """
        return self.identity if any(entries) else ""

    @property
    def dimensions(self) -> int:
        """Length of the vectors."""
        return self._embedder.identity.dimensions

    @property
    def asks_a_provider(self) -> bool:
        """Whether each embedding is a request to somebody else."""
        return isinstance(self._embedder, CountedEmbedder)

    def embedder_for(self, project: str, job_id: str | None = None) -> Embedder:
        """The embedder, for work of a project and, where there is one, a job: what it costs is theirs."""
        return asked_for(self._embedder, project, job_id)

    def is_earlier(self, identity: str) -> bool:
        """Whether entries under this identity were made by the same embedder, and by an earlier Kept."""
        return identity != self.identity and identity.startswith(f"{self._embedder.identity}:terms")

    def terms(self, text: str) -> bytes:
        """The postings of a text, as its entry holds them."""
        return pack_terms(text)

    def entries(
        self,
        texts: Sequence[str],
        entities: Sequence[Sequence[EntityRef]],
        said: Sequence[datetime],
        *,
        project: str,
        job_id: str | None = None,
    ) -> list[IndexEntry]:
        """Entries in input order.

        Args:
            texts: Without the speaker's name: an embedder would spend its similarity on it (it is matched exactly).
            entities: What each text mentions.
            said: When each was said: relative dates in it count from then.
            project: Whose texts they are.
            job_id: For which job.
        """
        if not texts:
            return []
        vectors = self.embedder_for(project, job_id).embed_documents(texts).astype("<f2")
        return [
            IndexEntry(
                embedding=vector.tobytes(),
                terms=self.terms(text),
                entities=pack_entities(entity.key for entity in mentioned),
                flags=flags(text),
                dates=pack_dates(text, at),
            )
            for vector, text, mentioned, at in zip(vectors, texts, entities, said, strict=True)
        ]
