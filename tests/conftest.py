"""What tests of all rooms share."""

from __future__ import annotations

import compileall
import os
import uuid
from collections.abc import Callable, Iterator

import pytest

import engines
import laminar
import moto_process
import postgres as postgres_cluster
import served
import spreading


@pytest.fixture(scope="session")
def needs() -> Callable[[object, str], None]:
    """Say what a test needs of the machine: without it the test is skipped, and in CI it fails, lest it go untested."""

    def check(found: object, what: str) -> None:
        if not found:
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"This machine lacks {what}.")

    return check


@pytest.fixture(scope="session")
def container_engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, engines.Engine]]:
    """Docker and Podman, by name, as far as they answer. What this session's tests leave in them is removed."""
    found = engines.found()
    yield found
    for engine in found.values():
        engine.sweep(tmp_path_factory.getbasetemp())


@pytest.fixture
def engine_named(
    container_engines: dict[str, engines.Engine],
    needs: Callable[[object, str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], engines.Engine]:
    """Take an engine by name: laminar finds it, and what it builds begins with the image of the tests."""

    def take(name: str) -> engines.Engine:
        needs(name in container_engines, f"{name} for tests: see .ci/engines status")
        for variable, value in container_engines[name].variables.items():
            monkeypatch.setenv(variable, value)
        return container_engines[name]

    return take


@pytest.fixture(params=["docker", "podman"])
def container_engine(request: pytest.FixtureRequest, engine_named: Callable[[str], engines.Engine]) -> engines.Engine:
    """Each engine in turn."""
    return engine_named(request.param)


@pytest.fixture
def docker_host(engine_named: Callable[[str], engines.Engine]) -> str:
    """Docker's socket; ``DOCKER_HOST`` names it."""
    return engine_named("docker").address


@pytest.fixture
def podman_host(engine_named: Callable[[str], engines.Engine]) -> str:
    """Podman's socket; ``DOCKER_HOST`` names it."""
    return engine_named("podman").address


@pytest.fixture(scope="session")
def base_image(container_engines: dict[str, engines.Engine], needs: Callable[[object, str], None]) -> str:
    """The image with Python that the engines have."""
    needs(container_engines, "a container engine: see .ci/engines status")
    return next(iter(container_engines.values())).image


@pytest.fixture(scope="session")
def shared_s3(
    container_engines: dict[str, engines.Engine],
    needs: Callable[[object, str], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[str, str]]:
    """A server that speaks S3's protocol: its URL on this machine, and its URL in containers of either engine.

    It listens on the bridge of Docker's containers alone, so that both are the same, where that bridge is on this
    machine. ``moto_process.options`` gives the settings of a datastore.
    """
    needs("docker" in container_engines, "docker for tests: see .ci/engines status")
    gateway = container_engines["docker"].gateway()
    local = engines.is_local(gateway)
    log = str(tmp_path_factory.mktemp("moto") / "log")
    with moto_process.serving(log, gateway if local else "127.0.0.1") as address:
        yield address, address if local else address.replace("127.0.0.1", "host.docker.internal")


@pytest.fixture(scope="session")
def s3_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a server on this machine that speaks S3's protocol."""
    with moto_process.serving(str(tmp_path_factory.mktemp("moto") / "log")) as address:
        yield address


@pytest.fixture
def s3_root() -> str:
    """A prefix that no other test uses."""
    return f"s3://{moto_process.BUCKET}/{uuid.uuid4().hex}/laminar"


@pytest.fixture
def s3_options(s3_address: str) -> dict[str, str]:
    """Settings of a store on that server."""
    return moto_process.options(s3_address)


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres_cluster.Cluster | None]:
    """A PostgreSQL of this session's own; None where it is not installed."""
    with postgres_cluster.running() as found:
        yield found


@pytest.fixture
def postgres(cluster: postgres_cluster.Cluster | None, needs: Callable[[object, str], None]) -> Iterator[str]:
    """URL of an empty database of PostgreSQL's."""
    needs(cluster, "PostgreSQL: see .ci/packages")
    url = cluster.database()
    yield url
    cluster.drop(url)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run two tests for each processor: half of their time they wait, for containers, leases, other programs."""
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Spread tests as ``spreading`` says, in the order in which they were collected."""
    config.option.loadscopereorder = False
    return spreading.Spread(config, log)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile laminar once: most tests start processes, and those write no bytecode."""
    if not hasattr(session.config, "workerinput"):
        compileall.compile_dir(laminar.__path__[0], quiet=2)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=spreading.rank)


@pytest.fixture(scope="session")
def server_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server of this session's own, which runs tasks in processes."""
    with served.serving(tmp_path_factory.mktemp("server")) as address:
        yield address
