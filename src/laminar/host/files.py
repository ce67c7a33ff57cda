"""Files and folders that are most likely where they should be."""

from __future__ import annotations

import os


def make_folder(folder: str) -> None:
    """Make a folder and those above it that are missing."""
    try:
        os.mkdir(folder)
    except FileExistsError:
        return
    except FileNotFoundError:
        make_folder(os.path.dirname(folder))
        make_folder(folder)


def open_log(path: str) -> int:
    """Open a log for appending, and give its handle; its folder is made if it is missing."""
    flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY
    try:
        return os.open(path, flags, 0o666)
    except FileNotFoundError:
        make_folder(os.path.dirname(path))
        return os.open(path, flags, 0o666)


def last_lines(path: str, most: int = 2000) -> str:
    """Read the last whole lines of a file, in so many bytes; empty if there is none."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - most))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return (text if size <= most else text.partition("\n")[2]).rstrip()


def room(path: str) -> str:
    """Say how much may still be written where a path leads, as the end of a sentence; empty if that is unknown."""
    try:
        found = os.statvfs(os.path.dirname(path))
    except (OSError, AttributeError):
        return ""
    return f" {found.f_bavail * found.f_frsize:,} bytes are free there."
