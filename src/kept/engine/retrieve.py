"""Retrieve: scope → candidates → rank → hydrate → explain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kept.domain import ranking
from kept.domain.filters import Filter, matches, parse_filter, pinned
from kept.domain.happened import happened
from kept.domain.history import fold, from_microseconds, to_microseconds
from kept.domain.memory import HIDDEN_STATES, MemoryRecord
from kept.domain.questions import anchor, time_intent
from kept.domain.scope import ANY, Scope
from kept.domain.temporal import DateSpan, resolve_dates
from kept.engine.candidates import Candidates, EmbedOnce, NotEmbeddedError, QueryEmbedder, ask
from kept.engine.indexing import Indexer
from kept.engine.partition import ACTIVE, ResidentPartition, code
from kept.engine.residents import Residents
from kept.errors import ConfigurationError
from kept.ports import Clock, IndexEntry, Listing, LogReader, Partition, PartitionRow, Reranker

RELATED_SIMILARITY: Final = 0.5
"""Cosine similarity from which two statements may be about the same thing."""
SURE: Final = 0.3
"""Score from which a hit is likely about what was asked: the usual threshold where a weak hit is worse than none."""
STALE: Final = timedelta(days=30)
"""From when on a history counts as ended: imported years later, its dates without a year are not this year's."""
RERANKED: Final = 50
"""Hits that a reranker reads: they hold nine of ten answers, and a reranker's time grows with each."""
QUICK_ROWS: Final = 10_000
QUICK_TOP_K: Final = 50
QUICK_QUERY: Final = 1_000
"""Memories, hits and characters up to which a search takes some 3 ms (`benchmarks/speed.py`)."""
RANKED_EXTRA: Final = 8
"""More candidates ranked than wanted, for those that change before their records are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """One search, checked.

    Attributes:
        scope: The boundary; the filter cannot widen it.
        condition: The caller's filter.
        threshold: Least score of a hit.
        as_of: Position in the log: what was known then. None means now.
        now: The present, from which expiry and relative dates count. None means the clock's.
        valid_as_of: What was true in the world then. None: closed facts come after current ones.
        explain: Whether hits tell the parts of their score.
        reference: What relative dates in the query count from. None means the present.
        quick: Whether to search only if that takes a few milliseconds, so that whoever asks need not step aside.
        job_id: The job that it is made for, if it is for one: what embedding the query costs is the job's.
    """

    scope: Scope
    query: str
    condition: Filter | None = None
    top_k: int = 20
    threshold: float = 0.0
    show_expired: bool = False
    latest_only: bool = False
    as_of: int | None = None
    now: datetime | None = None
    valid_as_of: datetime | None = None
    reference: datetime | None = None
    rerank: bool = False
    explain: bool = True
    quick: bool = False
    job_id: str | None = None

    @property
    def ranked(self) -> int:
        """How many of the best are read."""
        return max(self.top_k, RERANKED) if self.rerank else self.top_k


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A memory that a search found.

    Attributes:
        score: In [0, 1], higher is more relevant; comparable between queries.
        parts: What each feature added to the score's logit, by name, with the constant `bias`.
    """

    memory: MemoryRecord
    score: float
    parts: Mapping[str, float]


class _Ranked(NamedTuple):
    """A candidate after ranking, before its record is read."""

    closed: bool
    score: float
    key: int
    parts: NDArray[np.float32]

    @property
    def order(self) -> tuple[bool, float, int]:
        return (self.closed, -self.score, -self.key)


class _Best(NamedTuple):
    """The best of one partition; of the past also its records, by key."""

    ranked: list[_Ranked]
    past: Mapping[int, MemoryRecord]


class TakesLongerError(Exception):
    """What was to be searched quickly takes longer; nothing was done."""


class Retrieve:
    """Finds what matters."""

    def __init__(
        self,
        log: LogReader,
        residents: Residents,
        indexer: Indexer,
        clock: Clock,
        *,
        reranker: Reranker | None,
        prefer_user: bool,
    ) -> None:
        self._log = log
        self._residents = residents
        self._indexer = indexer
        self._clock = clock
        self._reranker = reranker
        self._skipped = frozenset() if prefer_user else frozenset({"user"})

    @property
    def reranks(self) -> bool:
        """Whether it has a reranker."""
        return self._reranker is not None

    def search(self, request: SearchRequest) -> list[Hit]:
        """Hits, best first; closed facts after current ones. Ties go to the newer memory.

        What was before or after something that is no date counts from the days of the owner's memory that tells best of it.
        """
        if request.rerank and self._reranker is None:
            raise ConfigurationError("No reranker is configured; search without rerank.")
        embedder = EmbedOnce(self._indexer.embedder_for(request.scope.project, request.job_id))
        partitions = self._partitions(request.scope, request.condition)
        if request.quick and not self._is_quick(partitions, request):
            raise TakesLongerError
        named = anchor(request.query)
        best: list[_Best] = []
        for partition in partitions:
            pivot = self._pivot(named, partition, request, embedder) if named else None
            best.append(self._best(partition, request, embedder, pivot))
        hits = self._hydrate(best, request)
        return self._reranked(hits, request) if request.rerank else hits

    def _pivot(self, named: str, partition: Partition, request: SearchRequest, embedder: EmbedOnce) -> DateSpan | None:
        """Where what a question asks for begins or ends; None when it counts from a date, or from nothing that is known."""
        intent = time_intent(request.query)
        if intent is None or resolve_dates(named, request.reference or request.now or self._clock()):
            return None
        about = replace(
            request, query=named, top_k=1, threshold=max(request.threshold, SURE), rerank=False, explain=False
        )
        for hit in self._hydrate([self._best(partition, about, embedder, None)], about):
            turn = happened(hit.memory).turn(intent)
            return DateSpan(start=turn, end=turn, text=named, granularity="day")
        return None

    def _best(self, partition: Partition, request: SearchRequest, embedder: EmbedOnce, pivot: DateSpan | None) -> _Best:
        if request.as_of is None:
            return _Best(self._ranked_now(partition, request, embedder, pivot), {})
        resident, records = self._as_of(partition, request.as_of)
        allowed = _matching(records, request.condition)
        return _Best(self._rank(resident, partition, request, allowed, embedder, pivot), records)

    def _ranked_now(
        self, partition: Partition, request: SearchRequest, embedder: EmbedOnce, pivot: DateSpan | None
    ) -> list[_Ranked]:
        """The best of what is in memory. Nobody waits for the partition while a provider is asked for the query's embedding.

        What is to be embedded only the partition knows, and whether anything is: so it is lent anew with each answer.
        """
        at_hand = embedder.embedded if self._indexer.asks_a_provider else embedder
        while True:
            try:
                with self._residents.fresh(partition.id) as resident:
                    allowed = self._allowed(partition, request)
                    return self._rank(resident, partition, request, allowed, at_hand, pivot)
            except NotEmbeddedError as missing:
                embedder.embed_query(missing.text)

    def _is_quick(self, partitions: Sequence[Partition], request: SearchRequest) -> bool:
        """Whether it ranks what is in memory already, and not much of it, and asks nobody else for the query's embedding."""
        plain = request.condition is None and request.as_of is None and not request.rerank
        if (
            not plain
            or self._indexer.asks_a_provider
            or request.top_k > QUICK_TOP_K
            or len(request.query) > QUICK_QUERY
        ):
            return False
        rows = [self._residents.rows(partition.id) for partition in partitions]
        return None not in rows and sum(row or 0 for row in rows) <= QUICK_ROWS

    def related(self, records: Sequence[MemoryRecord], *, limit: int) -> dict[str, list[Hit]]:
        """For each record the existing memories nearest to it, by cosine similarity (the score), in its own scope."""
        if not records or limit <= 0:
            return {}
        partitions = self._log.partitions(records[0].project, {records[0].user_id})
        if not partitions:
            return {}
        own = np.array([record.key for record in records], np.int64)
        today = self._clock().date()
        with self._residents.fresh(partitions[0].id) as resident:
            eligible = resident.column("live") & (resident.column("state") == ACTIVE)
            eligible &= resident.column("expires_on") >= today.toordinal()
            eligible[resident.slots_of(own)] = False
            near = {record.id: _nearest(resident, record, eligible, limit) for record in records}
        known = self._log.by_keys([key for found in near.values() for key, _ in found])
        return {
            memory_id: [
                Hit(memory=known[key], score=score, parts={"dense": score}) for key, score in found if key in known
            ]
            for memory_id, found in near.items()
        }

    def warm(self, scope: Scope) -> None:
        """Load the embedder and the scope's partitions, side by side: who reads word pieces lets others run meanwhile."""
        with ThreadPoolExecutor(1) as beside:
            embedder = beside.submit(self._indexer.embedder_for(scope.project).embed_query, "warm")
            for partition in self._partitions(scope, None):
                with self._residents.fresh(partition.id):
                    continue
            embedder.result()

    def _partitions(self, scope: Scope, condition: Filter | None) -> list[Partition]:
        """Which partitions can hold a hit."""
        if scope.user_id not in (None, ANY):
            return self._log.partitions(scope.project, {scope.user_id})
        named = pinned(condition, "user_id") if condition is not None else None
        partitions = self._log.partitions(scope.project, named)
        return [partition for partition in partitions if scope.user_id is None or partition.user_id is not None]

    def _allowed(self, partition: Partition, request: SearchRequest) -> NDArray[np.int64] | None:
        """Keys that the caller's filter admits; None when it admits all."""
        if request.condition is None:
            return None
        return self._log.matching_keys(Listing(scope=request.scope, condition=request.condition), partition.id)

    def _rank(
        self,
        resident: ResidentPartition,
        partition: Partition,
        request: SearchRequest,
        allowed: NDArray[np.int64] | None,
        embedder: QueryEmbedder,
        pivot: DateSpan | None,
    ) -> list[_Ranked]:
        if resident.waiting:
            raise ConfigurationError(
                f"{resident.waiting} memories were indexed by another embedder than {self._indexer.identity}. "
                "Open the store with that one, or run `kept rebuild` (Memory.rebuild) once."
            )
        admitted = self._admitted(resident, request, allowed)
        if not admitted.any() or not request.top_k:
            return []
        reference = request.reference or request.now or self._clock()
        known = resident.known_names(partition.user_id)
        question = ask(request.query, reference, known, embedder)
        about_time = question.dates or question.intent
        if about_time and request.reference is None and (ended := _ended(resident, reference)):
            older = resolve_dates(request.query, ended)
            question = replace(question, dates=(*question.dates, *older), present=ended.toordinal())
        question = replace(question, pivot=pivot or next(iter(question.dates), None))
        candidates = Candidates(resident, question, admitted, request.top_k)
        parts = candidates.contributions(skipped=self._skipped)
        scores = ranking.scores(parts)
        slots = candidates.slots
        # Of a day in the past, a fact that was closed since was as true as any other.
        closed = (resident.column("state")[slots] != ACTIVE) & (request.valid_as_of is None)
        keys = resident.column("key")[slots]
        order = np.lexsort((-keys, -scores, closed))
        wanted = order[scores[order] >= request.threshold][: request.ranked + RANKED_EXTRA]
        best = (closed[wanted].tolist(), scores[wanted].tolist(), keys[wanted].tolist(), parts[:, wanted].T)
        return list(map(_Ranked._make, zip(*best, strict=True)))

    def _admitted(
        self, resident: ResidentPartition, request: SearchRequest, allowed: NDArray[np.int64] | None
    ) -> NDArray[np.bool_]:
        """Which slots may be hits: the boundary first, then what the caller asked for."""
        admitted = resident.column("live").copy()
        for name in ("agent", "app", "run"):
            value = getattr(request.scope, f"{name}_id")
            if value is not None:
                column = resident.column(name)
                admitted &= (column != 0) if value == ANY else (column == code(value))
        if not request.show_expired:
            admitted &= resident.column("expires_on") >= (request.now or self._clock()).date().toordinal()
        if request.latest_only:
            admitted &= resident.column("state") == ACTIVE
        if request.valid_as_of is not None:
            moment = to_microseconds(request.valid_as_of)
            admitted &= (resident.column("valid_from") <= moment) & (moment < resident.column("valid_to"))
        if allowed is not None:
            admitted &= np.isin(resident.column("key"), allowed)
        return admitted

    def _hydrate(self, found: Sequence[_Best], request: SearchRequest) -> list[Hit]:
        """Records of the best; one that was hidden or left the scope since it was ranked gives way to the next."""
        ranked = [candidate for best in found for candidate in best.ranked]
        if len(found) > 1:
            ranked.sort(key=lambda candidate: candidate.order)
        past = {key: record for best in found for key, record in best.past.items()}
        waiting = iter(ranked)
        hits: list[Hit] = []
        while len(hits) < request.ranked and (best := list(islice(waiting, request.ranked - len(hits)))):
            known = past or self._log.by_keys([candidate.key for candidate in best])
            hits += [
                Hit(memory=record, score=candidate.score, parts=_parts(candidate.parts) if request.explain else {})
                for candidate in best
                if (record := known.get(candidate.key)) is not None
                and record.state not in HIDDEN_STATES
                and request.scope.admits(record.scope)
            ]
        return hits

    def _reranked(self, hits: list[Hit], request: SearchRequest) -> list[Hit]:
        assert self._reranker is not None  # noqa: S101 - checked when the search began
        scores = self._reranker.rerank(request.query, [hit.memory.text for hit in hits])
        rescored = [
            replace(hit, score=float(score), parts={**hit.parts, "rerank": float(score)})
            for hit, score in zip(hits, scores, strict=True)
        ]
        current_first = request.valid_as_of is None
        rescored.sort(key=lambda hit: (current_first and hit.memory.is_closed, -hit.score, -hit.memory.key))
        return rescored[: request.top_k]

    def _as_of(self, partition: Partition, seq: int) -> tuple[ResidentPartition, dict[int, MemoryRecord]]:
        """The partition as the log had it at `seq`, made for this search, and its records by key."""
        records = {record.key: record for record in self._past_records(partition, seq)}
        stored = self._log.partition_rows(partition.id, 0, self._indexer.identity)
        entries = {row.key: row.entry for row in stored if row.seq <= seq and row.entry and row.key in records}
        changed = [record for key, record in records.items() if key not in entries]
        made = self._indexer.entries(
            [record.text for record in changed],
            [record.entity_refs for record in changed],
            [record.created_at for record in changed],
            project=partition.project,
        )
        entries |= {record.key: entry for record, entry in zip(changed, made, strict=True)}
        rows = sorted((_row(record, entries[key]) for key, record in records.items()), key=lambda row: row.seq)
        resident = ResidentPartition(self._indexer.dimensions)
        resident.refresh(rows)
        return resident, records

    def _past_records(self, partition: Partition, seq: int) -> Iterator[MemoryRecord]:
        listing = Listing(
            scope=Scope(project=partition.project, user_id=partition.user_id),
            condition=None if partition.user_id else parse_filter({"user_id": None}),
            states=("active", "superseded", "invalidated", "deleted"),
        )
        for record in self._log.scan(listing):
            if record.key > seq:
                continue
            past = (
                record
                if record.seq <= seq
                else fold(self._log.revisions(partition.project, memory_id=record.id, upto=seq))
            )
            if past is not None and past.state not in HIDDEN_STATES:
                yield past


def _matching(records: Mapping[int, MemoryRecord], condition: Filter | None) -> NDArray[np.int64] | None:
    if condition is None:
        return None
    return np.array([key for key, record in records.items() if matches(condition, record)], np.int64)


def _ended(resident: ResidentPartition, now: datetime) -> datetime | None:
    """When a history ended that did so long ago: from then its questions are asked ("in May": its last May)."""
    newest = from_microseconds(int(resident.column("created_at").max()))
    return newest if now - newest > STALE else None


def _parts(contributions: NDArray[np.float32]) -> dict[str, float]:
    named = {name: float(part) for name, part in zip(ranking.PARTS, contributions, strict=True)}
    return {"bias": ranking.BIAS} | {name: part for name, part in named.items() if part}


def _nearest(
    resident: ResidentPartition, record: MemoryRecord, eligible: NDArray[np.bool_], limit: int
) -> list[tuple[int, float]]:
    """Keys and similarities of the eligible slots nearest to a memory that is in the partition already."""
    place = resident.slots_of(np.array([record.key], np.int64))
    if not len(place):
        return []
    similarity = resident.vectors.similarities(resident.vectors.at(place)[0])
    for name in ("agent", "app"):
        eligible = eligible & (resident.column(name) == resident.column(name)[place[0]])
    near = np.where(eligible, similarity, np.float32(-1))
    best = np.argpartition(-near, min(limit, len(near) - 1))[:limit]
    best = best[np.argsort(-near[best], kind="stable")]
    return [
        (int(resident.column("key")[slot]), min(float(near[slot]), 1.0))
        for slot in best
        if near[slot] >= RELATED_SIMILARITY
    ]


def _row(record: MemoryRecord, entry: IndexEntry) -> PartitionRow:
    """A record as the partition takes it."""
    return PartitionRow(
        record.key,
        record.seq,
        record.state,
        record.agent_id,
        record.app_id,
        record.run_id,
        record.session,
        record.speaker,
        record.role,
        to_microseconds(record.created_at),
        None if record.valid_from is None else to_microseconds(record.valid_from),
        None if record.valid_to is None else to_microseconds(record.valid_to),
        None if record.expires_on is None else record.expires_on.toordinal(),
        record.feedback,
        record.reinforced,
        entry,
    )
