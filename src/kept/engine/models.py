"""The language models, by task: asked in one place alone, which reserves what a call may cost and records what it did.

What embedders at a provider were asked is recorded here too.
"""

from __future__ import annotations

import json
import logging
import math
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from kept.domain.attachments import UNSHOWN
from kept.domain.digest import digest
from kept.domain.memory import AttachmentKind
from kept.domain.spending import (
    CallOutcome,
    ModelCall,
    ModelTask,
    SpendingGroup,
    SpendingLimit,
    SpendingListing,
    SpendingTask,
    SpendingTotal,
    Standing,
    Usage,
    project_limits,
    total,
)
from kept.domain.text import count_tokens
from kept.errors import (
    AttachmentsRefusedError,
    ConfigurationError,
    ModelAnswerError,
    ModelError,
    ModelRefusedError,
    SpendingLimitError,
    StoreError,
)
from kept.ports import (
    Clock,
    EmbeddingRequest,
    Ids,
    LanguageModel,
    Ledger,
    ModelAnswer,
    PaidEmbedder,
    Prompt,
)

logger = logging.getLogger("kept.models")

TOKENIZER_MARGIN: Final = 1.35
"""Over 1,900 texts of the size of a prompt (chats, code, JSON, Markdown) the Llama 2 tokenizer made at most 0.99 times
the tokens of `count_tokens`; providers' tokenizers cannot be asked offline, and the newest of them are said to make up to
a third more of the same text than those before."""
FRAME_TOKENS: Final = 600
"""For what a provider puts around a prompt so that the answer has a form. Assumed, on the cautious side: some hundreds are usual."""
ATTACHMENT_TOKENS: Final[Mapping[AttachmentKind, int]] = {"image": 5_000, "document": 100_000}
"""An image in the highest resolution that a provider reads (4,784 tokens by Anthropic's table), and thirty dense pages at some
3,200 tokens each, as text and image together. A longer document counts as what it came to, afterwards."""

ProjectSettings = Callable[[str], Mapping[str, Any]]
"""Gives a project's settings, as the registry has them."""


def _no_settings(_: str) -> Mapping[str, Any]:
    return {}


class Models:
    """The language models, by task; the only way anything in the engine asks one. Safe for threads.

    Args:
        models: By task; a task without one is not done. Taking one that cannot be opened is an error.
        ledger: Where each call is reserved and recorded.
        clock: The present; a call belongs to its day (UTC).
        ids: Of calls.
        limits: Of the whole store, of each project in a day, of each job.
        settings_of: A project's settings; its own limits (`spending`) hold besides those, so that they can only be narrower.
    """

    def __init__(
        self,
        models: Mapping[ModelTask, LanguageModel],
        ledger: Ledger,
        *,
        clock: Clock,
        ids: Ids,
        limits: Sequence[SpendingLimit] = (),
        settings_of: ProjectSettings = _no_settings,
    ) -> None:
        self._models = models
        self._ledger = ledger
        self._clock = clock
        self._ids = ids
        self._limits = tuple(limits)
        self._settings_of = settings_of
        self._tallies: dict[tuple[SpendingTask, str, CallOutcome], SpendingTotal] = {}
        self._refusals: Counter[str] = Counter()
        self._tallying = threading.Lock()

    @property
    def tasks(self) -> tuple[ModelTask, ...]:
        """What there is a model for."""
        return tuple(self._models)

    def for_task(self, task: ModelTask) -> LanguageModel | None:
        """The model of a task, to see what it can read. It is asked here, not itself."""
        return self._models.get(task)

    def ask(
        self, task: ModelTask, prompt: Prompt, *, project: str, job_id: str | None = None, known_again: bool = True
    ) -> ModelAnswer:
        """One answer, once there is room for what it may cost. What it did cost is recorded, also when it failed.

        What never reached a provider is no call, and none is recorded. Where a provider refuses what is attached, it is asked once
        more without. What the model was not shown its answer says (`domain.attachments.UNSHOWN`).

        Args:
            task: Which model.
            prompt: What it is asked.
            project: Whom it is for.
            job_id: For which job.
            known_again: Whether `answered` may find it; not of a job that is kept nowhere, through which no erase would.

        Raises:
            SpendingLimitError: A limit is reached; nothing was asked.
            ModelUnavailableError: As `LanguageModel.ask`.
            ModelAnswerError: As `LanguageModel.ask`.
            ConfigurationError: As `LanguageModel.ask`, or the task has no model.
        """
        request = partial(self._asked, task, project=project, job_id=job_id, known_again=known_again)
        try:
            answer = request(prompt)
        except AttachmentsRefusedError as error:
            logger.info("attachments refused", extra={"kept": {"task": task, "job": job_id, "code": error.code}})
            answer = request(replace(prompt, attachments=()))
            answer = replace(answer, unshown=range(len(prompt.attachments)))
        if not answer.unshown:
            return answer
        return replace(answer, value={**answer.value, UNSHOWN: list(answer.unshown)})

    def _asked(
        self, task: ModelTask, prompt: Prompt, *, project: str, job_id: str | None, known_again: bool
    ) -> ModelAnswer:
        """One answer to one request."""
        model = self._model(task)
        call = self._call(task, model, prompt, project=project, job_id=job_id)
        if not known_again:
            call = replace(call, digest=None)
        self._reserve(call, self.limits(project))
        try:
            answer = model.ask(prompt)
        except BaseException as error:
            self._settle(call, _failed(call, model, error))
            raise
        self._settle(call, _ended(call, model, "answered", answer.usage))
        return answer

    def count(
        self, embedder: PaidEmbedder, request: EmbeddingRequest, *, project: str, job_id: str | None = None
    ) -> None:
        """Record a request for embeddings, which is over. It counts towards the limits, and is never refused for one.

        Without vectors nothing could be stored or found. So nothing is reserved either, and one write is enough.

        Args:
            embedder: Who was asked.
            request: What came of it.
            project: Whom it was for.
            job_id: For which job.

        Raises:
            StoreError: It could not be recorded.
        """
        call = ModelCall(
            id=self._ids(),
            at=self._clock(),
            project=project,
            task="embedding",
            model=embedder.name,
            job_id=job_id,
            reserved=request.expected,
            reserved_micros=embedder.price(request.expected),
        )
        answered = _ended(call, embedder, "answered", request.usage)
        ended = answered if request.error is None else _failed(call, embedder, request.error)
        if ended is not None:
            self._tally(ended)
            self._ledger.record(ended)

    def answered(self, task: ModelTask, prompt: Prompt, *, project: str) -> ModelCall | None:
        """The newest call for a job of the project in which the task's model answered this very prompt; None without one.

        An erase finds what was asked through the job, so that nothing is known again of a call for none.
        """
        return self._ledger.answered(project, _digest(task, self._model(task).name, prompt))

    @property
    def tallies(self) -> dict[tuple[SpendingTask, str, CallOutcome], SpendingTotal]:
        """What this process asked since it began: by task, model, and how the calls ended."""
        with self._tallying:
            return dict(self._tallies)

    @property
    def refusals(self) -> dict[str, int]:
        """How often each limit was reached in this process since it began."""
        with self._tallying:
            return dict(self._refusals)

    def limits(self, project: str) -> list[SpendingLimit]:
        """Those that hold for a project, the narrowest first: its own, then everybody's."""
        return [*project_limits(self._settings_of(project).get("spending") or {}), *self._limits]

    def standings(self, project: str) -> list[Standing]:
        """How much of each limit that is set is spent today, the narrowest first."""
        now = self._clock()
        return [
            Standing(limit=limit, spent=self._spent_of(limit.counts(project, now)))
            for limit in self.limits(project)
            if limit.is_set
        ]

    def _spent_of(self, calls: SpendingListing | None) -> SpendingTotal | None:
        return None if calls is None else sum(self.spent(calls, "day").values(), SpendingTotal())

    def spent(self, listing: SpendingListing, by: SpendingGroup) -> dict[str, SpendingTotal]:
        """What calls cost together, as `Ledger.totals`."""
        return self._ledger.totals(listing, by)

    def purge(self, before: datetime) -> int:
        """Forget what was spent before a time; how many calls that were."""
        return self._ledger.purge(before)

    def _model(self, task: ModelTask) -> LanguageModel:
        model = self._models.get(task)
        if model is None:
            raise ConfigurationError(f"There is no language model for {task}; set llm or llm_{task}.")
        return model

    def _call(
        self, task: ModelTask, model: LanguageModel, prompt: Prompt, *, project: str, job_id: str | None
    ) -> ModelCall:
        reserved = Usage(input_tokens=most_input_tokens(prompt), output_tokens=prompt.max_output_tokens)
        return ModelCall(
            id=self._ids(),
            at=self._clock(),
            project=project,
            task=task,
            model=model.name,
            job_id=job_id,
            digest=None if job_id is None else _digest(task, model.name, prompt),
            reserved=reserved,
            reserved_micros=model.price(reserved),
        )

    def _reserve(self, call: ModelCall, limits: Sequence[SpendingLimit]) -> None:
        try:
            self._ledger.reserve(call, limits)
        except SpendingLimitError as error:
            with self._tallying:
                self._refusals[error.limit] += 1
            raise

    def _tally(self, call: ModelCall) -> None:
        ended = call.task, call.model, call.outcome
        with self._tallying:
            self._tallies[ended] = self._tallies.get(ended, SpendingTotal()) + total([call])

    def _settle(self, call: ModelCall, ended: ModelCall | None) -> None:
        """Record how a call ended; one that was never made is released.

        An answer that is paid for is not lost where the store fails: what was reserved stays counted then.
        """
        if ended is not None:
            self._tally(ended)
        try:
            if ended is None:
                self._ledger.release(call.id)
            elif ended.outcome != "reserved":
                self._ledger.settle(ended)
        except StoreError as error:
            logger.warning("call not settled", extra={"kept": {"call": call.id, "code": error.code}})


def most_input_tokens(prompt: Prompt) -> int:
    """An upper bound, in practice, of the tokens that a provider counts for a prompt."""
    texts = (prompt.instructions, prompt.content, _json(prompt.schema))
    attached = sum(ATTACHMENT_TOKENS[attachment.kind] for attachment in prompt.attachments)
    return math.ceil(TOKENIZER_MARGIN * sum(map(count_tokens, texts))) + FRAME_TOKENS + attached


def _digest(task: ModelTask, model: str, prompt: Prompt) -> str:
    attached = [[attachment.kind, attachment.url] for attachment in prompt.attachments]
    asked = [task, model, prompt.instructions, prompt.content, prompt.schema, prompt.max_output_tokens, attached]
    return digest(_json(asked))


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=dict)


def _ended(
    call: ModelCall, model: LanguageModel | PaidEmbedder, outcome: CallOutcome, usage: Usage | None
) -> ModelCall:
    """The call with what it cost; None for what nobody knows."""
    return replace(call, outcome=outcome, usage=usage, micros=None if usage is None else model.price(usage))


def _failed(call: ModelCall, model: LanguageModel | PaidEmbedder, error: BaseException) -> ModelCall | None:
    """The call as it failed; None where no provider was asked: a key is missing, say."""
    match error:
        case ModelError():
            return _ended(call, model, _outcome(error), _usage(error))
        case ModelRefusedError():
            return _ended(call, model, "failed", Usage())
        case ConfigurationError():
            return None
        case _:  # nobody knows how it ended: it stays reserved
            return call


def _outcome(error: ModelError) -> CallOutcome:
    return "unusable" if isinstance(error, ModelAnswerError) else "failed"


def _usage(error: ModelError) -> Usage | None:
    """What a failed call cost; None when nobody knows."""
    if error.input_tokens is None or error.output_tokens is None:
        return None
    return Usage(input_tokens=error.input_tokens, output_tokens=error.output_tokens)
