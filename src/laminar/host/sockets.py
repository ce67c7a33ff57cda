"""Addresses of Unix sockets in folders with long paths."""

from __future__ import annotations

import os
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes that an address may have (``sun_path`` in unix(7) has 108).
LONGEST = 100


def listen(path: str) -> socket.socket:
    """Listen at a path that only this user may reach.

    Raises:
        OSError: It cannot be made.
    """
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        _at(path, server.bind)
    finally:
        os.umask(before)
    server.listen(128)
    return server


def connect(path: str) -> socket.socket:
    """Connect to who listens at a path.

    Raises:
        OSError: Nobody does.
    """
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _at(path, client.connect)
    except OSError:
        client.close()
        raise
    return client


def _at(path: str, act: Callable[[str], None]) -> None:
    """Use an address, by way of its folder's handle where it is too long."""
    if len(os.fsencode(path)) <= LONGEST:
        act(path)
        return
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        act(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
    finally:
        os.close(folder)
