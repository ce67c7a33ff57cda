"""Signs that attempts leave in a folder: all that they share with the test that watches them.

A file says that something has happened. A lock on a file says that a process lives: the kernel lets go of it when the
process ends, however that comes about, also in a container of the same machine.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO, NoReturn

#: Seconds after which what is waited for counts as never coming.
PATIENCE = 60.0
GLANCE = 0.01


def until(what: str, condition: Callable[[], object]) -> None:
    """Wait until a condition holds.

    Raises:
        AssertionError: It does not within a minute.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(GLANCE)


def leave(folder: str, name: str) -> None:
    """Leave one more sign of a name."""
    Path(folder, f"{name}.{uuid.uuid4().hex}").touch()


def count(folder: str, name: str) -> int:
    """Count the signs of a name."""
    return len(list(Path(folder).glob(f"{name}.*")))


def wait_for(folder: str, name: str, number: int = 1) -> None:
    """Wait until there are so many signs of a name.

    Raises:
        AssertionError: There are not within a minute.
    """
    until(f"{number} signs {name!r}", lambda: count(folder, name) >= number)


def hold(folder: str, name: str) -> IO[str]:
    """Show that this process lives, as long as the file is open, and leave a sign of that."""
    file = open(Path(folder, f"{name}-life"), "a")  # noqa: SIM115 - the process's end closes it
    fcntl.flock(file, fcntl.LOCK_SH)
    leave(folder, name)
    return file


def let_go(folder: str, name: str) -> None:
    """Wait until no process holds a name.

    Raises:
        AssertionError: One still does after a minute.
    """
    with open(Path(folder, f"{name}-life"), "a") as file:
        until(f"nobody holds {name!r}", lambda: _locks(file))


def _locks(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def start_a_child(folder: str, name: str, *, session: bool = False) -> None:
    """Start a process that ends only if somebody ends it, and wait until it holds a name."""
    code = f"from laminar.testing.parity.signs import stay; stay({folder!r}, {name!r})"
    subprocess.Popen(  # noqa: S603 - this interpreter
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=session,
    )
    wait_for(folder, name)


def stay(folder: str, name: str) -> NoReturn:
    """Be a process that ends only if somebody ends it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    held = hold(folder, name)
    while not held.closed:
        time.sleep(60)
    raise AssertionError
