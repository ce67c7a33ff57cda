"""Who may ask for what: every route of the real table, for everybody who could ask."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator

import faces
import pytest
from starlette.routing import BaseRoute, Mount
from starlette.routing import Route as Place

from laminar.server.api.table import ROUTES
from laminar.server.app import Resource, build
from laminar.server.identity import Role
from laminar.server.routes import Asked, Route
from laminar.server.settings import Settings
from laminar.server.signing import Signer

PEOPLE = {Role.VIEWER: 1, Role.EDITOR: 2, Role.ADMIN: 3}
REFUSED, STALE, FORBIDDEN = 401, 409, 403


async def let_in(asked: Asked) -> None:
    """Answer in place of a handler: this test is about who reaches one."""


PROBES = [route.replace(handler=let_in, body=None, query=None, returns=None, streams=True) for route in ROUTES]


@pytest.fixture(scope="module")
def probed() -> Iterator[faces.Face]:
    """The real table, with tokens asked for; behind each route is only word that it was reached."""
    with faces.running(PROBES, faces.services(Settings(port=0, auth=True, rate=100_000))) as found:
        yield found


def unsigned(claims: dict[str, object]) -> str:
    """A token of the kind that says itself that nothing needs to be checked."""
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


def revoked(face: faces.Face) -> str:
    row, text = face.services.tokens.create("gone", Role.ADMIN)
    face.services.tokens.revoke(row.id)
    return text


def shortened(face: faces.Face) -> str:
    return face.token_for(Role.ADMIN)[:-1]


def signed(role: Role, run: str = "r1", seconds: float = 60.0, key: bytes = b"") -> Callable[[faces.Face], str]:
    def make(face: faces.Face) -> str:
        signer = Signer(key) if key else face.services.signer
        return signer.sign(role.value, faces.claims(role, run), seconds)

    return make


#: Everybody who could ask: how to get a token, and the role that it has, or the status by which it is refused.
CALLERS: dict[str, tuple[Callable[[faces.Face], str], Role | int]] = {
    "nobody": (lambda face: "", REFUSED),
    "garbage": (lambda face: "garbage", REFUSED),
    "a token of the right form": (lambda face: "lam_0123456789ab_" + "0" * 64, REFUSED),
    "half a token": (lambda face: "lam_", REFUSED),
    "a token cut short": (shortened, REFUSED),
    "bytes that are no text": (lambda face: "lam_\xff\xfe_\x80", REFUSED),
    "an expired token": (lambda face: face.token_for(Role.ADMIN, seconds=-1), REFUSED),
    "a revoked token": (revoked, REFUSED),
    "claims without a signature": (lambda face: unsigned(faces.claims(Role.ATTEMPT)), REFUSED),
    "claims of another server": (signed(Role.ATTEMPT, key=b"other" * 8), REFUSED),
    "claims that are over": (signed(Role.ATTEMPT, seconds=-1), REFUSED),
    "claims for the store": (lambda face: face.services.signer.sign("store", faces.claims(Role.ADMIN), 60), REFUSED),
    "claims for a role of people": (signed(Role.ADMIN), REFUSED),
    "an attempt that has ended": (signed(Role.ATTEMPT, run="ended"), STALE),
    "an agent that has left": (signed(Role.AGENT, run="ended"), STALE),
    "viewer": (lambda face: face.token_for(Role.VIEWER), Role.VIEWER),
    "editor": (lambda face: face.token_for(Role.EDITOR), Role.EDITOR),
    "admin": (lambda face: face.token_for(Role.ADMIN), Role.ADMIN),
    "agent": (signed(Role.AGENT), Role.AGENT),
    "attempt": (signed(Role.ATTEMPT), Role.ATTEMPT),
}


def expected(route: Route, known: Role | int) -> int:
    """What the declared table says."""
    if route.role is Role.PUBLIC:
        return 204
    if route.role is Role.SIGNED:
        return REFUSED  # a token is no signature
    if isinstance(known, int):
        return known
    if known is route.role or PEOPLE.get(known, 0) >= PEOPLE.get(route.role, 9):
        return 204
    return FORBIDDEN


def concrete(route: Route) -> str:
    return re.sub(r"{[^}]+}", "x", route.full)


@pytest.mark.parametrize("caller", CALLERS)
def test_every_route_lets_in_whom_it_declares_and_nobody_else(probed: faces.Face, caller: str) -> None:
    make, known = CALLERS[caller]
    token = make(probed)
    found = {
        f"{route.method} {route.full}": probed.ask(route.method, concrete(route), token=token).status
        for route in PROBES
    }
    assert found == {f"{route.method} {route.full}": expected(route, known) for route in PROBES}


def test_an_address_is_good_for_the_method_and_the_path_it_was_signed_for_alone(probed: faces.Face) -> None:
    target = Route("PUT", "/probe/{key:path}", Role.SIGNED, let_in, "Take.", streams=True)
    other = Route("GET", "/probe/{key:path}", Role.SIGNED, let_in, "Give.", streams=True)
    with faces.running([target, other]) as face:

        def ask(method: str, path: str, seconds: float = 60, key: bytes = b"k" * 32, use: str = "store") -> int:
            text = Signer(key).sign(use, {"method": "PUT", "path": "/api/v1/probe/a/b"}, seconds)
            return face.ask(method, f"/api/v1/probe/{path}?signature={text}").status

        assert ask("PUT", "a/b") == 204
        assert ask("GET", "a/b") == REFUSED
        assert ask("PUT", "a/c") == REFUSED
        assert ask("PUT", "a/b", seconds=-1) == REFUSED
        assert ask("PUT", "a/b", key=b"other" * 8) == REFUSED
        assert ask("PUT", "a/b", use="attempt") == REFUSED
        assert face.ask("PUT", "/api/v1/probe/a/b", token=face.token_for(Role.ADMIN)).status == REFUSED


def test_nothing_can_be_asked_for_that_is_not_declared() -> None:
    app = build(ROUTES, faces.services(Settings()))
    live = {
        (method, path, route.role)
        for path, resource in walked(app.routes)
        for method, route in resource.methods.items()
    }
    assert sorted(live, key=repr) == sorted(((route.method, route.full, route.role) for route in ROUTES), key=repr)


def walked(routes: list[BaseRoute]) -> Iterator[tuple[str, Resource]]:
    for route in routes:
        assert isinstance(route, Place), f"{route} is not made from the table"
        assert not isinstance(route, Mount)
        assert isinstance(route.endpoint, Resource), f"{route.path} answers by itself"
        yield route.path, route.endpoint


def test_a_route_without_a_role_cannot_be_declared() -> None:
    with pytest.raises(TypeError, match="role"):
        Route("GET", "/open", None, let_in, "Open.")  # type: ignore[arg-type]


def test_a_route_cannot_be_declared_twice() -> None:
    with pytest.raises(ValueError, match="GET /api/v1/me is declared twice"):
        build([*ROUTES, next(route for route in ROUTES if route.path == "/me")], faces.services(Settings()))


def test_without_auth_who_comes_by_this_machines_loop_is_admin(face: faces.Face) -> None:
    assert face.ask("GET", "/api/v1/me").json["role"] == "admin"


def test_without_auth_who_comes_by_an_address_for_workers_needs_a_token(needs: Callable[[object, str], None]) -> None:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: the kernel names the address it would send from
        outside = probe.getsockname()[0]
    needs(not outside.startswith("127."), "an address besides its loop")
    with faces.running(workers=outside) as face:
        assert face.ask("GET", "/api/v1/tokens", host=outside).status == REFUSED
        assert face.ask("GET", "/api/v1/health", host=outside).status == 200
        assert face.ask("GET", "/api/v1/tokens").status == 200


def test_a_bad_token_is_refused_also_where_none_is_needed(face: faces.Face) -> None:
    assert face.ask("GET", "/api/v1/me", token="lam_0_0").status == REFUSED


@pytest.mark.parametrize("given", ["Basic YTpi", "Bearer", "lam_x", "Bearer  ", "bearer\tx"])
def test_other_forms_of_the_header_are_refused(guarded: faces.Face, given: str) -> None:
    assert guarded.ask("GET", "/api/v1/me", headers={"Authorization": given}).status == REFUSED


def test_two_tokens_in_one_request_are_refused(guarded: faces.Face) -> None:
    good = guarded.token_for(Role.ADMIN)
    head = f"GET /api/v1/me HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer {good}\r\n"
    assert guarded.send(f"{head}\r\n".encode()).startswith(b"HTTP/1.1 200 ")
    assert guarded.send(f"{head}Authorization: Bearer x\r\n\r\n".encode()).startswith(b"HTTP/1.1 401 ")
