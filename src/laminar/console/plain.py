"""Plain lines: progress to standard error, what user code prints to standard output."""

from __future__ import annotations

import sys

from laminar.console import words
from laminar.console.streams import Lines, underlying
from laminar.engine.contract import Observer
from laminar.model.states import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.engine.contract import Reuse, Summary


class Plain(Observer):
    """Writes a line for each thing that happens to a layer."""

    def __init__(self) -> None:
        """Write to the streams that are there now."""
        self._out = Lines(underlying(sys.stdout))
        self._err = Lines(underlying(sys.stderr))

    def _say(self, text: str) -> None:
        self._err.write(f"laminar: {words.clean(text)}")

    def run_started(self, space: str, run: str, layers: list[str], *, resumed: bool) -> None:
        """Say that a run starts."""
        self._say(words.start(space, run, len(layers), resumed=resumed))

    def reuse_planned(self, plan: list[Reuse]) -> None:
        """Say what is kept."""
        for line in words.reuse(plan):
            self._say(line)

    def layer_started(self, layer: str, splits: int, kept: int) -> None:
        """Say that a layer with splits starts."""
        if splits != 1 and kept < splits:
            self._say(f"{layer}: {splits} splits{f', {kept} kept' if kept else ''}")

    def layer_settled(self, layer: str, state: State, reason: str | None, seconds: float) -> None:
        """Say how a layer ended."""
        why = f" ({reason})" if reason and state is not State.FAILED else ""
        self._say(f"{layer}: {state.value.lower()} in {words.duration(seconds)}{why}")

    def retrying(self, layer: str, index: int, delay: float, reason: str) -> None:
        """Say that a split is tried again."""
        self._say(words.retry(layer, index, delay, reason))

    def line(self, layer: str, index: int, splits: int, text: str) -> None:
        """Show a line of user code with its split in front."""
        self._out.write(f"{words.prefix(layer, index, splits)} | {words.clean(text)}")

    def notice(self, text: str) -> None:
        """Say it."""
        self._say(text)

    def run_ended(self, summary: Summary) -> None:
        """Say how the run ended, where its results lie, and how it is resumed."""
        for line in words.ending(summary):
            self._say(line)
