"""Tenants: organisations, their projects, members and keys, as a principal may see and manage them.

The organisation `default` and its project `default` are there from the beginning. Who may not see something is told that it is not
there, so that nobody learns what others have.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from kept.domain.access import MEMBER_ROLES, Principal, Role
from kept.domain.categories import parse_categories_setting
from kept.domain.scope import DEFAULT_PROJECT, Scope
from kept.engine.access import ProjectAccess
from kept.engine.categories import PROJECT
from kept.engine.keys import MEMBER, ApiKey, Keys, member_id
from kept.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from kept.ports import Entry

ORGANISATION: Final = "organisation"
DEFAULT_ORGANISATION: Final = "default"
OWNED_KINDS: Final = (
    "webhook",
    "cursor",
    "retention_rule",
    "link",
    "profile_settings",
    "profile_run",
    "entity",
    MEMBER,
)
"""What goes with a project when it is deleted."""
MAX_NAME: Final = 200
MAX_TEXT: Final = 20_000
SETTINGS: Final[Mapping[str, Any]] = {
    "description": None,
    "custom_instructions": None,
    "agent_custom_instructions": None,
    "custom_categories": None,
    "multilingual": False,
    "decay": False,
    "memory_depth": None,
    "usecase": None,
    "enable_graph": False,
    "version": "v3",
}
"""What a project can be told, and what holds until it is."""
_TEXTS: Final = (
    "description",
    "custom_instructions",
    "agent_custom_instructions",
    "memory_depth",
    "usecase",
    "version",
)
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """An organisation."""

    id: str
    name: str
    created_at: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project: the boundary that nothing crosses.

    Attributes:
        settings: By the names in `SETTINGS`.
    """

    id: str
    organisation: str
    name: str
    settings: Mapping[str, Any]
    created_at: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A person in a project or an organisation."""

    email: str
    role: Role
    created_at: datetime


class Tenancy:
    """The tenants that a principal may see and manage.

    Args:
        access: Of the principal's own project.
        keys: The platform's keys.
    """

    def __init__(self, access: ProjectAccess, keys: Keys) -> None:
        self._access = access
        self._platform = access.platform
        self._registry = access.platform.registry
        self._keys = keys

    # --- organisations ---

    def organisations(self) -> list[Organisation]:
        """All for an administrator, one's own for anybody else."""
        with self._access.noted("organisation.list"):
            if not self._principal.may("ADMIN"):
                return [self._organisation(self._principal.organisation)]
            found = [_to_organisation(entry) for entry in self._registry.entries(ORGANISATION)]
            named = {organisation.id for organisation in found}
            return ([] if DEFAULT_ORGANISATION in named else [_default_organisation()]) + found

    def organisation(self, organisation_id: str) -> Organisation:
        """One of them.

        Raises:
            NotFoundError: None that the principal may see.
        """
        with self._access.noted("organisation.get", organisation=organisation_id):
            self._require_organisation(organisation_id)
            return self._organisation(organisation_id)

    def create_organisation(self, name: object) -> Organisation:
        """A new one.

        Raises:
            ForbiddenError: Only an administrator may.
        """
        with self._access.noted("organisation.create", "ADMIN"):
            entry = self._platform.entry(ORGANISATION, f"org_{secrets.token_hex(8)}", "", {"name": _name(name)})
            self._registry.add(entry)
            return _to_organisation(entry)

    def delete_organisation(self, organisation_id: str) -> None:
        """Delete one that has no projects.

        Raises:
            ConflictError: It has projects, or is the default.
        """
        with self._access.noted("organisation.delete", "ADMIN", organisation=organisation_id):
            self._organisation(organisation_id)
            if organisation_id == DEFAULT_ORGANISATION:
                raise ConflictError("The default organisation stays.")
            if self._registry.entries(PROJECT, organisation_id):
                raise ConflictError("The organisation still has projects; delete them first.")
            for entry in self._registry.entries(MEMBER, organisation_id):
                self._registry.remove(MEMBER, entry.id)
            self._registry.remove(ORGANISATION, organisation_id)

    # --- projects ---

    def projects(self, organisation_id: str) -> list[Project]:
        """An organisation's projects, as far as the principal may see them."""
        with self._access.noted("project.list", organisation=organisation_id):
            self._require_organisation(organisation_id)
            self._organisation(organisation_id)
            found = [_to_project(entry) for entry in self._registry.entries(PROJECT, organisation_id)]
            if organisation_id == DEFAULT_ORGANISATION and all(project.id != DEFAULT_PROJECT for project in found):
                found.insert(0, _default_project())
            visible = self._principal.may("ADMIN")
            return [project for project in found if visible or project.id == self._principal.project]

    def project(self, organisation_id: str, project_id: str) -> Project:
        """One of them.

        Raises:
            NotFoundError: None that the principal may see.
        """
        with self.entering(organisation_id, project_id).noted("project.get"):
            return self._project(organisation_id, project_id)

    def create_project(self, organisation_id: str, name: object, description: object = None) -> tuple[Project, str]:
        """A new project, and a first key of its owner, which is shown this once.

        Raises:
            ForbiddenError: Only an administrator may.
        """
        with self._access.noted("project.create", "ADMIN", organisation=organisation_id):
            self._organisation(organisation_id)
            data = {"name": _name(name), "description": _text("description", description)}
            entry = self._platform.entry(PROJECT, f"proj_{secrets.token_hex(8)}", organisation_id, data)
            self._registry.add(entry)
            _, secret = self._keys.make(
                name=f"owner of {data['name']}"[:MAX_NAME], role="OWNER", project=entry.id, organisation=organisation_id
            )
            return _to_project(entry), secret

    def update_project(self, organisation_id: str, project_id: str, given: Mapping[str, Any]) -> Project:
        """Set what is given of name and settings; what is None stays, an empty list of categories goes back to the default.

        Raises:
            InvalidInputError: A value that cannot be used.
        """
        with self.entering(organisation_id, project_id).noted("project.update", "OWNER"):
            current = self._project(organisation_id, project_id)
            data = {"name": current.name, **current.settings, **_settings(given)}
            if given.get("name") is not None:
                data["name"] = _name(given["name"])
            self._registry.put(self._platform.entry(PROJECT, project_id, organisation_id, data))
            return self._project(organisation_id, project_id)

    def delete_project(self, organisation_id: str, project_id: str) -> str:
        """Delete a project: its keys end, what belongs to it goes, its memories are hidden; the id of that event.

        Raises:
            ConflictError: It is the default project.
        """
        inside = self.entering(organisation_id, project_id)
        with inside.noted("project.delete", "OWNER"):
            self._project(organisation_id, project_id)
            if project_id == DEFAULT_PROJECT:
                raise ConflictError("The default project stays; delete its memories instead.")
            job = inside.acknowledge("DELETE_ALL", Scope.everything(project_id))
            self._keys.revoke_all(project_id)
            for kind in OWNED_KINDS:
                for entry in self._registry.entries(kind, project_id):
                    self._registry.remove(kind, entry.id)
            self._registry.remove(PROJECT, project_id)
            return job.id

    # --- members ---

    def members(self, organisation_id: str, project_id: str | None = None) -> list[Member]:
        """Members of a project, or (without one) of the organisation, oldest first."""
        inside = self._of(organisation_id, project_id)
        with inside.noted("member.list"):
            return [_to_member(entry) for entry in self._registry.entries(MEMBER, project_id or organisation_id)]

    def put_member(
        self, organisation_id: str, project_id: str | None, email: object, role: object, *, new: bool = False
    ) -> Member:
        """Add a member, or give one another role; keys that are the member's follow it.

        Raises:
            InvalidInputError: No address, or no role.
            NotFoundError: A role for somebody who is no member.
            ConflictError: Adding somebody who is.
        """
        with self._of(organisation_id, project_id).noted("member.put", "OWNER"):
            owner, address = project_id or organisation_id, _address(email)
            known = self._registry.find(MEMBER, member_id(owner, address))
            if known is not None and new:
                raise ConflictError(f"{address} is a member already; change the role instead.")
            if known is None and not new:
                raise NotFoundError(f"{address} is no member.")
            data = {"email": address, "role": _member_role(role)}
            entry = self._platform.entry(MEMBER, member_id(owner, address), owner, data)
            self._registry.put(entry)
            return _to_member(entry)

    def remove_member(self, organisation_id: str, project_id: str | None, email: object) -> None:
        """Remove a member; keys that are the member's end.

        Raises:
            NotFoundError: There is no such member.
        """
        with self._of(organisation_id, project_id).noted("member.remove", "OWNER"):
            owner, address = project_id or organisation_id, _address(email)
            if not self._registry.remove(MEMBER, member_id(owner, address)):
                raise NotFoundError(f"{address} is no member.")
            for key in self._keys.all(project_id) if project_id else ():
                if key.member == address:
                    self._keys.revoke(key.id)

    # --- keys ---

    def keys(self) -> list[ApiKey]:
        """Keys of the principal's project; all for an administrator."""
        with self._access.noted("key.list", "OWNER"):
            return self._keys.all(None if self._principal.may("ADMIN") else self._principal.project)

    def key(self, key_id: str) -> ApiKey:
        """One of them.

        Raises:
            NotFoundError: None that the principal may see.
        """
        with self._access.noted("key.get", "OWNER", key_id=key_id):
            return self._own_key(key_id)

    def make_key(
        self,
        *,
        name: object,
        role: object = "WRITER",
        project: object = None,
        bound: Mapping[str, object] | None = None,
        expires_at: object = None,
        member: object = None,
    ) -> tuple[ApiKey, str]:
        """A new key and its secret, which is shown this once.

        Args:
            name: What to call it.
            role: `READER`, `WRITER`, `OWNER`; an administrator may also make another administrator's.
            project: Its project; the principal's own by default.
            bound: Ids that it cannot step out of.
            expires_at: When it ends.
            member: E-mail of the member whose role it follows.

        Raises:
            ForbiddenError: The principal may not make such a key.
        """
        with self._access.noted("key.make", "OWNER"):
            wanted = str(role).upper()
            if wanted == "ADMIN":
                self._principal.require("ADMIN")
            home = None if wanted == "ADMIN" else str(project or self._principal.project)
            organisation = self._organisation_of(home)
            address = None if member is None else _address(member)
            if address is not None and self._registry.find(MEMBER, member_id(home or "", address)) is None:
                raise NotFoundError(f"{address} is no member of this project.")
            return self._keys.make(
                name=str(name or ""),
                role=wanted,
                project=home,
                organisation=organisation,
                bound=bound,
                member=address,
                expires_at=expires_at,
            )

    def revoke_key(self, key_id: str) -> ApiKey:
        """End a key now.

        Raises:
            NotFoundError: None that the principal may see.
        """
        with self._access.noted("key.revoke", "OWNER", key_id=key_id):
            return self._keys.revoke(self._own_key(key_id).id)

    # --- what all of them stand on ---

    def entering(self, organisation_id: str, project_id: str) -> ProjectAccess:
        """A project, as the principal may use it.

        Raises:
            NotFoundError: None that the principal may see.
        """
        own = (self._principal.organisation, self._principal.project)
        if (organisation_id, project_id) == own:
            return self._access
        if not self._principal.may("ADMIN"):
            raise NotFoundError("There is no such project.")
        principal = replace(self._principal, project=project_id, organisation=organisation_id)
        return ProjectAccess(self._platform, principal, self._access.request_id)

    @property
    def _principal(self) -> Principal:
        return self._access.principal

    def _of(self, organisation_id: str, project_id: str | None) -> ProjectAccess:
        if project_id is None:
            self._require_organisation(organisation_id)
            self._organisation(organisation_id)
            return self._access
        inside = self.entering(organisation_id, project_id)
        self._project(organisation_id, project_id)
        return inside

    def _require_organisation(self, organisation_id: str) -> None:
        if organisation_id != self._principal.organisation and not self._principal.may("ADMIN"):
            raise NotFoundError("There is no such organisation.")

    def _organisation(self, organisation_id: str) -> Organisation:
        entry = self._registry.find(ORGANISATION, organisation_id)
        if entry is None and organisation_id == DEFAULT_ORGANISATION:
            return _default_organisation()
        if entry is None:
            raise NotFoundError("There is no such organisation.")
        return _to_organisation(entry)

    def _project(self, organisation_id: str, project_id: str) -> Project:
        entry = self._registry.find(PROJECT, project_id)
        if entry is None and (organisation_id, project_id) == (DEFAULT_ORGANISATION, DEFAULT_PROJECT):
            return _default_project()
        if entry is None or entry.owner != organisation_id:
            raise NotFoundError("There is no such project.")
        return _to_project(entry)

    def _organisation_of(self, project_id: str | None) -> str:
        if project_id in {None, DEFAULT_PROJECT}:
            return DEFAULT_ORGANISATION
        if project_id != self._principal.project and not self._principal.may("ADMIN"):
            raise ForbiddenError(f"This key ({self._principal.name}) can make keys of its own project only.")
        entry = self._registry.find(PROJECT, str(project_id))
        if entry is None:
            raise NotFoundError(f"There is no project {str(project_id)[:60]!r}.")
        return entry.owner

    def _own_key(self, key_id: str) -> ApiKey:
        key = self._keys.find(key_id)
        if key.project != self._principal.project and not self._principal.may("ADMIN"):
            raise NotFoundError("There is no such key.")
        return key


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in SETTINGS:
        value = given.get(name, given.get("usecase_setting") if name == "usecase" else None)
        if value is None:
            continue
        if name in _TEXTS:
            found[name] = _text(name, value)
        elif name == "custom_categories":
            parse_categories_setting(value)
            found[name] = value or None
        else:
            if not isinstance(value, bool):
                raise InvalidInputError(f"{name} is {str(value)[:40]!r}; it must be true or false.")
            found[name] = value
    return found


def _name(name: object) -> str:
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise InvalidInputError(f"name must be a text of 1 to {MAX_NAME} printable characters.")
    return name.strip()


def _text(name: str, value: object) -> str | None:
    """A text; a list is joined, as Mem0's description and clients differ there."""
    if value is None:
        return None
    text = "\n".join(map(str, value)) if isinstance(value, list) else value
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise InvalidInputError(f"{name} must be a text of at most {MAX_TEXT:,} characters.")
    return text


def _address(email: object) -> str:
    if not isinstance(email, str) or not _EMAIL.fullmatch(email.strip()):
        raise InvalidInputError("email must be an e-mail address.")
    return email.strip().lower()


def _member_role(role: object) -> Role:
    for known in MEMBER_ROLES:
        if str(role).upper() == known:
            return known
    raise InvalidInputError(f"role is {str(role)[:40]!r}; it must be one of {', '.join(MEMBER_ROLES)}.")


def _default_organisation() -> Organisation:
    return Organisation(id=DEFAULT_ORGANISATION, name="Default", created_at=None, updated_at=None)


def _default_project() -> Project:
    return Project(
        id=DEFAULT_PROJECT,
        organisation=DEFAULT_ORGANISATION,
        name="Default",
        settings=SETTINGS,
        created_at=None,
        updated_at=None,
    )


def _to_organisation(entry: Entry) -> Organisation:
    return Organisation(id=entry.id, name=entry.data["name"], created_at=entry.created_at, updated_at=entry.updated_at)


def _to_project(entry: Entry) -> Project:
    return Project(
        id=entry.id,
        organisation=entry.owner,
        name=entry.data["name"],
        settings={name: entry.data.get(name, default) for name, default in SETTINGS.items()},
        created_at=entry.created_at,
        updated_at=entry.updated_at,
    )


def _to_member(entry: Entry) -> Member:
    return Member(email=entry.data["email"], role=entry.data["role"], created_at=entry.created_at)
