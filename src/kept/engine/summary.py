"""What stands for a whole: a text that a language model writes of the strongest statements; without one, those statements themselves.

Nothing that a model writes is believed that the statements do not say (`domain.support`). Its text is kept, as a job, so that it is asked
once for the same statements, and so that an erase of any of them takes the text too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from kept.domain.digest import digest
from kept.domain.jobs import Job, succeeded
from kept.domain.memory import MemoryRecord
from kept.domain.scope import Scope
from kept.domain.text import count_tokens
from kept.engine.access import ProjectAccess
from kept.engine.prompts import instructions
from kept.engine.showing import lines, one_line, sources
from kept.errors import ConfigurationError, ModelError, SpendingLimitError
from kept.ports import Prompt

BUDGET_TOKENS: Final = 400
"""Of a summary where nobody says how long: a choice."""
CONSIDERED: Final = 5_000
"""The newest memories among which the strongest are chosen."""
SHOWN_TOKENS: Final = 3_000
"""Of statements that a model is shown: some hundred and fifty of the median length."""
LENGTHS: Final = (25, 50, 100, 200, 400, 800, 1_500, 3_000)
"""Tokens of the texts that a model writes: the longest within a budget. Each other length is another question to the model; so there are
few of them, whatever budgets are asked for. Under the least, which is a sentence, it is not asked."""
RULES: Final = "rules"
"""Who wrote what no language model did."""
NOTHING_LEFT: Final = "The language model wrote nothing that the statements say."
ONLY_READS: Final = "A language model is asked only for a key that may write; for one that reads, the rules wrote this."
"""Each other filter is another question to the model: who may only read could spend a whole day's limit on them."""
RETRY_AFTER: Final = timedelta(minutes=5)
"""A model's failure may have been paid for, and whoever may write may ask for summaries all day: within this time the model is asked for one
of the same statements once."""
_FRAME_TOKENS: Final = 200
"""Of an answer's JSON beside its sentences, which take as much again for the numbers they point at."""
_AGAINST: Final = frozenset({"NEGATIVE", "VERY_NEGATIVE"})
_UNSAYING: Final = frozenset({"misc"})
_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "s": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"t": {"type": "string"}, "n": {"type": "array", "items": {"type": "integer"}}},
                "required": ["t", "n"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["s"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What stands for the memories of a scope.

    Attributes:
        text: A statement or sentence on each line.
        memory_ids: Memories that it was made of.
        total: Memories that there are.
        by: Who wrote it: `rules`, or a language model's name.
        note: Why the rules wrote it although there is a model that does.
    """

    text: str
    memory_ids: tuple[str, ...]
    total: int
    by: str = RULES
    note: str | None = None


def summary(
    access: ProjectAccess,
    *,
    ids: Mapping[str, object] | None = None,
    filters: Mapping[str, Any] | None = None,
    budget_tokens: int = BUDGET_TOKENS,
) -> Summary:
    """What stands for a scope or (naming nobody) for all that the principal may see, under a budget."""
    with access.noted("memory.summary") as note:
        scope, condition = access.within(ids or {}, filters or None)
        if scope.is_bare and condition is None:
            scope = Scope.everything(access.project)
        note.target |= scope.ids
        records, total = access.platform.service.list(scope, filters=condition, limit=CONSIDERED, latest_only=True)
        best = strongest(records)
        writing = _writing(access, scope, best, budget_tokens)
        job = None if writing is None else writing.made()
        if job is not None and job.content:
            found = _of_job(job, total)
        else:
            found = _by_rules(best, budget_tokens, total)
            if writing is not None:
                found = replace(found, note=(job.error or NOTHING_LEFT) if job else ONLY_READS)
        note.count = len(found.memory_ids)
        return found


# --- by rule ---


def _by_rules(best: Sequence[MemoryRecord], budget_tokens: int, total: int) -> Summary:
    chosen = fitting(best, budget_tokens)
    return Summary(
        text="\n".join(f"- {record.text}" for record in chosen),
        memory_ids=tuple(record.id for record in chosen),
        total=total,
    )


def strongest(records: Sequence[MemoryRecord]) -> list[MemoryRecord]:
    """Memories by how much they are worth saying: judged well, said by a person, repeated, of a known subject, new."""
    return sorted((record for record in records if record.feedback not in _AGAINST), key=_strength, reverse=True)


def _strength(record: MemoryRecord) -> tuple[bool, bool, int, bool, float]:
    return (
        record.feedback == "POSITIVE",
        record.role != "assistant" and record.kind != "code",
        record.reinforced,
        bool(set(record.categories) - _UNSAYING),
        record.created_at.timestamp(),
    )


def fitting(records: Sequence[MemoryRecord], budget_tokens: int) -> list[MemoryRecord]:
    """The first of these that fit a budget together, in their order."""
    chosen, left = [], budget_tokens
    for record in records:
        cost = count_tokens(f"- {record.text}\n")
        if cost <= left:
            chosen.append(record)
            left -= cost
    return chosen


# --- by a language model ---


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writing:
    """A text that a language model is to write of some statements."""

    access: ProjectAccess
    scope: Scope
    shown: Sequence[MemoryRecord]
    budget_tokens: int
    model: str

    def made(self) -> Job | None:
        """The job that holds the text, without one if the model failed; it is asked unless it wrote it before, or failed just now.

        None where it would have to be asked for a principal that may only read.
        """
        jobs = self.access.platform.jobs
        with self.access.platform.turn(self._key):
            known = (jobs.find_by_key(self.access.project, "SUMMARY", key) for key in (self._key, self._failed_key))
            earlier = next(filter(None, known), None)
            return earlier or (self._asked() if self.access.principal.may("WRITER") else None)

    def _asked(self) -> Job:
        """The job as it is kept once the model was asked. One that failed has a key of its time, so that later it is asked again."""
        platform = self.access.platform
        memory_ids = [record.id for record in self.shown]
        job = replace(self.access.new_job("SUMMARY", self.scope, {}), memory_ids=memory_ids)
        try:
            answer = platform.models.ask("summary", self._prompt, project=self.access.project, job_id=job.id)
        except (ModelError, ConfigurationError) as error:
            now = platform.clock()
            failed = replace(job, status="FAILED", error=str(error), updated_at=now, completed_at=now)
            if isinstance(error, ModelError):
                failed = replace(failed, idempotency_key=self._failed_key)
            return failed if isinstance(error, SpendingLimitError) else platform.jobs.put(failed)
        sentences = dict(_taken(answer.value, self.shown, self.budget_tokens))
        used = dict.fromkeys(memory_id for cited in sentences.values() for memory_id in cited)
        results = [{"event": "SUMMARY", "by": self.model, "memory_ids": list(used)}]
        done = succeeded(job, platform.clock(), results, content="\n".join(sentences))
        return platform.jobs.put(replace(done, idempotency_key=self._key))

    @property
    def _prompt(self) -> Prompt:
        return Prompt(
            instructions=f"{instructions('summary.md')}\nWrite at most {self.budget_tokens} tokens in all.",
            content="\n".join(lines(self.shown)),
            schema=_SCHEMA,
            max_output_tokens=2 * self.budget_tokens + _FRAME_TOKENS,
        )

    @property
    def _key(self) -> str:
        """The same for the same memories, as they are, under the same budget."""
        whole = json.dumps([self.model, self.budget_tokens, [[record.id, record.seq] for record in self.shown]])
        return digest(whole)

    @property
    def _failed_key(self) -> str:
        """The same within a while."""
        return f"{self._key}/{int(self.access.platform.clock().timestamp() // RETRY_AFTER.total_seconds())}"


def _writing(access: ProjectAccess, scope: Scope, best: Sequence[MemoryRecord], budget_tokens: int) -> _Writing | None:
    """What a language model is to write of the strongest; None where there is none, or nothing to write."""
    model = access.platform.models.for_task("summary")
    shown = fitting(best, SHOWN_TOKENS)
    length = max((length for length in LENGTHS if length <= budget_tokens), default=None)
    if model is None or not shown or length is None:
        return None
    return _Writing(access=access, scope=scope, shown=shown, budget_tokens=length, model=model.name)


def _taken(
    answer: Mapping[str, Any], shown: Sequence[MemoryRecord], budget_tokens: int
) -> Iterator[tuple[str, list[str]]]:
    """The sentences that the statements say which they point at, each with the ids of these, as far as they fit a budget."""
    left = budget_tokens
    for entry in answer["s"]:
        sentence = one_line(entry["t"])
        cited = [shown[number - 1] for number in dict.fromkeys(entry["n"]) if 1 <= number <= len(shown)]
        cost = count_tokens(f"{sentence}\n")
        if cost <= left and sources(cited).support(sentence):
            left -= cost
            yield sentence, [record.id for record in cited]


def _of_job(job: Job, total: int) -> Summary:
    (made,) = job.results
    return Summary(text=job.content or "", memory_ids=tuple(made["memory_ids"]), total=total, by=str(made["by"]))
