"""Flows that running tasks and layers call: each becomes an action of the run that calls it, and is gone on with on
replay.
"""

from __future__ import annotations

import asyncio
import time

from laminar.data.canonical import digest
from laminar.data.serde.failures import describe
from laminar.errors import BlockingCallError, DigestError, FlowError
from laminar.model.action import Output
from laminar.wire.messages import Checkpoint
from laminar.worker import hiding
from laminar.worker.calling import Caller, current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from laminar.flows.configured import FlowConfiguration
    from laminar.flows.layer import FlowContract


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


def placed(flow: FlowContract[Any], execution: str | None) -> FlowConfiguration:
    """Say where a flow runs: as it is configured, but where a task or layer calls it on a server, there as well.

    Its layers then are children of the caller, and its records lie in the server's store.

    Args:
        flow: The flow.
        execution: The id of the execution, if it has one already.

    Raises:
        FlowError: A call on a server names the execution.
    """
    caller = current.get()
    if caller is None or not caller.version:
        return flow.configuration
    if execution is not None and not execution.startswith(f"{caller.key.action.run}-"):
        raise FlowError(
            f"{flow.name}(execution={execution!r}): a flow that runs within a run of a server is an execution of that, "
            f"whose id the server gives. Leave it out; or begin a run of its own by that name: "
            f"laminar.remote.Flow.get({flow.name!r}).run(…)."
        )
    from laminar.flows.served import Called, Served  # only attempts of a server need it, and they have loaded it

    kind: Any = type(flow)
    datastore = Served(caller.values.artifacts.blobs)
    return flow.configuration.replace(datastore=datastore, executor=Called(caller, kind))


def nested(flow: str, parameters: Mapping[str, Any]) -> Nested | None:
    """Name a call of a flow, if a running task or layer makes it."""
    caller = current.get()
    return None if caller is None else Nested(caller, flow, parameters)


def _no_code(value: object) -> bytes:
    raise TypeError(f"{type(value).__name__} is code")
