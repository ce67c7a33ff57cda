"""The bytes of a bundle as they were when it was gathered."""

from __future__ import annotations

import hashlib
import tempfile

from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, BinaryIO

#: A bundle up to this many bytes stays in memory; a larger one is kept in an unnamed file.
IN_MEMORY = 16 << 20
CHUNK = 1 << 20


class Piece(Value, frozen=True):
    """One file's bytes.

    Attributes:
        start: Where they begin.
        size: How many there are.
        hexdigest: Their SHA-256.
    """

    start: int
    size: int
    hexdigest: str


class Contents:
    """Bytes that were read once, and are handed out as often as wanted, to any thread."""

    def __init__(self) -> None:
        """Start empty."""
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self.size = 0

    def take(self, source: BinaryIO) -> Piece:
        """Read a file to its end."""
        start, digest = self.size, hashlib.sha256()
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            self._append(chunk)
        return Piece(start, self.size - start, digest.hexdigest())

    def _append(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self._file is None and self.size > IN_MEMORY:
            self._file = tempfile.TemporaryFile(prefix="laminar-bundle-")  # noqa: SIM115 - lives as long as this
            self._file.write(self._memory)
            self._memory = bytearray()
        if self._file is None:
            self._memory += chunk
        else:
            self._file.write(chunk)

    def seal(self) -> None:
        """Say that all was taken."""
        if self._file is not None:
            self._file.flush()

    def chunks(self, piece: Piece) -> Iterator[bytes]:
        """Give the bytes of a piece again."""
        end = piece.start + piece.size
        for start in range(piece.start, end, CHUNK):
            stop = min(start + CHUNK, end)
            if self._file is None:
                yield bytes(memoryview(self._memory)[start:stop])
            else:
                yield _read(self._file.fileno(), start, stop - start)


def _read(handle: int, start: int, size: int) -> bytes:
    import os

    parts = []
    while size and (part := os.pread(handle, size, start)):
        parts.append(part)
        start, size = start + len(part), size - len(part)
    return b"".join(parts)
