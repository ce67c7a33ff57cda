"""Locks on folders of warm containers, which the kernel lets go of when a scheduler dies."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time

from laminar.errors import PlacementError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: Name of the file that is locked, in the folder of a container and in the folder of them all.
LOCK = "lock"
#: Seconds to wait for other schedulers, which need milliseconds. Layers see the file too, and could lock it for good.
PATIENCE = 10.0


@contextlib.asynccontextmanager
async def alone(folder: str, patience: float = PATIENCE) -> AsyncIterator[None]:
    """Keep other schedulers from making and taking warm containers for a moment.

    Args:
        folder: The folder of them all.
        patience: Seconds to wait for who does so now.

    Raises:
        PlacementError: Somebody does so for longer.
    """
    path = os.path.join(folder, LOCK)
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    deadline = time.monotonic() + patience
    try:
        while not _locked(handle):
            if time.monotonic() > deadline:
                raise PlacementError(
                    f"{path} has been locked by another process for {patience:g} s. Schedulers lock it for a moment to "
                    f"take warm containers; a layer may have locked it for good. End who holds it (fuser {path} names "
                    "processes of this machine), and run again."
                )
            await asyncio.sleep(0.01)
        yield
    finally:
        os.close(handle)


def lock_on(folder: str) -> int | None:
    """Lock a folder; None if another scheduler holds it."""
    try:
        handle = os.open(os.path.join(folder, LOCK), os.O_CREAT | os.O_RDWR, 0o600)
    except FileNotFoundError:
        return None  # who held it has removed it just now
    if _locked(handle):
        return handle
    os.close(handle)
    return None


def _locked(handle: int) -> bool:
    """Lock a file, unless another holds it; tells whether that was done."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
