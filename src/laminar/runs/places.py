"""Executors by the names that people write."""

from __future__ import annotations

from laminar.errors import PolicyError, nearest
from laminar.executors.contract import Executor
from laminar.executors.docker import Docker
from laminar.executors.process import Process
from laminar.executors.thread import Thread

EXECUTORS: dict[str, type[Executor]] = {"docker": Docker, "process": Process, "thread": Thread}


def executor(name: str, what: str) -> Executor:
    """Give an executor by its name, as it is by default.

    Args:
        name: ``"docker"``, ``"process"`` or ``"thread"``.
        what: Where the name was written, for the error.

    Raises:
        PolicyError: There is none of that name.
    """
    kind = EXECUTORS.get(name.lower())
    if kind is None:
        raise PolicyError(f"{what} is no executor.{nearest(name.lower(), EXECUTORS)}")
    return kind()
