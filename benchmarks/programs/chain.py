"""A chain of layers, each of which adds one to what the one before has made: ``chain.py LAYERS``."""

import sys

from figures import measured

from laminar import Flow, Layer


class ChainFlow(Flow):
    """A chain."""


def first(self: Layer) -> None:
    """Begin the count."""
    self.value = 0


def further(self: Layer, before: Layer) -> None:
    """Go on with the count."""
    self.value = before.value + 1


def link(number: int, before: type[Layer] | None) -> type[Layer]:
    """Make and register a layer that depends on another."""

    def call(self: Layer, before: Layer) -> None:
        further(self, before)

    if before is not None:
        call.__annotations__["before"] = before
    layer = type(f"Link{number}", (Layer,), {"__call__": first if before is None else call, "__module__": __name__})
    return ChainFlow.register(layer)


count = int(sys.argv[1])
last: type[Layer] | None = None
for position in range(count):
    last = globals()[f"Link{position}"] = link(position, last)

if flow := ChainFlow():
    with measured():
        execution = flow()
    assert last is not None
    assert execution.layer(last).value == count - 1
