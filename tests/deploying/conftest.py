"""What tests of deploying share."""

from __future__ import annotations

import pytest
from plans import Project


@pytest.fixture
def project(tmp_path):
    """A folder of the user."""
    return Project(tmp_path / "project")
