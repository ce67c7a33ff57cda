"""Which paths a bundle may hold, and how much: the same rules where one is made and where one is unpacked."""

from __future__ import annotations

import re
import unicodedata

from laminar.model.value import Value

MB = 1 << 20

_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\]")
_DRIVE = re.compile(r"[A-Za-z]:")


class Limits(Value, frozen=True):
    """How much a bundle may hold.

    Attributes:
        files: How many files and folders.
        size: How many bytes in all.
        ratio: How many bytes one byte of an archive may unpack to, beyond the first megabyte.
        depth: How many parts a path may have.
        path: How many bytes a path may have.
    """

    files: int = 10_000
    size: int = 256 * MB
    ratio: int = 100
    depth: int = 32
    path: int = 1000


LIMITS = Limits()
#: How many bytes one part of a path may have, on all file systems in use.
LONGEST_PART = 255


class Names:
    """The paths of one bundle, which must go together on every file system."""

    def __init__(self, limits: Limits) -> None:
        """Start with none."""
        self._limits = limits
        self._spelled: dict[str, tuple[str, bool]] = {}

    def refusal(self, path: str, is_folder: bool = False) -> str | None:
        """Take a path in.

        Args:
            path: Relative, with ``/`` between its parts.
            is_folder: Whether a folder is meant.

        Returns:
            None; or, in words that follow "it", why the path is refused.
        """
        return _unfit(path, self._limits) or self._clash(path, is_folder)

    def _clash(self, path: str, is_folder: bool) -> str | None:
        folder, _, _ = path.rpartition("/")
        if folder and (refused := self._clash(folder, True)):
            return refused
        spelled = (path, is_folder)
        known = self._spelled.setdefault(_folded(path), spelled)
        before, was_folder = known
        if known is spelled or (before == path and is_folder and was_folder):
            return None
        if before != path:
            return f"is another spelling of {before!r}, which is the same file on some systems"
        return "is there twice" if is_folder == was_folder else f"needs {before!r} as a file and as a folder"


def _unfit(path: str, limits: Limits) -> str | None:
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        return "has a name that is no UTF-8"
    parts = path.split("/")
    if path.startswith("/") or _DRIVE.match(path):
        return "has an absolute path"
    if ".." in parts:
        return "leads out of its folder"
    if "" in parts or "." in parts:
        return "has a path with an empty part"
    if _UNSAFE.search(path):
        return "has a name with a backslash or a control character"
    if len(parts) > limits.depth:
        return f"has a path of more than {limits.depth} parts"
    if len(encoded) > limits.path or max(len(part.encode()) for part in parts) > LONGEST_PART:
        return f"has a path of more than {limits.path} bytes, or a part of it more than {LONGEST_PART}"
    return None


def _folded(path: str) -> str:
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
