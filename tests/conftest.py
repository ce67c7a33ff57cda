"""What tests of all rooms share."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest


@pytest.fixture
def needs() -> Callable[[object, str], None]:
    """Say what a test needs of the machine: without it the test is skipped, and in CI it fails, lest it go untested."""

    def check(found: object, what: str) -> None:
        if not found:
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"This machine lacks {what}.")

    return check
