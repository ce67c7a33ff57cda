"""Plain lines: progress to standard error, what user code prints to standard output."""

from __future__ import annotations

import sys

from laminar.console import words
from laminar.engine.contract import Observer
from laminar.model.states import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from laminar.engine.contract import Reuse, Summary


class Plain(Observer):
    """Writes a line for each thing that happens to a layer."""

    def __init__(self, state_folder: str | None) -> None:
        """Write to the streams that are there now."""
        self._state_folder = state_folder
        self._out: TextIO = getattr(sys.stdout, "original", sys.stdout)
        self._err: TextIO = getattr(sys.stderr, "original", sys.stderr)

    def _say(self, text: str) -> None:
        self._err.write(f"laminar: {words.clean(text)}\n")
        self._err.flush()

    def run_started(self, space: str, run: str, layers: list[str], *, resumed: bool) -> None:
        """Say that a run starts."""
        self._say(f"{space} {run} {'resumes' if resumed else 'starts'} ({len(layers)} layers)")

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
        self._say(f"{layer}[{index}]: again in {words.duration(delay)} ({reason})")

    def line(self, layer: str, index: int, splits: int, text: str) -> None:
        """Show a line of user code with its split in front."""
        self._out.write(f"{words.prefix(layer, index, splits)} | {words.clean(text)}\n")
        self._out.flush()

    def notice(self, text: str) -> None:
        """Say it."""
        self._say(text)

    def run_ended(self, summary: Summary) -> None:
        """Say how the run ended and where its results lie."""
        for failed in summary.failures:
            for line in words.failure(failed):
                self._say(line)
        self._say(words.summary(summary))
        self._say(f"results: {summary.where}")
