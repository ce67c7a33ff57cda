"""Slots: how many attempts run at a time on a server, shared by its runs in turn."""

from __future__ import annotations

import threading
from collections import deque

from laminar.core import admission

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    #: A run: its space and its id.
    Who = tuple[str, str]


class Slots:
    """The slots of one server. Used from the threads of all runs."""

    def __init__(self, size: int) -> None:
        """Begin with all of them free.

        Args:
            size: How many there are.
        """
        self.size = size
        self._lock = threading.Lock()
        self._held: dict[Who, int] = {}
        self._waiting: dict[Who, Callable[[], None]] = {}
        self._turn: deque[Who] = deque()

    def take(self, who: Who, wake: Callable[[], None]) -> bool:
        """Take a slot, if one is free.

        Args:
            who: Who takes it.
            wake: Is called once one is free, if none is now.
        """
        with self._lock:
            if admission.free_slots(sum(self._held.values()), self.size):
                self._held[who] = self._held.get(who, 0) + 1
                return True
            if who not in self._waiting:
                self._turn.append(who)
            self._waiting[who] = wake
            return False

    def seize(self, who: Who) -> None:
        """Take a slot whether or not one is free: an attempt goes on that had left its own to others."""
        with self._lock:
            self._held[who] = self._held.get(who, 0) + 1

    def give(self, who: Who) -> None:
        """Give a slot back, and wake whose turn it is."""
        with self._lock:
            self._held[who] -= 1
            if not self._held[who]:
                del self._held[who]
            wake = self._next()
        if wake is not None:
            wake()

    def leave(self, who: Who) -> None:
        """Give back all slots of somebody, who waits for none any more."""
        with self._lock:
            free = self._held.pop(who, 0)
            self._waiting.pop(who, None)
            wakes = [self._next() for _ in range(max(1, free))]
        for wake in wakes:
            if wake is not None:
                wake()

    def holders(self) -> dict[Who, int]:
        """Tell who holds how many."""
        with self._lock:
            return dict(self._held)

    def _next(self) -> Callable[[], None] | None:
        while self._turn:
            wake = self._waiting.pop(self._turn.popleft(), None)
            if wake is not None:
                return wake
        return None
