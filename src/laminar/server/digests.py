"""Tells whether a blob is what its name says: the bytes that its gzip stands for have the hash that it is named by.

Nothing is made of the bytes: they are decompressed a little at a time and hashed.
"""

from __future__ import annotations

import hashlib
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

CHUNK = 1 << 18
GZIP = 31  # window of 32 KB with gzip's header and trailer, as zlib counts


def is_whole(file: BinaryIO, hexdigest: str) -> bool:
    """Tell whether a gzip file has a content.

    Args:
        file: The file.
        hexdigest: SHA-256 of the content, in hexadecimal.
    """
    digest = hashlib.sha256()
    unpacker = zlib.decompressobj(GZIP)
    packed = b""
    try:
        while packed := packed or file.read(CHUNK):
            digest.update(unpacker.decompress(packed, CHUNK))
            packed = unpacker.unconsumed_tail
            if unpacker.eof:  # a blob may have several members
                packed, unpacker = unpacker.unused_data or file.read(CHUNK), zlib.decompressobj(GZIP)
                if not packed:
                    return digest.hexdigest() == hexdigest
    except zlib.error:
        return False
    return False
