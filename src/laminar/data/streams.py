"""Bytes on their way to and from a blob: hashed and compressed as they pass, in memory that stays small."""

from __future__ import annotations

import hashlib
import io
import queue
import threading

from isal import isal_zlib

from laminar.errors import CorruptBlobError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, BinaryIO

    from laminar.data.contract import Blobs, Upload

#: Values up to this many bytes are handled in one piece.
SMALL = 1 << 20
CHUNK = 1 << 21
GZIP = 31  # window of 32 KB with gzip's header and trailer, as zlib counts
LEVEL = 1


def compress(data: bytes) -> bytes:
    """Compress bytes as gzip."""
    packed: bytes = isal_zlib.compress(data, LEVEL, GZIP)
    return packed


class Lane:
    """A thread that takes pieces one after another, so that hashing and compressing overlap.

    Both release the interpreter's lock, so on two cores a large value passes at the speed of the slower one.
    """

    def __init__(self, work: Callable[[memoryview], None]) -> None:
        """Start the thread."""
        self._work = work
        self._queue: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(4)
        self._idle = threading.Condition()
        self._open = 0
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="laminar-lane")
        self._thread.start()

    def put(self, piece: memoryview) -> None:
        """Hand over a piece; waits while four are under way."""
        self._room.acquire()
        with self._idle:
            self._open += 1
        self._queue.put(piece)

    def drain(self) -> None:
        """Wait until all pieces are done.

        Raises:
            BaseException: What the work raised.
        """
        with self._idle:
            self._idle.wait_for(lambda: self._open == 0)
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """End the thread."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (piece := self._queue.get()) is not None:
            try:
                if self.error is None:
                    self._work(piece)
            except BaseException as error:
                self.error = error
            del piece
            self._room.release()
            with self._idle:
                self._open -= 1
                self._idle.notify_all()


class HashingWriter(io.RawIOBase):
    """A stream that hashes and compresses what is written, into a blob named by the hash."""

    def __init__(self, blobs: Blobs) -> None:
        """Start empty."""
        self._blobs = blobs
        self._hash = hashlib.sha256()
        self._small = bytearray()
        self._upload: Upload | None = None
        self._packer: Any = None
        self._lane: Lane | None = None
        self.size = 0

    def writable(self) -> bool:
        """Tell that it can be written."""
        return True

    def restart(self) -> None:
        """Throw away what was written."""
        self.abort()
        self.__init__(self._blobs)  # type: ignore[misc]

    def write(self, data: Any) -> int:
        """Take more bytes."""
        view = memoryview(data).cast("B") if len(data) else memoryview(b"")
        self.size += len(view)
        if self._upload is None and len(self._small) + len(view) <= SMALL:
            self._small += view
            return len(view)
        if self._lane is None:
            self._upload = self._blobs.upload()
            self._packer = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, GZIP)
            self._lane = Lane(self._pack)
            self._stream(memoryview(bytes(self._small)))
            self._small.clear()
        self._stream(view)
        return len(view)

    def _pack(self, piece: memoryview) -> None:
        packed = self._packer.compress(piece)
        if packed and self._upload is not None:
            self._upload.write(packed)

    def _stream(self, view: memoryview) -> None:
        assert self._lane is not None
        for start in range(0, len(view), CHUNK):
            piece = view[start : start + CHUNK]
            self._lane.put(piece)
            self._hash.update(piece)
        self._lane.drain()  # the caller may free the bytes once write() returns

    def finish(self, path: Callable[[str], str]) -> str:
        """Store the blob, unless it is there already.

        Args:
            path: From the hash to the blob's name.

        Returns:
            The hash of what was written, in hexadecimal.
        """
        if self._upload is None:
            data = bytes(self._small)
            hexdigest = hashlib.sha256(data).hexdigest()
            if not self._blobs.size(path(hexdigest)):
                self._blobs.write(path(hexdigest), compress(data))
            return hexdigest
        hexdigest = self._hash.hexdigest()
        try:
            if not self._blobs.size(path(hexdigest)):
                self._upload.write(self._packer.flush())
                self._upload.commit(path(hexdigest))
        finally:
            self.abort()
        return hexdigest

    def abort(self) -> None:
        """Forget what was written. Harmless after :meth:`finish`."""
        if self._lane is not None:
            self._lane.close()
            self._lane = None
        if self._upload is not None:
            self._upload.abort()


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
        while True:
            packed = self._unpacker.unconsumed_tail or self._pending or self._file.read(CHUNK)
            self._pending = b""
            if self._unpacker.eof:
                return 0
            if not packed:
                raise CorruptBlobError("it ends too early")
            try:
                data = self._unpacker.decompress(packed, min(len(view), CHUNK))
            except isal_zlib.error as error:
                raise CorruptBlobError(str(error)) from error
            if data:
                view[: len(data)] = data
                return len(data)

    def close(self) -> None:
        """Close the file below."""
        self._file.close()
        super().close()


def unpack(data: bytes) -> bytes:
    """Decompress gzip.

    Raises:
        CorruptBlobError: The bytes are no whole gzip.
    """
    try:
        unpacked: bytes = isal_zlib.decompress(data, GZIP)
    except isal_zlib.error as error:
        raise CorruptBlobError(str(error)) from error
    return unpacked


def hash_of(file: BinaryIO) -> str:
    """Hash the decompressed bytes of a gzip stream; decompressing and hashing overlap.

    Raises:
        CorruptBlobError: The bytes are no whole gzip.
    """
    digest = hashlib.sha256()
    reader = UnpackingReader(file)
    lane = Lane(digest.update)
    try:
        while True:
            buffer = bytearray(CHUNK)
            count = reader.readinto(buffer)
            if count == 0:
                break
            lane.put(memoryview(buffer)[:count])
        lane.drain()
    finally:
        lane.close()
    return digest.hexdigest()
