"""A flow that prints."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from laminar import Flow, Layer

if TYPE_CHECKING:
    pass

#: Lines of an output that is larger than any pipe, 64 bytes each.
MANY_LINES = 2**14


class OutputFlow(Flow):
    """Prints."""


@OutputFlow.register
class Say(Layer):
    """Prints in all ways that Python has."""

    def __call__(self) -> None:
        for number in range(3):
            print("out", number)
            print("err", number, file=sys.stderr)
        print("grüße ☃ 𝄞")
        logging.StreamHandler().handle(logging.makeLogRecord({"msg": "logged"}))
        print("no end", end="")


@OutputFlow.register
class SayBeneath(Layer):
    """Prints past Python's streams."""

    def __call__(self) -> None:
        subprocess.run([sys.executable, "-c", "print('of a process')"], check=True)
        os.write(2, b"of a descriptor\n")


@OutputFlow.register
class SayMuch(Layer):
    """Prints more than any buffer holds, to both streams."""

    def __call__(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            for number in range(MANY_LINES):
                print(f"{number:063}", file=stream)


@OutputFlow.register
class SayProgress(Layer):
    """Writes over its line, as progress bars do, and bytes that are no text."""

    def __call__(self) -> None:
        for number in range(0, 101, 50):
            print(f"\r{number} %", end="", flush=True)
        print()


@OutputFlow.register
class SayNothing(Layer):
    """Prints nothing."""

    def __call__(self) -> None:
        self.silent = True
