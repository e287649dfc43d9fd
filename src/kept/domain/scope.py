"""Who a memory belongs to.

A scope is a *boundary*: it is checked beside the caller's filter, never inside it, so no filter can widen it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from kept.errors import ScopeError

DEFAULT_PROJECT: Final = "default"
DEFAULT_ORGANISATION: Final = "default"
ANY: Final = "*"
"""As an id of a read scope: any value, but not none (Mem0's wildcard)."""

ENTITY_IDS: Final = ("user_id", "agent_id", "app_id", "run_id")
MAX_ID_LENGTH: Final = 512
"""Longer ids are mistakes (a whole message passed as an id); the longest real ones are paths and URLs."""
NO_NAMES: Final = (".", "..")
"""What HTTP libraries take out of an address, some even encoded: clients could never delete who is called so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A project and up to four ids inside it.

    Of a memory: the ids it was stored under. Of a read: each id that is set must be equal (`"*"`: must be set);
    an id that is not set does not constrain.

    Attributes:
        whole_project: Of a read without ids: that everything in the project is meant, and no id was forgotten.
    """

    project: str = DEFAULT_PROJECT
    user_id: str | None = None
    agent_id: str | None = None
    app_id: str | None = None
    run_id: str | None = None
    whole_project: bool = False

    @classmethod
    def everything(cls, project: object = DEFAULT_PROJECT) -> Self:
        """All of a project, asked for by name."""
        return cls(project=_identifier("project", project) or DEFAULT_PROJECT, whole_project=True)

    @classmethod
    def of(
        cls,
        *,
        project: object = DEFAULT_PROJECT,
        user_id: object = None,
        agent_id: object = None,
        app_id: object = None,
        run_id: object = None,
    ) -> Self:
        """Build a scope from what a caller passed: ids are converted to text and trimmed, as Mem0 does.

        Raises:
            ScopeError: An id is blank, no text or number, holds a control character, or is over 512 characters.
        """
        return cls(
            project=_identifier("project", project) or DEFAULT_PROJECT,
            user_id=_identifier("user_id", user_id),
            agent_id=_identifier("agent_id", agent_id),
            app_id=_identifier("app_id", app_id),
            run_id=_identifier("run_id", run_id),
        )

    @property
    def ids(self) -> dict[str, str]:
        """The ids that are set, by name."""
        return {name: value for name in ENTITY_IDS if (value := getattr(self, name)) is not None}

    @property
    def is_bare(self) -> bool:
        """Whether no id is set: the whole project."""
        return not self.ids

    def admits(self, other: Scope) -> bool:
        """Whether a memory stored under `other` lies inside this scope."""
        return (
            self.project == other.project
            and _covers(self.user_id, other.user_id)
            and _covers(self.agent_id, other.agent_id)
            and _covers(self.app_id, other.app_id)
            and _covers(self.run_id, other.run_id)
        )

    def require_writable(self) -> None:
        """Check that a memory can be stored under this scope.

        Raises:
            ScopeError: No id is set, or one is the wildcard, or stands for a folder in addresses.
        """
        if self.is_bare:
            raise ScopeError("At least one of user_id, agent_id, app_id or run_id is needed to store a memory.")
        for name, value in self.ids.items():
            if value == ANY:
                raise ScopeError(f"{name}='*' selects memories; it cannot be stored under. Give one id.")
            if value in NO_NAMES:
                raise ScopeError(f"{name} is {value!r}, which no address of a server can name. Give another id.")


def _covers(asked: str | None, stored: str | None) -> bool:
    return asked is None or (stored is not None if asked == ANY else stored == asked)


def _identifier(name: str, value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, (bytes, dict, list, tuple, set, float, bool)):
        raise ScopeError(f"{name} must be a string, not {type(value).__name__}.")
    text = str(value).strip()
    if not text:
        raise ScopeError(f"{name} is blank; leave it out or give an id.")
    if len(text) > MAX_ID_LENGTH:
        raise ScopeError(f"{name} is {len(text)} characters long; at most {MAX_ID_LENGTH} are allowed.")
    if not text.isprintable():
        raise ScopeError(f"{name} {text[:40]!r} holds a line break or a control character.")
    return text
