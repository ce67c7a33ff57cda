"""Resuming from the command line: the file is executed as ever, but its calls go on with an earlier run."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.flows.execution import Execution
    from laminar.flows.flow import Flow

_wanted: str | None = None
_resumed: list[Execution] = []


def want(run: str | None) -> None:
    """Say that calls of flows in this process go on with a run, if they have one of that id."""
    global _wanted
    _wanted = run
    _resumed.clear()


def resumed() -> list[Execution]:
    """List the executions that calls have gone on with."""
    return list(_resumed)


def instead(flow: Flow, run: str | None) -> Execution | None:
    """Resume in place of a call.

    Args:
        flow: The flow that was called.
        run: The id that the call names; a chain names the one it goes on with.

    Returns:
        The execution; None if the call should run as ever, which the next part of a chain does that had not begun.
    """
    if _wanted is None:
        return None
    if _wanted in flow.configuration.datastore.archives.runs(flow.name):
        execution = flow.execution(_wanted).resume()
        _resumed.append(execution)
        return execution
    return None if run == _wanted else flow.execution(_wanted)
