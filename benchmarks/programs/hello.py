"""Two layers: the smallest flow that passes something on. ``LAMINAR_EXECUTOR`` names the executor."""

from laminar import Flow, Layer


class HelloFlow(Flow):
    """A greeting."""


@HelloFlow.register
class Hello(Layer):
    """Say hello."""

    def __call__(self) -> None:
        """Assign it."""
        self.greeting = "hello"


@HelloFlow.register
class World(Layer):
    """Say it to the world."""

    def __call__(self, hello: Hello) -> None:
        """Print it."""
        print(f"{hello.greeting}, world")


if flow := HelloFlow():
    flow()
