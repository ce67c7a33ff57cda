"""Reading what is compressed with gzip: a stream, or all at once. Nothing here looks into the bytes."""

from __future__ import annotations

import io

from isal import isal_zlib

from laminar.errors import CorruptBlobError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

#: Bytes that are read, and decompressed, at a time.
CHUNK = 1 << 21
GZIP = 31  # window of 32 KB with gzip's header and trailer, as zlib counts
#: What the library raises for bytes that are no gzip; its stubs declare an instance.
_Damaged: type[Exception] = isal_zlib.error  # type: ignore[assignment]


class UnpackingReader(io.RawIOBase):
    """A stream of the decompressed bytes of a gzip stream."""

    def __init__(self, file: BinaryIO) -> None:
        """Start at the beginning of the file."""
        self._file = file
        self._unpacker = isal_zlib.decompressobj(GZIP)
        self._pending = b""

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what comes next; 0 at the end.

        Raises:
            CorruptBlobError: The bytes are no gzip, or end early.
        """
        view = memoryview(buffer).cast("B")
        while not self._ended():
            packed = self._unpacker.unconsumed_tail or self._pending or self._file.read(CHUNK)
            self._pending = b""
            if not packed:
                raise CorruptBlobError("it ends too early")
            try:
                data = self._unpacker.decompress(packed, min(len(view), CHUNK))
            except _Damaged as error:
                raise CorruptBlobError(str(error)) from error
            if data:
                view[: len(data)] = data
                return len(data)
        return 0

    def _ended(self) -> bool:
        """Tell whether the last member has ended; where another follows, begin it."""
        if not self._unpacker.eof:
            return False
        self._pending = self._unpacker.unused_data or self._pending or self._file.read(CHUNK)
        if self._pending:
            self._unpacker = isal_zlib.decompressobj(GZIP)
        return not self._pending

    def close(self) -> None:
        """Close the file below."""
        self._file.close()
        super().close()


def unpack(data: bytes) -> bytes:
    """Decompress gzip.

    Raises:
        CorruptBlobError: The bytes are no whole gzip.
    """
    parts = []
    while data:
        unpacker = isal_zlib.decompressobj(GZIP)
        try:
            parts.append(unpacker.decompress(data))
        except _Damaged as error:
            raise CorruptBlobError(str(error)) from error
        if not unpacker.eof:
            raise CorruptBlobError("it ends too early")
        data = unpacker.unused_data
    return parts[0] if len(parts) == 1 else b"".join(parts)
