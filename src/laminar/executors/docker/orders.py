"""What scheduler and containers hand each other as files, in a folder that both see.

``X.order``, written before the container starts: the attempt to run. ``X.end``, written by the first process in the
container: how the attempt's process has ended. ``X.placed``, for a scheduler that takes over: where the attempt runs.
A warm container has a folder of its own, in which the scheduler leaves notes, in the order of their names::

    ["start", LABEL, ORDER]    run an attempt of the run that bears that label
    ["stop", ORDER, GRACE]     stop it, and kill it after so many seconds
    ["leave", RUN]             the run is over: whose labels begin so

Each file appears whole, and outlives whoever wrote it. Files, and not a socket or the standard input, because they
work wherever folders are shared: Docker Desktop passes no sockets to its virtual machine, and Podman ends the standard
input of a container with the first client that leaves (4.3).
"""

from __future__ import annotations

import json
import os
import pickle
import time

from laminar.errors import AttemptError
from laminar.model.action import Attempt
from laminar.model.ids import AttemptKey
from laminar.model.value import Value
from laminar.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Exit code of a container that does not see the order (``EX_CONFIG``).
UNSEEN = 78


class OrderError(AttemptError):
    """An order was made by another version of laminar."""


class End(Value, frozen=True):
    """How the process of an attempt has ended.

    Attributes:
        status: Its exit status; negative: the signal that ended it.
        cpu: Processor seconds used.
        memory: Peak resident memory in megabytes.
        killed: Whether the kernel killed for memory in the container meanwhile.
    """

    status: int
    cpu: float
    memory: float
    killed: bool


class Placed(Value, frozen=True):
    """Where an attempt runs.

    Attributes:
        key: Which attempt.
        digest: Hash of all that decides what it does; a scheduler that would start it otherwise does not take it back.
        container: Name of its container.
        kept: Whether that is kept warm for others.
        log: Path of its log.
        manifest: Path of its manifest, which the names of all other files begin with.
        engine: Address of the container engine.
    """

    key: AttemptKey
    digest: str
    container: str
    kept: bool
    log: str
    manifest: str
    engine: str


def order_path(manifest: str) -> str:
    """Name the order that belongs to a manifest."""
    return f"{manifest}.order"


def manifest_of(order: str) -> str:
    """Name the manifest that belongs to an order."""
    return order.removesuffix(".order")


def write_order(attempt: Attempt) -> str:
    """Write an order; gives its path."""
    path = order_path(attempt.request.manifest)
    _write(path, f"laminar {VERSION}\n".encode() + pickle.dumps(attempt, 5))
    return path


def read_order(path: str) -> Attempt:
    """Read an order.

    Raises:
        FileNotFoundError: It is not there.
        OrderError: It was made by another version of laminar.
    """
    with open(path, "rb") as file:
        maker = file.readline().decode().strip()
        if maker != f"laminar {VERSION}":
            raise OrderError(f"the image has laminar {VERSION}, and the scheduler is {maker}")
        attempt: Attempt = pickle.loads(file.read())  # noqa: S301 - from the scheduler that started this container
    return attempt


def withdraw(manifest: str) -> None:
    """Take back an order, unless it has been read."""
    _remove(order_path(manifest))


def write_end(manifest: str, end: End) -> None:
    """Write down how an attempt has ended."""
    _write(f"{manifest}.end", pickle.dumps(end, 5))


def read_end(manifest: str) -> End | None:
    """Read how an attempt has ended; None while it has not."""
    try:
        with open(f"{manifest}.end", "rb") as file:
            end: End = pickle.loads(file.read())  # noqa: S301 - from a container that laminar started
    except FileNotFoundError:
        return None
    return end


def write_placed(placed: Placed) -> None:
    """Write down where an attempt runs."""
    _write(f"{placed.manifest}.placed", pickle.dumps(placed, 5))


def read_placed(folder: str) -> list[Placed]:
    """Read where the attempts run that earlier schedulers have left in a folder."""
    found = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".placed"):
            with open(os.path.join(folder, name), "rb") as file:
                found.append(pickle.loads(file.read()))  # noqa: S301 - written by a scheduler of this user
    return found


def forget(manifest: str) -> None:
    """Remove all files of an attempt but its manifest, which whoever reads it removes."""
    for suffix in (".order", ".end", ".placed"):
        _remove(manifest + suffix)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def write_holder(folder: str, holder: str) -> None:
    """Write into the folder of a warm container which run holds it, with the hash of its code."""
    _write(os.path.join(folder, "holder"), holder.encode())


def read_holder(folder: str) -> str | None:
    """Read which run has held a warm container last, with the hash of its code; None if none has."""
    try:
        with open(os.path.join(folder, "holder"), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def leave_note(folder: str, *note: Any) -> None:
    """Leave a note for a warm container."""
    name = f"{time.monotonic_ns():020d}"  # one clock for all processes of a machine, which nobody sets
    _write(os.path.join(folder, f"{name}.note"), json.dumps(note).encode())


def take_notes(folder: str) -> list[list[Any]]:
    """Take the notes that were left in a folder, oldest first."""
    notes = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".note"):
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                notes.append(json.loads(file.read()))
            os.unlink(path)
    return notes


def patience(waited: float) -> float:
    """Tell how long to wait before the next look for a file: a 20th of what was waited, from 2 to 100 ms.

    Args:
        waited: Seconds since the last that was found.
    """
    return min(max(waited / 20, 0.002), 0.1)


def _write(path: str, data: bytes) -> None:
    private = f"{path}.part"
    handle = os.open(private, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    with open(handle, "wb") as file:
        file.write(data)
    os.rename(private, path)
