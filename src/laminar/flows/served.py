"""Flows that a server runs: the scheduler of a flow is an attempt, and each try of a split is a child that it calls.

So a scheduler may die at any time: who is started in its place asks for the same children by the same names, and goes
on with what the datastore has.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import sys

import msgspec

from laminar.data.serde import pickled
from laminar.data.serde.failures import describe
from laminar.errors import PlacementError, TaskError
from laminar.executors.contract import Executor, Session
from laminar.executors.thread import Thread
from laminar.flows.datastores import DataStore
from laminar.flows.entry import LayerEntry
from laminar.model.action import Ended, Entry, Manifest, Output
from laminar.model.states import Outcome
from laminar.wire.messages import Call
from laminar.wire.specs import Overrides, ResourcesSpec, TimeoutSpec
from laminar.worker.calling import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from laminar.data.contract import Blobs
    from laminar.data.values import Values
    from laminar.executors.contract import Host
    from laminar.model.action import Failure, Request
    from laminar.model.ids import AttemptKey
    from laminar.wire.agents import Start
    from laminar.wire.messages import Answer
    from laminar.worker.calling import Caller

#: How parameters begin that are JSON; those that are packed begin otherwise.
JSON = b"{"
#: Children that a scheduler asks for at a time; how many run is for the server to say.
MANY = 1_000_000
#: What the server's own words for an end say of it.
OUTCOMES = {
    "laminar.errors.OutOfMemoryError": Outcome.OUT_OF_MEMORY,
    "laminar.errors.AttemptTimeoutError": Outcome.TIMED_OUT,
    "laminar.errors.AttemptKilledError": Outcome.KILLED,
    "laminar.errors.AttemptExitedError": Outcome.EXITED,
    "laminar.errors.AttemptLostError": Outcome.LOST,
    "laminar.errors.RunAbortedError": Outcome.CANCELLED,
}


class Served(DataStore):
    """The datastore of flows on a server: its store, as an attempt reaches it."""

    def __init__(self, blobs: Blobs) -> None:
        """Take the store."""
        super().__init__(blobs)

    def state_folder(self) -> str | None:
        """Keep nothing here: the server has the ledger and the logs."""
        return None


def scheduler(payload: Mapping[str, Any]) -> Entry:
    """Make the entry that drives a flow.

    Args:
        payload: ``values``: what packs and unpacks values.
    """
    return Scheduler(payload["values"])


class Scheduler(Entry):
    """Drives an execution of a flow."""

    def __init__(self, values: Values) -> None:
        """Remember where values lie."""
        self.values = values

    def call(self, request: Request) -> Manifest:
        """Run the execution, or go on with it."""
        start: Start = request.payload
        caller = current.get()
        assert caller is not None
        caller.version = start.version
        caller.reads_cache = start.reads_cache
        os.environ.update(start.variables)  # this process is the attempt's own
        try:
            kind: type[Any] = _find(start.module, start.qualname)
            executor = Called(caller, kind)
            flow = kind(datastore=Served(self.values.artifacts.blobs), executor=executor)
            execution = flow.execution(request.key.action.run)
            execution.run_or_resume(flow.dependencies, self._parameters(start))
        except BaseException as error:
            return Manifest({}, describe(error))
        return Manifest({"result": Output((self.values.pack(None),))})

    def _parameters(self, start: Start) -> dict[str, Any]:
        if start.inputs.startswith(JSON):
            plain: dict[str, Any] = json.loads(start.inputs)
            return plain
        given: dict[str, Any] = self.values.unpack_arguments(start.inputs)
        return given


class Called(Executor):
    """Has a server run attempts, as children of the scheduler's own."""

    inherits_environment = False

    def __init__(self, caller: Caller, flow: type[Any]) -> None:
        """Take who calls.

        Args:
            caller: Calls children for the scheduler, which runs in its attempt.
            flow: The flow.
        """
        super().__init__(concurrency=MANY)
        self._caller = caller
        self._flow = flow

    def open(self, host: Host) -> Session:
        """Make ready to call."""
        return _Session(host, self._caller, self._flow)


class _Session(Session):
    tells_start = True  # which the server does not pass on: it also holds attempts to their time

    def __init__(self, host: Host, caller: Caller, flow: type[Any]) -> None:
        self.capacity = MANY
        self._host = host
        self._caller = caller
        self._flow = (flow.__module__, flow.__qualname__)
        self._layers = flow.registered()
        self._name = flow.__name__
        self._retry = caller.key.epoch > 1
        self._asked: dict[AttemptKey, str] = {}

    def start(self, request: Request) -> None:
        """Call the layer."""
        key, action = request.key, request.key.action
        refused = self._refused(request)
        if refused is not None:
            self._host.deliver(Ended(key, Outcome.REFUSED, detail=str(refused), error=refused))
            return
        split = request.payload if isinstance(request.payload, bytes) else pickled.dumps(request.payload)
        inputs = {
            "flow": self._flow,
            "execution": action.run,
            "split": split,
            "env": dict(request.env),
            "number": key.number,
            "retry": self._retry,
        }
        entity = f"{self._name}.{action.name}"
        what = f"{action.run}/{action.name}/{action.index}/{key.number}".encode()
        call = Call(
            id=self._caller.name(entity, hashlib.blake2b(what, digest_size=16).digest()),
            task=entity,
            module=self._flow[0],
            inputs=self._caller.values.pack_arguments(inputs),
            label=f"{action.name}[{action.index}]",
            overrides=_overrides(request),
            version=self._caller.version,
        )
        self._asked[key] = call.id
        self._caller.ask(call, lambda answer: self._take(key, answer))

    def _refused(self, request: Request) -> PlacementError | None:
        """Say what a hook has changed of a container that a server has as it was deployed."""
        layer, index = request.key.action.name, request.key.action.index
        declared, wanted = vars(self._layers[layer].configuration.container.placement()), vars(request.placement)
        for name in ("image", "command", "workdir", "reuse"):
            if wanted[name] != declared[name]:
                return PlacementError(
                    f"A hook has given layer {layer}, split {index}, the {name} {wanted[name]!r} in place of "
                    f"{declared[name]!r}. On a server, containers are as they were deployed. Name it in "
                    "Container(…) of the layer, or make a layer of its own for it; resources and variables may change."
                )
        return None

    def _take(self, key: AttemptKey, answer: Answer) -> None:
        if self._asked.pop(key, None) is None:
            return
        if answer.failure is not None:
            outcome = OUTCOMES.get(answer.failure.type_name, Outcome.RAISED)
            self._host.deliver(_failed(key, outcome, answer.failure))
            return
        try:
            manifest: Manifest = self._caller.value(answer)
        except Exception as error:
            self._host.deliver(Ended(key, Outcome.LOST, detail=f"its result could not be read: {error}"))
            return
        self._host.deliver(Ended(key, Outcome.SUCCEEDED, manifest))

    def stop(self, key: AttemptKey, grace: float) -> None:  # noqa: ARG002 - the server's own grace holds
        """Need the child no more."""
        id_ = self._asked.pop(key, None)
        if id_ is not None:
            self._caller.dismiss(id_)
            self._host.deliver(Ended(key, Outcome.CANCELLED, detail="it was stopped"))

    def close(self) -> None:
        """Need no child any more."""
        for key in list(self._asked):
            self.stop(key, 0.0)


def _failed(key: AttemptKey, outcome: Outcome, failure: Failure) -> Ended:
    if outcome is Outcome.RAISED:
        return Ended(key, outcome, Manifest({}, failure))
    return Ended(key, outcome, detail=failure.message)


def _overrides(request: Request) -> bytes:
    resources = ResourcesSpec.of(request.resources)
    if request.timeout is None:
        return msgspec.json.encode(Overrides(resources=resources))
    return msgspec.json.encode(Overrides(resources=resources, timeout=TimeoutSpec(max_runtime=request.timeout)))


def layer(payload: Mapping[str, Any]) -> Entry:
    """Make the entry that runs a split.

    Args:
        payload: ``values``: what packs and unpacks values.
    """
    return ServedLayer(payload["values"])


class ServedLayer(Entry):
    """Runs splits for a server."""

    def __init__(self, values: Values) -> None:
        """Remember where values lie."""
        self.values = values

    def call(self, request: Request) -> Manifest:
        """Run a split; its manifest is the value that the scheduler is given."""
        start: Start = request.payload
        caller = current.get()
        if caller is not None:
            caller.version = start.version
        os.environ.update(start.variables)  # as above
        try:
            given = self.values.unpack_arguments(start.inputs)
            kind: type[Any] = _find(*given["flow"])
            datastore = Served(self.values.artifacts.blobs)
            execution = kind(datastore=datastore, executor=Thread(concurrency=1)).execution(given["execution"])
            execution.retry = given["retry"]
            key = request.key.replace(number=given["number"])
            inner = request.replace(key=key, payload=given["split"], env={**request.env, **given["env"]})
            manifest = LayerEntry(execution).call(inner)
            if manifest.failure is not None:
                return Manifest({}, manifest.failure)
            return Manifest({"result": Output((self.values.pack(manifest),))})
        except BaseException as error:
            return Manifest({}, describe(error))


def _find(module: str, qualname: str) -> Any:
    """Find a class in code that is loaded; what the script defines bears its name or that of its file."""
    found: Any = sys.modules.get(module) or importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
        if found is None:
            raise TaskError(f"There is no {qualname} in module {module}. Define flows at the top of a module.")
    return found
