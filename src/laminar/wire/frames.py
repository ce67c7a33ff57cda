"""Messages as bytes: a JSON object each, after its length in 4 bytes, big end first.

A record is ``{"$": name, …fields}``, bytes are ``{"b64": text}``. The values of users stay bytes here: who passes
messages on never interprets them.
"""

from __future__ import annotations

import json
import struct
from base64 import b64decode, b64encode

from laminar.model.action import Failure, Output, Ref
from laminar.model.cache import CacheKey
from laminar.model.value import Value
from laminar.wire.messages import Answer, Call, Checkpoint, Dismiss, Recall

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

LENGTH = struct.Struct("!I")


class Hello(Value):
    """The first message of an attempt: who it is.

    Attributes:
        token: What shows it.
    """

    token: str


KINDS: dict[str, type[Value]] = {
    kind.__name__: kind for kind in (Answer, CacheKey, Call, Checkpoint, Dismiss, Failure, Hello, Output, Recall, Ref)
}


def send(connection: socket.socket, message: Value) -> None:
    """Send a message over a stream socket.

    Raises:
        OSError: The other end is gone.
    """
    data = json.dumps(_plain(message)).encode()
    connection.sendall(LENGTH.pack(len(data)) + data)


def receive(connection: socket.socket) -> Any:
    """Receive a message; None at the end of the stream.

    Raises:
        ValueError: It is no message.
    """
    head = _exactly(connection, LENGTH.size)
    data = None if head is None else _exactly(connection, LENGTH.unpack(head)[0])
    return None if data is None else _value(json.loads(data))


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        try:
            part = connection.recv(min(size - len(data), 1 << 20))
        except OSError:
            return None
        if not part:
            return None
        data += part
    return bytes(data)


def _plain(value: Any) -> Any:
    if isinstance(value, Value):
        return {"$": type(value).__name__, **{name: _plain(part) for name, part in vars(value).items()}}
    if isinstance(value, bytes):
        return {"b64": b64encode(value).decode()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return dict(value) if hasattr(value, "keys") else value


def _value(plain: Any) -> Any:
    if isinstance(plain, dict):
        if "$" in plain:
            kind = KINDS.get(plain.pop("$"))
            if kind is None:
                raise ValueError("a message of an unknown kind")
            return kind(**{name: _value(part) for name, part in plain.items()})
        if plain.keys() == {"b64"}:
            return b64decode(plain["b64"])
        return plain
    return tuple(map(_value, plain)) if isinstance(plain, list) else plain
