"""What a flow and its layers are, as plain data that a server keeps."""

from __future__ import annotations

import os

from laminar.errors import DeploymentError
from laminar.model.placement import WORKDIR
from laminar.model.triggers import TriggerTime
from laminar.wire.specs import FLOW, LAYER, EntitySpec, ResourcesSpec, ReuseSpec, TimeoutSpec, TriggerSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.flows.flow import Flow
    from laminar.flows.layer import Layer, Registration
    from laminar.model.triggers import Trigger

#: What makes the entries in a worker: of the scheduler of a flow, and of its layers.
SCHEDULER_LOADER, LAYER_LOADER = "laminar.flows.served:scheduler", "laminar.flows.served:layer"


def spec_of(flow: type[Flow], layers: tuple[str, ...], image: str | None, calls: tuple[str, ...]) -> EntitySpec:
    """Describe a flow: the action that drives it.

    Args:
        flow: The flow.
        layers: Full names of its layers.
        image: Name of the image of its scheduler; None for the executor's own.
        calls: Names of the tasks that its hooks call.
    """
    return EntitySpec(
        kind=FLOW,
        name=flow.__name__,
        module=flow.__module__,
        qualname=flow.__qualname__,
        environment=flow.__name__,
        doc=_summary(flow),
        loader=SCHEDULER_LOADER,
        image=image,
        calls=calls,
        triggers=tuple(_trigger(flow.__name__, trigger) for trigger in flow._triggers),
        layers=layers,
    )


def name_of(flow: str, registration: Registration) -> str:
    """Give the full name of a layer."""
    return f"{flow}.{registration.layer.__name__}"


def _trigger(flow: str, trigger: Trigger) -> TriggerSpec:
    import msgspec  # loaded by specifications already

    inputs = {name: value for name, value in (trigger.inputs or {}).items() if value != TriggerTime}
    for name, value in inputs.items():
        try:
            same = msgspec.json.decode(msgspec.json.encode(value)) == value
        except (TypeError, ValueError, RecursionError):
            same = False
        if not same:
            raise DeploymentError(
                f"Trigger {trigger.name!r} of flow {flow}: JSON cannot say the input {name}={value!r}. "
                "Give text, numbers, lists or dictionaries of these."
            )
    return TriggerSpec.of(trigger, inputs)


def spec_of_layer(
    flow: str, registration: Registration, executor: Any, image: str | None, calls: tuple[str, ...]
) -> EntitySpec:
    """Describe a layer. Of retries and its own time-out it says nothing: the flow's scheduler decides.

    Args:
        flow: Name of the flow.
        registration: The layer, and how it is configured.
        executor: What the flow runs it by elsewhere, whose settings hold where the layer says nothing.
        image: Name of its image; None for the executor's own.
        calls: Names of the tasks that it calls.
    """
    layer, container = registration.layer, registration.configuration.container
    workdir = os.path.normpath(container.workdir)
    reuse = container.reuse or getattr(executor, "reuse", None)
    return EntitySpec(
        kind=LAYER,
        name=name_of(flow, registration),
        module=layer.__module__,
        qualname=layer.__qualname__,
        environment=flow,
        doc=_summary(layer),
        loader=LAYER_LOADER,
        image=image,
        resources=ResourcesSpec.of(container.resources()),
        env_vars=dict(container.env or {}),
        timeout=None if executor.timeout is None else TimeoutSpec(max_runtime=executor.timeout),
        reusable=None if reuse is None else ReuseSpec.of(reuse),
        command=container.command,
        workdir=None if workdir == WORKDIR else workdir,
        calls=calls,
    )


def _summary(kind: type[Flow] | type[Layer]) -> str:
    """Give the first paragraph of a class's own docstring, in one line."""
    text = (vars(kind).get("__doc__") or "").strip()
    return " ".join(text.partition("\n\n")[0].split())
