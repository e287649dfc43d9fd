"""Resolving what a language model proposes: what each fact claims about stored memories, and what the domain's rules decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kept.domain.facts import Proposal
from kept.domain.jobs import Job
from kept.domain.memory import CURRENT, Draft, MemoryRecord
from kept.domain.resolution import RELATED_SIMILARITY, Claim, Verdict, decide, is_as_good
from kept.domain.scope import Scope
from kept.engine.echoes import echoes

if TYPE_CHECKING:
    from kept.engine.indexing import Indexer
    from kept.engine.models import Models
    from kept.ports import Embedder, LogReader

Verdicts = Mapping[str, Verdict]
"""How a fact stands to memories, by their ids."""


class Resolution:
    """Decides what becomes of proposed facts.

    Args:
        log: What is stored.
        indexer: Compares texts.
        models: Who judges contradictions, where it is another model than the one that reads.
    """

    def __init__(self, log: LogReader, indexer: Indexer, models: Models) -> None:
        self._log = log
        self._indexer = indexer
        self._models = models

    def resolve(
        self, job: Job, drafts: Sequence[Draft], proposals: Sequence[Proposal], near: Sequence[MemoryRecord]
    ) -> list[Draft]:
        """Each fact with what it repeats or supersedes, and why.

        Args:
            job: For whom a model is asked.
            drafts: The facts, with their times.
            proposals: What the reader said of each.
            near: The memories that it saw.
        """
        embedder = self._indexer.embedder_for(job.scope.project, job.id)
        shown = [record.text for record in near]
        alike = [_similarities(embedder, draft.text, shown) for draft in drafts]
        verdicts = [_proposed(proposal) for proposal in proposals]
        by = self._name("extraction")
        if judge := self.judge:
            verdicts, by = self._judged(job, drafts, near, alike), judge
        claims = [
            [
                Claim(target=record, verdict=said[record.id], similarity=similarity)
                for record, similarity in zip(near, own, strict=True)
                if record.id in said
            ]
            for said, own in zip(verdicts, alike, strict=True)
        ]
        decided = [decide(draft, own, by=by).draft for draft, own in zip(drafts, claims, strict=True)]
        return [self._with_echoes(draft, job.scope, embedder) for draft in decided]

    @property
    def judge(self) -> str | None:
        """The model that judges contradictions, where it is another than the one that reads."""
        name = self._name("contradiction")
        return None if name in {"", self._name("extraction")} else name

    def _judged(
        self, job: Job, drafts: Sequence[Draft], near: Sequence[MemoryRecord], alike: Sequence[Sequence[float]]
    ) -> list[Verdicts]:
        """What the model for contradictions says of all facts at once, in place of what the reader said of them.

        It is asked where something is near enough to be about the same.
        """
        from kept.engine import contradiction

        if not any(similarity >= RELATED_SIMILARITY for own in alike for similarity in own):
            return [{} for _ in drafts]
        prompt = contradiction.prompt(drafts, near)
        answer = self._models.ask("contradiction", prompt, project=job.scope.project, job_id=job.id)
        return contradiction.read(answer.value, len(drafts), near)

    def _with_echoes(self, draft: Draft, scope: Scope, embedder: Embedder) -> Draft:
        """The fact, which supersedes with each memory what says the same because it was made of the same words."""
        closed = self._log.find_many(scope.project, draft.supersedes).values()
        echoes = [other.id for record in closed for other in self._echoes(record, embedder) if is_as_good(draft, other)]
        return replace(draft, supersedes=tuple(dict.fromkeys((*draft.supersedes, *echoes))))

    def _echoes(self, record: MemoryRecord, embedder: Embedder) -> Iterator[MemoryRecord]:
        """The statements of a fact's words, or the facts of a statement's: of its own scope, since others' are not to be closed with it."""
        closable = [
            other
            for other in echoes(self._log, record)
            if other.state == CURRENT and not other.immutable and other.scope == record.scope
        ]
        alike = _similarities(embedder, record.text, [other.text for other in closable])
        yield from (
            other for other, similarity in zip(closable, alike, strict=True) if similarity >= RELATED_SIMILARITY
        )

    def _name(self, task: str) -> str:
        model = self._models.for_task(task)  # type: ignore[arg-type]
        return "" if model is None else model.name


def _similarities(embedder: Embedder, text: str, others: Sequence[str]) -> list[float]:
    """Cosine similarity of a text with each of some others."""
    import numpy as np

    if not others:
        return []
    vectors = embedder.embed_documents([text, *others]).astype(np.float32)
    norms = np.linalg.norm(vectors, axis=1)
    norms[norms == 0] = 1
    return [float(value) for value in np.vecdot(vectors[1:], vectors[0]) / (norms[1:] * norms[0])]


def _proposed(proposal: Proposal) -> Verdicts:
    found: dict[str, Verdict] = dict.fromkeys(proposal.contradicts, "contradicts")
    found |= {proposal.refines: "refines"} if proposal.refines else {}
    found |= {proposal.same_as: "same"} if proposal.same_as else {}
    return found
