"""The messages between an attempt and the engine."""

from __future__ import annotations

from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.model.action import Failure, Output
    from laminar.model.cache import CacheKey


class Call(Value, hot=True):
    """An attempt calls a task.

    Attributes:
        id: Name of the child: a digest of its parent, the task, the inputs, and which such call it is.
        task: Full name of the task.
        module: Name of the module that defines it.
        inputs: The arguments, as :mod:`laminar.data.values` packs them.
        label: Name of the group that the call was made in; empty if in none.
        overrides: What ``task.override`` has changed for this call, as the JSON of
            :class:`laminar.wire.specs.Overrides`; empty if nothing.
        cache: Under what its result is kept; None if it is not.
        version: Version of the task, where a server knows several; empty elsewhere.
    """

    id: str
    task: str
    module: str
    inputs: bytes
    label: str = ""
    overrides: bytes = b""
    cache: CacheKey | None = None
    version: str = ""


class Recall(Value):
    """An attempt asks whether it has recorded a checkpoint.

    Attributes:
        id: Name of the checkpoint.
    """

    id: str


class Checkpoint(Value):
    """An attempt records what a helper has returned or raised.

    Attributes:
        id: Its name.
        task: The helper's name.
        label: Name of the group that it was called in; empty if in none.
        started: When, in seconds since the epoch.
        output: What it returned.
        failure: What it raised.
    """

    id: str
    task: str
    label: str
    started: float
    output: Output | None = None
    failure: Failure | None = None


class Dismiss(Value):
    """An attempt needs a child no more.

    Attributes:
        id: Name of the child.
    """

    id: str


class Answer(Value, hot=True):
    """What became of a call.

    Attributes:
        id: Name of the child.
        output: What it returned; None if it failed, or if nothing of that name is recorded.
        failure: What it raised.
        where: Its name for people.
    """

    id: str
    output: Output | None = None
    failure: Failure | None = None
    where: str = ""


Message = Call | Recall | Checkpoint | Dismiss
