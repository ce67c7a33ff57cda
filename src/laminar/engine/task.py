"""Drives one run of a task: the task itself is the first action, and all else are its children."""

from __future__ import annotations

import time

from laminar.engine.contract import Failed
from laminar.engine.driver import Driver
from laminar.engine.failures import line_of
from laminar.model.states import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.engine.actions import Settled
    from laminar.engine.contract import Work
    from laminar.engine.driver import Parts
    from laminar.wire.messages import Call

#: Name of the first action of every run of a task.
ROOT = "a0"


class TaskRun(Driver):
    """One run of a task under one holder."""

    def __init__(self, parts: Parts, root: Work, call: Call) -> None:
        """Take the parts.

        Args:
            parts: What every driver works with.
            root: The task.
            call: As it was called.
        """
        super().__init__(parts)
        self._root = root
        self._call = call
        self._over = False
        self._state = State.RUNNING
        self._began = time.monotonic()

    def begin(self) -> None:
        """Ask for the task, unless it has succeeded before."""
        parts = self.parts
        key = self._root.key
        if parts.children.succeeded(ROOT) or parts.children.take_over(key, "", self._call):
            parts.children.flush()
            self._end(State.SUCCEEDED)
            return
        reason = parts.children.missed(self._call) or parts.actions.waiting_reason(self._root.lane)
        parts.ledger.call(key, parts.actions.epoch, self._root.label, "", "", State.WAITING, reason)
        parts.observer.called(self._root.label)
        parts.actions.request((self._root,))

    @property
    def over(self) -> bool:
        """Whether the task has ended, and all that it called."""
        return self._over and not self.parts.actions.live

    @property
    def succeeded(self) -> bool:
        """Whether the task has returned."""
        return self._state is State.SUCCEEDED and not self.failures

    def layers(self) -> tuple[tuple[str, str, float], ...]:
        """Give the task's state and how long it took."""
        return ((self._root.label, self._state.value, time.monotonic() - self._began),)

    def stop(self, reason: str) -> None:  # noqa: ARG002
        """Start nothing more, and stop what runs."""
        actions = self.parts.actions
        for settled in actions.drop_waiting():
            self._settle(settled)
        actions.cancel(self.grace)

    def settle(self, settled: Settled) -> None:
        """Take the end of the task."""
        if settled.cancelled:
            self._end(State.CANCELLED)
            return
        if settled.failed is not None:
            self._fail(settled, settled.failed)
        self.parts.children.record(settled, self._call, "")
        self.parts.children.flush()
        self._end(State.FAILED if settled.failed is not None else State.SUCCEEDED)

    def _fail(self, settled: Settled, failed: Failed) -> None:
        own = None if settled.manifest is None else settled.manifest.failure
        error = failed.error if own is None else self.parts.actions.failures.revive(own, failed.where)
        self.failures.append(failed.replace(error=error))
        reason = f"{failed.where}: {line_of(failed.error)}"[:500]
        parts = self.parts
        parts.ledger.event(parts.space, parts.run, "failure", reason, failed.layer, failed.index)

    def _end(self, state: State) -> None:
        self._over = True
        self._state = state
        self.parts.children.stop_below(ROOT)
        self.parts.actions.cancel(self.grace)
