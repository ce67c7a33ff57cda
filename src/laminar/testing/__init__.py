"""For who extends laminar or tests flows: conformance suites for each contract, and pytest fixtures.

Needs pytest. The suites are classes of tests: subclass one in a test file, give the fixture that it names, and pytest
runs it. laminar's own implementations pass the same suites. Each name is loaded when it is first used, since the flows
of the suites also run where there is no pytest.

Usage::

    from laminar.testing import BlobsConformance

    class TestMyBlobs(BlobsConformance):
        @pytest.fixture
        def blobs(self) -> Blobs:
            return MyBlobs(...)

For tests of flows, in ``conftest.py``::

    pytest_plugins = ["laminar.testing.fixtures"]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from laminar.testing.blobs import BlobsConformance as BlobsConformance
    from laminar.testing.database import DatabaseConformance as DatabaseConformance
    from laminar.testing.executors import Bench as Bench
    from laminar.testing.executors import ExecutorConformance as ExecutorConformance
    from laminar.testing.ledger import LedgerConformance as LedgerConformance
    from laminar.testing.parity.suite import ExecutorParity as ExecutorParity
    from laminar.testing.serde import ProtocolConformance as ProtocolConformance

_HOMES = {
    "Bench": "laminar.testing.executors",
    "BlobsConformance": "laminar.testing.blobs",
    "DatabaseConformance": "laminar.testing.database",
    "ExecutorConformance": "laminar.testing.executors",
    "ExecutorParity": "laminar.testing.parity.suite",
    "LedgerConformance": "laminar.testing.ledger",
    "ProtocolConformance": "laminar.testing.serde",
}

__all__ = [
    "Bench",
    "BlobsConformance",
    "DatabaseConformance",
    "ExecutorConformance",
    "ExecutorParity",
    "LedgerConformance",
    "ProtocolConformance",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'laminar.testing' has no attribute {name!r}")
    from importlib import import_module  # as laminar itself loads its names

    import pytest

    pytest.register_assert_rewrite(*_HOMES.values(), "laminar.testing.parity")  # a failure then shows the values
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value
