"""Bytes on their way to and from a blob: hashed and compressed as they pass, in memory that stays small."""

from __future__ import annotations

import hashlib
import io
import queue
import threading
import zlib
from pickle import PickleBuffer

from isal import isal_zlib

from laminar.data.unpacking import CHUNK, GZIP, UnpackingReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, BinaryIO

    from laminar.data.contract import Blobs, Upload

#: Values up to this many bytes are handled in one piece.
SMALL = 1 << 20
#: Larger ones are compressed in pieces of ``CHUNK`` bytes, each a gzip member of its own (RFC 1952, section 2.2).
LEVEL = 1
#: A piece whose first bytes shrink by less than this is stored as it is: random numbers take three times as long to
#: compress as to hash, for 4 to 6 % of their size.
SAMPLE = 1 << 16
WORTHWHILE = 0.9


def compress(data: bytes | bytearray) -> bytes:
    """Compress bytes as gzip."""
    packed: bytes = isal_zlib.compress(data, LEVEL, GZIP)
    return packed


def pack(piece: memoryview) -> bytes:
    """Make a gzip member of a piece: compressed if that is worth it, else stored."""
    sample = piece[:SAMPLE]
    if len(isal_zlib.compress(sample, LEVEL, GZIP)) < WORTHWHILE * len(sample):
        packed: bytes = isal_zlib.compress(piece, LEVEL, GZIP)
        return packed
    packer = zlib.compressobj(0, zlib.DEFLATED, GZIP)
    return packer.compress(piece) + packer.flush()


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
        self._gathered = bytearray()
        self._upload: Upload | None = None
        self._lane: Lane | None = None
        self._packed = 0

    def writable(self) -> bool:
        """Tell that it can be written."""
        return True

    def restart(self) -> None:
        """Throw away what was written."""
        self.abort()
        self.__init__(self._blobs)  # type: ignore[misc]

    def write(self, data: Any) -> int:
        """Take more bytes."""
        view = data.raw() if isinstance(data, PickleBuffer) else memoryview(data)
        size = view.nbytes
        if len(self._gathered) + size <= SMALL:
            self._gathered += view
            return size
        self._pass_on_gathered()
        self._pass_on(view if view.format == "B" and view.ndim == 1 else view.cast("B"))
        return size

    def _pass_on_gathered(self) -> None:
        if self._gathered:
            gathered, self._gathered = self._gathered, bytearray()
            self._pass_on(memoryview(gathered))

    def _pass_on(self, view: memoryview) -> None:
        if self._lane is None:
            self._upload = self._blobs.upload()
            self._lane = Lane(self._pack)
        for start in range(0, len(view), CHUNK):
            piece = view[start : start + CHUNK]
            self._lane.put(piece)
            self._hash.update(piece)
        self._lane.drain()  # the caller may free the bytes once write() returns

    def _pack(self, piece: memoryview) -> None:
        assert self._upload is not None
        packed = pack(piece)
        self._upload.write(packed)
        self._packed += len(packed)

    def finish(self, path: Callable[[str], str]) -> str:
        """Store the blob, unless it is there already; one of another size was cut short, and is replaced.

        Args:
            path: From the hash to the blob's name.

        Returns:
            The hash of what was written, in hexadecimal.
        """
        if self._lane is None:
            hexdigest = hashlib.sha256(self._gathered).hexdigest()
            packed = compress(self._gathered)
            if self._blobs.renew(path(hexdigest)) != len(packed):
                self._blobs.write(path(hexdigest), packed)
            return hexdigest
        try:
            self._pass_on_gathered()
            hexdigest = self._hash.hexdigest()
            if self._upload is not None and self._blobs.renew(path(hexdigest)) != self._packed:
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
            self._upload = None


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
