"""The worker's side of tasks that a server runs: an order becomes the call of a task."""

from __future__ import annotations

import json

from laminar.data.serde.failures import describe
from laminar.model.action import Entry, Manifest
from laminar.tasks import registry
from laminar.tasks.deployed import UNCHECKED
from laminar.tasks.entry import TaskEntry
from laminar.tasks.payload import Payload
from laminar.tasks.task import Task
from laminar.worker.calling import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from laminar.data.values import Values
    from laminar.model.action import Request
    from laminar.wire.agents import Start

#: How arguments begin that are JSON; those that are packed begin otherwise.
JSON = b"{"


def load(payload: Mapping[str, Any]) -> Entry:
    """Make the entry.

    Args:
        payload: ``values``: what packs and unpacks values.
    """
    return ServedTask(payload["values"])


class ServedTask(Entry):
    """Runs calls of tasks for a server."""

    def __init__(self, values: Values) -> None:
        """Remember where values lie."""
        self.values = values

    def call(self, request: Request) -> Manifest:
        """Run a call."""
        start: Start = request.payload
        caller = current.get()
        if caller is not None:
            caller.version = start.version
        try:
            payload = self._payload(start)
        except Exception as error:
            return Manifest({}, describe(error))
        return TaskEntry(self.values).call(request.replace(payload=payload))

    def _payload(self, start: Start) -> Payload:
        given = tuple((view.secret.value(), view.value) for view in start.secrets)
        named = {secret.variable: value for secret, value in given if secret.variable is not None}
        return Payload(
            task=start.entity,
            module=start.module,
            inputs=self._inputs(start),
            reads_cache=start.reads_cache,
            inside=False,
            variables=tuple({**start.variables, **named}.items()),
            secrets=given,
            hidden=tuple(value for _, value in given),
        )

    def _inputs(self, start: Start) -> bytes:
        if not start.inputs.startswith((JSON, UNCHECKED)):
            return start.inputs
        task: Task[..., Any] = registry.find(start.entity, start.module, Task)
        if start.inputs.startswith(JSON):
            arguments = task.interface.read(task.name, json.loads(start.inputs))
        else:
            given = self.values.unpack_arguments(start.inputs.removeprefix(UNCHECKED))
            arguments = task.interface.bind(task.name, (), given)
        packed: bytes = self.values.pack_arguments(arguments)
        return packed
