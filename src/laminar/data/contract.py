"""The contract of blobs: named bytes that appear whole or not at all."""

from __future__ import annotations

from abc import ABC, abstractmethod

from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO


class Upload(ABC):
    """Bytes on their way in. Nothing is visible until :meth:`commit`."""

    @abstractmethod
    def write(self, data: bytes | memoryview) -> None:
        """Take more bytes.

        Raises:
            StorageError: They cannot be stored.
        """

    @abstractmethod
    def commit(self, path: str) -> None:
        """Make the bytes visible under a name, whole.

        Raises:
            StorageError: They cannot be stored.
        """

    @abstractmethod
    def abort(self) -> None:
        """Forget the bytes. Harmless after :meth:`commit`."""


class Blobs(ABC):
    """Named bytes. Names are relative paths with ``/``.

    A name never shows a part of its bytes: writes are atomic, and the last one wins. Blobs know nothing of what the
    bytes mean.
    """

    #: Where the blobs are, as people write it.
    root: str

    @abstractmethod
    def prepare(self) -> None:
        """Make ready to write.

        Raises:
            StorageError: The place cannot be written, and why.
        """

    @abstractmethod
    def read(self, path: str) -> bytes:
        """Read a blob.

        Raises:
            FileNotFoundError: There is none of that name.
            StorageError: It cannot be read.
        """

    @abstractmethod
    def open(self, path: str) -> BinaryIO:
        """Open a blob for reading as a stream.

        Raises:
            FileNotFoundError: There is none of that name.
            StorageError: It cannot be read.
        """

    @abstractmethod
    def write(self, path: str, data: bytes) -> None:
        """Write a blob, whole.

        Raises:
            StorageError: It cannot be stored.
        """

    @abstractmethod
    def append(self, path: str, line: bytes) -> None:
        """Add a line to a log. A line appears whole or not at all; only one writer appends to a log at a time.

        Args:
            path: Name of the log.
            line: The line; several, with newlines between them, are written in one go.

        Raises:
            StorageError: It cannot be stored.
        """

    @abstractmethod
    def lines(self, path: str) -> list[bytes]:
        """Read the lines of a log, oldest first; empty if there is none. A line that was torn may be among them.

        Raises:
            StorageError: It cannot be read.
        """

    @abstractmethod
    def upload(self) -> Upload:
        """Begin to write a blob whose name is not known yet."""

    @abstractmethod
    def size(self, path: str) -> int | None:
        """Tell how many bytes a blob has; None if there is none of that name."""

    def renew(self, path: str) -> int | None:
        """Tell the size of a blob that is to be relied on in place of writing it again, and see that it stays.

        Returns:
            Its size; None if there is none, or none that would stay: then it is to be written.
        """
        return self.size(path)

    def missing(self, paths: Iterable[str]) -> set[str]:
        """List which of some blobs are not there, or empty."""
        return {path for path in paths if not self.size(path)}

    @abstractmethod
    def names(self, prefix: str) -> list[str]:
        """List the names directly below a prefix, files and folders alike, sorted; empty if there is nothing."""

    @abstractmethod
    def delete(self, path: str) -> None:
        """Remove a blob; harmless if there is none."""

    def where(self, path: str) -> str:
        """Name a blob for people."""
        return f"{self.root}{'' if self.root.endswith('/') else '/'}{path}"


class Found(Value, frozen=True):
    """A blob, as a listing shows it.

    Attributes:
        path: Its name.
        size: How many bytes it has.
        changed: When it was written, or last relied on, in seconds since the epoch.
    """

    path: str
    size: int
    changed: float


class KeptBlobs(Blobs):
    """Blobs that nobody removes by name alone: they are listed, and those that nothing refers to are collected."""

    @abstractmethod
    def all(self, prefix: str = "") -> Iterator[Found]:
        """List all blobs below a prefix, at any depth; what comes or goes meanwhile may be among them or not."""

    @abstractmethod
    def collect(self, path: str, before: float) -> bool:
        """Remove a blob, unless it was written or relied on since.

        Args:
            path: Its name.
            before: Since when, in seconds since the epoch.

        Returns:
            Whether it was removed.
        """

    def tidy(self, folder: str) -> None:
        """Remove a folder that is empty, and those above it that are empty then, where a store has such."""
