"""Blobs as files under a folder.

Bytes are written to a private file below ``.tmp`` of the same folder and renamed into place, so a name shows all of
them or nothing, whenever a process dies. Nothing is flushed to the disk itself: a power cut can cost the last blobs,
which readers notice by their hash and count as absent.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from laminar.data.contract import Found, KeptBlobs, Upload
from laminar.errors import StorageError
from laminar.host import files, leftovers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

#: What systems say when there is no room.
FULL = (errno.ENOSPC, errno.EDQUOT)
#: Folder of what is half-written.
TEMPORARY = ".tmp"


class LocalBlobs(KeptBlobs):
    """Blobs on a file system."""

    def __init__(self, root: str) -> None:
        """Remember the folder; nothing is created before :meth:`prepare` or the first write."""
        self.root = os.path.abspath(os.path.expanduser(root))
        self._temporary = os.path.join(self.root, TEMPORARY)

    def prepare(self) -> None:
        """Create the folder, see that it can be written, and clear what dead processes left half-written."""
        try:
            os.makedirs(self._temporary, exist_ok=True)
            probe = self.private_path()
            with open(probe, "wb") as file:
                file.write(b"laminar")
            os.unlink(probe)
        except OSError as error:
            room = files.room(self._temporary) if error.errno in FULL else ""
            raise StorageError(
                f"The datastore at {self.root} cannot be written: {error.strerror or error}.{room} "
                "Choose another folder with Local(root=…), or mend its permissions or space."
            ) from error
        leftovers.sweep(self._temporary)

    def private_path(self) -> str:
        """Name a file that no other writer uses, on the same file system as the blobs."""
        return f"{self._temporary}/{leftovers.private_name()}"

    def read(self, path: str) -> bytes:
        """Read a blob."""
        full = f"{self.root}/{path}"
        try:
            handle = os.open(full, os.O_RDONLY)
        except FileNotFoundError:
            raise
        except NotADirectoryError as error:
            raise FileNotFoundError(errno.ENOENT, "No such blob", full) from error
        except OSError as error:
            raise _refused("read", full, 0, error) from error
        try:
            data = os.read(handle, 65536)
            if len(data) < 65536:
                return data
            parts = [data]
            while chunk := os.read(handle, 1 << 20):
                parts.append(chunk)
            return b"".join(parts)
        except OSError as error:
            raise _refused("read", full, 0, error) from error
        finally:
            os.close(handle)

    def open(self, path: str) -> BinaryIO:
        """Open a blob for reading."""
        full = f"{self.root}/{path}"
        try:
            return open(full, "rb", buffering=0)
        except FileNotFoundError:
            raise
        except NotADirectoryError as error:
            raise FileNotFoundError(errno.ENOENT, "No such blob", full) from error
        except OSError as error:
            raise _refused("read", full, 0, error) from error

    def write(self, path: str, data: bytes) -> None:
        """Write a blob."""
        upload = _LocalUpload(self)
        try:
            upload.write(data)
            upload.commit(path)
        except BaseException:
            upload.abort()
            raise

    def append(self, path: str, line: bytes) -> None:
        """Add a line to a log, in one write between two newlines, so that a torn line spoils no other."""
        full = f"{self.root}/{path}"
        data = b"\n" + line + b"\n"
        flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY
        try:
            try:
                handle = os.open(full, flags, 0o666)
            except FileNotFoundError:
                files.make_folder(os.path.dirname(full))
                handle = os.open(full, flags, 0o666)
            try:
                if os.write(handle, data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            finally:
                os.close(handle)
        except OSError as error:
            raise _refused("write", full, len(data), error) from error

    def lines(self, path: str) -> list[bytes]:
        """Read the lines of a log."""
        try:
            return [line for line in self.read(path).split(b"\n") if line]
        except FileNotFoundError:
            return []

    def upload(self) -> Upload:
        """Begin to write a blob."""
        return _LocalUpload(self)

    def size(self, path: str) -> int | None:
        """Tell the size of a blob."""
        try:
            return os.stat(f"{self.root}/{path}").st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def renew(self, path: str) -> int | None:
        """Tell the size of a blob, and note that it is relied on now."""
        full = f"{self.root}/{path}"
        try:
            os.utime(full)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError:  # it is of another user, whose clock is not ours to set
            return None
        return self.size(path)

    def all(self, prefix: str = "") -> Iterator[Found]:
        """List all blobs below a prefix."""
        folders = [f"{prefix}/" if prefix else ""]
        while folders:
            folder = folders.pop()
            try:
                entries = list(os.scandir(f"{self.root}/{folder}"))
            except (FileNotFoundError, NotADirectoryError):
                continue
            for entry in entries:
                name = folder + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if name != TEMPORARY:
                        folders.append(f"{name}/")
                elif entry.is_file(follow_symlinks=False):
                    yield from _found(name, entry)

    def collect(self, path: str, before: float) -> bool:
        """Take a blob's name away, and remove it; if it was relied on a moment before, it gets its name back."""
        full, private = f"{self.root}/{path}", self.private_path()
        try:
            if os.stat(full).st_mtime >= before:
                return False
            os.makedirs(self._temporary, exist_ok=True)
            os.rename(full, private)
        except (FileNotFoundError, NotADirectoryError):
            return False
        fresh = os.stat(private).st_mtime >= before
        if fresh:
            with suppress(FileExistsError):  # the same was written again meanwhile
                os.link(private, full)
        os.unlink(private)
        return not fresh

    def tidy(self, folder: str) -> None:
        """Remove a folder that is empty, and those above it."""
        while folder:
            try:
                os.rmdir(f"{self.root}/{folder}")
            except OSError:  # it is gone, or not empty
                return
            folder = folder.rpartition("/")[0]

    def names(self, prefix: str) -> list[str]:
        """List the names below a prefix."""
        try:
            return sorted(os.listdir(os.path.join(self.root, prefix)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def delete(self, path: str) -> None:
        """Remove a blob."""
        self._unlink(f"{self.root}/{path}")

    @staticmethod
    def _unlink(full: str) -> None:
        try:
            os.unlink(full)
        except (FileNotFoundError, NotADirectoryError):
            return


def _refused(verb: str, full: str, size: int, error: OSError) -> StorageError:
    amount = f" {size:,} bytes" if size else ""
    remedy = " Free some space and resume the run." if error.errno in FULL else ""
    refusal = StorageError(f"Could not {verb}{amount} at {full}: {error.strerror or error}.{remedy}")
    refusal.errno = error.errno
    return refusal


def _found(name: str, entry: os.DirEntry[str]) -> Iterator[Found]:
    try:
        known = entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # removed since
        return
    yield Found(name, known.st_size, known.st_mtime)


class _LocalUpload(Upload):
    def __init__(self, blobs: LocalBlobs) -> None:
        self._blobs = blobs
        self._private = blobs.private_path()
        self._written = 0
        self._handle = self._create()

    def _create(self) -> int:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        try:
            try:
                return os.open(self._private, flags, 0o666)
            except FileNotFoundError:
                files.make_folder(os.path.dirname(self._private))
                return os.open(self._private, flags, 0o666)
        except OSError as error:
            raise _refused("write", self._private, 0, error) from error

    def write(self, data: bytes | memoryview) -> None:
        view = memoryview(data).cast("B") if len(data) else memoryview(b"")
        done = 0
        try:
            while done < len(view):
                done += os.write(self._handle, view[done:])
        except OSError as error:
            raise _refused("write", self._private, self._written + len(view), error) from error
        self._written += done

    def commit(self, path: str) -> None:
        full = f"{self._blobs.root}/{path}"
        try:
            os.close(self._handle)
            self._handle = -1
            try:
                os.rename(self._private, full)
            except FileNotFoundError:
                files.make_folder(os.path.dirname(full))
                os.rename(self._private, full)
        except OSError as error:
            raise _refused("write", full, self._written, error) from error

    def abort(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
        LocalBlobs._unlink(self._private)
