"""Layers: the units of work of a flow."""

from __future__ import annotations

import contextvars
from types import CoroutineType, FunctionType, MappingProxyType

from laminar.errors import FlowError
from laminar.flows import hooks
from laminar.flows.accessor import Accessor
from laminar.flows.configurations import Registrable
from laminar.model.value import Value
from laminar.settings import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Protocol, Self, TypeVar, overload

    from laminar.core.plan import Node
    from laminar.flows.configurations import LayerConfiguration
    from laminar.flows.configured import FlowConfiguration
    from laminar.flows.failure import ExecutionFailure
    from laminar.model.action import Output, Ref
    from laminar.model.states import State

    LayerT = TypeVar("LayerT", bound="Layer")
    ExecutionT_co = TypeVar("ExecutionT_co", bound="ExecutionContract", covariant=True)

    class FlowContract(Protocol[ExecutionT_co]):
        """What layers and executions know of their flow; :class:`~laminar.flows.flow.Flow` is one."""

        @property
        def name(self) -> str: ...

        configuration: FlowConfiguration

        @property
        def registry(self) -> Mapping[str, Registration]: ...
        @property
        def dependencies(self) -> dict[str, set[str]]: ...
        @property
        def execution(self) -> ExecutionT_co: ...
        def nodes(self, dependencies: Mapping[str, set[str]] | None = None) -> dict[str, Node]: ...
        def hooks(self, layer: str) -> dict[hooks.Kind, list[Callable[..., Any]]]: ...
        def recall(self, run: str, *, current: bool = False) -> ExecutionT_co: ...
        def __call__(self, *, execution: str | None = None, **parameters: Any) -> ExecutionT_co: ...

    class ExecutionContract(Protocol):
        """What layers know of their execution; :class:`~laminar.flows.execution.Execution` is one."""

        retry: bool
        after: tuple[str, ...]

        @property
        def id(self) -> str | None: ...
        @property
        def flow(self) -> FlowContract[ExecutionContract]: ...
        @property
        def known_id(self) -> str: ...
        @property
        def finished(self) -> bool: ...
        @property
        def status(self) -> State | None: ...
        @property
        def started(self) -> float | None: ...
        @property
        def ended(self) -> float | None: ...
        @property
        def error(self) -> ExecutionFailure | None: ...
        @overload
        def layer(self, layer: type[LayerT], **attributes: Any) -> LayerT: ...
        @overload
        def layer(self, layer: LayerT, **attributes: Any) -> LayerT: ...
        @overload
        def layer(self, layer: str, **attributes: Any) -> NamedLayer: ...
        def read(self, layer: Layer, name: str) -> Any: ...
        def load(self, ref: Ref) -> Any: ...
        def is_finished(self, layer: str) -> bool: ...
        def store_items(self, layer: str, name: str, items: Iterable[Any]) -> Output: ...
        def resume(self) -> ExecutionContract: ...
        def picture_of(self, layer: Layer) -> str: ...


#: Flags of the code of generators and asynchronous generators, as the inspect module has them.
GENERATOR = 0x20 | 0x200
#: Where a layer keeps what laminar knows of it; everything else in its ``__dict__`` is an artifact.
BINDING = "_laminar"


class Binding(Value):
    """What laminar knows of a layer object that belongs to an execution.

    Attributes:
        execution: The execution.
        configuration: Its configuration; a copy that hooks may change.
        index: Which split; None if it stands for all of them.
        splits: Of how many splits, if that is known.
        attempt: Which try, in a layer that runs.
        picks: The elements that the foreach of the running split has picked, by artifact.
        shards: What a running layer has sharded so far.
        running: Whether this is the layer that runs, rather than one that is read.
    """

    execution: ExecutionContract
    configuration: LayerConfiguration
    index: int | None = None
    splits: int | None = None
    attempt: int | None = None
    picks: Mapping[str, Ref] = MappingProxyType({})
    shards: dict[str, Output] | None = None
    running: bool = False


class NotAssignedError(AttributeError):
    """A layer has not assigned an artifact, or not yet."""


class Default:
    """A class attribute of a layer: the value until the layer assigns it, then the artifact."""

    def __init__(self, name: str, value: Any) -> None:
        """Keep the value of an attribute."""
        self.name = name
        self.value = value

    def __get__(self, layer: Layer | None, owner: type) -> Any:
        """Give the artifact of a layer that belongs to an execution and has assigned it; else the value."""
        if layer is None or BINDING not in vars(layer):
            return self.value
        try:
            value = vars(layer)[self.name] = layer._load(self.name)
        except NotAssignedError:
            return self.value
        return value


class LayerState:
    """Whether a layer of an execution is finished or running."""

    def __init__(self, layer: Layer) -> None:
        """Look at a layer."""
        self._layer = layer

    @property
    def finished(self) -> bool:
        """Whether all splits of the layer have succeeded."""
        return self._layer.execution.is_finished(self._layer.name)

    @property
    def running(self) -> bool:
        """Whether the calling code is part of this layer."""
        return current.layer.name == self._layer.name and current.execution.id == self._layer.execution.id


class Layer(Registrable):
    """A unit of work of a flow.

    Subclass it, register it, and write ``__call__``. The annotations of its parameters are the layers that it depends
    on. What is assigned to ``self`` is saved when the layer ends and can be read from the layers downstream.

    Usage::

        @HelloFlow.register
        class World(Layer):
            def __call__(self, hello: Hello) -> None:
                self.message = f"{hello.greeting}, world"
    """

    if TYPE_CHECKING:

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            """Do the work; its parameters are layers, each annotated with its class."""
    else:

        def __call__(self, *_: Layer) -> Self:
            """Do nothing: a layer without a body of its own."""
            return self

    def __init__(self, **attributes: Any) -> None:
        """Make a layer for a test, with attributes as if it had run.

        Args:
            **attributes: What a layer downstream may read.
        """
        for name, value in attributes.items():
            setattr(self, name, value)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let calls give the layer, and class attributes be defaults of artifacts."""
        super().__init_subclass__(**kwargs)
        for name, value in list(vars(cls).items()):
            if name != "_repr_html_" and not name.startswith("__"):
                _check_name(cls, name)
            if name == "__call__":
                if isinstance(value, FunctionType):
                    setattr(cls, name, _returning_layer(value))
            elif not name.startswith("_") and not hasattr(value, "__get__"):
                setattr(cls, name, Default(name, value))

    # What laminar knows of a layer

    @property
    def name(self) -> str:
        """Name of the layer: that of its class."""
        return type(self).__name__

    @property
    def execution(self) -> ExecutionContract:
        """The execution that the layer belongs to."""
        return self._bound("execution").execution

    @property
    def configuration(self) -> LayerConfiguration:
        """The configuration of the layer; in a submission or retry hook, changes to it hold for this split."""
        return self._bound("configuration").configuration

    @property
    def index(self) -> int | None:
        """Which split of the layer this is, from 0."""
        binding = vars(self).get(BINDING)
        return None if binding is None else binding.index

    @property
    def splits(self) -> int | None:
        """In how many splits the layer runs."""
        binding = vars(self).get(BINDING)
        return None if binding is None else binding.splits

    @property
    def attempt(self) -> int | None:
        """Which try of the split this is, from 1."""
        binding = vars(self).get(BINDING)
        return None if binding is None else binding.attempt

    @property
    def state(self) -> LayerState:
        """Whether the layer is finished or running."""
        self._bound("state")
        return LayerState(self)

    @property
    def artifacts(self) -> dict[str, Any]:
        """What has been assigned to this object, by name."""
        return {name: value for name, value in vars(self).items() if name != BINDING}

    def _bound(self, name: str) -> Binding:
        binding: Binding | None = vars(self).get(BINDING)
        if binding is None:
            raise AttributeError(
                f"{self.name}.{name}: this layer belongs to no execution. "
                f"Take it from one: flow.execution(id).layer({self.name})."
            )
        return binding

    # Artifacts

    def shard(self, **artifacts: Iterable[Any]) -> None:
        """Store each item of an iterable by itself, so that it can be loaded by itself downstream.

        Downstream, ``layer.name`` is an :class:`~laminar.flows.accessor.Accessor`, and a foreach can iterate over it.
        Items are stored as they come, so the iterable may be larger than memory.

        Args:
            **artifacts: Iterables by the artifact's name.

        Usage::

            self.shard(files=paths)
        """
        binding: Binding | None = vars(self).get(BINDING)
        for name, items in artifacts.items():
            _check_name(type(self), name)
            vars(self).pop(name, None)
            if binding is None or binding.shards is None:
                setattr(self, name, list(items))
            else:
                binding.shards[name] = binding.execution.store_items(self.name, name, items)

    def __setattr__(self, name: str, value: Any) -> None:
        """Assign an artifact.

        Raises:
            FlowError: The name is taken, or is no name.
        """
        _check_name(type(self), name)
        binding: Binding | None = vars(self).get(BINDING)
        if binding is not None and binding.shards:
            binding.shards.pop(name, None)
        vars(self)[name] = value

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Load an artifact, once."""
            if name in RESERVED:
                self._bound(name)
            if name.startswith("__") or BINDING not in vars(self):
                raise AttributeError(
                    f"{type(self).__name__} has no attribute {name!r}. Make it with {type(self).__name__}({name}=…)."
                )
            value = self._load(name)
            vars(self)[name] = value
            return value

    def _load(self, name: str) -> Any:
        binding: Binding = vars(self)[BINDING]
        execution = binding.execution
        if binding.running:
            output = (binding.shards or {}).get(name)
            if output is None:
                raise NotAssignedError(f"Layer {self.name} has not assigned {name!r}.")
            return Accessor(output.refs, execution.load, f"{self.name}.{name}")
        pick = binding.picks.get(name)
        if pick is not None:
            return execution.load(pick)
        return execution.read(self, name)

    def __repr__(self) -> str:
        """Show the layer and its execution."""
        binding = vars(self).get(BINDING)
        if binding is None:
            return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"
        return f"{self.name}(execution={binding.execution!r}, index={binding.index}, splits={binding.splits})"

    def _repr_html_(self) -> str | None:
        binding: Binding | None = vars(self).get(BINDING)
        return None if binding is None else binding.execution.picture_of(self)


def _returning_layer(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a layer's ``__call__`` give the layer, so that ``B()(A(foo="bar")).foo`` works in a test.

    Raises:
        FlowError: It is a generator, whose body would never run.
    """
    if function.__code__.co_flags & GENERATOR:
        raise FlowError(f"{function.__qualname__} is a generator: it has a yield. Assign to self what it should give.")

    def call(self: Layer, *args: Any, **kwargs: Any) -> Layer:
        result = function(self, *args, **kwargs)
        if isinstance(result, CoroutineType):
            _run_to_end(result)
        return self

    call.__name__, call.__qualname__ = function.__name__, function.__qualname__
    call.__module__, call.__doc__ = function.__module__, function.__doc__
    call.__wrapped__ = function  # type: ignore[attr-defined]
    mark = getattr(function, hooks.MARK, None)
    if mark is not None:
        setattr(call, hooks.MARK, mark)
    return call


def _run_to_end(body: CoroutineType[Any, Any, Any]) -> None:
    """Run an asynchronous body; in a thread of its own where an event loop runs already, as in a notebook."""
    import asyncio  # 40 ms, and only layers with an async body need it

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(body)
        return
    from concurrent.futures import ThreadPoolExecutor  # for the rare direct call inside an event loop

    with ThreadPoolExecutor(1) as pool:
        pool.submit(contextvars.copy_context().run, asyncio.run, body).result()


def _check_name(kind: type, name: str) -> None:
    """Refuse names that are laminar's own, and those that could not be attributes or names of files."""
    if name in RESERVED:
        raise FlowError(
            f"{kind.__name__}.{name}: the name {name!r} is laminar's own and can be no artifact, hook or method. "
            "Choose another."
        )
    if not name.isidentifier():
        raise FlowError(f"{kind.__name__}: {name!r} cannot be the name of an artifact. Choose a Python name.")


RESERVED = frozenset(name for name in vars(Layer) if not name.startswith("__")) | {BINDING}


class Parameters(Layer):
    """The parameters of a flow, as a layer that every other can depend on.

    Usage::

        def __call__(self, parameters: Parameters) -> None:
            print(parameters.greeting)
    """

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Give a parameter."""


if TYPE_CHECKING:

    class NamedLayer(Layer):
        """A layer that was got by its name: type checkers know its class no better than this."""

        def __getattr__(self, name: str) -> Any:
            """Give an artifact."""


class Registration(Value, frozen=True):
    """A layer that is registered with a flow.

    Attributes:
        layer: The class.
        configuration: How it was configured.
    """

    layer: type[Layer]
    configuration: LayerConfiguration

    def __eq__(self, other: object) -> bool:
        """Tell whether both are the same registration."""
        return self is other

    def __hash__(self) -> int:
        """Hash by identity."""
        return id(self)


def bind(kind: type[Layer], binding: Binding, **attributes: Any) -> Layer:
    """Make a layer object that belongs to an execution."""
    layer = kind.__new__(kind)
    vars(layer)[BINDING] = binding
    vars(layer).update(attributes)
    return layer


def binding_of(layer: Layer) -> Binding:
    """Give what laminar knows of a layer object that belongs to an execution."""
    binding: Binding = vars(layer)[BINDING]
    return binding
