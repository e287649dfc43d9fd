"""Listings and scopes as conditions on rows: written once, for memories and what is joined with them."""

from __future__ import annotations

from typing import Any

from kept.adapters.sql import SQLITE, where
from kept.domain.scope import ANY, Scope
from kept.ports import Listing


def listed(listing: Listing) -> tuple[str, list[Any], Any]:
    """A listing as a condition, its parameters, and what SQL could not say (for `matches`)."""
    sql, parameters = inside(listing.scope)
    states = sorted(listing.states)
    sql += f" AND state IN ({','.join('?' * len(states))})"
    parameters += states
    if listing.today is not None:
        sql += " AND (expires_on IS NULL OR expires_on >= ?)"
        parameters.append(listing.today.isoformat())
    if listing.repeated:
        sql += " AND reinforced > 0"
    if listing.condition is None:
        return sql, parameters, None
    pushed = where(listing.condition, SQLITE)
    if pushed is None:
        return sql, parameters, listing.condition
    return f"{sql} AND ({pushed[0]})", [*parameters, *pushed[1]], None


def inside(scope: Scope) -> tuple[str, list[Any]]:
    """A scope as a condition on rows with a partition and the other three ids."""
    sql, parameters = owner(scope)
    for name in ("agent_id", "app_id", "run_id"):
        value = getattr(scope, name)
        if value == ANY:
            sql += f" AND {name} IS NOT NULL"
        elif value is not None:
            sql += f" AND {name} = ?"
            parameters.append(value)
    return sql, parameters


def owner(scope: Scope) -> tuple[str, list[Any]]:
    """Scope's project and user as partitions: the boundary is a key, not a comparison that a filter could join."""
    if scope.user_id is None:
        return "partition IN (SELECT id FROM partition WHERE project = ?)", [scope.project]
    if scope.user_id == ANY:
        return "partition IN (SELECT id FROM partition WHERE project = ? AND user_id IS NOT NULL)", [scope.project]
    return "partition = (SELECT id FROM partition WHERE project = ? AND coalesce(user_id, '') = ?)", [
        scope.project,
        scope.user_id,
    ]
