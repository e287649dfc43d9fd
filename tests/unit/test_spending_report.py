"""What language models cost a project, as its principals see it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kept.adapters.inmemory_ledger import InMemoryLedger
from kept.domain.spending import SpendingTotal, Usage
from kept.engine.models import Models
from kept.engine.spending import Spending, spent_on
from kept.errors import ForbiddenError, InvalidInputError
from kept.testing.fakes import SequentialIds, job
from kept.testing.ledger_conformance import call, settled


@pytest.fixture
def ledger():
    return InMemoryLedger()


@pytest.fixture
def enter(platform, enter, ledger):
    """Enters a project of a platform whose models are recorded in the ledger."""
    models = Models({}, ledger, clock=platform.clock, ids=SequentialIds())
    whole = replace(platform, models=models)
    return lambda **who: whole.access(enter(**who).principal)


def spend(ledger, number, **fields):
    ledger.reserve(call(number, **fields), [])
    ledger.settle(settled(call(number, **fields)))


def test_an_add_costs_what_its_readings_cost(ledger, enter):
    """And nothing of what another project's job of the same id cost."""
    added = job(1, results=[{"id": "m1", "event": "ADD"}, {"event": "EXTRACT", "event_id": "job-7"}])
    for number, fields in enumerate(
        [{"job_id": "job-1"}, {"job_id": "job-7"}, {"job_id": "job-7", "project": "other"}]
    ):
        spend(ledger, number, **fields)
    twice = SpendingTotal(calls=2, usage=Usage(input_tokens=80, output_tokens=20, cached_tokens=10), micros=100)
    assert spent_on(enter(), [added, job(2)]) == {"job-1": twice}
    assert spent_on(enter(), []) == {}


def test_the_days_asked_for_are_whole_and_in_utc(ledger, enter):
    spend(ledger, 1)  # on 2026-01-01
    spending = Spending(enter())
    asked = {
        ("2026-01-01", "2026-01-01"): 1,
        ("2026-01-01", None): 1,
        (None, "2026-01-01"): 1,
        ("2026-01-02", None): 0,
        (None, "2025-12-31"): 0,
    }
    assert {days: spending.report(first=days[0], last=days[1]).total.calls for days in asked} == asked


def test_an_administrator_sees_all_projects_by_project_alone(ledger, enter):
    spend(ledger, 1)
    spend(ledger, 2, project="other")
    administrator, owner = Spending(enter(role="ADMIN")), Spending(enter(role="OWNER"))
    assert list(administrator.report("project").totals) == ["default", "other"]
    assert list(owner.report("project").totals) == ["default"]
    assert administrator.report("day").total == owner.report("day").total == owner.report("project").total


def test_a_bound_key_sees_nothing_of_it(enter):
    with pytest.raises(ForbiddenError):
        Spending(enter(bound={"user_id": ("alice",)})).report()


@pytest.mark.parametrize("asked", [{"by": "week"}, {"by": None}, {"task": "singing"}, {"first": "soon"}, {"last": 5}])
def test_what_is_no_group_task_or_day_is_refused(enter, asked):
    with pytest.raises(InvalidInputError):
        Spending(enter()).report(**asked)
