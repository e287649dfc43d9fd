"""Sorts memories into a project's categories, without a language model: by embedding similarity, and by cues.

The embedding is the one that the index stores anyway, so that sorting costs a matrix product and no second look at the text.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from kept.domain.categories import DEFAULTS, OTHER, Category, cued, parse_categories_setting
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
NEAR: Final = 0.20
"""Cosine similarity from which a text is of a category. Of 60 labelled sentences the first category was right for 47 with it, 44 with
0.25, 40 with 0.3 (before the cues were extended); on the 44 of the tests, which nothing was chosen by, for 35."""
CUE: Final = 0.20
"""What a cue adds: half of what is needed, so that a lone cue in a sentence about something quite else is not enough."""
SHARE: Final = 0.75
"""Of the best category's value: what lies further below is a neighbour, not a second subject."""
_KNOWN_LISTS: Final = 256
"""Lists of categories whose vectors are kept: one for each project that is at work."""


class Categories:
    """Sorts into lists of categories.

    Args:
        embedder: The index's.
        registry: Holds the projects' own lists.
    """

    def __init__(self, embedder: Embedder, registry: Registry) -> None:
        self._embedder = embedder
        self._registry = registry
        self._vectors: OrderedDict[tuple[Category, ...], tuple[NDArray[np.float32], list[int]]] = OrderedDict()
        self._mutex = threading.Lock()

    def of_project(self, project: str) -> tuple[Category, ...]:
        """A project's categories: its own, or Mem0's fifteen."""
        entry = self._registry.find(PROJECT, project)
        own = entry.data.get("custom_categories") if entry else None
        return parse_categories_setting(own) if own else DEFAULTS

    def sorter(self, project: str, own: object = None) -> Categorise:
        """What sorts a project's memories.

        Args:
            project: The project.
            own: A call's own list, in place of the project's.

        Raises:
            InvalidInputError: That list cannot be used.
        """
        categories = parse_categories_setting(own, described=True) if own else self.of_project(project)
        return lambda texts, vectors: self.sort(texts, vectors, categories)

    def sort_text(self, project: str, text: str) -> tuple[str, ...]:
        """The categories of one text."""
        return self.sorter(project)([text], self._embedder.embed_documents([text]))[0]

    def sort(
        self, texts: Sequence[str], vectors: NDArray[np.float32], categories: Sequence[Category]
    ) -> list[tuple[str, ...]]:
        """The categories of each text, best first; `misc`, where there is one, of what is near none."""
        import numpy as np

        real = tuple(category for category in categories if category.name != OTHER)
        fallback = (OTHER,) if len(real) < len(categories) else ()
        if not real or not texts:
            return [fallback] * len(texts)
        about, starts = self._about(real)
        nearness = np.maximum.reduceat(vectors @ about.T, starts, axis=1)
        found = []
        for text, row in zip(texts, nearness, strict=True):
            values = row + CUE * np.array(cued(text, real), np.float32)
            best = float(values.max())
            chosen = [int(place) for place in np.argsort(-values)[:MOST] if values[place] >= max(NEAR, best * SHARE)]
            found.append(tuple(real[place].name for place in chosen) or fallback)
        return found

    def _about(self, categories: tuple[Category, ...]) -> tuple[NDArray[np.float32], list[int]]:
        """Vectors of what each category is about, and where each category's begin."""
        with self._mutex:
            known = self._vectors.get(categories)
            if known is not None:
                self._vectors.move_to_end(categories)
                return known
        texts: list[str] = []
        starts: list[int] = []
        for category in categories:
            starts.append(len(texts))
            texts += category.texts
        made: tuple[Any, list[int]] = (self._embedder.embed_documents(texts), starts)
        with self._mutex:
            self._vectors[categories] = made
            while len(self._vectors) > _KNOWN_LISTS:
                self._vectors.popitem(last=False)
        return made
