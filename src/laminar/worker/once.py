"""A fresh interpreter that runs one attempt, whose order comes by standard input."""

from __future__ import annotations

import os
import sys

from laminar.worker import assignment, child, loading


def main() -> None:
    """Load the code, run the attempt, and leave."""
    attempt = assignment.take(sys.stdin.buffer)
    action = attempt.request.key.action
    assignment.assign(assignment.Assignment(action.space, action.run, stops=True))
    try:
        entry = loading.load(attempt.code, attempt.entry)
    except Exception as error:
        print(error, file=sys.stderr)
        os._exit(70)
    child.run(entry, attempt.request)
