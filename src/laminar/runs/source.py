"""Where the user's code is, so that another process can load it, and so that people know what to run again."""

from __future__ import annotations

import os
import sys

from laminar.model.code import Code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

#: For executors that do not leave this process.
NOWHERE = Code(None, None, (), (), (), "")


def code_of(modules: Iterable[str]) -> tuple[Code, bool]:
    """Find out how another process loads some modules.

    Args:
        modules: Their names as they are in this process; ``__main__`` may be among them.

    Returns:
        How to load them; and whether that is possible, which it is not for the ``__main__`` of a notebook.
    """
    names = dict.fromkeys(modules)
    main = sys.modules.get("__main__")
    script = module = None
    addressed = True
    if "__main__" in names:
        spec = getattr(main, "__spec__", None)
        file = getattr(main, "__file__", None)
        if spec is not None:
            module = spec.name
        elif file is not None and os.path.isfile(file):
            script = os.path.abspath(file)
        else:
            addressed = False
    imports = tuple(name for name in names if name != "__main__") if addressed else ()
    return Code(script, module, imports, tuple(map(str, sys.path)), tuple(sys.argv), os.getcwd()), addressed


def file_of(module: str) -> str | None:
    """Name the file that a module comes from, as it was started: it also knows how what it defines is configured.

    Args:
        module: Name of the module.

    Returns:
        The file; ``-m`` and the name of a module, if it was started so; None if there is neither, as in a notebook.
    """
    main: Any = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None and (module == "__main__" or module.partition(".")[0] == spec.name.partition(".")[0]):
        return f"-m {spec.name.removesuffix('.__main__')}"
    started = sys.argv[0] if spec is None and getattr(main, "__file__", None) is not None else ""
    own = getattr(sys.modules.get(module), "__file__", None)
    for file in (started if started.endswith(".py") else None, own):
        if file is not None and os.path.isfile(file):
            return os.path.abspath(file)
    return None


def resume_command(source: str | None, run: str) -> str:
    """Say how a run is resumed from a shell.

    Args:
        source: The file it was started with, or ``-m`` and the name of a module; None if neither is known.
        run: Its id.
    """
    if source is None:
        return f"flow.execution({run!r}).resume()"
    if source.startswith("-m "):
        return f"laminar resume {source} {run}"
    import shlex  # 1 ms, and only a run that did not succeed needs it

    shown = os.path.relpath(source) if source.startswith(os.getcwd() + os.sep) else source
    return f"laminar resume {shlex.quote(shown)} {run}"
