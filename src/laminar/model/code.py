"""How another process finds the user's code."""

from __future__ import annotations

from laminar.model.value import Value


class Code(Value, frozen=True):
    """Where the user's code is, and the circumstances in which it was loaded.

    Attributes:
        script: Path of the file that was started as ``python FILE``, if the code is in it.
        module: Name of the module that was started as ``python -m NAME``, if the code is in it.
        imports: Names of the modules that hold the code otherwise.
        path: ``sys.path``.
        argv: ``sys.argv``.
        cwd: The current folder.
        env: Variables to set before the code is loaded, by name and value, where a process does not inherit them.
        include: Paths and patterns of files and folders that belong to the code, though nothing imports them.
    """

    script: str | None
    module: str | None
    imports: tuple[str, ...]
    path: tuple[str, ...]
    argv: tuple[str, ...]
    cwd: str
    env: tuple[tuple[str, str], ...] = ()
    include: tuple[str, ...] = ()
