"""The streams that people read: whole lines, which a closed stream or a poor encoding cannot turn into an error.

A run goes on when nobody looks any more: a closed terminal or pipe silences the display, it does not end the run.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TextIO


def underlying(stream: TextIO) -> TextIO:
    """Give the stream below the one that keeps the output of attempts apart."""
    found: TextIO = getattr(stream, "original", stream)
    return found


class Lines:
    """Writes lines to a stream for as long as it takes them."""

    def __init__(self, stream: TextIO | None) -> None:
        """Write there; None, as in a program without a console, takes nothing."""
        self._stream = stream

    def write(self, line: str) -> None:
        """Write a line."""
        if self._stream is None:
            return
        try:
            try:
                self._stream.write(f"{line}\n")
            except UnicodeEncodeError:
                encoding = self._stream.encoding
                self._stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self._stream = None


class Above:
    """A stand-in for a standard stream while a display holds the bottom of the terminal: lines go above it."""

    def __init__(self, stream: TextIO, show: Callable[[str], None]) -> None:
        """Show whole lines by a function.

        Args:
            stream: The stream, for all else that is asked of it.
            show: Takes a line, from any thread.
        """
        self._stream = stream
        self._show: Callable[[str], None] | None = show
        self._rest = ""

    def write(self, text: str) -> int:
        """Write text; a line that is not whole waits for its end."""
        if self._show is None:
            return self._stream.write(text)
        lines = (self._rest + text).split("\n")
        self._rest = lines.pop()
        for line in lines:
            self._show(line)
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()

    def leave(self) -> None:
        """Show what waits, and pass everything on from now on."""
        show, self._show = self._show, None
        if show is not None and self._rest:
            show(self._rest)

    def __getattr__(self, name: str) -> Any:
        """Behave as the stream in all else."""
        return getattr(self._stream, name)
