"""Chained flows: which words do Python's programmers use most? Three flows, one after the other, as one run.

    python examples/chained.py

Each flow is of use by itself, and knows nothing of the others. ``execution.next`` runs a flow after another under the
same execution id; its ``linker`` takes what the next flow needs out of the one before, as ``Parameters``.

The words are those of the modules of the standard library that this Python comes with.
"""

from __future__ import annotations

import re
import sysconfig
from collections import Counter
from pathlib import Path

from laminar import Execution, Flow, Layer, Parameters
from laminar.configurations.layers import ForEach, Parameter
from laminar.types import accessor

#: Files that are read by one split.
BATCH = 40


class CollectFlow(Flow):
    """Find the files of a folder."""


class CountFlow(Flow):
    """Count the words of files."""


class RankFlow(Flow):
    """Rank counts."""


@CollectFlow.register
class Collect(Layer):
    """The modules of a folder, without those in packages."""

    files: list[str]

    def __call__(self, parameters: Parameters) -> None:
        self.files = sorted(str(path) for path in Path(parameters.folder).glob("*.py"))


@CountFlow.register
class Batches(Layer):
    """The files in batches: each is stored by itself, so that a split of its own can count it."""

    batch: list[str]

    def __call__(self, parameters: Parameters) -> None:
        files = parameters.files
        self.shard(batch=(files[start : start + BATCH] for start in range(0, len(files), BATCH)))


@CountFlow.register(foreach=ForEach(parameters=[Parameter(layer=Batches, attribute="batch")]))
class Count(Layer):
    """The words of one batch."""

    words: Counter[str]

    def __call__(self, batches: Batches) -> None:
        self.words = Counter()
        for file in batches.batch:
            self.words.update(re.findall(r"[a-z]{4,}", Path(file).read_text("utf-8").lower()))


@CountFlow.register
class Total(Layer):
    """The words of all batches."""

    words: Counter[str]

    def __call__(self, count: Count) -> None:
        self.words = sum(accessor(count.words), Counter())


@RankFlow.register
class Rank(Layer):
    """The largest counts, with their share of all."""

    top: list[tuple[str, int, float]]

    def __call__(self, parameters: Parameters) -> None:
        total = parameters.counts.total()
        self.top = [(name, count, count / total) for name, count in parameters.counts.most_common(parameters.places)]


def files(execution: Execution) -> Parameters:
    """Give ``CountFlow`` the files that ``CollectFlow`` has found."""
    return Parameters(files=execution.layer(Collect).files)


def counts(execution: Execution) -> Parameters:
    """Give ``RankFlow`` what ``CountFlow`` has counted."""
    return Parameters(counts=execution.layer(Total).words, places=10)


if collect := CollectFlow():
    execution = (
        collect(folder=sysconfig.get_path("stdlib"))
        .next(flow=CountFlow(), linker=files)
        .next(flow=RankFlow(), linker=counts)
    )
    for place, (word, count, share) in enumerate(execution.layer(Rank).top, start=1):
        print(f"{place:2}. {word:<10} {count:>6,} times, {share:.1%} of all words of four letters and more")
