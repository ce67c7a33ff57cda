"""Who may ask for what: hosts, origins, tokens and roles."""

from __future__ import annotations

import ipaddress
import socket

from anyio import to_thread

from laminar.errors import AuthenticationError, PermissionDeniedError, StaleAttemptError
from laminar.server.identity import Identity, Role
from laminar.server.limits import Limits
from laminar.server.problems import refusal
from laminar.server.settings import loopback
from laminar.server.signing import STORE
from laminar.server.tokens import PREFIX
from laminar.wire.paths import SIGNATURE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from starlette.requests import Request

    from laminar.server.routes import Route
    from laminar.server.services import Services

#: Names that no stranger's name server can give to this machine: its own, and those that container engines give it.
OWN = ("localhost", "host.docker.internal", "host.containers.internal")
STRANGER = Identity("nobody", Role.PUBLIC)
LOCAL = Identity("local", Role.ADMIN)


class Security:
    """Decides of each request whether it is answered.

    Args:
        services: What the server has.
    """

    def __init__(self, services: Services) -> None:
        """Take the rules from the settings."""
        self._services = services
        self._limits = Limits(services.settings.rate)
        settings = services.settings
        given = (settings.host, *settings.names.split(","), socket.gethostname(), *OWN)
        self._names = {name.strip().lower() for name in given if name.strip()}

    def check_origin(self, request: Request) -> None:
        """Refuse what a page of somebody else sends from a browser, under its own name or under a borrowed one.

        Raises:
            RequestError: The header ``Host`` is missing, doubled, or names another machine.
            PermissionDeniedError: The request comes from a page of another origin.
        """
        hosts = request.headers.getlist("host")
        if len(hosts) != 1 or not self._known(hosts[0]):
            raise refusal(
                421, "The request is for another host. Call the server by its address, or add its name to serve.names."
            )
        origin = request.headers.get("origin")
        if origin is not None and origin.lower() not in _origins(hosts[0]):
            raise PermissionDeniedError("The request comes from a page of another origin, and was not carried out.")
        if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            raise PermissionDeniedError("The request comes from a page of another site, and was not carried out.")

    def _known(self, host: str) -> bool:
        """Tell whether a host is this server; an address cannot be lent to anybody by a name server."""
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return name.lower() in self._names
        return True

    async def admit(self, request: Request, route: Route) -> Identity:
        """Tell who asks, if it may.

        Raises:
            AuthenticationError: It is not known who asks.
            PermissionDeniedError: Who asks may not.
            StaleAttemptError: An attempt asks that has ended.
            RateLimitError: It asks too often.
        """
        try:
            identity = await self._identity(request, route)
        except AuthenticationError:
            self._limits.take(_address(request))
            raise
        self._limits.take(_address(request) if identity is STRANGER else f"{identity.role.value} {identity.name}")
        if not identity.may(route.role):
            raise PermissionDeniedError(
                f"{identity.name} has the role {identity.role.value}, and {route.method} {route.full} is for the role "
                f"{route.role.value}. Ask who runs the server for a token of that role."
            )
        return identity

    async def _identity(self, request: Request, route: Route) -> Identity:
        if route.role is Role.PUBLIC:
            return STRANGER
        if route.role is Role.SIGNED:
            return self._signed(request)
        given = request.headers.getlist("authorization")
        if given:
            return await self._bearer(given)
        if not self._services.settings.auth and _from_here(request):
            return LOCAL
        raise AuthenticationError(
            "A token is needed: server.api_key or LAMINAR_SERVER_API_KEY. Who runs the server can make one."
        )

    async def _bearer(self, given: list[str]) -> Identity:
        scheme, _, text = given[0].partition(" ")
        if len(given) != 1 or scheme.lower() != "bearer":
            raise AuthenticationError("The header Authorization has another form than: Bearer TOKEN.")
        text = text.strip()
        tokens = self._services.tokens
        if not text.startswith(PREFIX):
            return self._worker(text)
        return (
            tokens.authenticate(text) if tokens.remembers(text) else await to_thread.run_sync(tokens.authenticate, text)
        )

    def _worker(self, text: str) -> Identity:
        """Tell which agent or attempt asks."""
        for role in (Role.AGENT, Role.ATTEMPT):
            try:
                claims = self._services.signer.verify(text, role.value)
            except AuthenticationError:
                continue
            parts = (str(part) for part in claims.values() if isinstance(part, (str, int)))
            identity = Identity("/".join(part for part in parts if part), role, claims)
            if not self._services.lives(identity):
                raise StaleAttemptError(f"The {role.value} {identity.name} has ended, or was replaced by another.")
            return identity
        raise AuthenticationError("The token is unknown here, or is over. Ask who runs the server for one.")

    def _signed(self, request: Request) -> Identity:
        claims = self._services.signer.verify(request.query_params.get(SIGNATURE, ""), STORE)
        if claims.get("method") != request.method or claims.get("path") != request.scope["path"]:
            raise AuthenticationError("The address was signed for something else. Ask the server for another.")
        return Identity(str(claims.get("key", "signature")), Role.SIGNED, claims)


def _origins(host: str) -> tuple[str, str]:
    """Give the server's own origins; by https, if a proxy before it speaks that."""
    return f"http://{host}".lower(), f"https://{host}".lower()


def _address(request: Request) -> str:
    return request.client.host if request.client else "nowhere"


def _from_here(request: Request) -> bool:
    """Tell whether a request came in by this machine's own loop, at an address that no other can reach."""
    server: tuple[str, int] | None = request.scope.get("server")
    return server is not None and loopback(server[0]) and loopback(_address(request))
