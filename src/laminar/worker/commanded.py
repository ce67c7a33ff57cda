"""Attempts whose code a command of the user's starts: the process of the attempt becomes that command.

The script that it starts comes to the call of its flow, finds its order there, and runs the attempt.
"""

from __future__ import annotations

import os
import shlex

from laminar.executors.docker import orders
from laminar.model.action import ATTEMPT_VARIABLE, Attempt, Entry, EntryRef

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NoReturn

    from laminar.model.action import Manifest, Request
    from laminar.model.code import Code
    from laminar.wire.agents import Start


def request(command: str, code: Code, inner: Request) -> Request:
    """Give the request to run an attempt by a command, for a process that has not loaded the code.

    Args:
        command: The command.
        code: Where the code is.
        inner: The attempt, as the process will run it that the command starts.
    """
    assert inner.entry is not None
    start: Start = inner.payload
    flow = start.entity.rpartition(".")[0]
    entry = inner.entry.replace(
        payload={**inner.entry.payload, "space": flow, "run": inner.key.action.run, "after": ()}
    )
    attempt = Attempt(code, entry, inner.replace(entry=None))
    return inner.replace(entry=EntryRef(f"{__name__}:commanded", {"command": command, "attempt": attempt}), door=None)


def commanded(payload: Mapping[str, Any]) -> Entry:
    """Make the entry that becomes a command.

    Args:
        payload: ``command``, and ``attempt``: the order for what it starts.
    """
    return Commanded(payload["command"], payload["attempt"])


class Commanded(Entry):
    """Becomes a command."""

    def __init__(self, command: str, attempt: Attempt) -> None:
        """Take the command, and the order for what it starts."""
        self._command = command
        self._attempt = attempt

    def call(self, request: Request) -> Manifest:  # noqa: ARG002 - it is in the order
        """Become the command, in the folder of the code."""
        order = orders.write_order(self._attempt)
        variables = dict(self._attempt.request.payload.variables)
        become(self._command, self._attempt.code.cwd, {**os.environ, **variables, ATTEMPT_VARIABLE: order})


def become(command: str, folder: str, environment: Mapping[str, str]) -> NoReturn:
    """Become a command; where that cannot be, end as shells do.

    Args:
        command: The command.
        folder: Where it starts.
        environment: Its environment variables.
    """
    words = shlex.split(command)
    try:
        os.chdir(folder)
        os.execvpe(words[0], words, environment)  # noqa: S606 - what the user has configured
    except OSError as error:
        print(f"The command {command!r} cannot be started: {error.strerror}: {words[0]}", flush=True)
        os._exit(127)
