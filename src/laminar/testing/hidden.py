"""A process that ends only if somebody ends it: ``hidden.py FOLDER NAME``. It imports nothing that takes time.

It holds the file of its name in the folder locked while it lives; see :func:`laminar.testing.deeds.found_a_family`.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def hide(folder: str, name: str) -> NoReturn:
    """Be that process."""
    if name == "deaf":
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
    private = f"{folder}.{name}.part"
    with open(private, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        os.rename(private, os.path.join(folder, name))
        while True:
            time.sleep(60)


def orphan(folder: str, name: str) -> None:
    """Leave that process behind, in a session of its own, without a parent."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            hide(folder, name)
        os._exit(0)


if __name__ == "__main__":
    (orphan if sys.argv[2] == "orphan" else hide)(*sys.argv[1:])
