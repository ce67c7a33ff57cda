"""Blobs in the memory of this process."""

from __future__ import annotations

import io

from laminar.data.contract import Blobs, Upload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO


class MemoryBlobs(Blobs):
    """Blobs that live as long as the process. They hold bytes, so readers get copies, as from any other place."""

    def __init__(self) -> None:
        """Start empty."""
        self.root = "memory://"
        self._blobs: dict[str, bytes] = {}

    def prepare(self) -> None:
        """Do nothing: memory is always there."""

    def read(self, path: str) -> bytes:
        """Read a blob."""
        try:
            return self._blobs[path]
        except KeyError:
            raise FileNotFoundError(self.where(path)) from None

    def open(self, path: str) -> BinaryIO:
        """Open a blob for reading."""
        return io.BytesIO(self.read(path))

    def write(self, path: str, data: bytes) -> None:
        """Write a blob."""
        self._blobs[path] = data

    def append(self, path: str, line: bytes) -> None:
        """Add a line to a log."""
        self._blobs[path] = self._blobs.get(path, b"") + line + b"\n"

    def lines(self, path: str) -> list[bytes]:
        """Read the lines of a log."""
        return self._blobs.get(path, b"").splitlines()

    def upload(self) -> Upload:
        """Begin to write a blob."""
        return _MemoryUpload(self)

    def size(self, path: str) -> int | None:
        """Tell the size of a blob."""
        blob = self._blobs.get(path)
        return None if blob is None else len(blob)

    def names(self, prefix: str) -> list[str]:
        """List the names below a prefix."""
        start = f"{prefix.rstrip('/')}/" if prefix else ""
        return sorted({path[len(start) :].partition("/")[0] for path in list(self._blobs) if path.startswith(start)})

    def delete(self, path: str) -> None:
        """Remove a blob."""
        self._blobs.pop(path, None)


class _MemoryUpload(Upload):
    def __init__(self, blobs: MemoryBlobs) -> None:
        self._blobs = blobs
        self._parts = bytearray()

    def write(self, data: bytes | memoryview) -> None:
        self._parts += data

    def commit(self, path: str) -> None:
        self._blobs.write(path, bytes(self._parts))

    def abort(self) -> None:
        self._parts = bytearray()
