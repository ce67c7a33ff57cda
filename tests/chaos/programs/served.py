"""Tasks and a flow for a server: what runs, and with what value, is noted outside laminar."""

from __future__ import annotations

import asyncio
import os
import random
import time

import laminar
from laminar import Flow, Layer
from laminar.components import Parameters
from laminar.configurations.layers import ForEach, Parameter

env = laminar.TaskEnvironment("served")


def note(*words: object) -> None:
    """Add a line and see it safe on the disk."""
    line = repr((*words, os.environ["LAMINAR_RUN_ID"], time.time())) + "\n"
    handle = os.open(os.environ["CHAOS_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(handle, line.encode())
        os.fsync(handle)
    finally:
        os.close(handle)


@env.task
def leaf(x: int) -> int:
    """Square a number, slowly."""
    note("start", "leaf", x)
    time.sleep(random.uniform(0.0, 0.25))
    note("end", "leaf", x)
    return x * x


@env.task
async def branch(k: int) -> int:
    """Sum three squares."""
    return sum(await asyncio.gather(*[leaf(10 * k + i) for i in range(3)]))


@env.task
async def tree(n: int) -> int:
    """Sum the branches, and then leaves one after the other."""
    total = sum(await asyncio.gather(*[branch(k) for k in range(n)]))
    for x in range(1000, 1003):
        total += await leaf(x)
    return total


class Squares(Flow):
    """The same as a flow."""


@Squares.register()
class Numbers(Layer):
    """Some numbers."""

    def __call__(self, parameters: Parameters) -> None:
        note("start", "Numbers", 0)
        self.shard(numbers=range(parameters.n))


@Squares.register(foreach=ForEach(parameters=[Parameter(layer=Numbers, attribute="numbers")]))
class Square(Layer):
    """One square each."""

    def __call__(self, numbers: Numbers) -> None:
        note("start", "Square", numbers.numbers)
        time.sleep(random.uniform(0.0, 0.25))
        self.square = numbers.numbers**2


@Squares.register()
class Total(Layer):
    """Their sum."""

    def __call__(self, square: Square) -> None:
        self.total = sum(square.square)
        note("total", "Total", self.total)


@env.task
async def stubborn(seconds: float) -> int:
    """Block the event loop."""
    note("start", "stubborn", 0)
    time.sleep(seconds)
    return 1


@env.task
def patient() -> int:
    """Wait until a file is there, which who kills things makes."""
    note("start", "patient", 0)
    while not os.path.exists(os.environ["CHAOS_JOURNAL"] + ".gate"):
        time.sleep(0.05)
    return 2
