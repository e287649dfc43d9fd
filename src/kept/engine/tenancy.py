"""Tenants: organisations, their projects, members and keys, as a principal may see and manage them.

The organisation `default` and its project `default` are there from the beginning, and so is every project that something is stored in.
Who may not see something is told that it is not there, so that nobody learns what others have.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from kept.domain.access import MEMBER_ROLES, Principal, Role
from kept.domain.categories import parse_categories_setting
from kept.domain.scope import DEFAULT_ORGANISATION, DEFAULT_PROJECT, Scope
from kept.domain.spending import parse_project_limits
from kept.engine.access import ENTITY, ProjectAccess, is_alive
from kept.engine.categories import PROJECT
from kept.engine.intake import parse_metadata, parse_text
from kept.engine.keys import MEMBER, ApiKey, Keys, member_id, parse_name
from kept.engine.pending import WHOLE
from kept.engine.platform import Platform
from kept.engine.profiles import RUN
from kept.engine.profiles import SETTINGS as PROFILE_SETTINGS
from kept.engine.proposing import CONSOLIDATED
from kept.engine.retention import RULE
from kept.engine.webhooks import CURSOR, WEBHOOK
from kept.errors import ConflictError, InvalidInputError, NotFoundError
from kept.ports import Entry, Registry

ORGANISATION: Final = "organisation"
ORGANISATION_MEMBER: Final = "organisation_member"
LINK: Final = "link"
OWNED_KINDS: Final = (WEBHOOK, CURSOR, RULE, LINK, PROFILE_SETTINGS, RUN, ENTITY, MEMBER, CONSOLIDATED)
"""What goes with a project when it is deleted."""
MAX_TEXT: Final = 20_000
"""Characters of a description or of instructions: some ten pages."""
MAX_EMAIL: Final = 254
"""Of an address, by RFC 5321."""
FIRST_KEY: Final = "owner"
"""The name of the key that a new project comes with."""
_ID_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """An organisation. Of one that nobody made no times are known."""

    id: str
    name: str
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project: the boundary that nothing crosses.

    Attributes:
        settings: By the names in `SETTINGS`, with what holds where nothing was set.
    """

    id: str
    organisation: str
    name: str
    settings: Mapping[str, Any]
    created_at: datetime | None = None
    updated_at: datetime | None = None


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
        self._principal = access.principal
        self._platform = access.platform
        self._registry = access.platform.registry
        self._keys = keys

    @property
    def role(self) -> Role:
        """What the principal may do."""
        return self._principal.role

    @property
    def is_administrator(self) -> bool:
        """Whether all of them are the principal's to manage."""
        return self._principal.may("ADMIN")

    # --- organisations ---

    def organisations(self) -> list[Organisation]:
        """All for an administrator, oldest first; one's own for anybody else."""
        with self._access.noted("organisation.list"):
            if not self._principal.may("ADMIN"):
                return [_find_organisation(self._platform, self._principal.organisation)]
            made = [_to_organisation(entry) for entry in self._registry.entries(ORGANISATION) if is_alive(entry)]
            return [_DEFAULT_ORGANISATION, *made]

    def organisation(self, organisation_id: str) -> Organisation:
        """One of them.

        Raises:
            NotFoundError: None that the principal may see.
        """
        with self._access.noted("organisation.get", organisation=organisation_id):
            return self._own_organisation(organisation_id)

    def create_organisation(self, name: object) -> Organisation:
        """A new one.

        Raises:
            ForbiddenError: Only an administrator may.
        """
        with self._access.noted("organisation.create", "ADMIN") as note:
            entry = self._platform.entry(ORGANISATION, _new_id("org"), "", {"name": parse_name(name)})
            self._registry.add(entry)
            note.target["organisation"] = entry.id
            return _to_organisation(entry)

    def delete_organisation(self, organisation_id: str) -> None:
        """Delete one that has no projects.

        Raises:
            ConflictError: It has projects, or is the default.
        """
        with self._access.noted("organisation.delete", "ADMIN", organisation=organisation_id):
            found = self._own_organisation(organisation_id)
            if found.id == DEFAULT_ORGANISATION:
                raise ConflictError("The default organisation stays.")
            if self._projects_of(found.id):
                raise ConflictError("The organisation still has projects; delete them first.")
            for entry in self._registry.entries(ORGANISATION_MEMBER, found.id):
                self._registry.remove(ORGANISATION_MEMBER, entry.id)
            self._bury(ORGANISATION, found.id)

    # --- projects ---

    def projects(self, organisation_id: str) -> list[Project]:
        """An organisation's projects, as far as the principal may see them; those made by name first, then oldest first."""
        with self._access.noted("project.list", organisation=organisation_id):
            found = self._projects_of(self._own_organisation(organisation_id).id)
            visible = self._principal.may("ADMIN")
            return [project for project in found if visible or project.id == self._principal.project]

    def project(self, organisation_id: str | None, project_id: str) -> Project:
        """One of them; of whichever organisation, where none is named.

        Raises:
            NotFoundError: None that the principal may see.
        """
        inside = self.entering(organisation_id, project_id)
        with inside.noted("project.get"):
            return find_project(self._platform, inside.project)

    def create_project(self, organisation_id: str, name: object, description: object = None) -> tuple[Project, str]:
        """A new project, and a first key of its owner, which is shown this once.

        Raises:
            ForbiddenError: Only an administrator may.
        """
        with self._access.noted("project.create", "ADMIN", organisation=organisation_id) as note:
            organisation = self._own_organisation(organisation_id).id
            data = {"name": parse_name(name), **_settings({"description": description})}
            entry = self._platform.entry(PROJECT, _new_id("proj"), organisation, data)
            self._registry.add(entry)
            note.target["project"] = entry.id
            _, secret = self._keys.make(name=FIRST_KEY, role="OWNER", project=entry.id, organisation=organisation)
            return _to_project(entry), secret

    def update_project(self, organisation_id: str | None, project_id: str, given: Mapping[str, Any]) -> Project:
        """Set what is given of name and settings; what is None stays, an empty list of categories goes back to the default.

        Raises:
            InvalidInputError: A value that cannot be used, or nothing to set.
        """
        inside = self.entering(organisation_id, project_id)
        with inside.noted("project.update", "OWNER") as note:
            data = _settings(given)
            if given.get("name") is not None:
                data["name"] = parse_name(given["name"])
            if not data:
                raise InvalidInputError(f"There is nothing to update; give name, {', '.join(SETTINGS)}.")
            note.target["fields"] = ",".join(data)
            self._set_project(find_project(self._platform, inside.project), data)
            return find_project(self._platform, inside.project)

    def delete_project(self, organisation_id: str | None, project_id: str) -> str:
        """Delete a project: its keys end, what belongs to it goes, its memories are hidden; the id of that event.

        Raises:
            ConflictError: It is the default project.
        """
        inside = self.entering(organisation_id, project_id)
        with inside.noted("project.delete", "OWNER"):
            if inside.project == DEFAULT_PROJECT:
                raise ConflictError("The default project stays; delete its memories instead.")
            self._keys.revoke_all(inside.project)
            job = inside.acknowledge("DELETE_ALL", Scope.everything(inside.project), payload={WHOLE: True})
            for kind in OWNED_KINDS:
                for entry in self._registry.entries(kind, inside.project):
                    self._registry.remove(kind, entry.id)
            self._bury(PROJECT, inside.project, inside.principal.organisation)
            return job.id

    # --- members: of a project; without one, of the organisation ---

    def members(self, organisation_id: str | None, project_id: str | None = None) -> list[Member]:
        """Oldest first. Not for bound keys: the names of others are not theirs to see."""
        place = self._place(organisation_id, project_id)
        with place.access.noted("member.list"):
            place.access.principal.require_unbound()
            return [_to_member(entry) for entry in self._registry.entries(place.kind, place.owner)]

    def members_if_visible(self, organisation_id: str | None, project_id: str) -> list[Member]:
        """As `members`; none for a bound key."""
        return [] if self._principal.bound else self.members(organisation_id, project_id)

    def put_member(
        self, organisation_id: str | None, project_id: str | None, email: object, role: object, *, new: bool = False
    ) -> Member:
        """Add a member, or give one another role; keys that are the member's follow it at once.

        Raises:
            InvalidInputError: No address, or no role.
            NotFoundError: A role for somebody who is no member.
            ConflictError: Adding somebody who is.
        """
        place = self._place(organisation_id, project_id)
        with place.access.noted("member.put", place.managed_by) as note:
            data = {"email": _address(email), "role": _member_role(role)}
            note.target |= {"member": data["email"], "role": data["role"]}
            entry = self._platform.entry(place.kind, member_id(place.owner, data["email"]), place.owner, data)
            if new:
                self._add_member(entry)
            elif not self._registry.revise(place.kind, entry.id, data, entry.updated_at):
                raise NotFoundError(_NO_MEMBER)
            return _to_member(self._registry.find(place.kind, entry.id) or entry)

    def remove_member(self, organisation_id: str | None, project_id: str | None, email: object) -> None:
        """Remove a member; keys that are the member's end. Who leaves an organisation leaves its projects.

        Raises:
            NotFoundError: There is no such member.
        """
        place = self._place(organisation_id, project_id)
        with place.access.noted("member.remove", place.managed_by) as note:
            address = _address(email)
            note.target["member"] = address
            if not self._registry.remove(place.kind, member_id(place.owner, address)):
                raise NotFoundError(_NO_MEMBER)
            left = [place.owner] if project_id is not None else [found.id for found in self._projects_of(place.owner)]
            for project in left:
                self._end_membership(project, address)

    # --- keys ---

    def keys(self) -> list[ApiKey]:
        """The project's keys, oldest first, ended ones included; for an administrator those of administrators before them."""
        with self._access.noted("key.list", "OWNER"):
            own = self._keys.all(self._access.project)
            return self._keys.all("") + own if self._principal.may("ADMIN") else own

    def key(self, key_id: str) -> ApiKey:
        """One of them; of any project for an administrator.

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
        bound: Mapping[str, object] | None = None,
        expires_at: object = None,
        member: object = None,
    ) -> tuple[ApiKey, str]:
        """A new key of the project and its secret, which is shown this once.

        Args:
            name: What to call it.
            role: `READER`, `WRITER`, `OWNER`; an administrator may also make another administrator's, of no project.
            bound: Ids that it cannot step out of.
            expires_at: When it ends.
            member: E-mail of the member whose role it follows.

        Raises:
            ForbiddenError: The principal may not make such a key.
        """
        with self._access.noted("key.make", "OWNER") as note:
            wanted = str(role).upper()
            project = find_project(self._platform, self._access.project)
            if wanted == "ADMIN":
                self._principal.require("ADMIN")
                if member is not None:
                    raise InvalidInputError("A member's key belongs to a project, an ADMIN key to none.")
            made, secret = self._keys.make(
                name=name,
                role=wanted,
                project=None if wanted == "ADMIN" else project.id,
                organisation=project.organisation,
                bound=bound,
                member=None if member is None else self._known_member(member),
                expires_at=expires_at,
            )
            note.target |= {"key_id": made.id, "role": made.role}
            return made, secret

    def revoke_key(self, key_id: str) -> ApiKey:
        """End a key now. Ending it twice is harmless.

        Raises:
            NotFoundError: None that the principal may see.
        """
        with self._access.noted("key.revoke", "OWNER", key_id=key_id):
            return self._keys.revoke(self._own_key(key_id).id)

    # --- what all of them stand on ---

    def entering(self, organisation_id: str | None, project_id: str) -> ProjectAccess:
        """A project, as the principal may use it: its own, and an administrator any.

        Raises:
            NotFoundError: None that the principal may see.
        """
        try:
            principal = entered(self._platform, self._principal, project_id, organisation_id)
        except NotFoundError:
            with self._access.noted("project.enter", project=project_id[:MAX_SHOWN]):
                raise
        return ProjectAccess(self._platform, principal, self._access.request_id)

    def _own_organisation(self, organisation_id: str) -> Organisation:
        if organisation_id != self._principal.organisation and not self._principal.may("ADMIN"):
            raise NotFoundError(_NO_ORGANISATION)
        return _find_organisation(self._platform, organisation_id)

    def _projects_of(self, organisation_id: str) -> list[Project]:
        return [found for found in all_projects(self._platform) if found.organisation == organisation_id]

    def _set_project(self, before: Project, data: Mapping[str, Any]) -> None:
        """Set fields of a project, one by one: two who set different ones at once both succeed."""
        entry = self._platform.entry(PROJECT, before.id, before.organisation, {"name": before.name, **data})
        if self._registry.revise(PROJECT, before.id, data, entry.updated_at):
            return
        try:
            self._registry.add(entry)
        except ConflictError:  # set for the first time by somebody else, a moment ago
            self._registry.revise(PROJECT, before.id, data, entry.updated_at)

    def _place(self, organisation_id: str | None, project_id: str | None) -> _Place:
        if project_id is None:
            found = self._own_organisation(organisation_id or DEFAULT_ORGANISATION)
            return _Place(self._access, ORGANISATION_MEMBER, found.id, "ADMIN")
        inside = self.entering(organisation_id, project_id)
        return _Place(inside, MEMBER, inside.project, "OWNER")

    def _add_member(self, entry: Entry) -> None:
        try:
            self._registry.add(entry)
        except ConflictError as error:
            raise ConflictError("This address is a member already; change the role instead.") from error

    def _end_membership(self, project: str, address: str) -> None:
        self._registry.remove(MEMBER, member_id(project, address))
        for key in self._keys.all(project):
            if key.member == address:
                self._keys.revoke(key.id)

    def _known_member(self, member: object) -> str:
        address = _address(member)
        if self._registry.find(MEMBER, member_id(self._access.project, address)) is None:
            raise NotFoundError(_NO_MEMBER)
        return address

    def _own_key(self, key_id: str) -> ApiKey:
        for key in self._keys.all(None if self._principal.may("ADMIN") else self._access.project):
            if key.id == key_id:
                return key
        raise NotFoundError("There is no such key.")

    def _bury(self, kind: str, name: str, owner: str = "") -> None:
        """Leave nothing of an organisation or a project but that it was there, so that its id does not come back."""
        ended = {"deleted_at": self._platform.clock().isoformat()}
        self._registry.put(self._platform.entry(kind, name, owner, ended))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where members are: a project or an organisation, and which role manages them."""

    access: ProjectAccess
    kind: str
    owner: str
    managed_by: Role


def entered(platform: Platform, principal: Principal, project_id: str, organisation_id: str | None = None) -> Principal:
    """The principal in a project (of that organisation, if one is named): its own, and an administrator in any.

    Raises:
        NotFoundError: None that the principal may see.
    """
    if project_id != principal.project and not principal.may("ADMIN"):
        raise NotFoundError(_NO_PROJECT)
    found = find_project(platform, project_id)
    if organisation_id not in {None, found.organisation}:
        raise NotFoundError(_NO_PROJECT)
    return replace(principal, project=found.id, organisation=found.organisation)


def find_project(platform: Platform, project_id: str) -> Project:
    """A project by its id.

    Raises:
        NotFoundError: There is none, or it was deleted.
    """
    entry = platform.registry.find(PROJECT, project_id)
    if entry is not None and is_alive(entry):
        return _to_project(entry)
    if entry is None and (project_id == DEFAULT_PROJECT or project_id in platform.service.projects()):
        return _unmade(project_id)
    raise NotFoundError(_NO_PROJECT)


def all_projects(platform: Platform) -> list[Project]:
    """Every project there is: those that were only ever used by their ids, then those that were made, oldest first."""
    entries = platform.registry.entries(PROJECT)
    unmade = {DEFAULT_PROJECT, *platform.service.projects()} - {entry.id for entry in entries}
    return [_unmade(name) for name in sorted(unmade)] + [_to_project(entry) for entry in entries if is_alive(entry)]


def require_id(registry: Registry, stored: Collection[str], given: str) -> None:
    """Refuse the name of a project where its id is meant: what is stored under it would go to another project.

    Args:
        registry: Where projects are made.
        stored: Ids of the projects that something is stored in.
        given: What was given as an id.

    Raises:
        InvalidInputError: It is a project's name, and no project's id.
    """
    if given in stored or registry.find(PROJECT, given) is not None:
        return
    named = [entry.id for entry in registry.entries(PROJECT) if is_alive(entry) and entry.data.get("name") == given]
    if named:
        raise InvalidInputError(f"{given[:MAX_SHOWN]!r} is a project's name; use its id: {' or '.join(named)}.")


_NO_PROJECT: Final = "There is no such project; one is named by its id, such as proj_0123456789abcdef."
_NO_ORGANISATION: Final = "There is no such organisation."
_NO_MEMBER: Final = "There is no member with this address."
_DEFAULT_ORGANISATION: Final = Organisation(id=DEFAULT_ORGANISATION, name=DEFAULT_ORGANISATION)
MAX_SHOWN: Final = 100
"""Characters of what a caller asked for that the audit keeps when there is no such thing."""


def _find_organisation(platform: Platform, organisation_id: str) -> Organisation:
    if organisation_id == DEFAULT_ORGANISATION:
        return _DEFAULT_ORGANISATION
    entry = platform.registry.find(ORGANISATION, organisation_id)
    if entry is None or not is_alive(entry):
        raise NotFoundError(_NO_ORGANISATION)
    return _to_organisation(entry)


def _unmade(project_id: str) -> Project:
    """A project of which nothing is kept yet."""
    defaults = {name: default for name, (_, default) in SETTINGS.items()}
    return Project(id=project_id, organisation=DEFAULT_ORGANISATION, name=project_id, settings=defaults)


def _new_id(kind: str) -> str:
    """An id that stands in a path as it is: Mem0's clients do not encode these."""
    return f"{kind}_{secrets.token_hex(_ID_BYTES)}"


# --- what a project can be told ---


def _text(name: str, value: object) -> str:
    """A text; a list of them is joined, as Mem0's description and clients differ there."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        value = "\n".join(value)
    text = parse_text(value, name)
    if len(text) > MAX_TEXT:
        raise InvalidInputError(f"{name} is {len(text):,} characters long; at most {MAX_TEXT:,} are taken.")
    return text


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidInputError(f"{name} is {str(value)[:40]!r}; it must be true or false.")
    return value


def _categories(name: str, value: object) -> object:
    """Own categories as they were written, once it is known that they can be read."""
    plain = parse_metadata({name: value})[name]
    parse_categories_setting(plain)
    return plain


def _limits(_: str, value: object) -> dict[str, float] | None:
    """What the project may spend on language models; an object without a limit goes back to none."""
    return parse_project_limits(value) or None


SETTINGS: Final[Mapping[str, tuple[Callable[[str, object], Any], Any]]] = {
    "description": (_text, None),
    "custom_instructions": (_text, None),
    "agent_custom_instructions": (_text, None),
    "includes": (_text, None),
    "excludes": (_text, None),
    "custom_categories": (_categories, None),
    "multilingual": (_flag, False),
    "decay": (_flag, False),
    "memory_depth": (_text, None),
    "usecase": (_text, None),
    "enable_graph": (_flag, False),
    "version": (_text, "v3"),
    "spending": (_limits, None),
}
"""What a project can be told: how it is read, and what holds until it is."""
_ALIASES: Final = {"usecase_setting": "usecase"}
"""Mem0's client has another name for one of them."""


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    named = {_ALIASES.get(name, name): value for name, value in given.items() if value is not None}
    return {name: read(name, named[name]) for name, (read, _) in SETTINGS.items() if name in named}


def _address(email: object) -> str:
    """An address, in small letters."""
    text = email.strip().lower() if isinstance(email, str) else ""
    name, at, host = text.rpartition("@")
    if not (at and name and host) or len(text) > MAX_EMAIL or not text.isprintable() or " " in text:
        raise InvalidInputError("email must be an address such as ada@example.com.")
    return text


def _member_role(role: object) -> Role:
    for known in MEMBER_ROLES:
        if str(role).upper() == known:
            return known
    raise InvalidInputError(f"role is {str(role)[:40]!r}; it must be one of {', '.join(MEMBER_ROLES)}.")


# --- from the registry ---


def _to_organisation(entry: Entry) -> Organisation:
    return Organisation(id=entry.id, name=entry.data["name"], created_at=entry.created_at, updated_at=entry.updated_at)


def _to_project(entry: Entry) -> Project:
    return Project(
        id=entry.id,
        organisation=entry.owner,
        name=entry.data["name"],
        settings={name: entry.data.get(name, default) for name, (_, default) in SETTINGS.items()},
        created_at=entry.created_at,
        updated_at=entry.updated_at,
    )


def _to_member(entry: Entry) -> Member:
    return Member(email=entry.data["email"], role=entry.data["role"], created_at=entry.created_at)
