"""Rows of the ledger, as readers see them. Times are seconds since the epoch."""

from __future__ import annotations

from laminar.host.processes import ProcessIdentity
from laminar.model.states import State
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from laminar.model.action import Output


class RunRow(Value, frozen=True):
    """A run.

    Attributes:
        space: What it is a run of: the flow's name.
        run: Its id.
        state: Its state; RUNNING also where the scheduler has died, see ``holder``.
        epoch: How often it was taken by a scheduler.
        holder: The scheduler that holds or last held it.
        lease: Until when the holder's word counts, where it cannot be seen from here.
        source: The file it was started with, or ``-m`` and the name of a module, if there is one.
        started: When it was first started.
        ended: When it ended, if it has.
        error: What failed, in one line.
    """

    space: str
    run: str
    state: State
    epoch: int
    holder: ProcessIdentity
    lease: float
    source: str | None
    started: float
    ended: float | None
    error: str | None

    def held(self, now: float) -> bool:
        """Tell whether a scheduler that may be alive holds the run."""
        if self.state.terminal:
            return False
        alive = self.holder.alive()
        return self.lease > now if alive is None else alive


class GroupRow(Value, frozen=True):
    """A set of actions of one name: a layer.

    Attributes:
        name: The layer's name.
        state: Its state.
        size: In how many splits, once that is known.
        reason: Why it is in that state, in words.
        started: When it was decided on.
        ended: When it ended, if it has.
        done: Splits that have succeeded.
        running: Splits that run.
        failed: Splits that have failed.
    """

    name: str
    state: State
    size: int | None
    reason: str | None
    started: float | None
    ended: float | None
    done: int = 0
    running: int = 0
    failed: int = 0


class ActionRow(Value, frozen=True):
    """An action.

    Attributes:
        name: The layer's name.
        index: Which split.
        state: Its state.
        reason: Why it is in that state: what it waits for, or how it failed.
        attempts: How many attempts were started.
        started: When its first attempt started.
        ended: When it ended.
        task: Full name of the task that it is a call of; None for a split of a layer.
        parent: Name of the action that called it; empty if none did.
        label: Name of the group that it was called in; empty if in none.
    """

    name: str
    index: int
    state: State
    reason: str | None
    attempts: int
    started: float | None
    ended: float | None
    task: str | None = None
    parent: str | None = None
    label: str | None = None


class TaskRow(Value, frozen=True):
    """The actions of one task in a run.

    Attributes:
        task: Full name of the task.
        count: How many calls of it there are.
        done: How many have succeeded.
        running: How many run.
        failed: How many have failed.
        cancelled: How many were stopped.
        started: When the first of them started.
        ended: When the last of them ended.
        cached: How many were answered from the cache.
    """

    task: str
    count: int
    done: int
    running: int
    failed: int
    cancelled: int
    started: float | None
    ended: float | None
    cached: int


class CacheRow(Value, frozen=True):
    """The result of a task call, kept for later runs.

    Attributes:
        output: The result.
        run: The run that made it.
        action: The action of that run.
        made: When.
        parts: What its key was made of, each part's digest by its name.
    """

    output: Output
    run: str
    action: str
    made: float
    parts: Mapping[str, str]


class ReasonRow(Value, frozen=True):
    """Why actions of a layer are in a state.

    Attributes:
        name: The layer's name.
        reason: The reason, in words.
        count: How many actions it holds for.
        first: The lowest index of them.
    """

    name: str
    reason: str
    count: int
    first: int


class CallReasonRow(Value, frozen=True):
    """Why calls of a task are in a state.

    Attributes:
        task: Full name of the task.
        reason: The reason, in words.
        count: How many calls it holds for.
        first: The name of one of them.
    """

    task: str
    reason: str
    count: int
    first: str


class AttemptRow(Value, frozen=True):
    """An attempt.

    Attributes:
        name: The layer's name.
        index: Which split.
        number: Which try.
        epoch: Which holder of the run started it.
        state: Its state.
        outcome: How it ended, in words.
        started: When it started.
        ended: When it ended.
        cpu: Processor seconds used.
        memory: Peak resident memory in megabytes.
        log: Path of its output.
    """

    name: str
    index: int
    number: int
    epoch: int
    state: State
    outcome: str | None
    started: float
    ended: float | None
    cpu: float | None
    memory: float | None
    log: str


class EventRow(Value, frozen=True):
    """Something that happened.

    Attributes:
        time: When.
        kind: What kind of thing.
        name: To which layer, if to one.
        index: To which split, if to one.
        detail: What, in words.
    """

    time: float
    kind: str
    name: str | None
    index: int | None
    detail: str


class FeedRow(Value, frozen=True):
    """Something that happened, for who follows a run.

    Attributes:
        sequence: Its number: greater than that of all that happened before in the run.
        time: When.
        kind: What kind of thing: the state of a ``run``, a ``group``, an ``action`` or an ``attempt``, or another.
        name: To which layer or action, if to one.
        index: To which split, if to one.
        detail: What: JSON for a state, else words.
    """

    sequence: int
    time: float
    kind: str
    name: str | None
    index: int | None
    detail: str
