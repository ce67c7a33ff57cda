"""Private files and folders, named after the process that made them, so that what dead processes left can be cleared.

A name is ``<process>-<start>-<place>-<number>``. The place is in it because a folder may be shared with other machines
and containers, where the same process number means another process.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import time

from laminar.host import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds after which what a process elsewhere has left untouched counts as left behind.
FORGOTTEN = 7 * 86400.0

_counter = itertools.count()
_owners: dict[int, str] = {}


def private_name() -> str:
    """Make a name that no other process uses, and this one only once."""
    pid = os.getpid()
    owner = _owners.get(pid)
    if owner is None:  # asked once in each process, forked ones included
        owner = _owners[pid] = f"{pid}-{processes.start_time(pid) or ''}-{_digest(processes.place())}"
    return f"{owner}-{next(_counter)}"


def sweep(folder: str) -> None:
    """Remove from a folder what processes made that are no more."""
    own = processes.identity()
    here = _digest(own.place)
    try:
        entries = os.listdir(folder)
    except OSError:
        return
    for entry in entries:
        parts = entry.split("-")
        if len(parts) != 4 or not parts[0].isdigit():
            continue
        path = os.path.join(folder, entry)
        if parts[2] == here:
            dead = own.replace(pid=int(parts[0]), started=parts[1]).alive() is False
        else:
            dead = _untouched(path)
        if dead:
            remove(path)


def remove(path: str) -> None:
    """Remove a file, or a folder with all that is in it; harmless if another process does so too."""
    if not os.path.isdir(path) or os.path.islink(path):
        _quietly(os.unlink, path)
        return
    for base, folders, files in os.walk(path, topdown=False):
        for name in files:
            _quietly(os.unlink, os.path.join(base, name))
        for name in folders:
            _quietly(os.rmdir, os.path.join(base, name))
    _quietly(os.rmdir, path)


def _quietly(act: Callable[[str], None], path: str) -> None:
    try:
        act(path)
    except OSError:
        return  # another process was faster, or it may not: neither keeps a run from starting


def _untouched(path: str) -> bool:
    try:
        return time.time() - os.lstat(path).st_mtime > FORGOTTEN
    except OSError:
        return False


def _digest(place: str) -> str:
    return hashlib.sha256(place.encode()).hexdigest()[:12]
