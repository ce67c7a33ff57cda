"""Files that lie outside of the store: on this machine, by their path, and in object stores, by their address."""

from __future__ import annotations

import atexit
import hashlib
import os
import stat
import tempfile

from laminar.data import unpacking
from laminar.errors import TaskError
from laminar.host import leftovers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import FileIO
    from typing import Any, BinaryIO

#: Addresses of object stores.
OBJECTS = ("s3://", "s3a://", "gs://", "az://", "azure://", "abfs://", "abfss://")


def opened(path: str) -> FileIO:
    """Open a regular file.

    Raises:
        FileNotFoundError: It is not there.
        TaskError: It is something else; opening a pipe would wait for its writer.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        what = "is a folder: use Dir.from_local" if os.path.isdir(path) else "is no regular file: copy what it gives"
        raise TaskError(f"{path} {what}.")
    return open(path, "rb", buffering=0)


def _split(address: str) -> tuple[Any, str]:
    """Give the blobs of an object store, and a name among them."""
    from laminar.data.objects import ObjectBlobs  # 20 ms, and only who uses a bucket needs it

    root, _, name = address.rpartition("/")
    return ObjectBlobs(root), name


def opened_at(address: str) -> BinaryIO:
    """Open what lies elsewhere.

    Raises:
        FileNotFoundError: There is nothing.
        StorageError: It cannot be read.
    """
    if address.startswith("file://"):
        return open(_local(address), "rb")
    blobs, name = _split(address)
    opened: BinaryIO = blobs.open(name)
    return opened


def _local(address: str) -> str:
    from urllib.parse import unquote  # loaded by pathlib

    return unquote(address.removeprefix("file://"))


def looked_at(address: str) -> tuple[int, str, str]:
    """Give size, address and version of what lies elsewhere.

    Raises:
        FileNotFoundError: There is nothing.
    """
    if not address.startswith("file://"):
        blobs, name = _split(address)
        size, tag = blobs.version(name)
        return size, address, f"tag {tag}"
    with opened(_local(address)) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return os.fstat(file.fileno()).st_size, address, f"sha256 {digest}"


def scratch(root: str) -> str:
    """Make a folder for copies: in the store's own, where a run clears what dead processes have left.

    Where the store is no folder, the copies go when this process ends by itself.

    Args:
        root: Where the store is: a path, or an address.
    """
    if os.path.isabs(root):
        folder = os.path.join(root, ".tmp", leftovers.private_name())
        os.makedirs(folder)
        return folder
    folder = tempfile.mkdtemp(prefix="laminar-")
    atexit.register(_clear, folder, os.getpid())
    return folder


def _clear(folder: str, maker: int) -> None:
    """Remove a folder if this is the process that has made it, not one that was forked from it."""
    if os.getpid() == maker:
        leftovers.remove(folder)


def copy(source: BinaryIO, target: str) -> None:
    """Write a stream to a path, whole or not at all."""
    private = f"{target}.{leftovers.private_name()}"
    try:
        with open(private, "wb") as file:
            while piece := source.read(unpacking.CHUNK):
                file.write(piece)
        os.replace(private, target)
    finally:
        if os.path.exists(private):
            os.unlink(private)
