"""Values of tasks on their way: small ones travel as they are, large ones by their digest.

A value is packed into a :class:`Ref`. Up to ``SMALL`` bytes of pickle lie in the ref itself; what is larger is an
artifact, stored once for equal content.
"""

from __future__ import annotations

import io
import pickle

from laminar.data.serde import pickled
from laminar.data.serde.contract import dtype
from laminar.model.action import Ref
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from laminar.data.artifacts import Artifacts

#: Bytes of a pickle up to which a value lies in the records of a run.
SMALL = 4096
#: Types whose values are pickled at once: they refer to no class of the user's.
PLAIN = frozenset({bool, int, float, complex, type(None)})
#: Items of a plain container that are looked at before it is pickled the general way.
FEW = 16


class Stored(Value, frozen=True):
    """An argument that lies in the store.

    Attributes:
        ref: Where.
    """

    ref: Ref


class _TooLargeError(Exception):
    pass


class _Small(io.BytesIO):
    """Takes a pickle until that proves large."""

    def write(self, data: Any) -> int:
        if self.tell() + memoryview(data).nbytes > SMALL:  # a large array comes as a buffer, which has no length
            raise _TooLargeError
        return super().write(data)


class Values:
    """Packs and unpacks the values of one run."""

    def __init__(self, artifacts: Artifacts) -> None:
        """Remember where large values lie."""
        self.artifacts = artifacts

    def pack(self, value: Any) -> Ref:
        """Pack a value.

        Raises:
            UnpicklableArtifactError: It cannot be serialised.
            StorageError: It cannot be stored.
        """
        data = self._small(value)
        return self.artifacts.write(value) if data is None else Ref(dtype(type(value)), "", data)

    def unpack(self, ref: Ref) -> Any:
        """Load a value.

        Raises:
            FileNotFoundError: Its blob is missing.
            CorruptBlobError: Its blob is damaged.
        """
        return self.artifacts.read(ref) if ref.data is None else pickled.loads(ref.data)

    def pack_arguments(self, arguments: Mapping[str, Any]) -> bytes:
        """Pack the arguments of a call.

        Raises:
            UnpicklableArtifactError: One cannot be serialised; the message names it.
            StorageError: One cannot be stored.
        """
        data = self._small(arguments)
        if data is not None:
            return data
        return pickled.dumps({name: self._argument(value) for name, value in arguments.items()})

    def _argument(self, value: Any) -> Any:
        return value if self._small(value) is not None else Stored(self.artifacts.write(value))

    def unpack_arguments(self, data: bytes) -> dict[str, Any]:
        """Load the arguments of a call."""
        arguments: dict[str, Any] = pickled.loads(data)
        for name, value in arguments.items():
            if type(value) is Stored:
                arguments[name] = self.artifacts.read(value.ref)
        return arguments

    def missing(self, refs: Sequence[Ref]) -> bool:
        """Tell whether a value, or something that it refers to, is not there any more."""
        stored = [ref for ref in refs if ref.data is None]
        return bool(stored) and bool(self.artifacts.missing(stored))

    def _small(self, value: Any) -> bytes | None:
        """Pickle a value that is small; None where it is not, or is serialised in its own way."""
        if _plain(value):
            data = pickle.dumps(value, pickled.PROTOCOL)
            return data if len(data) <= SMALL else None
        if self.artifacts.has_protocol(type(value)):
            return None
        file = _Small()
        try:
            if pickled.dump(value, file, stop=_TooLargeError):
                return file.getvalue()
            file = _Small()
            pickled.dump_with_definitions(value, file, stop=_TooLargeError)
        except _TooLargeError:
            return None
        return file.getvalue()


def _plain(value: Any) -> bool:
    """Tell whether a value is made of a few builtins only, so that it can be pickled at once."""
    kind = type(value)
    if kind in PLAIN:
        return True
    if kind is str or kind is bytes:
        return len(value) <= SMALL
    if kind is dict:
        return len(value) <= FEW and all(map(_leaf, value)) and all(map(_leaf, value.values()))
    return (kind is list or kind is tuple) and len(value) <= FEW and all(map(_leaf, value))


def _leaf(value: Any) -> bool:
    kind = type(value)
    return kind in PLAIN or ((kind is str or kind is bytes) and len(value) <= SMALL)
