"""The worker's side of flows: runs one split of one layer and stores what it assigns."""

from __future__ import annotations

import importlib
import pickle
from contextlib import suppress

from laminar import settings
from laminar.data.journal import SPACE
from laminar.data.serde import pickled
from laminar.data.serde.failures import describe
from laminar.data.values import Values
from laminar.errors import FlowError, UnpicklableArtifactError
from laminar.flows.accessor import Accessor
from laminar.flows.annotations import asked_for
from laminar.flows.hooks import Contexts, Kind
from laminar.flows.layer import Binding, bind, binding_of
from laminar.model.action import Entry, Manifest, Output
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from laminar.data.artifacts import Artifacts
    from laminar.flows.configurations import LayerConfiguration
    from laminar.flows.layer import ExecutionContract, Layer
    from laminar.model.action import Failure, Ref, Request


class Split(Value, frozen=True):
    """What the entry must know to run a split.

    Attributes:
        layer: The layer's name.
        index: Which split.
        splits: Of how many.
        picks: The elements that the foreach has picked, by layer and artifact.
        configuration: The layer's configuration, as the hooks have left it.
    """

    layer: str
    index: int
    splits: int
    picks: Mapping[str, Mapping[str, Ref]]
    configuration: LayerConfiguration


def packed(split: Split, *, by_name: bool) -> bytes:
    """Pickle a split for another process.

    Args:
        split: The split.
        by_name: Whether that process finds by their names what this one's ``__main__`` defines. What has no such name,
            being made inside a function or in a notebook, travels with its definition.

    Raises:
        UnpicklableArtifactError: The configuration holds something that cannot be pickled.
    """
    if by_name:
        with suppress(Exception):
            return pickle.dumps(split, pickled.PROTOCOL)
    return pickled.dumps(split)


def load(payload: Mapping[str, Any]) -> LayerEntry:
    """Find the flow in code that is loaded.

    Args:
        payload: ``flow``: its class as ``(module, qualified name)``, or pickled with its definition; ``layers``: names
            of those registered; ``after``: names of the flows before it in a chain; ``datastore``: pickled; ``run``:
            the execution's id; ``retry``: whether it was resumed.

    Raises:
        FlowError: A layer is not registered in this process.
    """
    found = payload["flow"]
    if isinstance(found, bytes):
        kind = pickled.loads(found)
    else:
        kind = importlib.import_module(found[0])
        for part in found[1].split("."):
            kind = getattr(kind, part)
    missing = [name for name in payload["layers"] if name not in kind.registered()]
    if missing:
        raise FlowError(
            f"Flow {kind.__name__} has no layer {missing[0]} in a process that loads its code anew. Register layers at "
            "the top of the module that defines the flow, not inside a function or after the call of the flow."
        )
    from laminar.executors.thread import Thread  # goes with every datastore, and is never used here

    flow = kind(datastore=pickled.loads(payload["datastore"]), executor=Thread(concurrency=1))
    execution = flow.execution(payload["run"])
    execution.retry = payload["retry"]
    return LayerEntry(execution)


class LayerEntry(Entry):
    """Runs splits of the layers of one execution."""

    def __init__(self, execution: ExecutionContract) -> None:
        """Remember the execution."""
        self._execution = execution
        datastore = execution.flow.configuration.datastore
        self._artifacts = datastore.artifacts(execution.flow.name)
        self.values = Values(datastore.artifacts(SPACE))
        self._asks: dict[str, tuple[str, ...]] = {}
        self._hooks: dict[str, list[Callable[..., Any]]] = {}

    def call(self, request: Request) -> Manifest:
        """Run a split. What the layer has assigned is stored also if it fails."""
        payload: Split | bytes = request.payload
        split: Split = pickled.loads(payload) if isinstance(payload, bytes) else payload
        with settings.located(request.env):
            layer = self._make(split, request.key.number)
            caught, failure = self._run(layer, split)
            try:
                outputs = self._save(layer)
            except BaseException as error:
                return Manifest({}, failure or describe(error))
            return Manifest(outputs, failure, caught)

    def _make(self, split: Split, number: int) -> Layer:
        kind = self._execution.flow.registry[split.layer].layer
        binding = Binding(
            execution=self._execution,
            configuration=split.configuration,
            index=split.index,
            splits=split.splits,
            attempt=number,
            shards={},
            running=True,
        )
        return bind(kind, binding)

    def _run(self, layer: Layer, split: Split) -> tuple[Failure | None, Failure | None]:
        """Run the layer within its hooks; gives what it caught and what failed."""
        contexts = Contexts()
        caught: Failure | None = None
        failure: Failure | None = None
        try:
            contexts.enter((hook, (layer, *self._layers(hook, split))) for hook in self._execution_hooks(split.layer))
            try:
                layer(*self._layers(type(layer).__call__, split))
            except split.configuration.catch.exceptions as error:
                caught = describe(error)
        except BaseException as error:
            failure = describe(error)
        try:
            contexts.leave()
        except BaseException as error:
            failure = failure or describe(error)
        return caught, failure

    def _execution_hooks(self, layer: str) -> list[Callable[..., Any]]:
        found = self._hooks.get(layer)
        if found is None:
            found = self._hooks[layer] = self._execution.flow.hooks(layer)[Kind.EXECUTION]
        return found

    def _layers(self, function: Callable[..., Any], split: Split) -> list[Layer]:
        """Make the layers that a function asks for, each with the elements picked for this split."""
        flow = self._execution.flow
        key = f"{split.layer}.{function.__qualname__}"
        names = self._asks.get(key)
        if names is None:
            names = self._asks[key] = asked_for(function, flow.name, flow.registry)
        layers: list[Layer] = []
        for name in names:
            layer = self._execution.layer(name)
            binding_of(layer).picks = split.picks.get(name, {})
            layers.append(layer)
        return layers

    def _save(self, layer: Layer) -> dict[str, Output]:
        binding = binding_of(layer)
        outputs = dict(binding.shards or {})
        for name, value in layer.artifacts.items():
            refs = value.refs_if_of(self._execution.load) if isinstance(value, Accessor) else None
            if refs is not None:
                outputs[name] = Output(refs, sharded=True)
            else:
                outputs[name] = Output((store(self._artifacts, layer.name, name, value),))
        return outputs


def store(artifacts: Artifacts, layer: str, name: str, value: Any) -> Ref:
    """Store a value.

    Raises:
        DataError: It cannot be stored; the message names the layer, the artifact and the part.
        Exception: What a protocol of the user's raised, with a note that names the layer and the artifact.
    """
    try:
        return artifacts.write(value)
    except UnpicklableArtifactError as error:
        raise UnpicklableArtifactError(
            f"Layer {layer} cannot save its artifact {name!r}: {error}. Keep such objects in local variables, "
            "or register a protocol for their type: @datastore.protocol(…)."
        ) from error
    except Exception as error:
        error.add_note(f"While saving the artifact {name!r} of layer {layer}.")
        raise
