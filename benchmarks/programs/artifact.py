"""One large artifact: ``artifact.py write BYTES`` or ``artifact.py read BYTES``."""

import sys

import numpy as np
from figures import measured

from laminar import Flow, Layer
from laminar.configurations import executors

RUN = "benchmark"


class ArtifactFlow(Flow):
    """One array."""


@ArtifactFlow.register
class Array(Layer):
    """The array."""

    def __call__(self) -> None:
        """Assign what was made before the clock started."""
        self.data = made


what, size = sys.argv[1], int(sys.argv[2])
flow = ArtifactFlow(executor=executors.Thread())
if what == "write":
    made = np.random.default_rng().random(size // 8)
    with measured():
        flow(execution=RUN)
else:
    layer = flow.execution(RUN).layer(Array)
    with measured():
        found = layer.data
    assert found.nbytes == size // 8 * 8
