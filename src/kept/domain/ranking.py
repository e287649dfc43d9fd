"""Ranking: from what each signal says about a candidate to one score in [0, 1].

Every feature is *absolute*: it depends on the query, the memory and its neighbours, and on counts smoothed by a fixed
background, never on which other memories happen to be candidates. So a score means the same from query to query, a
threshold works, and storing something unrelated moves no score by much.

The score is a logistic regression over the features (see `docs/explanation/retrieval.md` for how the weights were fitted
and what each is worth).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kept.domain.temporal import DateSpan

Floats = NDArray[np.float32]

K1: Final = 1.2
B: Final = 0.75
"""BM25's saturation and length normalisation (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and
Beyond", 2009); the usual values, which are also the best of the measured ones."""

BACKGROUND_MEMORIES: Final = 200
"""Imagined memories that hold none of the query's terms, added to every partition: in a store of five memories a term
is as telling as in one of fifty."""
BACKGROUND_LENGTH: Final = 25.0
"""Terms in each of them: a chat message."""

NEIGHBOUR_DECAY: Final = (0.7, 0.4, 0.2)
"""How much of a term's weight counts for the first, second and third neighbour of the memory that holds it."""
NEIGHBOUR_SHARE: Final = 0.5
"""Weight of each neighbour's embedding in the mean of a memory's surroundings."""
RAREST: Final = 7.0
"""Inverse document frequency of a term that one memory in a thousand holds: the scale of the rarest match."""

SHORT_TERMS: Final = 40.0
"""Terms at which a question counts half as short."""
LENGTH_UNIT: Final = 12.0
"""Terms in a sentence: the unit of a memory's length."""
MOST_DISTINCT: Final = 4.0
"""Cap on the logarithm of distinct terms: past some fifty, more say nothing."""

_SAME_DAY, _SAME_PERIOD, _CLOSE = 1.0, 0.7, 0.3
_WEEK_DAYS, _CLOSE_DAYS = 7, 21


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One signal: its name in `explain`, its weight, and what it says."""

    name: str
    weight: float
    meaning: str


FEATURES: Final = (
    Feature(name="full_text", weight=4.0, meaning="BM25 of its best chunk, as a share of what the query could reach"),
    Feature(name="coverage", weight=3.0, meaning="share of the query's terms, weighted by rarity, that it holds"),
    Feature(name="rarest", weight=1.0, meaning="rarity of the rarest query term that it holds"),
    Feature(name="before", weight=5.0, meaning="what the memories before it add to its full-text match, if it is short"),
    Feature(name="after", weight=5.0, meaning="what the memories after it add to its full-text match, if it is short"),
    Feature(name="around", weight=10.0, meaning="what its neighbours add to its full-text match, if it is short"),
    Feature(name="session", weight=7.0, meaning="what its session adds to its full-text match, if it is short"),
    Feature(name="answers", weight=3.0, meaning="full-text match of the question that it follows"),
    Feature(name="dense", weight=3.0, meaning="cosine similarity of its embedding with the query's"),
    Feature(name="surroundings", weight=5.0, meaning="cosine similarity of its and its neighbours' mean embedding"),
    Feature(name="speaker", weight=2.5, meaning="the query names its speaker"),
    Feature(name="entity", weight=0.5, meaning="share of the query's entities that it mentions"),
    Feature(name="date", weight=5.0, meaning="nearness of its time to a date in the query"),
    Feature(name="when", weight=1.0, meaning="the query asks when, and it holds a time expression"),
    Feature(name="user", weight=1.5, meaning="said by the user, in a chat with an assistant"),
    Feature(name="question", weight=-0.6, meaning="a short question, which seldom holds an answer"),
    Feature(name="length", weight=-0.25, meaning="logarithm of its length in sentences"),
    Feature(name="distinct", weight=0.7, meaning="logarithm of its distinct terms"),
    Feature(name="feedback", weight=0.5, meaning="a person's verdict, from -2 to 1"),
)
BIAS: Final = -9.5
"""The sum of a memory that shares nothing with the query."""


def inverse_document_frequency(memories: int, holding: NDArray[np.int64]) -> Floats:
    """How telling each term is: `(terms,)` float32, above 0, smoothed by the background.

    Args:
        memories: In the partition.
        holding: How many of them hold each term.
    """
    total = memories + BACKGROUND_MEMORIES
    return np.log1p((total - holding + 0.5) / (holding + 0.5)).astype(np.float32)


def average_length(lengths_sum: float, count: int) -> float:
    """Mean number of terms, smoothed by the background."""
    return (lengths_sum + BACKGROUND_MEMORIES * BACKGROUND_LENGTH) / (count + BACKGROUND_MEMORIES)


def saturated(tf: Floats, lengths: Floats, average: float) -> Floats:
    """BM25's part of a term, without its rarity: from 0 to `K1 + 1`."""
    return tf * np.float32(K1 + 1) / (tf + np.float32(K1) * (np.float32(1 - B) + np.float32(B / average) * lengths))


def date_nearness(days: NDArray[np.int64], spans: Sequence[DateSpan]) -> Floats:
    """How near each day is to the nearest date of the query, from 0 to 1.

    Args:
        days: Proleptic day numbers (`date.toordinal`).
        spans: Dates in the query.
    """
    best = np.zeros(len(days), np.float32)
    for span in spans:
        first, last = span.start.toordinal(), span.end.toordinal() - 1
        away = np.maximum(np.maximum(first - days, days - last), 0)
        inside = _SAME_DAY if last == first else _SAME_PERIOD
        near = np.where(away <= _CLOSE_DAYS, _CLOSE, 0.0)
        if last == first:
            near = np.where(away <= _WEEK_DAYS, _SAME_PERIOD, near)
        best = np.maximum(best, np.where(away == 0, inside, near).astype(np.float32))
    return best


def contributions(features: Mapping[str, Floats], *, skipped: frozenset[str] = frozenset()) -> Floats:
    """What each feature adds to the logit: `(len(FEATURES), candidates)` float32, in the order of `FEATURES`.

    Args:
        features: Values by name, each `(candidates,)`.
        skipped: Features that are switched off.
    """
    weights = [0.0 if feature.name in skipped else feature.weight for feature in FEATURES]
    return np.stack([np.float32(w) * features[f.name] for w, f in zip(weights, FEATURES, strict=True)])


def scores(parts: Floats) -> Floats:
    """Contributions to scores in [0, 1], higher is more relevant: the logistic function of their sum and the bias."""
    return (1.0 / (1.0 + np.exp(-(parts.sum(axis=0) + np.float32(BIAS))))).astype(np.float32)


