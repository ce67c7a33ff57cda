"""What tests of the server share."""

from __future__ import annotations

from collections.abc import Iterator

import faces
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
