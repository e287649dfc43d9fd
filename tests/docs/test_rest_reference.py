"""The page of the REST routes and the description that the server gives of itself say the same."""

from __future__ import annotations

import pytest

from kept.bootstrap import build_platform
from kept.rest.app import create_app
from kept.settings import Settings


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """Every route with what it is for, as the server describes it."""
    folder = tmp_path_factory.mktemp("described")
    settings = Settings.load(environ={}, config=folder / "none.toml", database=str(folder / "kept.db"))
    platform = build_platform(settings)
    paths = create_app(platform, settings).openapi()["paths"]
    platform.close()
    return {
        f"`{method.upper()} {path}`": operation["summary"] + (" (deprecated)" if operation.get("deprecated") else "")
        for path, operations in paths.items()
        for method, operation in operations.items()
    }


@pytest.fixture(scope="module")
def told(reference):
    """Every route with what it is for, as the page tells it."""
    rows = [row for row in reference("rest").rows() if len(row) == 2 and row[0].split(" ")[0] in METHODS]
    assert len({row[0] for row in rows}) == len(rows)
    return dict(rows)


METHODS = ("`GET", "`POST", "`PUT", "`PATCH", "`DELETE")


def test_every_route_stands_in_the_page_with_what_it_is_for(described, told):
    """And nothing else does."""
    assert told == described


def test_every_role_is_explained(reference):
    from kept.domain.access import ROLES

    rows = [row[0] for row in reference("rest").rows() if row[0].strip("`") in ROLES]
    assert rows == [f"`{role}`" for role in ROLES]


def test_every_setting_of_a_project_is_named(reference):
    from kept.engine.tenancy import SETTINGS

    section = reference("rest").section("Projects")
    assert [name for name in SETTINGS if f"`{name}`" not in section] == []
