"""``laminar logs``: what the tasks or the layers of a run have printed."""

from __future__ import annotations

import json
import sys
import time
from abc import ABC, abstractmethod
from collections import Counter

import click

from laminar.cli import answers, options
from laminar.cli.view import asked, ledger_of
from laminar.console import words
from laminar.errors import FlowError, nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from laminar.ledger.rows import AttemptRow, GroupRow, RunRow
    from laminar.ledger.sql import Ledger

BLOCK = 1 << 16
#: Seconds between looks, while a run is followed.
GLANCE = 0.2


@click.command("logs", short_help="Show what a run has printed.")
@options.run_id
@click.argument("place", metavar="[ACTION|TASK|LAYER[/INDEX]]", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended.")
@options.server
@options.output
@options.root
@options.common
def logs(run: str, place: str | None, follow: bool, output: str, root: str, **where: Any) -> None:
    """Show what the run ID has printed: all, or one task, one action, one layer, one split of a layer.

    Each line has in front what has printed it, and which try that was if not the first; one action or split alone is
    shown as it was printed. With --output json each line is an object. What a process has printed is there also if it
    was killed. ID may be abbreviated, and ACTION too.
    """
    client = asked(root, **where)
    if client is not None:
        from laminar.cli import following  # loads what asks a server

        following.logs(client, run, place, output, follow=follow)
        return
    ledger = ledger_of(root)
    parts = ledger.runs_of(run)
    reader = _reader(ledger, parts, place, output)
    while True:
        live = [part for part in ledger.runs_of(parts[0].run) if part.held(time.time())]
        reader.read(parts, ended=not (follow and live))
        if not (follow and live):
            break
        time.sleep(GLANCE)
        parts = ledger.runs_of(parts[0].run)
    if not reader.any:
        answers.remark("Nothing was printed.")


def _reader(ledger: Ledger, parts: list[RunRow], place: str | None, output: str) -> Reader:
    """Choose what is read.

    Raises:
        FlowError: There is no such place.
    """
    if not options.of_task(parts[0].space):
        return OfLayers(ledger, output, *_place(ledger, parts, place))
    if place is None:
        return OfTasks(ledger, output)
    from laminar.cli import calls  # loads what help texts do not need

    names = {row.name for row in calls.find(ledger, parts[0], place)}
    task = None if any(name.startswith(place) for name in names) else calls.full_name(ledger, parts[0], place)
    return OfTasks(ledger, output, next(iter(names)) if task is None else None, task)


def _place(ledger: Ledger, parts: list[RunRow], place: str | None) -> tuple[str | None, int | None]:
    """Read which layer and split is meant.

    Raises:
        FlowError: There is no such layer, or no such split of it.
    """
    if place is None:
        return None, None
    layer, slash, text = place.partition("/")
    known: dict[str, GroupRow] = {group.name: group for part in parts for group in ledger.groups(part.space, part.run)}
    if layer not in known:
        raise FlowError(f"Run {parts[0].run} has no layer {layer!r}.{nearest(layer, known)}")
    if not slash:
        return layer, None
    size = known[layer].size
    if not text.isdecimal() or (size is not None and int(text) >= size):
        which = "its splits are not known yet" if size is None else f"it has {size}, from 0"
        raise FlowError(f"Layer {layer} has no split {text!r}: {which}.")
    return layer, int(text)


class Reader(ABC):
    """Reads the logs of attempts as far as they go, and goes on where it was.

    Attributes:
        any: Whether there was anything.
    """

    def __init__(self, ledger: Ledger, output: str, *, raw: bool) -> None:
        """Begin with nothing read.

        Args:
            ledger: Knows the attempts.
            output: The form of the answer.
            raw: Whether lines are shown as they were printed.
        """
        self._ledger = ledger
        self._output = output
        self._raw = raw
        self._logs: dict[str, _Log] = {}
        self.any = False

    @abstractmethod
    def _attempts(self, part: RunRow) -> Iterator[tuple[AttemptRow, str, dict[str, Any]]]:
        """Give the attempts to read, each with what stands in front of its lines, and what JSON says of it."""

    def read(self, parts: list[RunRow], *, ended: bool) -> None:
        """Show what is new in all logs of the parts of a run.

        Args:
            parts: The parts.
            ended: Whether nothing more will come, so that a last line without an end counts too.
        """
        for part in parts:
            tries: Counter[tuple[str, int]] = Counter()
            for attempt, prefix, plain in self._attempts(part):
                tries[attempt.name, attempt.index] += 1
                number = tries[attempt.name, attempt.index]
                log = self._logs.get(attempt.log)
                if log is None:
                    log = self._logs[attempt.log] = _Log(attempt.log)
                if not log.over:
                    for line in log.lines(last=ended or attempt.state.terminal):
                        self._show(prefix, plain, number, line)
        sys.stdout.flush()

    def _show(self, prefix: str, plain: dict[str, Any], number: int, line: bytes) -> None:
        from laminar.engine.logs import text_of  # loaded by then, but not for help texts

        self.any = True
        if self._output == options.JSON:
            sys.stdout.write(json.dumps({**plain, "attempt": number, "text": line.decode("utf-8", "replace")}) + "\n")
        elif self._raw:
            _raw(line)
        else:
            again = f"#{number}" if number > 1 else ""
            sys.stdout.write(f"{prefix}{again} | {words.clean(text_of(line))}\n")


class OfLayers(Reader):
    """Reads the logs of a flow, of one layer, or of one split."""

    def __init__(self, ledger: Ledger, output: str, layer: str | None, index: int | None) -> None:
        """Choose a layer and a split; None means all."""
        super().__init__(ledger, output, raw=index is not None)
        self._layer = layer
        self._index = index

    def _attempts(self, part: RunRow) -> Iterator[tuple[AttemptRow, str, dict[str, Any]]]:
        sizes = {group.name: group.size or 1 for group in self._ledger.groups(part.space, part.run)}
        for attempt in self._ledger.attempts(part.space, part.run, self._layer, self._index):
            prefix = words.prefix(attempt.name, attempt.index, sizes.get(attempt.name, 1))
            yield attempt, prefix, {"flow": part.space, "layer": attempt.name, "index": attempt.index}


class OfTasks(Reader):
    """Reads the logs of a run of a task, of the calls of one task, or of one action."""

    def __init__(self, ledger: Ledger, output: str, action: str | None = None, task: str | None = None) -> None:
        """Choose an action, or a task; None means all."""
        super().__init__(ledger, output, raw=action is not None)
        self._action = action
        self._task = task

    def _attempts(self, part: RunRow) -> Iterator[tuple[AttemptRow, str, dict[str, Any]]]:
        from laminar.cli.calls import SHORT  # loads what help texts do not need

        calls = self._ledger.calls(part.space, part.run, task=self._task)
        tasks = {(row.name, row.index): row.task or "" for row in calls}
        counts = Counter(tasks.values())
        for attempt in self._ledger.attempts(part.space, part.run, self._action):
            task = tasks.get((attempt.name, attempt.index))
            if task is not None:
                prefix = f"{task}[{attempt.name[:SHORT]}]" if counts[task] > 1 else task
                yield attempt, prefix, {"task": task, "action": attempt.name}


def _raw(line: bytes) -> None:
    """Show a line as it was printed; what could steer a terminal is taken out for a terminal only."""
    if sys.stdout.isatty():
        from laminar.engine.logs import text_of  # loaded by then, but not for help texts

        sys.stdout.write(f"{words.clean(text_of(line))}\n")
    else:
        sys.stdout.buffer.write(line + b"\n")


class _Log:
    """The log of an attempt, read block by block."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""
        self.over = False

    def lines(self, *, last: bool) -> Iterator[bytes]:
        """Give the whole lines that are new, and at the end also one that is not whole."""
        for block in self._blocks():
            *lines, self._rest = (self._rest + block).split(b"\n")
            yield from lines
        if last:
            self.over = True
            if self._rest:
                yield self._rest

    def _blocks(self) -> Iterator[bytes]:
        try:
            with open(self._path, "rb") as file:
                file.seek(self._offset)
                while block := file.read(BLOCK):
                    self._offset += len(block)
                    yield block
        except FileNotFoundError:
            return  # nothing was printed
