"""kill -9 of an attempt's process at the N-th moment of what it writes: before, amid and after each call.

The calls are those by which blobs and manifests come to the disk: opening a file, writing, renaming. Armed by the
program under test, and silent but in the first attempt of a split under the first scheduler.
"""

from __future__ import annotations

import builtins
import os
import signal
from typing import TYPE_CHECKING

from journal import note

from laminar.data import local
from laminar.settings import current
from laminar.worker import child

if TYPE_CHECKING:
    from typing import IO, Any


class Killer:
    """Counts moments, and kills at one of them."""

    def __init__(self, at: int) -> None:
        self._left = at

    def moment(self, what: str) -> None:
        if current.layer.name != "Fan":
            return
        if self._left == 0:
            note("kill", current.layer.index, what)
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


class System:
    """Stands in for ``os`` in a module of laminar's."""

    def __init__(self, killer: Killer) -> None:
        self._killer = killer

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT == 0:
            return os.open(path, flags, mode)
        self._killer.moment("before open")
        handle = os.open(path, flags, mode)
        self._killer.moment("after open")
        return handle

    def write(self, handle: int, data: bytes | memoryview) -> int:
        half = len(data) // 2
        self._killer.moment("before write")
        done = os.write(handle, data[:half])
        self._killer.moment("amid write")
        done += os.write(handle, data[half:])
        self._killer.moment("after write")
        return done

    def rename(self, source: str, target: str) -> None:
        self._killer.moment("before rename")
        os.rename(source, target)
        self._killer.moment("after rename")


class Opened:
    """Stands in for a file that is written in one piece."""

    def __init__(self, file: IO[bytes], system: System) -> None:
        self._file = file
        self._system = system

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> int:
        return self._system.write(self._file.fileno(), data)


def arm(at: int) -> None:
    """Kill this process at its so-many-th moment, from 0."""
    system = System(Killer(at))
    vars(local)["os"] = vars(child)["os"] = system
    vars(child)["open"] = lambda path, mode: Opened(builtins.open(path, mode), system)  # noqa: SIM115 - it closes it
