"""Kinds of files and folders: a path is stored, and becomes a handle. Loaded only by who uses handles."""

from __future__ import annotations

import os

from laminar.errors import TaskError
from laminar.tasks.addresses import OBJECTS
from laminar.tasks.files import Dir, File
from laminar.tasks.kinds.contract import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Any

    from laminar.tasks.kinds.contract import Of, Plain


class Handle(Kind):
    """A :class:`File` or :class:`Dir`; given as a path, it is stored first."""

    def __init__(self, kind: type[File[Any]] | type[Dir[Any]]) -> None:
        """Take which of both it is."""
        self.type = kind
        self.name = kind.__name__
        rest = ("count", "size") if kind is Dir else ("size", "address", "version")
        self._fields = ("name", "digest", *rest)

    @property
    def metavar(self) -> str:
        """Say what to write."""
        return "FILE" if self.type is File else "FOLDER"

    def check(self, value: Any) -> Any:
        """Take handles and paths; the content is in the store of the run afterwards."""
        if isinstance(value, self.type):
            if isinstance(value, File) and not value.written:
                raise self.refuse(value, "it was begun, but not written")
            return value.settle()
        if isinstance(value, (str, os.PathLike)):
            return self._stored(value, os.fspath(value))
        raise self.refuse(value)

    def _stored(self, value: Any, path: str) -> Any:
        try:
            if isinstance(path, str) and self.type is File and path.startswith(("file://", *OBJECTS)):
                return File.from_existing_remote(path)
            return self.type.from_local_sync(path)
        except FileNotFoundError:
            raise self.refuse(value, "there is none of that name") from None
        except TaskError as error:
            raise self.refuse(value, str(error)) from None

    def parse(self, text: str) -> Any:
        """Store what is at the path."""
        return self._stored(text, text)

    def from_plain(self, plain: Plain) -> Any:
        """Store what is at a path, or read a handle."""
        if isinstance(plain, str):
            return self.parse(plain)
        if isinstance(plain, dict) and plain.keys() == set(self._fields):
            return self.type(**plain)
        raise self.misread(plain)

    def plain(self, value: Any) -> Plain:
        """Give the parts of the handle."""
        return {name: getattr(value, name) for name in self._fields}

    def text(self, value: Any) -> str:
        """Write a path as it is, and of a handle its name."""
        return value.name if isinstance(value, self.type) else os.fspath(value)

    def describe(self) -> str:
        """Say what to write."""
        return "path of a file" if self.type is File else "path of a folder"

    def schema(self, within: tuple[Hashable, ...] = ()) -> Plain:  # noqa: ARG002 - the contract's
        """Name it."""
        return self.name


def make(annotation: Any, origin: Any, args: tuple[Any, ...], of: Of) -> Kind | None:  # noqa: ARG001 - one shape for all
    """Compile what this file knows; None for the rest."""
    kind = origin or annotation
    return Handle(kind) if kind is File or kind is Dir else None
