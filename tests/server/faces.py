"""Servers for tests: real ones, with a real socket, on a thread of the test's process."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from laminar.model.token import TokenRow
from laminar.server import listening, opening, serving
from laminar.server.api import table
from laminar.server.api.health import ROUTES as OF_HEALTH
from laminar.server.api.tokens import ROUTES as OF_TOKENS
from laminar.server.identity import Role
from laminar.server.metrics import Metrics
from laminar.server.pools import Pool
from laminar.server.routes import Route
from laminar.server.services import Services
from laminar.server.settings import Settings
from laminar.server.signing import Signer
from laminar.server.stopping import Stopping
from laminar.server.tokens import Tokens

ROUTES = (*OF_HEALTH, *OF_TOKENS)
PATIENCE = 20.0


class Table:
    """Tokens in memory: what the face asks of a database, and no more."""

    def __init__(self) -> None:
        self.rows: dict[str, TokenRow] = {}

    def add(self, row: TokenRow) -> None:
        self.rows[row.id] = row

    def find(self, token: str) -> TokenRow | None:
        return self.rows.get(token)

    def all(self) -> list[TokenRow]:
        return list(self.rows.values())

    def revoke(self, token: str, at: float) -> bool:
        fresh = token in self.rows and self.rows[token].revoked is None
        if fresh:
            self.rows[token] = self.rows[token].replace(revoked=at)
        return fresh

    def used(self, token: str, at: float) -> None:
        self.rows[token] = self.rows[token].replace(last_used=at)


class Answer:
    """An answer that was read to its end."""

    def __init__(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.data = data

    @property
    def json(self) -> Any:
        return json.loads(self.data)

    @property
    def kind(self) -> str:
        """The name of the error's class in kebab case."""
        return str(self.json["type"]).removeprefix("urn:laminar:")


class Face:
    """A server that runs."""

    def __init__(self, server: serving.Server, services: Services, port: int) -> None:
        self.server = server
        self.services = services
        self.port = port
        self.token = ""

    def token_for(self, role: Role, seconds: float | None = None, name: str = "somebody") -> str:
        return self.services.tokens.create(name, role, seconds)[1]

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] = {},
        token: str | None = None,
        host: str = "127.0.0.1",
    ) -> Answer:
        """Ask for something on a connection of its own."""
        sent = dict(headers)
        token = self.token if token is None else token
        if token:
            sent.setdefault("Authorization", f"Bearer {token}")
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection(host, self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def send(self, data: bytes) -> bytes:
        """Send bytes as they are, and read until the server closes the connection."""
        with self.connect() as connection:
            connection.sendall(data)
            return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    found = b""
    while True:
        try:
            part = connection.recv(65536)
        except ConnectionResetError:
            return found
        if not part:
            return found
        found += part


def services(settings: Settings, **others: Any) -> Services:
    """Make the parts that the face itself needs; what handlers of other rooms use is not there."""
    parts: dict[str, Any] = {
        **{name: None for name in Services.fields__ if name not in Services.defaults__},
        "settings": settings,
        "signer": Signer(b"k" * 32),
        "tokens": Tokens(Table()),
        "metrics": Metrics(),
        "stopping": Stopping(),
        "lives": lambda identity: "ended" not in identity.claims.values(),
        **others,
    }
    return Services(**parts)


@contextlib.contextmanager
def running(routes: Sequence[Route] = ROUTES, given: Services | None = None, **settings: Any) -> Iterator[Face]:
    """Run a server."""
    found = given or services(Settings(port=0, **settings))
    with _answering(routes, found, listening.listen(found.settings)) as face:
        yield face


@contextlib.contextmanager
def whole(folder: Path, **settings: Any) -> Iterator[Face]:
    """Run a server with all of its parts: database, store, engine."""
    found = Settings(port=0, state=str(folder), **settings)
    sockets = listening.listen(found)
    with opening.opened(found, serving.url(sockets[0])) as parts, _answering(table.ROUTES, parts, sockets) as face:
        yield face


@contextlib.contextmanager
def _answering(routes: Sequence[Route], parts: Services, sockets: list[socket.socket]) -> Iterator[Face]:
    server = serving.Server(routes, parts)
    thread = threading.Thread(target=server.run, args=(sockets,), name="server under test")
    thread.start()
    try:
        yield Face(server, parts, int(sockets[0].getsockname()[1]))
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()


def claims(role: Role, run: str = "r1") -> dict[str, Any]:
    """What an agent or an attempt would be signed for."""
    space = "default/development"
    if role is Role.AGENT:
        return {"agent": run, "pool": vars(Pool(space, "0" * 32))}
    return {"space": space, "run": run, "name": "a0", "index": 0, "number": 1, "epoch": 1, "flow": ""}
