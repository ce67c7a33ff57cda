"""What this process is for: nothing in particular (a scheduler may run in it), or attempts of one run.

In a process that only runs attempts, ``flow()`` starts nothing, so that a script can be executed again to define what
it defines.
"""

from __future__ import annotations

from laminar.model.value import Value


class Assignment(Value, frozen=True):
    """This process only loads code to run attempts.

    Attributes:
        space: Name of the flow whose layers it runs; empty while code is only being read for its definitions.
        run: Id of the run.
        stops: Whether the script ends where it calls that flow.
    """

    space: str
    run: str
    stops: bool


class Reached(BaseException):  # noqa: N818 - no error
    """The script has come to the call of the flow that this process is for: all it needs is defined."""


_current: Assignment | None = None


def current() -> Assignment | None:
    """Tell what this process is for."""
    return _current


def assign(assignment: Assignment | None) -> None:
    """Say what this process is for from now on."""
    global _current
    _current = assignment
