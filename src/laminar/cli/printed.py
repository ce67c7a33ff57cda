"""``laminar logs``: what the layers of a run have printed."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter

import click

from laminar.cli import answers, options
from laminar.cli.looking import ledger_of
from laminar.console import words
from laminar.errors import FlowError, nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from laminar.ledger.rows import GroupRow, RunRow
    from laminar.ledger.sql import Ledger

BLOCK = 1 << 16
#: Seconds between looks, while a run is followed.
GLANCE = 0.2


@click.command("logs", short_help="Show what the layers of a run have printed.")
@options.run_id
@click.argument("place", metavar="[LAYER[/INDEX]]", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended.")
@options.output
@options.root
@options.common
def logs(run: str, place: str | None, follow: bool, output: str, root: str) -> None:
    """Show what the layers of the run ID have printed: all, one layer, or one split of it.

    Each line has its split in front, and which try it was if not the first; one split alone is shown as it was
    printed. With --output json each line is an object. What a process has printed is there also if it was killed. ID
    may be abbreviated.
    """
    ledger = ledger_of(root)
    parts = ledger.runs_of(run)
    layer, index = _place(ledger, parts, place)
    reader = Reader(ledger, layer, index, output)
    while True:
        live = [part for part in ledger.runs_of(parts[0].run) if part.held(time.time())]
        reader.read(parts, ended=not (follow and live))
        if not (follow and live):
            break
        time.sleep(GLANCE)
        parts = ledger.runs_of(parts[0].run)
    if not reader.any:
        answers.remark("Nothing was printed.")


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


class Reader:
    """Reads the logs of attempts as far as they go, and goes on where it was.

    Attributes:
        any: Whether there was anything.
    """

    def __init__(self, ledger: Ledger, layer: str | None, index: int | None, output: str) -> None:
        """Choose a layer and a split; None means all."""
        self._ledger = ledger
        self._layer = layer
        self._index = index
        self._output = output
        self._logs: dict[str, _Log] = {}
        self.any = False

    def read(self, parts: list[RunRow], *, ended: bool) -> None:
        """Show what is new in all logs of the parts of a run.

        Args:
            parts: The parts.
            ended: Whether nothing more will come, so that a last line without an end counts too.
        """
        for part in parts:
            sizes = {group.name: group.size or 1 for group in self._ledger.groups(part.space, part.run)}
            tries: Counter[tuple[str, int]] = Counter()
            for attempt in self._ledger.attempts(part.space, part.run, self._layer, self._index):
                split = (attempt.name, attempt.index)
                tries[split] += 1
                log = self._logs.get(attempt.log)
                if log is None:
                    log = self._logs[attempt.log] = _Log(attempt.log)
                if not log.over:
                    for line in log.lines(last=ended or attempt.state.terminal):
                        self._show(part.space, split, tries[split], sizes.get(attempt.name, 1), line)
        sys.stdout.flush()

    def _show(self, flow: str, split: tuple[str, int], number: int, splits: int, line: bytes) -> None:
        from laminar.engine.logs import text_of  # loaded by then, but not for help texts

        self.any = True
        if self._output == options.JSON:
            text = line.decode("utf-8", "replace")
            plain = {"flow": flow, "layer": split[0], "index": split[1], "attempt": number, "text": text}
            sys.stdout.write(json.dumps(plain) + "\n")
        elif self._index is not None:
            _raw(line)
        else:
            again = f"#{number}" if number > 1 else ""
            prefix = words.prefix(*split, splits)
            sys.stdout.write(f"{prefix}{again} | {words.clean(text_of(line))}\n")


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
