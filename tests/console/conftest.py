"""A terminal that people look at: a real pseudo-terminal, and a model of what it shows."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pexpect
import pyte
import pytest

from shells import Shell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

COLUMNS, ROWS = 100, 24


class Terminal:
    """A program in a terminal.

    Attributes:
        raw: All that the program has sent to it.
    """

    def __init__(self, folder: Path, command: str, arguments: list[str], environment: dict[str, str]) -> None:
        self._child = pexpect.spawn(
            command, arguments, cwd=str(folder), env=environment, dimensions=(ROWS, COLUMNS), timeout=30
        )
        self._screen = pyte.HistoryScreen(COLUMNS, ROWS, history=10_000, ratio=1)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""

    @property
    def screen(self) -> list[str]:
        """The lines that are seen now."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def lines(self) -> list[str]:
        """All lines, with those that have scrolled away."""
        scrolled = [
            "".join(line[column].data for column in range(COLUMNS)).rstrip() for line in self._screen.history.top
        ]
        return [line for line in [*scrolled, *self.screen] if line]

    @property
    def cursor_hidden(self) -> bool:
        """Whether the cursor is hidden."""
        return bool(self._screen.cursor.hidden)

    def see(self, what: str | Callable[[Terminal], object]) -> None:
        """Wait until a text is on the screen, or something is true of it."""
        deadline = time.monotonic() + 30
        while True:
            seen = any(what in line for line in self.screen) if isinstance(what, str) else what(self)
            if seen:
                return
            shown = "\n".join(self.screen)
            assert time.monotonic() < deadline, f"{what} was never seen:\n{shown}"
            assert self._read(), f"the program ended, and {what} was never seen:\n{shown}"

    def type(self, text: str) -> None:
        """Press keys."""
        self._child.send(text)

    def hang_up(self) -> None:
        """Close the terminal."""
        self._child.ptyproc.fileobj.close()

    def end(self) -> int:
        """Wait for the end of the program, and give its exit code."""
        while self._read():
            pass
        self._child.wait()
        assert self._child.signalstatus is None, signal.Signals(self._child.signalstatus).name
        return int(self._child.exitstatus)

    def close(self) -> None:
        """End the program."""
        if not self._child.ptyproc.fileobj.closed:
            self._child.close(force=True)

    def _read(self) -> bool:
        try:
            data = self._child.read_nonblocking(65536, timeout=0.05)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += data
        self._stream.feed(data)
        return True


class Desk(Shell):
    """A folder, commands in it, and a terminal."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._terminals: list[Terminal] = []

    def terminal(self, *arguments: str, program: str | None = None, **environment: str) -> Terminal:
        """Start a command in a terminal."""
        settings = self._environment({"TERM": "xterm-256color", **environment})
        settings = {name: value for name, value in settings.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
        made = Terminal(self.folder, program or self.program, list(arguments), settings)
        self._terminals.append(made)
        return made

    def close(self) -> None:
        """End what was started and still runs."""
        super().close()
        for terminal in self._terminals:
            terminal.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Gives an empty folder with a terminal."""
    made = Desk(tmp_path)
    yield made
    made.close()
