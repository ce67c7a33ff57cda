"""A fresh interpreter that runs one attempt."""

from __future__ import annotations

import os
import pickle
import sys
import threading

from laminar.worker import assignment, child, loading


def main() -> None:
    """Take the request from standard input, run it, and leave."""
    source = sys.stdin.buffer
    size = int.from_bytes(source.read(8), "big")
    code, entry_ref, request = pickle.loads(source.read(size))  # noqa: S301 - from the scheduler that started this
    threading.Thread(target=_leave_with_scheduler, args=(os.dup(source.fileno()),), daemon=True).start()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    action = request.key.action
    assignment.assign(assignment.Assignment(action.space, action.run, stops=True))
    try:
        entry = loading.load(code, entry_ref)
    except Exception as error:
        print(error, file=sys.stderr)
        os._exit(70)
    sys.exit(child.run(entry, request))


def _leave_with_scheduler(handle: int) -> None:
    """End when the scheduler's end of the pipe closes without this process being done."""
    os.read(handle, 1)
    os._exit(75)
