"""Reading the audit: who read or changed what in a project; its owner's matter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any, Final

from kept.engine.access import ProjectAccess
from kept.ports import AuditEntry, AuditListing

READ_AT_ONCE: Final = 10_000
"""Entries of an export read together (some 3 MB): between two reads nothing is held that a slow receiver could block."""


class Auditing:
    """The audit of a project. What was done before a call is in it, also what other threads of this process did.

    Args:
        access: The project.
    """

    def __init__(self, access: ProjectAccess) -> None:
        self._access = access
        self._audit = access.platform.trail.audit

    def page(self, *, limit: int = 100, offset: int = 0, **criteria: Any) -> tuple[list[AuditEntry], int]:
        """A page of entries, newest first, and how many there are; criteria as of `AuditListing`."""
        with self._access.noted("audit.list", "OWNER"):
            listing = self._listing(criteria)
            return self._audit.page(listing, limit=limit, offset=offset), self._audit.count(listing)

    def export(self, **criteria: Any) -> Iterator[AuditEntry]:
        """All entries, newest first, one at a time; those that come meanwhile are left out."""
        with self._access.noted("audit.export", "OWNER") as note:
            listing = self._listing(criteria)
            now = self._access.platform.clock()
            until = now if listing.before is None else min(listing.before, now)
            note.count = self._audit.count(replace(listing, before=until))
        return self._all(replace(listing, before=until))

    def _listing(self, criteria: dict[str, Any]) -> AuditListing:
        self._access.platform.trail.flush()
        return AuditListing(project=self._access.project, **criteria)

    def _all(self, listing: AuditListing) -> Iterator[AuditEntry]:
        for offset in count(0, READ_AT_ONCE):
            entries = self._audit.page(listing, limit=READ_AT_ONCE, offset=offset)
            yield from entries
            if len(entries) < READ_AT_ONCE:
                return
