"""A flow that passes values of all sorts from layer to layer."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from laminar import Flow, Layer, Parameters
from laminar.configurations import hooks
from laminar.configurations.layers import Catch, ForEach, Parameter
from laminar.settings import current
from laminar.testing.parity.samples import Colour, Row, adder, large, samples

if TYPE_CHECKING:
    from typing import Any

#: A layer whose behaviour fails is looked at by one test; the run goes on for the others.
APART = Catch(Exception)


class ValuesFlow(Flow):
    """Passes values of all sorts from layer to layer."""


@ValuesFlow.register
class Make(Layer):
    """Assigns."""

    letters: Any
    pair: Any
    lettres: Any
    numbers: Any
    nothing: Any

    def __call__(self, parameters: Parameters) -> None:
        for name, value in samples().items():
            setattr(self, f"a_{name}", value)
        self.large = large()
        self.function = adder(2)
        self.changing = [1, 2]
        self.parameters_seen = (parameters.text, parameters.numbers, type(parameters.row) is Row)
        self.shard(letters="abc", pair="ab", numbers=[1, 2], nothing=[])


@ValuesFlow.register(catch=APART)
class Compare(Layer):
    """Reads in another attempt what was assigned."""

    def __call__(self, make: Make) -> None:
        expected = samples()
        found = {name: getattr(make, f"a_{name}") for name in expected}
        self.unlike = [
            name for name, value in found.items() if value != expected[name] or type(value) is not type(expected[name])
        ]
        self.identical = (found["kind"] is Row, found["colour"] is Colour.RED, found["function"] is samples)
        self.sum = make.function(40)


@ValuesFlow.register(catch=APART)
class Weigh(Layer):
    """Reads what is large."""

    def __call__(self, make: Make) -> None:
        self.size = len(make.large)
        self.digest = hashlib.sha256(make.large).hexdigest()


@ValuesFlow.register(catch=APART)
class Change(Layer):
    """Changes what it has read, which is a copy."""

    def __call__(self, make: Make) -> None:
        make.changing.append(3)
        self.changed = make.changing


@ValuesFlow.register(catch=APART)
class Unchanged(Layer):
    """Reads what another layer has changed."""

    def __call__(self, make: Make, change: Change) -> None:
        self.seen = make.changing


@ValuesFlow.register(catch=APART)
class Shards(Layer):
    """Reads elements one by one, and hands all of them on."""

    def __call__(self, make: Make) -> None:
        self.letters = letters = make.letters
        self.read = (len(letters), letters[1], letters[-1], letters[1:], list(letters))


@ValuesFlow.register(catch=APART)
class Missing(Layer):
    """Reads what was never assigned."""

    def __call__(self, make: Make) -> None:
        try:
            make.lettres  # noqa: B018 - read for what it raises
        except AttributeError as error:
            self.message = str(error)


@ValuesFlow.register(
    foreach=ForEach(parameters=[Parameter(layer=Make, attribute="pair"), Parameter(layer=Make, attribute="numbers")])
)
class Grid(Layer):
    """Runs once for each pair."""

    def __call__(self, make: Make) -> None:
        self.pair = (make.pair, make.numbers)
        self.place = (self.index, self.splits, current.layer.index, current.layer.splits)
        if make.pair == "b":
            self.only_b = make.numbers


@ValuesFlow.register(foreach=ForEach(parameters=[Parameter(layer=Grid, attribute="pair", index=None)]))
class Chained(Layer):
    """Runs once for each split of a layer that ran in splits."""

    def __call__(self, grid: Grid) -> None:
        self.joined = f"{grid.pair[0]}{grid.pair[1]}"


@ValuesFlow.register(catch=APART)
class Join(Layer):
    """Reads what splits have assigned, also where some have not."""

    def __call__(self, grid: Grid, chained: Chained) -> None:
        only: Any = grid.only_b
        self.joined = list(chained.joined)
        self.available = only.available
        try:
            only[0]
        except AttributeError as error:
            self.message = str(error)


@ValuesFlow.register(foreach=ForEach(parameters=[Parameter(layer=Make, attribute="nothing")]))
class Never(Layer):
    """Runs in no split."""

    def __call__(self, make: Make) -> None:
        self.value = make.nothing


@ValuesFlow.register(catch=APART)
class AfterNever(Layer):
    """Follows a layer of no splits."""

    def __call__(self, never: Never) -> None:
        self.count = len(never.value)


@ValuesFlow.register
class Skipped(Layer):
    """Is told not to run."""

    @hooks.entry
    def never(self, make: Make) -> bool:
        """Answer from what was assigned."""
        return len(make.changing) > 2

    def __call__(self) -> None:
        self.value = 1


@ValuesFlow.register
class AfterSkipped(Layer):
    """Needs a layer that is skipped."""

    def __call__(self, skipped: Skipped) -> None:
        self.value = skipped.value
