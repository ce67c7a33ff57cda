"""Running tasks: ``laminar.run`` and what can be said of a run."""

from __future__ import annotations

from typing import Any, ParamSpec, TypeVar

from laminar.data.journal import Journal
from laminar.engine.contract import Book
from laminar.engine.task import ROOT, TaskRun
from laminar.errors import TaskError, UnknownRunError
from laminar.executors.contract import Executor
from laminar.executors.docker import Docker
from laminar.executors.loop import Loop
from laminar.executors.thread import Thread
from laminar.model.action import EntryRef
from laminar.model.ids import ActionKey, new_run_id
from laminar.runs import configuration, local, places, source
from laminar.tasks import registry, store
from laminar.tasks.both import begins
from laminar.tasks.choice import Choice
from laminar.tasks.deployed import Deployed
from laminar.tasks.entry import TaskEntry
from laminar.tasks.local_home import LocalHome
from laminar.tasks.program import LOADER, LOOP, THREADS, Choices, TaskCalls, TaskWork, placement
from laminar.tasks.run import Run
from laminar.tasks.scheduling import Scheduling
from laminar.tasks.secrecy import Secrecy
from laminar.tasks.task import Task
from laminar.wire.messages import Call
from laminar.worker import assignment, child
from laminar.worker.assignment import Reached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from laminar.engine.driver import Parts
    from laminar.model.code import Code

P = ParamSpec("P")
R = TypeVar("R")

#: Threads for synchronous tasks, unless the user says otherwise. They mostly wait: for children, or for the network.
SYNCHRONOUS = 32
#: Seconds that an attempt has to end by itself when it is stopped.
GRACE = 5.0


class Runner:
    """Runs tasks with what was said by :func:`with_runcontext`."""

    def __init__(self, choice: Choice) -> None:
        """Keep it."""
        self._choice = choice

    @begins
    def run(self, task: Task[..., Any], *args: Any, **kwargs: Any) -> Run:
        """Run a task; comes back once the run has begun. See :func:`laminar.run`."""
        return begin(self._choice, task, args, kwargs)

    @begins
    def resume(self, name: str) -> Run:
        """Go on with a run; see :func:`laminar.resume`."""
        return go_on(self._choice, name)


def with_runcontext(
    mode: str | None = None,
    *,
    name: str | None = None,
    executor: str | Executor | None = None,
    concurrency: int | None = None,
    env_vars: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    overwrite_cache: bool = False,
    version: str | None = None,
    copy_style: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    quiet: bool = False,
    root: str | None = None,
) -> Runner:
    """Say how tasks are to be run.

    Args:
        mode: ``"local"``, ``"remote"``; by default local, unless a server is configured.
        name: Id of the run; a new one by default.
        executor: Where tasks run: ``"process"``, ``"docker"``, an executor object, or by default in this process:
            asynchronous tasks on one event loop, synchronous ones on threads.
        concurrency: Attempts that run at a time; by default what suits the executor.
        env_vars: Environment variables for every task, below those of its own settings.
        labels: Words to find the run by.
        overwrite_cache: Whether results are made anew, and kept in place of those that other runs have kept.
        version: The version that it is recorded under.
        copy_style: Which files of the code travel to containers: ``"loaded_modules"`` (the default), ``"all"``, or
            ``"none"``, for images that hold it.
        project: The project that it belongs to.
        domain: The domain that it belongs to.
        quiet: Whether to print nothing.
        root: Folder where it is kept; by default the configured one, ``.laminar``.

    Raises:
        TaskError: One makes no sense.

    Usage::

        run = laminar.with_runcontext(executor="process", env_vars={"DEBUG": "1"}).run(train, rows=1000)
    """
    return Runner(
        Choice(
            mode,
            name,
            executor,
            concurrency,
            env_vars,
            labels,
            overwrite_cache,
            version,
            copy_style,
            project,
            domain,
            quiet,
            root,
        )
    )


class _Run:
    """``laminar.run``: a function whose ``aio`` is awaited."""

    __name__ = "run"

    def __call__(self, task: Task[..., Any], *args: Any, **kwargs: Any) -> Run:
        """Run a task, here unless a server is configured. Comes back once the run has begun.

        For a server, what the task needs is deployed first, as :func:`laminar.deploy` does.

        Args:
            task: The task; or, by :class:`laminar.remote.Task`, one that is deployed.
            *args: Its arguments.
            **kwargs: Its arguments by name.

        Returns:
            The run: wait for it, ask for its result, its logs, its actions.

        Raises:
            TaskError: It is no task.
            TaskInputError: An argument does not fit.
            StorageError: The folder of runs cannot be written.
            DeploymentError: It is to run on a server, and cannot be deployed as it is.
            ServerError: The server cannot be reached, or refuses.

        Usage::

            run = laminar.run(etl, source="data.csv")
            print(run.name, run.result())
        """
        return begin(Choice(), task, args, kwargs)

    async def aio(self, task: Task[..., Any], *args: Any, **kwargs: Any) -> Run:
        """Run a task, as the plain call does, without blocking the event loop."""
        return await Runner(Choice()).run.aio(task, *args, **kwargs)


run = _Run()


def resume(name: str) -> Run:
    """Go on with a run where it failed, was stopped, or its process died.

    What its calls have returned before is kept; the code may have changed in between.

    Args:
        name: Its id, or an unambiguous beginning of it.

    Raises:
        UnknownRunError: There is none.
        RunHeldError: Another process drives it.
    """
    return go_on(Choice(), name)


def begin(choice: Choice, task: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Run:
    """Begin a run."""
    if isinstance(task, Deployed):
        return _begin_deployed(choice, task, args, kwargs)
    if not isinstance(task, Task):
        raise TaskError(f"laminar.run expects a task, got {task!r}. Make the function one with @env.task.")
    _stop_if_assigned(task.name)
    if _is_remote(choice):
        from laminar.tasks import sending  # 150 ms, and only for who has a server

        return Run(sending.begin(choice, task, args, kwargs))
    arguments = task.interface.bind(task.name, args, dict(kwargs))
    root = store.root(choice.root)
    inputs = task.pack(store.values(root), arguments)
    return _start(choice, task, inputs, root, choice.name or new_run_id(), resuming=False)


def _begin_deployed(choice: Choice, task: Deployed, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Run:
    """Begin a run of a task that is deployed, which is where it runs."""
    _stop_if_assigned(task.name)
    if choice.mode == "local":
        raise TaskError(f"{task.name} is deployed on a server and runs there: leave out mode='local'.")
    from laminar.tasks import sending  # 150 ms, and only for who has a server

    return Run(sending.begin_deployed(choice, task, args, kwargs))


def go_on(choice: Choice, name: str) -> Run:
    """Go on with a run."""
    if _is_remote(choice):
        from laminar.tasks import sending  # as above

        return Run(sending.resume(choice, name))
    root = store.root(choice.root)
    found = LocalHome.find(name, root)
    _stop_if_assigned(found.task)
    noted = Journal(store.blobs(root), found.name).noted()
    if "inputs" not in noted:
        raise UnknownRunError(f"Run {found.name} was stopped before its inputs were kept. Start it again.")
    task = registry.find(found.task, noted["module"], Task)
    choice = _as_before(choice, noted)
    return _start(choice, task, bytes.fromhex(noted["inputs"]), root, found.name, resuming=True)


def _as_before(choice: Choice, noted: Mapping[str, Any]) -> Choice:
    """Go on as the run was begun, where nothing else is said."""
    return choice.replace(
        env_vars=choice.env_vars or noted.get("env_vars"),
        executor=choice.executor or noted.get("executor"),
        concurrency=choice.concurrency or noted.get("concurrency"),
        overwrite_cache=choice.overwrite_cache or noted.get("overwrite_cache", False),
    )


def _stop_if_assigned(task: str) -> None:
    """In a process that only runs attempts, go no further: the script has come to its run."""
    assigned = assignment.current()
    if assigned is None:
        return
    if assigned.attempt is not None and assigned.attempt.entry.loader == LOADER:
        child.perform(assigned.attempt)
    if assigned.stops:
        raise Reached
    raise TaskError(f"{task} cannot be run in a process that only loads code. Call laminar.run under a guard.")


def _is_remote(choice: Choice) -> bool:
    """Tell whether a run goes to a server: if that is said, or if one is configured and nothing is said."""
    return choice.mode == "remote" or (choice.mode is None and configuration.current().endpoint is not None)


def _start(choice: Choice, task: Task[..., Any], inputs: bytes, root: str, name: str, *, resuming: bool) -> Run:
    order = _Order(choice, task, inputs, root, name, resuming=resuming).order()
    scheduling = Scheduling(order)
    scheduling.start()
    return Run(LocalHome(name, task.name, root, scheduling))


class _Order:
    """Puts together all that a run of a task needs to be told."""

    def __init__(
        self, choice: Choice, task: Task[..., Any], inputs: bytes, root: str, name: str, *, resuming: bool
    ) -> None:
        self._choice = choice
        self._task = task
        self._inputs = inputs
        self._root = root
        self._name = name
        self._resuming = resuming
        self._values = store.values(root)
        self._journal = Journal(store.blobs(root), name)
        self._executors = _executors(choice)
        self._choices = Choices(
            self._executors,
            env_vars=choice.env_vars,
            reads_cache=not choice.overwrite_cache,
            secrecy=Secrecy(root),
        )

    def order(self) -> local.Order:
        """Give the order."""
        code, entry = self._code()
        worker = TaskEntry(self._values)
        return local.Order(
            space=self._task.name,
            run=self._name,
            book=TaskBook(self._journal),
            values=self._values,
            blobs=self._journal.blobs,
            driver=self._driver,
            layers=[],
            state_folder=self._root,
            executors=self._executors,
            code=code,
            entry=entry,
            call=worker.call,
            prepare=self._note,
            grace=GRACE,
            quiet=self._choice.quiet,
            resume=self._resuming,
            source=source.file_of(self._task.module),
            places=self._places(),
            mounts=[self._root],
            server=None,
            extras=(),
            call_async=worker.call_async if LOOP in self._executors else None,
            calls=TaskCalls(self._choices),
        )

    def _driver(self, parts: Parts) -> TaskRun:
        key = ActionKey(self._task.name, self._name, ROOT)
        work = TaskWork(self._task, key, self._inputs, 0, self._choices)
        cache = self._task.cache_key(self._values.unpack_arguments(self._inputs), read=self._choices.reads_cache)
        call = Call(ROOT, self._task.name, self._task.module, self._inputs, "", b"", cache)
        return TaskRun(parts, work, call)

    def _note(self) -> None:
        if not self._resuming:
            self._journal.note(
                {
                    "task": self._task.name,
                    "module": self._task.module,
                    "inputs": self._inputs.hex(),
                    "labels": dict(self._choice.labels or {}),
                    "env_vars": dict(self._choice.env_vars or {}),
                    "executor": self._choice.executor if isinstance(self._choice.executor, str) else None,
                    "concurrency": self._choice.concurrency,
                    "overwrite_cache": self._choice.overwrite_cache,
                    "version": self._choice.version,
                    "project": self._choice.project or configuration.current_project(),
                    "domain": self._choice.domain or configuration.current_domain(),
                }
            )
            self._journal.flush()

    def _code(self) -> tuple[Code, EntryRef]:
        """Tell other processes where the code of the tasks is; nothing if none will ask."""
        if LOOP in self._executors:
            return source.NOWHERE, EntryRef(LOADER, None)
        code, found = source.code_of([self._task.module])
        if not found:
            raise TaskError(
                f"Task {self._task.name} is defined in a notebook, where other processes cannot find it. Put it into a "
                "module, or run it in this process: without executor=…"
            )
        code = code.replace(include=registry.included())
        payload = {"space": self._task.name, "run": self._name, "values": self._values}
        return code, EntryRef(LOADER, payload)

    def _places(self) -> list[Any]:
        tasks = [registry.find(name, "__main__", Task) for name in registry.names()]
        mine = [task for task in tasks if task.environment in self._environments()]
        return [(placement(task.settings), task.settings.resources) for task in mine]

    def _environments(self) -> set[str]:
        return {self._task.environment}


def _executors(choice: Choice) -> dict[str, Executor]:
    """Choose where tasks run, by lane."""
    configured = configuration.current()
    chosen = choice.executor if choice.executor is not None else configured.executor
    concurrency = choice.concurrency if choice.concurrency is not None else configured.concurrency
    if chosen is None:
        return {LOOP: Loop(concurrency=concurrency), THREADS: Thread(concurrency=concurrency or SYNCHRONOUS)}
    if isinstance(chosen, Executor):
        return {"": chosen}
    executor = places.executor(chosen, f"executor={chosen!r}")
    if concurrency is not None:
        executor.concurrency = concurrency
    if isinstance(executor, Docker) and choice.copy_style is not None:
        executor.copy_style = choice.copy_style
    if isinstance(executor, Thread):
        return {LOOP: Loop(concurrency=concurrency), THREADS: Thread(concurrency=concurrency or SYNCHRONOUS)}
    return {"": executor}


class TaskBook(Book):
    """The state of a run, in its journal."""

    def __init__(self, journal: Journal) -> None:
        """Take the journal."""
        self._journal = journal

    def begun(self) -> bool:
        """Tell whether its inputs were kept."""
        return "inputs" in self._journal.noted()

    def state(self) -> dict[str, Any] | None:
        """Read the state."""
        return self._journal.noted().get("state")

    def write_state(self, state: Mapping[str, Any]) -> None:
        """Write the state."""
        self._journal.note({"state": dict(state)})
        self._journal.flush()
