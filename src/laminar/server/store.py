"""All content of a server: a folder of its own machine, or a bucket that workers reach by themselves.

Who is to send or fetch bytes is given an address that is signed for that alone: one of this server, or one that the
bucket's service knows. Names have passed :mod:`laminar.server.keys`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from urllib.parse import quote

from laminar.errors import ConfigurationError, FlowError, UploadRefusedError
from laminar.model.value import Value
from laminar.server.digests import is_whole
from laminar.server.folder import Folder
from laminar.server.signing import STORE
from laminar.wire.paths import API, SIGNATURE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

    from laminar.data.contract import KeptBlobs
    from laminar.data.local import LocalBlobs
    from laminar.data.objects import ObjectBlobs
    from laminar.server.signing import Signer

MIB = 1 << 20
#: Bytes of the largest blob: what S3 takes in one request.
LARGEST = 5 * 1024 * MIB
#: Seconds for which an address counts. An upload or download must begin within them, and may last longer.
SECONDS = 600.0
BUCKETS = ("s3://", "s3a://")


class Signed(Value, frozen=True):
    """Where bytes are to be sent.

    Attributes:
        url: The address; one of the server itself begins with a slash.
        headers: What the request must say.
    """

    url: str
    headers: Mapping[str, str]


class Store(ABC):
    """The content of a server."""

    #: The same content as blobs; names begin with the space.
    blobs: KeptBlobs

    def prepare(self) -> None:
        """Make ready, and clear what a server that was killed has left half-written.

        Raises:
            StorageError: The place cannot be written, and why.
        """
        self.blobs.prepare()

    @abstractmethod
    def see(self, key: str) -> None:
        """See that a name leads to nothing outside.

        Raises:
            StorageError: It does.
        """

    @abstractmethod
    def open(self, key: str) -> BinaryIO:
        """Open a blob for reading.

        Raises:
            FileNotFoundError: There is none of that name.
            StorageError: It cannot be read.
        """

    @abstractmethod
    def signed_get(self, key: str, seconds: float = SECONDS) -> str:
        """Give the address that a blob can be fetched from.

        Args:
            key: Its name.
            seconds: How long the address counts.
        """

    def signed_put(self, key: str, *, md5: str, size: int, replace: bool = True, seconds: float = SECONDS) -> Signed:
        """Give the address that a blob can be sent to.

        Args:
            key: Its name.
            md5: MD5 of its bytes, in Base64.
            size: How many there are.
            replace: Whether a blob that has the name by then gives way; a bucket always does so.
            seconds: How long the address counts.

        Raises:
            UploadRefusedError: There are too many bytes.
        """
        if size > LARGEST:
            raise UploadRefusedError(
                f"{key} has {size:,} bytes, and the store takes {LARGEST:,} in one piece. Store it in parts."
            )
        return self._signed_put(key, md5, size, replace, seconds)

    @abstractmethod
    def _signed_put(self, key: str, md5: str, size: int, replace: bool, seconds: float) -> Signed: ...

    def is_damaged(self, key: str, hexdigest: str) -> bool:
        """Tell whether a blob that is named by its content is there, and is something else."""
        try:
            with self.open(key) as file:
                return not is_whole(file, hexdigest)
        except FileNotFoundError:
            return False


class LocalStore(Store):
    """Content in a folder, that goes through this server.

    Attributes:
        folder: The folder.
    """

    blobs: LocalBlobs

    def __init__(self, root: str, signer: Signer) -> None:
        """Remember where it is; nothing is made yet."""
        self.folder = Folder(root)
        self.blobs = self.folder.blobs
        self._signer = signer

    def see(self, key: str) -> None:
        """See that no link is on the way."""
        self.folder.see(key)

    def open(self, key: str) -> BinaryIO:
        """Open a blob for reading."""
        return self.folder.open(key)

    def signed_get(self, key: str, seconds: float = SECONDS) -> str:
        """Give an address of this server."""
        return self._url(key, {"method": "GET"}, seconds)

    def _signed_put(self, key: str, md5: str, size: int, replace: bool, seconds: float) -> Signed:
        claims: dict[str, str | int] = {"method": "PUT", "md5": md5, "size": size, "replace": replace}
        return Signed(self._url(key, claims, seconds), {"Content-MD5": md5})

    def _url(self, key: str, claims: Mapping[str, str | int], seconds: float) -> str:
        path = f"{API}/store/{key}"
        signature = self._signer.sign(STORE, {**claims, "path": path, "key": key}, seconds)
        return f"{quote(path)}?{SIGNATURE}={signature}"


class BucketStore(Store):
    """Content in a bucket, that workers fetch and send by themselves."""

    blobs: ObjectBlobs

    def __init__(self, root: str, options: Mapping[str, str] | None = None) -> None:
        """Remember where it is; nothing is connected yet.

        Raises:
            ConfigurationError: The address names no bucket.
        """
        from laminar.data.objects import ObjectBlobs  # 20 ms, and only for who has a bucket

        try:
            self.blobs = ObjectBlobs(root, options)
        except FlowError as error:
            raise ConfigurationError(f"serve.store: {error}") from None

    def see(self, key: str) -> None:
        """Do nothing: names in a bucket lead nowhere else."""

    def open(self, key: str) -> BinaryIO:
        """Open a blob for reading."""
        return self.blobs.open(key)

    def signed_get(self, key: str, seconds: float = SECONDS) -> str:
        """Give an address of the bucket's service."""
        return self.blobs.signed("GET", key, seconds)

    def _signed_put(self, key: str, md5: str, size: int, replace: bool, seconds: float) -> Signed:  # noqa: ARG002
        return Signed(self.blobs.signed("PUT", key, seconds), {"Content-MD5": md5})


def open_store(url: str, signer: Signer, options: Mapping[str, str] | None = None) -> Store:
    """Give the store at an address.

    Args:
        url: A folder, or ``s3://bucket/prefix``.
        signer: Signs the addresses of this server.
        options: Settings of a bucket by obstore's names; what is not given comes from the environment.

    Raises:
        ConfigurationError: The address is of no known kind.
    """
    if url.startswith(BUCKETS):
        return BucketStore(url, options)
    if "://" in url:
        raise ConfigurationError(f"serve.store: {url!r} is neither a folder nor s3://bucket/prefix.")
    return LocalStore(url, signer)
