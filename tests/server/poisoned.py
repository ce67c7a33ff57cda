"""Send poison to a server in every place of every request, and print what it was seen to carry out, as a list in JSON.

``careless`` adds a route that unpickles: what is seen of that shows that this would be seen.
"""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import re
import sys
import tarfile
import tempfile
import threading
from pathlib import Path
from urllib.parse import quote

import faces

from laminar.server.api.table import ROUTES
from laminar.server.identity import Role
from laminar.server.routes import Asked, Route

#: What the interpreter reports when something is carried out that was not there before.
WATCHED = ("pickle.", "exec", "compile", "import", "os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.")
#: Who compiles constructors of its own records when the first is made.
COMPILERS = ("laminar.model.value",)
MAIN = threading.get_ident()
seen: list[str] = []


def watch(event: str, arguments: tuple[object, ...]) -> None:
    if threading.get_ident() == MAIN or not event.startswith(WATCHED):
        return
    if sys._getframe(1).f_globals["__name__"] not in COMPILERS:
        seen.append(event if event != "import" else f"import {arguments[0]}")


class Canary:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, ("true",)


def archive() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as made:
        made.addfile(tarfile.TarInfo("../../canary"))
    return file.getvalue()


POISON: list[bytes] = [
    pickle.dumps(Canary()),
    archive(),
    b"__import__('os').system('true')",
    b"!!python/object/apply:os.system ['true']",
    b"{{ ''.__class__.__mro__ }} ${jndi:ldap://x} %s %n",
    b'{"__class__": "os.system", "py/object": "os.system", "name": "x", "role": "admin"}',
    b'{"name": "os", "role": "admin", "module": "os", "loader": "os:system"}',
]


async def careless(asked: Asked) -> None:
    """Do what no server should."""
    pickle.loads(b"".join([chunk async for chunk in asked.chunks]))


def send(face: faces.Face, route: Route, poison: bytes) -> None:
    """Send poison as body, as part of the path, as parameter, and as header; what is answered does not matter."""
    text = quote(poison, safe="")[:2000]
    clean = re.sub(r"{[^}]+}", "x", route.full)
    headers = {"Content-Type": "application/json", "Last-Event-ID": text[:50], "X-Poison": text}
    for path in (clean, re.sub(r"{[^}]+}", text, route.full), f"{clean}?{text[:500]}={text}"):
        face.ask(route.method, path, poison, headers)
        if route.body is None and not route.streams:
            face.ask(route.method, path, headers=headers)
    face.ask(route.method, clean, poison, {**headers, "Authorization": f"Bearer {text}"})


def credentials(face: faces.Face, route: Route) -> str:
    if route.role not in (Role.AGENT, Role.ATTEMPT):
        return ""
    return face.services.signer.sign(route.role.value, faces.claims(route.role), 600)


def server(
    stack: contextlib.ExitStack, routes: list[Route], kind: str
) -> contextlib.AbstractContextManager[faces.Face]:
    if kind == "careless":
        return faces.running(routes)
    return faces.whole(Path(stack.enter_context(tempfile.TemporaryDirectory())), rate=100_000)


def main(kind: str) -> None:
    unpickling = Route("PUT", "/careless", Role.VIEWER, careless, "Unpickle.", streams=True)
    routes = [route for route in ROUTES if route.media != "text/event-stream"]
    if kind == "careless":
        routes = [unpickling]
    with contextlib.ExitStack() as stack:
        face = stack.enter_context(server(stack, routes, kind))
        for route in routes:
            face.token = credentials(face, route)
            send(face, route, b"{}")  # what is loaded late is loaded now
        sys.addaudithook(watch)
        for route in routes:
            face.token = credentials(face, route)
            for poison in POISON:
                send(face, route, poison)
        print(json.dumps(sorted(set(seen))))


main(sys.argv[1])
