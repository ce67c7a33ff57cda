"""Files that lie outside of the store: on this machine, by their path, and in object stores, by their address."""

from __future__ import annotations

import hashlib
import os
import stat

from laminar.errors import TaskError

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
