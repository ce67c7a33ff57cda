"""Names of what lies in the store, and who may touch what by name.

Everything lies below its space: ``<project>/<domain>/…``. What follows is laid out as :mod:`laminar.data` does.
"""

from __future__ import annotations

import re

from laminar.errors import PermissionDeniedError
from laminar.model.value import Value
from laminar.server.problems import refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: Bytes of a name, and of each of its parts: what S3 and file systems take.
LONGEST, LONGEST_PART = 1000, 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
#: What the ids of executions end in whose flow a task or layer of the run has called.
_CALLED = re.compile(r"(.+)-[a-z2-7]{16}")
_CONTENT = re.compile(r"[^/]+/artifacts/([0-9a-f]{64})\.gz")


def checked(key: str) -> str:
    """See that a name stays where it belongs, on every kind of store.

    Raises:
        RequestError: It does not.
    """
    parts = key.split("/")
    if (
        len(key.encode("utf-8", "replace")) > LONGEST
        or _CONTROL.search(key)
        or any(part in ("", ".", "..") or len(part.encode("utf-8", "replace")) > LONGEST_PART for part in parts)
    ):
        raise refusal(422, f"{key[:200]!r} is no name in the store: it has plain parts with slashes between them.")
    return key


def bundle(space: str, md5: str) -> str:
    """Name a bundle by the MD5 of its bytes, in hexadecimal."""
    return checked(f"{space}/bundles/{md5}.tar.gz")


def content(key: str) -> str | None:
    """Give the SHA-256 of what a name within a space stands for, in hexadecimal; None if it is not named so."""
    found = _CONTENT.fullmatch(key)
    return found[1] if found else None


def owner(execution: str) -> str:
    """Give the run in which a flow was called that has this execution; empty if it is a run itself."""
    found = _CALLED.fullmatch(execution)
    return found[1] if found else ""


class Permit(Value, frozen=True):
    """What an attempt may touch: it reads all of its space, and writes content and the records of flows of its own run.

    People have one too: of no run, so that they write content alone.

    Attributes:
        space: Project and domain.
        run: Id of the run; empty for people.
        flow: Name of the flow that the run is one of, if the attempt is its scheduler; else empty. All attempts write
            the records of flows that they call.
    """

    space: str
    run: str = ""
    flow: str = ""

    @classmethod
    def of(cls, claims: Mapping[str, Any]) -> Permit:
        """Read it from the claims of the attempt's token."""
        return cls(claims["space"], claims["run"], claims.get("flow", ""))

    def readable(self, key: str) -> str:
        """Give the whole name of something that is to be read; an empty one stands for all of the space.

        Raises:
            RequestError: It is no name.
        """
        return checked(f"{self.space}/{key}") if key else self.space

    def writable(self, key: str) -> str:
        """Give the whole name of something that is to be written.

        Raises:
            PermissionDeniedError: The attempt may not.
            RequestError: It is no name.
        """
        whole = checked(f"{self.space}/{key}")
        if content(key) is None and not self._is_record(key):
            raise PermissionDeniedError(
                f"{f'An attempt of the run {self.run}' if self.run else 'Who is no attempt'} may not write "
                f"{key[:200]!r}: content goes below artifacts, by its SHA-256, and records belong to the scheduler of "
                "their run."
            )
        return whole

    def _is_record(self, key: str) -> bool:
        flow, _, rest = key.partition("/")
        kind, _, rest = rest.partition("/")
        execution, _, name = rest.partition("/")
        if not self.run or kind not in ("archives", ".cache") or not name:
            return False
        return owner(execution) == self.run or (flow == self.flow and execution == self.run)
