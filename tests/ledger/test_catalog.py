"""What is deployed on a server: versions that never change, the latest of each name, lists in pages."""

from __future__ import annotations

import pytest

from laminar.errors import VersionConflictError
from laminar.ledger.catalog import Catalog
from laminar.ledger.database import Database
from laminar.ledger.server_rows import DeploymentRow, EntityRow

SPACE = "project/development"


@pytest.fixture
def catalog(database: Database) -> Catalog:
    return Catalog(database)


def deployment(version: str, content: str = "c", name: str = "env", space: str = SPACE) -> DeploymentRow:
    return DeploymentRow(space, "environment", name, version, content, "md5", '{"a": 1}', 1.0, "ann")


def entity(name: str, version: str, space: str = SPACE, kind: str = "task") -> EntityRow:
    return EntityRow(space, name, version, kind, "md5", f'{{"name": "{name}"}}', 1.0)


def deploy(catalog: Catalog, version: str, *names: str, content: str = "c", space: str = SPACE) -> bool:
    entities = [entity(name, version, space) for name in names]
    return catalog.deploy(deployment(version, content, space=space), entities)


def test_projects_and_bundles_are_kept_once(catalog: Catalog) -> None:
    assert catalog.add_project("b", "about b")
    assert catalog.add_project("a")
    assert not catalog.add_project("b", "other")
    assert [(row.name, row.description) for row in catalog.projects()] == [("a", ""), ("b", "about b")]
    assert catalog.project("c") is None
    for size in (5, 6):
        catalog.add_bundle(SPACE, "md5", size)
    bundle = catalog.bundle(SPACE, "md5")
    assert bundle is not None
    assert bundle.size == 5
    assert catalog.bundle("project/production", "md5") is None


def test_the_latest_version_is_the_one_that_was_deployed_last(catalog: Catalog) -> None:
    assert deploy(catalog, "v1", "env.a", "env.b")
    assert deploy(catalog, "v2", "env.a")
    assert deploy(catalog, "v0", "env.a", space="project/production")
    found = [catalog.entity(SPACE, name) for name in ("env.a", "env.b", "env.c")]
    assert [row and row.version for row in found] == ["v2", "v1", None]
    old = catalog.entity(SPACE, "env.a", "v1")
    assert old is not None
    assert old.replace(sequence=0) == entity("env.a", "v1")
    assert catalog.entity(SPACE, "env.a", "v0") is None
    assert catalog.names(SPACE) == ["env.a", "env.b"]
    assert catalog.names(SPACE, "flow") == []


def test_the_same_version_again_does_nothing_but_to_make_it_the_latest(catalog: Catalog) -> None:
    deploy(catalog, "v1", "env.a", "env.b")
    before = catalog.deployments(SPACE)
    assert not deploy(catalog, "v1", "env.a", "env.b")
    assert catalog.deployments(SPACE) == before
    deploy(catalog, "v2", "env.a", content="d")
    assert not deploy(catalog, "v1", "env.a", "env.b")
    latest = catalog.entity(SPACE, "env.a")
    assert latest is not None
    assert latest.version == "v1"
    assert [row.version for row in catalog.deployments(SPACE)] == ["v1", "v2"]


def test_a_version_that_exists_with_other_content_is_refused_whole(catalog: Catalog) -> None:
    deploy(catalog, "v1", "env.a")
    with pytest.raises(VersionConflictError, match=rf"Version v1 of environment env exists in {SPACE}.* by ann"):
        deploy(catalog, "v1", "env.a", "env.b", content="other")
    assert catalog.entity(SPACE, "env.b") is None
    found = catalog.deployment(SPACE, "environment", "env", "v1")
    assert found is not None
    assert found.replace(sequence=0) == deployment("v1")


def test_lists_are_filtered_and_paged_newest_first(catalog: Catalog) -> None:
    for number in range(12):
        name = f"env-{number % 3}"
        catalog.deploy(deployment(f"v{number}", name=name), [entity(f"{name}.task", f"v{number}")])
    catalog.deploy(deployment("v12").replace(kind="flow", name="Flow"), [entity("Flow", "v12", kind="flow")])
    pages = []
    before = 2**62
    while page := catalog.deployments(SPACE, before=before, limit=5):
        pages.append([row.version for row in page])
        before = page[-1].sequence
    assert pages == [["v12", "v11", "v10", "v9", "v8"], ["v7", "v6", "v5", "v4", "v3"], ["v2", "v1", "v0"]]
    assert [row.version for row in catalog.deployments(SPACE, name="env-1", limit=2)] == ["v10", "v7"]
    assert [row.version for row in catalog.entities(SPACE, kind="flow")] == ["v12"]
    assert [row.version for row in catalog.entities(SPACE, name="env-0.task", limit=3)] == ["v9", "v6", "v3"]
    assert catalog.entities("project/production") == []
