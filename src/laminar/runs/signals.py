"""Ctrl-C and SIGTERM while a run goes on."""

from __future__ import annotations

import signal
import threading

from laminar.model.action import Interrupt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any


class Interrupts:
    """Turns the first Ctrl-C (or SIGTERM) into a request to stop, and the second into one to stop at once.

    Signals can only be taken in the main thread; elsewhere, and where the program has handlers of its own, nothing is
    changed.
    """

    def __init__(self, deliver: Callable[[Interrupt], None]) -> None:
        """Deliver requests there."""
        self._deliver = deliver
        self._before: dict[int, Any] = {}
        self._count = 0

    def __enter__(self) -> Interrupts:
        """Install the handlers."""
        if threading.current_thread() is threading.main_thread():
            for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
                if signal.getsignal(number) == default:
                    self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        """Put the handlers back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, _: FrameType | None) -> None:
        self._count += 1
        self._deliver(Interrupt(f"{signal.Signals(number).name} was received", self._count > 1, number))
