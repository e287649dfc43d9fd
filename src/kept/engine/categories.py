"""Sorts memories into a project's categories, without a language model: by embedding similarity, and by cues.

The embedding is the one that the index stores anyway, so that sorting costs a matrix product and no second look at the text.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from kept.domain.categories import DEFAULTS, OTHER, Category, cue_index, cued, parse_categories_setting
from kept.engine.embedding import asked_for
from kept.ports import Embedder, Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Categorise = Callable[[Sequence[str], "NDArray[np.float32]"], list[tuple[str, ...]]]
"""Texts and their embeddings, `(n, dimensions)`, to the categories of each."""

PROJECT: Final = "project"
"""The registry's kind of a project's settings."""
MOST: Final = 3
"""Categories of one memory."""
NEIGHBOURS: Final = 2
"""Of a category's sentences, those whose mean similarity says how near a text is: one may be near by chance."""
NEAR: Final = 0.25
"""How near a text is to what it belongs to. It, `NEIGHBOURS`, `CUE` and `SHARE` are the best for the 249 examples that were sorted
by the others' (the first category right for 85 % of them); with 0.2 more is sorted and more of it wrongly."""
CUE: Final = 0.2
"""What a cue adds: most of what is needed."""
SHARE: Final = 0.85
"""Of the best category's value: what lies further below is a neighbour, not a second subject."""
_KNOWN_LISTS: Final = 256
"""Lists of categories that are kept ready: one for each project that is at work."""


class Categories:
    """Sorts into lists of categories.

    Args:
        embedder: The index's.
        registry: Holds the projects' own lists.
        own: The list of projects without one, as it was written; Mem0's fifteen where that is empty.
    """

    def __init__(self, embedder: Embedder, registry: Registry, own: Sequence[object] = ()) -> None:
        self._embedder = embedder
        self._defaults = parse_categories_setting(own) if own else DEFAULTS
        self._registry = registry
        self._lists: OrderedDict[tuple[tuple[str, str], ...], _Known] = OrderedDict()
        self._mutex = threading.Lock()

    def of_project(self, project: str) -> tuple[Category, ...]:
        """A project's categories: its own, or those of projects without any."""
        entry = self._registry.find(PROJECT, project)
        own = entry.data.get("custom_categories") if entry else None
        return parse_categories_setting(own) if own else self._defaults

    def known(self, project: str, own: object = None) -> tuple[Category, ...]:
        """A call's own categories, or else the project's.

        Raises:
            InvalidInputError: That list cannot be used.
        """
        return parse_categories_setting(own, described=True) if own else self.of_project(project)

    def sorter(self, project: str, own: object = None) -> Categorise:
        """What sorts a project's memories.

        Args:
            project: The project.
            own: A call's own list, in place of the project's.

        Raises:
            InvalidInputError: That list cannot be used.
        """
        categories = self.known(project, own)
        return lambda texts, vectors: self.sort(texts, vectors, categories, project)

    def sort_text(self, project: str, text: str) -> tuple[str, ...]:
        """The categories of one text."""
        return self.sorter(project)([text], asked_for(self._embedder, project).embed_documents([text]))[0]

    def sort(
        self, texts: Sequence[str], vectors: NDArray[np.float32], categories: Sequence[Category], project: str
    ) -> list[tuple[str, ...]]:
        """The categories of each text, best first; `misc`, where there is one, of what is near none."""
        known = self._known(categories, project)
        return [known.sort(text, vector) for text, vector in zip(texts, vectors, strict=True)]

    def _known(self, categories: Sequence[Category], project: str) -> _Known:
        """The list, made ready for the project that first sorts by it."""
        said = tuple((category.name, category.description) for category in categories)
        with self._mutex:
            known = self._lists.get(said)
            if known is not None:
                self._lists.move_to_end(said)
                return known
        known = _Known(asked_for(self._embedder, project), categories)
        with self._mutex:
            self._lists[said] = known
            while len(self._lists) > _KNOWN_LISTS:
                self._lists.popitem(last=False)
        return known


class _Known:
    """A list of categories, ready to sort by."""

    def __init__(self, embedder: Embedder, categories: Sequence[Category]) -> None:
        import numpy as np

        real = [category for category in categories if category.name != OTHER]
        texts = [category.texts for category in real]
        vectors = embedder.embed_documents([text for own in texts for text in own])
        nothing = len(vectors)  # a row that nothing is near
        rows = iter(range(nothing))
        places = [list(islice(rows, len(own))) for own in texts]
        widest = max(map(len, places), default=0)
        self._names = [category.name for category in real]
        self._fallback = (OTHER,) if len(real) < len(categories) else ()
        self._cues = cue_index(real)
        self._vectors = np.vstack([vectors, np.zeros_like(vectors[:1])])
        self._places = np.array([_filled(own, max(widest, NEIGHBOURS), nothing) for own in places])

    def sort(self, text: str, vector: NDArray[np.float32]) -> tuple[str, ...]:
        """The categories of a text, best first."""
        if not self._names:
            return self._fallback
        values = self._nearness(vector)
        for place in cued(text, self._cues):
            values[place] += CUE
        best_first = sorted(range(len(values)), key=values.__getitem__, reverse=True)[:MOST]
        least = max(NEAR, values[best_first[0]] * SHARE)
        return tuple(self._names[place] for place in best_first if values[place] >= least) or self._fallback

    def _nearness(self, vector: NDArray[np.float32]) -> list[float]:
        """How near an embedding is to each category: mean cosine similarity to its nearest sentences."""
        import numpy as np

        from kept.engine.vectors import dot

        similarities = dot(self._vectors, vector)[self._places]
        nearest = np.partition(similarities, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS:]
        return [float(total) / NEIGHBOURS for total in nearest.sum(axis=1)]


def _filled(own: Sequence[int], width: int, nothing: int) -> list[int]:
    """The rows of a category in a table `width` wide. One sentence alone counts as two would."""
    rows = list(own) if len(own) >= NEIGHBOURS else list(own) * NEIGHBOURS
    return rows + [nothing] * (width - len(rows))
