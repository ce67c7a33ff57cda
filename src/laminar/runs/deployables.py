"""What can be deployed: an environment of tasks, or a flow, as the rooms above describe them."""

from __future__ import annotations

import importlib

from laminar.errors import DeploymentError
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from laminar.packaging.image import Image
    from laminar.wire.specs import EntitySpec

ENVIRONMENT, FLOW = "environment", "flow"
#: The attribute that names what makes a :class:`Deployable` of an object: ``module:function``.
HOOK = "__laminar_deployable__"


class Part(Value, frozen=True):
    """A task, a flow's scheduler, or a layer.

    Attributes:
        name: Its full name.
        code: The function or the class that it runs; what it calls belongs to the deployment too.
        image: What its container is made of: the name of an image, an image to build, or None for the executor's own.
        spec: Makes its specification, given the image's name and the names of the tasks that it calls.
    """

    name: str
    code: Any
    image: str | Image | None
    spec: Callable[[str | None, tuple[str, ...]], EntitySpec]


class Deployable(Value, frozen=True):
    """An environment or a flow.

    Attributes:
        kind: Which of them.
        name: Its name.
        description: What it is for.
        source: The object that it is.
        parts: Its tasks; or the flow, and then its layers.
        modules: Names of the modules that define it.
        include: Paths and patterns of files that its code needs beside Python files.
        needs: What is deployed with it.
        declares: Whether ``needs`` must name all that its code calls; otherwise what is called is simply deployed too.
    """

    kind: str
    name: str
    description: str
    source: Any
    parts: tuple[Part, ...]
    modules: tuple[str, ...]
    include: tuple[str, ...] = ()
    needs: tuple[Any, ...] = ()
    declares: bool = False


def is_deployable(value: Any) -> bool:
    """Tell whether something can be deployed, itself or as a part of something; a flow by its class too."""
    if isinstance(value, type):
        return hasattr(value, HOOK) and not value.__module__.startswith("laminar.")
    return hasattr(type(value), HOOK)


def described(value: Any) -> Deployable:
    """Describe what is to be deployed.

    Raises:
        DeploymentError: It is neither an environment nor a flow.
        FlowError: The flow is wrong.
    """
    if not is_deployable(value):
        raise DeploymentError(
            f"{value!r} cannot be deployed. Give a TaskEnvironment, or a subclass of Flow: laminar.deploy(env)."
        )
    module, _, function = getattr(value, HOOK).partition(":")
    made: Deployable = getattr(importlib.import_module(module), function)(value)  # rooms below do not know the two
    return made


def are_called(value: Any) -> bool:
    """Tell whether something is called by code and becomes an action then: a task, or a flow."""
    return callable(value) and is_deployable(value)
