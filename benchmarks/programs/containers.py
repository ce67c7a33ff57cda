"""A foreach in containers: ``containers.py cold|warm SPLITS``. Prints seconds, also of each split, as JSON."""

import json
import sys
import time

from laminar import Flow, Layer, Parameters
from laminar.configurations import executors
from laminar.configurations.layers import ForEach, Parameter, ReusePolicy
from laminar.ledger.sql import Ledger


class SquaresFlow(Flow):
    """Squares."""


@SquaresFlow.register
class Numbers(Layer):
    """The numbers from 0."""

    def __call__(self, parameters: Parameters) -> None:
        """Shard them."""
        self.shard(number=range(parameters.count))


@SquaresFlow.register(foreach=ForEach(parameters=[Parameter(layer=Numbers, attribute="number")]))
class Square(Layer):
    """One square."""

    def __call__(self, numbers: Numbers) -> None:
        """Compute it."""
        self.square = numbers.number**2


EXECUTORS = {
    "cold": lambda: executors.Docker(concurrency=2),
    "warm": lambda: executors.Docker(concurrency=2, reuse=ReusePolicy(replicas=(2, 2))),
}

if flow := SquaresFlow(executor=EXECUTORS[sys.argv[1]]()):
    began = time.perf_counter()
    execution = flow(count=int(sys.argv[2]))
    seconds = time.perf_counter() - began
    assert list(execution.layer(Square).square) == [number**2 for number in range(int(sys.argv[2]))]
    attempts = [
        attempt
        for attempt in Ledger(".laminar/ledger.db").attempts("SquaresFlow", str(execution.id))
        if attempt.name == "Square"
    ]
    each = sorted(attempt.ended - attempt.started for attempt in attempts)
    foreach = max(attempt.ended for attempt in attempts) - min(attempt.started for attempt in attempts)
    print(json.dumps({"seconds": seconds, "foreach": foreach, "p95": each[int(len(each) * 0.95)]}))
