"""One attempt in a process of its own."""

from __future__ import annotations

import os
import pickle
import sys

from laminar.data.serde import failures
from laminar.data.serde.failures import describe
from laminar.errors import AttemptError, ExecutionError
from laminar.executors.outcomes import UNDELIVERED
from laminar.model.action import Manifest
from laminar.worker import assignment, loading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from laminar.model.action import Attempt, Door, Entry, Request
    from laminar.wire.messages import Answer
    from laminar.worker.calling import Ask


def run(entry: Entry, request: Request) -> None:
    """Run an attempt and hand over its manifest.

    While it runs, the process may be the scheduler of other flows, which the user's code may call.
    """
    assignment.assign(None)
    try:
        os.environ.update(request.env)
        if request.entry is not None:
            entry = loading.find(request.entry)
        if request.door is not None:
            _may_call(entry, request, request.door)
        manifest = entry.call(request)
    except BaseException as error:
        manifest = Manifest({}, describe(error))
    hand_over(request, manifest)


def _may_call(entry: Entry, request: Request, door: Door) -> None:
    """Let the code of the attempt call tasks."""
    from laminar.worker.calling import Caller, current  # 50 ms of asyncio, if the user's code has not loaded it

    current.set(Caller(request.key, request.key.action.name, entry.values, _line(door)))


def _line(door: Door) -> Ask:
    """Give the way to the engine: to a server by HTTP, else by a socket."""
    if door.path.startswith("http"):
        from laminar.client.line import Line as Served  # only what a server has started needs it; an agent has it

        return Served(door.path, door.token, _lost).ask
    from laminar.worker.asking import Line  # 5 ms, and only who has tasks needs it

    return Line(door).ask


def _lost() -> Answer:
    """Answer what can be asked nowhere."""
    from laminar.wire.messages import Answer  # loaded long since

    error = ExecutionError("The server of this run is gone for too long, so calls end nowhere.")
    return Answer("", None, describe(error), "the call")


def hand_over(request: Request, manifest: Manifest) -> None:
    """Hand over the manifest of an attempt as a file that appears whole."""
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


def refuse(request: Request, error: OSError) -> None:
    """Hand over for an attempt that no process could be started for it."""
    note = None if failures.advice is None else failures.advice(error)
    hint = note or "Try again when fewer run, or raise the limit: ulimit -u."
    refused = AttemptError(f"No process could be started for this attempt: {error.strerror}. {hint}")
    hand_over(request, Manifest({}, describe(refused)))


def perform(attempt: Attempt) -> NoReturn:
    """Run an attempt where the script that this process was started with has come to its flow, and leave."""
    loading.name_main()
    try:
        entry = loading.find(attempt.entry)
    except Exception as error:
        hand_over(attempt.request, Manifest({}, describe(error)))
    else:
        run(entry, attempt.request)
    leave()


def leave() -> NoReturn:
    """End this process, whose attempt is done, with no regard to threads that user code has left behind."""
    os._exit(0)
