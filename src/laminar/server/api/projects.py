"""Projects."""

from __future__ import annotations

from anyio import to_thread

from laminar.server.identity import Role
from laminar.server.problems import refusal
from laminar.server.routes import Asked, Route
from laminar.wire.projects import ProjectPage, ProjectRequest, ProjectView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.ledger.catalog import Catalog
    from laminar.ledger.server_rows import ProjectRow


async def page(asked: Asked) -> ProjectPage:
    """List all projects."""
    rows = await to_thread.run_sync(asked.services.engine.catalog.projects)
    return ProjectPage(items=tuple(map(_view, rows)))


async def add(asked: Asked) -> ProjectView:
    """Make a project."""
    return await to_thread.run_sync(_add, asked.services.engine.catalog, asked.body)


def _add(catalog: Catalog, request: ProjectRequest) -> ProjectView:
    if not catalog.add_project(request.name, request.description):
        raise refusal(409, f"There is a project {request.name} already.")
    row = catalog.project(request.name)
    assert row is not None
    return _view(row)


def _view(row: ProjectRow) -> ProjectView:
    return ProjectView(name=row.name, description=row.description, created=row.created)


ROUTES = (
    Route("GET", "/projects", Role.VIEWER, page, "List projects.", returns=ProjectPage),
    Route(
        "POST", "/projects", Role.ADMIN, add, "Make a project.", body=ProjectRequest, returns=ProjectView, status=201
    ),
)
