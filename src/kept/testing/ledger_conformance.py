"""What every ledger must do: each promise of `kept.ports.Ledger`, as a test.

An adapter is right when a subclass passes::

    class TestPostgresLedger(LedgerConformance):
        @pytest.fixture
        def open_ledger(self, database_url):
            return lambda: (PostgresLedger(database_url), PostgresJobs(database_url), PostgresLog(database_url))

Each call opens the same store again, as another process would.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kept.adapters.inmemory_ledger import InMemoryLedger
from kept.domain.spending import (
    SPENDING_GROUPS,
    SPENDING_TASKS,
    ModelCall,
    SpendingLimit,
    SpendingListing,
    SpendingTotal,
    Usage,
    day_around,
    total,
)
from kept.errors import ConflictError, SpendingLimitError
from kept.testing.control_conformance import THREADS, at_once
from kept.testing.fakes import SCOPE, START, Scribe, job

if TYPE_CHECKING:
    from collections.abc import Callable

    from kept.ports import Jobs, Ledger, Log

HOUR: Final = timedelta(hours=1)
ALL_CALLS: Final = SpendingListing()
MANY: Final = 1_000


def call(number: int = 1, **fields: Any) -> ModelCall:
    """A call of the default project, reserved so many seconds after `START` with 100 tokens and micro-dollars."""
    defaults: dict[str, Any] = {
        "id": f"call-{number}",
        "at": START + timedelta(seconds=number),
        "project": "default",
        "task": "extraction",
        "model": "scripted:model",
        "reserved": Usage(input_tokens=80, output_tokens=20),
        "reserved_micros": 100,
    }
    return ModelCall(**(defaults | fields))


def settled(reserved: ModelCall, **fields: Any) -> ModelCall:
    """A call as it is when it was answered with 50 tokens."""
    usage = Usage(input_tokens=40, output_tokens=10, cached_tokens=5)
    ended: dict[str, Any] = {"outcome": "answered", "usage": usage, "micros": 50}
    return replace(reserved, **(ended | fields))


def most(tokens: int | None = None, *, per: Any = "day", micros: int | None = None) -> SpendingLimit:
    """A limit."""
    return SpendingLimit(name=f"most_{per}", per=per, tokens=tokens, micros=micros)


_settlings = st.sampled_from(
    [
        None,
        {},
        {"outcome": "failed", "usage": None, "micros": None},
        {"outcome": "unusable", "micros": None},
        {"outcome": "failed", "usage": Usage(), "micros": 0},
    ]
)
"""How a call ends; None for one that never does."""
_calls = st.builds(
    lambda fields, tokens, hours: fields | {"reserved": Usage(input_tokens=tokens), "at": START + hours * HOUR},
    st.fixed_dictionaries(
        {
            "project": st.sampled_from(["default", "other"]),
            "task": st.sampled_from([SPENDING_TASKS[0], SPENDING_TASKS[-1]]),
            "job_id": st.sampled_from([None, "job-1", "job-2"]),
            "reserved_micros": st.sampled_from([None, 0, 70]),
        }
    ),
    st.integers(min_value=0, max_value=200),
    st.sampled_from([0, 11, 12, 13]),  # noon; the last hour of the day; midnight and after
)
_limits = st.lists(
    st.builds(
        most,
        st.none() | st.integers(min_value=0, max_value=400),
        per=st.sampled_from(["job", "project_day", "day"]),
        micros=st.none() | st.integers(min_value=0, max_value=200),
    ),
    max_size=3,
)


class LedgerConformance:
    """Subclass it, override `open_ledger`."""

    @pytest.fixture
    def open_ledger(self) -> Callable[[], tuple[Ledger, Jobs, Log]]:
        """Gives a function that opens the ledger of this test, and jobs and log of its store; a second call opens the same."""
        raise NotImplementedError("Override the fixture open_ledger.")

    @pytest.fixture
    def opened(self, open_ledger: Callable[[], tuple[Ledger, Jobs, Log]]) -> tuple[Ledger, Jobs, Log]:
        """An empty store."""
        return open_ledger()

    @pytest.fixture
    def ledger(self, opened: tuple[Ledger, Jobs, Log]) -> Ledger:
        """Its ledger."""
        return opened[0]

    def test_a_call_is_given_back_as_it_was_kept(
        self, ledger: Ledger, open_ledger: Callable[[], tuple[Ledger, Jobs, Log]]
    ) -> None:
        """Reserved, and when it is settled; to whoever opens the store."""
        plain, full = call(1, reserved_micros=None), call(2, job_id="job-1", digest="d1", task="summary")
        for reserved in (plain, full):
            ledger.reserve(reserved, [])
        assert ledger.page(ALL_CALLS, limit=MANY) == [full, plain]
        ledger.settle(settled(full))
        assert open_ledger()[0].page(ALL_CALLS, limit=MANY) == [settled(full), plain]

    def test_an_id_is_reserved_once(self, ledger: Ledger) -> None:
        """The first stays as it was."""
        ledger.reserve(call(), [])
        with pytest.raises(ConflictError, match="call-1"):
            ledger.reserve(call(task="summary"), [])
        assert ledger.page(ALL_CALLS, limit=MANY) == [call()]

    def test_settling_changes_how_it_ended_and_nothing_else(self, ledger: Ledger) -> None:
        """A call that was never reserved is not kept."""
        ledger.reserve(call(), [])
        ledger.settle(settled(call(project="other", model="another", reserved_micros=1)))
        ledger.settle(settled(call(2)))
        assert ledger.page(ALL_CALLS, limit=MANY) == [settled(call())]

    def test_what_was_never_asked_counts_nothing(self, ledger: Ledger) -> None:
        """What was made, and what nobody knows of, is left alone."""
        for number in (1, 2):
            ledger.reserve(call(number), [])
        ledger.settle(settled(call(1)))
        for name in ("call-1", "call-2", "call-3"):
            ledger.release(name)
        assert ledger.page(ALL_CALLS, limit=MANY) == [settled(call(1))]
        ledger.reserve(call(2), [most(150)])

    @pytest.mark.parametrize("ending", [{}, {"outcome": "failed", "usage": None, "micros": None}], ids=["known", "not"])
    def test_what_is_over_is_recorded_whatever_the_limits_and_counts_for_them(
        self, ledger: Ledger, ending: dict[str, Any]
    ) -> None:
        """As what it cost; or, while nobody knows, as what was expected. Its id is used once."""
        over = settled(call(1, task="embedding", job_id="job-1"), **ending)
        ledger.reserve(call(2), [most(100)])
        ledger.record(over)
        assert ledger.page(ALL_CALLS, limit=MANY) == [over, call(2)]
        spent = 100 + over.spent.tokens
        ledger.reserve(call(3, reserved=Usage()), [most(spent)])
        with pytest.raises(SpendingLimitError):
            ledger.reserve(call(4, reserved=Usage(input_tokens=1)), [most(spent)])
        with pytest.raises(ConflictError, match="call-1"):
            ledger.record(over)

    def test_a_limit_may_be_reached_and_not_exceeded(self, ledger: Ledger) -> None:
        """Nothing of what was refused is kept, and its id is free."""
        ledger.reserve(call(1), [most(200)])
        ledger.reserve(call(2), [most(200)])
        refused = call(3, reserved=Usage(input_tokens=1))
        with pytest.raises(SpendingLimitError, match=r"most_day of 200 tokens has no room left .* 1 tokens") as caught:
            ledger.reserve(refused, [most(200)])
        assert caught.value.limit == "most_day"
        assert len(ledger.page(ALL_CALLS, limit=MANY)) == 2
        ledger.reserve(refused, [most(201)])

    def test_money_is_limited_as_tokens_are(self, ledger: Ledger) -> None:
        """What has no known price counts nothing."""
        ledger.reserve(call(1), [most(micros=150)])
        ledger.reserve(call(2, reserved_micros=None), [most(micros=150)])
        with pytest.raises(SpendingLimitError):
            ledger.reserve(call(3), [most(micros=150)])

    def test_what_was_not_spent_makes_room(self, ledger: Ledger) -> None:
        """A settled call counts as what it cost; one that never was, as what was reserved, also in another opening."""
        for number, ended in ((1, settled(call(1))), (2, settled(call(2), outcome="failed", usage=Usage(), micros=0))):
            ledger.reserve(call(number), [])
            ledger.settle(ended)
        ledger.reserve(call(3), [])
        ledger.reserve(call(4), [most(250)])
        with pytest.raises(SpendingLimitError):
            ledger.reserve(call(5, reserved=Usage(input_tokens=1)), [most(250)])

    def test_what_cost_more_than_was_reserved_counts_as_it_cost(self, ledger: Ledger) -> None:
        """Which may be more than the limit; then there is no room."""
        ledger.reserve(call(1), [most(100)])
        ledger.settle(settled(call(1), usage=Usage(input_tokens=130)))
        with pytest.raises(SpendingLimitError, match="most_day"):
            ledger.reserve(call(2, reserved=Usage(), reserved_micros=0), [most(100)])

    @pytest.mark.parametrize(
        ("per", "fields", "is_refused"),
        [
            ("day", {}, True),
            ("day", {"project": "other"}, True),
            ("day", {"at": day_around(START)[1] - timedelta(microseconds=1)}, True),
            ("day", {"at": day_around(START)[1]}, False),
            ("day", {"at": day_around(START)[0]}, True),
            ("day", {"at": day_around(START)[0] - timedelta(microseconds=1)}, False),
            ("project_day", {}, True),
            ("project_day", {"project": "other"}, False),
            ("project_day", {"at": day_around(START)[1]}, False),
            ("job", {}, False),
            ("job", {"job_id": "job-1"}, True),
            ("job", {"job_id": "job-2"}, False),
            ("job", {"job_id": "job-1", "project": "other"}, False),
            ("job", {"job_id": "job-1", "at": day_around(START)[1]}, True),
        ],
        ids=str,
    )
    def test_a_limit_bounds_its_job_its_project_or_the_store(
        self, ledger: Ledger, per: str, fields: dict[str, Any], *, is_refused: bool
    ) -> None:
        """By job, or by day in UTC."""
        ledger.reserve(call(1, job_id="job-1"), [])
        try:
            ledger.reserve(call(2, **fields), [most(199, per=per)])
        except SpendingLimitError:
            assert is_refused
        else:
            assert not is_refused

    def test_who_is_refused_for_the_day_learns_when_the_next_begins(self, ledger: Ledger) -> None:
        """Of a job's limit, and of a call larger than the limit, nothing but a higher limit makes room."""
        ledger.reserve(call(1, job_id="job-1"), [])
        waits = {}
        for limit in (most(150), most(150, per="project_day"), most(99), most(150, per="job")):
            with pytest.raises(SpendingLimitError) as caught:
                ledger.reserve(call(2, at=START + HOUR, job_id="job-1"), [limit])
            waits[limit.per, limit.tokens] = caught.value.retry_after_s
        until = timedelta(hours=11).total_seconds()
        assert waits == {("day", 150): until, ("project_day", 150): until, ("day", 99): None, ("job", 150): None}

    def test_of_several_limits_the_first_that_is_reached_is_named(self, ledger: Ledger) -> None:
        """All must have room."""
        with pytest.raises(SpendingLimitError) as caught:
            ledger.reserve(call(), [most(100), most(99, per="project_day"), most(micros=1)])
        assert caught.value.limit == "most_project_day"

    def test_the_last_room_is_taken_once(
        self, ledger: Ledger, open_ledger: Callable[[], tuple[Ledger, Jobs, Log]]
    ) -> None:
        """By one of many threads, through two openings of the store."""
        openings = [ledger, open_ledger()[0]]
        ledger.reserve(call(THREADS), [])

        def take(number: int) -> bool:
            try:
                openings[number % 2].reserve(call(number), [most(350)])
            except SpendingLimitError:
                return False
            return True

        assert sum(at_once(take)) == 2
        assert len(ledger.page(ALL_CALLS, limit=MANY)) == 3

    def test_an_answered_call_is_known_again(self, ledger: Ledger) -> None:
        """By its digest, in its project; the newest. One that failed, or is not over, was not answered."""
        answered = [call(number, digest="d1") for number in (1, 2)]
        for known in answered:
            ledger.reserve(known, [])
            ledger.settle(settled(known))
        ledger.reserve(call(3, digest="d2"), [])
        ledger.reserve(call(4, digest="d3"), [])
        ledger.settle(settled(call(4), outcome="unusable"))
        assert ledger.answered("default", "d1") == settled(answered[1])
        assert ledger.answered("other", "d1") is None
        assert ledger.answered("default", "d2") is ledger.answered("default", "d3") is None

    def test_what_is_erased_is_not_known_again(self, opened: tuple[Ledger, Jobs, Log]) -> None:
        """Calls for jobs that held it lose their digest, as they do with the end of the job; their cost stays."""
        ledger, jobs, log = opened
        scribe = Scribe(log)
        memory = scribe.add()
        jobs.put(job(1, status="SUCCEEDED", completed_at=START, memory_ids=[memory.id]))
        jobs.put(job(2, status="SUCCEEDED", completed_at=START))
        jobs.put(job(3))
        for number in (1, 2, 3):
            ledger.reserve(call(number, job_id=f"job-{number}", digest=f"d{number}"), [])

        def digests() -> list[str | None]:
            return [found.digest for found in ledger.page(ALL_CALLS, limit=MANY)[::-1]]

        scribe.erase(memory)
        assert digests() == [None, "d2", "d3"]
        jobs.purge(START + HOUR)
        assert digests() == [None, None, "d3"]
        jobs.blank(SCOPE)
        assert digests() == [None, None, None]
        assert ledger.totals(ALL_CALLS, "project")["default"].calls == 3

    @pytest.mark.parametrize(
        ("listing", "expected"),
        [
            (SpendingListing(), [4, 3, 2, 1]),
            (SpendingListing(project="other"), [3]),
            (SpendingListing(task="summary"), [2]),
            (SpendingListing(job_ids=["job-1", "job-3"]), [4]),
            (SpendingListing(job_ids=[]), []),
            (SpendingListing(after=call(3).at), [4, 3]),
            (SpendingListing(before=call(3).at), [2, 1]),
            (SpendingListing(project="default", before=call(3).at, task="extraction"), [1]),
            (SpendingListing(project="unknown"), []),
        ],
        ids=str,
    )
    def test_a_listing_is_what_all_conditions_admit(
        self, ledger: Ledger, listing: SpendingListing, expected: list[int]
    ) -> None:
        """Newest first; totals agree."""
        calls = {
            1: call(1),
            2: call(2, task="summary"),
            3: call(3, project="other"),
            4: call(4, job_id="job-1", reserved=Usage(input_tokens=7)),
        }
        for kept in calls.values():
            ledger.reserve(kept, [])
        assert ledger.page(listing, limit=MANY) == [calls[number] for number in expected]
        found = ledger.totals(listing, "model")
        assert found == ({"scripted:model": total(calls[number] for number in expected)} if expected else {})

    def test_pages_follow_each_other(self, ledger: Ledger) -> None:
        """In the order of reserving, whatever the clock says."""
        for number in range(5):
            ledger.reserve(call(number, at=START - number * HOUR), [])
        pages = [ledger.page(ALL_CALLS, limit=2, offset=offset) for offset in (0, 2, 4, 6)]
        assert [[found.id for found in page] for page in pages] == [
            ["call-4", "call-3"],
            ["call-2", "call-1"],
            ["call-0"],
            [],
        ]

    def test_totals_say_what_is_not_known(self, ledger: Ledger) -> None:
        """What is not settled counts as reserved, and is counted; so are calls without a price and those that failed."""
        endings: list[dict[str, Any] | None] = [
            None,
            {},
            {"outcome": "failed", "usage": None, "micros": None},
            {"outcome": "unusable", "micros": None},
        ]
        for number, ending in enumerate(endings):
            ledger.reserve(call(number), [])
            if ending is not None:
                ledger.settle(settled(call(number), **ending))
        assert ledger.totals(ALL_CALLS, "task") == {
            "extraction": SpendingTotal(
                calls=4,
                usage=Usage(input_tokens=240, output_tokens=60, cached_tokens=10),
                micros=250,
                unpriced=1,
                unsettled=2,
                failed=2,
            )
        }

    def test_totals_come_by_name(self, ledger: Ledger) -> None:
        """In the order of the names; calls for no job under none."""
        ledger.reserve(call(1, project="other", model="b:2", job_id="job-1", at=START + 24 * HOUR), [])
        ledger.reserve(call(2, model="a:1", task="summary"), [])
        ledger.reserve(call(3, model="b:2", at=day_around(START)[1] - timedelta(microseconds=1)), [])
        names = {by: list(ledger.totals(ALL_CALLS, by)) for by in SPENDING_GROUPS}
        assert names == {
            "day": ["2026-01-01", "2026-01-02"],
            "project": ["default", "other"],
            "task": ["extraction", "summary"],
            "model": ["a:1", "b:2"],
            "job": ["", "job-1"],
        }

    def test_a_purge_removes_what_is_older(self, ledger: Ledger) -> None:
        """In all projects; the very moment stays."""
        for kept in (call(1), call(2, project="other"), call(3)):
            ledger.reserve(kept, [])
        assert ledger.purge(call(3).at) == 2
        assert ledger.page(ALL_CALLS, limit=MANY) == [call(3)]
        assert ledger.purge(START) == 0

    def test_no_life_of_calls_exceeds_a_limit(self, ledger: Ledger) -> None:
        """Whatever was reserved and settled before; and the ledger agrees with the one in memory at each step."""

        @settings(max_examples=40, deadline=None)
        @given(st.lists(st.tuples(_calls, _limits, _settlings), max_size=12))
        def live(lives: list[Any]) -> None:
            ledger.purge(START + 48 * HOUR)
            reference = InMemoryLedger()
            for number, (fields, limits, ending) in enumerate(lives):
                wanted = call(number, **fields)
                refusal = _refusal(ledger, wanted, limits)
                assert refusal == _refusal(reference, wanted, limits)
                if refusal is None:
                    _assert_within(ledger, limits, wanted)
                    if ending is not None:
                        ledger.settle(settled(wanted, **ending))
                        reference.settle(settled(wanted, **ending))
            assert ledger.page(ALL_CALLS, limit=MANY) == reference.page(ALL_CALLS, limit=MANY)
            for by in SPENDING_GROUPS:
                assert ledger.totals(ALL_CALLS, by) == reference.totals(ALL_CALLS, by)

        live()


def _refusal(ledger: Ledger, wanted: ModelCall, limits: list[SpendingLimit]) -> tuple[str, str, float | None] | None:
    try:
        ledger.reserve(wanted, limits)
    except SpendingLimitError as error:
        return str(error), error.limit, error.retry_after_s
    return None


def _assert_within(ledger: Ledger, limits: list[SpendingLimit], made: ModelCall) -> None:
    for limit in limits:
        if (bounded := limit.counts(made.project, made.at, made.job_id)) is not None:
            spent = total(ledger.page(bounded, limit=MANY))
            assert limit.tokens is None or spent.usage.tokens <= limit.tokens
            assert limit.micros is None or spent.micros <= limit.micros
