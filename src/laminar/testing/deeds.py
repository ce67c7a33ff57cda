"""What attempts do in the suite for executors: each deed shows one way to behave, or to misbehave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from laminar.data.serde.failures import describe
from laminar.model.action import Entry, EntryRef, Manifest, Output, Ref
from laminar.settings import current
from laminar.testing import hidden

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NoReturn

    from laminar.model.action import Request

#: How executors that leave the process find the entry.
ENTRY = EntryRef("laminar.testing.deeds:load", {"space": "Suite", "run": "suite"})

_count = 0


class Deeds(Entry):
    """Does what a request's payload names, ``(deed, *arguments)``; what the deed returns is the output ``result``."""

    def call(self, request: Request) -> Manifest:
        """Do the deed."""
        name, *arguments = request.payload
        try:
            result = globals()[name](*arguments)
        except BaseException as error:
            return Manifest({}, describe(error))
        return Manifest({"result": Output((Ref("json", json.dumps(result)),))})


def load(payload: Mapping[str, Any]) -> Deeds:  # noqa: ARG001 - the signature of all loaders
    """Give the entry."""
    return Deeds()


def result_of(manifest: Manifest | None) -> Any:
    """Read what a deed returned."""
    assert manifest is not None
    return json.loads(manifest.outputs["result"].refs[0].hexdigest)


# Deeds that end by themselves


def echo(value: Any) -> Any:
    """Give what was given."""
    return value


def fail(message: str) -> NoReturn:
    """Raise."""
    raise ValueError(message)


def leave(code: int) -> NoReturn:
    """End the process behind everybody's back."""
    os._exit(code)


def leave_politely(code: int) -> NoReturn:
    """End as ``sys.exit`` does."""
    sys.exit(code)


def suffer(number: int) -> None:
    """Send a signal to this process, with its default effect."""
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    time.sleep(60)


def say(lines: int) -> None:
    """Print to both streams."""
    for number in range(lines):
        print("out", number)
        print("err", number, file=sys.stderr)


def say_beneath(text: str) -> None:
    """Print from a process of its own, and past Python's streams."""
    subprocess.run([sys.executable, "-c", f"print({text!r})"], check=True)  # noqa: S603 - this interpreter
    os.write(1, b"bare\n")


def say_and_leave(text: str) -> NoReturn:
    """Print, and end the process behind everybody's back without flushing."""
    os.write(1, text.encode())
    os._exit(1)


def count() -> int:
    """Count the calls in this process."""
    global _count
    _count += 1
    return _count


def surroundings(variable: str) -> dict[str, Any]:
    """Tell what an attempt sees of where it runs."""
    return {
        "variable": os.environ.get(variable),
        "layer": current.layer.name,
        "cwd": os.getcwd(),
        "argv": sys.argv,
        "input": sys.stdin.read() if sys.stdin is not None else "",
        "pid": os.getpid(),
    }


# Deeds that wait


def meet(folder: str, others: int) -> None:
    """Wait until so many attempts have come to the same folder."""
    _touch(folder)
    while len(os.listdir(folder)) < others:
        time.sleep(0.002)


def wait(folder: str) -> None:
    """Say that this is here, and wait to be stopped."""
    _touch(folder)
    while True:
        time.sleep(0.002)


def defy(folder: str) -> None:
    """Wait, and take no hint to end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wait(folder)


def finish_when_asked(folder: str) -> str:
    """Wait for the hint to end, and end well."""
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    _touch(folder)
    while not asked:
        time.sleep(0.002)
    return "finished"


def found_a_family(folder: str, names: list[str], then: str) -> None:
    """Start processes that hide, each in its own way, then do something.

    Args:
        folder: Takes a file for each of them, named as it is, which it holds locked while it lives.
        names: ``child``, ``session`` (leads a session), ``orphan`` (its parent is gone), ``bare`` (a session leader
            without variables) or ``deaf`` (takes no hint to end).
        then: ``wait`` to be stopped, or ``return``, ``leave`` or ``die``.
    """
    for name in names:
        subprocess.Popen(  # noqa: S603 - this interpreter
            [sys.executable, "-I", "-S", hidden.__file__, folder, name],
            env={} if name == "bare" else None,
            start_new_session=name in ("session", "bare"),
        )
    while len(os.listdir(folder)) < len(names):
        time.sleep(0.002)
    if then == "leave":
        os._exit(1)
    if then == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    while then == "wait":
        time.sleep(0.002)


def _touch(folder: str) -> None:
    with open(os.path.join(folder, f"{os.getpid()}-{time.monotonic_ns()}"), "w"):
        pass
