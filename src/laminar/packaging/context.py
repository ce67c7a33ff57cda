"""The files that a build is given: named, hashed by content, and packed as a tar stream."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile

from laminar.errors import FlowError, ImageError
from laminar.model.value import Value
from laminar.packaging.dockerignore import Ignored
from laminar.packaging.ignored import is_datastore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import IO

#: Never of use in an image, and different with each run.
CACHES = ("**/__pycache__", "**/*.pyc", "**/.git", "**/.venv", "**/.laminar", "**/.mypy_cache", "**/.pytest_cache")
FILE, EXECUTABLE = 0o644, 0o755


class Item(Value, frozen=True):
    """One file of a context.

    Attributes:
        name: Its name there.
        digest: What identifies its content.
        mode: Its permissions.
        source: Path of the file, or what makes its content.
        link: Where it points if it is a symbolic link.
    """

    name: str
    digest: str
    mode: int
    source: str | Callable[[], bytes]
    link: str | None = None


def made(name: str, content: bytes, mode: int = FILE) -> Item:
    """Give a file whose content is known."""
    return Item(name, hashlib.sha256(content).hexdigest(), mode, lambda: content)


def later(name: str, digest: str, make: Callable[[], bytes]) -> Item:
    """Give a file that is made when it is needed, though it is known what it will be."""
    return Item(name, digest, FILE, make)


def read(name: str, path: str, whose: str) -> Item:
    """Give a file of this machine.

    Args:
        name: Its name in the context.
        path: Where it is.
        whose: What asks for it, for the error.

    Raises:
        FlowError: There is no such file, or it cannot be read.
    """
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode) and not os.path.isfile(path):
            link = os.readlink(path)
            return Item(name, hashlib.sha256(b"link " + os.fsencode(link)).hexdigest(), FILE, path, link)
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            mode = EXECUTABLE if os.fstat(file.fileno()).st_mode & stat.S_IXUSR else FILE
    except OSError as error:
        raise FlowError(f"{whose}: {path} cannot be read: {error.strerror}.") from None
    return Item(name, digest, mode, path)


def text(path: str, whose: str) -> str:
    """Read a text of this machine.

    Raises:
        FlowError: There is no such file, or it cannot be read.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise FlowError(f"{whose}: {path} cannot be read: {error}.") from None


def folder(name: str, path: str, whose: str) -> Iterator[Item]:
    """Give the files of a folder of this machine, less those that its ``.dockerignore`` names, and datastores.

    Args:
        name: Name of the folder in the context; empty for the context itself.
        path: Where it is.
        whose: What asks for it, for the error.

    Raises:
        FlowError: There is no such folder, or a file of it cannot be read.
    """
    if not os.path.isdir(path):
        raise FlowError(f"{whose}: there is no folder {path}.")
    ignored = Ignored.of(path, CACHES)
    for found in _walk(path, "", ignored):
        if not ignored(found):
            yield read(f"{name}/{found}".lstrip("/"), os.path.join(path, found), whose)


def _walk(root: str, inside: str, ignored: Ignored) -> Iterator[str]:
    for entry in sorted(os.scandir(os.path.join(root, inside)), key=lambda one: one.name):
        name = f"{inside}/{entry.name}".lstrip("/")
        if entry.is_dir(follow_symlinks=False):
            if not ignored.whole(name) and not is_datastore(entry.path):
                yield from _walk(root, name, ignored)
        elif entry.is_file() or entry.is_symlink():
            yield name


def digest(dockerfile: str, items: Iterable[Item]) -> str:
    """Hash what a build is given: names, permissions and contents; no paths and no times."""
    total = hashlib.sha256(dockerfile.encode())
    for item in sorted(items, key=lambda one: one.name):
        total.update(f"\n{item.name!r} {item.mode:o} {item.digest}".encode())
    return total.hexdigest()


def pack(file: IO[bytes], dockerfile: str, items: Iterable[Item]) -> None:
    """Write a context as a tar: equal contents give equal bytes.

    Args:
        file: Where to write.
        dockerfile: Text of the Dockerfile, which becomes ``Dockerfile``.
        items: The other files.

    Raises:
        ImageError: A file has changed since it was hashed.
    """
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, "Dockerfile", FILE, dockerfile.encode())
        for item in sorted(items, key=lambda one: one.name):
            if item.link is not None:
                entry = tarfile.TarInfo(item.name)
                entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, item.link, 0o777
                archive.addfile(entry)
            elif callable(item.source):
                _add(archive, item.name, item.mode, item.source())
            else:
                _add_file(archive, item, item.source)


def _add(archive: tarfile.TarFile, name: str, mode: int, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _add_file(archive: tarfile.TarFile, item: Item, path: str) -> None:
    entry = tarfile.TarInfo(item.name)
    with open(path, "rb") as file:
        entry.size, entry.mode = os.fstat(file.fileno()).st_size, item.mode
        same = hashlib.file_digest(file, "sha256").hexdigest() == item.digest
        file.seek(0)
        if not same:
            raise ImageError(f"{path} changed while the image that holds it was made ready. Run again.")
        archive.addfile(entry, file)
