"""One attempt in a process of its own."""

from __future__ import annotations

import os
import pickle
import sys

from laminar.executors.outcomes import UNDELIVERED
from laminar.model.action import Manifest
from laminar.worker import assignment, loading
from laminar.worker.failures import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.model.action import Attempt, Entry, Request


def run(entry: Entry, request: Request) -> None:
    """Run an attempt and hand over its manifest as a file that appears whole.

    While it runs, the process may be the scheduler of other flows, which the user's code may call.
    """
    assignment.assign(None)
    try:
        os.environ.update(request.env)
        manifest = entry.call(request)
    except BaseException as error:
        manifest = Manifest({}, describe(error))
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue  # the user's code has closed or replaced it
    private = f"{request.manifest}.part"
    try:
        with open(private, "wb") as file:
            file.write(pickle.dumps(manifest, 5))
        os.rename(private, request.manifest)
    except OSError:
        os._exit(UNDELIVERED)


def perform(attempt: Attempt) -> None:
    """Run an attempt where the script that this process was started with has come to its flow.

    The rest of the script then finds a process that runs nothing more.
    """
    loading.name_main()
    run(loading.find(attempt.entry), attempt.request)
    assignment.assign(assignment.Assignment("", "", stops=False))
