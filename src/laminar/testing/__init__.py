"""For who extends laminar or tests flows: conformance suites for each contract, and pytest fixtures.

Needs pytest. The suites are classes of tests: subclass one in a test file, give the fixture that it names, and pytest
runs it. laminar's own implementations pass the same suites.

Usage::

    from laminar.testing import BlobsConformance

    class TestMyBlobs(BlobsConformance):
        @pytest.fixture
        def blobs(self) -> Blobs:
            return MyBlobs(...)

For tests of flows, in ``conftest.py``::

    pytest_plugins = ["laminar.testing.fixtures"]
"""

from laminar.testing.blobs import BlobsConformance
from laminar.testing.executors import Bench, ExecutorConformance
from laminar.testing.ledger import LedgerConformance
from laminar.testing.serde import ProtocolConformance

__all__ = ["Bench", "BlobsConformance", "ExecutorConformance", "LedgerConformance", "ProtocolConformance"]
