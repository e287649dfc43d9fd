"""One run of the program: what its options say, and the service made from that on first use."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kept.domain.scope import Scope
    from kept.engine.access import ProjectAccess
    from kept.engine.maintain import By
    from kept.engine.platform import Platform
    from kept.engine.service import Service
    from kept.engine.tenancy import Project
    from kept.settings import Settings

CONNECTOR = "cli"
_LISTED = 10
"""Projects that an error names: a choice, as many as a person looks over."""


@dataclass(slots=True)
class Invocation:
    """The shared options as given; None where they were not."""

    database: str | None = None
    project: str | None = None
    user: str | None = None
    agent: str | None = None
    app: str | None = None
    run: str | None = None
    all_users: bool = False
    as_json: bool = False
    _settings: Settings | None = None

    @property
    def settings(self) -> Settings:
        """The settings, with what the options override."""
        if self._settings is None:
            from kept.settings import Settings

            self._settings = Settings.load(database=self.database, project=self.project)
        return self._settings

    def with_settings(self, **given: Any) -> Settings:
        """The settings, with what a command's own options override (None: not given)."""
        from kept.settings import Settings

        self._settings = Settings.load(database=self.database, project=self.project, **given)
        return self._settings

    @contextmanager
    def service(self, *, makes: bool = False) -> Iterator[Service]:
        """The service, closed at the end.

        Args:
            makes: Whether the command may make the store that --database names; what only reads or changes makes none.
        """
        from kept.bootstrap import build

        self._look_at_the_store(makes=makes)
        service = build(self.settings, only_ids=True)
        try:
            yield service
        finally:
            service.close()

    @contextmanager
    def access(self, *, makes: bool = False, known: bool = True) -> Iterator[ProjectAccess]:
        """The project as its owner at the keyboard may use it, closed at the end.

        Args:
            makes: As of `service`.
            known: Whether the project must be there: made, or with something stored in it.
        """
        from kept.bootstrap import build_platform
        from kept.domain.access import Principal

        self._look_at_the_store(makes=makes)
        platform = build_platform(self.settings)
        try:
            if known:
                require_project(platform, self.settings.project)
            yield platform.access(
                Principal(project=self.settings.project, name=self.settings.user_id, connector=CONNECTOR)
            )
        finally:
            platform.close()

    def _look_at_the_store(self, *, makes: bool) -> None:
        """Refuse a store that --database names and that is not there; say where a server is set that is not used."""
        from kept.bootstrap import require_store

        if self.settings.url is not None and self.database is None and not self.as_json:
            from kept.cli import render

            render.note("This command uses the store on this machine, not KEPT_URL.")
        if self.database is not None and not makes:
            require_store(self.settings.database)

    @property
    def project_name(self) -> str:
        """The project to work in."""
        return self.scope().project

    @property
    def by(self) -> By:
        """Who asks: the person at the keyboard."""
        from kept.engine.maintain import By

        return By(actor=self.settings.user_id, connector=CONNECTOR)

    @property
    def whose(self) -> str:
        """The scope in words, for questions to a person."""
        named = "every user" if self.all_users else f"user {self.user or self.settings.user_id}"
        others = [f"{kind} {value}" for kind in ("agent", "app", "run") if (value := getattr(self, kind))]
        return ", ".join([named, *others]) + f" in project {self.settings.project}"

    def scope(self) -> Scope:
        """The scope that the options name."""
        from kept.domain.scope import Scope

        if self.all_users and self.user is not None:
            raise click.UsageError("--user and --all-users exclude each other.")
        if self.all_users and not (self.agent or self.app or self.run):
            return Scope.everything(self.settings.project)
        return Scope.of(
            project=self.settings.project,
            user_id=None if self.all_users else self.user if self.user is not None else self.settings.user_id,
            agent_id=self.agent,
            app_id=self.app,
            run_id=self.run,
        )


def require_project(platform: Platform, given: str) -> None:
    """Refuse what is no project's id, and say which there are: who sits at the keyboard may see them all.

    Raises:
        InvalidInputError: It is a project's name.
        NotFoundError: There is none.
    """
    from kept.engine.tenancy import all_projects, find_project, require_id
    from kept.errors import NotFoundError

    require_id(platform.registry, platform.service.projects(), given)
    try:
        find_project(platform, given)
    except NotFoundError:
        raise NotFoundError(_no_project(given, all_projects(platform))) from None


def _no_project(given: str, known: Sequence[Project]) -> str:
    from kept.engine.tenancy import MAX_SHOWN
    from kept.settings import did_you_mean

    hint = did_you_mean(given, [name for project in known for name in (project.id, project.name)])
    named = [one.id if one.name == one.id else f"{one.id} ({one.name})" for one in known[:_LISTED]]
    more = f" and {len(known) - _LISTED:,} more (`kept projects list`)" if len(known) > _LISTED else ""
    return (
        f"There is no such project as {given[:MAX_SHOWN]!r}.{hint} There are: {', '.join(named)}{more}. "
        "Make one with `kept projects create NAME`; the first `kept add` with --project makes one too."
    )


pass_invocation = click.make_pass_decorator(Invocation, ensure=True)
