"""All tasks of this process, by their full names."""

from __future__ import annotations

import importlib
import os

from laminar.errors import TaskError, nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol, TypeVar

    class Named(Protocol):
        """Something that is found by its name."""

        name: str
        module: str

    NamedT = TypeVar("NamedT", bound=Named)

_environments: dict[str, tuple[str, int]] = {}
_tasks: dict[str, Named] = {}
_included: dict[str, tuple[str, ...]] = {}
_owners: dict[str, Any] = {}


def claim(name: str, owner: Any, file: str, line: int, include: tuple[str, ...]) -> None:
    """Take the name of an environment. A file that is executed again takes its own names again.

    Args:
        name: The name.
        owner: The environment.
        file: The file that defines it.
        line: In which line.
        include: What its code needs beside Python files, relative to the file.

    Raises:
        TaskError: Another environment has it.
    """
    known = _environments.get(name)
    notebook = file.startswith("<") or "ipykernel" in file
    if known is not None and known != (file, line) and not notebook:
        raise TaskError(
            f"There are two environments named {name!r}: the other is defined in {known[0]}, line {known[1]}. "
            "Tasks are found by that name; give one of them another."
        )
    _environments[name] = (file, line)
    _owners[name] = owner
    _included[name] = tuple(os.path.join(os.path.dirname(os.path.abspath(file)), pattern) for pattern in include)


def add(task: Named) -> None:
    """Add a task; one of its name that was there is replaced, as its file has been executed again."""
    _tasks[task.name] = task


def find(name: str, module: str, kind: type[NamedT]) -> NamedT:
    """Find a task, importing its module if need be.

    Raises:
        TaskError: There is none of that name.
    """
    task = _tasks.get(name)
    if task is None and module != "__main__":
        importlib.import_module(module)  # the user's own, which an attempt elsewhere has imported before it called
        task = _tasks.get(name)
    if not isinstance(task, kind):
        raise TaskError(
            f"There is no task {name} in this process, although module {module} is loaded.{nearest(name, _tasks)} "
            "Define tasks at the top of a module, not inside a function."
        )
    return task


def owner(environment: str) -> Any:
    """Give an environment by its name."""
    return _owners[environment]


def included(environment: str | None = None) -> tuple[str, ...]:
    """List what the code of one environment, or of all, needs beside Python files: absolute paths and patterns."""
    of = _included.values() if environment is None else (_included[environment],)
    return tuple(dict.fromkeys(pattern for patterns in of for pattern in patterns))


def names() -> list[str]:
    """List the full names of all tasks."""
    return sorted(_tasks)
