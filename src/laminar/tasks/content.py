"""Content of files in a run's store: named by its SHA-256, streamed in and out, checked on the way."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import io
import os
from contextlib import contextmanager

from laminar.data import streams, unpacking
from laminar.data.artifacts import path_of
from laminar.data.journal import SPACE
from laminar.errors import CorruptBlobError
from laminar.model.value import Value
from laminar.worker.calling import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from typing import IO, Any, BinaryIO

    from laminar.data.contract import Blobs

#: The folder of the store outside of runs.
ROOT = ".laminar"


class Store(Value, frozen=True):
    """Where the content of files lies.

    Attributes:
        blobs: The blobs of the run's datastore.
        space: The space among them, as a flow has one.
    """

    blobs: Blobs
    space: str = SPACE

    def path(self, digest: str) -> str:
        """Name the blob of some content."""
        return path_of(self.space, digest)

    def has(self, digest: str) -> bool:
        """Tell whether some content is here."""
        return self.blobs.size(self.path(digest)) is not None

    def read(self, digest: str, name: str) -> io.BufferedReader:
        """Open content for reading; its hash is checked when its end is read.

        Args:
            digest: Its SHA-256, in hexadecimal.
            name: The file's name, for messages.

        Raises:
            FileNotFoundError: It is not here.
        """
        try:
            packed = self.blobs.open(self.path(digest))
        except FileNotFoundError:
            raise FileNotFoundError(
                f"The content of {name} is not at {self.blobs.where(self.path(digest))}. It was deleted, or the file "
                "was made with another datastore: make it again, or give the run the datastore that it was made with."
            ) from None
        return io.BufferedReader(CheckedReader(packed, self, digest), unpacking.CHUNK)

    def take(self, file: BinaryIO) -> tuple[str, int]:
        """Store what a stream has left.

        Returns:
            The SHA-256 of it in hexadecimal, and its size in bytes.

        Raises:
            StorageError: It cannot be stored.
        """
        writer = Writer(self)
        with writer:
            while piece := file.read(unpacking.CHUNK):
                writer.write(piece)
            return writer.finish(), writer.size


class Writer(io.RawIOBase):
    """A stream into a store.

    Attributes:
        size: How many bytes were written.
    """

    def __init__(self, store: Store) -> None:
        """Start empty."""
        self._store = store
        self._writer = streams.HashingWriter(store.blobs)
        self.size = 0

    def writable(self) -> bool:
        """Tell that it can be written."""
        return True

    def write(self, data: Any) -> int:
        """Take more bytes."""
        written = self._writer.write(data)
        self.size += written
        return written

    def finish(self) -> str:
        """Store what was written, and give its SHA-256 in hexadecimal."""
        return self._writer.finish(self._store.path)

    def close(self) -> None:
        """Forget what was written and not finished."""
        self._writer.abort()
        super().close()


def as_text(writer: io.RawIOBase) -> Iterator[IO[str]]:
    """Give a text stream over one of bytes, and take it off again, which leaves the one below open."""
    text = io.TextIOWrapper(io.BufferedWriter(writer), "utf-8", newline="\n")
    try:
        yield text
    finally:
        text.detach().detach()


class CheckedReader(io.RawIOBase):
    """A stream out of a store, which knows at its end whether it was what its name says."""

    def __init__(self, packed: BinaryIO, store: Store, digest: str) -> None:
        """Start at the beginning."""
        self._reader = unpacking.UnpackingReader(packed)
        self._hash = hashlib.sha256()
        self._store = store
        self._digest = digest

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what comes next; 0 at the end.

        Raises:
            CorruptBlobError: It is not what its name says; it has been set aside.
        """
        try:
            count = self._reader.readinto(buffer)
        except CorruptBlobError as error:
            raise self._damaged(str(error)) from error
        if count:
            self._hash.update(memoryview(buffer)[:count])
        elif self._hash.hexdigest() != self._digest:
            raise self._damaged(f"its hash is {self._hash.hexdigest()[:12]}…, not {self._digest[:12]}…")
        return count

    def _damaged(self, reason: str) -> CorruptBlobError:
        path = self._store.path(self._digest)
        self._store.blobs.delete(path)
        return CorruptBlobError(
            f"The blob at {self._store.blobs.where(path)} is damaged ({reason}); it was removed. "
            "Make the file again, or resume the run: what made it will run again."
        )

    def close(self) -> None:
        """Close what is below."""
        self._reader.close()
        super().close()


class AsyncStream:
    """A stream whose deeds are awaited; each is done in a thread, so that the loop goes on."""

    def __init__(self, file: IO[Any]) -> None:
        """Take the stream."""
        self._file = file

    async def read(self, size: int = -1) -> Any:
        """Read so many bytes or characters; all that is left by default."""
        return await asyncio.to_thread(self._file.read, size)

    async def readline(self) -> Any:
        """Read one line."""
        return await asyncio.to_thread(self._file.readline)

    async def write(self, data: Any) -> int:
        """Write bytes or text."""
        return await asyncio.to_thread(self._file.write, data)

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Give the lines, about a megabyte of them at a time."""
        while lines := await asyncio.to_thread(self._file.readlines, streams.SMALL):
            for line in lines:
                yield line


_store: contextvars.ContextVar[Store | None] = contextvars.ContextVar("laminar_store", default=None)


def store() -> Store:
    """Give the store of the run that this code belongs to; outside of one, the folder ``.laminar``."""
    found = _store.get()
    if found is not None:
        return found
    caller = current.get()
    if caller is not None:
        return Store(caller.values.artifacts.blobs)
    from laminar.data.local import LocalBlobs  # only outside of runs, which have their own blobs

    return Store(LocalBlobs(os.path.abspath(ROOT)))


@contextmanager
def using(blobs: Blobs, space: str = SPACE) -> Iterator[Store]:
    """Let the files of this context lie somewhere.

    Args:
        blobs: The blobs of the run's datastore.
        space: The space among them.
    """
    here = Store(blobs, space)
    token = _store.set(here)
    try:
        yield here
    finally:
        _store.reset(token)
