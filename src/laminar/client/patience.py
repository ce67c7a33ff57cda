"""Asking as an attempt: a server that does not know it may be about to take it back from one that was lost."""

from __future__ import annotations

import time

from laminar.errors import StaleAttemptError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

#: Seconds for which a server may take runs back after it has started.
SECONDS = 60.0
GLANCE = 0.2


def patiently(ask: Callable[[], T], seconds: float = SECONDS) -> T:
    """Ask, again and again while the server does not know the attempt.

    Args:
        ask: Asks once.
        seconds: How long it is asked again.

    Raises:
        StaleAttemptError: It did not know it for that long.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except StaleAttemptError:
            if time.monotonic() > deadline:
                raise
            time.sleep(GLANCE)
