"""Which chunk holds which term how often: a sorted main part and a small unsorted tail.

Appending is cheap, looking up is a binary search in the main part and one comparison over the tail; the tail is merged
before the comparison could be noticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_TAIL_FRACTION: Final = 8
_TAIL_POSTINGS: Final = 8_192
"""The tail is merged when it is both longer than this (a comparison over it takes 2 µs) and an eighth of the main
part, so that merging costs a constant factor of appending."""
_POSTING_BYTES: Final = 4 + 4 + 1
"""Of a term, a chunk and how often."""


@dataclass(frozen=True, slots=True)
class Matches:
    """What was found of several terms, one row a posting: by term, then by rising chunk.

    Attributes:
        term: Which of the terms asked for, by its place among them.
        chunks: Where it stands.
        tf: How often.
    """

    term: NDArray[np.int64]
    chunks: NDArray[np.int32]
    tf: NDArray[np.float32]


class Postings:
    """Term → chunks. Chunk numbers rise with every append, so those of a term do too."""

    def __init__(self) -> None:
        self._terms = np.empty(0, np.uint32)
        self._starts = np.zeros(1, np.int64)
        self._chunks = np.empty(0, np.int32)
        self._tf = np.empty(0, np.uint8)
        self._tail: list[tuple[NDArray[np.uint32], NDArray[np.int32], NDArray[np.uint8]]] = []
        self._tail_size = 0
        self._sorted_tail = np.empty(0, np.uint32)

    @property
    def size_bytes(self) -> int:
        """Memory held by the arrays."""
        main = self._terms.nbytes + self._starts.nbytes + self._chunks.nbytes + self._tf.nbytes
        return main + self._tail_size * _POSTING_BYTES

    def append(self, terms: NDArray[np.uint32], chunks: NDArray[np.int32], tf: NDArray[np.uint8]) -> None:
        """Add postings of new chunks; `chunks` must not fall and must lie after all earlier ones."""
        if not len(terms):
            return
        self._tail.append((terms, chunks, tf))
        self._tail_size += len(terms)
        self._sorted_tail = self._sorted_tail[:0]
        if self._tail_size > max(_TAIL_POSTINGS, len(self._chunks) // _TAIL_FRACTION):
            self._merge()

    def find(self, terms: Sequence[int]) -> Matches:
        """All postings of some terms, each asked for once."""
        counts: list[int] = []
        chunks, tf = [self._chunks[:0]], [self._tf[:0]]
        for term, first, last in zip(terms, *self._spans(terms), strict=True):
            chunks.append(self._chunks[first:last])
            tf.append(self._tf[first:last])
            count = last - first
            if self._tail:
                tail_terms, tail_chunks, tail_tf = self._joined_tail()
                hit = np.flatnonzero(tail_terms == np.uint32(term))
                chunks.append(tail_chunks[hit])
                tf.append(tail_tf[hit])
                count += len(hit)
            counts.append(count)
        owners = np.arange(len(counts)).repeat(counts)
        return Matches(owners, np.concatenate(chunks), np.concatenate(tf).astype(np.float32))

    def count(self, terms: NDArray[np.uint32]) -> NDArray[np.int64]:
        """How many postings each of many terms has."""
        if self._tail and not len(self._sorted_tail):
            self._sorted_tail = np.sort(self._joined_tail()[0])
        found = occurrences(self._sorted_tail, terms)
        if len(self._terms):
            place = np.minimum(self._terms.searchsorted(terms), len(self._terms) - 1)
            found += np.where(self._terms[place] == terms, self._starts[place + 1] - self._starts[place], 0)
        return found

    def _spans(self, terms: Sequence[int]) -> tuple[list[int], list[int]]:
        """Where the postings of each term begin and end in the main part."""
        wanted = np.array(terms, np.uint32)
        first = self._terms.searchsorted(wanted)
        last = self._terms.searchsorted(wanted, side="right")
        return self._starts[first].tolist(), self._starts[last].tolist()

    def _joined_tail(self) -> tuple[NDArray[np.uint32], NDArray[np.int32], NDArray[np.uint8]]:
        if len(self._tail) > 1:
            terms, chunks, tf = zip(*self._tail, strict=True)
            self._tail = [(np.concatenate(terms), np.concatenate(chunks), np.concatenate(tf))]
        return self._tail[0]

    def _merge(self) -> None:
        tail_terms, tail_chunks, tail_tf = self._joined_tail()
        terms = np.concatenate((np.repeat(self._terms, np.diff(self._starts)), tail_terms))
        order = np.argsort(terms, kind="stable")  # stable: the chunks of a term keep rising
        terms = terms[order]
        first = np.flatnonzero(np.concatenate(([True], terms[1:] != terms[:-1])))
        self._chunks = np.concatenate((self._chunks, tail_chunks))[order]
        self._tf = np.concatenate((self._tf, tail_tf))[order]
        self._terms = terms[first]
        self._starts = np.append(first, len(terms)).astype(np.int64)
        self._tail, self._tail_size = [], 0
        self._sorted_tail = self._sorted_tail[:0]


def occurrences(ordered: NDArray[np.uint32], terms: NDArray[np.uint32]) -> NDArray[np.int64]:
    """How often each of the terms stands in a sorted array."""
    if not len(ordered):
        return np.zeros(len(terms), np.int64)
    return ordered.searchsorted(terms, side="right") - ordered.searchsorted(terms)


def distinct(terms: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The distinct terms, rising, and the place of each of the given ones among them.

    As `np.unique` with its inverse, which for a hundred terms spends most of its time on what else it can do.
    """
    order = terms.argsort()
    ordered = terms[order]
    first = np.ones(len(terms), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    place = np.empty(len(terms), np.int64)
    place[order] = first.cumsum() - 1
    return ordered[first], place
