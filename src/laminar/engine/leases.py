"""The heartbeat: while a run is held, its lease is extended, from a thread of its own."""

from __future__ import annotations

import threading

from laminar.errors import LedgerError
from laminar.ledger.sql import LEASE, MEMORY, Ledger
from laminar.model.action import Interrupt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds between beats: four may be missed before the lease is over.
BEAT = LEASE / 5


class Heartbeat:
    """Extends the lease on a run until it is left."""

    def __init__(self, path: str, space: str, run: str, epoch: int, deliver: Callable[[Interrupt], None]) -> None:
        """Name the run.

        Args:
            path: The ledger.
            space: What it is a run of.
            run: Its id.
            epoch: Under which it is held.
            deliver: Is told if the run is lost.
        """
        self._path = path
        self._what = (space, run, epoch)
        self._deliver = deliver
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="laminar-heartbeat")

    def __enter__(self) -> Heartbeat:
        """Begin to beat, unless the ledger is memory, which nobody else can see."""
        if self._path != MEMORY:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._left.set()
        if self._path != MEMORY:
            self._thread.join()

    def _beat(self) -> None:
        ledger: Ledger | None = None
        while not self._left.wait(BEAT):
            try:
                ledger = ledger or Ledger(self._path)
                held = ledger.extend(*self._what)
            except LedgerError:
                continue  # a beat is missed, such as while the disk is full
            if not held:
                self._deliver(Interrupt("another scheduler has taken the run", now=True))
                break
        if ledger is not None:
            ledger.close()
