"""What models cost: usage, calls, limits and sums. Money is in whole micro-dollars, so that sums are exact."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, Self, get_args

from kept.errors import InvalidInputError, SpendingLimitError

ModelTask = Literal["extraction", "contradiction", "categories", "summary", "consolidation"]
"""What a language model is asked for; each may have a model of its own."""
MODEL_TASKS: Final[tuple[ModelTask, ...]] = get_args(ModelTask)

SpendingTask = Literal[ModelTask, "embedding"]
"""What calls are made for: what language models are asked for, and the embeddings of an embedder at a provider."""
SPENDING_TASKS: Final[tuple[SpendingTask, ...]] = get_args(SpendingTask)

CallOutcome = Literal["reserved", "answered", "unusable", "failed"]
"""`reserved`: not over, or nobody knows how it ended. `unusable`: answered, with nothing that could be taken.
`failed`: no answer came."""

SpendingGroup = Literal["day", "project", "task", "model", "job"]
"""What spending is summed by."""
SPENDING_GROUPS: Final[tuple[SpendingGroup, ...]] = get_args(SpendingGroup)

MICROS_PER_DOLLAR: Final = 1_000_000
_PROJECT_LIMITS: Final[Mapping[str, tuple[tuple[type[float], ...], str]]] = {
    "daily_tokens": ((int,), "a whole number"),
    "daily_usd": ((int, float), "a number"),
}
"""What a project may limit for itself, and what it is."""
_PROJECT_LIMITS_NAMED: Final = " and ".join(_PROJECT_LIMITS)
_SHOWN: Final = 40
"""Characters of a wrong value that an error repeats."""


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

    def __add__(self, other: Self) -> Usage:
        """Both together."""
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """One request to a language model, or to an embedder at a provider.

    Attributes:
        job_id: For which job.
        digest: Of what was asked for a job (`engine.models`), so that it is known again without a text being kept; forgotten
            with what is erased.
        reserved: Most that it could have cost, reserved before it was made; of embeddings, for which nothing is reserved, an estimate.
        reserved_micros: The same in micro-dollars; None when no price is known.
        usage: What it cost; None while nobody knows.
        micros: The same in micro-dollars; None while nobody knows, or when no price is known.
    """

    id: str
    at: datetime
    project: str
    task: SpendingTask
    model: str
    job_id: str | None = None
    digest: str | None = None
    reserved: Usage
    reserved_micros: int | None = None
    usage: Usage | None = None
    micros: int | None = None
    outcome: CallOutcome = "reserved"

    @property
    def is_settled(self) -> bool:
        """Whether it is known what it cost."""
        return self.usage is not None

    @property
    def spent(self) -> Usage:
        """What it counts for: what it cost, or all that was reserved while nobody knows."""
        return self.reserved if self.usage is None else self.usage

    @property
    def spent_micros(self) -> int | None:
        """The same in micro-dollars; None when no price is known."""
        return self.reserved_micros if self.usage is None else self.micros

    @property
    def day(self) -> str:
        """The day (UTC) on which it was made, as in ISO 8601."""
        return self.at.astimezone(UTC).date().isoformat()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingListing:
    """Which calls: all conditions hold; one that is None does not constrain.

    Attributes:
        job_ids: For one of these jobs.
        after: At or after.
        before: Before.
    """

    project: str | None = None
    task: SpendingTask | None = None
    job_ids: Collection[str] | None = None
    after: datetime | None = None
    before: datetime | None = None

    def admits(self, call: ModelCall) -> bool:
        """Whether the call is one of them."""
        return (
            self.project in {None, call.project}
            and self.task in {None, call.task}
            and (self.job_ids is None or call.job_id in self.job_ids)
            and (self.after is None or call.at >= self.after)
            and (self.before is None or call.at < self.before)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingTotal:
    """What some calls cost together; one that is not settled with all that was reserved for it.

    Attributes:
        micros: Micro-dollars of the calls whose price is known.
        unpriced: Calls whose price is not known.
        unsettled: Calls that are not over, or nobody knows how they ended.
        failed: Calls that gave nothing that could be used.
    """

    calls: int = 0
    usage: Usage = Usage()
    micros: int = 0
    unpriced: int = 0
    unsettled: int = 0
    failed: int = 0

    def __add__(self, other: Self) -> SpendingTotal:
        """Of different calls, both together."""
        return SpendingTotal(
            calls=self.calls + other.calls,
            usage=self.usage + other.usage,
            micros=self.micros + other.micros,
            unpriced=self.unpriced + other.unpriced,
            unsettled=self.unsettled + other.unsettled,
            failed=self.failed + other.failed,
        )


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

    @property
    def is_set(self) -> bool:
        """Whether it bounds anything."""
        return self.tokens is not None or self.micros is not None

    def counts(self, project: str, at: datetime, job_id: str | None = None) -> SpendingListing | None:
        """The calls that it bounds together, for one of a project at a time for a job; None when it does not bound that one."""
        if self.per == "job":
            return None if job_id is None else SpendingListing(project=project, job_ids=(job_id,))
        after, before = day_around(at)
        return SpendingListing(project=project if self.per == "project_day" else None, after=after, before=before)

    def require_room(self, spent: SpendingTotal, call: ModelCall) -> None:
        """Refuse a call that is about to be made when with it more than this would be spent.

        Args:
            spent: What was spent or reserved by those that it `counts`, without the call.
            call: What is to be reserved.

        Raises:
            SpendingLimitError: With when there is room again, unless only a higher limit makes it.
        """
        bounds = (
            (_as_tokens, self.tokens, spent.usage.tokens, call.reserved.tokens),
            (as_dollars, self.micros, spent.micros, call.reserved_micros or 0),
        )
        for said, most, before, more in bounds:
            if most is not None and before + more > most:
                until_midnight = (day_around(call.at)[1] - call.at).total_seconds()
                raise SpendingLimitError(
                    f"The limit {self.name} of {said(most)} has no room left for a call that could take {said(more)}.",
                    limit=self.name,
                    retry_after_s=until_midnight if self.per != "job" and more <= most else None,
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How much of a limit is spent.

    Attributes:
        spent: Or reserved, in the day of now; None of a limit of jobs, each of which has its own.
    """

    limit: SpendingLimit
    spent: SpendingTotal | None

    @property
    def left(self) -> SpendingLimit:
        """What is left of it, never below zero."""
        used = self.spent or SpendingTotal()
        return replace(
            self.limit,
            tokens=None if self.limit.tokens is None else max(self.limit.tokens - used.usage.tokens, 0),
            micros=None if self.limit.micros is None else max(self.limit.micros - used.micros, 0),
        )


def to_micros(dollars: float | None) -> int | None:
    """Dollars in micro-dollars, to the nearest; None for None."""
    return None if dollars is None else round(dollars * MICROS_PER_DOLLAR)


def to_dollars(micros: int | None) -> float | None:
    """Micro-dollars in dollars; None for None."""
    return None if micros is None else micros / MICROS_PER_DOLLAR


def as_dollars(micros: int) -> str:
    """Micro-dollars for people, as dollars."""
    return f"{micros / MICROS_PER_DOLLAR:,.4f} USD"


def _as_tokens(number: int) -> str:
    return f"{number:,} tokens"


def day_around(moment: datetime) -> tuple[datetime, datetime]:
    """The day (UTC) that a moment is in: its midnight and the next one."""
    midnight = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight, midnight + timedelta(days=1)


def parse_project_limits(given: object) -> dict[str, float]:
    """What a project may spend in a day, from `{"daily_tokens": 100000, "daily_usd": 1.5}`; what is not named, or null, is no limit.

    Raises:
        InvalidInputError: Another name, or no number from 0.
    """
    if not isinstance(given, Mapping):
        raise InvalidInputError(f"spending must be an object with {_PROJECT_LIMITS_NAMED}.")
    if unknown := set(map(str, given)) - _PROJECT_LIMITS.keys():
        raise InvalidInputError(f"spending has {min(unknown)[:_SHOWN]!r}; it can have {_PROJECT_LIMITS_NAMED}.")
    return {name: _least_zero(name, value) for name, value in given.items() if value is not None}


def _least_zero(name: str, value: object) -> float:
    numbers, called = _PROJECT_LIMITS[name]
    if isinstance(value, numbers) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return value
    raise InvalidInputError(
        f"spending.{name} is {str(value)[:_SHOWN]!r}; it must be {called} from 0, or null for no limit."
    )


def project_limits(given: Mapping[str, float]) -> tuple[SpendingLimit, ...]:
    """The limits that a project has set for itself, as `parse_project_limits` read them."""
    tokens, dollars = given.get("daily_tokens"), given.get("daily_usd")
    return (
        SpendingLimit(name="spending.daily_tokens", per="project_day", tokens=None if tokens is None else int(tokens)),
        SpendingLimit(name="spending.daily_usd", per="project_day", micros=to_micros(dollars)),
    )


def total(calls: Iterable[ModelCall]) -> SpendingTotal:
    """What calls cost together."""
    known = list(calls)
    prices = [call.spent_micros for call in known]
    return SpendingTotal(
        calls=len(known),
        usage=sum((call.spent for call in known), Usage()),
        micros=sum(price for price in prices if price is not None),
        unpriced=prices.count(None),
        unsettled=sum(not call.is_settled for call in known),
        failed=sum(call.outcome in {"unusable", "failed"} for call in known),
    )
