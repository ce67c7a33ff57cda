"""A flow with its layers, as what can be deployed."""

from __future__ import annotations

import functools

from laminar.errors import DeploymentError
from laminar.flows import flow as flows
from laminar.flows.specs import name_of, spec_of, spec_of_layer
from laminar.runs.deployables import FLOW, Deployable, Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.flows.flow import Flow
    from laminar.flows.layer import Registration

#: Settings of executors that tell how containers are joined to the machine that runs them.
OF_THE_MACHINE = ("mounts", "extra_hosts", "network")


def deployable(given: Flow | type[Flow]) -> Deployable:
    """Describe a flow; a class as its file has made it last, or as it is made by default.

    Raises:
        FlowError: Its layers make no graph.
        DeploymentError: It or a layer is defined where other processes cannot find it.
    """
    kind = given if isinstance(given, type) else type(given)
    made = [given] if isinstance(given, flows.Flow) else [one for one in flows.made if type(one) is kind]
    flow = made[-1] if made else kind()
    flow.nodes()
    executor: Any = flow.configuration.executor
    own = getattr(executor, "image", None)
    layers = [one for name, one in flow.registry.items() if name != flows.PARAMETERS]
    for code in (kind, *(one.layer for one in layers)):
        _refuse_local(flow.name, code)
    _refuse_settings(flow.name, executor)
    return Deployable(
        kind=FLOW,
        name=flow.name,
        description="",
        source=kind,
        parts=(_scheduler(kind, layers, own), *(_layer(flow.name, one, executor, own) for one in layers)),
        modules=tuple(dict.fromkeys((kind.__module__, *(one.layer.__module__ for one in layers)))),
    )


def _scheduler(kind: type[Flow], layers: list[Registration], image: Any) -> Part:
    names = tuple(name_of(kind.__name__, one) for one in layers)
    return Part(kind.__name__, kind, image, functools.partial(spec_of, kind, names))


def _layer(flow: str, registration: Registration, executor: Any, image: Any) -> Part:
    chosen = registration.configuration.container.image or image
    spec = functools.partial(spec_of_layer, flow, registration, executor)
    return Part(name_of(flow, registration), registration.layer, chosen, spec)


def _refuse_settings(flow: str, executor: Any) -> None:
    """Refuse what an executor is to give its containers of this machine: a server has an executor of its own."""
    for name in OF_THE_MACHINE:
        value = getattr(executor, name, None)
        if value:
            raise DeploymentError(
                f"Flow {flow}: {type(executor).__name__}({name}={value!r}) is for containers that this machine runs, "
                f"and a server runs them as it is set up. Deploy the flow without it: {flow}(executor=…)."
            )


def _refuse_local(flow: str, kind: type) -> None:
    if "<locals>" in kind.__qualname__:
        raise DeploymentError(
            f"Flow {flow}: {kind.__name__} is defined inside a function, where no other process can find it. "
            "Define it at the top of a module."
        )
