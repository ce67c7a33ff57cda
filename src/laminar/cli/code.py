"""The user's file: loading it, and finding flows in it."""

from __future__ import annotations

import os
import sys

from laminar.errors import CodeLoadError, FlowError, nearest
from laminar.model.tracebacks import own_traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from laminar.flows.datastores import DataStore
    from laminar.flows.flow import Flow


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
        raise FlowError(f"{file} is a folder. Name the Python file that defines the flow.")
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

    from laminar.worker import assignment, loading  # 15 ms that help texts do not need

    path = path_of(file)
    name = _module_name(file, path)
    go_first(path)
    loader = SourceFileLoader(name, path)
    spec = spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    assignment.assign(assignment.Assignment(flow, "", stops=True))
    try:
        return loading.execute(module_from_spec(spec), loader)
    except (Exception, SystemExit) as error:
        raise CodeLoadError(f"{file} could not be imported:\n{own_traceback(error).rstrip()}") from None
    finally:
        assignment.assign(None)


def _module_name(file: str, path: str) -> str:
    name, suffix = os.path.splitext(os.path.basename(path))
    if suffix != ".py" or "." in name:
        raise FlowError(f"{file} cannot be imported by the processes that run layers. Name it like main.py.")
    if name in sys.modules or name in sys.stdlib_module_names:
        raise FlowError(f"{file} bears the name of a module that Python or laminar uses: {name}. Give it another.")
    return name


def flows_in(module: ModuleType) -> dict[str, type[Flow]]:
    """Find the flows that a module knows by name, and those that loading it has made."""
    from laminar.flows.flow import Flow, made  # 40 ms that help texts do not need

    kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Flow)]
    kinds += [type(flow) for flow in made]
    return {kind.__name__: kind for kind in reversed(kinds) if kind is not Flow}


def find(module: ModuleType, name: str) -> type[Flow]:
    """Find a flow by name.

    Raises:
        FlowError: There is none; the message names the nearest.
    """
    known = flows_in(module)
    if name not in known:
        file = os.path.relpath(module.__file__ or module.__name__)
        raise FlowError(f"{file} has no flow {name!r}.{nearest(name, known)}")
    return known[name]


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
