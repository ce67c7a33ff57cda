"""One attempt in a process of its own."""

from __future__ import annotations

import os
import pickle
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.model.action import Entry, Request


def run(entry: Entry, request: Request) -> int:
    """Run an attempt and hand over its manifest as a file that appears whole.

    Returns:
        The exit code for the process: 0, also if the user's code failed, since the manifest says so.
    """
    os.environ.update(request.env)
    manifest = entry.call(request)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue  # the user's code has closed or replaced it
    private = f"{request.manifest}.part"
    with open(private, "wb") as file:
        file.write(pickle.dumps(manifest, 5))
    os.rename(private, request.manifest)
    return 0
