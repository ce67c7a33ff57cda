"""What tests of the server share."""

from __future__ import annotations

from collections.abc import Iterator

import faces
import fleets
import pytest


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


@pytest.fixture
def fleet(server: fleets.Fleet) -> Iterator[fleets.Fleet]:
    """The server of a file, as no other test has seen it."""
    with server.anew() as found:
        yield found
