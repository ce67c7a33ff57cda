"""A fresh interpreter that runs one attempt, whose order comes by standard input."""

from __future__ import annotations

import sys

from laminar.errors import CodeLoadError
from laminar.model.action import Manifest
from laminar.worker import assignment, child, loading
from laminar.worker.failures import describe


def main() -> None:
    """Load the code, run the attempt, and leave."""
    attempt = assignment.take(sys.stdin.buffer)
    action = attempt.request.key.action
    assignment.assign(assignment.Assignment(action.space, action.run, stops=True))
    try:
        entry = loading.load(attempt.code, attempt.entry)
    except CodeLoadError as error:
        child.hand_over(attempt.request, Manifest({}, describe(error)))
    else:
        child.run(entry, attempt.request)
