"""Candidates of one partition: what each signal finds, together, and the features of each.

Two stages. Cheap signals look at every row (full text, full text of the neighbourhood, dense, date); the best of each
are the candidates. Everything else is computed for candidates only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from kept.domain import ranking
from kept.domain.entities import KnownNames, entities, names_in, without_names
from kept.domain.lexicon import HAS_NUMBER, HAS_TIME, IS_QUESTION
from kept.domain.questions import TimeIntent, asks_for_several, asks_how_many, time_intent
from kept.domain.temporal import DateSpan, asks_when, resolve_dates
from kept.domain.text import hashed_terms, term_hash
from kept.engine.partition import NEXT, NOWHERE, PREVIOUS, REACH, ResidentPartition, code
from kept.engine.postings import distinct

Floats = NDArray[np.float32]
Slots = NDArray[np.int64]

MAX_TERMS: Final = 64
"""Query terms that are looked up, the rarest first: a pasted log has thousands, and the common ones say nothing."""
SIGNAL_CANDIDATES: Final = 45
"""Candidates that words alone and meaning alone may bring, twice as many by both together. For ten hits, with 45 recall@10
of LoCoMo and BEAM was that of 60 for fifty hits, multi-hop 0.2 lower."""
SCAN_DENSE, SCAN_NEIGHBOUR, SCAN_HINT = 0.5, 0.4, 0.3
"""The rough mix that looks at every row: shares of the similarity, of a neighbour's words, of a named speaker or date."""
SESSION_POSTINGS: Final = 50_000
"""A term held by more memories is too common to tell sessions apart, and would cost more than all others together."""
BUFFER_VALUES: Final = 4_194_304
"""Terms are spread over all slots so many values (16 MB) at a time."""
WHOLE: Final = 1 - 1e-4
"""Coverage from which a memory holds every query term: the sum of the shares is not exact."""
_NOTHING: Final = np.zeros(1, np.float32)
"""Put behind the slots, it answers for `NOWHERE`, which is -1."""
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
        intent: The part of a history that it asks about, if it says so.
        pivot: The days from which it counts before and after; None until they are known.
        present: The day from which that is seen, a proleptic day number.
        asks_when: Whether it asks for a time.
        asks_how_many: Whether it asks for a number.
        several: Whether it asks for several things.
    """

    terms: tuple[int, ...]
    vector: Floats
    speakers: tuple[int, ...]
    entities: tuple[int, ...]
    dates: tuple[DateSpan, ...]
    intent: TimeIntent | None
    pivot: DateSpan | None = None
    present: int
    asks_when: bool
    asks_how_many: bool
    several: bool


class QueryEmbedder(Protocol):
    """The half of an embedder that a search needs."""

    def embed_query(self, text: str) -> Floats:
        """As `ports.Embedder.embed_query`."""


class NotEmbeddedError(Exception):
    """A search cannot go on before a text of it is embedded.

    Attributes:
        text: Which.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class Embedded:
    """What of a search is embedded already; for where nobody may be asked."""

    def __init__(self, known: Mapping[str, Floats]) -> None:
        self._known = known

    def embed_query(self, text: str) -> Floats:
        """As `ports.Embedder.embed_query`.

        Raises:
            NotEmbeddedError: It is not.
        """
        if text not in self._known:
            raise NotEmbeddedError(text)
        return self._known[text]


class EmbedOnce:
    """Embeds each text of one search once, however many partitions it visits.

    Attributes:
        embedded: What is so far.
    """

    def __init__(self, embedder: QueryEmbedder) -> None:
        self._embedder = embedder
        self._known: dict[str, Floats] = {}
        self.embedded = Embedded(self._known)

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
        intent=time_intent(text),
        present=reference.toordinal(),
        asks_when=asks_when(text),
        asks_how_many=asks_how_many(text),
        several=asks_for_several(text),
    )


@dataclass(frozen=True, slots=True)
class _Held:
    """Which slots hold which of the query's terms, one row a pair: by term, then by rising slot.

    Attributes:
        term: Place of the term among the query's.
        weight: BM25's part of the slot's best chunk, without the term's rarity.
    """

    term: Slots
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
        self._held, self._rarity, self._lexical = self._look_up(question.terms)
        self._bound = np.float32(max(float(self._rarity.sum()) * (ranking.K1 + 1), _TINY))
        self._lexical /= self._bound
        self._dense = partition.vectors.similarities(question.vector)
        self._dates = self._date_nearness()
        self.slots = self._union(admitted, wanted)
        self._around = np.concatenate((self.slots[None, :], partition.column("around")[self.slots].T))

    def contributions(self, *, skipped: frozenset[str] = frozenset()) -> Floats:
        """What each part adds to the logit: `(len(ranking.PARTS), candidates)`.

        Args:
            skipped: Features that are switched off; they do not say which candidates lead on to others either.
        """
        weights = self._weights(skipped)
        found, parts = self._found(weights)
        parts[ranking.LINKED] = weights[ranking.LINKED] * self._linked(parts)
        ranking.hold_back_echoes(parts, self._lenders(found))
        return parts

    def features(self) -> dict[str, Floats]:
        """Every feature of `ranking.FEATURES` by name, each `(candidates,)`."""
        found, parts = self._found(self._weights(frozenset()))
        return found | {"linked": self._linked(parts)}

    def _found(self, weights: Floats) -> tuple[dict[str, Floats], Floats]:
        """The features but for `linked`, and what they add."""
        found = self._unlinked()
        parts = ranking.contributions(found, weights)
        if self._question.intent:
            succession = self._succession(parts)
            found["timely"] = found["timely"] + succession
            parts[ranking.TIMELY] += weights[ranking.TIMELY] * succession
        return found, parts

    def _weights(self, skipped: frozenset[str]) -> Floats:
        question = self._question
        return ranking.weights(len(question.terms), several=question.several, skipped=skipped)

    def _unlinked(self) -> dict[str, Floats]:
        """The features, `linked` still 0: what it is depends on all others."""
        slots, partition, question = self.slots, self._partition, self._question
        flags = partition.column("flags").take(slots)
        return {
            **self._full_text(),
            **self._similarity(),
            "speaker": self._named(slots),
            "entity": self._entity_share(),
            "date": self._dates[slots],
            "timely": self._timely(),
            "when": _floats(flags & HAS_TIME != 0) * np.float32(question.asks_when),
            "number": _floats(flags & HAS_NUMBER != 0) * np.float32(question.asks_how_many),
            "specific": partition.specific(slots),
            "linked": np.zeros(len(slots), np.float32),
            **dict(zip(ranking.STANDING, partition.column("standing").take(slots, axis=0).T, strict=True)),
        }

    def _lenders(self, features: Mapping[str, Floats]) -> Slots:
        """For each candidate that only echoes a neighbour, that neighbour's place among the candidates; else -1.

        It echoes the neighbour with the best full-text match if it is less similar to the query, that one is no question
        (whose answer may well use other words), and it holds no query term itself, or fewer than a neighbour that holds all.
        """
        lenders = np.full(len(self.slots), NOWHERE)
        coverage, dense = features["coverage"], features["dense"]
        echoes = (coverage < WHOLE).nonzero()[0]
        around = self._around[1:, echoes]
        matched = self._lexical[around]
        strongest = around[matched.argmax(axis=0), np.arange(len(echoes))]
        place = np.minimum(self.slots.searchsorted(strongest), len(self.slots) - 1)
        found = (
            (matched.max(axis=0) > 0)
            & (self.slots[place] == strongest)
            & (self._partition.column("flags")[strongest] & IS_QUESTION == 0)
            & (dense[echoes] < dense[place])
            & ((coverage[echoes] == 0) | (coverage[place] >= WHOLE))
        )
        lenders[echoes[found]] = place[found]
        return lenders

    # --- every row ---

    def _look_up(self, terms: Sequence[int]) -> tuple[_Held, Floats, Floats]:
        """Who holds the terms, their rarity, and the full-text score of every slot: its best chunk's.

        The scores are `(slots + 1,)`: the last place answers for `NOWHERE`.
        """
        partition = self._partition
        live = partition.column("live")
        found = partition.postings.find(terms)
        term, chunks, tf = found.term, found.chunks, found.tf
        if partition.live != partition.slots:
            kept = live[partition.chunk_slot[chunks]]
            term, chunks, tf = term[kept], chunks[kept], tf[kept]
        average = ranking.average_length(float(partition.live_length), partition.live_chunks)
        weight = ranking.saturated(tf, _floats(partition.chunk_length[chunks]), average)
        one_each = partition.chunks == partition.slots  # then a chunk's number is its slot
        held = _Held(term, chunks, weight) if one_each else _best_chunks(term, partition.chunk_slot[chunks], weight)
        rarity = ranking.inverse_document_frequency(partition.live, np.bincount(held.term, minlength=len(terms)))
        if len(terms) > MAX_TERMS:
            rarest = np.sort(np.argsort(-rarity, kind="stable")[:MAX_TERMS])
            return self._look_up([terms[n] for n in rarest])
        scores = np.bincount(chunks, rarity[term] * weight, partition.chunks + 1)
        if not one_each:
            scores = np.maximum.reduceat(scores, np.append(partition.column("first_chunk"), partition.chunks))
        return held, rarity, _floats(scores)

    def _date_nearness(self) -> Floats:
        partition, dates = self._partition, self._question.dates
        if not dates:
            return np.zeros(partition.slots, np.float32)
        days = self._days_told()
        near = ranking.date_nearness(days, days, dates)
        slots, first, last = partition.spans.T
        np.maximum.at(near, slots, ranking.date_nearness(first, last, dates))
        return near

    def _union(self, admitted: NDArray[np.bool_], wanted: int) -> Slots:
        """The best admitted slots by words, by meaning, and by both with neighbours, speaker and date."""
        count = max(SIGNAL_CANDIDATES, wanted)
        lexical, dense, mixed = self._lexical[:-1], self._dense, self._mixed()
        if not admitted.all():
            lexical, dense, mixed = (np.where(admitted, signal, -np.inf) for signal in (lexical, dense, mixed))
        chosen = np.zeros(len(admitted), np.bool_)
        chosen[_best(lexical, count, above=0.0)] = True
        chosen[_best(dense, count, above=-1.0)] = True
        chosen[_best(mixed, 2 * count, above=-1.0)] = True
        return chosen.nonzero()[0]

    def _mixed(self) -> Floats:
        """A rough score of every slot."""
        around, question = self._partition.column("around"), self._question
        found = self._lexical[:-1] + np.float32(SCAN_DENSE) * self._dense
        for place in (PREVIOUS, NEXT):
            found += np.float32(SCAN_NEIGHBOUR) * self._lexical[around[:, place]]
        if question.speakers:
            found += np.float32(SCAN_HINT) * self._named(slice(None))
        if question.dates:
            found += np.float32(SCAN_HINT) * self._dates
        return found

    def _named(self, slots: Slots | slice) -> Floats:
        """1 for each of the slots whose speaker the query names, else 0."""
        speaker = self._partition.column("speaker")[slots]
        named = np.zeros(len(speaker), np.bool_)
        for known in self._question.speakers:
            named |= speaker == known
        return _floats(named)

    # --- candidates only ---

    def _full_text(self) -> dict[str, Floats]:
        """The features that compare terms: of the memory, its neighbours and its session."""
        rarity = self._rarity
        own, near, session = self._spread()
        held = own > 0
        alone = _weighted(rarity, own)
        whole = np.float32(max(float(rarity.sum()), _TINY))
        short = self._partition.column("shortness").take(self.slots)
        preceding = self._around[1 + PREVIOUS]
        follows_question = self._partition.column("flags").take(preceding) & IS_QUESTION != 0
        return {
            "full_text": self._lexical.take(self.slots),
            "coverage": _weighted(rarity, held) / whole,
            "rarest": (rarity[:, None] * held).max(axis=0, initial=0.0) / np.float32(ranking.RAREST),
            "around": (_weighted(rarity, near) - alone) / self._bound * short,
            "session": (_weighted(rarity, session) - alone) / self._bound * short,
            "answers": self._lexical.take(preceding) * follows_question,
        }

    def _spread(self) -> tuple[Floats, Floats, Floats]:
        """Each term's weight in each candidate; what is left of it from a neighbour, if that is more; its best in the session.

        All are `(terms, candidates)`.
        """
        partition, held, terms = self._partition, self._held, len(self._rarity)
        own, near, session = (np.zeros((terms, len(self.slots)), np.float32) for _ in range(3))
        numbers = partition.column("session_number")
        telling = np.bincount(held.term, minlength=terms) <= SESSION_POSTINGS
        width = max(partition.slots + 1, partition.sessions)  # the last place answers for NOWHERE
        at_once = max(BUFFER_VALUES // width, 1)
        for first in range(0, terms, at_once):
            block = slice(first, min(first + at_once, terms))
            rows = slice(*held.term.searchsorted((block.start, block.stop)))
            start, slots, weight = (held.term[rows] - first) * width, held.slots[rows], held.weight[rows]
            room = np.zeros((block.stop - first, width), np.float32)
            room.reshape(-1)[start + slots] = weight
            around = room.take(self._around, axis=1)
            own[block], near[block] = around[:, 0], _faded(around)
            if not telling[block].all():
                kept = telling[held.term[rows]]
                start, slots, weight = start[kept], slots[kept], weight[kept]
            room = np.zeros_like(room)
            np.maximum.at(room.reshape(-1), start + numbers.take(slots), weight)
            session[block] = room.take(numbers.take(self.slots), axis=1)
        return own, near, session

    def _similarity(self) -> dict[str, Floats]:
        """The features that compare embeddings."""
        partition = self._partition
        nearest = self._around[[0, 1 + PREVIOUS, 1 + NEXT]]
        if not partition.vectors.is_exact:
            partition.vectors.complete(self._dense, self._question.vector, nearest[nearest != NOWHERE])
        own, previous, following = np.concatenate((self._dense, _NOTHING)).take(nearest)
        norm = np.maximum(partition.mean_norms(self.slots), np.float32(_TINY))
        return {
            "dense": own,
            "surroundings": (own + np.float32(ranking.NEIGHBOUR_SHARE) * (previous + following)) / norm,
        }

    def _linked(self, parts: Floats) -> Floats:
        """What each candidate shares with the best ones beyond the question, if it is short.

        Args:
            parts: Contributions of all other features.
        """
        partition = self._partition
        strength = ranking.leads(parts)
        best = strength.nonzero()[0]
        owner, hashes = partition.opening_terms(self.slots[best])
        known, place = distinct(hashes)
        rarity = partition.rarity(known)
        asked, _ = _among(np.array(self._question.terms, np.uint32), known)
        rarity[asked] = 0  # what was asked for counts elsewhere
        told = ranking.told(place, strength[best][owner] * rarity[place], len(known))
        leading = told.nonzero()[0]
        owner, hashes = partition.opening_terms(self.slots)
        place, held = _among(hashes, known[leading])
        owner, place = owner[held], leading[place]
        gained = told[place] - strength[owner] * rarity[place]
        shared = ranking.linked(owner, gained, len(self.slots), float(told.sum()))
        short: Floats = partition.column("shortness").take(self.slots)
        return shared * short

    def _timely(self) -> Floats:
        """Whether each candidate's days fit the part of a history that is asked about."""
        question = self._question
        if question.intent is None:
            return np.zeros(len(self.slots), np.float32)
        first, last, said = self._happened()
        return ranking.timeliness(question.intent, first, last, said, present=question.present, pivot=question.pivot)

    def _succession(self, parts: Floats) -> Floats:
        """Where each candidate comes among all that match, if the latest or the first is asked for.

        Args:
            parts: Contributions of all other features.
        """
        question, (first, _, _) = self._question, self._happened()
        assert question.intent is not None  # noqa: S101 - else nobody asks
        return ranking.succession(question.intent, first, ranking.strengths(parts), present=question.present)

    def _happened(self) -> tuple[Slots, Slots, NDArray[np.bool_]]:
        """First and last day of each candidate, and whether its text says them."""
        first = self._days_told()
        last, said = first.copy(), np.zeros(len(first), np.bool_)
        spans = self._partition.spans[::-1]  # of several days that a text speaks of, the first remains
        first[spans[:, 0]], last[spans[:, 0]], said[spans[:, 0]] = spans[:, 1], spans[:, 2], True
        return first[self.slots], last[self.slots], said[self.slots]

    def _days_told(self) -> Slots:
        """The day on which each slot was told, a proleptic day number."""
        days: Slots = self._partition.column("created_at") // _DAY_MICROSECONDS + _EPOCH_DAY
        return days

    def _entity_share(self) -> Floats:
        wanted = self._question.entities
        if not wanted:
            return np.zeros(len(self.slots), np.float32)
        holding = self._partition.entities.find(wanted).chunks
        mentioned = np.bincount(holding, minlength=self._partition.slots)[self.slots]
        return _floats(mentioned) / np.float32(len(wanted))


def _among(terms: NDArray[np.uint32], known: NDArray[np.uint32]) -> tuple[Slots, Slots]:
    """Of those terms that are among the `known`, rising ones: their places there, and their places among the terms."""
    if not len(known):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    place = known.searchsorted(terms)
    place[place == len(known)] = 0
    held = (known.take(place) == terms).nonzero()[0]
    return place[held], held


def _best_chunks(term: Slots, slots: NDArray[np.int32], weight: Floats) -> _Held:
    """One row for each term and slot: its best chunk's. The rows of a pair follow each other."""
    if not len(term):
        return _Held(term, slots, weight)
    first = np.flatnonzero(np.append(True, (slots[1:] != slots[:-1]) | (term[1:] != term[:-1])))
    return _Held(term[first], slots[first], np.maximum.reduceat(weight, first))


def _best(signal: Floats, count: int, *, above: float) -> Slots:
    """The places of the `count` greatest values above `above`, in no order.

    Only places that reach the `count`-th greatest of many column maxima are sorted: that bar can only be too low, and one
    pass finds it.
    """
    if count < len(signal) <= FEW_ROWS:
        best = (-signal).argpartition(count - 1)[:count]
        return best[signal[best] > above]
    floor = np.float32(above)
    columns = _COLUMNS_EACH * count
    if len(signal) > 2 * columns:
        tops = signal[: len(signal) // columns * columns].reshape(-1, columns).max(axis=0)
        floor = max(floor, np.nextafter(np.partition(tops, columns - count)[columns - count], np.float32(-np.inf)))
    eligible = (signal > floor).nonzero()[0]
    if len(eligible) <= count:
        return eligible
    return eligible[(-signal[eligible]).argpartition(count - 1)[:count]]


FEW_ROWS: Final = 8_192
"""Up to here partitioning all values takes no longer than looking for a bar."""
_COLUMNS_EACH: Final = 8
"""Columns for each value wanted: the bar then lets through little more than is wanted."""


def _faded(around: Floats) -> Floats:
    """A term's weight in each candidate, or what is left of it from a neighbour if that is more.

    Args:
        around: `(terms, 1 + 2 * REACH, candidates)`: the candidate, its neighbours as in column `around`.
    """
    decay = np.array(ranking.NEIGHBOUR_DECAY, np.float32)[:, None]
    left = np.maximum(around[:, 1 : 1 + REACH], around[:, 1 + REACH :]) * decay
    most: Floats = np.maximum(around[:, 0], left.max(axis=1))
    return most


def _weighted(rarity: Floats, matches: NDArray[np.generic]) -> Floats:
    """Sum over terms of `(terms, candidates)` matches, weighted by rarity; without BLAS and its threads."""
    total: Floats = np.einsum("t,tc->c", rarity, matches, dtype=np.float32, casting="unsafe")
    return total


def _floats(values: NDArray[np.generic]) -> Floats:
    return values.astype(np.float32)
