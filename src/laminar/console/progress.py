"""The live display of a terminal: layers with bars below, what user code prints scrolling above."""

from __future__ import annotations

import sys
import time
from collections import Counter

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from laminar.console import words
from laminar.console.streams import Above, Lines, underlying
from laminar.engine.contract import Observer
from laminar.model.states import State
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from laminar.engine.contract import Reuse, Summary

BAR = 24
#: Lines of the terminal that are left to what scrolls above.
MARGIN = 4
MOST_LAYERS = 40
STYLES = {
    State.WAITING: "dim",
    State.RUNNING: "cyan",
    State.SUCCEEDED: "green",
    State.SKIPPED: "yellow",
    State.FAILED: "red",
    State.CANCELLED: "yellow",
}


class Row(Value):
    """A layer, as it is shown.

    Attributes:
        name: Its name.
        state: Its state.
        splits: In how many splits, once that is known.
        done: Splits that have succeeded, or were kept.
        running: Splits that run.
        failed: Splits that have failed.
        began: When its first split began, by the monotonic clock.
        seconds: How long it took, once it has ended.
    """

    name: str
    state: State = State.WAITING
    splits: int = 0
    done: int = 0
    running: int = 0
    failed: int = 0
    began: float = 0.0
    seconds: float | None = None

    @property
    def interesting(self) -> bool:
        """Whether it is shown where there is no room for all."""
        return self.state in (State.RUNNING, State.FAILED)

    def share(self) -> float:
        """Tell which share of it is done, from 0 to 1."""
        return self.done / self.splits if self.splits else float(self.state is State.SUCCEEDED)

    def took(self, now: float) -> str:
        """Say how long it has taken so far."""
        if self.state in (State.WAITING, State.SKIPPED):
            return ""
        return words.duration(now - self.began if self.seconds is None else self.seconds)

    def counts(self) -> str:
        """Say how many of its splits are where."""
        if self.splits <= 1:
            return self.state.value.lower()
        parts = [f"{self.done}/{self.splits}"]
        parts += [f"{self.running} running"] if self.running else []
        parts += [f"{self.failed} failed"] if self.failed else []
        return ", ".join(parts)


class Progress(Observer):
    """Shows the layers of a run while it goes on, and leaves their last state and a summary behind."""

    def __init__(self) -> None:
        """Take the bottom of the terminal, and send what is printed above it."""
        self._before = (sys.stdout, sys.stderr)
        error, out = underlying(sys.stderr), underlying(sys.stdout)
        self._console = Console(file=error, highlight=False, markup=False, emoji=False)
        self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self._rows: dict[str, Row] = {}
        self._title = ""
        self._began = time.monotonic()
        self._waiting: list[str] = []
        self._shown = True
        # What goes to a file or a pipe stays whole there; only what goes to the terminal has to get out of the way.
        self._out = None if out is not None and out.isatty() else Lines(out)
        self._above = [Above(error, self._scroll)]
        sys.stderr = self._above[0]
        if self._out is None:
            self._above.append(Above(out, self._scroll))
            sys.stdout = self._above[1]

    def _scroll(self, line: str) -> None:
        """Show a line above at the next glance; called from any thread."""
        self._waiting.append(words.clean(line))

    def _say(self, text: str) -> None:
        self._scroll(f"laminar: {text}")

    # What happens

    def run_started(self, space: str, run: str, layers: list[str], *, resumed: bool) -> None:
        """Begin to show the layers."""
        self._title = f"{space} {run}"
        self._rows = {layer: Row(layer) for layer in layers}
        self._say(words.start(space, run, len(layers), resumed=resumed))
        self._draw(self._live.start)
        self._draw(lambda: self._console.show_cursor(True))  # a run may be killed, and leave the terminal as it is

    def reuse_planned(self, plan: list[Reuse]) -> None:
        """Say what is kept."""
        for line in words.reuse(plan):
            self._say(line)

    def layer_started(self, layer: str, splits: int, kept: int) -> None:
        """Show how many splits a layer has; it is shown as running once the first of them has got a slot."""
        row = self._rows[layer]
        row.splits, row.done = splits, kept

    def layer_settled(self, layer: str, state: State, reason: str | None, seconds: float) -> None:
        """Show how a layer ended."""
        row = self._rows[layer]
        row.state, row.seconds = state, seconds
        if state is State.SKIPPED:
            self._say(f"{layer}: skipped ({reason})")

    def called(self, task: str) -> None:
        """Count an action of a task."""
        row = self._rows.get(task)
        if row is None:
            row = self._rows[task] = Row(task, splits=0)
        row.splits += 1

    def attempt_started(self, layer: str, index: int, number: int) -> None:  # noqa: ARG002
        """Count a split that runs."""
        row = self._rows[layer]
        row.running += 1
        if row.state is State.WAITING:
            row.state, row.began = State.RUNNING, time.monotonic()

    def attempt_ended(self, layer: str, index: int, state: State, *, final: bool) -> None:  # noqa: ARG002
        """Count a split that has ended."""
        row = self._rows[layer]
        row.running -= row.running > 0
        row.done += final and state is State.SUCCEEDED
        row.failed += final and state is State.FAILED

    def retrying(self, layer: str, index: int, delay: float, reason: str) -> None:
        """Say that a split is tried again."""
        self._say(words.retry(layer, index, delay, reason))

    def line(self, layer: str, index: int, splits: int, text: str) -> None:
        """Show a line of user code with its split in front."""
        shown = f"{words.prefix(layer, index, splits)} | {words.clean(text)}"
        if self._out is None:
            self._waiting.append(shown)
        else:
            self._out.write(shown)

    def notice(self, text: str) -> None:
        """Say it."""
        self._say(text)

    def tick(self) -> None:
        """Draw what has changed."""
        self._draw(self._refresh)

    def run_ended(self, summary: Summary) -> None:
        """Leave the last state of the layers behind, and say how the run ended."""
        for row in self._rows.values():
            if row.state is State.RUNNING:
                row.state, row.running, row.seconds = State.CANCELLED, 0, time.monotonic() - row.began
        self._draw(lambda: self._refresh(ended=True))
        self._draw(self._live.stop)
        for line in words.ending(summary):
            self._say(line)

    def close(self) -> None:
        """Give the terminal back, however the run ended."""
        for above in self._above:
            above.leave()
        if self._live.is_started:
            self._draw(self._live.stop)
        self._draw(self._print_waiting)
        sys.stdout, sys.stderr = self._before

    # Drawing

    def _draw(self, act: Callable[[], object]) -> None:
        """Draw for as long as there is a terminal."""
        if self._shown:
            try:
                act()
            except (OSError, ValueError):
                self._shown = False

    def _refresh(self, *, ended: bool = False) -> None:
        self._print_waiting()
        self._live.update(self._table(self._chosen(ended)) if ended else self._frame(), refresh=True)

    def _print_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._console.print(Text("\n".join(waiting)), soft_wrap=True)

    def _frame(self) -> RenderableType:
        rows = self._chosen(ended=False)
        footer = self._footer(len(self._rows) - len(rows))
        return Group(self._table(rows), Text(footer, "bold", no_wrap=True, overflow="ellipsis"))

    def _chosen(self, ended: bool) -> list[Row]:
        """Choose the layers to show: all, or where there is no room those that run or failed, on half the screen."""
        height = self._console.height
        rows = [row for row in self._rows.values() if not ended or row.state is not State.WAITING]
        if len(rows) <= min(height - MARGIN, MOST_LAYERS):
            return rows
        return [row for row in rows if row.interesting][: max(1, min(height // 2, MOST_LAYERS))]

    def _table(self, rows: list[Row]) -> Table:
        now = time.monotonic()
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True, overflow="ellipsis")
        for _ in range(3):
            table.add_column(no_wrap=True)
        for row in rows:
            style = STYLES[row.state]
            bar = ProgressBar(total=1, completed=row.share(), width=BAR, complete_style=style, finished_style=style)
            table.add_row(Text(row.name), bar, Text(row.counts(), style), Text(row.took(now), "dim"))
        return table

    def _footer(self, hidden: int) -> str:
        states = Counter(row.state for row in self._rows.values())
        layers = ", ".join(f"{states[state]} {state.value.lower()}" for state in STYLES if states[state])
        more = f" ({hidden} not shown)" if hidden else ""
        running = sum(row.running for row in self._rows.values())
        splits = f"{running} split{'s' if running != 1 else ''} running"
        return f"{self._title}, {words.duration(time.monotonic() - self._began)}: {splits}; layers: {layers}{more}"
