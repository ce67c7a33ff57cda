"""Helpers for type checkers: values that may be None, and artifacts of foreach layers."""

from __future__ import annotations

from laminar.flows.accessor import Accessor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")

__all__ = ["accessor", "unwrap"]


def unwrap(option: T | None, default: T | None = None) -> T:
    """Give a value that may be None, or else a default.

    Args:
        option: The value.
        default: What to give in its place.

    Returns:
        The value.

    Raises:
        ValueError: Both are None.
    """
    if option is not None:
        return option
    if default is not None:
        return default
    raise ValueError("The value is None, and so is the default.")


def accessor(artifact: T) -> Accessor[T]:
    """Tell a type checker that an artifact is read over all splits of its foreach layer.

    Inside the layer ``score`` is a float; downstream of its foreach it is an accessor of floats.

    Args:
        artifact: The artifact, read from a foreach layer or a sharded one.

    Returns:
        The same object.

    Raises:
        TypeError: It is no accessor: the layer has no foreach, and the artifact is not sharded.

    Usage::

        for score in accessor(train.score): ...
    """
    if not isinstance(artifact, Accessor):
        raise TypeError(f"expects an artifact of a foreach layer, or a sharded one; got a {type(artifact).__name__}.")
    return artifact
