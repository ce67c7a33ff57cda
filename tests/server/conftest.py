"""What tests of the server share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import faces
import fleets
import pytest

import engines


@pytest.fixture
def face() -> Iterator[faces.Face]:
    """A server on this machine's loop, where nobody needs a token."""
    with faces.running() as found:
        yield found


@pytest.fixture
def guarded() -> Iterator[faces.Face]:
    """A server that asks for tokens."""
    with faces.running(auth=True) as found:
        yield found


@pytest.fixture(scope="session")
def fleet_engine(container_engines: dict[str, engines.Engine], needs: Callable[[object, str], None]) -> engines.Engine:
    """The engine of servers whose attempts run in containers."""
    needs("docker" in container_engines, "docker for tests: see .ci/engines status")
    needs(engines.is_local(container_engines["docker"].gateway()), "an engine whose bridge is on it")
    return container_engines["docker"]


@pytest.fixture
def fleet(server: fleets.Fleet) -> Iterator[fleets.Fleet]:
    """The server of a file, as no other test has seen it."""
    with server.anew() as found:
        yield found
