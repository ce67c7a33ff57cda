"""A foreach and a join: ``foreach.py run SPLITS`` or ``foreach.py resume``. ``LAMINAR_EXECUTOR`` names the executor."""

import sys

from figures import measured

from laminar import Flow, Layer, Parameters
from laminar.configurations.layers import ForEach, Parameter

RUN = "benchmark"


class SquaresFlow(Flow):
    """Squares and their sum."""


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


@SquaresFlow.register
class Total(Layer):
    """The sum."""

    def __call__(self, square: Square) -> None:
        """Read all squares."""
        self.total = sum(square.square)


if flow := SquaresFlow():
    with measured():
        if sys.argv[1] == "resume":
            execution = flow.execution(RUN).resume()
        else:
            execution = flow(execution=RUN, count=int(sys.argv[2]))
    count = len(execution.layer(Square).square)
    assert execution.layer(Total).total == sum(number**2 for number in range(count))
