"""Which content is still referred to, and the removal of what is not.

Whatever is kept is searched for the digests of content, without being understood: rows and records, and the values that
they name, since a value can hold handles of files. So nothing here unpickles anything, and what merely looks like a
digest keeps something that could have gone, never the other way round.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode

from laminar.data.unpacking import CHUNK, UnpackingReader
from laminar.errors import CorruptBlobError
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from laminar.data.contract import Found, KeptBlobs

CONTENT = re.compile(r"(?:^|/)artifacts/([0-9a-f]{64})\.gz$")
LENGTH = 64
_DIGESTS = re.compile(rb"[0-9a-f]{64,}")
#: How content begins that may name other content: a pickle, the list of a folder.
_NAMING = (b"\x80", b"[")
#: Bytes of other content that are searched too.
_FEW = 1 << 20


class Freed(Value, frozen=True):
    """What was removed, or would be.

    Attributes:
        count: How many.
        size: How many bytes they had together.
    """

    count: int = 0
    size: int = 0

    def __add__(self, other: Freed) -> Freed:
        """Add up."""
        return Freed(self.count + other.count, self.size + other.size)


class Content:
    """The content of a store, of which some is named by what is kept.

    Args:
        blobs: The store.
        found: All that is there by its digest, in one space or in several.
    """

    def __init__(self, blobs: KeptBlobs, found: Iterable[Found]) -> None:
        """Begin with nothing named."""
        self._blobs = blobs
        self._found: dict[str, list[Found]] = {}
        for blob in found:
            digest = CONTENT.search(blob.path)
            if digest is not None:
                self._found.setdefault(digest[1], []).append(blob)
        self._named: set[str] = set()
        self._searched: set[str] = set()

    def search(self, data: bytes) -> None:
        """Search bytes that are kept for digests; one may begin anywhere in a longer row of digits."""
        for row in _DIGESTS.finditer(data):
            digits = row[0].decode()
            self._named.update(
                digits[start : start + LENGTH]
                for start in range(len(digits) - LENGTH + 1)
                if digits[start : start + LENGTH] in self._found
            )

    def search_text(self, text: str) -> None:
        """Search text that is kept; where it is JSON, also the bytes that stand in it in Base64 or hexadecimal."""
        self.search(text.encode())
        try:
            plain = json.loads(text)
        except ValueError:
            return
        self._search_plain(plain)

    def _search_plain(self, plain: Any) -> None:
        if isinstance(plain, dict):
            plain = [*plain.values()]
        if isinstance(plain, list):
            for part in plain:
                self._search_plain(part)
        elif isinstance(plain, str) and len(plain) >= LENGTH:
            for decode in (_base64, bytes.fromhex):
                try:
                    self.search(decode(plain))
                except ValueError:
                    continue

    def unnamed(self, before: float) -> list[Found]:
        """List what nothing names, and what was neither written nor relied on since a time.

        Args:
            before: The time, in seconds since the epoch.
        """
        while self._old(before) and (fresh := self._named - self._searched):
            for digest in fresh:
                self._search_value(self._found[digest][0].path)
            self._searched |= fresh
        return self._old(before)

    def _old(self, before: float) -> list[Found]:
        unnamed = self._found.keys() - self._named
        return [blob for digest in unnamed for blob in self._found[digest] if blob.changed < before]

    def _search_value(self, path: str) -> None:
        """Search a value that is named; one that is damaged or gone names nothing."""
        try:
            with UnpackingReader(self._blobs.open(path)) as file:
                self._search_stream(file.read)
        except (CorruptBlobError, FileNotFoundError):
            return

    def _search_stream(self, read: Callable[[int], bytes | None]) -> None:
        piece = read(CHUNK) or b""
        most = None if piece.startswith(_NAMING) else _FEW
        count, tail = 0, b""
        while piece and (most is None or count < most):
            self.search(tail + piece)
            count += len(piece)
            tail = (tail + piece)[-LENGTH:]
            piece = read(CHUNK) or b""


def collect(blobs: KeptBlobs, found: Iterable[Found], before: float) -> Freed:
    """Remove blobs that nothing refers to, unless they were relied on since.

    Args:
        blobs: Where they are.
        found: Which.
        before: Since when, in seconds since the epoch.
    """
    gone = [blob.size for blob in found if blobs.collect(blob.path, before)]
    return Freed(len(gone), sum(gone))


def counted(found: Iterable[Found]) -> Freed:
    """Count blobs that would be removed."""
    sizes = [blob.size for blob in found]
    return Freed(len(sizes), sum(sizes))


def _base64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
