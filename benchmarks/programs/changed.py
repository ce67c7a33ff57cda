"""When the first line of a layer runs in a warm container: prints it, in seconds since the epoch."""

import time

from laminar import Flow, Layer
from laminar.configurations import executors
from laminar.configurations.layers import ReusePolicy


class FirstFlow(Flow):
    """One layer."""


@FirstFlow.register
class First(Layer):
    """Look at the clock."""

    def __call__(self) -> None:
        """Assign the time."""
        self.moment = time.time()


if flow := FirstFlow(executor=executors.Docker(reuse=ReusePolicy())):
    print(flow().layer(First).moment)
