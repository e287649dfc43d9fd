"""What models cost a project, as its principals may see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from kept.domain.jobs import Job
from kept.domain.spending import (
    SPENDING_GROUPS,
    SPENDING_TASKS,
    SpendingGroup,
    SpendingListing,
    SpendingTask,
    SpendingTotal,
    Standing,
)
from kept.domain.temporal import parse_day
from kept.engine.access import ProjectAccess
from kept.errors import InvalidInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was spent.

    Attributes:
        by: What it is summed by.
        totals: By name, in order.
        standings: How much of each limit is spent today, as far as it concerns whoever asks; the narrowest first.
    """

    by: SpendingGroup
    totals: Mapping[str, SpendingTotal]
    standings: Sequence[Standing]

    @property
    def total(self) -> SpendingTotal:
        """All together."""
        return sum(self.totals.values(), SpendingTotal())


class Spending:
    """What the models cost that read and embed for a project.

    Args:
        access: The project.
    """

    def __init__(self, access: ProjectAccess) -> None:
        self._access = access
        self._principal = access.principal
        self._models = access.platform.models

    def report(
        self,
        by: object = "day",
        *,
        task: object = None,
        job_id: str | None = None,
        first: object = None,
        last: object = None,
    ) -> Report:
        """What was spent, and how much of each limit is left. Not for bound keys: it tells of everybody in the project.

        An administrator who asks by project is told of all projects; and of the whole store's limits.

        Args:
            by: `day`, `project`, `task`, `model` or `job`.
            task: Only for this task.
            job_id: Only for this job.
            first: From this day (UTC) on.
            last: Up to this day, itself included.

        Raises:
            InvalidInputError: No such group or task, or no day.
        """
        with self._access.noted("spending.read"):
            self._principal.require_unbound()
            group = _group(by)
            everywhere = group == "project" and self._principal.may("ADMIN")
            listing = SpendingListing(
                project=None if everywhere else self._access.project,
                task=_task(task),
                job_ids=None if job_id is None else [job_id],
                after=None if first is None else _midnight(parse_day(first)),
                before=None if last is None else _midnight(parse_day(last)) + timedelta(days=1),
            )
            return Report(by=group, totals=self._models.spent(listing, group), standings=self._standings())

    def _standings(self) -> list[Standing]:
        """What the whole store spends tells of other projects."""
        found = self._models.standings(self._access.project)
        return [one for one in found if one.limit.per != "day" or self._principal.may("ADMIN")]


def spent_on(access: ProjectAccess, jobs: Sequence[Job]) -> dict[str, SpendingTotal]:
    """What models cost for jobs that the principal sees, by their ids; without those for which none was asked.

    What was read of an add afterwards, in jobs of its own, counts for the add too.
    """
    read_in = {job.id: {job.id, *(one["event_id"] for one in job.results if "event_id" in one)} for job in jobs}
    listing = SpendingListing(project=access.project, job_ids=sorted(set[str]().union(*read_in.values())))
    known = access.platform.models.spent(listing, "job") if jobs else {}
    found = {
        job_id: sum((known[one] for one in sorted(own) if one in known), SpendingTotal())
        for job_id, own in read_in.items()
    }
    return {job_id: spent for job_id, spent in found.items() if spent.calls}


def _group(by: object) -> SpendingGroup:
    for known in SPENDING_GROUPS:
        if by == known:
            return known
    raise InvalidInputError(f"by is {str(by)[:40]!r}; it must be one of {', '.join(SPENDING_GROUPS)}.")


def _task(task: object) -> SpendingTask | None:
    if task is None:
        return None
    for known in SPENDING_TASKS:
        if task == known:
            return known
    raise InvalidInputError(f"task is {str(task)[:40]!r}; it must be one of {', '.join(SPENDING_TASKS)}.")


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
