"""Loading the user's code in a process that did not start with it."""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import suppress

from laminar.data.serde.failures import annotate
from laminar.errors import CodeLoadError
from laminar.model.tracebacks import own_traceback
from laminar.worker.assignment import Reached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType
    from typing import Any

    from laminar.model.action import Entry, EntryRef
    from laminar.model.code import Code


#: Loaded where the user's code has tasks; what their attempts need is then loaded once, not in each fork (15 ms).
TASKS = "laminar.tasks.environment"
BEFORE_FORKS = ("laminar.tasks.entry", "laminar.worker.asking")


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
    os.environ.update(dict(code.env))
    sys.path[:] = code.path
    sys.argv[:] = code.argv
    exited: SystemExit | None = None
    try:
        os.chdir(code.cwd)
        try:
            _run_main(code)
        except SystemExit as error:  # the end of a script that closes with sys.exit(main())
            exited = error
        for name in code.imports:
            import_up_to_call(name)
        if TASKS in sys.modules:
            for name in BEFORE_FORKS:
                importlib.import_module(name)
        return find(entry)
    except (Exception, SystemExit) as error:
        annotate(error)
        trace = own_traceback(exited or error)
        raise CodeLoadError(f"The code could not be loaded in the process that runs layers:\n{trace}") from None


def _run_main(code: Code) -> None:
    if code.script is not None:
        run_script(code.script)
    elif code.module is not None:
        run_module(code.module)


def find(entry: EntryRef) -> Entry:
    """Find an entry in code that is loaded."""
    module, _, function = entry.loader.partition(":")
    found: Entry = getattr(importlib.import_module(module), function)(entry.payload)  # a plug-in by name
    return found


def run_script(path: str) -> ModuleType:
    """Execute a file as ``__main__``, up to where it calls the flow that this process is for."""
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec", dont_inherit=True)  # else it had the future imports of this file
    return _run_as_main(code, path, None)


def import_up_to_call(name: str) -> ModuleType:
    """Import a module, up to where it calls the flow that this process is for."""
    import importlib.util  # 5 ms that a flow which is all in its script does not pay

    found = sys.modules.get(name)
    if found is not None:
        return found
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        return importlib.import_module(name)
    module = execute(importlib.util.module_from_spec(spec), spec.loader)
    package, _, own = name.rpartition(".")
    if package:
        setattr(sys.modules[package], own, module)
    return module


def execute(module: ModuleType, loader: Loader) -> ModuleType:
    """Execute a module that is not imported yet, up to where it calls the flow that this process is for."""
    sys.modules[module.__name__] = module
    try:
        loader.exec_module(module)
    except Reached:
        return module
    except BaseException:
        sys.modules.pop(module.__name__, None)
        raise
    return module


def name_main() -> None:
    """Let the script that runs as ``__main__`` be found by its name too, unless another module bears that.

    Values of a run that ``laminar run main.py`` has begun name their classes ``main.Row``. Importing the script a
    second time would make other classes, and call its flows.
    """
    main = sys.modules["__main__"]
    name, suffix = os.path.splitext(os.path.basename(getattr(main, "__file__", None) or ""))
    if suffix == ".py" and getattr(main, "__spec__", None) is None:
        sys.modules.setdefault(name, main)


def _run_as_main(code: CodeType, path: str, spec: ModuleSpec | None) -> ModuleType:
    main = type(sys)("__main__")
    main.__file__ = path
    main.__spec__ = spec
    main.__package__ = spec.parent if spec is not None else None
    main.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = main
    try:
        with suppress(Reached):
            exec(code, main.__dict__)  # noqa: S102 - the user's own script
    finally:
        name_main()
    return main


def run_module(name: str) -> ModuleType:
    """Execute a module as ``__main__``, as ``python -m`` does, up to where it calls the flow that this process is for.

    Raises:
        ModuleNotFoundError: There is none of that name.
    """
    import importlib.util  # 5 ms that code started as ``python FILE`` does not pay

    # ``__main__`` of a folder, started as ``python FOLDER``: asked by name it would be this process's own
    find = importlib.machinery.PathFinder.find_spec if name == "__main__" else importlib.util.find_spec
    spec = find(name)
    if spec is not None and spec.submodule_search_locations is not None:
        return run_module(f"{name}.__main__")
    loader: Any = spec.loader if spec is not None else None
    if spec is None or loader is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return _run_as_main(loader.get_code(name), spec.origin or name, spec)
