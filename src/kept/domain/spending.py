"""What language models cost: usage, calls, limits and sums. Money is in whole micro-dollars, so that sums are exact."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

ModelTask = Literal["extraction", "contradiction", "categories", "summary", "consolidation"]
"""What a model is asked for; each may have a model of its own."""
MODEL_TASKS: Final[tuple[ModelTask, ...]] = get_args(ModelTask)

CallOutcome = Literal["reserved", "answered", "unusable", "failed"]
"""`reserved`: not over, or nobody knows how it ended. `unusable`: answered, with nothing that could be taken.
`failed`: no answer came."""

SpendingGroup = Literal["day", "project", "task", "model", "job"]
"""What spending is summed by."""

MICROS_PER_DOLLAR: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call, as its provider counts them.

    Attributes:
        input_tokens: All that was read, `cached_tokens` included.
        output_tokens: All that was written.
        cached_tokens: Read from the provider's cache, at a lower price.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Read and written."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """One request to a language model.

    Attributes:
        job_id: For which job.
        reserved: Most that it could have cost, reserved before it was made.
        reserved_micros: The same in micro-dollars; None when no price is known.
        usage: What it cost; None while nobody knows.
        micros: The same in micro-dollars; None while nobody knows, or when no price is known.
    """

    id: str
    at: datetime
    project: str
    task: ModelTask
    model: str
    job_id: str | None = None
    reserved: Usage
    reserved_micros: int | None = None
    usage: Usage | None = None
    micros: int | None = None
    outcome: CallOutcome = "reserved"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingLimit:
    """How much may be spent: by one job, or by one project or the whole store in a day (UTC).

    Attributes:
        name: As in errors, such as `llm_daily_tokens`.
        per: What it bounds.
        tokens: Read and written together; None for no bound.
        micros: Micro-dollars; None for no bound. Calls without a known price count nothing here.
    """

    name: str
    per: Literal["job", "project_day", "day"]
    tokens: int | None = None
    micros: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingListing:
    """Which calls: all conditions hold; one that is None does not constrain."""

    project: str | None = None
    task: ModelTask | None = None
    job_id: str | None = None
    after: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingTotal:
    """What some calls cost together.

    Attributes:
        micros: Micro-dollars of the calls whose price is known.
        unpriced: Calls whose price is not known.
        failed: Calls that gave nothing that could be used.
    """

    calls: int = 0
    usage: Usage = Usage()
    micros: int = 0
    unpriced: int = 0
    failed: int = 0
