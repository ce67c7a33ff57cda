"""What this process is for: nothing in particular (a scheduler may run in it), or attempts of one run.

In a process that only runs attempts, ``flow()`` starts nothing, so that a script can be executed again to define what
it defines. A process that was started as ``python main.py`` to run one attempt finds its order by ``LAMINAR_ATTEMPT``.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading

from laminar.host import processes
from laminar.model.action import ATTEMPT_VARIABLE, Attempt
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Assignment(Value, frozen=True):
    """This process only loads code to run attempts.

    Attributes:
        space: Name of the flow whose layers it runs; empty while code is only being read for its definitions.
        run: Id of the run.
        stops: Whether the script ends where it calls that flow.
        attempt: The attempt to run where the script comes to that flow.
    """

    space: str
    run: str
    stops: bool
    attempt: Attempt | None = None


class Reached(BaseException):
    """The script has come to the call of the flow that this process is for: all it needs is defined."""


_current: Assignment | None = None


def current() -> Assignment | None:
    """Tell what this process is for."""
    if _current is None and ATTEMPT_VARIABLE in os.environ:
        where = os.environ.pop(ATTEMPT_VARIABLE)
        attempt = take() if where == "-" else _read(where)
        payload: Any = attempt.entry.payload  # not the action's name: on a server, a flow's is that of its project
        assign(Assignment(payload["space"], payload["run"], stops=True, attempt=attempt))
    return _current


def assign(assignment: Assignment | None) -> None:
    """Say what this process is for from now on."""
    global _current
    _current = assignment


def take() -> Attempt:
    """Read an order from standard input. This process and all below it end when the other end is gone."""
    source = sys.stdin.buffer
    size = int.from_bytes(source.read(8), "big")
    attempt: Attempt = pickle.loads(source.read(size))  # noqa: S301 - from the scheduler that started this process
    processes.adopt_orphans()
    handle = os.dup(source.fileno())
    threading.Thread(target=_leave_with_scheduler, args=(handle,), daemon=True, name="laminar-lease").start()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, source.fileno())
    os.close(nothing)
    return attempt


def _read(path: str) -> Attempt:
    """Read an order that lies where a container sees it."""
    from laminar.executors.docker import orders  # only a command in a container needs it

    return orders.read_order(path)


def _leave_with_scheduler(handle: int) -> None:
    os.read(handle, 1)
    processes.kill_below(os.getpid())
    os._exit(75)
