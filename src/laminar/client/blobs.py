"""The blobs of a space, by way of its server: nothing is needed but HTTP and a token.

Small blobs go within requests, many at a time where that is possible; what is larger goes to and from the store by
signed addresses.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from base64 import b64encode
from functools import partial

from laminar.client.http import Client
from laminar.client.patience import SECONDS, patiently
from laminar.data.contract import Blobs, Upload
from laminar.errors import ServerError, StorageError
from laminar.wire.store import (
    INLINE,
    MOST,
    AppendLines,
    AskSize,
    DeleteBlob,
    FindLog,
    ListNames,
    PutBlob,
    ReadBlob,
    Reading,
    StoreAnswer,
    StoreReading,
    StoreRequest,
    WriteBlob,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any, BinaryIO

    from laminar.wire.store import Operation, StoreReply

#: Seconds for which a server is waited for that stops and starts again, also before it has answered once.
PATIENCE = 120.0
#: Bytes of lines that are added in one request.
PIECE = 1 << 18
#: Bytes up to which an upload is collected in memory, on its way.
IN_MEMORY = 1 << 20


class HttpBlobs(Blobs):
    """Blobs by way of a server.

    Attributes:
        root: The address of the server, and what all names begin with.
    """

    #: Seconds for which a server may not know whose token this is.
    _taken_back = 0.0

    def __init__(self, endpoint: str, token: str, below: str = "", *, patience: float = PATIENCE) -> None:
        """Remember where they are; nothing is asked yet.

        Args:
            endpoint: Address of the server.
            token: The attempt's token. It says which space the blobs are in, and is in no message.
            below: What all names begin with, within the space.
            patience: Seconds for which a server is waited for that does not answer, or has yet to take the attempt
                back from one that was lost.
        """
        self._client = Client(endpoint, token, patience=patience, at_first=patience)
        self._taken_back = min(patience, SECONDS)
        self._begin(below)

    def _begin(self, below: str) -> None:
        self._below = f"{below.strip('/')}/" if below.strip("/") else ""
        self.root = f"{self._client.endpoint}/{self._below}"

    def prepare(self) -> None:
        """See that the server answers.

        Raises:
            ServerNotReachableError: It does not.
        """
        self._ask([])

    def read(self, path: str) -> bytes:
        """Read a blob."""
        return self._bytes(path, self._one(ReadBlob(key=self._key(path))))

    def open(self, path: str) -> BinaryIO:
        """Open a blob for reading; a large one comes as it is read."""
        reply = self._one(ReadBlob(key=self._key(path)))
        if reply.url is not None:
            return self._client.get(reply.url)
        return io.BytesIO(self._bytes(path, reply))

    def write(self, path: str, data: bytes) -> None:
        """Write a blob."""
        if len(data) <= INLINE:
            self._one(WriteBlob(key=self._key(path), data=data))
        else:
            md5 = hashlib.md5(data, usedforsecurity=False).digest()
            self._send(path, io.BytesIO(data), len(data), md5)

    def append(self, path: str, line: bytes) -> None:
        """Add a line to a log, or lines, a request for as many as fit.

        Where a connection was lost before the server had answered, a line can be there twice, one after the other.
        """
        for piece in _pieces(line):
            self._one(AppendLines(key=self._key(path), data=piece))

    def lines(self, path: str) -> list[bytes]:
        """Read the lines of a log."""
        reply = self._one(FindLog(key=self._key(path)))
        if reply.names is not None:
            parts = self._pieces_of(path, reply.names)
        else:
            parts = iter([] if reply.size is None else [self._bytes(path, reply)])
        return [line for part in parts for line in part.split(b"\n") if line]

    def _pieces_of(self, path: str, names: list[str]) -> Iterator[bytes]:
        """Read a log that is in pieces."""
        keys = [f"{path}/{name}" for name in names]
        replies = self._ask([ReadBlob(key=self._key(key)) for key in keys])
        return (self._bytes(key, reply) for key, reply in zip(keys, replies, strict=True))

    def upload(self) -> Upload:
        """Begin to write a blob; it is collected here first, since its name is its hash."""
        return _HttpUpload(self)

    def size(self, path: str) -> int | None:
        """Tell the size of a blob."""
        return self._one(AskSize(key=self._key(path))).size

    def renew(self, path: str) -> int | None:  # noqa: ARG002
        """Leave it to the server, which takes no bytes of what it has whole."""
        return None

    def missing(self, paths: Iterable[str]) -> set[str]:
        """List which of some blobs are not there, or empty, by one request for many."""
        wanted = list(dict.fromkeys(paths))
        replies = self._ask([AskSize(key=self._key(path)) for path in wanted])
        return {path for path, reply in zip(wanted, replies, strict=True) if not reply.size}

    def names(self, prefix: str) -> list[str]:
        """List the names below a prefix."""
        return self._one(ListNames(prefix=f"{self._below}{prefix}")).names or []

    def delete(self, path: str) -> None:
        """Remove a blob; one that is named by its content stays, unless it is damaged."""
        self._one(DeleteBlob(key=self._key(path)))

    def _send(self, path: str, file: BinaryIO, size: int, md5: bytes) -> None:
        """Send a blob to the store, unless it has the same already."""
        content_md5 = b64encode(md5).decode()
        reply = self._one(PutBlob(key=self._key(path), size=size, content_md5=content_md5))
        if reply.url is None:
            return
        try:
            self._client.put(reply.url, file, reply.headers)
        except ServerError as error:
            raise StorageError(f"Could not write {size:,} bytes at {self.where(path)}: {error}") from error

    def _bytes(self, path: str, reply: StoreReply) -> bytes:
        if reply.data is not None:
            return reply.data
        if reply.url is None:
            raise FileNotFoundError(self.where(path))
        with self._client.get(reply.url) as file:
            return file.read()

    def _key(self, path: str) -> str:
        return f"{self._below}{path}"

    def _one(self, operation: Operation) -> StoreReply:
        return self._ask([operation])[0]

    def _ask(self, operations: Sequence[Operation]) -> list[StoreReply]:
        """Carry out operations, in requests of so many."""
        replies: list[StoreReply] = []
        for batch in [operations[start : start + MOST] for start in range(0, len(operations), MOST)] or [[]]:
            path, body = self._asking(batch)
            ask = partial(self._client.call, "POST", path, body=body, returns=StoreAnswer, again=True)
            answer: StoreAnswer = patiently(ask, self._taken_back)
            replies += answer.replies
        return replies

    def _asking(self, batch: Sequence[Operation]) -> tuple[str, StoreRequest | StoreReading]:
        """Give the path that operations go to, and the request."""
        return "/attempt/store", StoreRequest(operations=list(batch))


class SpaceBlobs(HttpBlobs):
    """The blobs of a project and domain, as people reach them: they write what is named by its content, and no more."""

    def __init__(self, client: Client, below: str = "") -> None:
        """Take what asks the server.

        Args:
            client: Asks it; its project and domain are those of the blobs.
            below: What all names begin with, within the space.
        """
        self._client = client
        self._begin(below)

    def _asking(self, batch: Sequence[Operation]) -> tuple[str, StoreRequest | StoreReading]:
        path = self._client.space_path("/content")
        reading = [operation for operation in batch if isinstance(operation, Reading)]
        if len(reading) == len(batch):  # which takes a lesser role
            return f"{path}/reading", StoreReading(operations=reading)
        return path, StoreRequest(operations=list(batch))


class _HttpUpload(Upload):
    def __init__(self, blobs: HttpBlobs) -> None:
        self._blobs = blobs
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._spool: Any = tempfile.SpooledTemporaryFile(IN_MEMORY, prefix="laminar-")  # noqa: SIM115 - closed at the end
        self._size = 0

    def write(self, data: bytes | memoryview) -> None:
        view = memoryview(data).cast("B") if len(data) else memoryview(b"")
        try:
            self._spool.write(view)
        except OSError as error:
            raise StorageError(
                f"Could not write {self._size + len(view):,} bytes at {tempfile.gettempdir()}, on the way to "
                f"{self._blobs.root}: {error}. Free some space there, or point TMPDIR elsewhere, and resume the run."
            ) from error
        self._md5.update(view)
        self._size += len(view)

    def commit(self, path: str) -> None:
        self._spool.seek(0)
        self._blobs._send(path, self._spool, self._size, self._md5.digest())
        self._spool.close()

    def abort(self) -> None:
        self._spool.close()


def _pieces(lines: bytes) -> Iterator[bytes]:
    """Put whole lines together as far as they fit."""
    while len(lines) > PIECE and b"\n" in lines:
        cut = lines.rfind(b"\n", 0, PIECE)
        cut = lines.index(b"\n") if cut < 0 else cut
        yield lines[:cut]
        lines = lines[cut + 1 :]
    yield lines
