"""A layer that fits, one that is too large for what the disk has left, a foreach, and a join; each notes its start.

Usage: ``filled.py ROOT RUN BYTES ROOM [resume]``: the second layer saves so many bytes. Under the first scheduler it
also fills the disk but for ROOM bytes, if that is not negative.
"""

import os
import random
import sys

from journal import note

from laminar import Flow, Layer
from laminar.configurations import datastores, executors
from laminar.configurations.layers import ForEach, Parameter
from laminar.settings import current

SPLITS = 4
ROOT, RUN = sys.argv[1:3]
SIZE, ROOM = map(int, sys.argv[3:5])


def fill(room: int) -> None:
    """Fill the disk but for so many bytes."""
    with open(f"{ROOT}/../filler", "ab", buffering=0) as filler:
        found = os.statvfs(ROOT)
        filler.write(b"x" * (found.f_bavail * found.f_frsize - room))


class Filled(Flow): ...


@Filled.register
class Start(Layer):
    def __call__(self) -> None:
        note("start", "Start", 0)
        self.shard(items=range(SPLITS))


@Filled.register
class Large(Layer):
    def __call__(self, start: Start) -> None:
        note("start", "Large", 0)
        self.payload = random.Random(0).randbytes(SIZE)
        if ROOM >= 0 and not current.execution.retry:
            fill(ROOM)


@Filled.register(foreach=ForEach(parameters=[Parameter(layer=Start, attribute="items")]))
class Fan(Layer):
    def __call__(self, start: Start, large: Large) -> None:
        note("start", "Fan", self.index)
        assert large.payload == random.Random(0).randbytes(SIZE)
        self.value = start.items * 10


@Filled.register
class End(Layer):
    def __call__(self, fan: Fan, large: Large) -> None:
        note("start", "End", 0)
        assert list(fan.value) == [item * 10 for item in range(SPLITS)]
        self.right = True
        note("right")


if __name__ == "__main__":
    if flow := Filled(datastore=datastores.Local(root=ROOT), executor=executors.Process(concurrency=2)):
        if sys.argv[-1] == "resume":
            flow.execution(RUN).resume()
        else:
            flow(execution=RUN)
