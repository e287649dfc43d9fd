"""Tenants: what doors cannot show of organisations, projects and members. The rest stands in tests/doors/test_rest_tenancy.py."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from kept.domain.access import Principal
from kept.domain.scope import Scope
from kept.engine import tenancy
from kept.engine.keys import Keys
from kept.engine.tenancy import OWNED_KINDS, SETTINGS, Tenancy, entered, find_project
from kept.errors import ConflictError, NotFoundError

ADMIN = Principal(project="default")


@pytest.fixture
def tenants(platform):
    """Makes the tenants that a principal sees: of an administrator, unless another is given."""
    return lambda principal=ADMIN: Tenancy(platform.access(principal), Keys(platform))


def owner_of(project: str) -> Principal:
    """The owner of a project."""
    return Principal(project=project, role="OWNER")


def test_the_default_project_is_there_before_anything_was_kept(platform, tenants):
    assert [found.id for found in tenants().projects("default")] == ["default"]
    assert platform.registry.entries("project") == []
    assert find_project(platform, "default").settings["version"] == "v3"


def test_what_is_set_holds_and_all_else_is_as_it_was(platform, tenants):
    project, _ = tenants().create_project("default", "shop")
    before = project.settings
    tenants(owner_of(project.id)).update_project("default", project.id, {"decay": True})
    assert find_project(platform, project.id).settings == before | {"decay": True}
    assert before.keys() == SETTINGS.keys()


@pytest.mark.parametrize("made", [True, False], ids=["made", "never made"])
def test_two_who_set_different_things_at_once_both_succeed(platform, tenants, made):
    """Each sets its own fields and no others, also where nothing was kept of the project yet."""
    project_id = tenants().create_project("default", "shop")[0].id if made else "default"
    changes = [
        {"custom_instructions": "Be brief."},
        {"agent_custom_instructions": "Be kind."},
        {"decay": True},
        {"name": "store"},
    ]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda change: tenants().update_project(None, project_id, change), changes * 5))
    found = find_project(platform, project_id)
    assert (found.name, found.settings["decay"]) == ("store", True)
    assert (found.settings["custom_instructions"], found.settings["agent_custom_instructions"]) == (
        "Be brief.",
        "Be kind.",
    )


def test_a_project_that_somebody_else_set_first_is_set_all_the_same(platform, tenants, monkeypatch):
    """They looked at the same moment and saw that nothing was kept of it."""
    revise, registry = platform.registry.revise, platform.registry
    answers = iter([False])
    monkeypatch.setattr(registry, "revise", lambda *given: next(answers, None) is not False and revise(*given))
    registry.add(platform.entry("project", "default", "default", {"name": "default", "decay": True}))
    tenants().update_project(None, "default", {"multilingual": True})
    found = find_project(platform, "default").settings
    assert (found["decay"], found["multilingual"]) == (True, True)


def test_a_project_that_is_set_for_the_first_time_keeps_its_name_and_place(platform, tenants):
    platform.service.add(Scope(project="local", user_id="me"), ["I like tea"])
    tenants().update_project(None, "local", {"decay": True})
    found = find_project(platform, "local")
    assert (found.name, found.organisation, found.settings["decay"]) == ("local", "default", True)


def test_a_deleted_project_leaves_its_id_and_nothing_else(platform, tenants):
    """So that nobody gets what was stored under it by making it again."""
    project, secret = tenants().create_project("default", "shop", "What the shop knows.")
    platform.service.add(Scope(project=project.id, user_id="alice"), ["I like tea"])
    for kind in OWNED_KINDS:
        platform.registry.add(platform.entry(kind, f"{kind} of the project", project.id, {}))
        platform.registry.add(platform.entry(kind, f"{kind} of another", "other", {}))
    tenants(owner_of(project.id)).delete_project("default", project.id)
    for kind in OWNED_KINDS:
        assert [entry.owner for entry in platform.registry.entries(kind)] == ["other"]
    (left,) = platform.registry.entries("project")
    assert left.data.keys() == {"deleted_at"}
    with pytest.raises(NotFoundError):
        find_project(platform, project.id)
    assert project.id not in {found.id for found in tenants().projects("default")}
    assert all(key.revoked_at for key in Keys(platform).all(project.id))
    assert secret


def test_what_goes_with_a_project_is_all_that_projects_own():
    """Every kind of entry that some part of the engine keeps under a project is in the list."""
    from kept.engine import access, keys, profiles, proposing, retention, webhooks

    kinds = {
        access.ENTITY,
        keys.MEMBER,
        profiles.RUN,
        profiles.SETTINGS,
        proposing.CONSOLIDATED,
        retention.RULE,
        webhooks.WEBHOOK,
        webhooks.CURSOR,
    }
    assert kinds | {tenancy.LINK} == set(OWNED_KINDS)


def test_an_administrator_enters_projects_that_there_are(platform, tenants):
    organisation = tenants().create_organisation("Acme")
    project, _ = tenants().create_project(organisation.id, "shop")
    inside = entered(platform, ADMIN, project.id)
    assert (inside.project, inside.organisation, inside.role) == (project.id, organisation.id, "ADMIN")
    for project_id, organisation_id in (("nowhere", None), (project.id, "default"), ("default", organisation.id)):
        with pytest.raises(NotFoundError):
            entered(platform, ADMIN, project_id, organisation_id)


def test_who_is_refused_is_in_the_audit_of_where_they_belong(platform, tenants):
    with pytest.raises(NotFoundError):
        tenants(owner_of("mine")).project(None, "x" * 5_000)
    platform.trail.flush()
    (entry,) = platform.trail.audit.page(_all("mine"), limit=10)
    assert (entry.action, entry.outcome) == ("project.enter", "not-found")
    assert len(entry.target) < 200


def test_an_organisation_with_projects_is_not_deleted(tenants):
    organisation = tenants().create_organisation("Acme")
    project, _ = tenants().create_project(organisation.id, "shop")
    with pytest.raises(ConflictError):
        tenants().delete_organisation(organisation.id)
    tenants().delete_project(organisation.id, project.id)
    tenants().delete_organisation(organisation.id)
    with pytest.raises(NotFoundError):
        tenants().organisation(organisation.id)


def _all(project):
    from kept.ports import AuditListing

    return AuditListing(project=project)
