"""Where the code of a flow is, so that another process can load it."""

from __future__ import annotations

import sys

from laminar.data.serde import pickled
from laminar.errors import FlowError, UnpicklableArtifactError
from laminar.flows.layer import Parameters
from laminar.runs import source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.flows.layer import ExecutionContract, FlowContract
    from laminar.model.code import Code


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
    code, found = source.code_of(modules)
    addressed = found and _has_address(type(flow))
    if addressed:
        return code, (type(flow).__module__, type(flow).__qualname__)
    try:
        return code.replace(script=None, module=None, imports=()), pickled.dumps(type(flow))
    except UnpicklableArtifactError as error:
        raise FlowError(
            f"Flow {flow.name} is defined where other processes cannot find it, and cannot be sent to them: {error}. "
            "Define it and its layers at the top of a module, or use executors.Thread()."
        ) from error


def _has_address(kind: type) -> bool:
    found: Any = sys.modules.get(kind.__module__)
    for part in kind.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is kind
