"""The project that some code belongs to, found by its files: never by where a process was started."""

from __future__ import annotations

import os
import sys

from laminar.errors import BundleError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.model.code import Code

#: A folder with one of these is a project.
MARKERS = ("pyproject.toml", "setup.py", "setup.cfg", ".laminarignore")


def anchored(code: Code) -> Code:
    """Give code as it is whoever deploys it, and from wherever: in its project's folder, with no arguments.

    Args:
        code: The code, as this process has loaded it.

    Returns:
        The same code, with an absolute path, and the project as its current folder: the nearest folder above the file
        that it begins with that holds ``pyproject.toml``, ``setup.py``, ``setup.cfg`` or ``.laminarignore``, else the
        folder of that file.

    Raises:
        BundleError: The code begins with a module that has no file.
    """
    start = _start(code)
    path = tuple(os.path.abspath(os.path.join(code.cwd, entry)) for entry in code.path)
    return code.replace(path=path, argv=(start,), cwd=_project(os.path.dirname(os.path.realpath(start))))


def _start(code: Code) -> str:
    if code.script is not None:
        return os.path.abspath(code.script)
    for name in filter(None, (code.module, *code.imports)):
        file = getattr(sys.modules.get(name), "__file__", None) or _main(name)
        if file is not None:
            return os.path.abspath(file)
    raise BundleError(
        "What is to be deployed is defined in no file: not in a notebook, nor in what was typed. "
        "Put it into a .py file and import it from there."
    )


def _main(name: str) -> str | None:
    """Give the file that was started as ``python -m NAME``."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    return getattr(main, "__file__", None) if spec is not None and spec.name == name else None


def _project(folder: str) -> str:
    above = folder
    while True:
        if any(os.path.exists(os.path.join(above, marker)) for marker in MARKERS):
            return above
        above, child = os.path.dirname(above), above
        if above == child:
            return folder
