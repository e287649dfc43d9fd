"""Consolidation: looks through an owner's memories for what could be merged, generalised or forgotten. It changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from kept.domain.history import permits
from kept.domain.memory import MemoryRecord
from kept.domain.proposals import (
    CLUSTERED,
    COMPARED,
    CONFLICTING,
    LEAST_SHOWN,
    Proposed,
    clusters,
    conflicts,
    forgettable,
    merges,
)
from kept.domain.scope import ANY, Scope
from kept.engine.indexing import Indexer
from kept.engine.prompts import instructions
from kept.engine.showing import lines, one_line, sources
from kept.errors import ConfigurationError, ModelAnswerError, ModelError
from kept.ports import VISIBLE, Clock, Listing, Log, Prompt

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kept.domain.filters import Filter
    from kept.engine.models import Models

CONSIDERED: Final = 10_000
"""The newest memories of an owner, which are compared with each other: all of a long life with an agent; 100 million products of
256 dimensions, in some seconds."""
MOST_ASKED: Final = 10
"""Groups that a language model is asked about in one run: some 5,000 tokens."""
MAX_TEXT: Final = 300
"""Characters of a generalisation: two sentences."""
MAX_SHOWN: Final = 300
"""Characters of a memory that the model is shown."""
MAX_OUTPUT_TOKENS: Final = 300
"""Some hundred for the longest text and its numbers; the rest is a model's spacing, and what it says around an answer."""
_BLOCK: Final = 2_000
"""Rows whose similarities are computed together: 80 MB beside 10,000 others."""
_NUMBERS: Final = {"type": "array", "items": {"type": "integer"}}
_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "from": _NUMBERS, "instead": _NUMBERS},
    "required": ["text", "from", "instead"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What could be changed.

    Attributes:
        proposed: Of each owner what says the same, then what cannot both hold, what is of no use, what several show.
        fruitless: What a language model was asked about and saw nothing in: generalisations without a text.
        note: Why a language model was not asked about everything; None when it was, or there is none.
    """

    proposed: tuple[Proposed, ...]
    fruitless: tuple[Proposed, ...] = ()
    note: str | None = None


class Consolidation:
    """Finds what could be merged, generalised or forgotten.

    Args:
        log: Where the memories are.
        indexer: Under whose identity their embeddings are stored.
        models: May have one for `consolidation`; without, nothing is generalised.
        clock: The present.
    """

    def __init__(self, log: Log, indexer: Indexer, models: Models, clock: Clock) -> None:
        self._log = log
        self._indexer = indexer
        self._models = models
        self._clock = clock

    def find(
        self,
        scope: Scope,
        condition: Filter | None = None,
        *,
        earlier: Sequence[Proposed] = (),
        limit: int,
        job_id: str,
        ask: bool = True,
    ) -> Found:
        """What could be changed under a scope and was not proposed before.

        Args:
            scope: Whose memories; of several owners each is looked through alone.
            condition: Which of them.
            earlier: What was proposed before, whatever became of it.
            limit: How many at most.
            job_id: Under which job it counts what it costs, all of it together.
            ask: Whether a language model is asked, if there is one.
        """
        known, fresh = list(earlier), list[Proposed]()
        note: str | None = None

        def take(proposed: Iterable[Proposed]) -> None:
            for one in proposed:
                if len(fresh) == limit:
                    return
                if not any(one.repeats(other) for other in known):
                    fresh.append(one)
                    known.append(one)

        asked = iter(range(MOST_ASKED if ask and self._models.for_task("consolidation") is not None else 0))
        for records, near in self._owners(scope, condition):
            take(merges(records, near))
            take(conflicts(records, near))
            take(forgettable(records, self._clock()))
            if note is None:
                try:
                    take(self._generalised(clusters(records, near), known, asked, job_id))
                except (ConfigurationError, ModelError) as error:
                    note = str(error)
        return Found(
            proposed=tuple(one for one in fresh if not one.is_fruitless),
            fruitless=tuple(one for one in fresh if one.is_fruitless),
            note=note,
        )

    # --- what is near ---

    def _owners(
        self, scope: Scope, condition: Filter | None
    ) -> Iterator[tuple[list[MemoryRecord], list[tuple[int, int, float]]]]:
        """The memories of each partition that the scope reaches, oldest first, and which of them are near each other."""
        users = None if scope.user_id in (None, ANY) else {scope.user_id}
        for partition in self._log.partitions(scope.project, users):
            own = scope if partition.user_id is None else replace(scope, user_id=partition.user_id)
            found = self._log.scan(Listing(scope=own, condition=condition, states=VISIBLE))
            newest = islice((record for record in found if record.user_id == partition.user_id), CONSIDERED)
            records = list(newest)[::-1]
            if records:
                yield records, list(self._near(partition.id, records))

    def _near(self, partition_id: int, records: Sequence[MemoryRecord]) -> Iterator[tuple[int, int, float]]:
        """Pairs of records whose similarity is worth a look; by the embeddings that the index stores anyway."""
        import numpy as np

        places, vectors = self._vectors(partition_id, records)
        least = CLUSTERED if self._models.for_task("consolidation") is not None else min(COMPARED, CONFLICTING)
        for start in range(0, len(places), _BLOCK):
            similarity = vectors[start : start + _BLOCK] @ vectors.T
            for row, column in np.argwhere(np.triu(similarity, start + 1) >= least):
                yield places[start + row], places[column], float(similarity[row, column])

    def _vectors(self, partition_id: int, records: Sequence[MemoryRecord]) -> tuple[list[int], NDArray[np.float32]]:
        """Places of the records that have an embedding, and these."""
        import numpy as np

        place_of = {record.key: place for place, record in enumerate(records)}
        rows = self._log.partition_rows(partition_id, 0, self._indexer.identity)
        stored = {place_of[row.key]: row.entry.embedding for row in rows if row.entry and row.key in place_of}
        places = sorted(stored)
        dimensions = self._indexer.dimensions
        joined = np.frombuffer(b"".join(stored[place] for place in places), "<f2")
        return places, joined.reshape(len(places), dimensions).astype(np.float32)

    # --- what several show ---

    def _generalised(
        self, groups: Sequence[list[MemoryRecord]], known: Sequence[Proposed], asked: Iterator[int], job_id: str
    ) -> Iterator[Proposed]:
        """What the model says of groups that it was not asked about before; without a text where that is nothing.

        Raises:
            ModelError: It is of no use just now.
            ConfigurationError: Its credentials or its name are refused.
        """
        for group in groups:
            ids = tuple(record.id for record in group)
            about = Proposed(kind="generalise", memory_ids=(), sources=ids, why="Nothing follows from them.")
            if any(about.repeats(other) for other in known):
                continue
            if next(asked, None) is None:
                return
            try:
                answer = self._models.ask(
                    "consolidation", _prompt(group), project=group[0].project, job_id=job_id, known_again=False
                )
            except ModelAnswerError:
                continue  # of no use for these; others may fare better, and next time these
            yield _read(answer.value, group) or about


def _prompt(group: Sequence[MemoryRecord]) -> Prompt:
    return Prompt(
        instructions=instructions("consolidation.md"),
        content="\n".join(lines(group, MAX_SHOWN)),
        schema=_SCHEMA,
        max_output_tokens=MAX_OUTPUT_TOKENS,
    )


def _read(answer: Mapping[str, Any], group: Sequence[MemoryRecord]) -> Proposed | None:
    """What a model proposes, when the memories that it names say it: each name, number and date of it is in them."""
    text = one_line(str(answer.get("text", "")))
    shown = _named(answer.get("from"), group)
    if not text or len(text) > MAX_TEXT or len(shown) < LEAST_SHOWN or not sources(shown).support(text):
        return None
    instead = [record for record in _named(answer.get("instead"), group) if record in shown]
    return Proposed(
        kind="generalise",
        memory_ids=tuple(record.id for record in instead if permits(record, "supersede")),
        sources=tuple(record.id for record in shown),
        text=text,
        why=f"Follows from {len(shown)} memories.",
    )


def _named(numbers: object, group: Sequence[MemoryRecord]) -> list[MemoryRecord]:
    """The memories that numbers stand for, each once; numbers that stand for none are left out."""
    found: dict[int, None] = defaultdict()
    for number in numbers if isinstance(numbers, Sequence) else ():
        if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= len(group):
            found[number] = None
    return [group[number - 1] for number in found]
