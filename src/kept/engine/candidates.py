"""Candidates of one partition: what each signal finds, together, and the features of each.

Two stages. Cheap signals look at every row (full text, full text of the neighbourhood, dense, date); the best of each
are the candidates. Everything else is computed for candidates only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from kept.domain import ranking
from kept.domain.entities import KnownNames, entities, names_in, without_names
from kept.domain.lexicon import HAS_TIME, IS_QUESTION
from kept.domain.temporal import DateSpan, asks_when, resolve_dates
from kept.domain.text import hashed_terms, term_hash
from kept.engine.partition import NOWHERE, ResidentPartition, code
from kept.engine.vectors import dot

Floats = NDArray[np.float32]
Slots = NDArray[np.int64]

MAX_TERMS: Final = 64
"""Query terms that are looked up, the rarest first: a pasted log has thousands, and the common ones say nothing."""
SIGNAL_CANDIDATES: Final = 60
"""Candidates that words alone and meaning alone may bring, twice as many by both together; with 150 no measured figure
changed by more than 0.1."""
SCAN_DENSE, SCAN_NEIGHBOUR, SCAN_HINT = 0.5, 0.4, 0.3
"""The rough mix that looks at every row: shares of the similarity, of a neighbour's words, of a named speaker or date."""
SESSION_POSTINGS: Final = 50_000
"""A term held by more memories is too common to tell sessions apart, and would cost more than all others together."""
_TINY: Final = float(np.finfo(np.float32).tiny)
"""In place of zero under a division."""
_DAY_MICROSECONDS: Final = 86_400_000_000
_EPOCH_DAY: Final = 719_163
"""1970-01-01 as a proleptic day number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query as one partition sees it: the names it knows are taken out before embedding and matched exactly.

    Attributes:
        terms: Distinct hashed terms, in order.
        vector: Unit vector `(dimensions,)`.
        speakers: Codes of the speakers it names.
        entities: Hashed keys of the entities it mentions.
        dates: Days it speaks of.
        asks_when: Whether it asks for a time.
    """

    terms: tuple[int, ...]
    vector: Floats
    speakers: tuple[int, ...]
    entities: tuple[int, ...]
    dates: tuple[DateSpan, ...]
    asks_when: bool


class QueryEmbedder(Protocol):
    """The half of an embedder that a search needs."""

    def embed_query(self, text: str) -> Floats:
        """As `ports.Embedder.embed_query`."""


class EmbedOnce:
    """Embeds each text of one search once, however many partitions it visits."""

    def __init__(self, embedder: QueryEmbedder) -> None:
        self._embedder = embedder
        self._known: dict[str, Floats] = {}

    def embed_query(self, text: str) -> Floats:
        """As `ports.Embedder.embed_query`."""
        if text not in self._known:
            self._known[text] = self._embedder.embed_query(text)
        return self._known[text]


def ask(text: str, reference: datetime, known: KnownNames, embedder: QueryEmbedder) -> Question:
    """Read a query.

    Args:
        text: As asked.
        reference: What its relative dates count from.
        known: Names of speakers and users.
        embedder: For the text without those names.
    """
    mentions = names_in(text, known)
    bare = without_names(text, mentions) if mentions else text
    return Question(
        terms=tuple(dict.fromkeys(hashed_terms(bare))),
        vector=embedder.embed_query(bare),
        speakers=tuple(code(mention.name) for mention in mentions),
        entities=tuple(dict.fromkeys(term_hash(entity.key) for entity in entities(bare))),
        dates=tuple(resolve_dates(text, reference)),
        asks_when=asks_when(text),
    )


@dataclass(frozen=True, slots=True)
class _Term:
    """One query term in a partition: the slots that hold it, rising, and BM25's part for each."""

    slots: NDArray[np.int32]
    weight: Floats


class Candidates:
    """The candidates of a question in a partition, and their features.

    Args:
        partition: Fresh; not changed meanwhile.
        question: What is asked.
        admitted: `(slots,)` bool; only these may be candidates. Neighbours and counts are taken from all live rows.
        wanted: How many hits the caller wants.

    Attributes:
        slots: The candidates, rising.
    """

    def __init__(
        self, partition: ResidentPartition, question: Question, admitted: NDArray[np.bool_], wanted: int
    ) -> None:
        self._partition = partition
        self._question = question
        self._terms, self._rarity, scores = self._look_up()
        self._bound = max(float(self._rarity.sum()) * (ranking.K1 + 1), _TINY)
        self._lexical = scores / np.float32(self._bound)
        self._dense = partition.vectors.similarities(question.vector)
        self._dates = self._date_nearness()
        self.slots = self._union(admitted, wanted)
        self._around = self._places()

    def features(self) -> dict[str, Floats]:
        """Every feature of `ranking.FEATURES` by name, each `(candidates,)`."""
        slots, partition, question = self.slots, self._partition, self._question
        column = {name: partition.column(name)[slots] for name in ("flags", "speaker", "length", "distinct")}
        is_question = (column["flags"] & IS_QUESTION) != 0
        has_time = (column["flags"] & HAS_TIME) != 0
        short = 1.0 / (1.0 + column["length"] / ranking.SHORT_TERMS)
        return {
            **self._full_text(_floats(short)),
            **self._similarity(),
            "speaker": _floats(np.isin(column["speaker"], question.speakers)),
            "entity": self._entity_share(),
            "date": self._dates[slots],
            "when": _floats(has_time) * np.float32(question.asks_when),
            "user": _floats(partition.column("user")[slots]),
            "question": _floats(is_question * short),
            "length": np.log1p(column["length"] / ranking.LENGTH_UNIT).astype(np.float32),
            "distinct": np.minimum(np.log1p(column["distinct"]), ranking.MOST_DISTINCT).astype(np.float32),
            "feedback": _floats(partition.column("feedback")[slots]),
        }

    def lenders(self, features: Mapping[str, Floats]) -> NDArray[np.int64]:
        """For each candidate that only echoes a neighbour, that neighbour's place among the candidates; else -1.

        It echoes the neighbour with the best full-text match if it holds no query term itself, is less similar to the
        query, and the neighbour is no question (whose answer may well use other words).
        """
        around = self._around[1:]
        matched = np.append(self._lexical, np.float32(0))[around]
        strongest = np.take_along_axis(around, matched.argmax(axis=0)[None, :], axis=0)[0]
        place = np.minimum(np.searchsorted(self.slots, strongest), max(len(self.slots) - 1, 0))
        flags = self._partition.column("flags")[strongest]
        echoes = (
            (matched.max(axis=0) > 0)
            & (features["coverage"] == 0)
            & (self.slots[place] == strongest)
            & (flags & IS_QUESTION == 0)
            & (features["dense"] < features["dense"][place])
        )
        return np.where(echoes, place, -1)

    # --- every row ---

    def _look_up(self) -> tuple[list[_Term], Floats, Floats]:
        """The query's terms, their rarity, and the full-text score of every slot: its best chunk's."""
        partition = self._partition
        live = partition.column("live")
        memories = partition.live
        all_live = memories == partition.slots
        lengths = partition.chunk_length.astype(np.float32)
        average = ranking.average_length(float(partition.live_length), partition.live_chunks)
        found, chunk_hits = [], []
        for term in self._question.terms:
            chunks, tf = partition.postings.find(term)
            slots = partition.chunk_slot[chunks]
            if not all_live and len(slots):
                kept = live[slots]
                chunks, tf, slots = chunks[kept], tf[kept], slots[kept]
            weight = ranking.saturated(tf, lengths[chunks], average)
            chunk_hits.append((chunks, weight))
            found.append(_best_of_slots(slots, weight))
        holding = np.array([len(term.slots) for term in found], np.int64)
        rarity = ranking.inverse_document_frequency(memories, holding)
        if len(found) > MAX_TERMS:
            rarest = np.sort(np.argsort(-rarity, kind="stable")[:MAX_TERMS])
            found, rarity = [found[n] for n in rarest], rarity[rarest]
            chunk_hits = [chunk_hits[n] for n in rarest]
        scores = np.zeros(partition.chunks, np.float32)
        for (chunks, weight), telling in zip(chunk_hits, rarity, strict=True):
            scores[chunks] += telling * weight
        if partition.chunks != partition.slots:
            scores = np.asarray(np.maximum.reduceat(scores, partition.column("first_chunk")), np.float32)
        return found, rarity, scores

    def _date_nearness(self) -> Floats:
        partition = self._partition
        if not self._question.dates:
            return np.zeros(partition.slots, np.float32)
        days = partition.column("created_at") // _DAY_MICROSECONDS + _EPOCH_DAY
        return ranking.date_nearness(days, self._question.dates)

    def _union(self, admitted: NDArray[np.bool_], wanted: int) -> Slots:
        """The best admitted slots by words, by meaning, and by both with neighbours, speaker and date."""
        count = max(SIGNAL_CANDIDATES, wanted)
        nothing = np.float32(-np.inf)
        lexical = np.where(admitted, self._lexical, np.float32(0))
        dense = np.where(admitted, self._dense, nothing)
        mixed = np.where(admitted, self._mixed(), nothing)
        chosen = (
            _best(lexical, count, above=0.0),
            _best(dense, count, above=-1.0),
            _best(mixed, 2 * count, above=-1.0),
        )
        return np.unique(np.concatenate(chosen))

    def _mixed(self) -> Floats:
        """A rough score of every slot."""
        partition, question = self._partition, self._question
        found = self._lexical + np.float32(SCAN_DENSE) * self._dense
        matching = np.flatnonzero(self._lexical)
        for name in ("previous", "next"):
            neighbours = partition.column(name)[matching]
            linked = neighbours != NOWHERE
            found[neighbours[linked]] += np.float32(SCAN_NEIGHBOUR) * self._lexical[matching[linked]]
        for speaker in question.speakers:
            found += np.float32(SCAN_HINT) * (partition.column("speaker") == speaker)
        if question.dates:
            found += np.float32(SCAN_HINT) * self._dates
        return found

    # --- candidates only ---

    def _full_text(self, short: Floats) -> dict[str, Floats]:
        """The features that compare terms: of the memory, its neighbours and its session."""
        places = self._around
        partition, slots, rarity = self._partition, self.slots, self._rarity
        own = np.zeros((len(self._terms), len(slots)), np.float32)
        held_near = own.copy()
        buffer = np.zeros(partition.slots + 1, np.float32)  # the last place answers for NOWHERE
        for number, term in enumerate(self._terms):
            buffer[term.slots] = term.weight
            around = buffer[places]
            buffer[term.slots] = 0.0
            own[number] = around[0]
            held_near[number] = _faded(around)
        held = own > 0
        alone = _weighted(rarity, own)
        bound, whole = np.float32(self._bound), np.float32(max(float(rarity.sum()), _TINY))
        preceding = places[1]
        follows_question = (preceding != NOWHERE) & (partition.column("flags")[preceding] & IS_QUESTION != 0)
        return {
            "full_text": self._lexical[slots],
            "coverage": _weighted(rarity, held) / whole,
            "rarest": (rarity[:, None] * held).max(axis=0, initial=0.0) / np.float32(ranking.RAREST),
            "around": (_weighted(rarity, held_near) - alone) / bound * short,
            "session": (self._session_match() - alone) / bound * short,
            "answers": self._lexical[preceding] * follows_question,
        }

    def _places(self) -> NDArray[np.int32]:
        """`(7, candidates)`: each candidate, the three before it, the three after it."""
        rows = [self.slots.astype(np.int32)]
        for name in ("previous", "next"):
            links = np.append(self._partition.column(name), np.int32(NOWHERE))
            place = rows[0]
            for _ in ranking.NEIGHBOUR_DECAY:
                place = links[place]
                rows.append(place)
        return np.stack(rows)

    def _session_match(self) -> Floats:
        """For each candidate: the terms' best matches anywhere in its session, weighted by rarity."""
        column = self._partition.column("session")
        sessions, of_candidate = np.unique(column[self.slots], return_inverse=True)
        total = np.zeros(len(sessions), np.float32)
        for term, telling in zip(self._terms, self._rarity, strict=True):
            if not 0 < len(term.slots) <= SESSION_POSTINGS:
                continue
            holding = column[term.slots]
            place = np.minimum(np.searchsorted(sessions, holding), len(sessions) - 1)
            known = sessions[place] == holding
            best = np.zeros(len(sessions), np.float32)
            np.maximum.at(best, place[known], term.weight[known])
            total += telling * best
        return total[of_candidate]

    def _similarity(self) -> dict[str, Floats]:
        """The features that compare embeddings."""
        vectors = self._partition.vectors
        mean = vectors.at(self.slots).copy()
        for name in ("previous", "next"):
            neighbours = self._partition.column(name)[self.slots]
            linked = neighbours != NOWHERE
            mean[linked] += np.float32(ranking.NEIGHBOUR_SHARE) * vectors.at(neighbours[linked].astype(np.int64))
        length = np.maximum(np.linalg.norm(mean, axis=1), np.float32(_TINY))
        return {
            "dense": dot(vectors.at(self.slots), self._question.vector),
            "surroundings": dot(mean, self._question.vector) / length,
        }

    def _entity_share(self) -> Floats:
        wanted = self._question.entities
        found = np.zeros(len(self.slots), np.float32)
        for key in wanted:
            holding, _ = self._partition.entities.find(key)
            found += np.isin(self.slots, holding)
        return found / np.float32(max(len(wanted), 1))


def _best_of_slots(slots: NDArray[np.int32], weight: Floats) -> _Term:
    """One weight for each slot: its best chunk's. Slots rise, but come once for each chunk."""
    if not len(slots):
        return _Term(slots, weight)
    first = np.flatnonzero(np.concatenate(([True], slots[1:] != slots[:-1])))
    if len(first) == len(slots):
        return _Term(slots, weight)
    return _Term(slots[first], np.maximum.reduceat(weight, first))


def _best(signal: Floats, count: int, *, above: float) -> Slots:
    """The places of the `count` greatest values above `above`, in no order.

    Only places that reach the `count`-th greatest of many column maxima are sorted: that bar can only be too low, and one
    pass finds it.
    """
    floor = np.float32(above)
    columns = _COLUMNS_EACH * count
    if len(signal) > 2 * columns:
        tops = signal[: len(signal) // columns * columns].reshape(-1, columns).max(axis=0)
        floor = max(floor, np.nextafter(np.partition(tops, columns - count)[columns - count], np.float32(-np.inf)))
    eligible = np.flatnonzero(signal > floor)
    if len(eligible) <= count:
        return eligible
    return eligible[np.argpartition(-signal[eligible], count - 1)[:count]]


_COLUMNS_EACH: Final = 8
"""Columns for each value wanted: the bar then lets through little more than is wanted."""


def _faded(around: Floats) -> Floats:
    """A term's weight in each candidate, or what is left of it from a neighbour if that is more.

    Args:
        around: `(7, candidates)`, in the order of `Candidates._places`.
    """
    best: Floats = around[0]
    for steps, decay in enumerate(ranking.NEIGHBOUR_DECAY, start=1):
        either = np.maximum(around[steps], around[steps + len(ranking.NEIGHBOUR_DECAY)])
        best = np.maximum(best, np.float32(decay) * either)
    return best


def _weighted(rarity: Floats, matches: NDArray[np.generic]) -> Floats:
    """Sum over terms of `(terms, candidates)` matches, weighted by rarity; without BLAS and its threads."""
    total: Floats = np.einsum("t,tc->c", rarity, matches, dtype=np.float32, casting="unsafe")
    return total


def _floats(values: NDArray[np.generic]) -> Floats:
    return values.astype(np.float32)
