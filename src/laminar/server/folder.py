"""A folder of content whose names come from others: no name leads out of it, and no link is followed."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress

from laminar.data.local import FULL, LocalBlobs
from laminar.errors import StorageError
from laminar.host import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

#: A link where a folder or a file should be, or a file where a folder should be, counts as nothing.
ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Folder:
    """Files by their names, which have passed :func:`laminar.server.keys.checked`.

    Attributes:
        blobs: The same files, for who has seen by :meth:`see` that a name leads to one.
    """

    def __init__(self, root: str) -> None:
        """Remember where it is; nothing is made yet."""
        self.blobs = LocalBlobs(root)

    def see(self, key: str) -> None:
        """See that no link is on the way of a name.

        Raises:
            StorageError: There is one.
        """
        path = self.blobs.root
        for part in key.split("/"):
            path = f"{path}/{part}"
            if os.path.islink(path):
                raise StorageError(f"There is a link at {path}, and the store follows none. Remove it.")

    def open(self, key: str) -> BinaryIO:
        """Open a file for reading.

        Raises:
            FileNotFoundError: There is no regular file of that name.
            StorageError: It cannot be read.
        """
        try:
            with self._above(key) as (handle, name):
                file = os.fdopen(os.open(name, _FILE, dir_fd=handle), "rb", 0)
        except OSError as error:
            if error.errno in ABSENT:
                raise FileNotFoundError(key) from None
            raise self._refused(key, error) from error
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise FileNotFoundError(key)
        return file

    def begin(self) -> Incoming:
        """Begin a file whose bytes are on their way.

        Raises:
            StorageError: It cannot be written.
        """
        return Incoming(self)

    def place(self, private: str, key: str, replace: bool) -> None:
        """Give a file that is whole its name.

        Args:
            private: Where it is.
            key: The name.
            replace: Whether another file of that name gives way; else this one does.

        Raises:
            OSError: It cannot be done.
        """
        with self._above(key, make=True) as (handle, name):
            if replace:
                os.rename(private, name, dst_dir_fd=handle)
            else:
                with suppress(FileExistsError):
                    os.link(private, name, dst_dir_fd=handle)
                os.unlink(private)
            os.fsync(handle)

    @contextmanager
    def _above(self, key: str, make: bool = False) -> Iterator[tuple[int, str]]:
        """Give the handle of the folder that a name is in, and the last part of the name."""
        *folders, name = key.split("/")
        handle = os.open(self.blobs.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for folder in folders:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(folder, dir_fd=handle)
                below = os.open(folder, _FOLDER, dir_fd=handle)
                os.close(handle)
                handle = below
            yield handle, name
        finally:
            os.close(handle)

    def _refused(self, key: str, error: OSError) -> StorageError:
        return StorageError(f"{key!r} in the store cannot be used: {error.strerror}. Look at the server's folder.")


class Incoming:
    """Bytes on their way into a folder. They have no name before :meth:`commit`, and then they are on the disk."""

    def __init__(self, folder: Folder) -> None:
        """Make the private file that they are collected in.

        Raises:
            StorageError: It cannot be made.
        """
        self._folder = folder
        self._path = folder.blobs.private_path()
        try:
            self._file = open(self._path, "xb", 0)  # noqa: SIM115 - closed by commit or abort
        except OSError as error:
            raise self._refused(error) from error

    def write(self, data: bytes) -> None:
        """Take more bytes.

        Raises:
            StorageError: There is no room.
        """
        view = memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise self._refused(error) from error

    def commit(self, key: str, replace: bool) -> None:
        """Make them visible under a name.

        Args:
            key: The name.
            replace: Whether what has that name already gives way.

        Raises:
            StorageError: It cannot be done.
        """
        try:
            os.fsync(self._file.fileno())
            self._folder.place(self._path, key, replace)
        except OSError as error:
            raise self._refused(error) from error
        self._file.close()

    def abort(self) -> None:
        """Forget them. Harmless after :meth:`commit`."""
        self._file.close()
        with suppress(FileNotFoundError):
            os.unlink(self._path)

    def _refused(self, error: OSError) -> StorageError:
        room = files.room(self._path) if error.errno in FULL else ""
        return StorageError(
            f"The store could not take an upload: {error.strerror}.{room} Make room in the server's folder."
        )
