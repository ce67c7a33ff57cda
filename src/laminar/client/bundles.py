"""Bundles on their way to who runs the code: fetched, checked, and unpacked once on each machine."""

from __future__ import annotations

import hashlib
import os

from laminar.errors import BundleError, DigestMismatchError
from laminar.host import leftovers
from laminar.model.placement import WORKDIR
from laminar.packaging.names import LIMITS
from laminar.packaging.record import code_of
from laminar.packaging.unpack import unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from laminar.client.http import Client
    from laminar.model.code import Code

CHUNK = 1 << 18


def fetch(client: Client, url: str, md5: str, folder: str, image_folder: str = WORKDIR) -> Code:
    """Give the code of a bundle, fetched and unpacked unless that was done before.

    Args:
        client: Fetches it.
        url: The signed address that it lies at.
        md5: MD5 of its bytes, in hexadecimal.
        folder: Folder of unpacked bundles, by their MD5; processes of one user may share it.
        image_folder: Folder of this container's image that has the code, if the bundle has not.

    Returns:
        Where the code is.

    Raises:
        DigestMismatchError: Its bytes are not those that were deployed.
        BundleError: It is not in the store, is not safe to unpack, or there is no room.
    """
    place = os.path.join(os.path.abspath(folder), md5)
    if not os.path.isdir(place):
        _put(client, url, md5, place)
    return code_of(place, image_folder)


def fetch_into(client: Client, url: str, md5: str, place: str, folder: str) -> Code:
    """Give the code of a bundle that is unpacked into a folder of this process's own.

    Args:
        client: Fetches it.
        url: The signed address that it lies at.
        md5: MD5 of its bytes, in hexadecimal.
        place: The folder; it is there, and empty.
        folder: Where the archive may lie meanwhile.

    Returns:
        Where the code is.

    Raises:
        DigestMismatchError: Its bytes are not those that were deployed.
        BundleError: It is not in the store, is not safe to unpack, or there is no room.
    """
    archive = os.path.join(folder, leftovers.private_name())
    try:
        with _opened(client, url, md5) as source:
            _check(md5, _save(source, archive))
        unpack(archive, place)
    finally:
        leftovers.remove(archive)
    return code_of(place)


def _put(client: Client, url: str, md5: str, place: str) -> None:
    """Unpack a bundle into a private folder, and give that its name when all of it is there."""
    temporary = os.path.join(os.path.dirname(place), ".tmp")
    os.makedirs(temporary, exist_ok=True)
    leftovers.sweep(temporary)
    private = os.path.join(temporary, leftovers.private_name())
    archive = os.path.join(temporary, leftovers.private_name())
    try:
        with _opened(client, url, md5) as source:
            _check(md5, _save(source, archive))
        unpack(archive, private)
        _name(private, place)
    finally:
        leftovers.remove(archive)
        leftovers.remove(private)


def _name(private: str, place: str) -> None:
    try:
        os.rename(private, place)
    except OSError:
        if not os.path.isdir(place):  # else another process was faster with the same
            raise


def _opened(client: Client, url: str, md5: str) -> BinaryIO:
    try:
        return client.get(url)
    except FileNotFoundError:
        raise BundleError(f"The bundle {md5} is not in the server's store any more. Deploy the code again.") from None


def _save(source: BinaryIO, path: str) -> str:
    """Write a stream to a file; gives its MD5 in hexadecimal."""
    digest = hashlib.md5(usedforsecurity=False)
    size = 0
    try:
        with open(path, "xb") as file:
            while piece := source.read(CHUNK):
                size += len(piece)
                if size > LIMITS.size:
                    raise BundleError(f"A bundle has more than {LIMITS.size:,} bytes, and none has. Deploy it again.")
                digest.update(piece)
                file.write(piece)
    except OSError as error:
        raise BundleError(f"A bundle could not be written to {path}: {error}. Make room there.") from error
    return digest.hexdigest()


def _check(expected: str, found: str) -> None:
    if found != expected:
        raise DigestMismatchError(
            f"The bundle that came has the MD5 {found}, and {expected} was deployed. Deploy the code again."
        )
