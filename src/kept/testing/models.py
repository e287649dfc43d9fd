"""A language model that answers what a test tells it to; what speaks a provider's wire format is in `providers`."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from kept.domain.memory import AttachmentKind
from kept.domain.spending import Usage
from kept.domain.text import count_tokens
from kept.ports import ModelAnswer, Prompt

__all__ = ["ScriptedModel"]


class ScriptedModel:
    """Answers prompts from a script, and keeps what it was asked.

    Tokens are counted by `domain.text.count_tokens`: the instructions, content and schema are read, the answer as JSON
    is written. An answer is not held against the schema, so that a test can see what a wrong one does.

    Attributes:
        prompts: What it was asked, in order, those that failed included.
    """

    def __init__(
        self,
        answers: Sequence[Mapping[str, Any] | Exception] | Callable[[Prompt], Mapping[str, Any]],
        *,
        name: str = "scripted:model",
        price_per_million: float | None = None,
        accepts: Collection[AttachmentKind] = (),
    ) -> None:
        """Write the script.

        Args:
            answers: One for each call, in order, an exception being raised; or what makes one from the prompt.
            name: As its port's `name`.
            price_per_million: Dollars for a million tokens, read or written; None for a model without a known price.
            accepts: Which attachments it can read.
        """
        self.prompts: list[Prompt] = []
        self._answer = answers if callable(answers) else _in_turn(answers)
        self._name = name
        self._price_per_million = price_per_million
        self._accepts = frozenset(accepts)
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """As it was given."""
        return self._name

    def accepts(self, kind: AttachmentKind) -> bool:
        """Whether it was said to."""
        return kind in self._accepts

    def price(self, usage: Usage) -> int | None:
        """Micro-dollars: a dollar for a million tokens is one for each token."""
        return None if self._price_per_million is None else round(usage.tokens * self._price_per_million)

    def ask(self, prompt: Prompt) -> ModelAnswer:
        """The script's next answer.

        Raises:
            Exception: The one whose turn it is.
            AssertionError: The script is at its end.
        """
        with self._lock:
            self.prompts.append(prompt)
            value = self._answer(prompt)
        asked = (prompt.instructions, prompt.content, json.dumps(prompt.schema))
        usage = Usage(input_tokens=sum(map(count_tokens, asked)), output_tokens=count_tokens(_as_json(value)))
        return ModelAnswer(value=value, usage=usage)


def _as_json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _in_turn(answers: Sequence[Mapping[str, Any] | Exception]) -> Callable[[Prompt], Mapping[str, Any]]:
    """What gives one answer after the other, whatever it is asked."""
    waiting: Iterator[Mapping[str, Any] | Exception] = iter(answers)

    def answer(_: Prompt) -> Mapping[str, Any]:
        given = next(waiting, None)
        assert given is not None, f"the model was asked more often than its script of {len(answers)} answers says"
        if isinstance(given, Exception):
            raise given
        return given

    return answer
