"""Servers with a store, for tests."""

from __future__ import annotations

import contextlib
import hashlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import faces

from laminar.ledger.catalog import Catalog
from laminar.ledger.opening import open_database
from laminar.server.api.store import ROUTES as OF_STORE
from laminar.server.api.uploads import ROUTES as OF_UPLOADS
from laminar.server.identity import Role
from laminar.server.settings import Settings
from laminar.server.signing import Signer
from laminar.server.store import Store, open_store

ROUTES = (*faces.ROUTES, *OF_STORE, *OF_UPLOADS)
SPACE = "default/development"
ENDED = "ended"


class Shop:
    """A server that runs, its store, and the runs that it does not know."""

    def __init__(self, face: faces.Face, store: Store, unknown: set[str]) -> None:
        self.face = face
        self.store = store
        self.unknown = unknown
        self.endpoint = f"http://127.0.0.1:{face.port}"

    def attempt(self, run: str = "r1", flow: str = "", space: str = SPACE) -> str:
        """The token of an attempt."""
        claims = {"space": space, "run": run, "name": "a0", "index": 0, "number": 1, "epoch": 1, "flow": flow}
        return self.face.services.signer.sign(Role.ATTEMPT.value, claims, 60)


@contextlib.contextmanager
def running(root: str, options: Mapping[str, str] | None = None, **settings: Any) -> Iterator[Shop]:
    """Run a server with a store at an address."""
    signer = Signer(b"k" * 32)
    store = open_store(root, signer, options)
    store.prepare()
    found = Settings(port=0, auth=True, **{"rate": 100_000, **settings})
    unknown = {ENDED}
    catalog = Catalog(open_database("sqlite://"))
    catalog.add_project("default")
    services = faces.services(
        found,
        signer=signer,
        store=store,
        engine=SimpleNamespace(catalog=catalog),
        lives=lambda who: who.claims["run"] not in unknown,
    )
    with faces.running(ROUTES, services) as face:
        yield Shop(face, store, unknown)


def content_md5(data: bytes) -> str:
    return b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
