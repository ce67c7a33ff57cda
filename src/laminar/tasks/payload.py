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
        parent: Name of the action that called it; empty if none did.
        reads_cache: Whether its own calls may use results that other runs have kept.
        variables: The environment variables that its settings ask for, where the process is shared with others.
        secrets: What it is given, and how.
    """

    task: str
    module: str
    inputs: bytes
    parent: str = ""
    reads_cache: bool = True
    variables: tuple[tuple[str, str], ...] = ()
    secrets: tuple[tuple[Secret, str], ...] = ()
