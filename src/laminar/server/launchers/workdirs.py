"""The folder of a container that is for the user's code: one of its own, as a mount is on the user's machine.

A volume without a name, which hides what the image has there, lies on a disk, and is removed with its container. The
engine makes it as root's, and a container without capabilities cannot change that, so an archive with the folder alone
is put over it before the container starts (170 ms with Docker). Archives are written here, and none is ever read.
"""

from __future__ import annotations

from laminar.errors import PlacementError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BLOCK = 512
#: Bytes of a name in the header of an archive.
NAME = 100


def refuse_long(folder: str) -> None:
    """See that the name of a folder is one that an archive can have.

    Raises:
        PlacementError: It is too long.
    """
    if len(folder.encode()) > NAME:
        raise PlacementError(f"workdir={folder!r} has more than {NAME} bytes. Choose a shorter one.")


def volume(folder: str) -> dict[str, Any]:
    """Describe the volume, as the engine is asked for it."""
    return {"Type": "volume", "Target": folder, "VolumeOptions": {"NoCopy": True}}


def owned(folder: str, user: str) -> bytes:
    """Give an archive that makes a folder one of the container's user.

    Args:
        folder: Its path.
        user: Numbers of user and group, with a colon between.
    """
    uid, gid = map(int, user.split(":"))
    parts = (
        folder.strip("/").encode().ljust(NAME, b"\0"),
        _number(0o755, 8),
        _number(uid, 8),
        _number(gid, 8),
        _number(0, 12),  # its size
        _number(0, 12),  # when it was changed
        b" " * 8,  # the checksum, which counts as spaces
        b"5",  # a folder
        b"\0" * 100,
        b"ustar\x0000",
    )
    header = b"".join(parts)
    checksum = b"%06o\0 " % sum(header)
    return (header[:148] + checksum + header[156:]).ljust(3 * BLOCK, b"\0")


def _number(number: int, size: int) -> bytes:
    """Write a number in octal, or in binary if that has not the room, as user ids of large networks have not."""
    if number < 8 ** (size - 1):
        return b"%0*o\0" % (size - 1, number)
    return b"\x80" + number.to_bytes(size - 1, "big")
