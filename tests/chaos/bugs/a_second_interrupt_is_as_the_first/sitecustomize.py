"""A seeded bug: interrupts are not counted."""

import signal

from laminar.model.action import Interrupt
from laminar.runs.signals import Interrupts


def take(self: Interrupts, number: int, _: object) -> None:
    self._deliver(Interrupt(f"{signal.Signals(number).name} was received", False, number))


Interrupts._take = take  # type: ignore[method-assign]
