"""Annotations of layers and hooks: which layers they ask for."""

from __future__ import annotations

import sys

from laminar.errors import FlowError, nearest
from laminar.flows.layer import Layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from laminar.flows.layer import Registration


def asked_for(function: Callable[..., Any], flow: str, registry: Mapping[str, Registration]) -> tuple[str, ...]:
    """List the layers that a function asks for by the annotations of its parameters, in their order.

    Annotations are classes, or strings as ``from __future__ import annotations`` leaves them.

    Args:
        function: ``__call__`` of a layer, or a hook; its first parameter is the layer itself.
        flow: Name of the flow, for errors.
        registry: The layers of the flow by name.

    Returns:
        Names of layers.

    Raises:
        FlowError: An annotation is missing, or is no layer of the flow.
    """
    function = getattr(function, "__wrapped__", function)
    code = function.__code__
    names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    positional = code.co_argcount - 1
    needed = positional - len(function.__defaults__ or ())
    found: list[str] = []
    for position, name in enumerate(names):
        annotation = function.__annotations__.get(name)
        where = f"{function.__qualname__}({name}) of flow {flow}"
        if annotation is None and needed <= position < positional:
            continue
        if annotation is None:
            raise FlowError(f"{where}: the parameter has no annotation. Annotate it with the layer that it should be.")
        if position >= positional:
            raise FlowError(f"{where}: layers are given by position. Write the parameter before the '*'.")
        if position > len(found):
            raise FlowError(f"{where}: layers come before parameters without an annotation. Move it before them.")
        found.append(_layer_name(annotation, function, where, registry))
    return tuple(found)


def _layer_name(annotation: Any, function: Callable[..., Any], where: str, registry: Mapping[str, Registration]) -> str:
    if isinstance(annotation, str):
        if annotation in registry:
            return annotation
        text = annotation
        annotation = _evaluate(text, function)
        if annotation is None:
            raise FlowError(f"{where}: {text!r} is no layer that is registered.{nearest(text, registry)}")
    if not (isinstance(annotation, type) and issubclass(annotation, Layer)):
        raise FlowError(
            f"{where}: expects a layer, got {getattr(annotation, '__name__', annotation)!r}. "
            "Every parameter of a layer or hook is a layer; pass values as artifacts of one, or as Parameters."
        )
    name: str = annotation.__name__
    registered = registry.get(name)
    if registered is None:
        raise FlowError(
            f"{where}: layer {name} is not registered with the flow. Write @….register above it."
            f"{nearest(name, registry)}"
        )
    if not issubclass(registered.layer, annotation):
        raise FlowError(
            f"{where}: the flow's layer {name} is another class than the one annotated. Name the registered one."
        )
    return name


def _evaluate(text: str, function: Callable[..., Any]) -> Any:
    module = sys.modules.get(function.__module__)
    try:
        return eval(text, function.__globals__, vars(module) if module is not None else {})  # noqa: S307 - the user's own annotation
    except (NameError, AttributeError, SyntaxError, TypeError):
        return None
