"""Flows that are broken off, and gone on with."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from laminar import Flow, Layer, Parameters
from laminar.configurations.layers import ForEach, Parameter
from laminar.settings import current
from laminar.testing.parity import signs
from laminar.testing.parity.samples import PlainError

if TYPE_CHECKING:
    from typing import Any


class ResumedFlow(Flow):
    """Fails in two places as long as it is not mended, and counts what runs."""


@ResumedFlow.register
class Kept(Layer):
    """Succeeds."""

    numbers: Any

    def __call__(self, parameters: Parameters) -> None:
        signs.leave(parameters.signs, "Kept")
        self.shard(numbers=range(3))


@ResumedFlow.register(foreach=ForEach(parameters=[Parameter(layer=Kept, attribute="numbers")]))
class Broken(Layer):
    """Fails in its last split until it is mended."""

    def __call__(self, kept: Kept, parameters: Parameters) -> None:
        number = kept.numbers
        signs.leave(parameters.signs, f"Broken-{number}")
        if number == 2:
            signs.wait_for(parameters.signs, "Broken-1")
            if not Path(parameters.signs, "mended").exists():
                raise PlainError("not mended")
        self.square = number * number


@ResumedFlow.register
class Total(Layer):
    """Needs what fails."""

    def __call__(self, broken: Broken) -> None:
        squares: Any = broken.square
        self.total = sum(squares)
        self.retry = current.execution.retry


class HeldFlow(Flow):
    """Runs until somebody stops it, or releases it."""


@HeldFlow.register
class First(Layer):
    """Succeeds."""

    def __call__(self, parameters: Parameters) -> None:
        signs.leave(parameters.signs, "First")


@HeldFlow.register
class Held(Layer):
    """Does what the parameters say, with a process of its own if they say so, until it is released."""

    def __call__(self, first: First, parameters: Parameters) -> None:
        folder = parameters.signs
        if parameters.deaf:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        asked: list[int] = []
        if parameters.tidy:
            signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
        if parameters.children:
            signs.start_a_child(folder, "child")
            signs.start_a_child(folder, "daemon", session=True)
        print("is held", flush=True)
        with signs.hold(folder, "held"):
            while not asked and not signs.count(folder, "released"):
                time.sleep(0.002)
        self.ended = "when asked" if asked else "when released"


class TornFlow(Flow):
    """Fails while something else runs."""


@TornFlow.register
class Tears(Layer):
    """Fails once the other runs."""

    def __call__(self, parameters: Parameters) -> None:
        signs.wait_for(parameters.signs, "runs")
        raise PlainError("torn")


@TornFlow.register
class Runs(Layer):
    """Runs until it is stopped."""

    def __call__(self, parameters: Parameters) -> None:
        with signs.hold(parameters.signs, "runs"):
            while True:
                time.sleep(0.002)
