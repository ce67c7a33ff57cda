"""What tests of bundles share."""

from __future__ import annotations

import pytest
from journeys import Journey


@pytest.fixture
def journey(tmp_path):
    """A project that is about to travel."""
    return Journey(tmp_path)
