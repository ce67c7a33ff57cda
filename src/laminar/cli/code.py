"""The user's file: loading it, and finding tasks and flows in it."""

from __future__ import annotations

import contextlib
import os
import sys

from laminar.errors import CodeLoadError, FlowError, TaskError, nearest
from laminar.model.tracebacks import own_traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType
    from typing import Any, TypeAlias

    from laminar.flows.datastores import DataStore
    from laminar.flows.flow import Flow
    from laminar.tasks.task import Task

    AnyTask: TypeAlias = Task[..., Any]


def path_of(file: str) -> str:
    """Give the absolute path of a file that is there.

    Raises:
        FlowError: It is not; the message names the nearest that are.
    """
    path = os.path.abspath(file)
    if os.path.isfile(path):
        return path
    folder, name = os.path.split(path)
    if os.path.isdir(path):
        raise FlowError(f"{file} is a folder. Name the Python file that defines what is to run.")
    if not os.path.isdir(folder):
        raise FlowError(f"There is no folder {folder}, so no file {file}.")
    known = [other for other in os.listdir(folder) if other.endswith(".py")]
    raise FlowError(f"There is no file {file}.{nearest(name, known)}")


def go_first(path: str, arguments: tuple[str, ...] = ()) -> None:
    """Let a file find its neighbours and its arguments, as if Python had been started with it."""
    program = os.path.dirname(os.path.realpath(sys.argv[0]))
    if sys.path and os.path.realpath(sys.path[0]) == program:
        del sys.path[0]  # where the laminar program itself lies
    sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
    sys.argv[:] = [path, *arguments]


def load(file: str, flow: str) -> ModuleType:
    """Import a file by its name, for its definitions: guards are false, and calls of flows do nothing.

    Args:
        file: The file.
        flow: The flow that is looked for; a file that calls it without a guard is read no further.

    Raises:
        FlowError: There is no such file, or it cannot be imported under its name.
        CodeLoadError: It raised; the message holds its own traceback.
    """
    from importlib.machinery import SourceFileLoader  # the file is only known now
    from importlib.util import module_from_spec, spec_from_file_location

    from laminar.worker import loading  # 15 ms that help texts do not need

    path = path_of(file)
    name = _module_name(file, path)
    go_first(path)
    loader = SourceFileLoader(name, path)
    spec = spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    with _for_definitions(file, flow):
        return loading.execute(module_from_spec(spec), loader)


def load_as_main(file: str, start: Callable[[], object]) -> None:
    """Execute a file as ``__main__``, for its definitions: it is left where it comes to a run.

    Args:
        file: The file, or the name of a module.
        start: Executes it.

    Raises:
        CodeLoadError: It raised; the message holds its own traceback.
    """
    with _for_definitions(file, ""):
        start()


@contextlib.contextmanager
def _for_definitions(file: str, flow: str) -> Iterator[None]:
    """Let this process only load code meanwhile. What it prints is no answer, and goes to standard error."""
    from laminar.worker import assignment  # 15 ms that help texts do not need

    assignment.assign(assignment.Assignment(flow, "", stops=True))
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (Exception, SystemExit) as error:
        raise CodeLoadError(f"{file} could not be imported:\n{own_traceback(error).rstrip()}") from None
    finally:
        assignment.assign(None)


def _module_name(file: str, path: str) -> str:
    name, suffix = os.path.splitext(os.path.basename(path))
    if suffix != ".py" or "." in name:
        raise FlowError(f"{file} cannot be imported by other processes. Name it like main.py.")
    if name in sys.modules or name in sys.stdlib_module_names:
        raise FlowError(f"{file} bears the name of a module that Python or laminar uses: {name}. Give it another.")
    return name


def flows_in(module: ModuleType) -> dict[str, type[Flow]]:
    """Find the flows that a module knows by name, and those that loading it has made."""
    if "laminar.flows.flow" not in sys.modules:
        return {}
    from laminar.flows.flow import Flow, made  # loaded by the file, which may have flows

    kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Flow)]
    kinds += [type(flow) for flow in made]
    return {kind.__name__: kind for kind in reversed(kinds) if kind is not Flow}


def tasks_in(module: ModuleType) -> dict[str, AnyTask]:
    """Find the tasks that a module knows, by the names that it has for them."""
    if "laminar.tasks.task" not in sys.modules:
        return {}
    from laminar.tasks.task import Task  # loaded by the file, which may have tasks

    return {name: value for name, value in vars(module).items() if isinstance(value, Task)}


def file_of(module: ModuleType) -> str:
    """Give the path of a module's file, as people write it."""
    return os.path.relpath(module.__file__ or module.__name__)


def find(module: ModuleType, name: str) -> type[Flow]:
    """Find a flow by name.

    Raises:
        FlowError: There is none; the message names the nearest.
    """
    known = flows_in(module)
    if name not in known:
        raise FlowError(f"{file_of(module)} has no flow {name!r}.{nearest(name, known)}")
    return known[name]


def target(module: ModuleType, name: str) -> AnyTask | type[Flow]:
    """Find what a name stands for: a variable that holds a task, a task's short or full name, or a flow.

    Raises:
        FlowError: Nothing bears that name; the message names the nearest.
        TaskError: It is the short name of several tasks.
    """
    tasks, flows = tasks_in(module), flows_in(module)
    if name in tasks:
        return tasks[name]
    if name in flows:
        return flows[name]
    found = {task.name: task for task in tasks.values() if name in (task.name, task.short_name)}
    if len(found) > 1:
        raise TaskError(f"{name!r} is short for {' and '.join(sorted(found))}. Give the full name.")
    if not found and name in vars(module) and callable(vars(module)[name]):
        raise FlowError(
            f"{name} in {file_of(module)} is neither a task nor a flow. Make a function a task by @env.task."
        )
    if not found:
        raise _nothing(file_of(module), name, tasks, flows)
    return next(iter(found.values()))


def _nothing(file: str, name: str, tasks: dict[str, AnyTask], flows: dict[str, type[Flow]]) -> FlowError:
    """Make the error for a name that stands for nothing."""
    environment, dot, _ = name.rpartition(".")
    full = {task.name for task in tasks.values()}
    environments = {task.environment for task in tasks.values()}
    if tasks and dot and environment not in environments:
        return FlowError(f"{file} has no environment {environment!r}.{nearest(environment, environments)}")
    known = full if dot else {*tasks, *(task.short_name for task in tasks.values()), *flows}
    what = "task or flow" if bool(tasks) == bool(flows) else "task" if tasks else "flow"
    return FlowError(f"{file} has no {what} {name!r}.{nearest(name, known)}")


def configured(kind: type[Flow], datastore: str | None = None, executor: str | None = None) -> Flow:
    """Give the flow as its file has made it last, or as it is made by default.

    Args:
        kind: The flow's class.
        datastore: Root of another datastore.
        executor: Name of another executor.

    Raises:
        FlowError: There is no such executor, or the parts cannot work together.
    """
    from laminar.flows.flow import made  # 40 ms that help texts do not need
    from laminar.runs import places

    own = next((flow for flow in reversed(made) if type(flow) is kind), None)
    if own is not None and datastore is None and executor is None:
        return own
    chosen = None if executor is None else places.executor(executor, f"--executor {executor}")
    if own is None:
        own = kind()
    before = own.configuration
    return kind(
        datastore=before.datastore if datastore is None else datastore_at(datastore),
        executor=before.executor if chosen is None else chosen,
        scheduler=before.scheduler,
    )


def datastore_at(root: str) -> DataStore:
    """Give the datastore of an address: a folder, or a bucket by its scheme.

    Raises:
        FlowError: The address is of neither kind.
    """
    from laminar.flows import datastores  # 12 ms that help texts do not need

    kinds = {"s3": datastores.S3, "gs": datastores.GCS, "az": datastores.Azure}
    scheme, separator, _ = root.partition("://")
    return kinds.get(scheme, datastores.Local)(root) if separator else datastores.Local(root)
