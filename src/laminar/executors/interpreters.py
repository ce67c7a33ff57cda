"""Fresh interpreters: how to start one that is like this one, and that finds laminar."""

from __future__ import annotations

import os
import sys


def interpreter_options() -> list[str]:
    """Give the options that this interpreter was started with, for another one."""
    flags = sys.flags
    options = ["-O"] * flags.optimize + ["-B"] * flags.dont_write_bytecode
    options += ["-I"] * flags.isolated or ["-E"] * flags.ignore_environment
    for name, value in sys._xoptions.items():
        options += ["-X", name if value is True else f"{name}={value}"]
    return options + [f"-W{warning}" for warning in sys.warnoptions]


def bootstrap(what: str) -> str:
    """Give the program that a fresh interpreter runs to import from laminar's worker room, wherever laminar lies."""
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return f"import sys; sys.path.insert(0, {package!r}); from laminar.worker.{what}"
