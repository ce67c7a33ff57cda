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

#: What the annotations of records mean.
PLAIN: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "bytes": (bytes,),
    "bool": (bool,),
    "float": (float, int),
    "None": (type(None),),
    "tuple[Ref, ...]": (tuple,),
    "Mapping[str, str]": (dict,),
}
_types: dict[type, list[tuple[str, tuple[type, ...]]]] = {}


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


def _checked(record: Value) -> Value:
    """Refuse a record whose fields are of other types than it says."""
    known = _types.get(type(record))
    if known is None:
        known = _types[type(record)] = [(name, _kinds(text)) for name, text in type(record).__annotations__.items()]
    fields: dict[str, Any] = vars(record)
    for name, kinds in known:
        value = fields[name]
        if not isinstance(value, kinds):
            raise ValueError(f"a message whose {name} is a {type(value).__name__}")
        if kinds == (tuple,) and not all(isinstance(part, Ref) for part in fields[name]):
            raise ValueError(f"a message whose {name} are of another kind")
        if kinds == (dict,) and not all(isinstance(part, str) for part in fields[name].values()):
            raise ValueError(f"a message whose {name} are no text")
    return record


def _kinds(text: str) -> tuple[type, ...]:
    names = [name.strip() for name in text.split("|")]
    return tuple(part for name in names for part in (PLAIN.get(name) or (KINDS[name],)))


def _value(plain: Any) -> Any:
    if isinstance(plain, dict):
        if "$" in plain:
            kind = KINDS.get(plain.pop("$"))
            if kind is None:
                raise ValueError("a message of an unknown kind")
            return _checked(kind(**{name: _value(part) for name, part in plain.items()}))
        if plain.keys() == {"b64"}:
            return b64decode(plain["b64"])
        return plain
    return tuple(map(_value, plain)) if isinstance(plain, list) else plain
