"""Where the running code is: which execution, flow and layer.

Usage::

    from laminar.settings import current

    current.execution.id
    current.flow.name
    current.layer.name, current.layer.index, current.layer.splits, current.layer.attempt
"""

from __future__ import annotations

import contextvars
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "LAMINAR_"
_here: contextvars.ContextVar[Mapping[str, str] | None] = contextvars.ContextVar("laminar_current", default=None)


def _get(name: str) -> str | None:
    here = _here.get()
    return os.environ.get(PREFIX + name) if here is None else here.get(PREFIX + name)


def _number(name: str) -> int | None:
    value = _get(name)
    return None if value is None else int(value)


class CurrentExecution:
    """The execution that the running code is part of."""

    @property
    def id(self) -> str | None:
        """Id of the execution; None outside of one."""
        return _get("EXECUTION_ID")

    @property
    def retry(self) -> bool:
        """Whether the execution was resumed."""
        return _get("EXECUTION_RETRY") == "True"


class CurrentFlow:
    """The flow that the running code is part of."""

    @property
    def name(self) -> str | None:
        """Name of the flow; None outside of one."""
        return _get("FLOW_NAME")


class CurrentLayer:
    """The layer that the running code is part of."""

    @property
    def name(self) -> str | None:
        """Name of the layer; None outside of one."""
        return _get("LAYER_NAME")

    @property
    def index(self) -> int | None:
        """Which split, from 0."""
        return _number("LAYER_INDEX")

    @property
    def splits(self) -> int | None:
        """Of how many splits."""
        return _number("LAYER_SPLITS")

    @property
    def attempt(self) -> int | None:
        """Which try, from 1."""
        return _number("LAYER_ATTEMPT")


class Current:
    """Where the running code is."""

    execution = CurrentExecution()
    flow = CurrentFlow()
    layer = CurrentLayer()


current = Current()


class located:  # noqa: N801 - used as a function
    """Say where the code of this context is."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        """Take the variables, as a process of its own would have them in its environment."""
        self._variables = variables

    def __enter__(self) -> None:
        """Begin."""
        self._token = _here.set(self._variables)

    def __exit__(self, *_: object) -> None:
        """End."""
        _here.reset(self._token)
