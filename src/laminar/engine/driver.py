"""Drives one run: takes events, settles what has ended, starts what may start, until nothing is left to do.

What differs between a run of a flow and a run of a task is in the subclasses. What they share is here: slots, retries,
stopping, logs, and the children that running actions call.
"""

from __future__ import annotations

import queue
import time
from abc import ABC, abstractmethod

from laminar.engine.contract import Failed, Summary
from laminar.errors import StaleEpochError
from laminar.model.action import Asked, Ended, Interrupt, Left, Notice, SessionLost, Started
from laminar.model.states import State
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.engine.actions import Actions, Settled
    from laminar.engine.children import Children
    from laminar.engine.contract import Logs, Observer
    from laminar.ledger.sql import Ledger
    from laminar.model.action import Event

#: How many times as long as writing the ledger takes it is left alone: a tenth of the time at most goes there.
CALM = 10


class Parts(Value):
    """What a driver works with.

    Attributes:
        space: What the run is a run of.
        run: Its id.
        actions: Carries actions out.
        children: What running actions have called.
        ledger: Where it is recorded.
        logs: Follows output.
        observer: Is told.
    """

    space: str
    run: str
    actions: Actions
    children: Children
    ledger: Ledger
    logs: Logs
    observer: Observer


class Driver(ABC):
    """One run under one holder, from the first command to the last."""

    #: Seconds between looks at logs and at requests from outside, while nothing else happens.
    glance = 0.1

    def __init__(self, parts: Parts) -> None:
        """Take the parts."""
        self.parts = parts
        self._stamp = parts.ledger.stamp()
        self._next_glance = 0.0
        self._next_flush = 0.0
        self.grace = 0.0
        self.failures: list[Failed] = []
        self.stopped: str | None = None

    # What a run of its kind does

    @abstractmethod
    def begin(self) -> None:
        """Ask for the first actions."""

    @property
    @abstractmethod
    def over(self) -> bool:
        """Whether nothing is left to do."""

    @property
    @abstractmethod
    def succeeded(self) -> bool:
        """Whether it ended well."""

    @abstractmethod
    def settle(self, settled: Settled) -> None:
        """Take the end of an action that is no child."""

    @abstractmethod
    def stop(self, reason: str) -> None:
        """Start nothing more, and stop what runs."""

    @abstractmethod
    def layers(self) -> tuple[tuple[str, str, float], ...]:
        """Give the name, state and seconds of each part of the run, for its summary."""

    # What they share

    def drive(self, events: queue.SimpleQueue[Event], grace: float) -> None:
        """Run to the end.

        Args:
            events: What executors, signals and running actions deliver.
            grace: Seconds that an attempt has to end by itself when it is stopped.

        Raises:
            StaleEpochError: The run is another holder's.
        """
        self.grace = grace
        self.begin()
        parts = self.parts
        while not self.over:
            self._start()
            if self.over:
                break
            self._take(events)
            for settled in parts.actions.time_out(grace):
                self._settle(settled)
            parts.children.flush()
            if time.monotonic() >= self._next_glance:
                self._glance()
        parts.ledger.flush()

    def summary(self, epoch_started: float, where: str) -> Summary:
        """Say how it ended."""
        ended = State.SUCCEEDED if self.succeeded else State.FAILED
        state = ended if self.stopped is None else State.CANCELLED
        return Summary(
            space=self.parts.space,
            run=self.parts.run,
            state=state,
            seconds=time.monotonic() - epoch_started,
            failures=tuple(self.failures),
            stopped=self.stopped,
            layers=self.layers(),
            where=where,
        )

    def _start(self) -> None:
        for settled in self.parts.actions.start_ready():
            self._settle(settled)

    def _take(self, events: queue.SimpleQueue[Event]) -> None:
        """Wait for the next event, and take all that are there."""
        patience = self.parts.actions.patience()
        patience = self.glance if patience is None else min(patience, self.glance)
        try:
            event = events.get(timeout=patience)
        except queue.Empty:
            return
        while True:
            self._handle(event)
            try:
                event = events.get_nowait()
            except queue.Empty:
                return

    def _glance(self) -> None:
        parts = self.parts
        now = time.monotonic()
        if now >= self._next_flush:
            parts.ledger.flush()
            took = time.monotonic() - now
            self._next_flush = now + took * CALM
        self._next_glance = time.monotonic() + self.glance
        parts.logs.poll()
        parts.observer.tick()
        stamp = parts.ledger.stamp()
        if stamp != self._stamp:
            self._stamp = stamp
            reason = parts.ledger.requested(parts.space, parts.run, "abort")
            if reason is not None and self.stopped is None:
                self._interrupt(Interrupt(reason))

    def _handle(self, event: Event) -> None:
        parts = self.parts
        if isinstance(event, Asked):
            parts.children.asked(event)
        elif isinstance(event, Ended):
            settled = parts.actions.ended(event)
            parts.children.attempt_ended(event.key, event.outcome, settled)
            if settled is not None:
                self._settle(settled)
        elif isinstance(event, Started):
            parts.actions.started(event)
        elif isinstance(event, Notice):
            parts.observer.notice(event.text)
        elif isinstance(event, Interrupt):
            self._interrupt(event)
        elif isinstance(event, Left):
            raise StaleEpochError(f"Run {parts.run} of {parts.space} is left to another holder.")
        elif isinstance(event, SessionLost):
            self.failures.append(Failed("", None, "", 0, event.error, "no attempt can run", ""))
            self._halt(str(event.error))

    def _interrupt(self, event: Interrupt) -> None:
        if self.stopped is not None and not event.now:
            return  # it stops already: a server is asked again and again
        parts = self.parts
        self.stopped = self.stopped or event.reason
        parts.ledger.event(parts.space, parts.run, "stop", event.reason)
        if event.now:
            self.grace = 0.0
        self._halt(event.reason)
        parts.observer.notice(f"stopping: {event.reason}")  # last: who hears it may rely on it

    def _halt(self, reason: str) -> None:
        self.parts.children.closed = reason
        self.stop(reason)

    def _settle(self, settled: Settled) -> None:
        if self.parts.children.owns(settled.work.key):
            self.parts.children.settle(settled)
        else:
            self.settle(settled)
