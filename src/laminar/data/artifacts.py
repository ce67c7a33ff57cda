"""Artifacts: a value to its digest and back.

A value lies at ``<space>/artifacts/<sha256 of its serialised bytes>.gz``, so the same value is stored once. On reading,
the hash is checked before a byte is interpreted; a blob that fails is set aside and counts as absent.
"""

from __future__ import annotations

import hashlib
import io
import os

from laminar.data import streams, unpacking
from laminar.data.serde import pickled
from laminar.data.serde.contract import dtype
from laminar.errors import CorruptBlobError
from laminar.model.action import Ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, BinaryIO

    from laminar.data.contract import Blobs
    from laminar.data.serde.contract import Protocol, Registry


def path_of(space: str, hexdigest: str) -> str:
    """Name the blob of an artifact."""
    return f"{space}/artifacts/{hexdigest}.gz"


class Artifacts:
    """The values of one space, which is a flow's name."""

    def __init__(self, blobs: Blobs, space: str, registry: Registry) -> None:
        """Remember where they lie and how they are serialised."""
        self.blobs = blobs
        self._space = space
        self._registry = registry

    def write(self, value: Any) -> Ref:
        """Store a value.

        Raises:
            UnpicklableArtifactError: It cannot be serialised.
            StorageError: It cannot be stored.
        """
        name = dtype(type(value))
        writer = streams.HashingWriter(self.blobs)
        try:
            self._serialise(value, self._registry.find(name), writer)
            return Ref(name, writer.finish(self._path))
        except BaseException:
            writer.abort()
            raise

    def read(self, ref: Ref) -> Any:
        """Load a value.

        Raises:
            FileNotFoundError: Its blob is missing.
            CorruptBlobError: Its blob is not what its name says; it has been set aside.
            StorageError: It cannot be read.
        """
        path = self._path(ref.hexdigest)
        size = self.blobs.size(path)
        if size is None:
            raise FileNotFoundError(self.blobs.where(path))
        protocol = self._registry.find(ref.dtype)
        try:
            if size <= streams.SMALL:
                return self._read_small(path, ref.hexdigest, protocol)
            return self._read_large(path, ref.hexdigest, protocol)
        except CorruptBlobError as error:
            self.blobs.delete(path)
            raise CorruptBlobError(
                f"The blob at {self.blobs.where(path)} is damaged ({error}); it was removed. "
                "Resume the run: what made it will run again."
            ) from error

    def has_protocol(self, kind: type) -> bool:
        """Tell whether values of a type are serialised in their own way, not by pickle."""
        return self._registry.find(dtype(kind)) is not None

    def missing(self, refs: Iterable[Ref]) -> set[str]:
        """List the digests of values whose blobs are not there."""
        paths = {self._path(ref.hexdigest): ref.hexdigest for ref in refs}
        return {paths[path] for path in self.blobs.missing(paths)}

    def _path(self, hexdigest: str) -> str:
        return path_of(self._space, hexdigest)

    @staticmethod
    def _serialise(value: Any, protocol: Protocol | None, writer: streams.HashingWriter) -> None:
        if protocol is None:
            if not pickled.dump(value, writer):  # type: ignore[arg-type]
                writer.restart()
                pickled.dump_with_definitions(value, writer)  # type: ignore[arg-type]
        elif protocol.wants_files():
            with _scratch() as scratch:
                protocol.write(value, scratch)
                with open(scratch, "rb") as file:
                    while piece := file.read(unpacking.CHUNK):
                        writer.write(piece)
        else:
            protocol.dump(value, writer)  # type: ignore[arg-type]

    def _read_small(self, path: str, hexdigest: str, protocol: Protocol | None) -> Any:
        data = unpacking.unpack(self.blobs.read(path))
        _check(hexdigest, hashlib.sha256(data).hexdigest())
        if protocol is None:
            return pickled.loads(data)
        return _deserialise(protocol, lambda: io.BytesIO(data))

    def _read_large(self, path: str, hexdigest: str, protocol: Protocol | None) -> Any:
        with self.blobs.open(path) as file:
            _check(hexdigest, streams.hash_of(file))

        def stream() -> BinaryIO:
            return io.BufferedReader(unpacking.UnpackingReader(self.blobs.open(path)), unpacking.CHUNK)

        if protocol is None:
            with stream() as file:
                return pickled.load(file)
        return _deserialise(protocol, stream)


def _deserialise(protocol: Protocol, stream: Callable[[], BinaryIO]) -> Any:
    if not protocol.wants_files():
        with stream() as file:
            return protocol.load(file)
    with _scratch() as scratch:
        with open(scratch, "wb") as target, stream() as source:
            while piece := source.read(unpacking.CHUNK):
                target.write(piece)
        return protocol.read(scratch)


def _check(expected: str, found: str) -> None:
    if expected != found:
        raise CorruptBlobError(f"its hash is {found[:12]}…, not {expected[:12]}…")


class _scratch:  # noqa: N801 - used as a function
    """A private file name for a protocol that works on files, removed afterwards."""

    def __enter__(self) -> str:
        import tempfile  # 16 ms, and only protocols that work on files need it

        self._folder = tempfile.TemporaryDirectory(prefix="laminar-")
        return os.path.join(self._folder.name, "value")

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()
