"""laminar itself as a wheel (PEP 427), made from the installation that runs: a checkout or site-packages alike."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import os
import zipfile

from laminar.errors import ImageError
from laminar.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import Distribution

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
#: Parts of METADATA that an installation needs; the others do not change what is installed.
HEADERS = ("Metadata-Version", "Name", "Requires-Python", "Requires-Dist", "Provides-Extra")
#: The time of every file in the wheel: the earliest that a zip can hold, so that equal contents are equal bytes.
LONG_AGO = (1980, 1, 1, 0, 0, 0)


def files() -> Iterator[tuple[str, str]]:
    """Give name in the wheel and path of each file of laminar, in the order of their names."""
    for folder, folders, names in os.walk(PACKAGE):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            if not name.endswith((".pyc", ".pyo")):
                path = os.path.join(folder, name)
                yield os.path.join("laminar", os.path.relpath(path, PACKAGE)).replace(os.sep, "/"), path


def digest() -> str:
    """Give the SHA-256 of all files of laminar, by name and content: the same wherever it is installed."""
    total = hashlib.sha256()
    for name, path in sorted(files()):
        with open(path, "rb") as file:
            content = file.read()
        total.update(b"%d %s %d\n%b" % (len(name), name.encode(), len(content), content))
    return total.hexdigest()


@functools.cache
def _distribution() -> Distribution:
    from importlib.metadata import PackageNotFoundError, distribution  # 20 ms, and a container's worker needs no wheel

    try:
        return distribution("laminar")
    except PackageNotFoundError:
        raise ImageError(
            f"laminar runs from {PACKAGE}, but is not installed there, so it cannot be put into an image. "
            "Install it: pip install --editable FOLDER-OF-ITS-PYPROJECT"
        ) from None


def requirements(extras: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Give what laminar needs of a package index.

    Args:
        extras: Names of extras that are wanted too.

    Raises:
        ImageError: laminar is not installed.
    """
    found = set()
    for line in _distribution().requires or []:
        requirement, _, marker = line.partition(";")
        if not marker or any(f"extra == {quote}{extra}{quote}" in marker for extra in extras for quote in "'\""):
            found.add(requirement.strip())
    return tuple(sorted(found))


def file_name() -> str:
    """Give the file name of the wheel."""
    return f"laminar-{VERSION}-py3-none-any.whl"


def build() -> bytes:
    """Make the wheel. Equal contents give equal bytes.

    Raises:
        ImageError: laminar is not installed.
    """
    contents = [(name, _read(path)) for name, path in files()] + list(_information())
    record = f"laminar-{VERSION}.dist-info/RECORD"
    lines = [f"{name},sha256={_record_digest(content)},{len(content)}" for name, content in contents]
    contents.append((record, "\n".join([*lines, f"{record},,", ""]).encode()))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:  # stored: bytes that no version of zlib changes
        for name, content in contents:
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def _information() -> Iterator[tuple[str, bytes]]:
    """Give the files of ``.dist-info``, less RECORD."""
    found = _distribution()
    folder = f"laminar-{VERSION}.dist-info"
    metadata = [f"{name}: {value}" for name in HEADERS for value in found.metadata.get_all(name) or ()]
    yield f"{folder}/METADATA", "\n".join([*metadata, f"Version: {VERSION}", ""]).encode()
    wheel = ["Wheel-Version: 1.0", "Generator: laminar", "Root-Is-Purelib: true", "Tag: py3-none-any", ""]
    yield f"{folder}/WHEEL", "\n".join(wheel).encode()
    for name in ("entry_points.txt", "licenses/LICENSE"):
        text = found.read_text(name)
        if text:
            yield f"{folder}/{name}", text.encode()


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _record_digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
