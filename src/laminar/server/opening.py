"""Puts a server together: database, store, engine, and what its face needs."""

from __future__ import annotations

import contextlib
import os
import secrets
from urllib.parse import urlsplit

from laminar.host.machine import cores
from laminar.ledger.catalog import Catalog
from laminar.ledger.opening import POSTGRES, SQLITE, open_database
from laminar.ledger.queues import Queues as QueueTable
from laminar.ledger.submissions import Submissions
from laminar.ledger.tokens import Tokens as TokenTable
from laminar.ledger.triggers import Triggers
from laminar.server import bridge, keys, logs, runs, signing
from laminar.server.agents import Agents
from laminar.server.driving import Driving, Means
from laminar.server.engine import Engine
from laminar.server.gauges import Gauges
from laminar.server.identity import Role
from laminar.server.launchers.contract import name_of
from laminar.server.launchers.process import Processes
from laminar.server.lines import Lines
from laminar.server.metrics import Metrics
from laminar.server.output import Output
from laminar.server.queues import Queues
from laminar.server.schedules import Schedules
from laminar.server.services import Services
from laminar.server.signing import Signer
from laminar.server.slots import Slots
from laminar.server.stopping import Stopping
from laminar.server.store import open_store
from laminar.server.tokens import Tokens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from laminar.ledger.database import Database
    from laminar.model.action import Ref
    from laminar.server.driving import Driven
    from laminar.server.identity import Identity
    from laminar.server.launchers.contract import Launcher
    from laminar.server.pools import Pool
    from laminar.server.settings import Settings
    from laminar.server.store import Store

PROJECT = "default"
#: Runs that a server drives at a time, and that it takes up in a second after an outage.
RUNS, RECOVERED = 500, 10
#: Seconds for which the address of a bundle counts.
CODE = 24 * 3600.0
#: Where the values of calls lie within a space.
VALUES = ".tasks"


@contextlib.contextmanager
def opened(settings: Settings, address: str) -> Iterator[Services]:
    """Make the parts of a server, and take them away when it has stopped.

    Args:
        settings: How it is started.
        address: Where it listens.

    Raises:
        LedgerError: The database cannot be opened.
        StorageError: The store cannot be written.
    """
    state = os.path.abspath(settings.state)
    os.makedirs(state, mode=0o700, exist_ok=True)
    signer = Signer(signing.key(state))
    store = open_store(settings.store_url, signer)
    store.prepare()
    if settings.database_url.startswith(POSTGRES):
        logs.event("waits for the database, up to a minute", host=urlsplit(settings.database_url).hostname)
    with contextlib.closing(open_database(settings.database_url)) as database:
        metrics = Metrics()
        engine = _engine(settings, address, state, signer, store, database, metrics)
        metrics.registry.register(Gauges(engine))
        engine.catalog.add_project(PROJECT)
        services = Services(
            settings=settings,
            signer=signer,
            store=store,
            engine=engine,
            tokens=Tokens(TokenTable(database)),
            metrics=metrics,
            stopping=Stopping(),
            lives=lambda identity: _lives(engine, identity),
            hears=engine.agents.hears,
            unwell=engine.driving.trouble,
        )
        engine.queues.begin()
        engine.agents.begin()
        engine.driving.begin()
        engine.schedules.begin()
        try:
            yield services
        finally:
            engine.schedules.close()
            engine.driving.close()
            engine.agents.close()
            engine.queues.close()


def _lives(engine: Engine, identity: Identity) -> bool:
    """Tell whether an attempt lives. Of an agent its signature says enough: the first that it says may be hello."""
    return identity.role is Role.AGENT or engine.lines.key(identity.claims) is not None


def _engine(
    settings: Settings,
    address: str,
    state: str,
    signer: Signer,
    store: Store,
    database: Database,
    metrics: Metrics,
) -> Engine:
    submissions = Submissions(database)
    agents = Agents(_launcher(settings, address, state), signer)
    lines = Lines(signer)
    slots = Slots(settings.concurrency or cores())
    alone = settings.database_url.startswith(SQLITE)
    name = "alone" if alone else f"{os.uname().nodename}-{secrets.token_hex(4)}"
    if alone:
        submissions.release(name)  # no other server has this database, so what was held before is held no more

    queues = Queues(QueueTable(database), name)

    def read(space: str, run: str) -> Driven:
        return runs.read(engine, agents.launcher, state, space, run)

    means = Means(
        database=database,
        submissions=submissions,
        agents=agents,
        lines=lines,
        slots=slots,
        queues=queues,
        missing=lambda space, refs: _missing(store, space, refs),
        read=read,
        name=name,
        url=settings.url or address,
        most=RUNS,
        recovered=RECOVERED,
        metrics=metrics,
    )
    driving, catalog = Driving(means), Catalog(database)

    def stop(space: str, run: str, reason: str) -> None:
        runs.stop(engine, space, run, reason)

    engine = Engine(
        database=database,
        catalog=catalog,
        submissions=submissions,
        agents=agents,
        lines=lines,
        slots=slots,
        queues=queues,
        output=Output(store.blobs, database),
        schedules=Schedules(Triggers(database), catalog, driving.ring, stop),
        driving=driving,
        code_url=lambda pool: _code_url(store, pool),
    )
    return engine


def _launcher(settings: Settings, address: str, state: str) -> Launcher:
    folder = os.path.join(state, "agents")
    if settings.executor == bridge.DOCKER:
        from laminar.server.launchers.docker import Containers  # 200 ms of HTTP client

        return Containers(settings.url or bridge.url(settings, address), name_of(folder), folder)
    return Processes(settings.url or address, folder)


def _missing(store: Store, space: str, refs: Sequence[Ref]) -> bool:
    names = [f"{space}/{VALUES}/artifacts/{ref.hexdigest}.gz" for ref in refs]
    return bool(store.blobs.missing(names))


def _code_url(store: Store, pool: Pool) -> str:
    return store.signed_get(keys.bundle(pool.space, pool.bundle), CODE) if pool.bundle else ""
