"""The store: bytes to and from signed addresses, and what attempts and people ask of it."""

from __future__ import annotations

import hashlib
import os
import re
from base64 import b64encode

from anyio import to_thread
from starlette.responses import Response, StreamingResponse

from laminar.errors import AuthenticationError, DigestMismatchError
from laminar.server import deployments
from laminar.server.identity import Role
from laminar.server.keys import Permit
from laminar.server.problems import refusal
from laminar.server.routes import MIB, Asked, Route
from laminar.server.store import LARGEST, LocalStore
from laminar.server.storing import Counter
from laminar.wire.store import StoreAnswer, StoreReading, StoreRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import BinaryIO

    from laminar.server.folder import Folder, Incoming

#: Bytes that are read in one go.
PIECE = 1 << 17
MEDIA = "application/octet-stream"
_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{0,18})")


async def attempt(asked: Asked) -> StoreAnswer:
    """Carry out what an attempt asks of the store."""
    wanted: StoreRequest = asked.body
    counter = Counter(asked.services.store, Permit.of(asked.identity.claims))
    return StoreAnswer(replies=await to_thread.run_sync(counter.carry_out, wanted.operations))


async def people(asked: Asked) -> StoreAnswer:
    """Carry out what people ask of the store of a space."""
    return await to_thread.run_sync(_people, asked)


def _people(asked: Asked) -> StoreAnswer:
    services, path = asked.services, asked.path
    space = deployments.space(services.engine.catalog, path["project"], path["domain"])
    counter = Counter(services.store, Permit(space))
    return StoreAnswer(replies=counter.carry_out(asked.body.operations))


async def put(asked: Asked) -> None:
    """Take the bytes that an address was signed for, and no others."""
    claims = asked.identity.claims
    key, folder = _place(asked)
    announced = asked.request.headers.get("content-length")
    if announced is not None and int(announced) != claims["size"]:
        raise _wrong_size(int(announced), claims["size"])
    incoming = await to_thread.run_sync(folder.begin)
    try:
        await _receive(asked, incoming, claims["md5"], claims["size"])
        await to_thread.run_sync(incoming.commit, key, claims["replace"])
    finally:
        incoming.abort()


async def _receive(asked: Asked, incoming: Incoming, expected: str, size: int) -> None:
    """Write bytes as they come, and see that they are those expected."""
    md5 = hashlib.md5(usedforsecurity=False)
    received = 0
    async for chunk in asked.chunks:
        received += len(chunk)
        if received > size:
            raise _wrong_size(received, size)
        await to_thread.run_sync(_take, chunk, incoming, md5)
    if received != size:
        raise _wrong_size(received, size)
    found = b64encode(md5.digest()).decode()
    if found != expected:
        raise DigestMismatchError(
            f"The {size:,} bytes that arrived have the MD5 {found}, and not {expected}. Send them again."
        )


def _take(chunk: bytes, incoming: Incoming, md5: hashlib._Hash) -> None:
    md5.update(chunk)
    incoming.write(chunk)


def _wrong_size(got: int, size: int) -> DigestMismatchError:
    return DigestMismatchError(
        f"{got:,} bytes came, and {size:,} were announced. Ask for an address for what you send."
    )


async def get(asked: Asked) -> Response:
    """Give the bytes that an address was signed for: all, or the range that is asked for."""
    key, folder = _place(asked)
    try:
        file = await to_thread.run_sync(folder.open, key)
    except FileNotFoundError:
        raise refusal(404, "There is nothing at this address any more.") from None
    try:
        return _sent(asked, file)
    except BaseException:
        file.close()
        raise


def _sent(asked: Asked, file: BinaryIO) -> Response:
    state = os.fstat(file.fileno())
    tag = f'"{state.st_ino:x}-{state.st_mtime_ns:x}-{state.st_size:x}"'
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store",
        "Content-Disposition": "attachment",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "ETag": tag,
        "X-Content-Type-Options": "nosniff",
    }
    start, end, status = _range(asked, tag, state.st_size)
    headers["Content-Length"] = str(end - start)
    if status != 200:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{state.st_size}"
    file.seek(start)
    return StreamingResponse(_pieces(file, end - start), status, headers, MEDIA)


def _range(asked: Asked, tag: str, size: int) -> tuple[int, int, int]:
    """Give where to start and to end, and the status; a range of another content, or of several parts, is all of it."""
    headers = asked.request.headers
    found = _RANGE.fullmatch(headers.get("range", ""))
    if found is None or headers.get("if-range", tag) != tag:
        return 0, size, 200
    start = int(found[1])
    end = min(int(found[2]) + 1, size) if found[2] else size
    if start >= end:
        raise refusal(416, f"The range {found[0]} is not within {size} bytes.")
    return start, end, 206


async def _pieces(file: BinaryIO, left: int) -> AsyncIterator[bytes]:
    with file:
        while left and (piece := await to_thread.run_sync(file.read, min(PIECE, left))):
            left -= len(piece)
            yield piece


def _place(asked: Asked) -> tuple[str, Folder]:
    """Give the name that an address was signed for, and the folder."""
    key, store = asked.path["key"], asked.services.store
    if asked.identity.claims.get("key") != key or not isinstance(store, LocalStore):
        raise AuthenticationError("The address was signed for something else. Ask the server for another.")
    return key, store.folder


ROUTES = (
    Route(
        "POST",
        "/attempt/store",
        Role.ATTEMPT,
        attempt,
        "Read and write small blobs, and ask where large ones are to be had or sent.",
        body=StoreRequest,
        returns=StoreAnswer,
        most=MIB,
    ),
    Route(
        "POST",
        "/projects/{project}/domains/{domain}/content/reading",
        Role.VIEWER,
        people,
        "Read small blobs, and ask where large ones are to be had.",
        body=StoreReading,
        returns=StoreAnswer,
        most=MIB,
    ),
    Route(
        "POST",
        "/projects/{project}/domains/{domain}/content",
        Role.EDITOR,
        people,
        "Write small blobs that are named by their content, and ask where large ones are to be sent.",
        body=StoreRequest,
        returns=StoreAnswer,
        most=MIB,
    ),
    Route(
        "PUT",
        "/store/{key:path}",
        Role.SIGNED,
        put,
        "Send what the address was signed for.",
        status=204,
        most=LARGEST,
        streams=True,
    ),
    Route("GET", "/store/{key:path}", Role.SIGNED, get, "Fetch what the address was signed for.", media=MEDIA),
)
