"""Forty splits; under the first scheduler, each is killed at another moment of what it writes.

Usage: ``torn.py ROOT RUN BYTES [resume]``
"""

import random
import sys

import faults
from journal import note

from laminar import Flow, Layer
from laminar.configurations import datastores, executors
from laminar.configurations.layers import ForEach, Parameter
from laminar.settings import current

SPLITS = 40
SIZE = int(sys.argv[3])


class Torn(Flow): ...


@Torn.register
class Start(Layer):
    def __call__(self) -> None:
        self.shard(items=range(SPLITS))


@Torn.register(foreach=ForEach(parameters=[Parameter(layer=Start, attribute="items")]))
class Fan(Layer):
    def __call__(self, start: Start) -> None:
        note("start", "Fan", self.index)
        if not current.execution.retry:
            faults.arm(start.items)
        self.small = [start.items] * 100
        self.large = random.Random(start.items).randbytes(SIZE)


@Torn.register
class End(Layer):
    def __call__(self, fan: Fan) -> None:
        assert list(fan.small) == [[item] * 100 for item in range(SPLITS)]
        assert list(fan.large) == [random.Random(item).randbytes(SIZE) for item in range(SPLITS)]
        note("right")


if __name__ == "__main__":
    root, run = sys.argv[1:3]
    if flow := Torn(datastore=datastores.Local(root=root), executor=executors.Process(concurrency=SPLITS)):
        if sys.argv[4:] == ["resume"]:
            flow.execution(run).resume()
        else:
            flow(execution=run)
