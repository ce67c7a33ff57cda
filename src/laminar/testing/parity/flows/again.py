"""A flow with hooks, whose layers are tried again and catch."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from laminar import Flow, Layer, Parameters
from laminar.configurations import hooks
from laminar.configurations.layers import Catch, Container, Retry, Timeout
from laminar.settings import current
from laminar.testing.parity import signs
from laminar.testing.parity.samples import PlainError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class AgainFlow(Flow):
    """Has hooks, is tried again, and catches."""

    @hooks.execution
    def around(self: Any) -> Iterator[None]:
        """Leave a sign before and after each layer, also where it fails."""
        signs.leave(self.execution.layer(Parameters).signs, f"{self.name}-set-up")
        yield
        signs.leave(self.execution.layer(Parameters).signs, f"{self.name}-torn-down")


@AgainFlow.register(retry=Retry(attempts=4, delay=0.01, jitter=0))
class Flaky(Layer):
    """Succeeds at the third try."""

    def __call__(self, parameters: Parameters) -> None:
        signs.leave(parameters.signs, f"Flaky-{self.attempt}")
        if self.attempt == 1:
            self.leftover = True
            print("says the first")
        self.attempts = (self.attempt, current.layer.attempt)
        if self.attempt != 3:
            raise PlainError


@AgainFlow.register(retry=Retry(attempts=5, delay=0))
class Slow(Layer):
    """Runs out of time at the first try that begins in time."""

    @hooks.submission
    def hurry(self, parameters: Parameters) -> None:
        """Give little time until a try has begun."""
        self.configuration.timeout = Timeout(100.0 if signs.count(parameters.signs, "slow") else 3.0)

    def __call__(self, parameters: Parameters) -> None:
        self.attempts = self.attempt
        if not signs.count(parameters.signs, "slow"):
            with signs.hold(parameters.signs, "slow"):
                while True:
                    time.sleep(0.01)


@AgainFlow.register(catch=Catch(LookupError))
class Caught(Layer):
    """Raises a subclass of what it catches."""

    def __call__(self) -> None:
        self.before = 1
        raise KeyError("caught")


@AgainFlow.register
class AfterCaught(Layer):
    """Follows a layer that has caught."""

    def __call__(self, caught: Caught) -> None:
        self.seen = (caught.before, caught.state.finished, hasattr(caught, "after"))


@AgainFlow.register
class Sized(Layer):
    """Has its configuration set by a hook that runs in the scheduler."""

    @hooks.submission
    def size(self, caught: Caught, parameters: Parameters) -> Iterator[None]:
        """Set what the layer then finds."""
        self.configuration.container.memory = 200 + caught.before
        self.configuration.container.env = {"PARITY_HOOK": "set"}
        self.configuration.retry = Retry(attempts=2, delay=0)
        self.configuration.timeout = Timeout(100)
        self.configuration.catch = Catch(PlainError)
        yield
        signs.leave(parameters.signs, "Sized-hook-torn-down")

    def __call__(self) -> None:
        self.memory = self.configuration.container.memory
        self.environment = os.environ.get("PARITY_HOOK")
        self.attempts = self.attempt
        raise PlainError if self.attempt == 2 else ValueError


@AgainFlow.register(retry=Retry(attempts=2, delay=0), container=Container(memory=200))
class Grown(Layer):
    """Has its configuration changed between two tries."""

    @hooks.retry
    def double(self, parameters: Parameters) -> Iterator[None]:
        """Ask for more."""
        signs.leave(parameters.signs, f"Grown-failed-{self.attempt}")
        self.configuration.container.memory = 400
        yield
        signs.leave(parameters.signs, "Grown-goes-on")

    def __call__(self) -> None:
        self.memory = self.configuration.container.memory
        if self.attempt == 1:
            raise ValueError


@AgainFlow.register
class Decorated(Layer):
    """Is given something by a hook that runs around it."""

    @hooks.execution
    def prepared(self, caught: Caught) -> Iterator[None]:
        """Assign before and after."""
        self.prepared_with = caught.before
        yield
        self.finished_with = self.value + 1

    def __call__(self) -> None:
        self.value = 1
