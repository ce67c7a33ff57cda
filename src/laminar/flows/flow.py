"""Flows: classes that layers are registered with, and that can be called to run them."""

from __future__ import annotations

import os

from laminar.core.plan import Node
from laminar.errors import FlowError, nearest
from laminar.executors.contract import Executor
from laminar.flows import hooks
from laminar.flows.annotations import asked_for
from laminar.flows.configurations import Catch, Container, ForEach, configure
from laminar.flows.configured import FlowConfiguration
from laminar.flows.datastores import DataStore, Local
from laminar.flows.execution import Execution
from laminar.flows.layer import Layer, Parameters, Registration
from laminar.flows.registry import merge
from laminar.flows.schedulers import Scheduler
from laminar.model.policies import Resources, Retry, Timeout
from laminar.runs.places import executor
from laminar.worker import assignment, child
from laminar.worker.assignment import Reached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, ClassVar, TypeVar, overload

    from laminar.flows.layer import NamedLayer
    from laminar.model.triggers import Trigger

    LayerT = TypeVar("LayerT", bound=Layer)

PARAMETERS = Parameters.__name__
_PARAMETERS = Registration(Parameters, configure(PARAMETERS, None, None, None, None, None, None))
#: The flows that were made in this process, newest last, so that the command line finds how a file configures them.
made: list[Flow] = []


class Flow:
    """A collection of layers that run in an order given by what they depend on.

    Usage::

        class HelloFlow(Flow): ...

        @HelloFlow.register
        class Hello(Layer):
            def __call__(self) -> None:
                self.greeting = "hello"

        if flow := HelloFlow():
            flow()
    """

    #: What describes a flow as what can be deployed; by name, as it is loaded by who deploys.
    __laminar_deployable__: ClassVar[str] = "laminar.flows.deploying:deployable"

    _own: ClassVar[dict[str, Registration]]
    _triggers: ClassVar[tuple[Trigger, ...]] = ()
    _merged: ClassVar[tuple[int, Mapping[str, Registration]]]

    def __init_subclass__(cls, *, triggers: Trigger | Sequence[Trigger] = (), **kwargs: Any) -> None:
        """Begin an empty registry that also shows the layers of the base classes.

        Args:
            triggers: What starts the flow by itself, once it is deployed: ``class Train(Flow, triggers=[…])``. They
                are not inherited.
            **kwargs: For base classes of the user's own.
        """
        super().__init_subclass__(**kwargs)
        cls._own = {}
        given: Any = triggers
        cls._triggers = tuple(given) if isinstance(given, (list, tuple)) else (given,)
        cls._merged = (0, {})
        for hook in (hook for found in hooks.collect(cls).values() for hook in found):
            if hasattr(Flow, hook.__name__):
                raise FlowError(
                    f"{cls.__name__}.{hook.__name__}: the name {hook.__name__!r} is laminar's own and can be no hook. "
                    "Choose another."
                )
        cls.registered()

    def __init__(
        self,
        *,
        datastore: DataStore | None = None,
        executor: Executor | None = None,
        scheduler: Scheduler | None = None,
    ) -> None:
        """Configure the flow.

        Args:
            datastore: Where artifacts and records lie; ``Local()`` by default.
            executor: Where layers run; ``Process()`` by default, or what ``LAMINAR_EXECUTOR`` names.
            scheduler: How the run is driven; ``Scheduler()`` by default.

        Raises:
            FlowError: One is of the wrong type, or they cannot work together.
        """
        datastore = Local() if datastore is None else datastore
        executor = _default_executor() if executor is None else executor
        scheduler = Scheduler() if scheduler is None else scheduler
        for name, value, kind in (
            ("datastore", datastore, DataStore),
            ("executor", executor, Executor),
            ("scheduler", scheduler, Scheduler),
        ):
            if not isinstance(value, kind):
                raise FlowError(
                    f"{self.name}({name}=…) expects a {kind.__name__} object, "
                    f"got {value!r} of type {type(value).__name__}."
                )
        if executor.leaves_process and not datastore.shared:
            raise FlowError(
                f"{self.name}: {type(datastore).__name__}() cannot be seen from other processes, and "
                f"{type(executor).__name__}() runs layers in them. "
                "Use executors.Thread() with it, or datastores.Local()."
            )
        self.configuration = FlowConfiguration(datastore, executor, scheduler)
        self._execution = Execution(None, self)
        made.append(self)

    # Layers

    @classmethod
    def registered(cls) -> Mapping[str, Registration]:
        """Give the layers by name: ``Parameters``, those of the base classes, then its own, as they were registered."""
        size, merged = cls._merged
        bases = [base for base in reversed(cls.__mro__) if "_own" in vars(base)]
        count = sum(len(vars(base)["_own"]) for base in bases)
        if count != size or not merged:
            registries = [(base.__name__, vars(base)["_own"]) for base in bases]
            merged = {PARAMETERS: _PARAMETERS, **merge(cls.__name__, registries)}
            cls._merged = (count, merged)
        return merged

    @property
    def registry(self) -> Mapping[str, Registration]:
        """The layers of the flow by name, with ``Parameters``."""
        return type(self).registered()

    if TYPE_CHECKING:

        @overload
        @classmethod
        def register(cls, layer: type[LayerT], /) -> type[LayerT]: ...

        @overload
        @classmethod
        def register(
            cls,
            layer: None = None,
            /,
            *,
            container: Container | None = None,
            foreach: ForEach | None = None,
            retry: Retry | None = None,
            catch: Catch | None = None,
            timeout: Timeout | None = None,
            resources: Resources | None = None,
        ) -> Callable[[type[LayerT]], type[LayerT]]: ...

    @classmethod
    def register(
        cls,
        layer: type[Layer] | None = None,
        /,
        *,
        container: Container | None = None,
        foreach: ForEach | None = None,
        retry: Retry | None = None,
        catch: Catch | None = None,
        timeout: Timeout | None = None,
        resources: Resources | None = None,
    ) -> Any:
        """Add a layer to the flow. The layer class itself is not changed.

        Args:
            layer: The class, where it is used without brackets.
            container: Its container and resources.
            foreach: What it iterates over.
            retry: When it is tried again.
            catch: What it catches.
            timeout: How long an attempt may run.
            resources: What it needs of a machine; takes precedence over the container's numbers.

        Raises:
            FlowError: It is no layer, its name is taken, or a configuration is of the wrong type.

        Usage::

            @HelloFlow.register
            class Hello(Layer): ...

            @HelloFlow.register(retry=Retry(attempts=3), timeout=Timeout(60))
            class World(Layer): ...
        """
        where = f"{cls.__name__}.register"
        configuration = configure(where, container, foreach, retry, catch, timeout, resources)

        def add(kind: type[Layer]) -> type[Layer]:
            cls._add(kind, Registration(kind, configuration))
            return kind

        return add if layer is None else add(layer)

    @classmethod
    def _add(cls, kind: type[Layer], registration: Registration) -> None:
        if cls is Flow:
            raise FlowError("Flow.register: layers are registered with a subclass. Write: class MyFlow(Flow): ...")
        if not (isinstance(kind, type) and issubclass(kind, Layer)):
            raise FlowError(f"{cls.__name__}.register expects a subclass of Layer, got {kind!r}.")
        name = kind.__name__
        if name == PARAMETERS:
            raise FlowError(f"{cls.__name__}.register: {PARAMETERS} is part of every flow already.")
        if name in cls.registered():
            raise FlowError(
                f"{cls.__name__} has a layer named {name} already, among {', '.join(sorted(cls.registered()))}. "
                "Give this one another name."
            )
        cls._own[name] = registration

    @property
    def name(self) -> str:
        """Name of the flow: that of its class."""
        return type(self).__name__

    def hooks(self, layer: str) -> dict[hooks.Kind, list[Callable[..., Any]]]:
        """Give the hooks that apply to a layer: the flow's, then its own."""
        own = hooks.collect(self.registry[layer].layer)
        shared = hooks.collect(type(self))
        return {kind: shared[kind] + own[kind] for kind in hooks.Kind}

    @property
    def dependencies(self) -> dict[str, set[str]]:
        """The layers that each layer needs.

        Raises:
            FlowError: An annotation names no layer of the flow.
        """
        return {name: self._needs(name) for name in self.registry}

    @property
    def dependents(self) -> dict[str, set[str]]:
        """The layers that need each layer."""
        dependencies = self.dependencies
        return {name: {other for other, needs in dependencies.items() if name in needs} for name in dependencies}

    def _needs(self, name: str) -> set[str]:
        registry = self.registry
        registration = registry[name]
        if name == PARAMETERS:
            return set()
        needs = set(asked_for(registration.layer.__call__, self.name, registry))
        for parameter in registration.configuration.foreach.parameters:
            source = parameter.layer.__name__
            if source not in registry:
                raise FlowError(
                    f"ForEach of layer {name} of flow {self.name}: {source} is not registered."
                    f"{nearest(source, registry)}"
                )
            needs.add(source)
        for hook in (hook for found in self.hooks(name).values() for hook in found):
            needs.update(asked for asked in asked_for(hook, self.name, registry) if asked != name)
        return needs

    def nodes(self, dependencies: Mapping[str, set[str]] | None = None) -> dict[str, Node]:
        """Give the graph, checked.

        Args:
            dependencies: Which layers, and what they need; all of the flow by default.

        Raises:
            FlowError: There are no layers, one is unknown, or they need each other in a circle.
        """
        registry = self.registry
        found = self.dependencies if dependencies is None else dependencies
        for name in {*found, *(need for needs in found.values() for need in needs)}:
            if name not in registry:
                raise FlowError(f"Flow {self.name} has no layer {name!r}.{nearest(name, registry)}")
        if not set(found) - {PARAMETERS}:
            raise FlowError(
                f"Flow {self.name} has no layers. Register one: @{self.name}.register above a class of Layer."
            )
        _refuse_circle(self.name, found)
        return {
            name: Node(frozenset(needs), bool(hooks.collect(registry[name].layer)[hooks.Kind.ENTRY]))
            for name, needs in found.items()
            if name != PARAMETERS
        }

    if TYPE_CHECKING:

        @overload
        def layer(self, layer: type[LayerT], **attributes: Any) -> LayerT: ...
        @overload
        def layer(self, layer: LayerT, **attributes: Any) -> LayerT: ...
        @overload
        def layer(self, layer: str, **attributes: Any) -> NamedLayer: ...

    def layer(self, layer: Any, **attributes: Any) -> Any:
        """Get a layer of the flow, for its current execution; see :meth:`Execution.layer`."""
        return self._execution.layer(layer, **attributes)

    # Running

    @property
    def execution(self) -> Execution:
        """The current execution; call it with an id to get another: ``flow.execution("…")``."""
        return self._execution

    def recall(self, run: str, *, current: bool = False) -> Execution:
        """Get an execution by its id.

        Args:
            run: The id.
            current: Whether it becomes the flow's current execution.
        """
        execution = Execution(run, self)
        if current:
            self._execution = execution
        return execution

    def __bool__(self) -> bool:
        """Be the execution guard: true in a scheduler's process, false in one that only runs layers.

        A process that was started to run one layer of this flow runs it here, and ends. In one for a flow that follows
        this one in a chain, the guard is true, so that the script comes to that flow.
        """
        assigned = assignment.current()
        if assigned is None:
            return True
        if assigned.attempt is None:
            return False
        if assigned.space == self.name:
            child.perform(assigned.attempt)
        return self.name in assigned.attempt.entry.payload["after"]

    def __call__(self, *, execution: str | None = None, **parameters: Any) -> Execution:
        """Run the flow.

        Args:
            execution: Id for the run; a new KSUID by default.
            **parameters: Values that the layers find in ``Parameters``.

        Returns:
            The finished execution.

        Raises:
            FlowError: The flow is wrong; nothing has run.
            RunHeldError: Another scheduler runs that execution.
            Exception: What a layer has raised, as itself, with the remote traceback in its notes.
        """
        assigned = assignment.current()
        if assigned is not None:
            if assigned.space == self.name and assigned.attempt is not None:
                child.perform(assigned.attempt)
            if assigned.space == self.name and assigned.stops:
                raise Reached
            return Execution(assigned.run or None, self)
        return self._execution.begin(execution, parameters)

    def graph(self) -> str:
        """Draw the flow as Mermaid text.

        Raises:
            FlowError: An annotation names no layer of the flow.
        """
        from laminar.flows import graph  # for who wants a picture

        return graph.mermaid(self)

    def __repr__(self) -> str:
        """Show the flow."""
        return f"{self.name}()"

    def _repr_html_(self) -> str:
        from laminar.flows import graph  # notebooks only

        return graph.flow_html(self)


def _default_executor() -> Executor:
    name = os.environ.get("LAMINAR_EXECUTOR", "process")
    return executor(name, f"LAMINAR_EXECUTOR={name!r}")


def _refuse_circle(flow: str, dependencies: Mapping[str, set[str]]) -> None:
    """Find layers that need each other, by taking away those whose needs are met until none can be."""
    left = {name: needs & dependencies.keys() for name, needs in dependencies.items()}
    while True:
        free = {name for name, needs in left.items() if not needs}
        if not free:
            break
        left = {name: needs - free for name, needs in left.items() if name not in free}
    if left:
        path = [min(left)]
        while path.count(path[-1]) < 2:
            path.append(min(left[path[-1]]))
        circle = path[path.index(path[-1]) :]
        raise FlowError(
            f"Layers of flow {flow} need each other in a circle: {' needs '.join(circle)}. "
            "Take one of the annotations away, or split a layer in two."
        )
