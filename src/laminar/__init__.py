"""laminar: workflows in plain Python, container first, from a laptop to a cluster.

Importing it loads nothing; each name is loaded when it is first used.
"""

from __future__ import annotations

from laminar.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.flows.accessor import Accessor as Accessor
    from laminar.flows.execution import Execution as Execution
    from laminar.flows.flow import Flow as Flow
    from laminar.flows.layer import Layer as Layer
    from laminar.flows.layer import Parameters as Parameters
    from laminar.packaging.image import Image as Image

__version__ = VERSION

_HOMES = {
    "Accessor": "laminar.flows.accessor",
    "Execution": "laminar.flows.execution",
    "Flow": "laminar.flows.flow",
    "Image": "laminar.packaging.image",
    "Layer": "laminar.flows.layer",
    "Parameters": "laminar.flows.layer",
}

__all__ = ["Accessor", "Execution", "Flow", "Image", "Layer", "Parameters", "__version__"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'laminar' has no attribute {name!r}")
    from importlib import import_module  # front doors are loaded by name, so that importing laminar costs nothing

    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
