"""The word that the server stops, for those who wait on its event loop."""

from __future__ import annotations

import asyncio


class Stopping:
    """Tells everybody who waits that the server stops. It belongs to the server's event loop."""

    def __init__(self) -> None:
        """Begin with a server that does not stop."""
        self._event = asyncio.Event()

    @property
    def now(self) -> bool:
        """Whether the server stops."""
        return self._event.is_set()

    def begin(self) -> None:
        """Tell everybody."""
        self._event.set()

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait until the server stops.

        Args:
            seconds: How long at most.

        Returns:
            Whether it stops.
        """
        try:
            return await asyncio.wait_for(self._event.wait(), seconds)
        except TimeoutError:
            return False
