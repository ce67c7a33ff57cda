"""Blobs in an object store: S3, Google Cloud Storage or Azure, all through obstore."""

from __future__ import annotations

import importlib
import io
import itertools
import os
import tempfile
import time
from contextlib import contextmanager, suppress

from laminar.data.contract import Found, KeptBlobs, Upload
from laminar.errors import FlowError, StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, BinaryIO

_counter = itertools.count()
#: A request tells of one blob, a listing of up to 1,000.
ASK_EACH = 20
#: Processes that have started the client's threads; more than one only after a fork.
_users: set[int] = set()
#: Variables that name a server in place of Amazon's.
ENDPOINTS = ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
#: Seconds to get through to a server, seconds to try again while it has not answered once, and seconds for its first
#: answer. Once it has answered, the client has all the patience that it likes to have: minutes.
CONNECT, TRY, FIRST = 3, 3, 4
#: Seconds for which a blob counts as just written: one that is older is written again where it is relied on, since the
#: time of an object cannot be set. Who collects allows for as much.
FRESH = 3600.0
SCHEMES = ("s3://", "s3a://", "gs://", "az://", "azure://", "abfs://", "abfss://")


class ObjectBlobs(KeptBlobs):
    """Blobs under a prefix of a bucket.

    The connection is made on first use, so that processes can be forked before. Its threads do not survive a fork, so
    a process whose parent has used any bucket cannot use one.
    """

    def __init__(self, root: str, options: Mapping[str, Any] | None = None) -> None:
        """Remember where and how to connect.

        Args:
            root: ``s3://bucket/prefix``, ``gs://bucket/prefix`` or ``az://container/prefix``.
            options: Settings of the store by obstore's names, such as ``endpoint``, ``region``,
                ``access_key_id``; what is not given comes from the environment, such as ``AWS_REGION``.

        Raises:
            FlowError: The address is of no known kind, or names no bucket.
        """
        if not root.startswith(SCHEMES):
            raise FlowError(f"{root!r} is no object store. An address starts with one of {', '.join(SCHEMES)}.")
        if not root.partition("://")[2].strip("/"):
            raise FlowError(f"{root!r} names no bucket. Write it as {root.partition('://')[0]}://bucket/prefix.")
        self.root = root.rstrip("/")
        self.options = dict(options or {})
        self._connection: tuple[int, Any, Any] | None = None
        self._answered = False

    def __getstate__(self) -> dict[str, Any]:
        """Leave the connection behind."""
        return {"root": self.root, "options": self.options, "_connection": None, "_answered": False}

    @property
    def server(self) -> str | None:
        """Address of the server, if it is named."""
        named = map(str, (*self.options.values(), *map(os.environ.get, ENDPOINTS)))
        return next((address for address in named if address.startswith(("http://", "https://"))), None)

    @contextmanager
    def _asking(self, verb: str, path: str, size: int = 0, **limits: Any) -> Iterator[tuple[Any, Any]]:
        """Give the client and the store for one question.

        Raises:
            FileNotFoundError: There is no such blob.
            StorageError: It could not be answered.
        """
        if self._connection is None or self._connection[0] != os.getpid():
            self._connection, self._answered = (os.getpid(), *self._connect(**limits)), False
        try:
            yield self._connection[1:]
        except FileNotFoundError as error:
            self._hear()
            if verb in ("read", "delete"):
                raise
            raise self._refused(verb, path, size, error) from error  # there is no such bucket
        except Exception as error:
            raise self._refused(verb, path, size, error) from error
        self._hear()

    def _hear(self) -> None:
        """Have patience from now on."""
        if not self._answered:
            self._connection, self._answered = (os.getpid(), *self._connect(retry=None)), True

    def _connect(self, retry: int | None = TRY, **limits: Any) -> tuple[Any, Any]:
        from datetime import timedelta  # loaded by the client anyway

        try:
            obstore = importlib.import_module("obstore")  # 8 ms and an extra: only for who uses a bucket
            stores = importlib.import_module("obstore.store")
        except ImportError as error:
            raise FlowError(
                f"The datastore {self.root} needs the package obstore: pip install 'laminar[cloud]'."
            ) from error
        if _users and os.getpid() not in _users:
            raise StorageError(
                f"{self.root} cannot be used here: this process was forked from one that had used a bucket, and the "
                "client's threads do not survive that. Where the script reads results before it calls the flow, move "
                "that into a layer or behind 'if flow:', or use executors.Process(method='spawn')."
            )
        _users.add(os.getpid())
        client = {name: timedelta(seconds=value) for name, value in {"connect_timeout": CONNECT, **limits}.items()}
        plain = {"allow_http": True} if (self.server or "").startswith("http://") else {}
        patience = None if retry is None else {"retry_timeout": timedelta(seconds=retry)}
        try:
            return obstore, stores.from_url(
                self.root, config=self.options or None, client_options={**client, **plain}, retry_config=patience
            )
        except Exception as error:
            raise FlowError(f"The datastore {self.root} cannot be used: {_reason(error)}") from error

    def _refused(self, verb: str, path: str, size: int, error: Exception) -> StorageError:
        amount = f" {size:,} bytes" if size else ""
        what = f"{verb}{amount} at {self.where(path)}"
        return StorageError(f"Could not {what}: {_reason(error)} See that address, bucket and credentials are right.")

    def signed(self, method: str, path: str, seconds: float) -> str:
        """Give an address at which a blob can be fetched or sent by who has no credentials.

        Args:
            method: ``GET`` or ``PUT``.
            path: Name of the blob.
            seconds: How long the address counts.

        Raises:
            StorageError: There is nothing to sign with.
        """
        from datetime import timedelta  # loaded by the client anyway

        with self._asking("sign", path) as (obstore, store):
            return str(obstore.sign(store, method, path, timedelta(seconds=seconds)))

    def prepare(self) -> None:
        """See that the bucket can be written.

        Raises:
            StorageError: It cannot, and why.
        """
        mark = b"laminar"
        with self._asking("write", ".laminar", len(mark), timeout=FIRST) as (obstore, store):
            obstore.put(store, ".laminar", mark)

    def read(self, path: str) -> bytes:
        """Read a blob."""
        with self._asking("read", path) as (obstore, store):
            return bytes(obstore.get(store, path).bytes())

    def open(self, path: str) -> BinaryIO:
        """Open a blob for reading; it is fetched in parts."""
        with self._asking("read", path) as (obstore, store):
            return io.BufferedReader(_Stream(obstore.open_reader(store, path)), 1 << 20)

    def write(self, path: str, data: bytes) -> None:
        """Write a blob."""
        with self._asking("write", path, len(data)) as (obstore, store):
            obstore.put(store, path, data)

    def append(self, path: str, line: bytes) -> None:
        """Add a line to a log: an object of its own below the log's name, since objects do not grow."""
        self.write(f"{path}/{time.time_ns():020d}-{os.getpid()}-{next(_counter):09d}", line)

    def lines(self, path: str) -> list[bytes]:
        """Read the lines of a log."""
        return [line for name in self.names(path) for line in self.read(f"{path}/{name}").split(b"\n")]

    def upload(self) -> Upload:
        """Begin to write a blob; it is collected in a local file first, since its name is its hash."""
        return _ObjectUpload(self)

    def send(self, path: str, file: BinaryIO, size: int) -> None:
        """Send a file, in parts if it is large."""
        with self._asking("write", path, size) as (obstore, store):
            obstore.put(store, path, file)

    def size(self, path: str) -> int | None:
        """Tell the size of a blob."""
        try:
            with self._asking("read", path) as (obstore, store):
                return int(obstore.head(store, path)["size"])
        except FileNotFoundError:
            return None

    def renew(self, path: str) -> int | None:
        """Tell the size of a blob that was just written; one that is older is to be written again."""
        try:
            with self._asking("read", path) as (obstore, store):
                found = obstore.head(store, path)
        except FileNotFoundError:
            return None
        return int(found["size"]) if found["last_modified"].timestamp() >= time.time() - FRESH else None

    def all(self, prefix: str = "") -> Iterator[Found]:
        """List all blobs below a prefix, a thousand with each request."""
        start = f"{prefix.strip('/')}/" if prefix else ""
        with self._asking("list", prefix) as (obstore, store):
            pages = iter(obstore.list(store, start))
        while True:
            with self._asking("list", prefix):
                page = next(pages, None)
            if page is None:
                return
            for entry in page:
                yield Found(str(entry["path"]), int(entry["size"]), entry["last_modified"].timestamp())

    def collect(self, path: str, before: float) -> bool:
        """Remove a blob, if it was written long enough before for nobody to rely on it as just written."""
        try:
            with self._asking("read", path) as (obstore, store):
                changed = obstore.head(store, path)["last_modified"].timestamp()
        except FileNotFoundError:
            return False
        if changed >= before - FRESH:
            return False
        self.delete(path)
        return True

    def version(self, path: str) -> tuple[int, str]:
        """Tell the size of a blob, and what tells its content from another: its entity tag, or else its time.

        Raises:
            FileNotFoundError: There is none of that name.
            StorageError: It cannot be asked about.
        """
        with self._asking("read", path) as (obstore, store):
            found = obstore.head(store, path)
        return int(found["size"]), str(found.get("e_tag") or found["last_modified"])

    def missing(self, paths: Iterable[str]) -> set[str]:
        """List which of some blobs are not there, by a listing where that takes fewer requests."""
        wanted = set(paths)
        if len(wanted) <= ASK_EACH:
            return super().missing(wanted)
        folders = {path.rpartition("/")[0] for path in wanted}
        return wanted - {f"{folder}/{name}" for folder in folders for name in self.names(folder)}

    def names(self, prefix: str) -> list[str]:
        """List the names below a prefix."""
        start = f"{prefix.strip('/')}/" if prefix else ""
        with self._asking("list", prefix) as (obstore, store):
            found = obstore.list_with_delimiter(store, start)
        folders = [str(name).rstrip("/").rpartition("/")[2] for name in found["common_prefixes"]]
        return sorted({*folders, *(str(entry["path"]).rpartition("/")[2] for entry in found["objects"])})

    def delete(self, path: str) -> None:
        """Remove a blob."""
        with suppress(FileNotFoundError), self._asking("delete", path) as (obstore, store):
            obstore.delete(store, path)


def _reason(error: Exception) -> str:
    """Give the first line of what the client says, without the server's page, as a sentence."""
    return str(error).strip().partition("\n")[0].partition(": <")[0].rstrip(".") + "."


class _Stream(io.RawIOBase):
    """Adapts obstore's reader to Python's raw streams."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._reader.read(len(buffer))
        buffer[: len(data)] = bytes(data)
        return len(data)


class _ObjectUpload(Upload):
    def __init__(self, blobs: ObjectBlobs) -> None:
        self._blobs = blobs
        self._spool = tempfile.TemporaryFile(prefix="laminar-")  # noqa: SIM115 - closed by commit or abort
        self._size = 0

    def write(self, data: bytes | memoryview) -> None:
        try:
            self._spool.write(data)
        except OSError as error:
            where = tempfile.gettempdir()
            raise StorageError(
                f"Could not write {self._size + len(data):,} bytes at {where}, on the way to {self._blobs.root}: "
                f"{error}. "
                "Free some space there, or point TMPDIR elsewhere, and resume the run."
            ) from error
        self._size += len(data)

    def commit(self, path: str) -> None:
        self._spool.seek(0)
        self._blobs.send(path, self._spool, self._size)
        self._spool.close()

    def abort(self) -> None:
        self._spool.close()
