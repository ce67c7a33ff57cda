"""Files and folders as inputs and results of tasks: handles that travel, and content that is streamed.

A :class:`File` is the SHA-256 of its content, its name and its size; the content lies in the store of the run. So two
files of equal content and name are equal, whenever and wherever they were written, and a cached task knows them again.
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import io
import os
from contextlib import asynccontextmanager, contextmanager
from typing import Generic, TypeVar

from laminar.errors import TaskError
from laminar.tasks import addresses
from laminar.tasks.content import AsyncStream, Store, Writer, as_text, store, using

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from typing import IO, Any

    from laminar.data.contract import Blobs

__all__ = ["Dir", "File", "arriving", "settled_at", "store", "using"]

T = TypeVar("T")
HandleT = TypeVar("HandleT", bound="File[Any] | Dir[Any]")

READ, WRITE = ("r", "rt", "rb"), ("w", "wt", "wb")


class File(Generic[T]):
    """A file that tasks can take and give. What ``T`` says of the format is for people.

    Attributes:
        name: Its name; of a file out of a :class:`Dir`, its path there, with ``/``.
        digest: SHA-256 of its content, in hexadecimal; empty where it is not written yet, or lies elsewhere.
        size: Of its content, in bytes.
        address: Where it lies, if that is not the store: ``file://…``, ``s3://…``, ``gs://…``, ``az://…``.
        version: What tells one content at the address from another.

    Usage::

        @env.task
        async def count_lines(file: File) -> int:
            async with file.open("rt") as lines:
                return len([line async for line in lines])
    """

    def __init__(self, name: str, digest: str = "", size: int = 0, address: str = "", version: str = "") -> None:
        """Take the parts; use :meth:`from_local`, :meth:`new_remote` or :meth:`from_existing_remote` to make one."""
        self.name = name
        self.digest = digest
        self.size = size
        self.address = address
        self.version = version
        self._home: Store | None = None

    @classmethod
    async def from_local(cls, path: str | os.PathLike[str]) -> File[T]:
        """Store a file of this machine, as :meth:`from_local_sync` does, while the loop goes on."""
        return await asyncio.to_thread(cls.from_local_sync, path)

    @classmethod
    def from_local_sync(cls, path: str | os.PathLike[str]) -> File[T]:
        """Store a file of this machine.

        Args:
            path: Where it is.

        Raises:
            FileNotFoundError: It is not there.
            StorageError: It cannot be stored.
            TaskError: It is no regular file.
        """
        name = os.path.basename(os.path.abspath(path))
        with addresses.opened(os.fspath(path)) as source:
            here = store()
            return cls(name, *here.take(source))._at(here)

    @classmethod
    def new_remote(cls, file_name: str | None = None) -> File[T]:
        """Begin a file that is to be written with :meth:`open` or :meth:`open_sync`, straight into the store.

        Args:
            file_name: Its name; ``file`` by default.
        """
        return cls(file_name or "file")

    @classmethod
    def from_existing_remote(cls, remote_path: str, file_cache_key: str | None = None) -> File[T]:
        """Refer to a file that lies elsewhere, without copying it.

        What it holds now is told by its entity tag (one request) or, on this machine, by its SHA-256 (one reading);
        with a key of your own, by that alone, and nothing is asked.

        Args:
            remote_path: ``file://…``, ``s3://…``, ``gs://…`` or ``az://…``.
            file_cache_key: What tells this content from another.

        Raises:
            FileNotFoundError: There is none.
            TaskError: It is no such address.
            StorageError: It cannot be asked about.
        """
        name = remote_path.rstrip("/").rpartition("/")[2]
        if not name or not remote_path.startswith(("file://", *addresses.OBJECTS)):
            raise TaskError(
                f"{remote_path!r} is no address of a file. Write file://…, {'…, '.join(addresses.OBJECTS)}… ."
            )
        if file_cache_key is not None:
            return cls(name, "", 0, remote_path, f"key {file_cache_key}")
        return cls(name, "", *addresses.looked_at(remote_path))

    def _at(self, home: Store) -> File[T]:
        self._home = home
        return self

    def settle(self) -> File[T]:
        """See that the content is in the store of this run, where it was stored before the run began."""
        home, here = self._home, store()
        if home is not None and home != here:
            if not here.has(self.digest):
                with home.read(self.digest, self.name) as source:
                    here.take(source)
            self._home = here
        return self

    @property
    def written(self) -> bool:
        """Whether it has content."""
        return bool(self.digest or self.address)

    async def exists(self) -> bool:
        """Tell whether its content is there, while the loop goes on."""
        return await asyncio.to_thread(self.exists_sync)

    def exists_sync(self) -> bool:
        """Tell whether its content is there."""
        if self.address:
            try:
                addresses.looked_at(self.address)
            except FileNotFoundError:
                return False
            return True
        return bool(self.digest) and (self._home or store()).has(self.digest)

    @asynccontextmanager
    async def open(self, mode: str = "rb") -> AsyncIterator[AsyncStream]:
        """Open it as :meth:`open_sync` does; reading and writing are awaited."""
        manager = self.open_sync(mode)
        file = await asyncio.to_thread(manager.__enter__)
        try:
            yield AsyncStream(file)
        except BaseException as error:
            if not manager.__exit__(type(error), error, error.__traceback__):
                raise
        else:
            await asyncio.to_thread(manager.__exit__, None, None, None)

    @contextmanager
    def open_sync(self, mode: str = "rb") -> Iterator[IO[Any]]:
        """Open it as a stream that goes forward only; download it for what jumps about in it.

        Args:
            mode: ``rb`` or ``rt`` (UTF-8) to read; ``wb`` or ``wt`` to write a file that :meth:`new_remote` has begun.
                What was written counts when the block ends without an exception.

        Raises:
            TaskError: The mode is none of these, or does not go with this file.
            FileNotFoundError: Its content is not there.
            CorruptBlobError: Its content is damaged; told when its end is read.
            StorageError: It cannot be read or written.
        """
        if mode in READ:
            with self._reading() as file:
                yield file if mode == "rb" else io.TextIOWrapper(file, "utf-8")
        elif mode in WRITE and not self.written:
            yield from self._writing(text=mode != "wb")
        else:
            raise TaskError(
                f"File {self.name} cannot be opened with mode {mode!r}. Read with {' or '.join(map(repr, READ))}; "
                "what a file holds cannot be changed: write another one, which File.new_remote() begins."
            )

    def _reading(self) -> Any:
        if self.address:
            return addresses.opened_at(self.address)
        if not self.digest:
            raise FileNotFoundError(f"File {self.name} was not written yet: open it with mode 'wb' first.")
        return (self._home or store()).read(self.digest, self.name)

    def _writing(self, text: bool) -> Iterator[IO[Any]]:
        here = store()
        with Writer(here) as writer:
            faces: Iterator[Any] = as_text(writer) if text else iter((writer,))
            yield from faces
            self.digest, self.size, self._home = writer.finish(), writer.size, here

    async def download(self, local_path: str | os.PathLike[str] | None = None) -> str:
        """Copy the content to this machine as :meth:`download_sync` does, while the loop goes on."""
        return await asyncio.to_thread(self.download_sync, local_path)

    def download_sync(self, local_path: str | os.PathLike[str] | None = None) -> str:
        """Copy the content to this machine.

        Args:
            local_path: Where to; into it, if it is a folder. By default a new folder, which is removed once this
                process has ended: by the next run that starts here, or at once where the store is in a bucket.

        Returns:
            The path of the copy.
        """
        base = os.path.basename(self.name)
        target = (
            os.path.join(addresses.scratch(store().blobs.root), base) if local_path is None else os.fspath(local_path)
        )
        target = os.path.join(target, base) if os.path.isdir(target) else target
        with self._reading() as source:
            addresses.copy(source, target)
        return target

    def _identity(self) -> tuple[object, ...]:
        return (self.name, self.digest, self.size, self.address, self.version)

    def __eq__(self, other: object) -> bool:
        """Tell whether both are of one name and one content."""
        return isinstance(other, File) and self._identity() == other._identity()

    def __hash__(self) -> int:
        """Hash by name and content."""
        return hash(self._identity())

    def __repr__(self) -> str:
        """Show what it is."""
        what = f"at {self.address}" if self.address else f"sha256 {self.digest[:12]}…" if self.digest else "not written"
        return f"<File {self.name}, {what}, {self.size:,} bytes>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel as a handle; the content stays in the store.

        Raises:
            TaskError: There is no content yet.
        """
        if not self.written:
            raise TaskError(f"File {self.name} was begun, but not written: open it with mode 'wb' and write to it.")
        return _restored_file, self._identity()

    def __laminar_digest__(self) -> bytes:
        """Give what stands for it in cache keys: name and content."""
        return hashlib.sha256(repr(self.__reduce__()[1]).encode()).digest()


class Dir(Generic[T]):
    """A folder of files that tasks can take and give; a list of names and contents. Empty folders are not kept.

    Attributes:
        name: Its name.
        digest: SHA-256 of the list of its files, in hexadecimal.
        count: How many files are in it, in all depths.
        size: Of all of them, in bytes.

    Usage::

        @env.task
        async def count_files(folder: Dir) -> int:
            return len(await folder.list_files())
    """

    def __init__(self, name: str, digest: str, count: int, size: int) -> None:
        """Take the parts; use :meth:`from_local` to make one."""
        self.name = name
        self.digest = digest
        self.count = count
        self.size = size
        self._home: Store | None = None

    @classmethod
    async def from_local(cls, path: str | os.PathLike[str]) -> Dir[T]:
        """Store a folder of this machine, as :meth:`from_local_sync` does, while the loop goes on."""
        return await asyncio.to_thread(cls.from_local_sync, path)

    @classmethod
    def from_local_sync(cls, path: str | os.PathLike[str]) -> Dir[T]:
        """Store a folder of this machine, with all that is in it.

        Links to files count as the files; links to folders are refused, since they may lead in circles.

        Raises:
            FileNotFoundError: It is not there.
            TaskError: It is no folder, or holds what is neither file nor folder.
            StorageError: It cannot be stored.
        """
        top, here = os.path.abspath(path), store()
        entries: list[list[Any]] = []
        for name in sorted(_names(top)):
            with addresses.opened(os.path.join(top, *name.split("/"))) as source:
                entries.append([name, *here.take(source)])
        digest, _ = here.take(io.BytesIO(_listing(entries)))
        made: Dir[T] = cls(os.path.basename(top), digest, len(entries), sum(entry[2] for entry in entries))
        made._home = here
        return made

    def settle(self) -> Dir[T]:
        """See that the content is in the store of this run, where it was stored before the run began."""
        home, here = self._home, store()
        if home is not None and home != here:
            for file in self.walk_sync():
                file.settle()
            with home.read(self.digest, self.name) as source:
                here.take(source)
            self._home = here
        return self

    async def exists(self) -> bool:
        """Tell whether all of its files are there, while the loop goes on."""
        return await asyncio.to_thread(self.exists_sync)

    def exists_sync(self) -> bool:
        """Tell whether all of its files are there."""
        return (self._home or store()).has(self.digest) and all(file.exists_sync() for file in self._files())

    async def walk(
        self, recursive: bool = True, max_depth: int | None = None, file_pattern: str = "*"
    ) -> AsyncIterator[File[T]]:
        """Give its files as :meth:`walk_sync` does, while the loop goes on."""
        for file in await asyncio.to_thread(lambda: list(self.walk_sync(recursive, file_pattern, max_depth))):
            yield file

    def walk_sync(
        self, recursive: bool = True, file_pattern: str = "*", max_depth: int | None = None
    ) -> Iterator[File[T]]:
        """Give its files, sorted by their paths.

        Args:
            recursive: Those in folders below, too.
            file_pattern: Only those whose name, without its folders, matches, such as ``*.csv``.
            max_depth: Only those so many levels deep; 1 is the folder itself.
        """
        import fnmatch  # loaded by pathlib, which few tasks need

        depth = 1 if not recursive else max_depth
        for file in self._files():
            folders, _, name = file.name.rpartition("/")
            if fnmatch.fnmatch(name, file_pattern) and (
                depth is None or not folders or folders.count("/") + 2 <= depth
            ):
                yield file

    def _files(self) -> Iterator[File[T]]:
        import json  # 5 ms

        with (self._home or store()).read(self.digest, self.name) as listing:
            for name, digest, size in json.loads(listing.read()):
                file: File[T] = File(name, digest, size)
                file._home = self._home
                yield file

    async def list_files(self) -> list[File[T]]:
        """List the files directly in it, while the loop goes on."""
        return await asyncio.to_thread(self.list_files_sync)

    def list_files_sync(self) -> list[File[T]]:
        """List the files directly in it; :meth:`walk_sync` goes into its folders too."""
        return list(self.walk_sync(recursive=False))

    async def get_file(self, file_name: str) -> File[T] | None:
        """Give a file as :meth:`get_file_sync` does, while the loop goes on."""
        return await asyncio.to_thread(self.get_file_sync, file_name)

    def get_file_sync(self, file_name: str) -> File[T] | None:
        """Give a file by its path in the folder; None if there is none."""
        return next((file for file in self._files() if file.name == file_name), None)

    async def download(self, local_path: str | os.PathLike[str] | None = None) -> str:
        """Copy all files to this machine as :meth:`download_sync` does, while the loop goes on."""
        return await asyncio.to_thread(self.download_sync, local_path)

    def download_sync(self, local_path: str | os.PathLike[str] | None = None) -> str:
        """Copy all files to this machine.

        Args:
            local_path: The folder that they go into; made if it is missing. By default a new one, as for a file.

        Returns:
            The path of the folder.
        """
        target = (
            os.path.join(addresses.scratch(store().blobs.root), self.name)
            if local_path is None
            else os.fspath(local_path)
        )
        os.makedirs(target, exist_ok=True)
        for file in self._files():
            steps = file.name.split("/")
            if ".." in steps or not all(steps):
                raise TaskError(
                    f"The list of {self.name} names {file.name!r}, which leads out of the folder: it was tampered with."
                )
            place = os.path.join(target, *steps)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with file._reading() as source:
                addresses.copy(source, place)
        return target

    def _identity(self) -> tuple[object, ...]:
        return (self.name, self.digest, self.count, self.size)

    def __eq__(self, other: object) -> bool:
        """Tell whether both are of one name and hold the same files."""
        return isinstance(other, Dir) and self._identity() == other._identity()

    def __hash__(self) -> int:
        """Hash by name and files."""
        return hash(self._identity())

    def __repr__(self) -> str:
        """Show what it is."""
        return f"<Dir {self.name}, {self.count:,} files, sha256 {self.digest[:12]}…, {self.size:,} bytes>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel as a handle; the files stay in the store."""
        return _restored_dir, self._identity()

    def __laminar_digest__(self) -> bytes:
        """Give what stands for it in cache keys: its name, and the names and contents of its files."""
        return hashlib.sha256(repr(self._identity()).encode()).digest()


_arriving: contextvars.ContextVar[list[File[Any] | Dir[Any]] | None] = contextvars.ContextVar(
    "laminar_arriving", default=None
)


@contextmanager
def arriving() -> Iterator[list[File[Any] | Dir[Any]]]:
    """Collect the handles that are unpickled in this context.

    Who takes a value from a cache can see by them whether all of its content is still there.
    """
    found: list[File[Any] | Dir[Any]] = []
    token = _arriving.set(found)
    try:
        yield found
    finally:
        _arriving.reset(token)


def settled_at(blobs: Blobs, unpack: Callable[[], T]) -> T:
    """Unpack a value whose files lie in some store, and let them know that: they can be read outside of its run.

    Args:
        blobs: The blobs of that store.
        unpack: Unpacks the value.
    """
    with arriving() as handles:
        value = unpack()
    for handle in handles:
        handle._home = Store(blobs)
    return value


def _restored_file(name: str, digest: str, size: int, address: str, version: str) -> File[Any]:
    return _noted(File(name, digest, size, address, version))


def _restored_dir(name: str, digest: str, count: int, size: int) -> Dir[Any]:
    return _noted(Dir(name, digest, count, size))


def _noted(handle: HandleT) -> HandleT:
    found = _arriving.get()
    if found is not None:
        found.append(handle)
    return handle


def _names(top: str) -> Iterator[str]:
    """Name the files in a folder by their paths in it, with ``/``."""
    if not os.path.isdir(top):
        raise TaskError(f"{top} is a file: use File.from_local.") if os.path.exists(top) else FileNotFoundError(top)
    for base, folders, names in os.walk(top):
        for folder in folders:
            if os.path.islink(os.path.join(base, folder)):
                raise TaskError(f"{os.path.join(base, folder)} is a link to a folder. Copy that folder in its place.")
        inside = os.path.relpath(base, top)
        for name in names:
            yield name if inside == "." else f"{inside.replace(os.sep, '/')}/{name}"


def _listing(entries: list[list[Any]]) -> bytes:
    import json  # 5 ms

    return json.dumps(entries).encode()
