"""The application: a router made of the table of routes, and nothing else that can be asked for."""

from __future__ import annotations

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Place

from laminar.server import exchange, problems, reading
from laminar.server.exchange import Surroundings
from laminar.server.routes import Asked
from laminar.server.security import Security

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from starlette.types import Receive, Scope, Send

    from laminar.server.routes import Route
    from laminar.server.services import Services

STREAM = "text/event-stream"


def build(routes: Iterable[Route], services: Services) -> Starlette:
    """Make the application.

    Args:
        routes: All that can be asked for.
        services: What the server has.
    """
    security = Security(services)
    table = tuple(routes)
    app = Starlette(
        routes=[Place(path, Resource(methods, services, security)) for path, methods in _by_path(table).items()],
        middleware=[Middleware(Surroundings, services=services, security=security)],
    )
    app.router.redirect_slashes = False
    app.router.default = _nothing
    app.state.routes = table
    return app


def _by_path(table: tuple[Route, ...]) -> dict[str, dict[str, Route]]:
    found: dict[str, dict[str, Route]] = {}
    for route in table:
        methods = found.setdefault(route.full, {})
        if route.method in methods:
            raise ValueError(f"{route.method} {route.full} is declared twice.")
        methods[route.method] = route
    return found


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - the form of an application
    if scope["type"] == "http":
        raise problems.refusal(404, f"There is nothing at {scope['path']!r}. GET /api/v1/openapi.json lists what is.")
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})


class Resource:
    """What can be asked for at one path.

    Args:
        methods: The routes by their methods.
        services: What the server has.
        security: Decides who may.
    """

    def __init__(self, methods: dict[str, Route], services: Services, security: Security) -> None:
        """Take the routes."""
        self.methods = methods
        self._services = services
        self._security = security

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find the route, see who asks and what for, and answer."""
        request = Request(scope, receive)
        route = self._route(request)
        scope[exchange.ROUTE] = route.full
        identity = await self._security.admit(request, route)
        scope[exchange.CALLER] = identity.name
        patience = self._services.settings.patience
        asked = Asked(
            services=self._services,
            identity=identity,
            path=reading.path(request),
            query=reading.query(request, route),
            body=None if route.streams else await reading.body(request, route, patience),
            request=request,
            chunks=reading.chunks(request, route, patience),
        )
        await _response(await route.handler(asked), route)(scope, receive, send)

    def _route(self, request: Request) -> Route:
        found = self.methods.get(request.method)
        if found is None and request.method == "HEAD":
            found = self.methods.get("GET")
            found = None if found is None or found.media == STREAM else found
        if found is None:
            raise problems.wrong_method(request.method, request.url.path, sorted(self.methods))
        return found


def _response(answer: Any, route: Route) -> Response:
    if isinstance(answer, Response):
        return answer
    if answer is None:
        return Response(status_code=204 if route.returns is None else route.status)
    return Response(msgspec.json.encode(answer), route.status, media_type=route.media)
