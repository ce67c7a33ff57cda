"""Loading the user's code in a process that did not start with it."""

from __future__ import annotations

import importlib
import os
import sys

from laminar.errors import CodeLoadError
from laminar.worker.assignment import Reached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType
    from typing import Any

    from laminar.model.action import Entry, EntryRef
    from laminar.model.code import Code


def load(code: Code, entry: EntryRef) -> Entry:
    """Load the user's code, and the entry in it.

    Args:
        code: Where it is.
        entry: What to find in it.

    Returns:
        The entry.

    Raises:
        CodeLoadError: It raised while it was loaded; the message holds its own traceback.
    """
    sys.path[:] = code.path
    sys.argv[:] = code.argv
    try:
        os.chdir(code.cwd)
        if code.script is not None:
            with open(code.script, "rb") as file:
                run_as_main(compile(file.read(), code.script, "exec"), code.script, None)
        elif code.module is not None:
            _run_module(code.module)
        for name in code.imports:
            importlib.import_module(name)
        return find(entry)
    except (Exception, SystemExit) as error:
        raise CodeLoadError(
            f"The code could not be loaded in the process that runs layers:\n{_own_traceback(error)}"
        ) from None


def find(entry: EntryRef) -> Entry:
    """Find an entry in code that is loaded."""
    module, _, function = entry.loader.partition(":")
    found: Entry = getattr(importlib.import_module(module), function)(entry.payload)  # a plug-in by name
    return found


def run_as_main(code: CodeType, path: str, package: str | None) -> ModuleType:
    """Execute a script as ``__main__``, up to where it calls the flow that this process is for."""
    main = type(sys)("__main__")
    main.__file__ = path
    main.__package__ = package
    main.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = main
    try:
        exec(code, main.__dict__)  # noqa: S102 - the user's own script
    except Reached:
        return main
    return main


def _run_module(name: str) -> None:
    import importlib.util  # 3 ms, and only code started as ``python -m`` needs it

    spec = importlib.util.find_spec(name)
    loader: Any = spec.loader if spec is not None else None
    if spec is None or loader is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    run_as_main(loader.get_code(name), spec.origin or name, name.rpartition(".")[0])


def _own_traceback(error: BaseException) -> str:
    import traceback  # only when there is one to show

    frames = traceback.extract_tb(error.__traceback__)
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    own = [frame for frame in frames if not frame.filename.startswith((here, "<frozen"))]
    return "".join(
        ["Traceback (most recent call last):\n", *traceback.format_list(own), *traceback.format_exception_only(error)]
    )
