"""Where the code of a flow is, so that another process can load it."""

from __future__ import annotations

import os
import sys

from laminar.data.serde import pickled
from laminar.errors import FlowError, UnpicklableArtifactError
from laminar.flows.layer import Parameters
from laminar.model.code import Code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.flows.layer import ExecutionContract, FlowContract


#: For executors that do not leave this process.
NOWHERE = Code(None, None, (), (), (), "")


def locate(flow: FlowContract[ExecutionContract]) -> tuple[Code, tuple[str, str] | bytes]:
    """Find out how another process gets at a flow.

    Raises:
        FlowError: It has no address and cannot be pickled.

    Returns:
        How to load the code, and the flow's class as ``(module, qualified name)``; or, for a class that has no such
        address (of a notebook, or made inside a function), the class itself with its definition, pickled.
    """
    classes = [type(flow), *(registration.layer for registration in flow.registry.values())]
    modules = dict.fromkeys(kind.__module__ for kind in classes if kind is not Parameters)
    main = sys.modules.get("__main__")
    script = module = None
    addressed = _has_address(type(flow))
    if "__main__" in modules:
        spec = getattr(main, "__spec__", None)
        file = getattr(main, "__file__", None)
        if spec is not None:
            module = spec.name
        elif file is not None and os.path.isfile(file):
            script = os.path.abspath(file)
        else:
            addressed = False
    imports = tuple(name for name in modules if name != "__main__") if addressed else ()
    code = Code(script, module, imports, tuple(map(str, sys.path)), tuple(sys.argv), os.getcwd())
    if addressed:
        return code, (type(flow).__module__, type(flow).__qualname__)
    try:
        return code.replace(script=None, module=None), pickled.dumps(type(flow))
    except UnpicklableArtifactError as error:
        raise FlowError(
            f"Flow {flow.name} is defined where other processes cannot find it, and cannot be sent to them: {error}. "
            "Define it and its layers at the top of a module, or use executors.Thread()."
        ) from error


def file_of(flow: FlowContract[ExecutionContract]) -> str | None:
    """Name the file that a flow comes from, as it was started: it also knows how the flow is configured.

    Returns:
        The file; ``-m`` and the name of a module, if it was started so; None if there is neither, as in a notebook.
    """
    name = type(flow).__module__
    main: Any = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None and (name == "__main__" or name.partition(".")[0] == spec.name.partition(".")[0]):
        return f"-m {spec.name.removesuffix('.__main__')}"
    started = sys.argv[0] if spec is None and getattr(main, "__file__", None) is not None else ""
    own = getattr(sys.modules.get(name), "__file__", None)
    for file in (started if started.endswith(".py") else None, own):
        if file is not None and os.path.isfile(file):
            return os.path.abspath(file)
    return None


def _has_address(kind: type) -> bool:
    found: Any = sys.modules.get(kind.__module__)
    for part in kind.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is kind
