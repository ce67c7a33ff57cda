"""Flows as the engine drives them: hooks, grids and configurations become submissions."""

from __future__ import annotations

import sys

from laminar.core.plan import Plan
from laminar.data.archives import SplitRecord
from laminar.data.serde import pickled
from laminar.engine.contract import Book, Program, Submission, Work
from laminar.engine.fingerprints import Fingerprints, inputs
from laminar.engine.flow import FlowRun
from laminar.engine.reuse import Reuser
from laminar.flows.annotations import asked_for
from laminar.flows.entry import LayerEntry, Split, packed, store
from laminar.flows.foreach import Grid, grid_of
from laminar.flows.hooks import Contexts, Kind
from laminar.flows.layer import Binding, Layer, Parameters, bind, binding_of
from laminar.flows.source import locate
from laminar.model.action import EntryRef, Output, Request
from laminar.model.ids import ActionKey, AttemptKey
from laminar.runs import local, source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from laminar.core.plan import Node
    from laminar.data.archives import Archives
    from laminar.engine.driver import Parts
    from laminar.flows.layer import ExecutionContract
    from laminar.model.code import Code
    from laminar.model.placement import Placement
    from laminar.model.policies import Resources

PARAMETERS = Parameters.__name__
LOADER = "laminar.flows.entry:load"


def run(
    execution: ExecutionContract, dependencies: dict[str, set[str]], parameters: dict[str, Any] | None, *, resume: bool
) -> None:
    """Run layers of an execution here.

    Args:
        execution: The execution; it has an id.
        dependencies: The layers, and what each needs; checked already.
        parameters: Values for ``Parameters``; None leaves those that there are.
        resume: Whether it is gone on with.

    Raises:
        Exception: What a layer has raised.
    """
    flow = execution.flow
    datastore = flow.configuration.datastore
    scheduler = flow.configuration.scheduler
    executor = flow.configuration.executor
    code, entry = _for_other_processes(execution)
    if not executor.inherits_environment:
        code = code.replace(env=tuple(sorted(datastore.environment().items())))
    program = FlowProgram(execution, dependencies, _packing(entry))
    layers = LayerEntry(execution)

    def driver(parts: Parts) -> FlowRun:
        plan = Plan(program.nodes(), cancel_on_failure=scheduler.on_failure == "cancel")
        fingerprints = Fingerprints(datastore.archives, program.space, program.run)
        artifacts = datastore.artifacts(flow.name)
        reuser = Reuser(program, datastore.archives, artifacts, fingerprints) if resume else None
        return FlowRun(parts, program, plan, datastore.archives, fingerprints, reuser)

    order = local.Order(
        space=program.space,
        run=program.run,
        book=RunBook(datastore.archives, program.space, program.run),
        values=layers.values,
        blobs=datastore.blobs,
        driver=driver,
        layers=list(program.nodes()),
        state_folder=datastore.state_folder(),
        executors={"": executor},
        code=code,
        entry=entry,
        call=layers.call,
        prepare=(lambda: None) if parameters is None else lambda: write_parameters(execution, parameters),
        grace=scheduler.grace,
        quiet=scheduler.quiet,
        resume=resume,
        source=source.file_of(type(flow).__module__),
        places=program.places(),
        mounts=datastore.folders(),
        server=datastore.server(),
        extras=datastore.extras,
        part_of=_part_of(),
    )
    local.run(order)


def _part_of() -> str:
    """Name the run of a server that this process runs an attempt of; empty if it does not."""
    calling = sys.modules.get("laminar.worker.calling")  # loaded in all attempts that can call
    caller = None if calling is None else calling.current.get()
    return caller.key.action.run if caller is not None and caller.version else ""


class RunBook(Book):
    """The state of a run, beside its archives."""

    def __init__(self, archives: Archives, space: str, run: str) -> None:
        """Name the run."""
        self._archives = archives
        self._space = space
        self._run = run

    def begun(self) -> bool:
        """Tell whether a layer is finished, or a split committed."""
        return self._archives.begun(self._space, self._run)

    def state(self) -> dict[str, Any] | None:
        """Read the state."""
        return self._archives.state(self._space, self._run)

    def write_state(self, state: Mapping[str, Any]) -> None:
        """Write the state."""
        self._archives.write_state(self._space, self._run, state)


def _for_other_processes(execution: ExecutionContract) -> tuple[Code, EntryRef]:
    """Tell other processes where the code of a flow is, and what to make of it; nothing if none will ask."""
    flow = execution.flow
    if not flow.configuration.executor.leaves_process:
        return source.NOWHERE, EntryRef(LOADER, None)
    code, kind = locate(flow)
    payload = {
        "space": flow.name,
        "run": execution.known_id,
        "flow": kind,
        "layers": list(flow.registry),
        "after": execution.after,
        "datastore": pickled.dumps(flow.configuration.datastore),
        "retry": execution.retry,
    }
    return code, EntryRef(LOADER, payload)


def _packing(entry: EntryRef) -> Callable[[Split], Any]:
    """Tell how splits travel to where they run: as they are, or pickled for another process."""
    if entry.payload is None:
        return lambda split: split
    by_name = not isinstance(entry.payload["flow"], bytes)
    return lambda split: packed(split, by_name=by_name)


class FlowProgram(Program):
    """A flow and an execution of it, as the engine drives them."""

    def __init__(
        self,
        execution: ExecutionContract,
        dependencies: Mapping[str, set[str]],
        pack: Callable[[Split], Any] = lambda split: split,
    ) -> None:
        """Take the layers to run, and how splits travel to where that is done."""
        self._pack = pack
        self._execution = execution
        self._flow = execution.flow
        self._nodes = self._flow.nodes(dependencies)
        self._grids: dict[str, Grid] = {}
        self._hooks = {name: self._flow.hooks(name) for name in self._nodes}
        self._live: dict[tuple[str, int], Layer] = {}
        self.space = self._flow.name
        self.run = execution.known_id

    def nodes(self) -> Mapping[str, Node]:
        """Give the graph."""
        return self._nodes

    def places(self) -> list[tuple[Placement, Resources]]:
        """List the containers and resources that the layers ask for, before any hook has changed them."""
        containers = [self._flow.registry[layer].configuration.container for layer in self._nodes]
        return [(container.placement(), container.resources()) for container in containers]

    def enters(self, layer: str) -> bool:
        """Ask the entry hooks; all of them must say yes."""
        instance = self._execution.layer(layer)
        contexts = Contexts()
        answers = contexts.enter((hook, (instance, *self._layers(hook))) for hook in self._hooks[layer][Kind.ENTRY])
        contexts.leave()
        return all(answers)

    def splits(self, layer: str) -> int:
        """Count the splits."""
        return self._grid(layer).splits

    def fans_out(self, layer: str) -> bool:
        """Tell whether the layer has a foreach."""
        return bool(self._flow.registry[layer].configuration.foreach.parameters)

    def inputs(self, layer: str, index: int) -> str:
        """Give a fingerprint of the elements that the foreach picks for a split."""
        return self._grid(layer).fingerprint(index)

    def _grid(self, layer: str) -> Grid:
        grid = self._grids.get(layer)
        if grid is None:
            parameters = tuple(self._flow.registry[layer].configuration.foreach.parameters)
            grid = self._grids[layer] = grid_of(self._execution, layer, parameters)
        return grid

    def work(self, layer: str, index: int, splits: int) -> Work:
        """Give a split as an action to carry out."""
        return SplitWork(self, layer, index, splits)

    def submit(self, layer: str, index: int, splits: int, number: int, memory: float | None) -> Submission:
        """Run the submission hooks and take the configuration as they leave it."""
        instance = self._instance(layer, index, splits, number)
        configuration = binding_of(instance).configuration
        if memory is not None:
            configuration.container.memory = memory
        contexts = Contexts()
        hooks = self._hooks[layer][Kind.SUBMISSION]
        if hooks:
            contexts.enter((hook, (instance, *self._layers(hook))) for hook in hooks)
        try:
            resources = configuration.container.resources()
        except BaseException:
            contexts.leave()
            raise
        timeout = configuration.timeout.max_runtime if configuration.timeout is not None else None
        return Submission(
            payload=self._pack(Split(layer, index, splits, self._grid(layer).picks(index), configuration)),
            env=self._environment(layer, index, splits, number, configuration.container.env),
            resources=resources,
            placement=configuration.container.placement(),
            retry=configuration.retry,
            timeout=timeout if timeout is not None else self._flow.configuration.executor.timeout,
            close=contexts.leave,
        )

    def retrying(self, layer: str, index: int) -> Callable[[], None]:
        """Run the retry hooks up to their ``yield``."""
        instance = self._live[layer, index]
        contexts = Contexts()
        contexts.enter((hook, (instance, *self._layers(hook))) for hook in self._hooks[layer][Kind.RETRY])
        return contexts.leave

    def settled(self, layer: str, index: int) -> None:
        """Forget a split."""
        self._live.pop((layer, index), None)

    def _instance(self, layer: str, index: int, splits: int, number: int) -> Layer:
        """Give the layer object of a split, the same for all its attempts, so that what hooks change stays changed."""
        instance = self._live.get((layer, index))
        if instance is None:
            registration = self._flow.registry[layer]
            binding = Binding(
                execution=self._execution,
                configuration=registration.configuration.copy(),
                index=index,
                splits=splits,
            )
            instance = self._live[layer, index] = bind(registration.layer, binding)
        binding_of(instance).attempt = number
        return instance

    def _layers(self, hook: Callable[..., Any]) -> list[Layer]:
        return [self._execution.layer(name) for name in asked_for(hook, self._flow.name, self._flow.registry)]

    def _environment(
        self, layer: str, index: int, splits: int, number: int, env: Mapping[str, str] | None
    ) -> dict[str, str]:
        return {
            **(env or {}),
            "LAMINAR_EXECUTION_ID": self.run,
            "LAMINAR_EXECUTION_RETRY": str(self._execution.retry),
            "LAMINAR_FLOW_NAME": self.space,
            "LAMINAR_LAYER_NAME": layer,
            "LAMINAR_LAYER_INDEX": str(index),
            "LAMINAR_LAYER_SPLITS": str(splits),
            "LAMINAR_LAYER_ATTEMPT": str(number),
        }


class SplitWork(Work):
    """A split, as the engine carries it out."""

    __slots__ = ("_program",)

    def __init__(self, program: FlowProgram, layer: str, index: int, splits: int) -> None:
        """Remember which."""
        super().__init__(ActionKey(program.space, program.run, layer, index), layer, splits)
        self._program = program

    def title(self) -> str:
        """Name it for people."""
        split = f", split {self.key.index} of {self.splits}" if self.splits > 1 else ""
        return f"layer {self.label}{split}"

    def submit(self, number: int, memory: float | None) -> Submission:
        """Run the submission hooks."""
        return self._program.submit(self.label, self.key.index, self.splits, number, memory)

    def retrying(self) -> Callable[[], None]:
        """Run the retry hooks up to their ``yield``."""
        return self._program.retrying(self.label, self.key.index)

    def settled(self) -> None:
        """Forget the split."""
        self._program.settled(self.label, self.key.index)


def write_parameters(execution: ExecutionContract, values: Mapping[str, Any]) -> None:
    """Store the parameters of an execution, and record them as a finished layer.

    Raises:
        DataError: A value cannot be stored.
    """
    datastore = execution.flow.configuration.datastore
    artifacts = datastore.artifacts(execution.flow.name)
    layer = Parameters(**values)
    outputs = {name: Output((store(artifacts, PARAMETERS, name, value),)) for name, value in layer.artifacts.items()}
    key = ActionKey(execution.flow.name, execution.known_id, PARAMETERS)
    datastore.archives.commit(key, SplitRecord(outputs))
    datastore.archives.finish(key.space, key.run, PARAMETERS, 1, sorted(outputs), {}, "")


def execute(execution: ExecutionContract, layer: Layer) -> None:
    """Run one split of a layer in this process and commit it.

    Raises:
        Exception: What the layer raises.
    """
    flow = execution.flow
    binding = binding_of(layer)
    program = FlowProgram(execution, flow.dependencies)
    index = binding.index or 0
    splits = binding.splits if binding.splits is not None else program.splits(layer.name)
    submission = program.submit(layer.name, index, splits, binding.attempt or 1, None)
    key = ActionKey(flow.name, execution.known_id, layer.name, index)
    attempt = AttemptKey(key, binding.attempt or 1, 0)
    request = Request(attempt, submission.payload, submission.env, submission.resources, "", "")
    manifest = LayerEntry(execution).call(request)
    submission.close()
    archives = flow.configuration.datastore.archives
    if manifest.failure is not None:
        archives.write_outputs(key, manifest.outputs)
        raise local.exception_of(manifest.failure, f"layer {layer.name}, split {index} of {splits}")
    needs = Fingerprints(archives, key.space, key.run).needs(flow.dependencies[layer.name])
    archives.commit(key, SplitRecord(manifest.outputs, inputs(program.inputs(layer.name, index), needs)))
    if splits == 1 and not program.fans_out(layer.name):
        archives.finish(key.space, key.run, layer.name, 1, sorted(manifest.outputs), {}, needs)
