"""Who asks, and how far that reaches. Pure rules: nothing here looks anything up.

A principal is what a key, a link or the person at the keyboard amounts to. What it is *bound* to stands beside whatever it
asks for, like a scope: no filter and no argument widens it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from kept.domain.filters import And, Condition, Filter, named_ids
from kept.domain.memory import MemoryRecord
from kept.domain.scope import ANY, DEFAULT_ORGANISATION, ENTITY_IDS, Scope
from kept.errors import ForbiddenError

Role = Literal["READER", "WRITER", "OWNER", "ADMIN"]
"""`READER` reads memories, `WRITER` also changes them, `OWNER` also runs the project, `ADMIN` runs all projects."""

ROLES: Final[tuple[Role, ...]] = ("READER", "WRITER", "OWNER", "ADMIN")
"""Rising: each may do what those before it may."""
MEMBER_ROLES: Final[tuple[Role, ...]] = ("READER", "OWNER")
"""What a member of a project can be, as in Mem0."""

_NEEDED: Final[Mapping[Role, str]] = {
    "READER": "read memories",
    "WRITER": "change memories",
    "OWNER": "manage the project",
    "ADMIN": "manage all projects",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks.

    Attributes:
        project: The project that its calls are about.
        organisation: That project's organisation.
        name: Who it is, for the log and the audit: a key's or link's name, a person's login.
        key_id: Of the key or link; None for the person at the keyboard.
        role: What it may do.
        bound: Ids it can never step out of: for a name such as `user_id`, the values it may name.
        member: Whose key it is, if it is a member's: their e-mail address.
        connector: Through which door it came.
    """

    project: str
    organisation: str = DEFAULT_ORGANISATION
    name: str = "local"
    key_id: str | None = None
    role: Role = "ADMIN"
    bound: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    member: str | None = None
    connector: str = "sdk"

    def may(self, role: Role) -> bool:
        """Whether its role is at least this one."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def require(self, role: Role) -> None:
        """Check its role.

        Raises:
            ForbiddenError: It is a lower one; the message says what is missing.
        """
        if not self.may(role):
            raise ForbiddenError(
                f"This key ({self.name}) has the role {self.role} and cannot {_NEEDED[role]}; "
                f"that needs the role {role} or a higher one."
            )

    def require_unbound(self) -> None:
        """Check that it is bound to nothing: for what shows more than memories of certain ids.

        Raises:
            ForbiddenError: It is.
        """
        if self.bound:
            raise ForbiddenError(f"This key ({self.name}) is bound to certain ids and sees nothing of others.")

    def writing(self, scope: Scope) -> Scope:
        """The scope that a write is stored under: the one asked for, completed by what the principal is bound to.

        Raises:
            ForbiddenError: It names an id that the principal is not bound to, or leaves out one of several.
        """
        ids: dict[str, Any] = scope.ids
        for name, allowed in self.bound.items():
            asked = ids.get(name)
            if asked is None and len(allowed) == 1:
                ids[name] = allowed[0]
            elif asked is None:
                raise ForbiddenError(f"This key may store for several {name}s; say which of them.")
            elif asked not in allowed:
                raise self._foreign(name)
        return Scope.of(project=self.project, **ids)

    def reading(self, scope: Scope) -> Scope:
        """The scope that a read is made in. `boundary` goes with it.

        Raises:
            ForbiddenError: It names an id that the principal is not bound to.
        """
        ids: dict[str, Any] = scope.ids
        for name, allowed in self.bound.items():
            asked = ids.get(name)
            if asked not in (None, ANY) and asked not in allowed:
                raise self._foreign(name)
            if len(allowed) == 1:
                ids[name] = allowed[0]
        if not ids and scope.whole_project:
            return Scope.everything(self.project)
        return Scope.of(project=self.project, **ids)

    def require_own(self, condition: Filter) -> None:
        """Check that a filter names nobody else, also where `boundary` would leave nothing of them.

        Raises:
            ForbiddenError: It does.
        """
        named = named_ids(condition) if self.bound else {}
        for name, allowed in self.bound.items():
            if not named.get(name, set()) <= set(allowed):
                raise self._foreign(name)

    def boundary(self, condition: Filter | None) -> Filter | None:
        """The caller's filter, and beside it that each bound id has one of the values allowed."""
        limits = [
            Condition(name, "in", allowed)
            for name in ENTITY_IDS
            if (allowed := self.bound.get(name)) is not None and len(allowed) != 1  # a single one is in the scope
        ]
        if not limits:
            return condition
        return And((*limits, condition)) if condition is not None else And(tuple(limits))

    def admits(self, record: MemoryRecord) -> bool:
        """Whether a memory lies inside its project and what it is bound to."""
        return record.project == self.project and self.admits_ids(record.scope.ids)

    def admits_ids(self, ids: Mapping[str, str | None]) -> bool:
        """Whether something stored under these ids is its to see."""
        return all(ids.get(name) in allowed for name, allowed in self.bound.items())

    def _foreign(self, name: str) -> ForbiddenError:
        return ForbiddenError(f"This key ({self.name}) is bound to certain {name}s and cannot name another.")
