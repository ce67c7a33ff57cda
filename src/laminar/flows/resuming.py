"""Resuming from the command line: the file is executed as ever, but its calls go on with an earlier run."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.flows.layer import ExecutionContract

_wanted: str | None = None
_resumed: list[ExecutionContract] = []


def want(run: str | None) -> None:
    """Say that calls of flows in this process go on with a run, if they have one of that id."""
    global _wanted
    _wanted = run
    _resumed.clear()


def resumed() -> list[ExecutionContract]:
    """List the executions that calls have gone on with."""
    return list(_resumed)


def wanted() -> str | None:
    """Tell which run calls should go on with; None if they should run as ever."""
    return _wanted


def note(execution: ExecutionContract) -> None:
    """Note that a call has gone on with an execution."""
    _resumed.append(execution)
