"""Proposals as a principal of a project may see and decide them; and those that come by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from kept.domain.jobs import Job
from kept.domain.proposals import PROPOSAL_STATUSES, ProposalStatus
from kept.domain.scope import Scope
from kept.engine.access import ProjectAccess
from kept.engine.maintain import By
from kept.engine.platform import Platform
from kept.engine.proposals import MOST_MADE, Made, Proposal
from kept.errors import InvalidInputError

CONSOLIDATED: Final = "consolidated"
"""The registry's kind of when a project was looked through by itself."""
ACTOR: Final = "consolidation"
ALL: Final = "all"


class Proposing:
    """The proposals of a project.

    Args:
        access: The project.
    """

    def __init__(self, access: ProjectAccess) -> None:
        self._access = access
        self._project = access.project
        self._proposals = access.platform.service.proposals

    def make(
        self,
        ids: Mapping[str, object] | None = None,
        filters: Mapping[str, Any] | None = None,
        *,
        limit: int = MOST_MADE,
        dry_run: bool = False,
    ) -> Made:
        """Propose what was not proposed before, for a scope or (naming nobody) for all that the principal may see."""
        with self._access.noted("proposal.make", "WRITER") as note:
            scope, condition = self._access.within(ids or {}, filters)
            if scope.is_bare and not filters:
                scope, condition = self._access.everything()
            note.target |= scope.ids
            made = self._proposals.make(scope, condition, by=self._access.by, limit=limit, dry_run=dry_run)
            note.count = len(made.proposals)
            return made

    def page(
        self, status: object = "pending", ids: Mapping[str, object] | None = None, *, limit: int = 100, offset: int = 0
    ) -> tuple[list[Proposal], int]:
        """A page of proposals, newest first, and how many there are.

        Args:
            status: `pending`, `accepted`, `declined`, `stale`, or `all`.
            ids: Only about memories under these.
            limit: How many at most.
            offset: After so many.

        Raises:
            InvalidInputError: There is no such status.
        """
        with self._access.noted("proposal.list"):
            scope = Scope.of(project=self._project, **(ids or {}))
            bound = self._access.principal.bound
            return self._proposals.page(scope, parse_status(status), bound=bound, limit=limit, offset=offset)

    def get(self, proposal_id: str) -> Proposal:
        """One of them.

        Raises:
            NotFoundError: None that the principal may see.
        """
        with self._access.noted("proposal.get", proposal_id=proposal_id):
            return self._proposals.get(self._project, self._seen(proposal_id).id)

    def accept(self, proposal_id: str, text: object = None) -> Proposal:
        """Make the change, with another text if one is given; as `Proposals.accept`."""
        with self._access.noted("proposal.accept", "WRITER", proposal_id=proposal_id) as note:
            job = self._seen(proposal_id)
            accepted = self._proposals.accept(self._project, job.id, text=text, by=self._access.by)
            note.count = len(accepted.closes)
            return accepted

    def decline(self, proposal_id: str) -> Proposal:
        """Leave everything as it is, for good; as `Proposals.decline`."""
        with self._access.noted("proposal.decline", "WRITER", proposal_id=proposal_id):
            return self._proposals.decline(self._project, self._seen(proposal_id).id)

    def _seen(self, proposal_id: str) -> Job:
        return self._proposals.job(self._project, proposal_id, sees=self._access.sees)


def parse_status(status: object) -> ProposalStatus | None:
    """A status by its name; None for all of them.

    Raises:
        InvalidInputError: There is no such status.
    """
    for known in PROPOSAL_STATUSES:
        if status == known:
            return known
    if status == ALL:
        return None
    raise InvalidInputError(f"status is {str(status)[:40]!r}; it must be one of {', '.join(PROPOSAL_STATUSES)}, {ALL}.")


def consolidate_due(platform: Platform, every: timedelta) -> int:
    """Look through each project whose turn it is; how many proposals that made. The worker calls it."""
    made = 0
    for project in platform.service.projects():
        entry = platform.entry(CONSOLIDATED, project, project, {})
        last = platform.registry.find(CONSOLIDATED, project)
        if last is None or entry.updated_at - last.updated_at >= every:
            by = By(actor=ACTOR, connector="worker")
            made += len(platform.service.proposals.make(Scope.everything(project), by=by).proposals)
            platform.registry.put(entry)
    return made
