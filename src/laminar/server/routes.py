"""The declared table of routes: the router, the description for clients and the test of who may do what are made of it.

A route without a role cannot be written down, and nothing is reachable that is not in the table.
"""

from __future__ import annotations

import msgspec

from laminar.model.value import Value
from laminar.server.identity import Role
from laminar.wire.paths import API

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from typing import Any, TypeAlias

    from starlette.requests import Request
    from starlette.responses import Response

    from laminar.server.identity import Identity
    from laminar.server.services import Services

    Handler: TypeAlias = Callable[["Asked"], Awaitable[msgspec.Struct | Response | None]]

KIB, MIB = 1024, 1024 * 1024


class Asked(Value):
    """A request that was let in, read and checked.

    Attributes:
        services: What the server has.
        identity: Who asks.
        path: The parts of the path that are named in the route.
        query: The parameters, of the route's type.
        body: The body, of the route's type.
        request: The request itself, for its headers.
        chunks: The body as it comes, for a route that streams; too much of it is refused.
    """

    services: Services
    identity: Identity
    path: Mapping[str, str]
    query: Any
    body: Any
    request: Request
    chunks: AsyncIterator[bytes]


class Route(Value, frozen=True):
    """One thing that can be asked for.

    Attributes:
        method: Method of HTTP.
        path: Path below ``/api/v1``, with its parts such as ``{run}``; ``{key:path}`` takes slashes too.
        role: Who may ask.
        handler: What answers: it returns a struct, None for an answer without a body, or a response of Starlette.
        summary: What it does, in one line.
        body: Type of the body; None takes none.
        query: Type of the parameters; None takes none.
        returns: Type of the answer.
        status: Status of the answer.
        most: Bytes of the largest body.
        streams: Whether the handler reads the body by itself, as bytes.
        media: Media type of an answer that is no JSON.
    """

    method: str
    path: str
    role: Role
    handler: Handler
    summary: str
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    returns: type | None = None
    status: int = 200
    most: int = MIB
    streams: bool = False
    media: str = "application/json"

    @property
    def full(self) -> str:
        """The whole path."""
        return f"{API}{self.path}"

    def validate(self) -> None:
        """See that the route is whole."""
        if not isinstance(self.role, Role) or not self.path.startswith("/"):
            raise TypeError(f"The route {self.method} {self.path!r} needs a role, and a path that begins with a slash.")
