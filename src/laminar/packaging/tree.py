"""Files that are put below a folder, and nowhere else."""

from __future__ import annotations

import os

from laminar.errors import BundleError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

FLAGS = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Tree:
    """Regular files and folders below a folder that was empty.

    Paths must have passed :class:`laminar.packaging.names.Names`. Nothing that exists is ever opened or changed.
    """

    def __init__(self, folder: str) -> None:
        """Begin, in a folder that is empty; it is made if it is missing.

        Raises:
            BundleError: Something is in it.
        """
        self._folder = folder
        self._folders: list[str] = []
        self._files: list[str] = []
        self._made: dict[str, str] = {"": folder}
        if not os.path.isdir(folder):
            self._make(folder)
        elif os.listdir(folder):
            raise BundleError(f"{folder} is not empty. A bundle is put only into a folder of its own.")

    def put_folder(self, path: str) -> str:
        """Make a folder, with those above it, and give where it is on this machine."""
        made = self._made.get(path)
        if made is None:
            above, _, name = path.rpartition("/")
            made = self._made[path] = os.path.join(self.put_folder(above), name)
            self._make(made)
        return made

    def put_file(self, path: str, executable: bool, chunks: Iterable[bytes | memoryview]) -> None:
        """Make a file of what comes in chunks."""
        folder, _, name = path.rpartition("/")
        target = os.path.join(self.put_folder(folder), name)
        handle = os.open(target, FLAGS, 0o600)
        self._files.append(target)
        try:
            for chunk in chunks:
                _write(handle, chunk)
            os.chmod(target if os.chmod not in os.supports_fd else handle, 0o755 if executable else 0o644)
        finally:
            os.close(handle)

    def remove(self) -> None:
        """Remove what was made; what others have put beside it stays."""
        for remove, paths in ((os.unlink, self._files), (os.rmdir, self._folders)):
            for path in reversed(paths):
                try:
                    remove(path)
                except OSError:
                    continue

    def _make(self, folder: str) -> None:
        os.mkdir(folder, 0o755)
        self._folders.append(folder)
        os.chmod(folder, 0o755)  # noqa: S103 - code that any user of a container may read, whatever the umask


def _write(handle: int, chunk: bytes | memoryview) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(handle, view) :]
