"""Unpacking an archive that may come from anywhere, without trusting a byte of it.

Only regular files and folders are unpacked. What the archive says of owners, times and special bits counts for nothing,
and any entry that is not plainly harmless refuses the whole. ``tarfile`` reads one header block at a time; its own
extraction, filters and handling of extended headers are not used.
"""

from __future__ import annotations

import re
import tarfile
import zlib

from laminar.errors import BundleError
from laminar.model.value import Value
from laminar.packaging.names import LIMITS, MB, Limits, Names
from laminar.packaging.tree import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

BLOCK = tarfile.BLOCKSIZE
CHUNK = 1 << 16
GZIP = 31  # window of 32 KB with gzip's header and trailer, as zlib counts
#: How many bytes an extended header may have: it holds a path.
LONGEST_HEADER = 1 << 14
_RECORD = re.compile(rb"([1-9][0-9]{0,4}) ([^=\x00]+)=")
FOLDER, FILES = (tarfile.DIRTYPE,), (tarfile.REGTYPE, tarfile.AREGTYPE)
EXTENDED, LONG_NAME = tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME
#: Records of an extended header that change nothing here; all others are refused.
HARMLESS = {"mtime", "atime", "ctime", "uid", "gid", "uname", "gname", "comment"}


class Refused(Exception):  # noqa: N818 - it carries half a sentence, and never leaves this module
    """Why an archive is refused, in words that follow "it"."""


class Header(Value, frozen=True):
    """What one entry is.

    Attributes:
        path: Relative, with ``/`` between its parts.
        size: How many bytes follow.
        is_folder: Whether it is a folder, not a file.
        executable: Whether its owner may execute it.
    """

    path: str
    size: int
    is_folder: bool
    executable: bool


def unpack(archive: str, folder: str, limits: Limits = LIMITS) -> None:
    """Unpack a tar.gz of regular files and folders.

    Args:
        archive: The file.
        folder: Where to; it must be empty or missing. Nothing outside is touched.
        limits: How much the archive may hold.

    Raises:
        BundleError: The archive is damaged or not safe, or there is no room. All that was made is removed again.
    """
    try:
        with open(archive, "rb") as file:
            stream = Stream(file, limits)
            for header in _checked(stream, limits):  # making 10,000 folders for nothing takes 3 s
                stream.skip(header.size)
            file.seek(0)
            _put(Stream(file, limits), Tree(folder), limits)
    except Refused as error:
        raise BundleError(
            f"{archive} is refused: it {error}. Nothing of it was kept. Make the bundle again, from regular files with "
            "plain names."
        ) from None
    except OSError as error:
        raise BundleError(f"{archive} could not be unpacked into {folder}: {error}. Make room there.") from error


def _put(stream: Stream, tree: Tree, limits: Limits) -> None:
    try:
        for header in _checked(stream, limits):  # again: nobody has promised that the file is still the same
            if header.is_folder:
                tree.put_folder(header.path)
            else:
                tree.put_file(header.path, header.executable, stream.pieces(header.size))
    except BaseException:
        tree.remove()
        raise


def _checked(stream: Stream, limits: Limits) -> Iterator[Header]:
    """Go through the entries; the bytes of a file must be read before the next is asked for."""
    names = Names(limits)
    count = size = 0
    for header in _headers(stream):
        count, size = count + 1, size + header.size
        if count > limits.files:
            raise Refused(f"holds more than {limits.files:,} files and folders")
        if size > limits.size:
            raise Refused(f"holds more than {limits.size / MB:,.0f} MB")
        if (refused := names.refusal(header.path, header.is_folder)) is not None:
            raise Refused(f"holds {header.path[:200]!r}, which {refused}")
        yield header
        stream.skip_zeros(-header.size % BLOCK)


def _headers(stream: Stream) -> Iterator[Header]:
    while (block := stream.read(BLOCK)) != bytes(BLOCK):
        said: dict[str, str] = {}
        info = _info(block)
        if info.type in (EXTENDED, LONG_NAME):
            said = _extended(stream, info)
            info = _info(stream.read(BLOCK))
        yield _header(info, said)
    stream.skip_to_end()


def _info(block: bytes) -> tarfile.TarInfo:
    name, _, rest = block[:100].partition(b"\0")
    if rest.strip(b"\0"):
        raise Refused(f"holds {name[:100]!r}, a name with a zero byte in it")
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except UnicodeDecodeError:
        raise Refused(f"holds {name[:100]!r}, which has a name that is no UTF-8") from None
    except (tarfile.HeaderError, ValueError, OverflowError) as error:
        raise Refused(f"is damaged, or no tar.gz at all: {error}") from None


def _extended(stream: Stream, info: tarfile.TarInfo) -> dict[str, str]:
    if not 0 < info.size <= LONGEST_HEADER:
        raise Refused(f"has an extended header of {info.size:,} bytes")
    data = stream.read(info.size)
    stream.skip_zeros(-info.size % BLOCK)
    try:
        if info.type == LONG_NAME:
            return {"path": data.removesuffix(b"\0").decode()}
        return dict(_records(data))
    except UnicodeDecodeError:
        raise Refused("has an extended header that is no UTF-8") from None


def _records(data: bytes) -> Iterator[tuple[str, str]]:
    """Read ``LENGTH NAME=VALUE`` lines, as POSIX says of pax."""
    position = 0
    while position < len(data):
        match = _RECORD.match(data, position)
        end = position + int(match[1]) if match else 0
        if match is None or end > len(data) or end <= match.end() or data[end - 1 : end] != b"\n":
            raise Refused("has an extended header that is damaged")
        yield match[2].decode(), data[match.end() : end - 1].decode()
        position = end


def _header(info: tarfile.TarInfo, said: dict[str, str]) -> Header:
    path = said.pop("path", info.name)
    if unknown := sorted(said.keys() - HARMLESS):
        raise Refused(f"holds {path[:200]!r} with {unknown[0][:100]!r} in an extended header")
    if info.type not in (*FOLDER, *FILES):
        raise Refused(f"holds {path[:200]!r}, which is neither a regular file nor a folder")
    if info.size < 0 or (info.type in FOLDER and info.size):
        raise Refused(f"holds {path[:200]!r} with a size of {info.size:,} bytes")
    is_folder = info.type in FOLDER
    return Header(path.removesuffix("/") if is_folder else path, info.size, is_folder, bool(info.mode & 0o100))


class Stream:
    """The decompressed bytes of a gzip file, a little at a time."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        """Start at the beginning."""
        self._file = file
        self._limits = limits
        self._unpacker = zlib.decompressobj(GZIP)
        self._packed = b""
        self._ready = b""
        self._taken = self._given = 0

    def read(self, size: int) -> bytes:
        """Give so many bytes; only for small numbers.

        Raises:
            Refused: They are not there, or no gzip, or too many for what they were packed in.
        """
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> Iterator[bytes]:
        """Give so many bytes, in pieces."""
        while size:
            if not self._ready and not self._more():
                raise Refused("ends too early")
            piece, self._ready = self._ready[:size], self._ready[size:]
            size -= len(piece)
            yield piece

    def skip(self, size: int) -> None:
        """Read over bytes."""
        for _ in self.pieces(size):
            pass

    def skip_zeros(self, size: int) -> None:
        """Read over padding."""
        if self.read(size).strip(b"\0"):
            raise Refused("has bytes hidden between its files")

    def skip_to_end(self) -> None:
        """Read over what fills the last record."""
        while self._ready or self._more():
            if self._ready.strip(b"\0"):
                raise Refused("has bytes hidden behind its end")
            self._ready = b""

    def _more(self) -> bool:
        """Decompress the next bytes; False at the end."""
        while not self._ready:
            if self._unpacker.eof:
                self._packed = self._unpacker.unused_data or self._packed
                if not self._packed and not self._fill():
                    return False
                self._unpacker = zlib.decompressobj(GZIP)
            elif not self._packed and not self._fill():
                raise Refused("ends too early")
            self._decompress()
        return True

    def _fill(self) -> bool:
        self._packed = self._file.read(CHUNK)
        self._taken += len(self._packed)
        return bool(self._packed)

    def _decompress(self) -> None:
        try:
            self._ready = self._unpacker.decompress(self._packed, CHUNK)
        except zlib.error as error:
            raise Refused(f"is damaged, or no gzip at all: {error}") from None
        self._packed = self._unpacker.unconsumed_tail
        self._given += len(self._ready)
        if self._given > MB and self._given > self._taken * self._limits.ratio:
            raise Refused(f"unpacks to more than {self._limits.ratio} times its size")
        if self._given > self._limits.size + self._limits.files * 4 * BLOCK:
            raise Refused(f"holds more than {self._limits.size / MB:,.0f} MB")
