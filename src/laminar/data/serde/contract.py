"""The contract of serialisation protocols, and the registry that finds one by exact type."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, BinaryIO, TypeVar

    ProtocolT = TypeVar("ProtocolT", bound="Protocol")


def dtype(kind: type) -> str:
    """Name a type, as archives do: ``module.Name``."""
    return f"{kind.__module__}.{kind.__name__}"


class Protocol:
    """How values of a type become bytes and back.

    Override one pair: :meth:`dumps` and :meth:`loads` (bytes), :meth:`dump` and :meth:`load` (a stream), or
    :meth:`write` and :meth:`read` (a URI, which is a path of a local file).
    """

    def dumps(self, value: Any) -> bytes:
        """Serialise to bytes."""
        raise NotImplementedError(f"{type(self).__name__} defines none of dumps, dump and write.")

    def loads(self, stream: bytes) -> Any:
        """Deserialise from bytes."""
        raise NotImplementedError(f"{type(self).__name__} defines none of loads, load and read.")

    def dump(self, value: Any, file: BinaryIO) -> None:
        """Serialise to a binary stream."""
        file.write(self.dumps(value))

    def load(self, file: BinaryIO) -> Any:
        """Deserialise from a binary stream."""
        return self.loads(file.read())

    def write(self, value: Any, uri: str) -> None:
        """Serialise to a local file."""
        with open(uri, "wb") as file:
            self.dump(value, file)

    def read(self, uri: str) -> Any:
        """Deserialise from a local file."""
        with open(uri, "rb") as file:
            return self.load(file)

    @classmethod
    def wants_files(cls) -> bool:
        """Tell whether the protocol works on files only."""
        return cls.write is not Protocol.write and cls.dump is Protocol.dump and cls.dumps is Protocol.dumps


class Registry:
    """Protocols by the exact type of the values they serve."""

    def __init__(self) -> None:
        """Start empty: pickle serves every type."""
        self._protocols: dict[str, Protocol] = {}

    def protocol(self, *kinds: type) -> Callable[[type[ProtocolT]], type[ProtocolT]]:
        """Register a protocol class for exact types; subclasses are not meant."""

        def register(protocol: type[ProtocolT]) -> type[ProtocolT]:
            for kind in kinds:
                self._protocols[dtype(kind)] = protocol()
            return protocol

        return register

    def name(self, name: str, protocol: Protocol) -> None:
        """Register a protocol for a type by its name, so that its module need not be loaded."""
        self._protocols[name] = protocol

    def find(self, name: str) -> Protocol | None:
        """Find the protocol of a type by its name; None means pickle."""
        return self._protocols.get(name)
