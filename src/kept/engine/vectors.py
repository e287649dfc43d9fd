"""The embeddings of a partition and their similarity with a query.

Up to `EXACT_ROWS` rows the vectors are float32 and every similarity is exact. Above, a vector is kept as its signs (one
bit a dimension) and as int8: the signs choose the nearest `SHORTLIST` rows, whose similarity is then computed from int8.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kept.engine.growth import grown

Slots = NDArray[np.int64] | NDArray[np.int32]

EXACT_ROWS: Final = 131_072
"""Up to here float32: 134 MB at 256 dimensions, and a product over all rows within some 20 ms."""
SHORTLIST: Final = 4_096
"""Rows of a large partition whose similarity is computed: the others' signs say that they are far."""
_INT8_SCALE: Final = 127.0


class Vectors:
    """Unit vectors, one a slot, as they were appended.

    Args:
        dimensions: Length of each.
    """

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self.rows = 0
        self._exact: NDArray[np.float32] | None = np.zeros((0, dimensions), np.float32)
        self._codes = np.zeros((0, dimensions), np.int8)
        self._scales = np.zeros(0, np.float32)
        self._signs = np.zeros((0, _words(dimensions)), np.uint64)

    @property
    def size_bytes(self) -> int:
        """Memory held by the arrays."""
        exact = 0 if self._exact is None else self._exact.nbytes
        return exact + self._codes.nbytes + self._scales.nbytes + self._signs.nbytes

    @property
    def is_exact(self) -> bool:
        """Whether every similarity is computed."""
        return self._exact is not None

    def append(self, blobs: Sequence[bytes]) -> None:
        """Add float16 little-endian vectors as stored."""
        vectors = np.frombuffer(b"".join(blobs), "<f2").reshape(len(blobs), self.dimensions).astype(np.float32)
        if self._exact is not None and self.rows + len(vectors) > EXACT_ROWS:
            self._encode(self._exact[: self.rows], 0)
            self._exact = None
        if self._exact is None:
            self._encode(vectors, self.rows)
        else:
            self._exact = grown(self._exact, self.rows + len(vectors))
            self._exact[self.rows : self.rows + len(vectors)] = vectors
        self.rows += len(vectors)

    def similarities(self, query: NDArray[np.float32], shortlist: int = SHORTLIST) -> NDArray[np.float32]:
        """Cosine similarity of each row with a unit query: `(rows,)` float32 in [-1, 1], higher is nearer.

        Of a large partition, rows that are not among the `shortlist` nearest by sign have 0.
        """
        if self._exact is not None:
            return dot(self._exact[: self.rows], query)
        near = self._nearest_by_sign(query, min(shortlist, self.rows))
        found = np.zeros(self.rows, np.float32)
        found[near] = dot(self._codes[near].astype(np.float32), query) * self._scales[near]
        return found

    def complete(self, similarities: NDArray[np.float32], query: NDArray[np.float32], slots: Slots) -> None:
        """Set what `similarities` left out of a large partition for some slots, within int8 rounding."""
        similarities[slots] = dot(self.at(slots), query)

    def at(self, slots: Slots) -> NDArray[np.float32]:
        """The vectors of some slots: `(len(slots), dimensions)` float32, a copy, within int8 rounding if not exact."""
        if self._exact is not None:
            return self._exact[slots]
        return self._codes[slots].astype(np.float32) * self._scales[slots, None]

    def _nearest_by_sign(self, query: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        differing = np.bitwise_count(self._signs[: self.rows] ^ _packed(query[None, :]))
        distances = np.zeros(self.rows, np.uint16)
        for word in range(differing.shape[1]):  # some four long passes; a sum over rows would be a million short ones
            distances += differing[:, word]
        if count >= self.rows:
            return np.arange(self.rows)
        # Counting sort: the distance below which `count` rows lie, in one pass and without a sort.
        limit = int(np.searchsorted(np.cumsum(np.bincount(distances)), count))
        return np.flatnonzero(distances <= limit)

    def _encode(self, vectors: NDArray[np.float32], first: int) -> None:
        last = first + len(vectors)
        self._codes = grown(self._codes, last)
        self._scales = grown(self._scales, last)
        self._signs = grown(self._signs, last)
        scales = np.maximum(np.abs(vectors).max(axis=1, initial=0.0), np.finfo(np.float32).tiny) / _INT8_SCALE
        self._codes[first:last] = np.rint(vectors / scales[:, None])
        self._scales[first:last] = scales
        self._signs[first:last] = _packed(vectors)


def dot(vectors: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Dot product of each row with the query, on one thread.

    `vectors @ query` would go to BLAS, whose threads wait for each other on a busy machine: measured on two cores, 50,000
    rows of 256 took 2 ms this way, 5 to 16 ms that way.
    """
    product: NDArray[np.float32] = np.vecdot(vectors, query)
    return product


def _words(dimensions: int) -> int:
    return -(-dimensions // 64)


def _packed(vectors: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Signs as bits, 64 to a word; padding bits are 0 and so never differ."""
    bits = np.packbits(vectors > 0, axis=1)
    room = np.zeros((len(vectors), _words(vectors.shape[1]) * 8), np.uint8)
    room[:, : bits.shape[1]] = bits
    return room.view(np.uint64)
