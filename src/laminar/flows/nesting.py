"""Flows that running tasks and layers call: each becomes an action of the run that calls it, and is gone on with on
replay.
"""

from __future__ import annotations

import asyncio
import time

from laminar.data.canonical import digest
from laminar.data.serde.failures import describe
from laminar.errors import BlockingCallError, DigestError
from laminar.model.action import Output
from laminar.wire.messages import Checkpoint
from laminar.worker import hiding
from laminar.worker.calling import Caller, current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


class Nested:
    """A call of a flow by a running task or layer.

    Attributes:
        id: Id of the execution: the same whenever the caller is run again.
    """

    def __init__(self, caller: Caller, flow: str, parameters: Mapping[str, Any]) -> None:
        """Name the call.

        Args:
            caller: The attempt that calls.
            flow: Name of the flow.
            parameters: What it is given.

        Raises:
            BlockingCallError: An event loop runs here.
        """
        if asyncio._get_running_loop() is not None:
            raise BlockingCallError(
                f"{flow}() runs until the flow has ended, and would block the event loop. "
                "Write: await asyncio.to_thread(flow), or call it from a task that is not asynchronous."
            )
        self._caller = caller
        self._flow = flow
        self._started = time.time()
        try:
            inputs = digest(dict(parameters), _no_code)
        except DigestError:
            inputs = caller.values.pack_arguments(parameters)
        self._name = caller.name(f"flow {flow}", inputs)
        self.id = f"{caller.key.action.run}-{self._name}"

    def carry_out(self, act: Callable[[], None]) -> None:
        """Run the flow, and record how it ended.

        Raises:
            Exception: What a layer has raised.
        """
        try:
            act()
        except Exception as error:
            self._record(None, error)
            raise
        self._record(self.id, None)

    def _record(self, execution: str | None, error: Exception | None) -> None:
        output = None if execution is None else Output((self._caller.values.pack(execution),))
        failure = None if error is None else hiding.failure(describe(error))
        message = Checkpoint(self._name, f"flow {self._flow}", "", self._started, output, failure)
        self._caller.call_blocking(message)


def nested(flow: str, parameters: Mapping[str, Any]) -> Nested | None:
    """Name a call of a flow, if a running task or layer makes it."""
    caller = current.get()
    return None if caller is None else Nested(caller, flow, parameters)


def _no_code(value: object) -> bytes:
    raise TypeError(f"{type(value).__name__} is code")
