"""Branching: is a file worth compressing? Layers that run, or not, depending on what was found.

    python examples/branching.py               # this file: text, so it is
    python examples/branching.py picture.png   # compressed already, so it is not

``Compress`` has an entry hook: a function that says whether the layer runs. If it says no, the layer is skipped, and so
is ``Check``, which needs it. ``Leave`` is the other branch. ``Decide`` needs both branches, of which one is always
skipped: it has an entry hook of its own that says yes, and asks the layers whether they have finished.
"""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

from laminar import Flow, Layer, Parameters
from laminar.configurations import hooks

#: Bytes at the beginning of a file that tell enough.
SAMPLE = 1 << 16
#: Share of its size that a sample must shrink to, at most.
WORTH_IT = 0.8


class CompressFlow(Flow):
    """Compress a file if that makes it smaller."""


@CompressFlow.register
class Sample(Layer):
    """Try it on the beginning of the file."""

    ratio: float

    def __call__(self, parameters: Parameters) -> None:
        with open(parameters.path, "rb") as file:
            sample = file.read(SAMPLE)
        self.ratio = len(zlib.compress(sample, 1)) / max(len(sample), 1)


@CompressFlow.register
class Compress(Layer):
    """Compress the file, if the sample says that it is worth it."""

    data: bytes

    @hooks.entry
    def worth_it(self, sample: Sample) -> bool:
        """Run if the sample has shrunk enough."""
        return sample.ratio <= WORTH_IT

    def __call__(self, parameters: Parameters) -> None:
        self.data = zlib.compress(Path(parameters.path).read_bytes(), 9)


@CompressFlow.register
class Check(Layer):
    """Make sure that nothing is lost. Skipped when ``Compress`` is."""

    def __call__(self, compress: Compress, parameters: Parameters) -> None:
        if zlib.decompress(compress.data) != Path(parameters.path).read_bytes():
            raise ValueError(f"{parameters.path} has changed while it was compressed.")


@CompressFlow.register
class Leave(Layer):
    """The other branch: leave the file as it is."""

    reason: str

    @hooks.entry
    def not_worth_it(self, sample: Sample) -> bool:
        """Run if the sample has not shrunk enough."""
        return sample.ratio > WORTH_IT

    def __call__(self, sample: Sample) -> None:
        self.reason = f"its beginning shrinks to {sample.ratio:.0%} only"


@CompressFlow.register
class Decide(Layer):
    """Join the branches."""

    verdict: str

    @hooks.entry
    def always(self) -> bool:
        """Run also though one of the branches was skipped."""
        return True

    def __call__(self, compress: Compress, check: Check, leave: Leave, parameters: Parameters) -> None:
        name, size = Path(parameters.path).name, Path(parameters.path).stat().st_size
        if check.state.finished:
            self.verdict = f"{name}: compress it, {size:,} bytes become {len(compress.data):,}"
        else:
            self.verdict = f"{name}: leave it, {leave.reason}"


if flow := CompressFlow():
    execution = flow(path=sys.argv[1] if len(sys.argv) > 1 else __file__)
    print(execution.layer(Decide).verdict)
