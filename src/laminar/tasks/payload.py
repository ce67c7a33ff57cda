"""What the worker must know of a call."""

from __future__ import annotations

from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.model.secret import Secret


class Payload(Value, hot=True):
    """What the worker must know of a call.

    Attributes:
        task: Full name of the task.
        module: Name of the module that defines it.
        inputs: Its arguments, packed.
        reads_cache: Whether its own calls may use results that other runs have kept.
        inside: Whether it runs in the scheduler's process, which others share.
        variables: The environment variables that its settings and secrets ask for.
        secrets: What it is given, and how.
        hidden: What must not be seen in what it prints and raises: the values of all secrets that it may come by.
    """

    task: str
    module: str
    inputs: bytes
    reads_cache: bool = True
    inside: bool = True
    variables: tuple[tuple[str, str], ...] = ()
    secrets: tuple[tuple[Secret, str], ...] = ()
    hidden: tuple[str, ...] = ()
