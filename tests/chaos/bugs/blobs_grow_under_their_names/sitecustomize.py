"""A seeded bug: small blobs are written straight to their final names."""

import os

from laminar.data import local
from laminar.host import files


def write(self: local.LocalBlobs, path: str, data: bytes) -> None:
    full = f"{self.root}/{path}"
    files.make_folder(os.path.dirname(full))
    handle = local.os.open(full, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o666)
    local.os.write(handle, data)
    os.close(handle)


local.LocalBlobs.write = write  # type: ignore[method-assign]
