"""Executions: single runs of a flow, while they run and ever after."""

from __future__ import annotations

import re
import sys

from laminar.errors import CorruptBlobError, FlowError, UnknownRunError, nearest
from laminar.flows.accessor import Accessor
from laminar.flows.failure import ExecutionFailure
from laminar.flows.layer import Binding, Layer, NotAssignedError, Parameters, bind, binding_of
from laminar.model.action import Output, Ref
from laminar.model.ids import ActionKey, new_run_id
from laminar.model.states import State
from laminar.worker import assignment, loading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Final, TypeVar, overload

    from laminar.data.artifacts import Artifacts
    from laminar.flows.layer import FlowContract, NamedLayer
    from laminar.flows.nesting import Nested

    LayerT = TypeVar("LayerT", bound=Layer)

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Execution:
    """A single run of a flow.

    Attributes:
        id: Its id; None before there is one.
        flow: The flow.
        retry: Whether it was resumed.
        after: Names of the flows before it in a chain.
    """

    def __init__(
        self,
        id: str | None,  # noqa: A002 - the name users know
        flow: FlowContract[Execution],
        retry: bool = False,
    ) -> None:
        """Name a run; nothing is looked up."""
        self.id: Final = id
        self.flow = flow
        self.retry = retry
        self.after: tuple[str, ...] = ()
        self._artifacts: Artifacts | None = None

    def __call__(self, id: str) -> Execution:  # noqa: A002 - the name users know
        """Get another execution of the same flow, and make it the flow's current one.

        Raises:
            FlowError: The id has letters that a path cannot have.
        """
        if not RUN_ID.fullmatch(id):
            raise FlowError(
                f"{id!r} is no id of an execution: letters, digits, '.', '_' and '-', at most 128, "
                "a letter or digit first."
            )
        return self.flow.recall(id, current=True)

    @property
    def known_id(self) -> str:
        """The id.

        Raises:
            FlowError: There is none yet.
        """
        if self.id is None:
            raise FlowError(
                f"This execution of {self.flow.name} has no id yet. Run the flow, or name one: flow.execution('…')."
            )
        return self.id

    # Layers and artifacts

    if TYPE_CHECKING:

        @overload
        def layer(self, layer: type[LayerT], **attributes: Any) -> LayerT: ...
        @overload
        def layer(self, layer: LayerT, **attributes: Any) -> LayerT: ...
        @overload
        def layer(self, layer: str, **attributes: Any) -> NamedLayer: ...

    def layer(self, layer: Any, **attributes: Any) -> Any:
        """Get a layer of the execution, to read its artifacts.

        Args:
            layer: The class, an object of it, or its name.
            **attributes: ``index``, ``splits`` and ``attempt`` choose one split; others are set on the layer.

        Raises:
            FlowError: The flow has no such layer.

        Usage::

            flow.execution("…").layer(A).foo
            flow.execution("…").layer("A", index=0).foo
        """
        name = layer if isinstance(layer, str) else (layer if isinstance(layer, type) else type(layer)).__name__
        registry = self.flow.registry
        if name not in registry:
            raise FlowError(f"Flow {self.flow.name} has no layer {name!r}.{nearest(name, registry)}")
        place = {key: attributes.pop(key, None) for key in ("index", "splits", "attempt")}
        registration = registry[name]
        binding = Binding(execution=self, configuration=registration.configuration.copy(), **place)
        return bind(registration.layer, binding, **attributes)

    def read(self, layer: Layer, name: str) -> Any:
        """Load an artifact of a layer.

        Raises:
            AttributeError: The layer has no such artifact; the message says why.
        """
        output = self._output(layer, name)
        if isinstance(output, Accessor):
            return output
        if output.sharded:
            return Accessor(output.refs, self.load, f"{layer.name}.{name}")
        return self.load(output.refs[0])

    def load(self, ref: Ref) -> Any:
        """Load a value.

        Raises:
            AttributeError: Its blob is missing or damaged.
        """
        if self._artifacts is None:
            self._artifacts = self.flow.configuration.datastore.artifacts(self.flow.name)
        try:
            return self._artifacts.read(ref)
        except FileNotFoundError as error:
            raise AttributeError(
                f"The blob {error} is missing. Resume the run: what made it will run again."
            ) from error
        except CorruptBlobError as error:
            raise AttributeError(str(error)) from error

    def _output(self, layer: Layer, name: str) -> Output | Accessor[Any]:
        archives = self.flow.configuration.datastore.archives
        space, run = self.flow.name, self.known_id
        index = binding_of(layer).index
        if self.flow.registry[layer.name].configuration.foreach.parameters and index is None:
            refs = archives.joined(space, run, layer.name, name)
            if refs is None:
                refs = self._unjoined(layer, name)
            return Accessor(refs, self.load, f"{layer.name}.{name}")
        output = archives.output(ActionKey(space, run, layer.name, index or 0), name)
        if output is None:
            raise self._missing(layer, name)
        return output

    def _unjoined(self, layer: Layer, name: str) -> list[Ref | None]:
        """Join the archives of a foreach layer that is not finished, or of an older version of laminar."""
        archives = self.flow.configuration.datastore.archives
        space, run = self.flow.name, self.known_id
        record = archives.layer(space, run, layer.name)
        if record is not None and record.splits == 0:
            return []
        if record is not None and record.outputs is not None and name not in record.outputs:
            raise self._missing(layer, name)
        indexes = [
            int(index) for index in archives.blobs.names(f"{space}/archives/{run}/{layer.name}") if index.isdigit()
        ]
        count = record.splits if record is not None else max(indexes, default=-1) + 1
        outputs = [archives.output(ActionKey(space, run, layer.name, index), name) for index in range(count)]
        if not any(outputs):
            raise self._missing(layer, name)
        return [ref for output in outputs for ref in ((None,) if output is None else output.refs)]

    def _missing(self, layer: Layer, name: str) -> NotAssignedError:
        known = self.flow.configuration.datastore.archives.outputs(self.flow.name, self.known_id, layer.name)
        if layer.name == Parameters.__name__:
            given = nearest(name, known) if known else " It was given none."
            return NotAssignedError(f"Execution {self.id} of {self.flow.name} was given no parameter {name!r}.{given}")
        message = f"Layer {layer.name} of execution {self.id} has no artifact {name!r}."
        if not self.is_finished(layer.name):
            return NotAssignedError(f"{message} Layer {layer.name} has not finished.")
        return NotAssignedError(message + nearest(name, known))

    def has(self, layer: str) -> bool:
        """Tell whether the flow has a layer of that name."""
        return layer in self.flow.registry

    def is_finished(self, layer: str) -> bool:
        """Tell whether all splits of a layer have succeeded."""
        datastore = self.flow.configuration.datastore
        return datastore.archives.layer(self.flow.name, self.known_id, layer) is not None

    def store_items(self, layer: str, name: str, items: Iterable[Any]) -> Output:
        """Store each item by itself.

        Raises:
            DataError: An item cannot be stored; the message names layer and artifact.
        """
        from laminar.flows.entry import store  # storing is the worker's side

        artifacts = self.flow.configuration.datastore.artifacts(self.flow.name)
        refs = tuple(store(artifacts, layer, f"{name}[{position}]", item) for position, item in enumerate(items))
        return Output(refs, sharded=True)

    # Running

    def begin(self, id: str | None, parameters: dict[str, Any], after: tuple[str, ...] = ()) -> Execution:  # noqa: A002
        """Run the flow under this execution's flow; see :meth:`Flow.__call__`.

        Args:
            id: The id; None for a new one.
            parameters: Values for ``Parameters``.
            after: Names of the flows before it in a chain.
        """
        from laminar.flows import resuming  # the command line may have asked this process to resume instead

        wanted = resuming.wanted()
        if wanted is not None:
            execution = self(wanted)
            if wanted in self.flow.configuration.datastore.archives.runs(self.flow.name):
                execution.resume()
                resuming.note(execution)
                return execution
            if id != wanted:  # the next part of a chain, which had not begun, names the run that it goes on with
                return execution
        dependencies = self.flow.dependencies
        self.flow.nodes(dependencies)
        Parameters(**parameters)  # refuses the names that no artifact can have
        nested = self._nested(parameters, id)
        execution = self(id or (nested.id if nested is not None else new_run_id()))
        execution.after = after
        if nested is None:
            execution.run(dependencies, parameters)
        else:
            nested.carry_out(lambda: execution.run_or_resume(dependencies, parameters))
        return execution

    def _nested(self, parameters: dict[str, Any], id: str | None) -> Nested | None:  # noqa: A002
        """Name this call, if a running task or layer makes it and it has no name yet."""
        if "laminar.worker.calling" not in sys.modules:
            return None
        from laminar.flows import nesting  # loaded by then, as far as it is heavy

        self.flow.configuration = nesting.placed(self.flow, id)
        return nesting.nested(self.flow.name, parameters) if id is None else None

    def run(self, dependencies: dict[str, set[str]], parameters: dict[str, Any]) -> None:
        """Run the layers of a new execution."""
        from laminar.flows.program import run  # 10 ms of engine that reading results does not need

        run(self, dependencies, parameters, resume=False)

    def run_or_resume(self, dependencies: dict[str, set[str]], parameters: dict[str, Any]) -> None:
        """Run the layers, or go on with what an attempt before this one has begun."""
        if self.flow.configuration.datastore.archives.begun(self.flow.name, self.known_id):
            self.resume()
        else:
            self.run(dependencies, parameters)

    def resume(self) -> Execution:
        """Go on with the execution: keep what is committed, run what is missing, and say which.

        Works from any process, also after the scheduler was killed, and with code that was changed in between.

        Raises:
            UnknownRunError: There is no such execution.
            RunHeldError: Another scheduler runs it.
        """
        if assignment.current() is not None:
            return self.flow(execution=self.id)
        self.flow.nodes()
        datastore = self.flow.configuration.datastore
        known = datastore.archives.runs(self.flow.name)
        if self.known_id not in known:
            raise UnknownRunError(
                f"Flow {self.flow.name} has no execution {self.id!r} in {datastore.root}."
                f"{nearest(self.known_id, known)}"
            )
        if not datastore.archives.begun(self.flow.name, self.known_id):
            raise UnknownRunError(
                f"Execution {self.id} of flow {self.flow.name} was stopped before its parameters were kept, so nothing "
                f"of it can be gone on with. Start it again: flow(execution={self.id!r}, …)."
            )
        from laminar.flows.program import run  # 10 ms of engine that reading results does not need

        loading.name_main()
        self.retry = True
        run(self, self.flow.dependencies, None, resume=True)
        return self

    def schedule(self, *, dependencies: dict[str, set[str]]) -> Execution:
        """Run some layers of the flow, in the order that these dependencies give.

        Args:
            dependencies: The layers to run, and what each needs.

        Raises:
            FlowError: A layer is unknown, or they need each other in a circle.
        """
        if assignment.current() is not None:
            return self.flow(execution=self.id)
        self.flow.nodes(dependencies)
        from laminar.flows.program import run  # 10 ms of engine that reading results does not need

        known = self.known_id in self.flow.configuration.datastore.archives.runs(self.flow.name)
        run(self, dependencies, None, resume=known)
        return self

    def execute(self, *, layer: Layer) -> Execution:
        """Run one layer, or one split of it, here and now, and commit what it assigns.

        Usage::

            execution.execute(layer=flow.layer(A, index=0, splits=2))

        Raises:
            Exception: What the layer raises.
        """
        if assignment.current() is not None:
            return self
        from laminar.flows.program import execute  # 10 ms of engine that reading results does not need

        execute(self, layer)
        return self

    def next(self, *, flow: FlowContract[Execution], linker: Callable[[Execution], Parameters]) -> Execution:
        """Run another flow after this one, under the same id.

        Args:
            flow: The flow to run.
            linker: Gives its parameters from this execution.

        Returns:
            The execution of the other flow.

        Usage::

            Train()().next(flow=Report(), linker=lambda execution: Parameters(model=execution.layer(Fit).model))
        """
        if assignment.current() is not None:
            return flow(execution=self.id)
        parameters = linker(self)
        if not isinstance(parameters, Parameters):
            raise FlowError(f"The linker of {flow.name} gave {parameters!r}; it must give Parameters(…).")
        after = (*self.after, self.flow.name)
        if self.retry and self.id in flow.configuration.datastore.archives.runs(flow.name):
            execution = flow.recall(self.known_id, current=True)
            execution.after = after
            return execution.resume()
        execution = flow.execution.begin(self.id, parameters.artifacts, after)
        execution.retry = self.retry
        return execution

    def parameters(self, **artifacts: Any) -> Execution:
        """Set the parameters of the execution.

        Args:
            **artifacts: Values by name.
        """
        if assignment.current() is not None:
            return self
        from laminar.flows.program import write_parameters  # 10 ms of engine that reading results does not need

        write_parameters(self, artifacts)
        return self

    # State

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end in success."""
        state = self._state()
        if state is not None:
            return State(state["state"]) is State.SUCCEEDED
        layers = [name for name in self.flow.registry if name != Parameters.__name__]
        return bool(layers) and all(self.is_finished(name) for name in layers)

    @property
    def running(self) -> bool:
        """Whether the run goes on, as far as that can be told."""
        return self.status is State.RUNNING

    @property
    def status(self) -> State | None:
        """State of the run; CANCELLED also where its scheduler has died. None if nothing was ever run."""
        state = self._state()
        if state is None:
            if not self.flow.configuration.datastore.archives.layers(self.flow.name, self.known_id):
                return None
            return State.SUCCEEDED if self.finished else State.CANCELLED
        found = State(state["state"])
        if found is State.RUNNING:
            from laminar.host.processes import ProcessIdentity  # only for a run that says it goes on

            if ProcessIdentity(**state["holder"]).alive() is False:
                return State.CANCELLED
        return found

    @property
    def started(self) -> float | None:
        """When the run was first started, in seconds since the epoch."""
        state = self._state()
        return None if state is None else state["started"]

    @property
    def ended(self) -> float | None:
        """When the run ended, in seconds since the epoch; None while it has not."""
        state = self._state()
        return None if state is None else state["ended"]

    @property
    def error(self) -> ExecutionFailure | None:
        """What failed first, if something did."""
        state = self._state()
        error = None if state is None else state["error"]
        return None if error is None else ExecutionFailure(**error)

    def _state(self) -> dict[str, Any] | None:
        return self.flow.configuration.datastore.archives.state(self.flow.name, self.known_id)

    def __eq__(self, other: object) -> bool:
        """Tell whether both are the same run of the same flow."""
        return isinstance(other, Execution) and (other.id, other.flow.name) == (self.id, self.flow.name)

    def __hash__(self) -> int:
        """Hash by id and flow."""
        return hash((self.id, self.flow.name))

    def __repr__(self) -> str:
        """Show the flow, the id and whether it was resumed."""
        shown = "None" if self.id is None else f'"{self.id}"'
        return f"Execution(flow={self.flow!r}, id={shown}, retry={self.retry})"

    def _repr_html_(self) -> str:
        from laminar.flows import graph  # notebooks only

        return graph.execution_html(self)

    def picture_of(self, layer: Layer) -> str:
        """Draw a layer of the execution as HTML, for notebooks."""
        from laminar.flows import graph  # notebooks only

        return graph.layer_html(layer)
