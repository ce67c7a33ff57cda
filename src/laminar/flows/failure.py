"""What failed in an execution."""

from __future__ import annotations

from laminar.model.value import Value


class ExecutionFailure(Value, frozen=True):
    """What failed in an execution.

    Attributes:
        layer: The layer.
        index: Which split; None if a hook of the whole layer raised.
        exception: Type and message of the exception.
        traceback: Its traceback, as text.
    """

    layer: str
    index: int | None
    exception: str
    traceback: str
