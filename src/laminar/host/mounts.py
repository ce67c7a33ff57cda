"""On what kind of file system a path lies, and how much room there is."""

from __future__ import annotations

import os

#: File systems of other machines, by how their names begin: a write-ahead log does not work on them.
REMOTE = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "lustre", "gpfs", "glusterfs", "fuse.sshfs", "fuse.s3fs", "beegfs")


def kind(path: str, mounts: str = "/proc/mounts") -> str:
    """Name the kind of the file system that a path lies on; empty where the system does not tell.

    Args:
        path: The path.
        mounts: The table of what is mounted.
    """
    best, found = "", ""
    real = os.path.realpath(path)
    try:
        with open(mounts, encoding="utf-8", errors="replace") as table:
            rows = [line.split() for line in table]
    except OSError:
        return ""
    for row in rows:
        place = row[1].replace("\\040", " ")
        inside = real == place or real.startswith(f"{place.rstrip('/')}/")
        if inside and len(place) >= len(best):
            best, found = place, row[2]
    return found


def is_remote(path: str, mounts: str = "/proc/mounts") -> bool:
    """Tell whether a path lies on the file system of another machine.

    Args:
        path: The path.
        mounts: The table of what is mounted.
    """
    return kind(path, mounts).startswith(REMOTE)


def free(path: str) -> int:
    """Tell how many bytes may still be written where a path leads, or would.

    Raises:
        OSError: The system does not tell.
    """
    while not os.path.exists(path):
        path = os.path.dirname(os.path.abspath(path))
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize
