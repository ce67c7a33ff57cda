"""Calls of tasks as the engine carries them out."""

from __future__ import annotations

from laminar.engine.contract import INTERRUPTED, Submission, Work
from laminar.model.action import EntryRef
from laminar.model.placement import WORKDIR, Placement
from laminar.runs.calls import Calls
from laminar.tasks import registry, store
from laminar.tasks.payload import Payload
from laminar.tasks.secrecy import Secrecy
from laminar.tasks.settings import decoded
from laminar.tasks.task import Task

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from laminar.data.values import Values
    from laminar.executors.contract import Executor
    from laminar.model.ids import ActionKey
    from laminar.tasks.settings import Settings
    from laminar.wire.messages import Call

LOADER = "laminar.tasks.entry:load"
#: Lanes of runs whose actions stay in the scheduler's process: coroutines on one loop, all else on threads.
LOOP, THREADS = "loop", "threads"


class Choices:
    """What holds for all calls of a run.

    Attributes:
        executors: Where attempts run, by lane.
        entry: What runs calls, if that is another entry than the run's.
        env_vars: Environment variables for every task.
        reads_cache: Whether results that other runs have kept may be used.
        secrecy: The secrets of the run.
    """

    def __init__(
        self,
        executors: Mapping[str, Executor],
        *,
        entry: EntryRef | None = None,
        env_vars: Mapping[str, str] | None = None,
        reads_cache: bool = True,
        secrecy: Secrecy,
    ) -> None:
        """Keep them."""
        self.executors = executors
        self.entry = entry
        self.env_vars = dict(env_vars or {})
        self.reads_cache = reads_cache
        self.secrecy = secrecy


class TaskCalls(Calls):
    """Makes actions of task calls."""

    def __init__(self, choices: Choices) -> None:
        """Remember what holds for all of them."""
        self._choices = choices

    def work(self, call: Call, key: ActionKey, depth: int) -> Work:
        """Make an action of a call."""
        task = registry.find(call.task, call.module, Task)
        if call.overrides:
            task = task.override(**decoded(call.overrides))
        return TaskWork(task, key, call.inputs, depth, self._choices)


def calls(executors: Mapping[str, Executor], values: Values) -> TaskCalls:
    """Make the actions of calls that layers make, where layers run."""
    entry = EntryRef(LOADER, {"values": values})
    return TaskCalls(Choices(executors, entry=entry, secrecy=Secrecy(store.root())))


class TaskWork(Work):
    """A call of a task, as the engine carries it out."""

    __slots__ = ("_choices", "_inputs", "_task")
    unready = "it could not be made ready"

    def __init__(self, task: Task[..., Any], key: ActionKey, inputs: bytes, depth: int, choices: Choices) -> None:
        """Take the call.

        Args:
            task: The task, with the overrides of the call.
            key: The action's name.
            inputs: The arguments, packed.
            depth: How deep below the first action.
            choices: What holds for all calls of the run.
        """
        lane = "" if "" in choices.executors else LOOP if task.is_async else THREADS
        super().__init__(key, task.name, 1, lane, depth)
        self._task = task
        self._inputs = inputs
        self._choices = choices
        settings = task.settings
        if settings.timeout is not None:
            self.max_queued = settings.timeout.max_queued_time
            self.deadline = settings.timeout.deadline
        if settings.interruptible:
            self.excused = INTERRUPTED

    def title(self) -> str:
        """Name it for people."""
        return f"task {self.label} ({self.key.name})"

    def submit(self, number: int, memory: float | None) -> Submission:
        """Make an attempt ready."""
        settings = self._task.settings
        choices = self._choices
        executor = choices.executors[self.lane]
        variables = {**choices.env_vars, **settings.env_vars} if settings.env_vars else choices.env_vars
        given = choices.secrecy.of(settings) if settings.secrets else ()
        if given:
            named = {secret.variable: value for secret, value in given if secret.variable is not None}
            variables = {**variables, **named}
        inside = not executor.leaves_process
        payload = Payload(
            self.label,
            self._task.module,
            self._inputs,
            choices.reads_cache,
            inside,
            tuple(variables.items()) if variables else (),
            given,
            choices.secrecy.values if executor.inherits_environment else tuple(value for _, value in given),
        )
        timeout = settings.timeout.max_runtime if settings.timeout is not None else None
        return Submission(
            payload=payload,
            env={} if inside else self._environment(number),
            resources=settings.resources if memory is None else settings.resources.replace(memory=memory),
            placement=placement(settings),
            retry=self._task.retry,
            timeout=executor.timeout if timeout is None else timeout,
            close=_nothing,
            entry=choices.entry,
        )

    def _environment(self, number: int) -> dict[str, str]:
        return {
            "LAMINAR_RUN_ID": self.key.run,
            "LAMINAR_ACTION_NAME": self.key.name,
            "LAMINAR_ACTION_ATTEMPT": str(number),
            "LAMINAR_TASK_NAME": self.label,
        }

    def retrying(self) -> Callable[[], None]:
        """Do nothing: tasks have no retry hooks."""
        return _nothing

    def settled(self) -> None:
        """Do nothing: nothing is kept of it here."""


def placement(settings: Settings) -> Placement:
    """Give the container that a task asks for."""
    if settings.image is None and settings.reusable is None:
        return PLAIN
    return Placement(settings.image, None, WORKDIR, None, settings.reusable)


PLAIN = Placement(None, None, WORKDIR, None, None)


def _nothing() -> None:
    pass
