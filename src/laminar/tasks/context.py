"""Where the running code is: which run, action, attempt and task."""

from __future__ import annotations

from laminar.model.value import Value
from laminar.worker.calling import current


class Context(Value, frozen=True):
    """Where the running code is.

    Attributes:
        run: Id of the run.
        action: Name of the action.
        attempt: Which try of it, from 1.
        task: Full name of the task; of a layer, its name.
        space: What the run is a run of: the first task's full name, or the flow's name.
    """

    run: str
    action: str
    attempt: int
    task: str
    space: str


def ctx() -> Context | None:
    """Tell where the running code is; None outside of a run.

    Usage::

        context = laminar.ctx()
        if context is not None and context.attempt > 1: ...
    """
    caller = current.get()
    if caller is None:
        return None
    key = caller.key
    return Context(key.action.run, key.action.name, key.number, caller.task, key.action.space)
