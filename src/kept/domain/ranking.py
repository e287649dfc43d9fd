"""Ranking: from what each signal says about a candidate to one score in [0, 1].

Every feature is *absolute*: it depends on the query, the memory and its neighbours, and on counts smoothed by a fixed
background, never on which other memories happen to be candidates; `linked` and `timely` alone look at other strong matches,
each as much as it is strong. So a score means the same from query to query, a
threshold works, and storing something unrelated moves no score by much.

The score is a logistic regression over the features (see `docs/explanation/retrieval.md` for how the weights were fitted
and what each is worth).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kept.domain.lexicon import IS_QUESTION, OF_SELF, TO_YOU
from kept.domain.questions import TimeIntent
from kept.domain.temporal import DateSpan

Floats = NDArray[np.float32]
Counts = NDArray[np.signedinteger]

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
MOST_LENGTH: Final = 3.5
"""Cap on the logarithm of the length in sentences: past some thirty a text is a document, and no longer one is less of an answer."""
MOST_DISTINCT: Final = 4.0
"""Cap on the logarithm of distinct terms: past some fifty, more say nothing."""
MOST_ENTITIES: Final = 3.0
"""Cap on the logarithm of entities: past some twenty, more say nothing."""
MOST_SPECIFIC: Final = 1.8
"""Most that the mean rarity of a memory's terms counts beyond the usual, or below it: a pasted log is all rare or all common."""
USUAL_RARITY: Final = 4.5
"""Mean rarity of a message's terms: a memory of ordinary words is neither helped nor held back."""

LINKING: Final = 15
"""Best candidates whose terms may lead to further ones; with 10 or 20 recall was a little lower."""
LINKING_HALF: Final = 4.7
"""Sum of the parts at which a match leads on with half its weight; between 4 and 6 no recall differed by more than 0.6."""
LINKING_TERMS: Final = 24
"""Terms that lead on, the weightiest; with 16 or 32 recall was a little lower."""
LINKING_DOUBT: Final = 3.0
"""Weight of an imagined term that leads nowhere: where no candidate is strong, nothing leads on."""

MATCHING_HALF: Final = 3.9
"""Sum of the parts at which a memory counts half as a match among those that are put in order: a score of a quarter."""
ORDER_DOUBT: Final = 0.5
"""Strength of an imagined match that is neither earlier nor later: of two strong ones the latest counts two thirds, of many all."""
_SAME_DAY, _SAME_PERIOD, _CLOSE = 1.0, 0.7, 0.3
_WEEK_DAYS, _CLOSE_DAYS = 7, 21


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One signal.

    Attributes:
        name: As in `explain`.
        weight: What a full value adds to the logit.
        weight_long: The same for a very long query, where it differs: many words make a match telling that is small
            as a share of what the query could reach. In between, see `contributions`.
        more_for_several: Added to the weight when the question asks for several things, whose answers are spread over
            sessions, so that each memory must stand for itself.
        meaning: What it says.
    """

    name: str
    weight: float
    meaning: str
    weight_long: float | None = None
    more_for_several: float = 0.0


FEATURES: Final = (
    Feature(
        name="full_text",
        weight=1.7,
        weight_long=8.0,
        meaning="BM25 of its best chunk, as a share of what the query could reach",
    ),
    Feature(
        name="coverage",
        weight=0.6,
        weight_long=3.0,
        meaning="share of the query's terms, weighted by rarity, that it holds",
    ),
    Feature(name="rarest", weight=0.5, meaning="rarity of the rarest query term that it holds"),
    Feature(
        name="around",
        weight=6.5,
        more_for_several=-2.5,
        meaning="what its neighbours add to its full-text match, if it is short",
    ),
    Feature(
        name="session",
        weight=4.0,
        more_for_several=-1.0,
        meaning="what its session adds to its full-text match, if it is short",
    ),
    Feature(name="answers", weight=1.0, meaning="full-text match of the question that it follows"),
    Feature(name="dense", weight=1.5, meaning="cosine similarity of its embedding with the query's"),
    Feature(
        name="surroundings",
        weight=3.0,
        more_for_several=-1.0,
        meaning="cosine similarity of its and its neighbours' mean embedding",
    ),
    Feature(
        name="linked",
        weight=1.0,
        more_for_several=5.0,
        meaning="what it shares with the best matches beyond the query, if it is short",
    ),
    Feature(name="speaker", weight=1.5, more_for_several=0.8, meaning="the query names its speaker"),
    Feature(name="entity", weight=1.0, meaning="share of the query's entities that it mentions"),
    Feature(name="date", weight=2.4, meaning="nearness of its time, or of a day it speaks of, to a date in the query"),
    Feature(
        name="timely",
        weight=1.5,
        weight_long=0.0,
        meaning="its days fit what the query asks for: the latest, the first, what is still to come, before or after a date",
    ),
    Feature(name="when", weight=1.4, meaning="the query asks when, and it holds a time expression"),
    Feature(name="number", weight=1.0, meaning="the query asks how many, and it holds a number"),
    Feature(name="specific", weight=0.35, meaning="mean rarity of its terms, beyond the usual"),
    Feature(name="user", weight=0.55, meaning="said by the user, in a chat with an assistant"),
    Feature(name="personal", weight=0.3, meaning="its speaker speaks of themselves"),
    Feature(name="to_you", weight=-0.25, meaning="its speaker speaks to or of the listener"),
    Feature(name="names", weight=0.2, meaning="logarithm of the number of entities that it mentions"),
    Feature(name="question", weight=-0.25, meaning="a short question, which seldom holds an answer"),
    Feature(name="length", weight=-0.35, meaning="logarithm of its length in sentences"),
    Feature(name="distinct", weight=0.2, meaning="logarithm of its distinct terms"),
    Feature(name="feedback", weight=0.5, meaning="a person's verdict, from -2 to 1"),
)
"""Fitted by `benchmarks/fit_ranking.py` on three sets of conversations and rounded; any of them can change by a fifth
and no recall moved by more than its standard error (tried shortly before the last rounding). `feedback` and `timely` were set by hand: two verdicts outweigh a named speaker, and days decide between memories that match alike."""
BIAS: Final = -5.0
"""The logit of a memory that shares nothing with the query: a score under 0.01. It puts the evidence of half of the
measured questions between people above 0.85, and the best match of half of those about something else below 0.11."""
LONG_QUERY_TERMS: Final = 10.0
"""Distinct terms at which a query counts half as long."""


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
    norm = np.float32(K1) * (np.float32(1 - B) + np.float32(B / average) * lengths)
    return np.asarray(tf * np.float32(K1 + 1) / (tf + norm), np.float32)


def date_nearness(first: NDArray[np.int64], last: NDArray[np.int64], spans: Sequence[DateSpan]) -> Floats:
    """How near each span of days is to the nearest date of the query, from 0 to 1.

    Args:
        first: Proleptic day numbers (`date.toordinal`) of the first days.
        last: Of the last days.
        spans: Dates in the query.
    """
    best = np.zeros(len(first), np.float32)
    for span in spans:
        start, end = span.start.toordinal(), span.end.toordinal() - 1
        away = np.maximum(np.maximum(start - last, first - end), 0)
        near = np.where(away <= _CLOSE_DAYS, _CLOSE, 0.0)
        if end == start:
            near = np.where(away <= _WEEK_DAYS, _SAME_PERIOD, near)
        exact = (first == last) & (end == start)
        near = np.where(away == 0, np.where(exact, _SAME_DAY, _SAME_PERIOD), near)
        best = np.maximum(best, near.astype(np.float32))
    return best


def timeliness(
    intent: TimeIntent,
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    said: NDArray[np.bool_],
    *,
    present: int,
    pivot: DateSpan | None,
) -> Floats:
    """Whether days fit the part of a history that a question asks about, 0 or 1; for what is latest or first see `succession`.

    Args:
        intent: Which part.
        first: The first days, proleptic day numbers.
        last: The last days.
        said: Whether the days are said in the text, or those on which it was told.
        present: The day from which past and future are seen.
        pivot: From which days before and after count; None where nobody knows.
    """
    if intent == "upcoming":
        return (said & (last >= present)).astype(np.float32)
    if intent not in ("before", "after") or pivot is None:
        return np.zeros(len(first), np.float32)
    fits = last < pivot.start.toordinal() if intent == "before" else first >= pivot.end.toordinal()
    return fits.astype(np.float32)


def succession(intent: TimeIntent, first: NDArray[np.int64], strength: Floats, *, present: int) -> Floats:
    """How much of what matches lies before each candidate, if the latest is asked for, or after it, if the first is: from 0 to 1.

    Only the order of days counts: of three releases the last is the latest, be it a week or a year ago. A match counts as much
    as it is strong, so that a new memory about something else is the latest of nothing.

    Args:
        intent: Which part; for others than `latest`, `now` and `earliest` 0.
        first: The first days, proleptic day numbers.
        strength: How well each matches otherwise, from `strengths`.
        present: The day from which past and future are seen: what is still to come is neither latest nor first.
    """
    if intent not in _ORDERED:
        return np.zeros(len(first), np.float32)
    happened = strength if intent == "now" else strength * (first <= present)
    days, place = np.unique(first, return_inverse=True)
    by_day = np.bincount(place, happened, len(days))
    upto = by_day.cumsum()
    passed = (upto[-1] - upto if intent == "earliest" else upto - by_day)[place]
    share = passed / (upto[-1] - happened + ORDER_DOUBT)
    return np.asarray(happened * share, np.float32)


_ORDERED: Final = ("latest", "now", "earliest")


def standing(
    *,
    length: Counts,
    distinct: Counts,
    flags: NDArray[np.uint8],
    entities: Counts,
    by_user: NDArray[np.bool_],
    feedback: NDArray[np.int8],
) -> Floats:
    """The features that a memory has whatever is asked: `(memories, len(STANDING))` float32, in the order of `STANDING`.

    Args:
        length: Terms.
        distinct: Distinct terms.
        flags: Bits, see `domain.lexicon`.
        entities: Entities that it mentions.
        by_user: Whether the user said it.
        feedback: A person's verdict, from -2 to 1.
    """
    features = (
        by_user,
        flags & OF_SELF != 0,
        flags & TO_YOU != 0,
        np.minimum(np.log1p(entities), MOST_ENTITIES),
        (flags & IS_QUESTION != 0) * shortness(length),
        np.minimum(np.log1p(length / LENGTH_UNIT), MOST_LENGTH),
        np.minimum(np.log1p(distinct), MOST_DISTINCT),
        feedback,
    )
    return np.stack(features, axis=1).astype(np.float32)


def specific(rarity: NDArray[np.number], counts: NDArray[np.int64]) -> Floats:
    """How far the mean rarity of each memory's terms lies beyond the usual, within bounds; 0 for one without terms.

    Args:
        rarity: Sum over its terms.
        counts: How many these are.
    """
    beyond = np.clip(rarity / np.maximum(counts, 1) - USUAL_RARITY, -MOST_SPECIFIC, MOST_SPECIFIC)
    return np.where(counts > 0, beyond, 0).astype(np.float32)


def shortness(length: Counts) -> Floats:
    """How short each memory is: 1 for an empty one, 0.5 at `SHORT_TERMS` terms."""
    return np.float32(1) / (np.float32(1) + length.astype(np.float32) / np.float32(SHORT_TERMS))


def contributions(features: Mapping[str, Floats], weights: Floats) -> Floats:
    """What each feature adds to the logit: `(len(PARTS), candidates)` float32, in the order of `PARTS`; no echoes yet.

    Args:
        features: Values by name, each `(candidates,)`.
        weights: From `weights`.
    """
    values = np.concatenate([features[feature.name] for feature in FEATURES]).reshape(len(FEATURES), -1)
    parts = np.zeros((len(PARTS), values.shape[1]), np.float32)
    np.multiply(values, weights[:, None], out=parts[:-1])
    return parts


def hold_back_echoes(parts: Floats, lenders: NDArray[np.int64]) -> None:
    """Set the last of the contributions, which keeps an echo from outranking what it echoes.

    An echo ("Got it, Docker on Fridays") holds none of the query's terms and owes its place to a neighbour that says
    more. Its logit is held below that neighbour's.

    Args:
        parts: From `contributions`, `(len(PARTS), candidates)`.
        lenders: For each candidate that is an echo the place of the candidate it echoes, else -1.
    """
    echoes = (lenders >= 0).nonzero()[0]
    if len(echoes):
        total = parts[:-1].sum(axis=0)
        limit = total[lenders[echoes]] - np.float32(_ECHO_BELOW)
        parts[-1, echoes] = np.minimum(limit - total[echoes], np.float32(0))


_ECHO_BELOW: Final = 0.5
"""How far below, in the logit. More costs recall where the answer to a statement is what was asked for: measured 0.2
points at 0.5, 0.6 at 1."""

PARTS: Final = (*(feature.name for feature in FEATURES), "echo")
"""What a score is made of, in the order of the rows of `contributions`."""

LINKED: Final = PARTS.index("linked")
TIMELY: Final = PARTS.index("timely")
"""The rows of the features that depend on others: `linked` on all, `timely` on all but that one."""

STANDING: Final = ("user", "personal", "to_you", "names", "question", "length", "distinct", "feedback")
"""Features that do not depend on the query, in the order of the columns of `standing`."""


@lru_cache(maxsize=1024)
def weights(query_terms: int, *, several: bool = False, skipped: frozenset[str] = frozenset()) -> Floats:
    """The weight of each feature: `(len(FEATURES),)`; not to be changed.

    Args:
        query_terms: Distinct terms of the query, which say how long it is.
        several: Whether it asks for several things.
        skipped: Features that are switched off.
    """
    longness = query_terms / (query_terms + LONG_QUERY_TERMS)
    return np.array(
        [0.0 if feature.name in skipped else _weight(feature, longness, several=several) for feature in FEATURES],
        np.float32,
    )


def _weight(feature: Feature, longness: float, *, several: bool) -> float:
    weight = feature.weight + several * feature.more_for_several
    return weight if feature.weight_long is None else weight + longness * (feature.weight_long - feature.weight)


# One hop more: a name or a rare word of a strong hit leads to the other memories that hold it, whether or not they share a
# word with the question. What leads on from a memory does not count for itself.


def strengths(parts: Floats) -> Floats:
    """How strong a match each candidate is: `(candidates,)`, from 0 to 1.

    Args:
        parts: Contributions of all other features, as `contributions` gives them.
    """
    return _logistic(parts.sum(axis=0) - np.float32(MATCHING_HALF))


def leads(parts: Floats) -> Floats:
    """How much each candidate leads on to others: `(candidates,)`, from 0 to 1, 0 for all but the best.

    Args:
        parts: Contributions of all other features, as `contributions` gives them.
    """
    total = parts.sum(axis=0)
    strength = np.zeros(len(total), np.float32)
    best = (-total).argsort(kind="stable")[:LINKING]
    strength[best] = _logistic(total[best] - np.float32(LINKING_HALF))
    return strength


def told(terms: NDArray[np.int64], given: NDArray[np.number], known: int) -> NDArray[np.float64]:
    """How much the leads say of each term together: `(known,)`, 0 for all but the weightiest.

    Args:
        terms: For each term of each lead its number, below `known`; none twice of one lead.
        given: The lead's strength times the term's rarity.
        known: How many terms there are.
    """
    total = np.bincount(terms, given, known).astype(np.float64)
    total[(-total).argsort(kind="stable")[LINKING_TERMS:]] = 0
    return total


def linked(owner: NDArray[np.int64], gained: NDArray[np.number], candidates: int, total: float) -> Floats:
    """How much each candidate shares of what the best ones say beyond the question: `(candidates,)`, from 0 to 1.

    Args:
        owner: For each leading term of each candidate that candidate.
        gained: What the others tell of the term.
        candidates: How many there are.
        total: The sum of all that is `told`.
    """
    found = np.bincount(owner, np.maximum(gained, 0), candidates) / (total + LINKING_DOUBT)
    return np.asarray(found, np.float32)


def scores(parts: Floats) -> Floats:
    """Contributions to scores in [0, 1], higher is more relevant: the logistic function of their sum and the bias."""
    return _logistic(parts.sum(axis=0) + np.float32(BIAS))


def _logistic(values: Floats) -> Floats:
    return np.float32(1) / (np.float32(1) + np.exp(-values))
