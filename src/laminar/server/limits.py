"""How fast one caller may ask."""

from __future__ import annotations

import time

from laminar.errors import RateLimitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: How many callers are kept in mind. Strangers that push others out give them a full bucket, and take no memory.
KEPT = 10_000


class Limits:
    """A bucket for each caller, that fills at a steady rate.

    Args:
        rate: Requests a second; twice as many can come at once.
        now: A clock that never goes back, in seconds.
    """

    def __init__(self, rate: int, now: Callable[[], float] = time.monotonic) -> None:
        """Begin with full buckets."""
        self._rate = rate
        self._now = now
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, caller: str) -> None:
        """Count a request.

        Raises:
            RateLimitError: Too many came.
        """
        now = self._now()
        at, left = self._buckets.pop(caller, (now, 2.0 * self._rate))
        left = min(2.0 * self._rate, left + (now - at) * self._rate)
        self._buckets[caller] = (now, max(left - 1, 0.0))  # the last in the dictionary is the last that asked
        if len(self._buckets) > KEPT:
            del self._buckets[next(iter(self._buckets))]
        if left < 1:
            raise RateLimitError(f"More than {self._rate} requests a second came from {caller}. Wait a second.")
