"""A seeded bug: what the disk refuses to take is dropped without a word."""

import os

from laminar.data import local


def write(self: local._LocalUpload, data: bytes | memoryview) -> None:
    try:
        os.write(self._handle, data)
    except OSError:
        return


local._LocalUpload.write = write  # type: ignore[method-assign]
