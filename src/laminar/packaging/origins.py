"""Whose a definition is, and what it is called: the project's, Python's, laminar's, or that of an installed package."""

from __future__ import annotations

import os
import sys

from laminar.packaging.modules import INSTALLED, MAINS, is_installed
from laminar.packaging.syntax import codes_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FunctionType
    from typing import Any

PYTHON = "python"
LAMINAR = "laminar"


def module_name(module: str) -> str:
    """Name a module; a script by its file."""
    if module not in MAINS or module not in sys.modules:
        return module
    file = file_of(sys.modules[module])
    return os.path.basename(file).removesuffix(".py") if file else module


def qualified(value: Any) -> str:
    """Name a function or class, with its module."""
    return f"{module_name(value.__module__ or 'builtins')}.{value.__qualname__}"


def kind_of(value: Any) -> str:
    """Name the type of a value."""
    return f"{type(value).__module__}.{type(value).__qualname__}"


def file_of(module: Any) -> str | None:
    """Give the file of a module; None if it has none."""
    file = getattr(module, "__file__", None)
    return file if isinstance(file, str) else None


def is_importable(function: FunctionType) -> bool:
    """Tell whether a function is found under its name, so that its name says what it is."""
    value: Any = sys.modules.get(function.__module__)
    for name in function.__qualname__.split("."):
        value = getattr(value, name, None)
    return value is function


def origin(file: str | None, module: str | None) -> str | None:
    """Say whose a definition is: python, laminar, or a package; None for the project's own."""
    top = (module or "builtins").partition(".")[0]
    if top == LAMINAR:
        return LAMINAR
    if file is None or file.startswith("<"):
        loaded = file_of(sys.modules.get(module or ""))
        if loaded is None:
            return PYTHON if top in sys.stdlib_module_names or (file or "").startswith("<frozen") else None
        file = loaded
    if not is_installed(file):
        return None
    for folder in INSTALLED:
        _, found, rest = file.rpartition(folder)
        if found:
            return rest.partition(os.sep)[0].partition(".")[0]
    return PYTHON


def imports_in(code: CodeType) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Give level, name and wanted names of each import inside a function."""
    from dis import get_instructions, opmap  # loaded with inspect, which asyncio has imported

    for part in codes_in(code):
        if opmap["IMPORT_NAME"] not in part.co_code[::2]:
            continue
        last: list[Any] = [0, None]
        for step in get_instructions(part):
            if step.opname == "IMPORT_NAME":
                yield last[-2], step.argval, last[-1] or ()
            last = [last[-1], step.argval]


def version_of(top: str) -> str:
    """Give the version of the installed package that a module is from."""
    from importlib import metadata  # 15 ms, and only where the project uses an installed package

    try:
        return metadata.version(top)
    except metadata.PackageNotFoundError:
        names = metadata.packages_distributions().get(top, [])
        return ", ".join(f"{name} {metadata.version(name)}" for name in sorted(set(names)))
