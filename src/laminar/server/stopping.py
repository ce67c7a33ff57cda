"""The word that the server stops, for those who wait on its event loop."""

from __future__ import annotations

import asyncio
import contextlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Stopping:
    """Tells everybody who waits that the server stops. It belongs to the server's event loop."""

    def __init__(self) -> None:
        """Begin with a server that does not stop."""
        self._event = asyncio.Event()
        self._told: list[Callable[[], None]] = []

    @property
    def now(self) -> bool:
        """Whether the server stops."""
        return self._event.is_set()

    def begin(self) -> None:
        """Tell everybody."""
        self._event.set()
        for tell in self._told:
            tell()

    @contextlib.contextmanager
    def telling(self, tell: Callable[[], None]) -> Iterator[None]:
        """Have something called if the server stops meanwhile."""
        self._told.append(tell)
        try:
            yield
        finally:
            self._told.remove(tell)

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
