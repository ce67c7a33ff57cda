"""Hello: the smallest flow, two layers.

    python examples/hello.py

A layer is a class. The annotations of its ``__call__`` say which layers it needs, and so in which order they run. What
it assigns to ``self`` is saved when it ends, and can be read by the layers that need it, and by anybody later on.
"""

from __future__ import annotations

from laminar import Flow, Layer


class HelloFlow(Flow):
    """Say hello."""


@HelloFlow.register
class Hello(Layer):
    """Needs nothing, so it runs first."""

    def __call__(self) -> None:
        self.greeting = "hello"


@HelloFlow.register
class World(Layer):
    """Needs ``Hello``, and runs when that has finished."""

    def __call__(self, hello: Hello) -> None:
        self.message = f"{hello.greeting}, world"


# Each layer runs in a process of its own, which starts from this file too. There the flow is false, so that nothing
# below this line happens twice.
if flow := HelloFlow():
    execution = flow()
    print(execution.layer(World).message)
