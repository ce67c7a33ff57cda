"""The one enum of states, and the one table of legal moves between them."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """State of a run, an action or an attempt."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    CANCELLED = "CANCELLED"

    @property
    def terminal(self) -> bool:
        """Tell whether nothing follows under the same holder of the run."""
        return self in TERMINAL


TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.SKIPPED, State.CANCELLED})

#: Moves under one holder (epoch) of a run. A new holder may take a run or action that did not succeed back to WAITING.
MOVES: dict[State, frozenset[State]] = {
    State.WAITING: frozenset({State.RUNNING, State.SUCCEEDED, State.FAILED, State.SKIPPED, State.CANCELLED}),
    State.RUNNING: frozenset({State.WAITING, State.SUCCEEDED, State.FAILED, State.CANCELLED}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.SKIPPED: frozenset(),
    State.CANCELLED: frozenset(),
}


class Outcome(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    RAISED = "raised"
    EXITED = "exited"
    KILLED = "killed"
    OUT_OF_MEMORY = "out-of-memory"
    TIMED_OUT = "timed-out"
    LOST = "lost"
    REFUSED = "refused"
    CANCELLED = "cancelled"
