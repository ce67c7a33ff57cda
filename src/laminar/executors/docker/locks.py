"""Locks on folders of warm containers, which the kernel lets go of when a scheduler dies."""

from __future__ import annotations

import contextlib
import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: Name of the file that is locked, in the folder of a container and in the folder of them all.
LOCK = "lock"


@contextlib.contextmanager
def alone(folder: str) -> Iterator[None]:
    """Keep other schedulers from making and taking warm containers for a moment."""
    handle = os.open(os.path.join(folder, LOCK), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def lock_on(folder: str) -> int | None:
    """Lock a folder; None if another scheduler holds it."""
    try:
        handle = os.open(os.path.join(folder, LOCK), os.O_CREAT | os.O_RDWR, 0o600)
    except FileNotFoundError:
        return None  # who held it has removed it just now
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
